/** Hellos, as real Sentinels publish them. */
import { expect, test } from 'vitest';
import { formatHello, parseHello } from '../../../src/sentinel/hello.ts';

const RECORDED =
  '127.0.0.1,27001,063002ef622bf425f8d69ac669a6b625fa158f71,12,mymaster,127.0.0.1,27011,9007199254740991';

test('a hello is read and written', () => {
  const hello = parseHello(RECORDED);
  expect(hello).toEqual({
    host: '127.0.0.1',
    port: 27001,
    runid: '063002ef622bf425f8d69ac669a6b625fa158f71',
    currentEpoch: 12,
    master: 'mymaster',
    masterHost: '127.0.0.1',
    masterPort: 27011,
    configEpoch: Number.MAX_SAFE_INTEGER,
  });
  expect(formatHello(hello!)).toBe(RECORDED);
});

test.each([
  '',
  'x',
  RECORDED.replace(',mymaster', ''),
  `${RECORDED},0`,
  RECORDED.replace('27001', '65536'),
  RECORDED.replace('27011', '-1'),
  RECORDED.replace(',12,', ',1e3,'),
  RECORDED.replace('9007199254740991', '9007199254740992'),
  RECORDED.replace('9007199254740991', '18446744073709551615'),
  RECORDED.replace('127.0.0.1,27011', ',27011'),
  RECORDED.replace(/^127.0.0.1/, ''),
  ','.repeat(100_000),
])('%# is none', (text) => {
  expect(parseHello(text)).toBeUndefined();
});
