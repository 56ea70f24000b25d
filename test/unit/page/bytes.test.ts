/** Bytes as people see and type them: nothing is lost on the way there and back. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { editable, escaped, shown, textOf, typed, unescaped } from '../../../src/page/bytes.ts';

const ALL = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');

test('escapes stand for the bytes that they were made of', () => {
  expect(escaped('\0\xff\\\n"')).toBe('\\x00\\xff\\\\\\n"');
  expect(unescaped(escaped(ALL))).toBe(ALL);
});

test('whatever a field shows gives the same bytes again', () => {
  const seed = 19;
  const random = new SeededRandom(seed);
  const pieces = [
    'a',
    '\\',
    'x41',
    '\n',
    '\r',
    '\t',
    '\0',
    '\xff',
    '"',
    typed('é'),
    typed('☀'),
    typed('\u202e'),
    typed('👍'),
    '\xc3',
  ];
  for (let i = 0; i < 2000; i++) {
    const bytes = Array.from({ length: random.below(6) }, () => pieces[random.below(pieces.length)]).join('');
    const text = editable(bytes);
    const where = `seed ${seed}, round ${i}`;
    if (text !== undefined) expect([where, typed(text), /\r/.test(text)]).toEqual([where, bytes, false]);
    expect([where, unescaped(escaped(bytes))]).toEqual([where, bytes]);
    expect([where, unescaped(shown(bytes))]).toEqual([where, bytes]);
  }
});

describe('what is typed with escapes', () => {
  test.each(['\\', '\\q', '\\x', '\\x4', '\\xg0', 'a\\'])('%s is no escape', (text) =>
    expect(unescaped(text)).toBeUndefined(),
  );

  test('may be any text besides', () => {
    expect(unescaped('é👍\\xFF')).toBe(`${typed('é👍')}\xff`);
  });
});

test('what can’t be seen is shown by escapes, all else as text', () => {
  expect(shown(typed('schöne neue Welt ☀'))).toBe('schöne neue Welt ☀');
  expect(shown(typed('a\u202eb'))).toBe('a\\xe2\\x80\\xaeb');
  expect(shown('a\nb')).toBe('a\\nb');
  expect(shown('\xff')).toBe('\\xff');
  expect(textOf('\xff')).toBeUndefined();
  expect(editable('line\nline\t')).toBe('line\nline\t');
  expect(editable('line\r\n')).toBeUndefined();
});
