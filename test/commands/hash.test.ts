import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

function sortedPairs(answer: Answer[]): Answer[] {
  const pairs: string[] = [];
  for (let i = 0; i < answer.length; i += 2) pairs.push(JSON.stringify([answer[i], answer[i + 1]]));
  return pairs.sort();
}

/** Where Redis gives fields in the order of its hash table, only what they are is compared. */
function normal(command: readonly string[], answer: Answer): Answer {
  const name = command[0].toUpperCase();
  if (!Array.isArray(answer)) return answer;
  if (name === 'HGETALL') return sortedPairs(answer);
  if (name === 'HKEYS' || name === 'HVALS') return [...answer].sort();
  if (name === 'HRANDFIELD') return answer.length;
  if (name === 'HSCAN' && Array.isArray(answer[1])) return [answer[0], sortedPairs(answer[1])];
  return answer;
}

const same = (text: string): Promise<void> => both.same(text, normal);

const LONG = 'v'.repeat(65);

describe('beside the real server', () => {
  test('writing and reading', () =>
    same(`
      FLUSHALL
      HSET h a 1 b 2
      HSET h a 3 c 4
      HSET h a
      HSET h a 1 b
      HMSET h a 1 b
      HMSET h x y z 7
      HGET h a
      HGET h nofield
      HGET nokey a
      HMGET h a nofield c
      HMGET nokey a b
      HGETALL h
      HGETALL nokey
      HKEYS h
      HKEYS nokey
      HVALS h
      HLEN h
      HLEN nokey
      HEXISTS h a
      HEXISTS h nofield
      HEXISTS nokey a
      HSTRLEN h x
      HSTRLEN h a
      HSTRLEN h nofield
      HSTRLEN nokey a
      HSETNX h a 9
      HSETNX h new 9
      HSETNX fresh f v
      HDEL h a nofield
      HDEL h b c x z new
      EXISTS h
      HDEL h a
      HSET h "" ""
      HGET h ""
      HSTRLEN h ""
    `));

  test('encodings', () =>
    same(`
      FLUSHALL
      HSET h f v
      OBJECT ENCODING h
      HSETNX h f ${LONG}
      OBJECT ENCODING h
      HSET h g ${LONG}
      OBJECT ENCODING h
      HSET i ${LONG} v
      OBJECT ENCODING i
      HINCRBY j ${LONG} 1
      OBJECT ENCODING j
      HSET k f 12
      HSET k f -9223372036854775808 g 9223372036854775807 h 9007199254740993
      HGETALL k
      OBJECT ENCODING k
    `));

  test('wrong types', () =>
    same(`
      FLUSHALL
      SET str x
      HSET str a 1
      HSET str a
      HSETNX str a 1
      HGET str a
      HMGET str a
      HINCRBY str a abc
      HINCRBY str a 1
      HINCRBYFLOAT str a abc
      HINCRBYFLOAT str a 1
      HDEL str a
      HLEN str
      HSTRLEN str a
      HEXISTS str a
      HKEYS str
      HGETALL str
      HRANDFIELD str
      HRANDFIELD str abc
      HSCAN str 0
      HSCAN str x
    `));

  test('HINCRBY', () =>
    same(`
      FLUSHALL
      HINCRBY h f 5
      HINCRBY h f -7
      HINCRBY h f abc
      HINCRBY h f 1.5
      HINCRBY h big 9223372036854775807
      HINCRBY h big 1
      HINCRBY h big -9223372036854775808
      HINCRBY h big -9223372036854775808
      HINCRBY h big -9223372036854775807
      HGET h big
      HSET h safe 9007199254740991
      HINCRBY h safe 2
      HINCRBY h safe -2
      HSET h bad " 1"
      HINCRBY h bad 1
      HSET h bad abc
      HINCRBY h bad 1
    `));

  test('HINCRBYFLOAT', () =>
    same(`
      FLUSHALL
      HINCRBYFLOAT h f 1.5
      HINCRBYFLOAT h f 0.1
      HINCRBYFLOAT h f -1.6
      HINCRBYFLOAT h f 1e20
      HINCRBYFLOAT h f abc
      HINCRBYFLOAT h f nan
      HINCRBYFLOAT h f inf
      HINCRBYFLOAT h f -inf
      HSET h inf inf
      HINCRBYFLOAT h inf 1
      HSET h bad "1 "
      HINCRBYFLOAT h bad 1
      HSET h int 17179869184
      HINCRBYFLOAT h int 1.5
      HGETALL h
    `));

  test('HRANDFIELD', () =>
    same(`
      FLUSHALL
      HSET h a 1 b 2 c 3
      HRANDFIELD h 2
      HRANDFIELD h 5
      HRANDFIELD h -5
      HRANDFIELD h 0
      HRANDFIELD h 2 WITHVALUES
      HRANDFIELD h -2 WITHVALUES
      HRANDFIELD h 2 foo
      HRANDFIELD h 2 WITHVALUES foo
      HRANDFIELD h abc
      HRANDFIELD h -9223372036854775808
      HRANDFIELD h -9223372036854775807 WITHVALUES
      HRANDFIELD h 9223372036854775807 WITHVALUES
      HRANDFIELD nokey
      HRANDFIELD nokey 2
      HRANDFIELD nokey 2 WITHVALUES
    `));

  test('HSCAN', () =>
    same(`
      FLUSHALL
      HSET h a 1 b 2 ab 3
      HSCAN h 0
      HSCAN h 0 MATCH a*
      HSCAN h 0 COUNT 1
      HSCAN h 0 COUNT 0
      HSCAN h 0 COUNT x
      HSCAN h 0 NOVALUES
      HSCAN h x
      HSCAN nokey 0
      HSET h long ${LONG}
      HSCAN h 0 COUNT 1000 MATCH *b*
    `));

  test('random commands', async () => {
    const random = new SeededRandom(21);
    const pick = (words: readonly string[]): string => words[random.below(words.length)];
    const key = (): string => pick(['a', 'b', 'c', 'd', 'str']);
    const field = (): string => pick([String(random.below(12)), `f${random.below(9)}`, '', 'z'.repeat(70)]);
    const value = (): string =>
      pick([String(random.below(2000) - 1000), 'v'.repeat(random.below(70)), 'w'.repeat(random.below(400)), '1.25']);
    const pairs = (count: number): string[] =>
      Array.from({ length: 1 + random.below(count) }, () => [field(), value()]).flat();
    const kinds: (() => string[])[] = [
      () => ['HSET', key(), ...pairs(4)],
      () => ['HSETNX', key(), field(), value()],
      () => ['HDEL', key(), field(), field(), field()],
      () => ['HGET', key(), field()],
      () => ['HMGET', key(), field(), field()],
      () => ['HINCRBY', key(), field(), String(random.below(100))],
      () => ['HINCRBYFLOAT', key(), field(), pick(['0.5', '3', '-1e3'])],
      () => ['HGETALL', key()],
      () => ['HLEN', key()],
      () => ['HSTRLEN', key(), field()],
      () => ['OBJECT', 'ENCODING', key()],
      () => ['HRANDFIELD', key(), String(random.below(9) - 4)],
      () => ['DEL', pick(['a', 'b', 'c', 'd'])],
    ];
    const commands: string[][] = [['FLUSHALL'], ['SET', 'str', 'x']];
    for (let i = 0; i < 10_000; i++)
      commands.push(kinds[random.below(i % 20 === 0 ? kinds.length : kinds.length - 1)]());
    await both.same(commands, normal);
  });
});

test('a hash moves between its encodings with all that it holds', async () => {
  await both.ours.call('FLUSHALL');
  for (let i = 0; i < 600; i++) await both.ours.call('HSET', 'h', `field:${i}`, `value:${i}`);
  expect(await both.ours.call('OBJECT', 'ENCODING', 'h')).toBe('hashtable');
  expect(await both.ours.call('HLEN', 'h')).toBe(600);
  expect(await both.ours.call('HGET', 'h', 'field:7')).toBe('value:7');
  const seen: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = (await both.ours.call('HSCAN', 'h', cursor, 'COUNT', '7')) as [string, string[]];
    for (let i = 0; i < page.length; i += 2) {
      seen.push(page[i]);
      expect(page[i + 1]).toBe(page[i].replace('field', 'value'));
    }
    cursor = next;
  } while (cursor !== '0');
  expect(new Set(seen).size).toBe(600);
});

describe('propagation', () => {
  test.each<[string, string[]]>([
    ['HSET h f 1 g 2', ['HSET h f 1 g 2']],
    ['HSETNX h f 1', []],
    ['HINCRBY h f 4', ['HINCRBY h f 4']],
    ['HINCRBYFLOAT h f 0.5', ['HSET h f 5.5']],
    ['HINCRBYFLOAT h f abc', []],
    ['HDEL h nofield', []],
    ['HDEL h f g', ['HDEL h f g']],
  ])('%s', async (command, effects) => {
    if (command.startsWith('HSET ')) await both.ours.call('FLUSHALL');
    expect(await both.propagated(command)).toEqual(effects);
  });
});
