import { type Family, filling, one, random } from './row.ts';

export const sorting: Family = {
  name: 'sort',
  *data({ large, medium }) {
    yield* filling(['RPUSH', 'small'], 10, (i) => [String(random(i, 1000))]);
    yield* filling(['RPUSH', 'numbers'], medium, (i) => [String(random(i, medium))]);
    yield* filling(['RPUSH', 'large'], large, (i) => [String(random(i, large))]);
    yield* filling(['RPUSH', 'words'], medium, (i) => [`word:${random(i, 1_000_000)}`]);
    yield* filling(['SADD', 'set'], medium, (i) => [String(i)]);
    yield* filling(['ZADD', 'zset'], medium, (i) => [String(i), String(random(i, medium))]);
    yield* filling(['MSET'], medium, (i) => [`weight:${i}`, String(random(i, 1000)), `name:${i}`, `name of ${i}`]);
    for (let i = 0; i < medium; i++)
      yield ['HSET', `object:${i}`, 'weight', String(random(i, 1000)), 'name', `name ${i}`];
  },
  rows() {
    return [
      one('SORT of 10', () => ['SORT', 'small']),
      one('SORT of 1,000', () => ['SORT', 'numbers']),
      one('SORT_RO of 1,000 DESC', () => ['SORT_RO', 'numbers', 'DESC']),
      one('SORT of 1,000 LIMIT', () => ['SORT', 'numbers', 'LIMIT', '0', '10']),
      one('SORT of a large list', () => ['SORT', 'large']),
      one('SORT of a large list LIMIT', () => ['SORT', 'large', 'LIMIT', '0', '10']),
      one('SORT of a large list LIMIT, deep', () => ['SORT', 'large', 'LIMIT', '10000', '100']),
      one('SORT of a set of 1,000', () => ['SORT', 'set', 'DESC']),
      one('SORT of a sorted set of 1,000', () => ['SORT', 'zset']),
      one('SORT ALPHA of 1,000', () => ['SORT', 'words', 'ALPHA']),
      one('SORT ALPHA of 1,000 LIMIT', () => ['SORT', 'words', 'ALPHA', 'LIMIT', '0', '10']),
      one('SORT ALPHA of a large list LIMIT', () => ['SORT', 'large', 'ALPHA', 'LIMIT', '0', '10']),
      one('SORT BY of 1,000', () => ['SORT', 'numbers', 'BY', 'weight:*']),
      one('SORT BY GET of 1,000', () => ['SORT', 'numbers', 'BY', 'weight:*', 'GET', '#', 'GET', 'name:*']),
      one('SORT BY hash GET hash of 1,000', () => [
        ...['SORT', 'numbers', 'BY', 'object:*->weight', 'GET', 'object:*->name', 'LIMIT', '0', '20'],
      ]),
      one('SORT BY nosort GET', () => ['SORT', 'numbers', 'BY', 'nosort', 'GET', 'name:*', 'LIMIT', '0', '100']),
      one('SORT ALPHA BY of 1,000', () => ['SORT', 'numbers', 'BY', 'name:*', 'ALPHA']),
      one('SORT STORE of 1,000', () => ['SORT', 'numbers', 'STORE', 'made']),
    ];
  },
};
