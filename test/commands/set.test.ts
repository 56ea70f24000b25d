import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside, lines } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

/** Where Redis gives members in the order of its hash table, only what they are is compared. */
const UNORDERED = new Set(['SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'SPOP']);

function normal(command: readonly string[], answer: Answer): Answer {
  const name = command[0].toUpperCase();
  if (!Array.isArray(answer)) return answer;
  if (UNORDERED.has(name)) return [...answer].sort();
  if (name === 'SRANDMEMBER') return answer.length;
  if (name === 'SSCAN' && Array.isArray(answer[1])) return [answer[0], [...answer[1]].sort()];
  return answer;
}

const same = (text: string): Promise<void> => both.same(text, normal);

describe('beside the real server', () => {
  test('adding, removing, looking up', () =>
    same(`
      FLUSHALL
      SADD s a b c a
      SADD s a
      SCARD s
      SISMEMBER s a
      SISMEMBER s z
      SMISMEMBER s a z c
      SMISMEMBER nokey a b
      SMEMBERS s
      SREM s a z
      SREM s b c d
      EXISTS s
      SREM nokey a
      SCARD nokey
      SISMEMBER nokey a
      SMEMBERS nokey
      SADD s
      SMISMEMBER s
      SADD ints 3 1 2 -5 9223372036854775807 -9223372036854775808 9007199254740993
      SMEMBERS ints
      OBJECT ENCODING ints
      SADD ints 01
      OBJECT ENCODING ints
      SISMEMBER ints 9007199254740993
      SISMEMBER ints 9007199254740992
    `));

  test('many sets at once, some of them again and again', () => {
    const many = ['a', 'b', 'ints', 'nokey', 'c'];
    const all = Array.from({ length: 200 }, (_, i) => many[i % many.length]).join(' ');
    const there = Array.from({ length: 200 }, (_, i) => ['a', 'b', 'c'][i % 3]).join(' ');
    return same(`
      FLUSHALL
      SADD a 1 2 x y z
      SADD b 2 x y 3 long-enough-for-a-block
      SADD c x y 2
      SADD ints 1 2 3
      SUNION ${all}
      SUNIONSTORE d ${all}
      SCARD d
      SINTER ${all}
      SINTER ${there}
      SINTER ${there} ints
      SINTERCARD 200 ${there}
      SINTERCARD 200 ${there} LIMIT 1
      SINTERSTORE d ${there}
      SMEMBERS d
      SDIFF b ints ints nokey c ints
      SDIFF b ${all}
      SDIFFSTORE d b ints nokey ints ints
      SCARD d
      SDIFF nokey ${all}
    `);
  });

  test('wrong types', () =>
    same(`
      FLUSHALL
      SET str x
      SADD str a
      SREM str a
      SCARD str
      SISMEMBER str a
      SMISMEMBER str a
      SMEMBERS str
      SPOP str
      SPOP str abc
      SRANDMEMBER str
      SRANDMEMBER str abc
      SINTER nokey str
      SUNION nokey str
      SDIFF nokey str
      SINTERSTORE d nokey str
      SINTERCARD 2 nokey str
      SSCAN str 0
      SSCAN str abc
      SMOVE str nokey a
      SMOVE nokey str a
    `));

  test('SMOVE', () =>
    same(`
      FLUSHALL
      SADD a 1 2 x
      SMOVE a b 9
      EXISTS b
      SMOVE a b 1
      OBJECT ENCODING b
      SMOVE a b x
      OBJECT ENCODING b
      SMEMBERS b
      SMOVE a a 2
      SMOVE a a 7
      SMOVE a b 2
      EXISTS a
      SADD a 2
      SMOVE a b 2
      SMEMBERS b
    `));

  test('combining', () =>
    same(`
      FLUSHALL
      SADD a 1 2 3 4 x
      SADD b 3 4 5 x
      SADD c 4 x y
      SINTER a b c
      SINTER a a
      SINTER a nokey
      SUNION a b c nokey
      SDIFF a b c
      SDIFF a a
      SDIFF nokey a
      SDIFF a nokey b
      SINTERSTORE d a b
      OBJECT ENCODING d
      SMEMBERS d
      SINTERSTORE d a nokey
      EXISTS d
      SUNIONSTORE d a b
      SDIFFSTORE d d b
      SMEMBERS d
      OBJECT ENCODING d
      EXPIRE d 100
      SUNIONSTORE d c
      TTL d
      SET d str
      SUNIONSTORE d a nokey
      TYPE d
      SDIFFSTORE d nokey
      TYPE d
      SINTERCARD 2 a b
      SINTERCARD 2 a b LIMIT 1
      SINTERCARD 2 a b LIMIT 0
      SINTERCARD 1 a limit 2 limit 3
      SINTERCARD 0 a
      SINTERCARD x a
      SINTERCARD 3 a b
      SINTERCARD 1 a LIMIT
      SINTERCARD 1 a LIMIT -1
      SINTERCARD 1 a LIMIT x
      SINTERCARD 1 a FOO 1
      SINTERCARD 1 nokey LIMIT 1
    `));

  test('counts of SPOP and SRANDMEMBER', () =>
    same(`
      FLUSHALL
      SADD s a b c
      SRANDMEMBER s 2
      SRANDMEMBER s 5
      SRANDMEMBER s -5
      SRANDMEMBER s 0
      SRANDMEMBER s abc
      SRANDMEMBER s 1 2
      SRANDMEMBER s -9223372036854775808
      SRANDMEMBER nokey
      SRANDMEMBER nokey 2
      SPOP s 0
      SPOP s -1
      SPOP s abc
      SPOP s 1 2
      SPOP nokey
      SPOP nokey 2
      SPOP s 3
      EXISTS s
    `));

  test('SSCAN', () =>
    same(`
      FLUSHALL
      SADD s 1 2 12
      SSCAN s 0
      SSCAN s 0 MATCH 1*
      SSCAN s 0 COUNT 1
      SSCAN s 0 COUNT 0
      SSCAN s 0 COUNT x
      SSCAN s 0 COUNT
      SSCAN s 0 TYPE set
      SSCAN s abc
      SSCAN s ""
      SSCAN s +1
      SSCAN s 18446744073709551615
      SSCAN s 18446744073709551616
      SSCAN s 1x
      SSCAN nokey 0
      SSCAN nokey 0 COUNT 0
      SSCAN nokey x
      SADD s x
      SSCAN s 0 MATCH [x-z] COUNT 100
    `));

  test('random commands', async () => {
    const random = new SeededRandom(20);
    const pick = (words: readonly string[]): string => words[random.below(words.length)];
    const key = (): string => pick(['a', 'b', 'c', 'd', 'str']);
    const member = (): string =>
      pick([
        String(random.below(20)),
        String(random.below(20)),
        `m${random.below(9)}`,
        '',
        '-0',
        '40000',
        '-2147483649',
      ]);
    const members = (count: number): string[] => Array.from({ length: 1 + random.below(count) }, member);
    const kinds: (() => string[])[] = [
      () => ['SADD', key(), ...members(8)],
      () => ['SREM', key(), ...members(8)],
      () => ['SMOVE', key(), key(), member()],
      () => ['SISMEMBER', key(), member()],
      () => ['SCARD', key()],
      () => ['SMEMBERS', key()],
      () => ['OBJECT', 'ENCODING', key()],
      () => [pick(['SINTER', 'SUNION', 'SDIFF']), key(), key(), key()],
      () => [pick(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']), key(), key(), key()],
      () => ['SRANDMEMBER', key(), String(random.below(9) - 4)],
      () => ['SPOP', key(), '1000'],
    ];
    const commands: string[][] = [['FLUSHALL'], ['SET', 'str', 'x']];
    for (let i = 0; i < 10_000; i++)
      commands.push(kinds[random.below(i % 40 === 0 ? kinds.length : kinds.length - 1)]());
    await both.same(commands, normal);
  });
});

describe('random members', () => {
  test.each([
    ['intset', ''],
    ['hashtable', 'm'],
  ])('SPOP takes distinct members of a %s until none is left', async (_, prefix) => {
    await both.ours.call('FLUSHALL');
    const all = Array.from({ length: 200 }, (_, i) => `${prefix}${i}`);
    await both.ours.call('SADD', 's', ...all);
    const taken: Answer[] = [];
    for (const count of ['1', '3', '50', '140', '1'])
      taken.push(...((await both.ours.call('SPOP', 's', count)) as Answer[]));
    for (let i = 0; i < 5; i++) taken.push(await both.ours.call('SPOP', 's'));
    expect(taken.sort()).toEqual(all.sort());
    expect(await both.ours.call('EXISTS', 's')).toBe(0);
  });

  test('a few members of a large set', async () => {
    const members = Array.from({ length: 50_000 }, (_, i) => `m${i}`);
    await both.ours.call('SADD', 'big', ...members);
    const seen = new Set((await both.ours.call('SRANDMEMBER', 'big', '100')) as string[]);
    expect(seen.size).toBe(100);
  });
});

describe('propagation', () => {
  test.each<[string, string[]]>([
    ['SADD s 1 2 3 x', ['SADD s 1 2 3 x']],
    ['SADD s 1', []],
    ['SMOVE s t 1', ['SMOVE s t 1']],
    ['SPOP t', ['SREM t 1']],
    ['SREM s nothing', []],
    ['SPOP s 2', ['SREM s']],
    ['SPOP s 9', ['DEL s']],
    ['SPOP s', []],
    ['SINTERSTORE d nokey', []],
  ])('%s', async (command, effects) => {
    const seen = await both.propagated(command);
    expect(seen.map((effect) => (effect.startsWith('SREM s ') ? 'SREM s' : effect))).toEqual(effects);
  });

  test('a large SPOP goes in batches', async () => {
    await both.ours.send(lines(`DEL s`));
    await both.ours.call('SADD', 's', ...Array.from({ length: 3000 }, (_, i) => `m${i}`));
    const sizes = (await both.propagated('SPOP s 2500')).map((effect) => effect.split(' ').length - 2);
    expect(sizes).toEqual([1024, 1024, 452]);
  });
});
