/** The tools as programs: under their own names, as words behind the program's, through pipes. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OracleProgram, oracle } from '../support/oracle.ts';
import { file, key, str } from '../support/rdb-format.ts';
import { MAIN } from '../support/server-process.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-tools-'));
  for (const name of ['redis-check-rdb', 'redis-check-aof', 'cinnabar']) symlinkSync(MAIN, join(folder, name));
  writeFileSync(join(folder, 'good.rdb'), file(10, key(0, 'key', str('value'))));
  writeFileSync(join(folder, 'bad.rdb'), file(10, key(0, 'key', str('value'))).subarray(0, 20));
  writeFileSync(join(folder, 'good.aof'), '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n');
  writeFileSync(join(folder, 'bad.aof'), '*2\r\n$6\r\nSELECT\r\n$1\r\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly output: string;
  readonly code: number | null;
}

function ours(name: string, args: readonly string[], input = ''): Result {
  const words = [join(folder, name), ...args];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { cwd: folder, encoding: 'latin1', input });
  return { output: stdout + stderr, code: status };
}

function theirs(name: OracleProgram, args: readonly string[], input = ''): Result {
  const { stdout, stderr, status } = spawnSync(oracle(name), args, { cwd: folder, encoding: 'latin1', input });
  return { output: stdout + stderr, code: status };
}

for (const [name, ...args] of [
  ['redis-check-rdb'],
  ['redis-check-rdb', '-v'],
  ['redis-check-rdb', 'good.rdb'],
  ['redis-check-rdb', 'bad.rdb'],
  ['redis-check-rdb', 'none.rdb'],
  ['redis-check-aof'],
  ['redis-check-aof', 'good.aof'],
  ['redis-check-aof', 'bad.aof'],
  ['redis-check-aof', 'none.aof'],
] as [OracleProgram, ...string[]][])
  test(`${name} ${args.join(' ')}`, () => {
    expect(ours(name, args)).toEqual(theirs(name, args));
    const word = name.replace('redis-', '');
    if (args.length > 0) expect(ours('cinnabar', [word, ...args])).toEqual(theirs(name, args));
    else expect(ours('cinnabar', [word]).output).toMatch(new RegExp(`^Usage: cinnabar ${word} `));
  });

test('redis-check-aof --fix asks', () => {
  const cut = readFileSync(join(folder, 'bad.aof'));
  for (const answer of ['n\n', 'y\n']) {
    writeFileSync(join(folder, 'fixed.aof'), cut);
    const real = theirs('redis-check-aof', ['--fix', 'fixed.aof'], answer);
    const wanted = readFileSync(join(folder, 'fixed.aof'));
    writeFileSync(join(folder, 'fixed.aof'), cut);
    expect(ours('redis-check-aof', ['--fix', 'fixed.aof'], answer)).toEqual(real);
    expect(readFileSync(join(folder, 'fixed.aof'))).toEqual(wanted);
  }
});

test('convert works through pipes', () => {
  const snapshot = readFileSync(join(folder, 'good.rdb'));
  const lines = spawnSync(process.execPath, [MAIN, 'convert', '--to', 'json', '-', '-'], { input: snapshot });
  expect(lines.stdout.toString()).toBe('{"type":"string","db":0,"key":"key","value":"value"}\n');
  expect(lines.stderr.toString()).toBe('');
  const commands = spawnSync(process.execPath, [MAIN, 'convert', '--to', 'aof', '-', '-'], { input: lines.stdout });
  expect(commands.stdout.toString()).toBe(
    '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n',
  );
  const back = spawnSync(process.execPath, [MAIN, 'convert', '--to', 'rdb', '-', join(folder, 'back.rdb')], {
    input: lines.stdout,
  });
  expect(back.stderr.toString()).toContain('1 keys written to');
  expect(theirs('redis-check-rdb', ['back.rdb']).code).toBe(0);
});

test('an append-only file that comes through a pipe is refused', () => {
  const { stderr, status } = spawnSync(process.execPath, [MAIN, 'convert', '--to', 'json', '-', '-'], {
    input: readFileSync(join(folder, 'good.aof')),
  });
  expect({ said: stderr.toString(), status }).toEqual({
    said: 'Error: an append-only file has to be a file\n',
    status: 1,
  });
});

test.each([
  ['check-rdb', 'good.rdb'],
  ['convert', 'good.rdb', '-', '--to', 'json'],
])('a pipe that nobody reads any more ends %s quietly', async (tool, name, ...options) => {
  const child = spawn(process.execPath, [MAIN, tool, join(folder, name), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const code = await new Promise((done) => child.once('close', done));
  expect({ code, complaint }).toEqual({ code: 141, complaint: '' });
});
