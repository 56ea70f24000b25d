import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addLongDouble, formatLongDouble, LongDouble, parseLongDouble } from '../../../src/base/long-double.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { Pipeline } from '../../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

const read = (text: string): LongDouble | undefined => parseLongDouble(sliceOf(text));
const shown = (text: string): string | undefined => {
  const value = read(text);
  return value === undefined ? undefined : formatLongDouble(value);
};

/** What INCRBYFLOAT of `increment` on `value` answers. */
function sum(value: string, increment: string): string {
  const a = read(value);
  const b = read(increment);
  if (a === undefined || b === undefined) return 'ERR value is not a valid float';
  const result = addLongDouble(a, b);
  if (result.isNaN() || result.isInfinite()) return 'ERR increment would produce NaN or Infinity';
  return formatLongDouble(result);
}

function randomNumber(random: SeededRandom): string {
  const sign = random.below(3) === 0 ? '-' : '';
  const digits = (n: number): string => Array.from({ length: n }, () => random.below(10)).join('');
  switch (random.below(7)) {
    case 0:
      return sign + random.below(1000);
    case 1:
      return sign + random.below(1000) + '.' + digits(1 + random.below(20));
    case 2:
      return sign + digits(1 + random.below(40)) + '.' + digits(1 + random.below(40));
    case 3:
      return sign + digits(1 + random.below(20)) + 'e' + (random.below(60) - 30);
    case 4:
      return sign + digits(1 + random.below(20)) + 'e' + (random.below(10100) - 5050);
    case 5:
      return (
        sign + '0x' + random.bits32().toString(16) + '.' + random.bits32().toString(16) + 'p' + (random.below(80) - 60)
      );
    default:
      return sign + random.double01() * 10 ** (random.below(20) - 10);
  }
}

describe('long doubles', () => {
  test('sums as the x87 makes them', () => {
    expect(sum('3.0e3', '200')).toBe('3200');
    expect(sum('10.50', '0.1')).toBe('10.6');
    expect(sum('5.0e3', '2.0e2')).toBe('5200');
    expect(sum('0', '1.23')).toBe('1.23');
    expect(sum('17179869184', '1.5')).toBe('17179869185.5');
    expect(sum('1', '-1.1')).toBe('-0.1');
    expect(sum('-0', '-0')).toBe('0');
    expect(sum('-0.000000000000000001', '0')).toBe('0');
    expect(sum('inf', '-inf')).toBe('ERR increment would produce NaN or Infinity');
    expect(sum('1e4932', '1e4932')).toBe('ERR increment would produce NaN or Infinity');
  });

  test('what is no number', () => {
    for (const text of ['', ' 1', '1 ', '-', '.', '1e', '0x', '0x.p1', 'nan', '1e4933', '1e-4960', '1\0', 'e5', '1e5.'])
      expect(read(text), text).toBeUndefined();
    expect(read('9'.repeat(5119))).toBeUndefined();
    expect(read(`0.${'0'.repeat(5117)}`)).toBeDefined();
    expect(read(`0.${'0'.repeat(5118)}`)).toBeUndefined();
  });

  test('the limits of the format', () => {
    expect(shown('1.18973149535723176502e4932')).toHaveLength(4933);
    expect(shown('3.6e-4951')).toBe('0');
    expect(shown('18446744073709551615')).toBe('18446744073709551615');
    expect(shown('18446744073709551617')).toBe('18446744073709551616');
    expect(shown('0x1p63')).toBe('9223372036854775808');
    expect(shown('-Inf')).toBe('-inf');
    expect(formatLongDouble(LongDouble.from(-(2n ** 63n)))).toBe('-9223372036854775808');
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

  test('INCRBYFLOAT agrees on thousands of sums', async () => {
    const random = new SeededRandom(7);
    const pairs = Array.from({ length: 6000 }, () => {
      const value = randomNumber(random);
      // Often a near neighbour, so that digits cancel.
      const near =
        random.below(4) === 0 ? (value[0] === '-' ? value.slice(1) : '-' + value) + '1' : randomNumber(random);
      return [value, near] as const;
    });
    await client.send(pairs.map(([value], i) => ['SET', `k${i}`, value]));
    const answers = await client.send(pairs.map(([, increment], i) => ['INCRBYFLOAT', `k${i}`, increment]));
    for (let i = 0; i < pairs.length; i++) {
      const answer = answers[i];
      const theirs = answer instanceof Error ? answer.message : answer;
      expect(sum(...pairs[i]), pairs[i].join(' + ')).toBe(theirs);
    }
  });
});
