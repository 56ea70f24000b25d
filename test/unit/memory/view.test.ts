import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { FrozenMemory, ViewLost } from '../../../src/memory/frozen.ts';
import { Memory } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { stress } from '../../stress/view.ts';
import { LONG } from '../../support/long.ts';
import { drawSeed } from '../../support/seed.ts';

const MiB = 1024 * 1024;

function open(m: Memory): { view: FrozenView; frozen: FrozenMemory } {
  const view = new FrozenView(m);
  return { view, frozen: new FrozenMemory(view.image) };
}

describe('a frozen view', () => {
  test('shows every width as it was, however the image goes on', () => {
    const m = new Memory();
    const a = m.allocateZeroed(64);
    m.setU8(a, 0, 1);
    m.setU16(a, 2, 2);
    m.setU32(a, 4, 0xffffffff);
    m.setF64(a, 8, 4.25);
    m.setAddr(a, 16, a);
    const { view, frozen } = open(m);
    const see = () => [frozen.u8(a, 0), frozen.u16(a, 2), frozen.u32(a, 4), frozen.f64(a, 8), frozen.addr(a, 16)];
    const before = [1, 2, 0xffffffff, 4.25, a];
    expect(see()).toEqual(before);
    expect(view.preservedPages).toBe(0);
    m.fill(a, 0, 0xee, 64);
    expect(see()).toEqual(before);
    expect(view.preservedPages).toBe(1);
    expect(view.preservedBytes).toBe(16384);
    m.setU32(a, 4, 5);
    expect(view.preservedPages).toBe(1);
    view.close();
    expect(() => frozen.u32(a, 64)).toThrow(ViewLost);
    expect(m.u32(a, 4)).toBe(5);
    expect(m.frozen).toBe(false);
  });

  test('borrows across pages, some preserved and some not, into a copy of the slice', () => {
    const m = new Memory();
    const a = m.allocate(200_000);
    const random = new SeededRandom(3);
    const was = new Uint8Array(200_000);
    for (let i = 0; i < was.length; i++) was[i] = random.below(256);
    m.writeBytes(a, 0, was, 0, was.length);
    const { view, frozen } = open(m);
    for (let i = 0; i < 300; i++) {
      m.setU8(a, random.below(200_000), random.below(256));
      const off = random.below(199_000);
      const length = i % 2 === 0 ? random.below(90) : random.below(200_000 - off);
      const one = frozen.borrow(new Slice(), a, off, length);
      expect(Buffer.compare(one.view(), was.subarray(off, off + length))).toBe(0);
    }
    const one = frozen.borrow(new Slice(), a, 0, 10);
    const two = frozen.borrow(new Slice(), a, 10, 10);
    expect([...one.view(), ...two.view()]).toEqual([...was.subarray(0, 20)]);
    view.close();
  });

  test('keeps segments that go and ignores segments that come', () => {
    const m = new Memory();
    m.allocate(16);
    const huge = m.allocate(70 * MiB);
    m.write(huge, 69 * MiB, sliceOf('here'));
    const { view, frozen } = open(m);
    m.release(huge);
    const next = m.allocate(70 * MiB);
    expect(next).toBe(huge);
    m.write(next, 69 * MiB, sliceOf('gone'));
    const preserved = view.preservedPages;
    m.write(m.allocate(200 * MiB), 0, sliceOf('new'));
    expect(view.preservedPages).toBe(preserved);
    expect(frozen.borrow(new Slice(), huge, 69 * MiB, 4).latin1()).toBe('here');
    view.close();
    m.allocator.verify();
  });

  test('is one at a time, closes twice, and opens again', () => {
    const m = new Memory();
    const a = m.allocateZeroed(16);
    const first = open(m);
    expect(() => new FrozenView(m)).toThrow('open already');
    first.view.close();
    first.view.close();
    m.setU32(a, 0, 2);
    const second = open(m);
    m.setU32(a, 0, 3);
    expect(second.frozen.u32(a, 0)).toBe(2);
    second.view.close();
    second.frozen.close();
  });

  test('refuses addresses outside the image', () => {
    const m = new Memory();
    m.allocate(16);
    const { view, frozen } = open(m);
    expect(() => frozen.u32(0x7fffff00 as Addr, 0)).toThrow();
    expect(() => frozen.u32(16 as Addr, 70 * MiB)).toThrow(RangeError);
    view.close();
  });

  test('gives fields of many blocks in any order, near their beginnings and far inside, while pages are preserved', () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const m = new Memory();
    const sizes = [16, 48, 80, 112, 5000, 40_000];
    const blocks = Array.from({ length: 3000 }, (_, i) => ({ a: m.allocate(sizes[i % 6]), size: sizes[i % 6] }));
    for (const { a, size } of blocks) for (let off = 0; off < size; off += 4) m.setU32(a, off, random.below(2 ** 32));
    const was = blocks.map(({ a, size }) => m.borrow(new Slice(), a, 0, size).copy());
    const { view, frozen } = open(m);
    const loads = [
      (a: Addr, off: number, d: DataView) => [frozen.u8(a, off), d.getUint8(off)],
      (a: Addr, off: number, d: DataView) => [frozen.u16(a, off & ~1), d.getUint16(off & ~1, true)],
      (a: Addr, off: number, d: DataView) => [frozen.u32(a, off & ~3), d.getUint32(off & ~3, true)],
      (a: Addr, off: number, d: DataView) => [frozen.f64(a, off & ~7), d.getFloat64(off & ~7, true)],
    ];
    for (let i = 0; i < 60_000; i++) {
      const which = random.below(blocks.length);
      const { a, size } = blocks[which];
      if (i % 20 === 0) m.fill(a, random.below(size), 0xaa, 1);
      const off = i % 3 === 0 ? size - 1 - random.below(16) : random.below(size);
      const [got, wanted] = loads[random.below(4)](a, off, new DataView(was[which].buffer));
      if (!Object.is(got, wanted) && !Number.isNaN(wanted)) expect(got, `seed ${seed}, step ${i}`).toBe(wanted);
    }
    expect(view.preservedPages).toBeGreaterThan(100);
    view.close();
  });

  test('warms blocks that are there and numbers that are none alike, and changes nothing that is seen', () => {
    const m = new Memory();
    const a = m.allocateZeroed(64);
    m.setU32(a, 0, 7);
    const { view, frozen } = open(m);
    m.setU32(a, 0, 8);
    for (const reader of [m, frozen]) reader.warm(Int32Array.of(a, 0, -1, 0x7fffffff, a), 5);
    expect([m.u32(a, 0), frozen.u32(a, 0)]).toEqual([8, 7]);
    view.close();
  });

  test('copies a store that spans pages page by page', () => {
    const m = new Memory();
    const a = m.allocate(10 * 16384);
    m.fill(a, 0, 1, 10 * 16384);
    const { view, frozen } = open(m);
    m.fill(a, 100, 2, 9 * 16384);
    const seen = frozen.borrow(new Slice(), a, 0, 10 * 16384).view();
    expect(seen.every((byte) => byte === 1)).toBe(true);
    expect(view.preservedPages).toBeGreaterThanOrEqual(9);
    view.close();
  });
});

describe('what a view preserved', () => {
  test('is given back once the view is closed, by steps that cron takes', async () => {
    const m = new Memory();
    const a = m.allocate(40 * MiB);
    let left = 0;
    const registry = new FinalizationRegistry(() => left--);
    const preserve = (): void => {
      const view = new FrozenView(m);
      m.fill(a, 0, 1, 40 * MiB);
      view.image.port.close();
      registry.register(view, undefined);
      left++;
      view.close();
    };
    preserve();
    for (let i = 0; i < 400 && left > 0; i++) {
      m.collect();
      await new Promise((done) => setTimeout(done, 5));
    }
    expect(left).toBe(0);
  });
});

describe('under stress', () => {
  test('a worker reads the instant while the writer writes (a slice; the whole is npm run stress:view)', async () => {
    const result = await stress({ seconds: LONG ? 8 : 2, seed: 1, records: LONG ? 60_000 : 5_000 });
    expect(result.torn).toBe(0);
    expect(result.wrong).toBe(0);
    expect(result.rounds).toBeGreaterThan(LONG ? 2 : 0);
    expect(result.preserved).toBeGreaterThan(0);
  });

  test('and without the barrier the stress notices', async () => {
    const result = await stress({ seconds: 2, seed: 2, records: 20_000, planted: true });
    expect(result.torn + result.wrong).toBeGreaterThan(0);
  });
});
