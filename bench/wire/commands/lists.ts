import { type Family, filling, flat, one, random, several } from './row.ts';

export const lists: Family = {
  name: 'lists',
  *data({ large, medium }) {
    yield ['RPUSH', 'small', ...flat(10, (i) => [`element:${i}`])];
    yield ['RPUSH', 'other', 'a', 'b'];
    yield* filling(['RPUSH', 'medium'], medium, (i) => [`element:${i}`]);
    yield* filling(['RPUSH', 'large'], large, (i) => [`element:${i}`]);
    yield* filling(['RPUSH', 'integers'], medium, (i) => [String(i)]);
    for (let i = 0; i < 10; i++) yield ['RPUSH', 'long', 'x'.repeat(10_000)];
  },
  rows({ large, medium }) {
    const last = `element:${medium - 1}`;
    const range = (i: number, length: number): [string, string] => {
      const from = random(i, large - length);
      return [String(from), String(from + length - 1)];
    };
    return [
      several('LPUSH, RPOP', () => [
        ['LPUSH', 'large', 'element'],
        ['RPOP', 'large'],
      ]),
      several('RPUSH, LPOP', () => [
        ['RPUSH', 'small', 'element'],
        ['LPOP', 'small'],
      ]),
      several('RPUSH of 100, LPOP of 100', () => [
        ['RPUSH', 'medium', ...flat(100, (i) => [`element:${i}`])],
        ['LPOP', 'medium', '100'],
      ]),
      several('RPUSHX, LPUSHX, LTRIM', () => [
        ['RPUSHX', 'small', 'element'],
        ['LPUSHX', 'small', 'element'],
        ['LTRIM', 'small', '1', '-2'],
      ]),
      several('LPUSH, LTRIM of a large list', () => [
        ['LPUSH', 'large', 'element'],
        ['LTRIM', 'large', '0', String(large - 1)],
      ]),
      one('LLEN', () => ['LLEN', 'small']),
      one('LINDEX of 10', () => ['LINDEX', 'small', '5']),
      one('LINDEX of a large list', (i) => ['LINDEX', 'large', String(random(i, large))]),
      one('LSET of 10', () => ['LSET', 'small', '5', 'element:5']),
      one('LSET in a large list', (i) => ['LSET', 'large', String(random(i, large)), 'element:77']),
      one('LRANGE of 10', () => ['LRANGE', 'small', '0', '-1']),
      one('LRANGE of 100 in a large list', (i) => ['LRANGE', 'large', ...range(i, 100)]),
      one('LRANGE of 1,000', () => ['LRANGE', 'medium', '0', '-1']),
      one('LRANGE of 1,000 integers', () => ['LRANGE', 'integers', '0', '-1']),
      one('LRANGE of 10 of 10 KB', () => ['LRANGE', 'long', '0', '-1']),
      several('LINSERT, LREM in 10', () => [
        ['LINSERT', 'small', 'BEFORE', 'element:5', 'new'],
        ['LREM', 'small', '1', 'new'],
      ]),
      several('LINSERT, LREM in 1,000', () => [
        ['LINSERT', 'medium', 'AFTER', `element:${medium / 2}`, 'new'],
        ['LREM', 'medium', '-1', 'new'],
      ]),
      one('LREM of nothing in 1,000', () => ['LREM', 'medium', '0', 'absent']),
      one('LPOS in 10', () => ['LPOS', 'small', 'element:9']),
      one('LPOS in 1,000', () => ['LPOS', 'medium', last]),
      one('LPOS in 1,000 integers', () => ['LPOS', 'integers', String(medium - 1)]),
      one('LPOS COUNT 0 RANK -1 in 1,000', () => ['LPOS', 'medium', 'element:1', 'COUNT', '0', 'RANK', '-1']),
      one('LMOVE', () => ['LMOVE', 'small', 'small', 'LEFT', 'RIGHT']),
      one('RPOPLPUSH', () => ['RPOPLPUSH', 'large', 'large']),
      one('BLMOVE', () => ['BLMOVE', 'small', 'small', 'LEFT', 'RIGHT', '0']),
      one('BRPOPLPUSH', () => ['BRPOPLPUSH', 'small', 'small', '0']),
      several('RPUSH, BLPOP', () => [
        ['RPUSH', 'small', 'element'],
        ['BLPOP', 'absent', 'small', '0'],
      ]),
      several('LPUSH, BRPOP', () => [
        ['LPUSH', 'small', 'element'],
        ['BRPOP', 'absent', 'small', '0'],
      ]),
      several('RPUSH, LMPOP', () => [
        ['RPUSH', 'small', 'element'],
        ['LMPOP', '2', 'absent', 'small', 'LEFT'],
      ]),
      several('RPUSH, BLMPOP', () => [
        ['RPUSH', 'small', 'element'],
        ['BLMPOP', '0', '2', 'absent', 'small', 'LEFT'],
      ]),
    ];
  },
};
