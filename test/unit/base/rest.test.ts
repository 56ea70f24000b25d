import { describe, expect, test } from 'vitest';
import { Crc64, crc16, crc64 } from '../../../src/base/crc.ts';
import { realRandom, SeededRandom } from '../../../src/base/random.ts';
import { bytesOf, sliceOf } from '../../../src/base/slice.ts';
import { RealClock, VirtualClock } from '../../../src/base/time.ts';

describe('checksums', () => {
  test('the published check values', () => {
    expect(crc16(sliceOf('123456789'))).toBe(0x31c3);
    expect(crc64(bytesOf('123456789'))).toBe(0xe9c6d914c4b8d9can);
    expect(crc16(sliceOf(''))).toBe(0);
    expect(crc64(bytesOf(''))).toBe(0n);
    // Slots that CLUSTER KEYSLOT answers.
    expect(crc16(sliceOf('foo')) & 16383).toBe(12182);
    expect(crc16(sliceOf('user1000')) & 16383).toBe(3443);
  });

  test('pieces of any length make the same sum', () => {
    const random = new SeededRandom(9);
    const bytes = Uint8Array.from({ length: 5003 }, () => random.below(256));
    const whole = crc64(bytes);
    for (let round = 0; round < 50; round++) {
      const sum = new Crc64();
      for (let at = 0; at < bytes.length; ) {
        const some = Math.min(bytes.length - at, random.below(round % 2 === 0 ? 30 : 3000));
        sum.update(bytes, at, some);
        at += some;
      }
      expect(sum.value()).toBe(whole);
      const out = new Uint8Array(8);
      sum.write(out, 0);
      expect(new DataView(out.buffer).getBigUint64(0, true)).toBe(whole);
    }
  });
});

describe('time', () => {
  test('a virtual clock moves when it is told to and fires timers in order', () => {
    const clock = new VirtualClock(1000);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`b at ${clock.now()}`));
    clock.after(10, () => {
      seen.push(`a at ${clock.now()}`);
      clock.after(5, () => seen.push(`c at ${clock.now()}`));
    });
    clock.after(15, () => seen.push('cancelled')).cancel();
    clock.advance(9);
    expect(seen).toEqual([]);
    clock.advance(100);
    expect(seen).toEqual(['a at 1010', 'c at 1015', 'b at 1020']);
    expect(clock.now()).toBe(1109);
    expect(clock.monotonic()).toBe(109_000);
    expect(clock.micros()).toBe(1_109_000);
  });

  test('the real clock', async () => {
    const clock = new RealClock();
    const before = clock.monotonic();
    await new Promise<void>((done) => clock.after(5, done));
    expect(clock.monotonic() - before).toBeGreaterThan(3000);
    expect(Math.abs(clock.micros() / 1000 - clock.now())).toBeLessThan(1000);
    const late = clock.after(1e12, () => expect.unreachable());
    await new Promise<void>((done) => clock.after(5, done));
    late.cancel();
  });
});

test('random numbers are even, and the same for the same seed', () => {
  const random = new SeededRandom(10);
  const again = new SeededRandom(10);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const pick = random.below(10);
    expect(again.below(10)).toBe(pick);
    counts[pick]++;
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  expect(realRandom().bits32()).not.toBe(realRandom().bits32());
  for (let i = 0; i < 1000; i++) expect(random.double01()).toBeLessThan(1);
});
