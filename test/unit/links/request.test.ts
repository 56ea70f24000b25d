/** Requests as bytes. */
import { expect, test } from 'vitest';
import { encode, encodeAll, type Request } from '../../../src/links/request.ts';

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

test('words of any length, as texts and as bytes', () => {
  for (const length of [0, 1, 9, 10, 24, 25, 99, 100, 1000, 70_000]) {
    const word = Array.from({ length }, (_, i) => String.fromCharCode((i * 7) & 255)).join('');
    const expected = `*2\r\n$${length}\r\n${word}\r\n$${length}\r\n${word}\r\n`;
    expect(text(encode([word, Buffer.from(word, 'latin1')]))).toBe(expected);
  }
});

test('several, one behind the other, of any number of words', () => {
  const requests: Request[] = [['PING'], [], Array.from({ length: 12 }, () => 'a')];
  expect(text(encodeAll(requests))).toBe(`*1\r\n$4\r\nPING\r\n*0\r\n*12\r\n${'$1\r\na\r\n'.repeat(12)}`);
  expect(encodeAll([]).length).toBe(0);
});
