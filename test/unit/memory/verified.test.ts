import { afterEach, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { type Addr, NULL } from '../../../src/memory/address.ts';
import { createMemory } from '../../../src/memory/create.ts';
import { OutOfMemory } from '../../../src/memory/errors.ts';
import { Memory } from '../../../src/memory/memory.ts';
import { VerifiedMemory } from '../../../src/memory/verified.ts';

describe('the debug allocator', () => {
  test('catches loads and stores through a stale address', () => {
    const m = new VerifiedMemory();
    const a = m.allocate(40);
    m.setU32(a, 0, 1);
    m.release(a);
    const stale = 'the block has been released';
    expect(() => m.u8(a, 0)).toThrow(stale);
    expect(() => m.u32(a, 0)).toThrow(stale);
    expect(() => m.setF64(a, 8, 1)).toThrow(stale);
    expect(() => m.borrow(new Slice(), a, 0, 4)).toThrow(stale);
    expect(() => m.write(a, 0, sliceOf('x'))).toThrow(stale);
    expect(() => m.fill(a, 0, 0, 1)).toThrow(stale);
    expect(() => m.sizeOf(a)).toThrow(stale);
    expect(() => m.release(a)).toThrow(stale);
    expect(() => m.resize(a, 10)).toThrow(stale);
  });

  test('catches null, interior and wild addresses', () => {
    const m = new VerifiedMemory();
    const a = m.allocate(100);
    expect(() => m.u32(NULL, 0)).toThrow('the null address');
    expect(() => m.u32((a + 1) as Addr, 0)).toThrow('not the address of a live block');
    expect(() => m.u32(0x7fffffff as Addr, 0)).toThrow('not the address of a live block');
  });

  test('catches what lies outside the block or its alignment', () => {
    const m = new VerifiedMemory();
    const a = m.allocate(40);
    expect(m.sizeOf(a)).toBe(48);
    m.setU32(a, 44, 1);
    expect(() => m.setU32(a, 48, 1)).toThrow('the block holds 48');
    expect(() => m.u8(a, -1)).toThrow('the block holds 48');
    expect(() => m.f64(a, 44)).toThrow();
    expect(() => m.u32(a, 2)).toThrow('multiple of its width');
    expect(() => m.fill(a, 40, 0, 9)).toThrow();
    expect(() => m.borrow(new Slice(), a, 0, 49)).toThrow();
  });

  test('catches stores through kept slices: beside a block and into a released one', () => {
    const m = new VerifiedMemory();
    const a = m.allocate(48);
    const s = m.writable(new Slice(), a, 0, 48);
    s.buffer[s.start + 48] = 0;
    expect(() => m.release(a)).toThrow('written beside');
    s.buffer[s.start + 48] = 0xfb;
    m.release(a);
    m.verifyBlocks();
    s.buffer[s.start + 5] = 1;
    expect(() => m.verifyBlocks()).toThrow('was written at 5');
  });

  test('a resized block moves, and its old address is stale', () => {
    const m = new VerifiedMemory();
    const a = m.allocate(20);
    m.setU32(a, 16, 99);
    const b = m.resize(a, 200);
    expect(m.u32(b, 16)).toBe(99);
    expect(() => m.u32(a, 16)).toThrow('released');
  });

  test('lists leaks by generation, with their stacks if asked for', () => {
    const m = new VerifiedMemory({ stacks: true });
    m.allocate(16);
    const since = m.generation;
    const a = m.allocate(16);
    m.release(m.allocate(300));
    const leaks = m.leaks(since);
    expect(leaks.map((block) => block.address)).toEqual([a]);
    expect(leaks[0].stack).toContain('verified.test.ts');
  });

  test('counts as the plain one does and gives all back', () => {
    const plain = new Memory();
    const verified = new VerifiedMemory();
    const random = new SeededRandom(9);
    const pairs: [Addr, Addr][] = [];
    for (let step = 0; step < 20_000; step++) {
      if (random.below(2) === 0 || pairs.length === 0) {
        const size = random.below(random.below(10) === 0 ? 60_000 : 300);
        pairs.push([plain.allocate(size), verified.allocate(size)]);
      } else {
        const [p, v] = pairs.splice(random.below(pairs.length), 1)[0];
        plain.release(p);
        verified.release(v);
      }
      expect(verified.used).toBe(plain.used);
    }
    verified.verifyBlocks();
    expect(verified.peak).toBe(plain.peak);
    for (const [, v] of pairs) verified.release(v);
    verified.trim();
    verified.verifyBlocks();
    expect(verified.used).toBe(0);
    expect(verified.leaks()).toEqual([]);
    expect(verified.reserved).toBe(64 * 1024 * 1024);
  });

  test('quarantine does not make memory run out', () => {
    const m = new VerifiedMemory({ limit: 64 * 1024 * 1024 });
    for (let i = 0; i < 20; i++) m.release(m.allocate(20_000_000));
    expect(() => m.allocate(65_000_000)).not.toThrow();
    expect(() => m.allocate(65_000_000)).toThrow(OutOfMemory);
  });
});

describe('createMemory', () => {
  const before = process.env['CINNABAR_VERIFY'];
  afterEach(() => {
    if (before === undefined) delete process.env['CINNABAR_VERIFY'];
    else process.env['CINNABAR_VERIFY'] = before;
  });

  test('goes by the environment', () => {
    delete process.env['CINNABAR_VERIFY'];
    expect(createMemory()).not.toBeInstanceOf(VerifiedMemory);
    process.env['CINNABAR_VERIFY'] = '1';
    expect(createMemory({ limit: 5 })).toBeInstanceOf(VerifiedMemory);
  });
});
