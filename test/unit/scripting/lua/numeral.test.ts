import { expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/base/random.ts';
import { textInBase, textNumber } from '../../../../src/scripting/lua/number.ts';
import { LONG_NUMERAL, Numeral } from '../../../../src/scripting/lua/numeral.ts';
import { STEPS } from '../../../support/long.ts';

function read(text: string, base: number | null): number | undefined {
  const numeral = new Numeral(text, base);
  while (!numeral.run());
  return numeral.value;
}

const PARTS = [
  '0',
  '1',
  '9',
  '5',
  '.',
  'e',
  '+',
  '-',
  '0x',
  'a',
  'F',
  'p',
  ' ',
  '\t',
  'inf',
  'nan',
  'z',
  '\0',
  '00',
  '123',
];

test('long texts are read as short ones are, from seed 3', () => {
  const random = new SeededRandom(3);
  for (let i = 0; i < STEPS; i++) {
    const parts = Array.from({ length: 1 + random.below(7) }, () => PARTS[random.below(PARTS.length)]);
    const text = parts.join('');
    // A second exponent behind p is taken by the one for short texts, and by nobody else.
    if (/p.*e/i.test(text)) continue;
    expect(read(text, null), JSON.stringify(text)).toBe(textNumber(text));
    const base = 2 + random.below(35);
    expect(read(text, base), `${JSON.stringify(text)} in base ${base}`).toBe(textInBase(text, base));
  }
});

test('whatever is long about them', () => {
  const zeros = '0'.repeat(LONG_NUMERAL);
  const blanks = ' '.repeat(LONG_NUMERAL);
  expect(textNumber(`${blanks}12${blanks}`)).toBe(12);
  expect(textNumber(`${blanks}-1.5e3${blanks}x`)).toBe(undefined);
  expect(textNumber(`0.${zeros}1`)).toBe(0);
  expect(textNumber(`0.${zeros}15e${LONG_NUMERAL + 2}`)).toBe(15);
  expect(textNumber(`1${zeros}e-${LONG_NUMERAL}`)).toBe(1);
  expect(textNumber(`1${zeros}`)).toBe(Number.POSITIVE_INFINITY);
  // Half-way between two doubles, and a little beyond.
  expect(textNumber(`9007199254740993.${zeros}`)).toBe(9007199254740992);
  expect(textNumber(`9007199254740993.${zeros}1`)).toBe(9007199254740994);
});
