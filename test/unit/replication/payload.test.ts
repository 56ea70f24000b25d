/** Payloads in pieces of every size: what is theirs is handed on, byte by byte the same, and nothing that is not. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Payload } from '../../../src/replication/payload.ts';

const MARK = '0123456789abcdef0123456789abcdef01234567';

interface Got {
  length: number;
  mark: string;
  bytes: string;
  ended: number;
  rest: string;
  error: string;
}

function feed(pieces: readonly string[]): Got {
  const got: Got = { length: -2, mark: '', bytes: '', ended: 0, rest: '', error: '' };
  const payload = new Payload({
    begin: (length, mark) => Object.assign(got, { length, mark }),
    bytes: (buffer, from, to) => {
      got.bytes += Buffer.from(buffer.subarray(from, to)).toString('latin1');
    },
    end: () => {
      got.ended++;
    },
  });
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1');
    if (payload.done) {
      got.rest += piece;
      continue;
    }
    const end = payload.take(bytes, 0, bytes.length);
    if (typeof end === 'string') return { ...got, error: end };
    got.rest += piece.slice(end);
  }
  return got;
}

function cut(text: string, sizes: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const size = sizes();
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

describe('a payload', () => {
  const body = `REDIS0010${MARK.slice(0, 39)}x${MARK.slice(1)}${'y'.repeat(100)}`;

  test.each([1, 2, 3, 7, 39, 40, 41, 79, 80, 81, 1000])('in pieces of %d bytes', (size) => {
    const counted = feed(cut(`\n\n$${body.length}\r\n${body}*1\r\n$4\r\nPING\r\n`, () => size));
    expect(counted).toMatchObject({ length: body.length, bytes: body, ended: 1, rest: '*1\r\n$4\r\nPING\r\n' });
    const marked = feed(cut(`\n$EOF:${MARK}\r\n${body}${MARK}`, () => size));
    expect(marked).toMatchObject({ length: -1, mark: MARK, bytes: body, ended: 1, rest: '' });
  });

  test('in pieces of random sizes', () => {
    const random = new SeededRandom(7);
    for (let round = 0; round < 500; round++) {
      const text = `\n$EOF:${MARK}\r\n${body}${MARK}`;
      const got = feed(cut(text, () => 1 + (random.bits32() % 90)));
      expect(got, `seed 7, round ${round}`).toMatchObject({ bytes: body, ended: 1 });
    }
  });

  test('of no bytes', () => {
    expect(feed(['$0\r\nrest'])).toMatchObject({ length: 0, bytes: '', ended: 1, rest: 'rest' });
    expect(feed([`$EOF:${MARK}\r\n${MARK}`])).toMatchObject({ bytes: '', ended: 1 });
  });

  test.each([
    ['-ERR no\r\n', /MASTER aborted replication with an error: ERR no/],
    ['+OK\r\n', /first byte is not '\$'/],
    ['$abc\r\n', /length/],
    ['$-1\r\n', /length/],
    ['$99999999999999999999\r\n', /length/],
    ['x'.repeat(200), /no end/],
  ])('refuses %s', (text, error) => {
    expect(feed([text]).error).toMatch(error);
  });
});
