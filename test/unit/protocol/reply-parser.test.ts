/** Replies as values, whole and in pieces. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { ReplyError } from '../../../src/protocol/reply-error.ts';
import { CutShort, type ParsedReply, ReplyParser } from '../../../src/protocol/reply-parser.ts';

interface Heard {
  readonly reply: ParsedReply;
  readonly position: number;
  readonly push: boolean;
}

function read(pieces: readonly string[], buffers = false): Heard[] {
  const heard: Heard[] = [];
  const parser = new ReplyParser({
    begins: () => buffers,
    complete: (reply, position, push) => heard.push({ reply, position, push }),
  });
  for (const piece of pieces) parser.read(Uint8Array.from(Buffer.from(piece, 'latin1')));
  return heard;
}

const CASES: [bytes: string, value: ParsedReply][] = [
  ['+OK\r\n', 'OK'],
  ['+\r\n', ''],
  ['-WRONGTYPE no\r\n', new ReplyError('WRONGTYPE no')],
  [':-7\r\n', -7],
  [':9007199254740991\r\n', 9007199254740991],
  [':9223372036854775807\r\n', 9223372036854775807n],
  ['$0\r\n\r\n', ''],
  ['$4\r\na\r\nb\r\n', 'a\r\nb'],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['_\r\n', null],
  ['#t\r\n', true],
  ['#f\r\n', false],
  [',1.5\r\n', 1.5],
  [',-inf\r\n', Number.NEGATIVE_INFINITY],
  [',nan\r\n', Number.NaN],
  ['(123456789012345678901234567890\r\n', 123456789012345678901234567890n],
  ['=8\r\ntxt:text\r\n', 'text'],
  ['*0\r\n', []],
  ['%0\r\n', new Map()],
  ['*3\r\n*0\r\n*2\r\n:1\r\n$1\r\nx\r\n_\r\n', [[], [1, 'x'], null]],
  [
    '%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n:1\r\n:2\r\n',
    new Map<ParsedReply, ParsedReply>([
      ['a', 1],
      ['b', new Set([1, 2])],
    ]),
  ],
  ['|1\r\n+ttl\r\n:3\r\n*1\r\n:1\r\n', [1]],
];

test.each(CASES)('%j', (bytes, value) => {
  expect(read([bytes])).toEqual([{ reply: value, position: bytes.startsWith('|') ? 14 : 0, push: false }]);
});

test('replies come in whatever pieces, and tell where they begin', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new SeededRandom(seed);
  const all = CASES.map(([bytes]) => bytes).join('');
  const whole = read([all]);
  for (let round = 0; round < 50; round++) {
    const pieces: string[] = [];
    for (let at = 0; at < all.length; ) {
      const length = 1 + random.below(1 + random.below(20));
      pieces.push(all.slice(at, at + length));
      at += length;
    }
    expect(read(pieces), `seed ${seed}`).toEqual(whole);
  }
  expect(whole.map(({ reply }) => reply)).toEqual(CASES.map(([, value]) => value));
});

test('bytes come as they are where Buffers are asked for', () => {
  const [{ reply }] = read(['*2\r\n$2\r\n\xff\xfe\r\n=7\r\ntxt:\x80ab\r\n'], true);
  expect(reply).toEqual([Buffer.from([0xff, 0xfe]), Buffer.from('\x80ab', 'latin1')]);
});

test('a push is told apart', () => {
  expect(read(['>2\r\n+a\r\n:1\r\n:2\r\n'])).toEqual([
    { reply: ['a', 1], position: 0, push: true },
    { reply: 2, position: 12, push: false },
  ]);
});

describe('what is large', () => {
  test('may nest as deep as it likes', () => {
    const [{ reply }] = read([`${'*1\r\n'.repeat(100_000)}:1\r\n`]);
    let depth = 0;
    for (let value = reply; Array.isArray(value); [value] = value) depth++;
    expect(depth).toBe(100_000);
  });

  test('is put together once it has all come', () => {
    const pieces = Array.from({ length: 10_000 }, () => 'x'.repeat(100));
    const [{ reply }] = read(['$1000000\r\n', ...pieces, '\r\n']);
    expect(reply).toBe('x'.repeat(1_000_000));
  });
});

describe('a reply that is cut', () => {
  const omitted = (count: number): CutShort => new CutShort(null, count);
  const beginning = (text: string, length: number): CutShort => new CutShort(Buffer.from(text), length);
  test.each<[bytes: string, value: ParsedReply]>([
    ['$9\r\nabc', beginning('abc', 9)],
    ['$9\r\n', beginning('', 9)],
    ['=9\r\ntxt:ab', beginning('ab', 5)],
    ['*3\r\n:1\r\n', [1, omitted(2)]],
    ['*3\r\n:1\r\n:2', [1, omitted(2)]],
    ['*3\r\n$1\r\na\r\n$5\r\nxy', ['a', beginning('xy', 5), omitted(1)]],
    ['*2\r\n:1\r\n$5\r\nxy', [1, beginning('xy', 5)]],
    ['*2\r\n*2\r\n:1\r\n', [[1, omitted(1)], omitted(1)]],
    [
      '%2\r\n+a\r\n:1\r\n+b\r\n',
      new Map<ParsedReply, ParsedReply>([
        ['a', 1],
        ['b', omitted(1)],
      ]),
    ],
    ['~3\r\n:1\r\n', new Set<ParsedReply>([1, omitted(2)])],
    ['*2\r\n', [omitted(2)]],
  ])('%j is there as far as it has come', (bytes, value) => {
    const heard: ParsedReply[] = [];
    const parser = new ReplyParser({ begins: () => false, complete: (reply) => heard.push(reply) });
    parser.read(Buffer.from(`:5\r\n${bytes}`, 'latin1'));
    parser.cut();
    parser.read(Buffer.from('+behind\r\n'));
    parser.cut();
    expect(heard).toEqual([5, value, 'behind']);
  });

  test('places are counted on', () => {
    const places: number[] = [];
    const parser = new ReplyParser({ begins: () => false, complete: (_, position) => places.push(position) });
    parser.read(Buffer.from('*2\r\n$9\r\nabc'));
    parser.cut();
    parser.read(Buffer.from(':1\r\n'));
    expect(places).toEqual([0, 11]);
  });
});
