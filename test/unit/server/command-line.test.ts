/** Command lines that end by themselves, beside redis-server's: the same words on the same streams, the same exit code. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oracle } from '../../support/oracle.ts';
import { MAIN } from '../../support/server-process.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-line-'));
  mkdirSync(join(folder, 'more'));
  const files: readonly (readonly [string, string])[] = [
    ['good.conf', 'port 0'],
    ['bad.conf', '# a comment\nport x\n'],
    ['more/a.conf', 'maxmemory 5mb\n'],
    ['more/b.conf', 'maxmemory 5x\n'],
    ['renamed.conf', 'rename-command GET get2\nrename-command get get3\n'],
    ['watch.conf', 'sentinel bogus m 1\n'],
    ['quotes.conf', 'port 0\ndir "/x\n'],
  ];
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  symlinkSync(MAIN, join(folder, 'redis-sentinel'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly out: string;
  readonly err: string;
  readonly code: number | null;
}

/** Without what names the process, the moment, or which program it is. */
function plain(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/is starting|just started|overcommit/.test(line))
    .map((line) => line.replace(/^\d+:([A-Z]) \d\d \w{3} \d{4} [\d:.]+ /, 'PID:$1 '))
    .join('\n');
}

function run(program: string, args: readonly string[], input: string): Result {
  const { stdout, stderr, status } = spawnSync(program, args, { cwd: folder, encoding: 'latin1', input });
  return { out: plain(stdout), err: plain(stderr), code: status };
}

const ours = (args: readonly string[], input = ''): Result => run(process.execPath, [MAIN, ...args], input);
/** Without the line behind Redis's own, which says where the fault is and what was expected; there is one for every line at fault. */
const likeTheirs = (args: readonly string[], input = ''): Result => {
  const result = ours(args, input);
  const place = /(?<=\n)\(.*\)\n$/;
  expect(place.test(result.err)).toBe(result.err.includes('Reading the configuration file'));
  return { ...result, err: result.err.replace(place, '') };
};
const theirs = (args: readonly string[], input = ''): Result => run(oracle('redis-server'), args, input);

describe('the same as redis-server:', () => {
  test.each([
    'none.conf',
    'none.conf --port 0',
    'none*.conf --port 0',
    'bad.conf',
    'quotes.conf',
    'good.conf',
    'good.conf --port 0 --loglevel debug',
    'good.conf --loglevel warning',
    'renamed.conf',
    '--include more/*.conf',
    '--include none.conf',
    '--nosuch',
    '--port',
    '--port x',
    '--port 7400 7401',
    '--port=7400',
    '-x',
    '-- --port 0',
    '--port 7400 --bind',
    '--port 7400 --bind -1.2.3.4',
    '--port 7400 --bind 1.2.3.4 --pidfile server.pid',
    '--port 0 --unixsocket none/socket',
    '--port 0 --supervised x',
    '--dir none',
    '--logfile none/log',
    '--cluster-enabled yes --replicaof a 1',
    '--sentinel',
    '--port 0 --sentinel',
    'watch.conf',
    'good.conf --sentinel monitor m 127.0.0.1 1 0',
    'watch.conf --sentinel --loglevel x',
  ])('%s', (line) => {
    const args = line.split(' ');
    expect(likeTheirs(args)).toEqual(theirs(args));
    expect(existsSync(join(folder, 'server.pid'))).toBe(false);
  });

  test.each([
    ['-', 'port x\n'],
    ['-', 'port 0\nfoo'],
    ['more/a.conf -', 'foo\n'],
    ['- --port 0', 'port x'],
    ['- --port 0', 'loglevel debug'],
  ])('%s < %j', (line, input) => {
    const args = line.split(' ');
    expect(likeTheirs(args, input)).toEqual(theirs(args, input));
  });
});

test('the last line of a file and the first of the standard input are two lines', () => {
  expect(ours(['good.conf', '-'], 'foo').err).toContain("at line 2\n>>> 'foo'");
});

test('--version and --help do not mind what follows', () => {
  const { out, code } = ours(['--version', 'and', 'more']);
  expect({ out, code }).toEqual({ out: ours(['-v']).out, code: 0 });
  expect(ours(['--help', 'port']).out).toMatch(/^Usage: cinnabar/);
});

test('under the name of redis-sentinel it is a Sentinel, which does without no file', () => {
  expect(run(process.execPath, [join(folder, 'redis-sentinel'), '--port', '0'], '')).toEqual(theirs(['--sentinel']));
});

test('the file of a Sentinel may stand behind --sentinel', () => {
  expect(likeTheirs(['--sentinel', 'watch.conf'])).toEqual(theirs(['watch.conf', '--sentinel']));
});

test('a manager that waits to be told is warned of', () => {
  expect(ours(['--port', '0', '--supervised', 'systemd']).out).toContain(
    'systemd supervision error: NOTIFY_SOCKET not found!',
  );
});
