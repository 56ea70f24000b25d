import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice } from '../../../src/base/slice.ts';
import type { Addr } from '../../../src/memory/address.ts';
import { OutOfMemory } from '../../../src/memory/errors.ts';
import { Memory } from '../../../src/memory/memory.ts';
import { FrozenView } from '../../../src/memory/view.ts';
import { IDLE_COLLECTOR } from '../../support/collector.ts';
import { STEPS } from '../../support/long.ts';

const MiB = 1024 * 1024;
const notLate = (): boolean => false;

interface Block {
  a: Addr;
  size: number;
  tag: number;
}

/** Marks both ends and the middle of a block, so that any overlap with another shows. */
function mark(m: Memory, block: Block): void {
  const last = block.size - 1;
  m.setU8(block.a, 0, block.tag);
  m.setU8(block.a, last >>> 1, block.tag + 1);
  m.setU8(block.a, last, block.tag + 2);
}

/** Looks for the marks; a block that has since grown has them where its old size put them. */
function check(m: Memory, block: Block): void {
  const last = block.size - 1;
  expect(m.u8(block.a, 0)).toBe(block.tag);
  expect(m.u8(block.a, last >>> 1)).toBe(block.tag + 1);
  expect(m.u8(block.a, last)).toBe(block.tag + 2);
}

function sizeOf(random: SeededRandom): number {
  const kind = random.below(100);
  if (kind < 70) return 4 + random.below(200);
  if (kind < 90) return 4 + random.below(16 * 1024);
  if (kind < 99) return 16 * 1024 + random.below(300_000);
  return 4 + random.below(9 * MiB);
}

function randomSteps(m: Memory, seed: number, steps: number): void {
  const random = new SeededRandom(seed);
  const live: Block[] = [];
  for (let step = 0; step < steps; step++) {
    const kind = random.below(10);
    if (kind < 5 || live.length === 0) {
      const size = sizeOf(random);
      const block = { a: m.allocate(size), size, tag: random.below(250) };
      expect(m.sizeOf(block.a)).toBe(m.roundUp(size));
      mark(m, block);
      live.push(block);
    } else {
      const index = random.below(live.length);
      const block = live[index];
      check(m, block);
      if (kind < 8) {
        m.release(block.a);
        live[index] = live[live.length - 1];
        live.pop();
      } else {
        const size = sizeOf(random);
        const before = block.size;
        block.a = m.resize(block.a, size);
        block.size = size;
        if (size >= before) check(m, { ...block, size: before });
        mark(m, block);
      }
    }
    if (step % 500 === 0) m.allocator.verify();
  }
  for (const block of live) check(m, block);
  expect(m.used).toBe(live.reduce((sum, block) => sum + m.sizeOf(block.a), 0));
  for (const block of live) m.release(block.a);
  m.allocator.verify();
  expect(m.used).toBe(0);
}

describe('the allocator', () => {
  test.each([1, 2, 3])('keeps blocks apart through random steps, seed %i', (seed) => {
    randomSteps(new Memory(), seed, STEPS);
  });

  test('wastes at most an eighth and a granule', () => {
    const m = new Memory();
    for (let size = 1; size <= 20_000; size++) {
      const given = m.roundUp(size);
      expect(given).toBeGreaterThanOrEqual(size);
      expect(given - size).toBeLessThan(size <= 16384 ? size / 8 + 16 : 4096);
    }
  });

  test('a released block is the next one of its size', () => {
    const m = new Memory();
    const a = m.allocate(40);
    m.release(a);
    expect(m.allocate(48)).toBe(a);
  });

  test('the null address is never handed out', () => {
    const m = new Memory();
    for (let i = 0; i < 3; i++) expect(m.allocate(64 * MiB)).not.toBe(0);
    expect(new Memory().allocate(100 * MiB)).not.toBe(0);
    expect(new Memory().allocate(1)).not.toBe(0);
  });

  test('a large block grows and shrinks where it is', () => {
    const m = new Memory();
    const a = m.allocate(100_000);
    m.setU32(a, 0, 7);
    expect(m.resize(a, 5 * MiB)).toBe(a);
    expect(m.used).toBe(5 * MiB);
    expect(m.resize(a, 20_000)).toBe(a);
    expect(m.used).toBe(20_480);
    expect(m.u32(a, 0)).toBe(7);
    m.allocator.verify();
  });

  test('a huge block has a segment of its own, grows in it, and goes with it', () => {
    const m = new Memory();
    const small = m.allocate(16);
    const before = m.reserved;
    let a = m.allocate(65 * MiB);
    expect(m.reserved - before).toBe(65 * MiB);
    m.setU8(a, 65 * MiB - 1, 9);
    expect(m.resize(a, 100 * MiB)).toBe(a);
    expect(m.sizeOf(a)).toBe(100 * MiB);
    const moved = m.resize(a, 129 * MiB);
    expect(moved).not.toBe(a);
    expect(m.u8(moved, 65 * MiB - 1)).toBe(9);
    a = m.resize(moved, 40);
    expect(m.reserved).toBe(before);
    m.allocator.verify();
    m.release(a);
    m.release(small);
    expect(m.used).toBe(0);
  });

  test('empty segments are given back, all but one', () => {
    const m = new Memory();
    const blocks: Addr[] = [];
    for (let i = 0; i < 400_000; i++) blocks.push(m.allocate(1024));
    const full = m.reserved;
    expect(full).toBeGreaterThan(400 * MiB);
    const random = new SeededRandom(5);
    for (let i = blocks.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      const kept = blocks[i];
      blocks[i] = blocks[j];
      blocks[j] = kept;
    }
    for (const a of blocks) m.release(a);
    m.allocator.verify();
    expect(m.used).toBe(0);
    expect(m.peak).toBe(400_000 * 1024);
    expect(m.reserved).toBeLessThanOrEqual(192 * MiB);
    m.trim();
    m.allocator.verify();
    expect(m.reserved).toBe(64 * MiB);
  });

  test('free pages go back out of segments that are in use', () => {
    const m = new Memory();
    const pages = 4096;
    const blocks = Array.from({ length: 3000 }, (_, i) => {
      const a = m.allocate(5 * pages);
      m.fill(a, 0, i & 0xff, 5 * pages);
      return a;
    });
    expect(m.resident).toBe(m.used);
    for (const [i, a] of blocks.entries()) if (i % 10 !== 0) m.release(a);
    expect(m.resident).toBe(3000 * 5 * pages);
    const shown = m.borrow(new Slice(), blocks[10], 0, 5 * pages);
    m.trim();
    m.allocator.verify();
    expect(m.reserved).toBe(64 * MiB);
    expect(m.active).toBe(300 * 5 * pages);
    // Nobody goes on showing the old buffer, so that it can be collected.
    expect(shown.buffer.length).toBe(0);
    for (let i = 0; i < 3000; i += 10) {
      m.borrow(shown, blocks[i], 0, 5 * pages);
      expect(shown.at(0) === (i & 0xff) && shown.at(5 * pages - 1) === (i & 0xff)).toBe(true);
    }
  });

  test('what has been free for a while goes back, what is used again does not', () => {
    const m = new Memory();
    const fill = () => Array.from({ length: 1000 }, () => m.allocate(40_000));
    let now = 1_000_000;
    for (let round = 0; round < 20; round++) {
      for (const a of fill()) m.release(a);
      m.tidy((now += 700), false, notLate);
    }
    expect(m.active).toBe(0);
    expect(m.allocator.resident).toBe(1000 * 40_960);
    for (let round = 0; round < 4; round++) m.tidy((now += 700), false, notLate);
    expect(m.allocator.resident).toBe(0);
    m.allocator.verify();
  });

  test('of many segments with next to nothing in use all go back together, of those that cost a copy one at a time', () => {
    const segments = 8;
    const emptied = (kept: number, releasing = false) => {
      const m = new Memory();
      const blocks = Array.from({ length: segments * 63 }, () => m.allocate(MiB));
      for (const [i, a] of blocks.entries())
        if (i % 63 === 0) m.resize(a, 20_000);
        else if (i % 63 > kept) m.release(a);
      const before = m.allocator.resident;
      m.tidy(1000, false, notLate);
      m.tidy(1400, false, notLate);
      expect(m.allocator.resident, 'it may be used again soon').toBe(before);
      m.tidy(2000, releasing, notLate);
      m.allocator.verify();
      return (m.allocator.resident - m.active) / (before - m.active);
    };
    expect(emptied(0)).toBeLessThan(0.05);
    expect(emptied(20)).toBeCloseTo(1 - 1 / segments, 1);
    expect(emptied(0, true)).toBeLessThan(0.05);
    expect(emptied(20, true), 'it may cost nothing soon').toBe(1);
  });

  test('a segment is copied in slices while it is written, and anything may come between', () => {
    const random = new SeededRandom(29);
    for (let round = 0; round < 4; round++) {
      const m = new Memory();
      const blocks: Block[] = [];
      const add = (): void => {
        const size = 4 + random.below(random.below(10) === 0 ? 200_000 : 9000);
        const block = { a: m.allocate(size), size, tag: random.below(250) };
        mark(m, block);
        blocks.push(block);
      };
      while (m.reserved < 3 * 64 * MiB) add();
      const drop = (): void => m.release(blocks.splice(random.below(blocks.length), 1)[0].a);
      for (let i = blocks.length >> 1; i > 0; i--) drop();
      const before = m.allocator.resident;
      for (let now = 1000; now <= 2000; now += 500) m.tidy(now, false, () => true);
      let slices = 1;
      for (; m.tidyOn(() => true); slices++) {
        for (let i = random.below(20); i > 0; i--)
          [add, drop, () => mark(m, blocks[random.below(blocks.length)])][random.below(3)]();
        if (round % 4 === 3 && slices === 50) new FrozenView(m).close();
      }
      expect(slices).toBeGreaterThan(40);
      if (round % 4 !== 3) expect(m.allocator.resident).toBeLessThan(before - 8 * MiB);
      m.allocator.verify();
      for (const block of blocks) check(m, block);
      for (const { a } of blocks) m.release(a);
    }
  });

  test('a segment that is given back while it is being copied', () => {
    const m = new Memory();
    const blocks = Array.from({ length: 100 }, () => m.allocate(MiB));
    for (const [i, a] of blocks.entries()) if (i < 60 ? i % 2 === 1 : i > 90) m.release(a);
    for (let now = 1000; now < 2000; now += 500) m.tidy(now, false, () => true);
    expect(
      m.tidy(2000, false, () => true),
      'half-way',
    ).toBe(true);
    for (const [i, a] of blocks.entries()) if (i < 60 ? i % 2 === 0 : i <= 90) m.release(a);
    m.trim();
    m.allocator.verify();
    expect(m.tidyOn(() => true)).toBe(false);
    expect(m.allocator.resident).toBeLessThan(MiB);
  });

  test('a little that is free goes back too, where it costs no more to copy what is not', () => {
    const left = (kept: number) => {
      const m = new Memory();
      const blocks = Array.from({ length: 6 }, () => m.allocate(MiB));
      for (const a of blocks.slice(kept)) m.release(a);
      for (let now = 1000; now < 4000; now += 400) m.tidy(now, false, notLate);
      m.allocator.verify();
      return m.allocator.resident / MiB;
    };
    expect([0, 1, 3, 4].map(left)).toEqual([0, 1, 3, 6]);
  });

  test('what is known of pages lies in a buffer that is mapped by itself, and goes with the segments', () => {
    const forgotten: number[] = [];
    class Watched extends Memory {
      override discarded(buffer: SharedArrayBuffer, committed: number): void {
        expect(buffer.byteLength).toBeGreaterThan(32 * MiB);
        forgotten.push(committed);
      }
    }
    const m = new Watched();
    const blocks = Array.from({ length: 64 * 64 + 1 }, () => m.allocate(MiB));
    const known = (segments: number) => (segments * 64 * MiB * 35) / 4096;
    expect(forgotten, 'once there is no room').toEqual([known(64)]);
    for (const a of blocks.splice(1)) m.release(a);
    m.trim();
    m.allocator.verify();
    expect(forgotten.slice(1)).toEqual([known(65)]);
    blocks.push(m.allocate(80 * MiB), m.allocate(MiB));
    m.allocator.verify();
    expect(m.used).toBe(82 * MiB);
  });

  test('a server is kept awake for what V8 has not collected yet, but not where it is a guest', () => {
    for (const keepsAwake of [true, false]) {
      const m = new Memory({ collector: { ...IDLE_COLLECTOR, keepsAwake } });
      const blocks = Array.from({ length: 200 }, () => m.allocate(MiB));
      for (const a of blocks) m.release(a);
      for (let now = 0; now < 5000; now += 100) m.tidy(now, false, notLate);
      expect(m.allocator.resident).toBeLessThan(MiB);
      expect(m.untidy).toBe(keepsAwake);
    }
  });

  test('many free runs of one bin that are too short for what is asked for', () => {
    const m = new Memory();
    const blocks: Addr[] = [];
    // Free runs of 67 pages share a bin with the 71 pages that are then asked for.
    for (let i = 0; i < 8000; i++) blocks.push(m.allocate(67 * 4096), m.allocate(17_000));
    for (let i = 0; i < blocks.length; i += 2) m.release(blocks[i]);
    for (let i = 0; i < 2000; i++) blocks[i * 2] = m.allocate(71 * 4096);
    m.allocator.verify();
  });
});

describe('out of memory', () => {
  test('is a catchable error and leaves the data as it was', () => {
    const m = new Memory({ limit: 128 * MiB });
    const blocks: Addr[] = [];
    const filled = new Slice();
    expect(() => {
      for (;;) {
        const a = m.allocate(3000);
        m.fill(a, 0, blocks.length & 0xff, 3000);
        blocks.push(a);
      }
    }).toThrow(OutOfMemory);
    expect(m.reserved).toBe(128 * MiB);
    m.allocator.verify();
    expect(() => m.resize(blocks[0], 500_000)).toThrow(OutOfMemory);
    expect(() => m.allocate(70 * MiB)).toThrow(OutOfMemory);
    expect(() => m.allocate(0x40000001)).toThrow(OutOfMemory);
    m.allocator.verify();
    blocks.forEach((a, index) => {
      m.borrow(filled, a, 0, 3000);
      expect(filled.at(0) === (index & 0xff) && filled.at(2999) === (index & 0xff)).toBe(true);
    });
    for (const a of blocks.splice(0, 100)) m.release(a);
    expect(() => m.allocate(3000)).not.toThrow();
  });

  test('is announced by the use of the reserve, and ends when memory is given back', () => {
    const m = new Memory({ limit: 128 * MiB, reserve: true });
    const told: boolean[] = [];
    m.onScarce = (scarce) => told.push(scarce);
    const blocks: Addr[] = [];
    while (!m.scarce) blocks.push(m.allocate(100_000));
    expect(m.reserved).toBe(192 * MiB);
    m.collect();
    expect(m.scarce).toBe(true);
    // What is under way can go on for a segment's worth.
    for (let i = 0; i < 600; i++) blocks.push(m.allocate(100_000));
    expect(() => {
      for (;;) blocks.push(m.allocate(100_000));
    }).toThrow(OutOfMemory);
    for (const a of blocks) m.release(a);
    m.trim();
    expect(m.scarce).toBe(false);
    expect(told).toEqual([true, false]);
    m.allocator.verify();
    while (!m.scarce) m.allocate(100_000);
    expect(m.reserved).toBe(192 * MiB);
  });

  test('shrinking never fails', () => {
    const m = new Memory({ limit: 64 * MiB });
    const a = m.allocate(16_000);
    m.setU32(a, 0, 1234);
    try {
      for (;;) m.allocate(16_384);
    } catch {
      // Full.
    }
    const b = m.resize(a, 100);
    expect(m.u32(b, 0)).toBe(1234);
    m.allocator.verify();
  });
});
