import { expect, test } from 'vitest';
import { ServerLog } from '../../../src/server/log.ts';

function logOf(level: 'debug' | 'verbose' | 'notice' | 'warning', format: 'redis' | 'json') {
  const lines: string[] = [];
  return { lines, log: new ServerLog({ file: '', level, format, sink: (line) => lines.push(line) }) };
}

function sayAll(log: ServerLog): void {
  log.debug('one');
  log.verbose('two');
  log.notice('three');
  log.warning('four');
}

test('marks and levels of lines', () => {
  const { log, lines } = logOf('debug', 'redis');
  sayAll(log);
  log.role = 'M';
  log.level = 'notice';
  sayAll(log);
  const rest = /^\d+:([CM]) \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} (.*\n)$/;
  const wanted = ['C . one', 'C - two', 'C * three', 'C # four', 'M * three', 'M # four'];
  expect(lines.map((line) => rest.exec(line)?.slice(1).join(' '))).toEqual(wanted.map((text) => `${text}\n`));
});

test('a message is no format', () => {
  for (const format of ['redis', 'json'] as const) {
    const { log, lines } = logOf('notice', format);
    log.warning('100% of %s, %d');
    expect(lines.join('')).toContain('100% of %s, %d');
  }
});

test('JSON, from a line on and back', () => {
  const { log, lines } = logOf('verbose', 'redis');
  log.role = 'M';
  log.notice('before');
  log.format = 'json';
  sayAll(log);
  expect(log.format).toBe('json');
  log.format = 'redis';
  log.notice('after');
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatch(/ \* before\n$/);
  expect(lines[4]).toMatch(/ \* after\n$/);
  const objects = lines.slice(1, 4).map((line) => JSON.parse(line));
  const same = { pid: process.pid, role: 'M', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) };
  expect(objects).toEqual([
    { level: 'verbose', msg: 'two', ...same },
    { level: 'notice', msg: 'three', ...same },
    { level: 'warning', msg: 'four', ...same },
  ]);
});

test('control bytes that others have sent are shown, and not written', () => {
  const { log, lines } = logOf('notice', 'redis');
  log.warning('a\x1b[2Jb\0\r\tc\x7f\xe9');
  expect(lines.join('')).toContain('# a\\x1b[2Jb\\x00\\x0d\tc\\x7f\xe9\n');
});
