import { expect, test } from 'vitest';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { LookAhead } from '../../../src/engine/look-ahead.ts';
import type { Session } from '../../../src/engine/session.ts';
import { slotOf } from '../../../src/keyspace/slot.ts';
import { hashBytes } from '../../../src/structures/hash.ts';

const seed = new Uint32Array([1, 2, 3, 4]);

/** What a look at `text` has fetched: the hashes of keys; and its answer. */
function look(text: string, size = 1_000_000, from = 0): { hashes: number[]; answer: number } {
  const hashes: number[] = [];
  const bytes = new Uint8Array(Buffer.from(text, 'latin1'));
  const db = {
    size,
    memory: { seed },
    warm(all: Int32Array, count: number): void {
      hashes.push(...all.subarray(0, count));
    },
  };
  const answer = new LookAhead().fetch({ db } as unknown as Session, bytes, from, bytes.length);
  return { hashes, answer };
}

const hashesOf = (...keys: string[]): number[] => keys.map((key) => hashBytes(seed, sliceOf(key)));
const get = (key: string): string => `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
const set = (key: string): string => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\nx\r\n`;

test('the argument behind the name is fetched, of each complete command', () => {
  expect(look(get('a') + set('bc') + get('')).hashes).toEqual(hashesOf('a', 'bc', ''));
  const cut = get('a') + set('bc');
  for (let end = get('a').length; end < cut.length; end++)
    expect(look(cut.slice(0, end)).hashes, `cut at ${end}`).toEqual(hashesOf('a'));
});

test('what is no array of bulk strings ends the look', () => {
  for (const odd of [
    'PING\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n:3\r\n',
    '*2\r\n$-1\r\n',
    '*99999999999\r\n',
  ])
    expect(look(get('a') + odd + get('b')).hashes, odd).toEqual(hashesOf('a'));
});

test('a small database is not looked at, and one key only once', () => {
  expect(look(get('a') + get('b'), 100)).toEqual({ hashes: [], answer: 512 });
  expect(look(get('a') + get('b') + get('a')).hashes).toEqual([]);
});

test('sixteen commands at a time; a key that is long is left out', () => {
  const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
  expect(look(keys.map(get).join(''))).toEqual({ hashes: hashesOf(...keys.slice(0, 16)), answer: 16 });
  expect(look(get('x'.repeat(300)) + get('b') + get('c')).hashes).toEqual(hashesOf('b', 'c'));
});

test('the slots of keys that were looked at are known until other bytes may lie there', () => {
  const words = ['a', 'bc', 'd{e}', 'f', 'g'];
  const bytes = new Uint8Array(Buffer.from(words.map(get).join(''), 'latin1'));
  const db = { size: 1_000_000, bySlot: true, memory: { seed }, warm: () => {} };
  const ahead = new LookAhead();
  ahead.fetch({ db } as unknown as Session, bytes, 0, bytes.length);
  const keyOf = (word: string): Slice =>
    new Slice(bytes, Buffer.from(bytes).indexOf(`\r\n${word}\r\n`) + 2, word.length);
  const slots = new Map(words.map((word) => [word, slotOf(sliceOf(word))]));
  // Worked out anew they would be of other keys now: so it shows which are known.
  const before = bytes.slice();
  const keys = words.map(keyOf);
  for (const key of keys) bytes[key.start] = 120;
  const other = new Slice(before, keys[0].start, 1);
  expect(ahead.slotOf(other)).toBe(slots.get('a'));
  expect(ahead.slotOf(keys[0])).toBe(slots.get('a'));
  // One that is asked for after those behind it has been passed over, and what is no key was not looked at.
  expect(ahead.slotOf(keys[2])).toBe(slots.get('d{e}'));
  expect(ahead.slotOf(keys[1])).toBe(slotOf(keys[1]));
  expect(ahead.slotOf(new Slice(bytes, keys[3].start - 4, 1))).toBe(slotOf(sliceOf('$')));
  expect(ahead.slotOf(keys[3])).toBe(slots.get('f'));
  ahead.forget();
  expect(ahead.slotOf(keys[4])).toBe(slotOf(keys[4]));
});
