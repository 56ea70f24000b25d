import { expect, test } from 'vitest';
import { formatFixed, formatTrimmed } from '../../../src/base/fixed.ts';

test.each([
  [0.03125, 4, '0.0312'],
  [0.09375, 4, '0.0938'],
  [-0.03125, 4, '-0.0312'],
  [1.5, 0, '2'],
  [2.5, 0, '2'],
  [0.0078125, 6, '0.007812'],
  [0.00005, 4, '0.0001'],
  [166274.15156960033, 4, '166274.1516'],
  [0, 4, '0.0000'],
  [-0, 4, '-0.0000'],
  [-0.000001, 4, '-0.0000'],
  [2 ** 70, 2, '1180591620717411303424.00'],
  [Number.POSITIVE_INFINITY, 6, 'inf'],
  [Number.NEGATIVE_INFINITY, 6, '-inf'],
  [Number.NaN, 6, 'nan'],
])('%d with %d decimals is %s', (value, digits, text) => {
  expect(formatFixed(value, digits)).toBe(text);
});

test.each([
  [13.5, '13.5'],
  [180, '180'],
  [13.361389338970184, '13.36138933897018433'],
  [-0, '0'],
  [0, '0'],
])('%d without zeroes at the end', (value, text) => {
  expect(formatTrimmed(value, 17)).toBe(text);
});
