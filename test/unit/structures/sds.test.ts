import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { createMemory } from '../../../src/memory/create.ts';
import {
  sdsAppend,
  sdsByte,
  sdsBytes,
  sdsCapacity,
  sdsFree,
  sdsGrow,
  sdsLength,
  sdsNew,
  sdsOverwrite,
  sdsReserve,
  sdsSetByte,
  sdsTruncate,
  sdsVerify,
  sdsWritable,
  sdsWrite,
  sdsZeroes,
} from '../../../src/structures/sds.ts';
import { STEPS } from '../../support/long.ts';

const out = new Slice();

function randomText(random: SeededRandom): string {
  const length = random.below(10) === 0 ? random.below(5000) : random.below(60);
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(random.below(256));
  return text;
}

describe('sds', () => {
  test('grows as it is appended to, twice as much as needed below 1 MiB, 1 MiB more beyond', () => {
    const m = createMemory();
    let s = sdsNew(m, sliceOf('hello'));
    expect(sdsCapacity(m, s)).toBe(12);
    s = sdsAppend(m, s, sliceOf(' wonderful world'));
    expect(sdsLength(m, s)).toBe(21);
    expect(sdsCapacity(m, s)).toBeGreaterThanOrEqual(42);
    expect(sdsBytes(m, s, out).latin1()).toBe('hello wonderful world');
    s = sdsReserve(m, s, 3 * 1024 * 1024);
    expect(sdsCapacity(m, s)).toBeGreaterThanOrEqual(4 * 1024 * 1024);
    expect(sdsCapacity(m, s)).toBeLessThan(4.2 * 1024 * 1024);
    expect(sdsBytes(m, s, out).latin1()).toBe('hello wonderful world');
    sdsFree(m, s);
    expect(m.used).toBe(0);
  });

  test('an empty string', () => {
    const m = createMemory();
    let s = sdsNew(m, sliceOf(''));
    expect(sdsLength(m, s)).toBe(0);
    s = sdsAppend(m, s, sliceOf(''));
    expect(sdsBytes(m, s, out).length).toBe(0);
    sdsVerify(m, s);
  });

  test('overwriting happens where the block suits the value', () => {
    const m = createMemory();
    const s = sdsNew(m, sliceOf('x'.repeat(100)));
    expect(sdsOverwrite(m, s, sliceOf('y'.repeat(105)))).toBe(true);
    expect(sdsOverwrite(m, s, sliceOf('y'.repeat(200)))).toBe(false);
    expect(sdsOverwrite(m, s, sliceOf('y'))).toBe(false);
    expect(sdsOverwrite(m, s, m.borrow(out, s, 9, 95))).toBe(true);
    expect(sdsBytes(m, s, out).latin1()).toBe('y'.repeat(95));
  });

  for (const seed of [1, 2, 3]) {
    test(`10,000 steps as a plain string takes them, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const m = createMemory();
      let model = 'begin';
      let s = sdsNew(m, sliceOf(model));
      for (let step = 0; step < STEPS; step++) {
        const value = randomText(random);
        const at = random.below(model.length + 1);
        switch (random.below(8)) {
          case 0:
          case 1:
            s = sdsAppend(m, s, sliceOf(value));
            model += value;
            break;
          case 2:
            s = sdsGrow(m, s, at + value.length);
            sdsWrite(m, s, at, sliceOf(value));
            model = model.slice(0, at) + value + model.slice(at + value.length);
            break;
          case 3: {
            const length = model.length + random.below(100) - 20;
            s = sdsGrow(m, s, length);
            model = model.padEnd(length, '\0');
            break;
          }
          case 4:
            sdsTruncate(m, s, at);
            model = model.slice(0, at);
            break;
          case 5:
            if (at < model.length) {
              sdsSetByte(m, s, at, 65);
              model = `${model.slice(0, at)}A${model.slice(at + 1)}`;
              expect(sdsByte(m, s, at)).toBe(65);
            }
            break;
          case 6:
            if (sdsOverwrite(m, s, sliceOf(value))) model = value;
            break;
          default:
            if (model.length > 20_000) {
              sdsFree(m, s);
              const zeroes = random.below(50);
              s = sdsZeroes(m, zeroes);
              model = '\0'.repeat(zeroes);
            }
            sdsWritable(m, s, 0, sdsLength(m, s), out);
        }
        sdsVerify(m, s);
        expect(sdsLength(m, s)).toBe(model.length);
        if (sdsBytes(m, s, out).latin1() !== model) expect.unreachable(`step ${step}`);
      }
      sdsFree(m, s);
      expect(m.used).toBe(0);
    });
  }
});
