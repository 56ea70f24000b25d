/** Records of an append-only file, read through a window: against what was written, however the bytes arrive. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { AofReader, BAD, END, RECORD, SHORT } from '../../../src/persistence/aof/read.ts';
import { drawSeed } from '../../support/seed.ts';

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

function record(...parts: string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`;
}

/** A reader over `bytes` that gives them in pieces of at most `most`. */
function over(bytes: Uint8Array, most = () => bytes.length, from = 0): AofReader {
  let at = from;
  return new AofReader(
    (into, to, length) => {
      const some = Math.min(length, bytes.length - at, Math.max(1, most()));
      into.set(bytes.subarray(at, at + some), to);
      at += some;
      return some;
    },
    from,
    bytes.length,
  );
}

/** What a reader gives up to where it halts. */
function all(reader: AofReader): { records: string[][]; ends: number[]; halt: number; at: number } {
  const records: string[][] = [];
  const ends: number[] = [];
  for (;;) {
    const halt = reader.next();
    if (halt !== RECORD) return { records, ends, halt, at: reader.offset };
    records.push(reader.args.slice(0, reader.argc).map((arg) => arg.latin1()));
    ends.push(reader.offset);
  }
}

describe('records and annotations', () => {
  test('in any pieces, also ones larger than the window, with the offset behind each', () => {
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    for (let round = 0; round < 40; round++) {
      const wanted: string[][] = [];
      const ends: number[] = [];
      let text = '';
      for (let i = random.below(30); i >= 0; i--) {
        if (random.below(4) === 0) text += `#TS:${random.below(1000)}\r\n`;
        const large = random.below(20) === 0 ? 700_000 : 40;
        const parts = Array.from({ length: 1 + random.below(5) }, () =>
          '\r\n$*#'[random.below(5)].repeat(random.below(large)),
        );
        text += record(...parts);
        wanted.push(parts);
        ends.push(text.length);
      }
      const pieces = [1, 7, 1000, 1_000_000][random.below(4)];
      if (pieces === 1 && text.length > 20_000) continue;
      const found = all(over(latin(text), () => 1 + random.below(pieces)));
      expect(found, `seed ${seed}, round ${round}`).toEqual({ records: wanted, ends, halt: END, at: text.length });
    }
  });

  test('many parts, and then few', () => {
    const parts = Array.from({ length: 5000 }, (_, i) => String(i));
    const reader = over(latin(record(...parts) + record('PING')));
    expect(all(reader).records).toEqual([parts, ['PING']]);
    expect(reader.args.length).toBeLessThanOrEqual(1024);
  });

  test('reading begins where a snapshot ends', () => {
    const found = all(over(latin(`12345${record('PING')}`), undefined, 5));
    expect(found).toEqual({ records: [['PING']], ends: [19], halt: END, at: 19 });
  });

  test('what Redis takes as well: bare line feeds, signs of rubbish behind a number, any two bytes behind an argument', () => {
    expect(all(over(latin('*1\n$4\nPINGxx*1 rubbish\r\n$4x\r\nPONG\r\n'))).records).toEqual([['PING'], ['PONG']]);
  });
});

describe('where a file does not hold on to the end', () => {
  test('every beginning of a file is its whole records and then a short one', () => {
    const text = `${record('SET', 'k', 'v')}#TS:123\r\n${record('SET', 'long', 'x'.repeat(130))}${record('PING')}`;
    const whole = all(over(latin(text)));
    for (let cut = 0; cut < text.length; cut++) {
      const found = all(over(latin(text.slice(0, cut))));
      const records = whole.ends.filter((end) => end <= cut).length;
      expect(found.records, `cut at ${cut}`).toEqual(whole.records.slice(0, records));
      const behind = records === 0 ? 0 : whole.ends[records - 1];
      const clean = cut === behind || (records === 1 && cut === behind + '#TS:123\r\n'.length);
      expect(found.halt, `cut at ${cut}`).toBe(clean ? END : SHORT);
    }
  });

  test.each([
    'PING\r\n',
    '!!!',
    '\0\0\0\0',
    '*0\r\n',
    '*-1\r\n',
    '*x\r\n',
    '*1\r\n#4\r\nPING\r\n',
    '*1\r\n:4\r\n',
    '*1\r\n$-1\r\n\r\n',
  ])('no record: %j', (text) => {
    const good = record('PING');
    expect(all(over(latin(good + text)))).toMatchObject({ records: [['PING']], halt: BAD, at: good.length });
  });

  test('a length that the file does not have is not believed', () => {
    const asked: number[] = [];
    const text = latin('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99999999999\r\nxyz');
    let at = 0;
    const reader = new AofReader(
      (into, to, length) => {
        asked.push(into.length);
        const some = Math.min(length, text.length - at);
        into.set(text.subarray(at, at + some), to);
        at += some;
        return some;
      },
      0,
      text.length,
    );
    expect(reader.next()).toBe(SHORT);
    expect(reader.offset).toBe(0);
    expect(Math.max(...asked)).toBeLessThanOrEqual(1 << 18);
    expect(all(over(latin('*1\r\n$9999999999999999999999\r\nx'))).halt).toBe(SHORT);
  });

  test('the window shrinks again after a large record', () => {
    const sizes: number[] = [];
    const bytes = latin(record('SET', 'k', 'v'.repeat(9_000_000)) + record('PING').repeat(60_000));
    let at = 0;
    const reader = new AofReader(
      (into, to, length) => {
        sizes.push(into.length);
        const some = Math.min(length, bytes.length - at);
        into.set(bytes.subarray(at, at + some), to);
        at += some;
        return some;
      },
      0,
      bytes.length,
    );
    expect(all(reader).records.length).toBe(60_001);
    expect(Math.max(...sizes)).toBeLessThan(2 * 9_100_000);
    expect(sizes.at(-1)).toBe(1 << 18);
  });
});
