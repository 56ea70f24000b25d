import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatDouble,
  integerLength,
  integerText,
  parseDouble,
  parseInt64,
  parseInteger,
  writeInteger,
} from '../../../src/base/numbers.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { latin1, sliceOf } from '../../../src/base/slice.ts';
import { Pipeline } from '../../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

/** Doubles of every size: random bit patterns, short decimals, dyadic fractions that make ties. */
function randomDouble(random: SeededRandom): number {
  const pick = random.below(4);
  if (pick === 0) {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setUint32(0, random.bits32());
    bits.setUint32(4, random.bits32());
    const value = bits.getFloat64(0);
    return Number.isFinite(value) ? value : 0.1;
  }
  if (pick === 1) return (random.below(2_000_001) - 1_000_000) / 10 ** random.below(8);
  if (pick === 2) return random.below(2 ** 53) / 2 ** random.below(60);
  return (random.double01() - 0.5) * 10 ** (random.below(40) - 20);
}

describe('integers', () => {
  test('canonical int64 text is read, nothing else', () => {
    const good: [string, number][] = [
      ['0', 0],
      ['7', 7],
      ['-1', -1],
      ['10', 10],
      ['999999999999999', 999999999999999],
      ['9007199254740991', 9007199254740991],
      ['-9007199254740991', -9007199254740991],
    ];
    for (const [text, value] of good) expect(parseInteger(sliceOf(text))).toBe(value);
    const bad = ['', '-', '+1', '01', '-0', '-01', ' 1', '1 ', '1.0', '1e3', 'a', '0x1', '9223372036854775808'];
    bad.push('-9223372036854775809', '99999999999999999999', '100000000000000000000', '1234567890123456a', '1\0');
    bad.push('123456789012345678/', '12345678901234567:', '--1', '00');
    for (const text of bad) {
      expect(parseInteger(sliceOf(text)), text).toBeNaN();
      expect(parseInt64(sliceOf(text)), text).toBeUndefined();
    }
  });

  test('beyond 2^53 the number is never taken for a safe one, and parseInt64 is exact', () => {
    const random = new SeededRandom(1);
    const limits = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, 10n ** 18n, 10n ** 17n];
    for (let i = 0; i < 2000; i++) {
      const value = BigInt.asIntN(64, (BigInt(random.bits32()) << 32n) | BigInt(random.bits32()));
      limits.push(value >> BigInt(random.below(60)));
    }
    for (const value of limits) {
      const slice = sliceOf(value.toString());
      expect(parseInt64(slice)).toBe(value);
      const rounded = parseInteger(slice);
      if (value < 2n ** 53n && value > -(2n ** 53n)) expect(rounded).toBe(Number(value));
      else expect(Number.isSafeInteger(rounded)).toBe(false);
    }
  });

  test('writing', () => {
    const target = new Uint8Array(40);
    const random = new SeededRandom(2);
    const values = [0, 1, -1, 9, 10, 99, 100, 2147483647, 2147483648, -2147483648, 4294967296];
    values.push(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1e15, 1e15 - 1);
    for (let i = 0; i < 5000; i++) values.push((random.below(2) * 2 - 1) * random.below(2 ** random.below(54)));
    for (let power = 0; power < 16; power++)
      for (const by of [-1, 0, 1]) values.push(10 ** power + by, -(10 ** power) + by);
    for (const value of values) {
      target.fill(0xdb);
      const end = writeInteger(target, 3, value);
      expect([target[2], target[end]], 'nothing is written beside it').toEqual([0xdb, 0xdb]);
      expect(latin1(target, 3, end - 3)).toBe(integerText(value));
      expect(integerLength(value)).toBe(end - 3);
    }
    expect(integerText(-(2n ** 63n))).toBe('-9223372036854775808');
  });
});

describe('doubles', () => {
  test('formatting is that of %.17g', () => {
    const known: [number, string][] = [
      [0, '0'],
      [-0, '-0'],
      [1, '1'],
      [-1.5, '-1.5'],
      [3.14, '3.1400000000000001'],
      [0.1, '0.10000000000000001'],
      [1e16, '10000000000000000'],
      [12345678901234568 * 10, '1.2345678901234568e+17'],
      [1e17, '1e+17'],
      [1e17 - 16, '99999999999999984'],
      [1e21, '1e+21'],
      [1e-4, '0.0001'],
      [1e-5, '1.0000000000000001e-05'],
      [1.5e-6, '1.5e-06'],
      [1e100, '1e+100'],
      [5e-324, '4.9406564584124654e-324'],
      [2.2250738585072014e-308, '2.2250738585072014e-308'],
      [2.225073858507201e-308, '2.2250738585072009e-308'],
      [1.7976931348623157e308, '1.7976931348623157e+308'],
      // Ties of the seventeenth digit go to the even one.
      [800000000000001 / 8, '100000000000000.12'],
      [800000000000003 / 8, '100000000000000.38'],
      [4503599627370497 / 4, '1125899906842624.2'],
      [Number.POSITIVE_INFINITY, 'inf'],
      [Number.NEGATIVE_INFINITY, '-inf'],
      [Number.NaN, 'nan'],
    ];
    for (const [value, text] of known) expect(formatDouble(value)).toBe(text);
  });

  test('reading is that of strtod', () => {
    const known: [string, number][] = [
      ['1', 1],
      ['-1.5', -1.5],
      ['+3', 3],
      ['.5', 0.5],
      ['5.', 5],
      ['1e3', 1000],
      ['1E-3', 0.001],
      ['-0', -0],
      ['0e999999999999', 0],
      ['0x10', 16],
      ['0X1.8p3', 12],
      ['-0x.8', -0.5],
      ['0x1.P-2', 0.25],
      ['inf', Number.POSITIVE_INFINITY],
      ['-Infinity', Number.NEGATIVE_INFINITY],
      ['+INF', Number.POSITIVE_INFINITY],
      ['5e-324', 5e-324],
      ['0x1p-1074', 5e-324],
      ['0x1.fffffffffffff7p0', 1.9999999999999998],
      ['0x1.fffffffffffff8p0', 2],
      ['0x0.00000000000018p-1022', 2 * 5e-324],
      ['1.7976931348623157e308', Number.MAX_VALUE],
      ['0x1.fffffffffffffp1023', Number.MAX_VALUE],
      ['9007199254740993', 9007199254740992],
      ['0.1000000000000000055511151231257827021181583404541015625', 0.1],
    ];
    for (const [text, value] of known) expect(parseDouble(sliceOf(text)), text).toBe(value);
    const bad = ['', ' 1', '1 ', '-', '+', '.', 'e1', '1e', '1e+', '0x', '0x.', '0x1p', '1..2', 'nan', '-nan', 'in'];
    bad.push('infinit', '1e400', '-1e400', '1e-400', '0x1p1024', '0x1p-1076', '1,5', '1\0', '--1', 'nan(1)', '0x1g');
    for (const text of bad) expect(parseDouble(sliceOf(text)), text).toBeUndefined();
  });

  test('what is formatted reads back the same', () => {
    const random = new SeededRandom(3);
    for (let i = 0; i < 20_000; i++) {
      const value = randomDouble(random);
      expect(parseDouble(sliceOf(formatDouble(value)))).toBe(value);
      expect(parseDouble(sliceOf(String(value)))).toBe(value);
    }
  });
});

describe('beside the real server', () => {
  let redis: ServerProcess;
  let client: Pipeline;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Pipeline(redis.port);
  });

  afterAll(async () => {
    client.close();
    await redis.stop();
  });

  test('scores print alike', async () => {
    const random = new SeededRandom(4);
    const values = Array.from({ length: 20_000 }, () => randomDouble(random));
    await client.send(values.map((value, i) => ['ZADD', 'z', value === 0 ? '0' : String(value), `m${i}`]));
    const texts = await client.send(values.map((_, i) => ['ZSCORE', 'z', `m${i}`]));
    for (let i = 0; i < values.length; i++) expect(formatDouble(values[i])).toBe(texts[i]);
  });

  test('scores are read alike, and refused alike', async () => {
    const random = new SeededRandom(5);
    const alphabet = ['0', '1', '5', '9', '.', 'e', 'E', '-', '+', 'x', 'p', 'a', 'f', '0x', 'inf', 'nan', ' ', '30'];
    const texts = Array.from({ length: 20_000 }, () => {
      let text = '';
      for (let n = 1 + random.below(7); n > 0; n--) text += alphabet[random.below(alphabet.length)];
      return text;
    });
    const added = await client.send(texts.map((text, i) => ['ZADD', `k${i}`, text, 'm']));
    const scores = await client.send(texts.map((_, i) => ['ZSCORE', `k${i}`, 'm']));
    for (let i = 0; i < texts.length; i++) {
      const ours = parseDouble(sliceOf(texts[i]));
      if (ours === undefined) expect(added[i], texts[i]).toBeInstanceOf(Error);
      // A small zset keeps -0 as the integer 0.
      else expect(formatDouble(ours === 0 ? 0 : ours), texts[i]).toBe(scores[i]);
    }
  });

  test('integers are recognized alike', async () => {
    const random = new SeededRandom(6);
    const texts = ['', '0', '-0', '00', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-'];
    for (let i = 0; i < 3000; i++) {
      let text = random.below(3) === 0 ? '-' : '';
      for (let n = random.below(21); n >= 0; n--) text += random.below(200) === 0 ? '+' : random.below(10);
      texts.push(text);
    }
    await client.send(texts.map((text, i) => ['SET', `i${i}`, text]));
    const encodings = await client.send(texts.map((_, i) => ['OBJECT', 'ENCODING', `i${i}`]));
    for (let i = 0; i < texts.length; i++)
      expect(parseInt64(sliceOf(texts[i])) !== undefined, texts[i]).toBe(encodings[i] === 'int');
  });
});

describe('numbers of many digits', () => {
  const many = 5000;
  const value = (text: string) => parseDouble(sliceOf(text));

  test('are those that their digits say', () => {
    expect(value(`${'0'.repeat(many)}1.5`)).toBe(1.5);
    expect(value(`-0.${'0'.repeat(300)}1${'0'.repeat(many)}`)).toBe(-1e-301);
    expect(value(`1${'0'.repeat(many)}e-${many}`)).toBe(1);
    expect(value(`0.${'0'.repeat(many)}25e${many + 1}`)).toBe(2.5);
    expect(value(`${'0'.repeat(many)}.${'0'.repeat(many)}`)).toBe(0);
    expect(value(`${'9'.repeat(many)}`)).toBeUndefined();
    expect(value(`${'9'.repeat(many)}x`)).toBeUndefined();
  });

  test('are rounded by all of them', () => {
    // Half way between 1 and the double after it, and a little more.
    const half = '1.00000000000000011102230246251565404236316680908203125';
    expect(value(half + '0'.repeat(many))).toBe(1);
    expect(value(`${half}${'0'.repeat(many)}1`)).toBe(1 + Number.EPSILON);
  });
});
