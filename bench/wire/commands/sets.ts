import { type Family, filling, flat, one, random, several } from './row.ts';

export const sets: Family = {
  name: 'sets',
  *data({ large, medium }) {
    yield ['SADD', 'small', ...flat(10, (i) => [`member:${i}`])];
    yield ['SADD', 'integers', ...flat(400, (i) => [String(i * 3)])];
    yield ['SADD', 'evens', ...flat(400, (i) => [String(i * 2)])];
    yield ['SADD', 'target', 'a'];
    yield* filling(['SADD', 'medium'], medium, (i) => [`member:${i}`]);
    yield* filling(['SADD', 'half'], medium, (i) => [`member:${i * 2}`]);
    yield* filling(['SADD', 'large'], large, (i) => [`member:${i}`]);
  },
  rows({ large }) {
    const member = (i: number): string => `member:${random(i, large)}`;
    return [
      several('SADD, SREM', () => [
        ['SADD', 'small', 'new'],
        ['SREM', 'small', 'new'],
      ]),
      several('SADD, SREM of a large set', (i) => [
        ['SREM', 'large', member(i)],
        ['SADD', 'large', member(i)],
      ]),
      one('SADD of 100 that are there', (i) => ['SADD', 'large', ...flat(100, (k) => [member(i * 100 + k)])]),
      one('SCARD', () => ['SCARD', 'small']),
      one('SISMEMBER', () => ['SISMEMBER', 'small', 'member:5']),
      one('SISMEMBER of integers', (i) => ['SISMEMBER', 'integers', String(i)]),
      one('SISMEMBER of a large set', (i) => ['SISMEMBER', 'large', member(i)]),
      one('SMISMEMBER of 10', () => ['SMISMEMBER', 'small', ...flat(10, (k) => [`member:${k}`])]),
      one('SMISMEMBER of 100 of a large set', (i) => [
        'SMISMEMBER',
        'large',
        ...flat(100, (k) => [member(i * 100 + k)]),
      ]),
      one('SMEMBERS of 10', () => ['SMEMBERS', 'small']),
      one('SMEMBERS of 400 integers', () => ['SMEMBERS', 'integers']),
      one('SMEMBERS of 1,000', () => ['SMEMBERS', 'medium']),
      several('SMOVE there and back', () => [
        ['SMOVE', 'small', 'target', 'member:5'],
        ['SMOVE', 'target', 'small', 'member:5'],
      ]),
      several('SADD, SPOP', (i) => [
        ['SADD', 'popped', String(i), `member:${i}`, `other:${i}`],
        ['SPOP', 'popped'],
        ['SPOP', 'popped', '2'],
      ]),
      one('SRANDMEMBER of 10', () => ['SRANDMEMBER', 'small']),
      one('SRANDMEMBER of a large set', () => ['SRANDMEMBER', 'large']),
      one('SRANDMEMBER 10 of a large set', () => ['SRANDMEMBER', 'large', '10']),
      one('SRANDMEMBER -10 of 10', () => ['SRANDMEMBER', 'small', '-10']),
      one('SRANDMEMBER 500 of 1,000', () => ['SRANDMEMBER', 'medium', '500']),
      one('SRANDMEMBER 1,000 of a large set', () => ['SRANDMEMBER', 'large', '1000']),
      one('SRANDMEMBER -1,000 of a large set', () => ['SRANDMEMBER', 'large', '-1000']),
      one('SINTER of 10 and a large set', () => ['SINTER', 'large', 'small']),
      one('SINTER of 1,000 and 1,000', () => ['SINTER', 'medium', 'half']),
      one('SINTER of integers', () => ['SINTER', 'integers', 'evens']),
      one('SINTERCARD of 1,000 and 1,000', () => ['SINTERCARD', '2', 'medium', 'half']),
      one('SINTERSTORE of 1,000 and 1,000', () => ['SINTERSTORE', 'made', 'medium', 'half']),
      one('SUNION of 10 and integers', () => ['SUNION', 'small', 'integers']),
      one('SUNION of 1,000 and 1,000', () => ['SUNION', 'medium', 'half']),
      one('SUNIONSTORE of 1,000 and 1,000', () => ['SUNIONSTORE', 'made', 'medium', 'half']),
      one('SDIFF of 1,000 and 1,000', () => ['SDIFF', 'medium', 'half']),
      one('SDIFFSTORE of 1,000 and 1,000', () => ['SDIFFSTORE', 'made', 'medium', 'half']),
      one('SSCAN of 10', () => ['SSCAN', 'small', '0']),
      one('SSCAN of a large set', () => ['SSCAN', 'large', '0', 'COUNT', '100']),
      one('SSCAN MATCH', () => ['SSCAN', 'large', '0', 'COUNT', '100', 'MATCH', '*7*']),
    ];
  },
};
