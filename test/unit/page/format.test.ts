/** Figures for people. */
import { expect, test } from 'vitest';
import { bytes, count, duration, micros, percent } from '../../../src/page/format.ts';

test.each([
  [bytes(0), '0 B'],
  [bytes(1023), '1023 B'],
  [bytes(1536), '1.5 KB'],
  [bytes(10 * 1024), '10 KB'],
  [bytes(3.25 * 1024 ** 3), '3.25 GB'],
  [count(999), '999'],
  [count(1000), '1 K'],
  [count(12_345), '12.3 K'],
  [count(0.5), '0.5'],
  [micros(0.8), '0.8 µs'],
  [micros(1500), '1.5 ms'],
  [micros(2_500_000), '2.5 s'],
  [percent(0), '0 %'],
  [percent(99.94), '100 %'],
  [percent(1.25), '1.3 %'],
  [duration(0), '0 s'],
  [duration(3599), '59 min 59 s'],
  [duration(90_000), '1 d 1 h'],
])('%s', (shown, expected) => expect(shown).toBe(expected));
