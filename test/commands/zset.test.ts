import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside, type Commands } from '../support/beside.ts';
import { Pipeline } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

describe('beside the real server', () => {
  test('ZADD: conditions, conflicts, errors and their order', () =>
    both.same(`
      FLUSHALL
      ZADD z 1 a
      ZADD z 1 a 2 b
      ZADD z CH 5 a 2 b
      ZADD z NX 9 a 3 c
      ZADD z XX CH 4 c 4 d
      ZADD z GT CH 1 a 9 b
      ZADD z LT CH 1 a 9 b
      ZADD z INCR 5 a
      ZADD z NX INCR 5 a
      ZADD z XX INCR 5 nobody
      ZADD none XX 1 a
      ZADD none XX INCR 1 a
      EXISTS none
      ZADD z NX XX 1 a
      ZADD z NX GT 1 a
      ZADD z GT LT 1 a
      ZADD z INCR 1 a 2 b
      ZADD z NX XX 1
      ZADD z 1 a b
      ZADD z foo a
      ZADD z 1 a foo b
      ZADD z nan a
      ZADD z
      ZADD z 1
      ZADD z NX
      ZADD z inf i -inf j +inf k 1e400 l
      ZINCRBY z -inf i
      ZINCRBY z nx i
      ZINCRBY z 1.5 i
      ZINCRBY z x i
      SET s v
      ZADD s 1 a
      ZADD s x a
      ZADD s NX XX 1 a
      ZINCRBY s 1 a
      ZRANGE z 0 -1 WITHSCORES
    `));

  test('scores as text', () =>
    both.same([
      ['FLUSHALL'],
      ...[
        '0',
        '-0',
        '17',
        '1.5',
        '0.1',
        '3.3e-5',
        '1e17',
        '123456789012345678',
        '4611686018427387904',
        '9.3e18',
        '1e300',
      ]
        .concat('-1e17', '0x10', '5e-324', 'inf', '-inf', '100000000000000000000', '-7.25', '9007199254740993')
        .flatMap((score) => [
          ['ZADD', 'z', score, `m${score}`],
          ['ZSCORE', 'z', `m${score}`],
          ['ZSCAN', 'z', '0', 'MATCH', `m${score}`],
          ['ZINCRBY', 'z', '1', `m${score}`],
        ]),
      ['ZMSCORE', 'z', 'm0', 'nobody', 'm-0'],
      ['ZMSCORE', 'none', 'a'],
      ['ZRANGE', 'z', '0', '-1', 'WITHSCORES'],
    ]));

  test('ranges: bounds, options and their conflicts', () =>
    both.same(`
      FLUSHALL
      ZADD z 1 a 2 b 3 c 4 d 5 e
      ZRANGE z 0 -1
      ZRANGE z 1 2 REV WITHSCORES
      ZRANGE z -2 -1
      ZRANGE z 5 9
      ZRANGE z 3 1
      ZRANGE z a b
      ZRANGE z 1 3 BYSCORE LIMIT 1 1
      ZRANGE z (1 (4 BYSCORE
      ZRANGE z (4 (1 BYSCORE REV WITHSCORES
      ZRANGE z -inf +inf BYSCORE LIMIT -1 5
      ZRANGE z -inf +inf BYSCORE LIMIT 2 -5
      ZRANGE z "" 3 BYSCORE
      ZRANGE z " 1" 3 BYSCORE
      ZRANGE z (nan 3 BYSCORE
      ZRANGE z 1 3x BYSCORE
      ZRANGE z 0 -1 LIMIT 1 2
      ZRANGE z 0 -1 LIMIT 1 -1
      ZRANGE z - + BYLEX WITHSCORES
      ZRANGE z [b (d BYLEX
      ZRANGE z + [c BYLEX REV
      ZRANGE z b d BYLEX
      ZRANGE z 0 -1 BYLEX BYSCORE
      ZRANGE z 0 -1 REV REV
      ZRANGE z 0 -1 LIMIT 1
      ZRANGE z 0 -1 LIMIT a b
      ZREVRANGE z 0 1 WITHSCORES
      ZREVRANGE z 0 1 REV
      ZREVRANGEBYSCORE z 4 2 WITHSCORES LIMIT 1 5
      ZRANGEBYSCORE z 2 4 LIMIT 0 1 WITHSCORES
      ZRANGEBYLEX z [b + LIMIT 1 2
      ZREVRANGEBYLEX z + (b LIMIT 0 2
      ZRANGESTORE d z 1 3 BYSCORE
      ZRANGESTORE d z 1 3 WITHSCORES
      ZRANGESTORE d none 0 -1
      EXISTS d
      ZRANGESTORE z z 0 1 REV
      ZRANGE z 0 -1
      ZCOUNT z 4 (5
      ZCOUNT z x 1
      ZLEXCOUNT z [d +
      ZLEXCOUNT z d +
      ZRANK z d
      ZREVRANK z d
      ZRANK z nobody
      SET s v
      ZRANGE s 0 x
      ZRANGE s 0 1
      ZCOUNT s x 1
      ZRANK s a
      ZRANGESTORE s z 0 -1
      TYPE s
    `));

  test('removing and popping', () =>
    both.same(`
      FLUSHALL
      ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h 9 i
      ZREM z a nobody b
      ZREMRANGEBYRANK z -1 -1
      ZREMRANGEBYRANK z 9 12
      ZREMRANGEBYSCORE z (3 4
      ZREMRANGEBYLEX z [e [e
      ZPOPMIN z
      ZPOPMAX z 2
      ZPOPMIN z 0
      ZPOPMIN z -1
      ZPOPMIN z x
      ZPOPMIN z 1 2
      ZPOPMIN z 10
      ZPOPMIN z
      EXISTS z
      ZADD z 1 a 2 b 3 c
      ZMPOP 2 none z MIN
      ZMPOP 1 z MAX COUNT 5
      ZMPOP 1 z MAX
      ZMPOP 0 z MAX
      ZMPOP a z MAX
      ZMPOP 1 z FOO
      ZMPOP 9 z MAX
      ZMPOP 1 z MIN COUNT 0
      ZMPOP 1 z MIN COUNT 1 COUNT 1
      BZMPOP -1 1 z MIN
      BZMPOP x 0 z MIN
      BZPOPMIN z x
      BZPOPMIN z -0.1
      BZPOPMIN z inf
      SET s v
      ZMPOP 2 none s MIN
      BZPOPMAX s 0
      ZADD z 1 a 2 b
      BZPOPMIN none z s 0
      BZMPOP 0 2 none z MAX COUNT 3
      BZPOPMIN z 0.01
      BZMPOP 0.01 1 z MIN
    `));

  test('unions, intersections, differences', () =>
    both.same(`
      FLUSHALL
      ZADD a 1 x 2 y 3 z inf i
      ZADD b 10 y 20 z 30 w -inf i
      SADD c x y v
      ZUNION 2 a b WITHSCORES
      ZUNION 3 a b c WEIGHTS 2 3 0.5 AGGREGATE MAX WITHSCORES
      ZINTER 2 a b WITHSCORES
      ZINTER 2 a c WEIGHTS 0 1 AGGREGATE MIN WITHSCORES
      ZINTER 2 a a WITHSCORES
      ZDIFF 2 a c WITHSCORES
      ZDIFF 2 a a
      ZDIFF 2 a c WEIGHTS 1 1
      ZINTERCARD 2 a b
      ZINTERCARD 2 a b LIMIT 1
      ZINTERCARD 2 a b LIMIT -1
      ZINTERCARD 2 a b WITHSCORES
      ZUNIONSTORE d 2 a b
      ZRANGE d 0 -1 WITHSCORES
      OBJECT ENCODING d
      ZUNIONSTORE d 2 a b WITHSCORES
      ZUNIONSTORE d 2 a b WEIGHTS 1
      ZUNIONSTORE d 2 a b WEIGHTS 1 x
      ZUNIONSTORE d 2 a b WEIGHTS 0 0 AGGREGATE SUM
      ZRANGE d 0 -1 WITHSCORES
      ZUNIONSTORE d 2 a b AGGREGATE AVG
      ZUNIONSTORE d 0 a
      ZUNIONSTORE d x a
      ZUNIONSTORE d 3 a b
      ZINTERSTORE d 2 a none
      EXISTS d
      ZDIFFSTORE c 2 a b
      TYPE c
      SET s v
      ZUNION 2 a s WEIGHTS
      ZDIFFSTORE d 1 s
    `));

  test('ZRANDMEMBER where nothing is left to chance', () =>
    both.same(`
      FLUSHALL
      ZADD z 1 a 2 b 3 c
      ZRANDMEMBER z 5 WITHSCORES
      ZRANDMEMBER z 0
      ZRANDMEMBER none
      ZRANDMEMBER none 3
      ZRANDMEMBER z x
      ZRANDMEMBER z 1 x
      ZRANDMEMBER z 1 WITHSCORES x
      ZRANDMEMBER z -9223372036854775808
      ZRANDMEMBER z 4611686018427387904 WITHSCORES
    `));

  test('when a listpack becomes a skip list', () =>
    both.same([
      ['FLUSHALL'],
      ...Array.from({ length: 130 }, (_, i) => [
        ['ZADD', 'z', `${i}`, `m${i}`],
        ['OBJECT', 'ENCODING', 'z'],
      ]).flat(),
      ['ZADD', 'long', '1', 'x'.repeat(64)],
      ['OBJECT', 'ENCODING', 'long'],
      ['ZADD', 'long', '1', 'x'.repeat(65)],
      ['OBJECT', 'ENCODING', 'long'],
      ['ZREM', 'long', 'x'.repeat(65)],
      ['OBJECT', 'ENCODING', 'long'],
      ['ZUNIONSTORE', 'small', '1', 'long'],
      ['OBJECT', 'ENCODING', 'small'],
      ['ZRANGESTORE', 'some', 'z', '0', '9'],
      ['OBJECT', 'ENCODING', 'some'],
      ['CONFIG', 'SET', 'zset-max-ziplist-entries', '4'],
      ['ZRANGESTORE', 'some', 'z', '0', '9'],
      ['OBJECT', 'ENCODING', 'some'],
      ['CONFIG', 'SET', 'zset-max-listpack-entries', '128'],
    ]));

  for (const seed of [1, 2])
    test(`random commands, seed ${seed}`, async () => {
      const random = generator(seed);
      await both.same([['FLUSHALL']]);
      for (let round = 0; round < 10; round++)
        await both.same([
          ...Array.from({ length: 300 }, random),
          ...['a', 'b', 'c'].flatMap((key) => [
            ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
            ['OBJECT', 'ENCODING', key],
          ]),
        ]);
    });
});

function generator(seed: number): () => string[] {
  let state = seed;
  const roll = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const of = <T>(choices: readonly T[]): T => choices[roll(choices.length)];
  const key = () => of(['a', 'b', 'c']);
  const score = () => (roll(5) ? `${roll(60) - 30}` : of(['1.5', 'inf', '-inf', '1e17', '-0', '0.1', '7.25']));
  const bound = () => of(['', '(']) + score();
  const member = () => of([`m${roll(250)}`, `${roll(250)}`, 'x'.repeat(roll(68))]);
  const some = (f: () => string, most: number) => Array.from({ length: 1 + roll(most) }, f);
  const rank = () => `${roll(300) - 150}`;
  let count = 0;
  const sources = () => {
    const keys = some(() => of(['a', 'b', 'c', 'a', 's', 't', 'none']), 3);
    count = keys.length;
    return [`${count}`, ...keys];
  };
  const weighing = () => [
    ...(roll(2)
      ? []
      : ['WEIGHTS', ...Array.from({ length: count }, () => of(['0', '-0', '-1', '2.5', 'inf', '-inf']))]),
    ...of([[], ['AGGREGATE', of(['SUM', 'MIN', 'MAX'])]]),
  ];
  const limit = () => (roll(2) ? [] : ['LIMIT', `${roll(20) - 2}`, `${roll(20) - 5}`]);
  const steps: (() => string[])[] = [
    () => ['ZADD', key(), ...some(() => '', 12).flatMap(() => [score(), member()])],
    () => ['ZADD', key(), of(['NX', 'XX', 'GT', 'LT', 'CH']), score(), member()],
    () => ['ZINCRBY', key(), score(), member()],
    () => ['ZREM', key(), ...some(member, 5)],
    () => ['ZRANGE', key(), rank(), rank(), ...of([[], ['REV'], ['WITHSCORES']])],
    () => ['ZRANGE', key(), bound(), bound(), 'BYSCORE', ...limit(), ...of([[], ['REV']])],
    () => [of(['ZRANK', 'ZREVRANK', 'ZSCORE']), key(), member()],
    () => ['ZCOUNT', key(), bound(), bound()],
    () => [of(['ZPOPMIN', 'ZPOPMAX']), key(), `${roll(5)}`],
    () => ['ZREMRANGEBYSCORE', key(), score(), score()],
    () => [of(['SADD', 'SADD', 'SREM']), of(['s', 't']), ...some(member, 20)],
    () => [of(['ZUNIONSTORE', 'ZINTERSTORE']), key(), ...sources(), ...weighing()],
    () => [of(['ZUNION', 'ZINTER']), ...sources(), ...weighing(), 'WITHSCORES'],
    () => [...of([['ZDIFF'], ['ZDIFFSTORE', key()], ['ZINTERCARD']]), ...sources()],
    () => ['ZINTERCARD', ...sources(), 'LIMIT', `${roll(9)}`],
    () => ['ZRANGESTORE', key(), key(), rank(), rank()],
  ];
  const weights = [8, 3, 3, 3, 2, 2, 3, 2, 2, 1, 3, 2, 2, 2, 1, 1];
  const bag = weights.flatMap((weight, i) => Array.from({ length: weight }, () => steps[i]));
  return () => of(bag)();
}

test('what is propagated', async () => {
  await both.ours.send([['FLUSHALL'], ['ZADD', 'z', '1', 'a', '2', 'b', '3', 'c', '4', 'd']]);
  expect(
    await both.propagated(`
      ZADD z 1 a
      BZPOPMIN none z 0
      ZMPOP 2 none z MAX COUNT 2
      BZMPOP 0 1 z MIN COUNT 9
      ZREM z nobody
    `),
  ).toEqual(['ZPOPMIN z', 'ZPOPMAX z 2', 'ZPOPMIN z 1']);
});

/** Further connections, one to each server, for as long as `use` runs. */
async function connected(use: (ours: Pipeline, theirs: Pipeline) => Promise<void>): Promise<void> {
  const ours = new Pipeline(both.server.port);
  const theirs = new Pipeline(both.theirsPort);
  try {
    await use(ours, theirs);
  } finally {
    ours.close();
    theirs.close();
  }
}

async function waits(pipeline: Pipeline, others: Pipeline, commands: Commands): Promise<string> {
  const waiting = pipeline.send([['BZPOPMIN', 'k1', 'k2', '5']]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await others.send(commands);
  return JSON.stringify(await waiting);
}

test('waiting for members', () =>
  connected(async (ours, theirs) => {
    for (const commands of [
      [['ZADD', 'k2', '1', 'a', '2', 'b']],
      [['MULTI'], ['ZADD', 'k1', '1', 'x'], ['DEL', 'k1'], ['ZADD', 'k1', '3', 'y'], ['EXEC']],
      [
        ['SET', 'k1', 'v'],
        ['ZADD', 'k2', '0.5', 'z'],
        ['DEL', 'k1'],
      ],
      [
        ['SADD', 'plain', 'm'],
        ['ZUNIONSTORE', 'k2', '1', 'plain'],
      ],
      [
        ['ZADD', 'other', '1', 'm'],
        ['RENAME', 'other', 'k1'],
      ],
    ]) {
      await both.same('FLUSHALL');
      expect(await waits(ours, both.ours, commands)).toBe(await waits(theirs, both.theirs, commands));
      await both.same('EXISTS k1 k2');
    }
  }));

test('keyspace events', () =>
  connected(async (ours, theirs) => {
    await both.same('CONFIG SET notify-keyspace-events EA');
    for (const pipeline of [ours, theirs]) await pipeline.call('PSUBSCRIBE', '__keyevent@0__:*');
    await both.same(`
    FLUSHALL
    ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
    ZADD z 1 a
    ZADD z XX 2 a
    ZINCRBY z 1 a
    ZADD z INCR 1 b
    ZREM z nobody
    ZREM z a
    ZREMRANGEBYRANK z 0 0
    ZREMRANGEBYSCORE z 4 4
    ZREMRANGEBYLEX z [e [e
    ZPOPMIN z
    ZPOPMAX z
    ZADD z 1 a 2 b
    ZADD y 5 a
    ZRANGESTORE d z 0 -1
    ZRANGESTORE d z 5 9
    ZUNIONSTORE d 2 z y
    ZINTERSTORE d 2 z y
    ZDIFFSTORE d 2 z y
    ZDIFFSTORE d 2 z z
    ZDIFFSTORE d 2 z z
    ZMPOP 1 z MAX COUNT 2
    RPUSH l 3 1 2
    SORT l STORE s
    SORT none STORE s
    SORT none STORE s
    CONFIG SET notify-keyspace-events ""
  `);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(ours.unasked()).toEqual(theirs.unasked());
  }));
