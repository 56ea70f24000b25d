import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { type Slice, sliceOf } from '../../../src/base/slice.ts';
import { CROSS_SLOT, findKeys, NO_SLOT, slotOfKeys } from '../../../src/engine/keys.ts';
import type { CommandTable, Registered } from '../../../src/engine/table.ts';
import { createServer } from '../../../src/index.ts';
import { slotOf } from '../../../src/keyspace/slot.ts';

/** As redis-server 7.0.15 answers CLUSTER KEYSLOT. */
const KNOWN: readonly (readonly [key: string, slot: number])[] = [
  ['foo', 12182],
  ['bar', 5061],
  ['123456789', 12739],
  ['user1000', 3443],
  ['{user1000}.following', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['{', 4092],
  ['}', 12090],
  ['{}', 15257],
  ['{a', 10276],
  ['a}b{', 6027],
  ['x}{y}', 12222],
  ['', 0],
];

test.each(KNOWN)('the slot of %j is %i', (key, slot) => {
  expect(slotOf(sliceOf(key))).toBe(slot);
});

test('keys of one hash tag share their slot, in whatever buffer they lie', () => {
  const alone = slotOf(sliceOf('user:{42}:name'));
  const within = sliceOf('xx{42}xx');
  expect(slotOf(within.set(within.buffer, 2, 4))).toBe(alone);
});

describe('the slot of a command', () => {
  const { table } = createServer({ settings: { save: '' } }).engine;
  const slot = (text: string): number => {
    const args = text.split(' ').map(sliceOf);
    const registered = table.named(args, args.length);
    if (registered === undefined) throw new Error(`no command ${text}`);
    return slotOfKeys(registered, args, args.length);
  };

  test('of one key, of several, of none', () => {
    expect(slot('GET foo')).toBe(12182);
    expect(slot('MSET {t}a 1 {t}b 2')).toBe(slotOf(sliceOf('t')));
    expect(slot('MSET foo 1 bar 2')).toBe(CROSS_SLOT);
    expect(slot('RENAME {t}a {t}b')).toBe(slotOf(sliceOf('t')));
    expect(slot('BLPOP foo foo 0')).toBe(12182);
    expect(slot('OBJECT ENCODING foo')).toBe(12182);
    expect(slot('SPUBLISH foo message')).toBe(12182);
    expect(slot('PING')).toBe(NO_SLOT);
    expect(slot('GET')).toBe(NO_SLOT);
    expect(slot('EVAL return 2 foo bar')).toBe(CROSS_SLOT);
    expect(slot('EVAL return 0 foo')).toBe(NO_SLOT);
    expect(slot('EVAL return 9 foo')).toBe(NO_SLOT);
    expect(slot('XREAD COUNT 1 STREAMS {t}a {t}b 0 0')).toBe(slotOf(sliceOf('t')));
    expect(slot('SORT {t}a STORE {t}b')).toBe(slotOf(sliceOf('t')));
  });

  function* all(commands: CommandTable): Generator<Registered> {
    for (const registered of commands.all()) {
      yield registered;
      if (registered.subcommands !== null) yield* all(registered.subcommands);
    }
  }

  /** By way of all positions, as COMMAND GETKEYS finds them; undefined where that refuses the arguments. */
  function expected(registered: Registered, args: readonly Slice[]): number | undefined {
    const found = findKeys(registered, args, args.length);
    if (found === undefined) return undefined;
    const slots = new Set(found.filter(({ at }) => at < args.length).map(({ at }) => slotOf(args[at])));
    if (slots.size > 1) return CROSS_SLOT;
    return slots.size === 0 ? NO_SLOT : ([...slots][0] as number);
  }

  test('is that of the keys that COMMAND GETKEYS finds, for every command and random arguments, seed 5', () => {
    const random = new SeededRandom(5);
    const words = ['{t}a', '{t}b', '{t}', 'foo', '1', '2', 'STREAMS', 'STORE', '0', ''];
    for (const registered of all(table)) {
      // Channels of shards are no keys for COMMAND GETKEYS.
      if (registered.keySpecs.some((spec) => spec.access.includes('NOT_KEY'))) continue;
      const name = registered.name.split('|').map(sliceOf);
      for (let round = 0; round < 100; round++) {
        const rest = Array.from({ length: random.below(7) }, () => sliceOf(words[random.below(words.length)]));
        const args = [...name, ...rest];
        const { arity } = registered;
        if (arity > 0 ? args.length !== arity : args.length < -arity) continue;
        const right = expected(registered, args);
        if (right === undefined) continue;
        const shown = args.map((arg) => arg.latin1()).join(' ');
        expect([shown, slotOfKeys(registered, args, args.length)]).toEqual([shown, right]);
      }
    }
  });
});
