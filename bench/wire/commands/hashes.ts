import { type Family, filling, flat, one, random, several } from './row.ts';

export const hashes: Family = {
  name: 'hashes',
  *data({ large, medium }) {
    yield ['HSET', 'small', ...flat(10, (i) => [`field:${i}`, `value:${i}`])];
    yield ['HSET', 'numbers', 'n', '1', 'f', '1.5'];
    yield* filling(['HSET', 'medium'], medium, (i) => [`field:${i}`, `value:${i}`]);
    yield* filling(['HSET', 'large'], large, (i) => [`field:${i}`, `value:${i}`]);
  },
  rows({ large }) {
    const field = (i: number): string => `field:${random(i, large)}`;
    return [
      one('HSET of 10', () => ['HSET', 'small', 'field:5', 'value:5']),
      one('HSET in a large hash', (i) => ['HSET', 'large', field(i), 'value']),
      one('HSETNX of what is there', () => ['HSETNX', 'small', 'field:5', 'value']),
      one('HMSET of 10', () => ['HMSET', 'small', ...flat(10, (k) => [`field:${k}`, `value:${k}`])]),
      one('HGET of 10', () => ['HGET', 'small', 'field:5']),
      one('HGET of a large hash', (i) => ['HGET', 'large', field(i)]),
      one('HMGET of 10', () => ['HMGET', 'small', ...flat(10, (k) => [`field:${k}`])]),
      one('HMGET of 100 of a large hash', (i) => ['HMGET', 'large', ...flat(100, (k) => [field(i * 100 + k)])]),
      one('HGETALL of 10', () => ['HGETALL', 'small']),
      one('HGETALL of 1,000', () => ['HGETALL', 'medium']),
      one('HKEYS of 10', () => ['HKEYS', 'small']),
      one('HKEYS of 1,000', () => ['HKEYS', 'medium']),
      one('HVALS of 1,000', () => ['HVALS', 'medium']),
      several('HSET, HDEL', () => [
        ['HSET', 'small', 'new', 'value'],
        ['HDEL', 'small', 'new'],
      ]),
      several('HDEL, HSET of a large hash', (i) => [
        ['HDEL', 'large', field(i)],
        ['HSET', 'large', field(i), 'value'],
      ]),
      one('HLEN', () => ['HLEN', 'small']),
      one('HEXISTS', () => ['HEXISTS', 'small', 'field:9']),
      one('HSTRLEN', () => ['HSTRLEN', 'small', 'field:9']),
      one('HINCRBY', () => ['HINCRBY', 'numbers', 'n', '1']),
      one('HINCRBYFLOAT', (i) => ['HINCRBYFLOAT', 'numbers', 'f', i % 2 === 0 ? '0.1' : '-0.1']),
      one('HRANDFIELD of 10', () => ['HRANDFIELD', 'small']),
      one('HRANDFIELD 5 WITHVALUES of 10', () => ['HRANDFIELD', 'small', '5', 'WITHVALUES']),
      one('HRANDFIELD -10 of 10', () => ['HRANDFIELD', 'small', '-10']),
      one('HRANDFIELD of a large hash', () => ['HRANDFIELD', 'large']),
      one('HRANDFIELD 10 of a large hash', () => ['HRANDFIELD', 'large', '10']),
      one('HRANDFIELD 500 of 1,000', () => ['HRANDFIELD', 'medium', '500']),
      one('HRANDFIELD 1,000 of a large hash', () => ['HRANDFIELD', 'large', '1000', 'WITHVALUES']),
      one('HRANDFIELD -1,000 of a large hash', () => ['HRANDFIELD', 'large', '-1000', 'WITHVALUES']),
      one('HSCAN of 10', () => ['HSCAN', 'small', '0']),
      one('HSCAN of a large hash', () => ['HSCAN', 'large', '0', 'COUNT', '100']),
    ];
  },
};
