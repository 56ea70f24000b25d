import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { ByteMap, type Named } from '../../../src/structures/byte-map.ts';
import { hashBytes } from '../../../src/structures/hash.ts';

const SEED = Uint32Array.of(1, 2, 3, 4);

interface Item extends Named {
  readonly value: number;
}

/** Plays additions, removals and searches beside a Map of strings; `hashOf` may let names collide. */
function play(seed: number, hashOf: (name: Slice) => number): ByteMap<Item> {
  const random = new SeededRandom(seed);
  const map = new ByteMap<Item>();
  const model = new Map<string, Item>();
  for (let step = 0; step < 3000; step++) {
    const text = `${'\xff\0'.repeat(random.below(2) * 200)}${random.below(300)}`;
    const name = sliceOf(`<${text}>`).set(sliceOf(`<${text}>`).buffer, 1, text.length);
    const hash = hashOf(name);
    const there = model.get(text);
    expect(map.find(name, hash), `seed ${seed}, step ${step}`).toBe(there);
    if (there === undefined) {
      const item = { name: new Slice(name.copy()), hash, value: step };
      map.add(item);
      model.set(text, item);
    } else if (random.below(2) === 0) {
      expect(map.remove(there)).toBe(true);
      expect(map.remove(there)).toBe(false);
      model.delete(text);
    }
    expect(map.size).toBe(model.size);
  }
  expect(new Set(map)).toEqual(new Set(model.values()));
  return map;
}

test('a map of bytes finds what a Map of strings finds', () => {
  const map = play(Date.now(), (name) => hashBytes(SEED, name));
  map.verify(SEED);
  map.clear();
  expect([...map]).toEqual([]);
  expect(map.size).toBe(0);
});

test('names of one hash are told apart by their bytes', () => {
  play(Date.now(), (name) => name.at(0) & 3);
});

test('an item that lies under another hash than its name has is noticed', () => {
  const map = new ByteMap<Named>();
  map.add({ name: sliceOf('a'), hash: hashBytes(SEED, sliceOf('b')) });
  expect(() => map.verify(SEED)).toThrow();
});
