import { type Family, filling, flat, one, type Row, random, several } from './row.ts';

function ranges(large: number): Row[] {
  const rank = (i: number, length: number): [string, string] => {
    const from = random(i, large - length);
    return [String(from), String(from + length - 1)];
  };
  return [
    one('ZRANGE of 10', () => ['ZRANGE', 'small', '0', '-1']),
    one('ZRANGE of 10 with scores', () => ['ZRANGE', 'small', '0', '-1', 'WITHSCORES']),
    one('ZRANGE of 20 of a large one', (i) => ['ZRANGE', 'large', ...rank(i, 20)]),
    one('ZRANGE of 1,000', () => ['ZRANGE', 'medium', '0', '-1']),
    one('ZRANGE of 1,000 with scores', () => ['ZRANGE', 'medium', '0', '-1', 'WITHSCORES']),
    one('ZRANGE BYSCORE LIMIT', (i) => ['ZRANGE', 'large', ...rank(i, 100), 'BYSCORE', 'LIMIT', '10', '20']),
    one('ZREVRANGE of 20', (i) => ['ZREVRANGE', 'large', ...rank(i, 20)]),
    one('ZRANGEBYSCORE of 10', () => ['ZRANGEBYSCORE', 'small', '(0', '8']),
    one('ZRANGEBYSCORE of 100 of a large one', (i) => ['ZRANGEBYSCORE', 'large', ...rank(i, 100)]),
    one('ZRANGEBYSCORE of 1,000 of a large one', (i) => ['ZRANGEBYSCORE', 'large', ...rank(i, 1000)]),
    one('ZREVRANGEBYSCORE of 100', (i) => ['ZREVRANGEBYSCORE', 'large', ...rank(i, 100).toReversed()]),
    one('ZRANGEBYLEX of 10', () => ['ZRANGEBYLEX', 'words', '[word:00001', '(word:00011']),
    one('ZRANGEBYLEX of 100', () => ['ZRANGEBYLEX', 'words', '[word:00100', '(word:00200']),
    one('ZREVRANGEBYLEX of 100', () => ['ZREVRANGEBYLEX', 'words', '[word:00200', '(word:00100']),
    one('ZRANGESTORE of 100', () => ['ZRANGESTORE', 'made', 'medium', '0', '99']),
    one('ZCOUNT of 10', () => ['ZCOUNT', 'small', '2', '7']),
    one('ZCOUNT of a large one', (i) => ['ZCOUNT', 'large', ...rank(i, 1000)]),
    one('ZLEXCOUNT', () => ['ZLEXCOUNT', 'words', '[word:00100', '[word:00900']),
    one('ZRANK of 10', () => ['ZRANK', 'small', 'member:7']),
    one('ZRANK of a large one', (i) => ['ZRANK', 'large', `member:${random(i, large)}`]),
    one('ZREVRANK of a large one', (i) => ['ZREVRANK', 'large', `member:${random(i, large)}`]),
  ];
}

function removals(large: number): Row[] {
  const five = flat(5, (i) => [String(i), `new:${i}`]);
  const add = ['ZADD', 'small', '-1', 'new'];
  return [
    several('ZADD of 5, ZREMRANGEBYRANK', () => [
      ['ZADD', 'medium', ...flat(5, (i) => [String(-i - 1), `new:${i}`])],
      ['ZREMRANGEBYRANK', 'medium', '0', '4'],
    ]),
    several('ZADD of 5, ZREMRANGEBYSCORE', () => [
      ['ZADD', 'medium', ...flat(5, (i) => [String(-i - 1), `new:${i}`])],
      ['ZREMRANGEBYSCORE', 'medium', '-inf', '(0'],
    ]),
    several('ZADD of 5, ZREMRANGEBYLEX', () => [
      ['ZADD', 'words', ...flat(5, (i) => ['0', `a:${i}`])],
      ['ZREMRANGEBYLEX', 'words', '-', '(b'],
    ]),
    several('ZADD, ZPOPMIN of 10', () => [add, ['ZPOPMIN', 'small']]),
    several('ZADD, ZPOPMIN of a large one', () => [
      ['ZADD', 'large', '-1', 'new'],
      ['ZPOPMIN', 'large'],
    ]),
    several('ZADD, ZPOPMAX of a large one', () => [
      ['ZADD', 'large', String(large * 2), 'new'],
      ['ZPOPMAX', 'large'],
    ]),
    several('ZADD of 5, ZPOPMIN 5', () => [
      ['ZADD', 'popped', ...five],
      ['ZPOPMIN', 'popped', '5'],
    ]),
    several('ZADD, BZPOPMIN', () => [add, ['BZPOPMIN', 'absent', 'small', '0']]),
    several('ZADD, BZPOPMAX', () => [
      ['ZADD', 'small', '1000', 'new'],
      ['BZPOPMAX', 'absent', 'small', '0'],
    ]),
    several('ZADD, ZMPOP', () => [add, ['ZMPOP', '2', 'absent', 'small', 'MIN']]),
    several('ZADD, BZMPOP', () => [add, ['BZMPOP', '0', '2', 'absent', 'small', 'MIN']]),
  ];
}

const combinations: readonly Row[] = [
  one('ZUNION of 1,000 and 1,000', () => ['ZUNION', '2', 'medium', 'half', 'WITHSCORES']),
  one('ZUNIONSTORE of 10 and 10', () => ['ZUNIONSTORE', 'made', '2', 'small', 'half10', 'WEIGHTS', '2', '3']),
  one('ZUNIONSTORE of 1,000 and 1,000', () => ['ZUNIONSTORE', 'made', '2', 'medium', 'half']),
  one('ZINTER of 1,000 and 1,000', () => ['ZINTER', '2', 'medium', 'half']),
  one('ZINTERSTORE of 1,000 and 1,000', () => ['ZINTERSTORE', 'made', '2', 'medium', 'half']),
  one('ZINTERCARD of 1,000 and 1,000', () => ['ZINTERCARD', '2', 'medium', 'half']),
  one('ZDIFF of 1,000 and 1,000', () => ['ZDIFF', '2', 'medium', 'half']),
  one('ZDIFFSTORE of 1,000 and 1,000', () => ['ZDIFFSTORE', 'made', '2', 'medium', 'half']),
];

export const sortedSets: Family = {
  name: 'zsets',
  *data({ large, medium }) {
    yield ['ZADD', 'small', ...flat(10, (i) => [String(i), `member:${i}`])];
    yield ['ZADD', 'half10', ...flat(10, (i) => [String(i), `member:${i * 2}`])];
    yield* filling(['ZADD', 'medium'], medium, (i) => [String(i), `member:${i}`]);
    yield* filling(['ZADD', 'half'], medium, (i) => [String(i * 1.5), `member:${i * 2}`]);
    yield* filling(['ZADD', 'words'], medium, (i) => ['0', `word:${String(i).padStart(5, '0')}`]);
    yield* filling(['ZADD', 'large'], large, (i) => [String(i), `member:${i}`]);
  },
  rows({ large }) {
    const member = (i: number): string => `member:${random(i, large)}`;
    return [
      one('ZADD, a score that stays', () => ['ZADD', 'small', '5', 'member:5']),
      several('ZADD, a score that changes in 10', (i) => [['ZADD', 'small', String(i % 11), 'member:5']]),
      several('ZADD, a score that changes in a large one', (i) => {
        const number = random(i, large);
        return [['ZADD', 'large', String(number + (i % 2) * 0.25), `member:${number}`]];
      }),
      several('ZINCRBY there and back', (i) => [
        ['ZINCRBY', 'large', '1000.5', member(i)],
        ['ZINCRBY', 'large', '-1000.5', member(i)],
      ]),
      several('ZREM, ZADD of 10', () => [
        ['ZREM', 'small', 'member:5'],
        ['ZADD', 'small', '5', 'member:5'],
      ]),
      several('ZREM, ZADD of a large one', (i) => {
        const number = random(i, large);
        return [
          ['ZREM', 'large', `member:${number}`],
          ['ZADD', 'large', String(number), `member:${number}`],
        ];
      }),
      one('ZCARD', () => ['ZCARD', 'small']),
      one('ZSCORE of 10', () => ['ZSCORE', 'small', 'member:5']),
      one('ZSCORE of a large one', (i) => ['ZSCORE', 'large', member(i)]),
      one('ZMSCORE of 10', () => ['ZMSCORE', 'small', ...flat(10, (k) => [`member:${k}`])]),
      one('ZMSCORE of 100 of a large one', (i) => ['ZMSCORE', 'large', ...flat(100, (k) => [member(i * 100 + k)])]),
      ...ranges(large),
      ...removals(large),
      ...combinations,
      one('ZRANDMEMBER of 10', () => ['ZRANDMEMBER', 'small']),
      one('ZRANDMEMBER 5 of 10', () => ['ZRANDMEMBER', 'small', '5', 'WITHSCORES']),
      one('ZRANDMEMBER of a large one', () => ['ZRANDMEMBER', 'large']),
      one('ZRANDMEMBER 100 of a large one', () => ['ZRANDMEMBER', 'large', '100']),
      one('ZRANDMEMBER -100 of a large one', () => ['ZRANDMEMBER', 'large', '-100']),
      one('ZSCAN of 10', () => ['ZSCAN', 'small', '0']),
      one('ZSCAN of a large one', () => ['ZSCAN', 'large', '0', 'COUNT', '100']),
    ];
  },
};
