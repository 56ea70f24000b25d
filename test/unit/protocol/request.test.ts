import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { bytesOf } from '../../../src/base/slice.ts';
import { BROKEN, MORE, READY, RequestParser } from '../../../src/protocol/request.ts';

const LIMITS = { protoMaxBulkLen: 512 * 1024 * 1024 };

/** Feeds pieces as a connection does: in place when nothing waits, else behind what waits. */
class Feeder {
  readonly parser = new RequestParser(LIMITS);
  readonly commands: string[][] = [];
  error: string | null = null;
  private rest = new Uint8Array(0);
  trusted = true;

  feed(piece: Uint8Array): void {
    const buffer = new Uint8Array(this.rest.length + piece.length + 3).fill(88);
    buffer.set(this.rest, 3);
    buffer.set(piece, 3 + this.rest.length);
    const to = buffer.length;
    this.parser.moved(buffer, 3 - this.parser.begin);
    let outcome = READY;
    while ((outcome = this.parser.next(buffer, to, this.trusted)) === READY) {
      this.commands.push(this.parser.args.slice(0, this.parser.argc).map((arg) => arg.latin1()));
    }
    if (outcome === BROKEN) this.error = this.parser.error;
    this.rest = buffer.slice(this.parser.begin, to);
    if (outcome === MORE && this.rest.length > 0) this.parser.moved(this.rest, -this.parser.begin);
    else this.parser.start(0);
  }
}

function parse(text: string, trusted = true): Feeder {
  const feeder = new Feeder();
  feeder.trusted = trusted;
  feeder.feed(bytesOf(text));
  return feeder;
}

function multibulk(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

const SAMPLES: readonly (readonly [string, string[][]])[] = [
  [multibulk('GET', 'key'), [['GET', 'key']]],
  [multibulk('SET', 'a\r\n\0b', '') + multibulk('PING'), [['SET', 'a\r\n\0b', ''], ['PING']]],
  ['PING\r\n', [['PING']]],
  ['\r\n\n  \r\nset  a\t"b c"\n', [['set', 'a', 'b c']]],
  ['*0\r\n*-1\r\n*-10\r\nPING\n', [['PING']]],
  ['echo "\\x41\\n\\r\\t\\b\\a\\q\\"" \'it\\\'s\\n\' ""\r\n', [['echo', 'A\n\r\t\b\x07q"', "it's\\n", '']]],
  [
    'echo a"b"\r\necho \\x41 "\\xZZ"\r\n',
    [
      ['echo', 'ab'],
      ['echo', '\\x41', 'xZZ'],
    ],
  ],
  [multibulk('X', 'y'.repeat(40_000)) + 'inline\r\n', [['X', 'y'.repeat(40_000)], ['inline']]],
  ['*2\r\n$4\r\nECHOab$2\r\nhiXX', [['ECHO', 'hi']]],
];

describe('requests', () => {
  test.each(SAMPLES)('sample %#', (text, commands) => {
    const feeder = parse(text);
    expect(feeder.error).toBe(null);
    expect(feeder.commands).toEqual(commands);
  });

  test('every split into two gives the same commands', () => {
    for (const [text, commands] of SAMPLES) {
      const bytes = bytesOf(text);
      const step = bytes.length > 1000 ? 997 : 1;
      for (let cut = 0; cut <= bytes.length; cut += step) {
        const feeder = new Feeder();
        feeder.feed(bytes.slice(0, cut));
        feeder.feed(bytes.slice(cut));
        expect(feeder.commands).toEqual(commands);
      }
    }
  });

  test('byte by byte', () => {
    for (const [text, commands] of SAMPLES.filter(([text]) => text.length < 1000)) {
      const feeder = new Feeder();
      for (const byte of bytesOf(text)) feeder.feed(Uint8Array.of(byte));
      expect(feeder.commands).toEqual(commands);
    }
  });

  test('arguments stay right while a command of many arguments moves', () => {
    const args = Array.from({ length: 3000 }, (_, i) => `argument-${i}`);
    const bytes = bytesOf(multibulk(...args));
    const feeder = new Feeder();
    for (let at = 0; at < bytes.length; at += 1009) feeder.feed(bytes.slice(at, at + 1009));
    expect(feeder.commands).toEqual([args]);
  });

  test('random commands at random splits', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new SeededRandom(seed);
      const commands: string[][] = [];
      let text = '';
      for (let i = 0; i < 60; i++) {
        const args = Array.from({ length: 1 + random.below(6) }, () =>
          Array.from({ length: random.below(20) }, () => String.fromCharCode(random.below(256))).join(''),
        );
        commands.push(args);
        text += multibulk(...args);
      }
      const bytes = bytesOf(text);
      const feeder = new Feeder();
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.below(40);
        feeder.feed(bytes.slice(at, end));
        at = end;
      }
      expect(feeder.commands, `seed ${seed}`).toEqual(commands);
    }
  });

  test('a big argument says how many bytes it wants', () => {
    const parser = new RequestParser(LIMITS);
    const bytes = bytesOf('*2\r\n$1\r\nx\r\n$100000\r\nabc');
    parser.start(0);
    expect(parser.next(bytes, bytes.length, true)).toBe(MORE);
    expect(parser.wanted).toBe(bytes.length - 3 + 100_002);
    expect(parser.argumentBytes).toBe(parser.at - parser.begin + parser.overhead);
  });
});

describe('protocol errors', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['*3000000000\r\n', 'invalid multibulk length'],
    ['*x\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*1\r\n\r\n', "expected '$', got '\r'"],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$blabla\r\n', 'invalid bulk length'],
    ['*1\r\n$2000000000\r\n', 'invalid bulk length'],
    ['*1\r\n$99999999999999999999\r\n', 'invalid bulk length'],
    ['set """a""" b\r\n', 'unbalanced quotes in request'],
    ["set 'a\r\n", 'unbalanced quotes in request'],
    ['x'.repeat(65537), 'too big inline request'],
    [`\0${'x\n'.repeat(40_000)}`, 'too big inline request'],
    [`*${'1'.repeat(65537)}`, 'too big mbulk count string'],
    [`*\0${'\r\n'.repeat(40_000)}`, 'too big mbulk count string'],
    [`*1\r\n$${'1'.repeat(65537)}`, 'too big bulk count string'],
  ];

  test.each(cases)('case %#', (text, error) => {
    expect(parse(text).error).toBe(`ERR Protocol error: ${error}`);
  });

  test('what is still allowed', () => {
    for (const text of ['*2147483647\r\n', '*1\r\n$536870912\r\n', 'x'.repeat(65536), '*1\r\nfoo']) {
      expect(parse(text).error).toBe(null);
    }
  });

  test('limits before authentication', () => {
    expect(parse('*11\r\n', false).error).toBe('ERR Protocol error: unauthenticated multibulk length');
    expect(parse('*1\r\n$16385\r\n', false).error).toBe('ERR Protocol error: unauthenticated bulk length');
    expect(parse('*10\r\n$16384\r\n', false).error).toBe(null);
  });

  test('random bytes never throw', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = new SeededRandom(seed);
      const alphabet = '*$0123456789\r\n"\'\\x \0a-';
      const text = Array.from({ length: random.below(60) }, () => alphabet[random.below(alphabet.length)]).join('');
      const whole = parse(text);
      const pieces = new Feeder();
      for (const byte of bytesOf(text)) if (pieces.error === null) pieces.feed(Uint8Array.of(byte));
      expect(pieces.commands, `seed ${seed}`).toEqual(whole.commands);
      expect(pieces.error, `seed ${seed}`).toBe(whole.error);
    }
  });
});
