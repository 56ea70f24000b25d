import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { arcSine, cosine, sine } from '../../../src/base/trigonometry.ts';

const POINT = 200n;

/** A Taylor series in fixed point, summed to its end; rounded once. */
function exact(x: number, odd: boolean): number {
  const fixed = BigInt(x * 2 ** 100) << (POINT - 100n);
  let term = odd ? fixed : 1n << POINT;
  let sum = term;
  for (let k = odd ? 2 : 1; term !== 0n; k += 2) {
    term = -((((term * fixed) >> POINT) * fixed) >> POINT) / BigInt(k * (k + 1));
    sum += term;
  }
  const size = sum < 0n ? -sum : sum;
  const drop = BigInt(Math.max(0, size.toString(2).length - 120));
  const value = Number(size >> drop) * 2 ** Number(drop - POINT);
  return sum < 0n ? -value : value;
}

test('sine and cosine are the nearest doubles, all but a few', () => {
  const random = new SeededRandom(1);
  let near = 0;
  for (let round = 0; round < 3000; round++) {
    const x = Math.floor((random.below(0x7fffffff) / 0x7fffffff) * 3.1 * 2 ** 45) / 2 ** 45;
    if (sine(x) !== exact(x, true)) near++;
    if (cosine(x) !== exact(x, false)) near++;
    expect(Math.abs(sine(x) - Math.sin(x))).toBeLessThan(1e-15);
    expect(sine(-x)).toBe(-sine(x));
  }
  expect(near).toBeLessThan(6);
});

test('the arc sine undoes the sine', () => {
  const random = new SeededRandom(2);
  for (let round = 0; round < 3000; round++) {
    const x = random.below(0x7fffffff) / 0x7fffffff;
    expect(Math.abs(arcSine(x) - Math.asin(x))).toBeLessThanOrEqual(2.3e-16);
    expect(Math.abs(sine(arcSine(x)) - x)).toBeLessThanOrEqual(1.2e-16);
  }
  expect(arcSine(0)).toBe(0);
  expect(arcSine(1)).toBe(Math.PI / 2);
  expect(arcSine(1e-12)).toBe(1e-12);
  expect(arcSine(1.1)).toBeNaN();
});
