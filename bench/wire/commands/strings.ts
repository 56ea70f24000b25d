import { type Family, filling, flat, one, random, several } from './row.ts';

const TEN_KB = 'x'.repeat(10_240);
const letters = (count: number, seed: number): string =>
  String.fromCharCode(...Array.from({ length: count }, (_, i) => 97 + random(seed * count + i, 8)));

export const strings: Family = {
  name: 'strings',
  *data({ large }) {
    yield* filling(['MSET'], large, (i) => [`key:${i}`, `value:${i}`]);
    yield ['MSET', 'small', 'value', 'number', '1', 'float', '10.5', 'tenKB', TEN_KB];
    yield ['SET', 'megabyte', 'x'.repeat(1 << 20)];
    for (const length of [10, 100, 1000])
      yield ['MSET', `a${length}`, letters(length, 1), `b${length}`, letters(length, 2)];
  },
  rows({ large }) {
    const key = (i: number): string => `key:${random(i, large)}`;
    return [
      one('GET', () => ['GET', 'small']),
      one('GET of a large keyspace', (i) => ['GET', key(i)]),
      one('GET of 10 KB', () => ['GET', 'tenKB']),
      one('GET of 1 MB', () => ['GET', 'megabyte']),
      one('SET', () => ['SET', 'small', 'value']),
      one('SET with EX and GET', () => ['SET', 'expiring', 'value', 'EX', '1000', 'GET']),
      one('SET of 10 KB', () => ['SET', 'written', TEN_KB]),
      one('SETNX of what is there', () => ['SETNX', 'small', 'other']),
      one('SETEX', () => ['SETEX', 'expiring', '1000', 'value']),
      one('PSETEX', () => ['PSETEX', 'expiring', '1000000', 'value']),
      one('GETSET', () => ['GETSET', 'small', 'value']),
      one('GETEX', () => ['GETEX', 'expiring', 'EX', '1000']),
      several('SET, GETDEL', () => [
        ['SET', 'gone', 'value'],
        ['GETDEL', 'gone'],
      ]),
      several('SET, APPEND', () => [
        ['SET', 'grown', 'value'],
        ['APPEND', 'grown', 'more'],
      ]),
      one('STRLEN', () => ['STRLEN', 'small']),
      one('GETRANGE of 100 bytes', (i) => ['GETRANGE', 'megabyte', String(i * 500), String(i * 500 + 99)]),
      one('SUBSTR', () => ['SUBSTR', 'small', '1', '3']),
      one('SETRANGE in 1 MB', (i) => ['SETRANGE', 'megabyte', String(i * 500), 'xxx']),
      one('INCR', () => ['INCR', 'number']),
      one('DECR', () => ['DECR', 'number']),
      one('INCRBY', () => ['INCRBY', 'number', '10']),
      one('DECRBY', () => ['DECRBY', 'number', '10']),
      one('INCRBYFLOAT', (i) => ['INCRBYFLOAT', 'float', i % 2 === 0 ? '0.1' : '-0.1']),
      one('MSET of 10', () => ['MSET', ...flat(10, (k) => [`small:${k}`, 'value'])]),
      one('MSET of 100 of a large keyspace', (i) => ['MSET', ...flat(100, (k) => [key(i * 100 + k), 'value'])]),
      one('MSETNX of what is there', () => ['MSETNX', ...flat(10, (k) => [`small:${k}`, 'value'])]),
      one('MGET of 10', () => ['MGET', ...flat(10, (k) => [`small:${k}`])]),
      one('MGET of 100', () => ['MGET', ...flat(100, (k) => [`key:${k}`])]),
      one('MGET of 100 of a large keyspace', (i) => ['MGET', ...flat(100, (k) => [key(i * 100 + k)])]),
      one('LCS of 10 bytes', () => ['LCS', 'a10', 'b10']),
      one('LCS of 100 bytes', () => ['LCS', 'a100', 'b100']),
      one('LCS of 1,000 bytes', () => ['LCS', 'a1000', 'b1000']),
      one('LCS IDX of 100 bytes', () => ['LCS', 'a100', 'b100', 'IDX', 'WITHMATCHLEN']),
      one('LCS LEN of 1,000 bytes', () => ['LCS', 'a1000', 'b1000', 'LEN']),
    ];
  },
};
