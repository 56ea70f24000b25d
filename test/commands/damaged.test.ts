/** The program beside redis-server 7.0.15, started on files that it can't load: what it tells, and its exit code. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { LONG } from '../support/long.ts';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';
import { MAIN } from '../support/server-process.ts';

const BASE = 'appendonlydir/appendonly.aof.1.base.rdb';
const INCREMENT = 'appendonlydir/appendonly.aof.1.incr.aof';
const MANIFEST = 'appendonlydir/appendonly.aof.manifest';
const FILES = 'file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n';
const SET = '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n';

let folder: string;
let good: string;

async function snapshot(server: CinnabarServer): Promise<string> {
  const session = server.session();
  await session.call('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)");
  for (const words of ['SET string text', 'SET number 12345 PX 10000000000', 'RPUSH list a b c', 'SADD set x y 1'])
    await session.call(...words.split(' '));
  for (const words of ['HSET hash f v g w', 'ZADD zset 1.5 m 2 n', 'XADD stream 1-1 a b', 'SAVE'])
    await session.call(...words.split(' '));
  return readFileSync(join(folder, 'dump.rdb'), 'latin1');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-damaged-'));
  const server = createServer({ settings: { dir: folder } });
  good = await snapshot(server);
  await server.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Files = Readonly<Record<string, string | null>>;

/** Makes the files, one character a byte (null is a folder), and starts both programs where they lie. */
async function start(files: Files, options: readonly string[]): Promise<readonly [string, string]> {
  const port = String(await freePort());
  const programs = [
    [process.execPath, MAIN],
    [oracle('redis-server'), ''],
  ];
  const [ours, theirs] = programs.map(([program, script]) => {
    const where = mkdtempSync(join(folder, 'run-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(where, name)), { recursive: true });
      if (text === null) mkdirSync(join(where, name));
      else writeFileSync(join(where, name), text, 'latin1');
    }
    const args = ['--port', port, '--save', '', '--dir', where, ...options];
    return told(spawnSync(program, script === '' ? args : [script, ...args], { cwd: where, encoding: 'latin1' }));
  });
  return [ours, theirs];
}

/** The lines from where the server begins to load, without what can't be equal, and how it ended. */
function told({ stdout, status }: SpawnSyncReturns<string>): string {
  const text = stdout
    .slice(stdout.indexOf('Server initialized\n') + 19)
    .replace(/^\d+:([A-Z]) \d+ \w+ \d+ [\d:.]+ /gm, '$1 ')
    .replace(/RDB age \d+/, 'RDB age N')
    .replace(/created [\d.]+ Mb/, 'created N Mb')
    .replace(/\d+\.\d{3} seconds/, 'N seconds')
    .replace(/reading offset \d+, function at rdb(\.c:\d+)?/g, 'reading')
    // Ours tells besides how much of a log makes sense, and why a file can't be read.
    .replace(/^M # WARNING .*\n/gm, '')
    .replace(/^M # (What can be used of|Error reading the DB).*\n/gm, '');
  return `${text}exit ${status}`;
}

async function same(files: Files, ...options: string[]): Promise<void> {
  const [ours, theirs] = await start(files, options);
  expect(ours).toBe(theirs);
}

describe('a snapshot is reported on as redis-check-rdb does', () => {
  test.each([0, 5, 9, 20, 0.5, -20, -8])('cut off at %d', async (at) => {
    const end = Number.isInteger(at) ? at : Math.floor(good.length * at);
    await same({ 'dump.rdb': good.slice(0, at === 0 ? 0 : end) });
  });

  test('another checksum', () => same({ 'dump.rdb': `${good.slice(0, -8)}12345678` }));

  test('a byte that is another', async () => {
    // Where no value can be read; the last is a type.
    for (const at of [10, good.indexOf('string') - 1, good.indexOf('\x04hash') - 1]) {
      const byte = String.fromCharCode(good.charCodeAt(at) ^ 0xff);
      await same({ 'dump.rdb': good.slice(0, at) + byte + good.slice(at + 1) });
    }
  });

  test('no snapshot, one of a version that nobody knows', async () => {
    await same({ 'dump.rdb': `HELLO${good.slice(5)}` });
    await same({ 'dump.rdb': `REDIS0099${good.slice(9)}` });
    await same({ 'dump.rdb': `REDIS0000${good.slice(9)}` });
  });

  test('a folder', () => same({ 'dump.rdb': null }));

  test('as the base of the append-only file; redis-server looks for that in the wrong folder', async () => {
    const files = { [MANIFEST]: FILES, [BASE]: `${good.slice(0, -8)}12345678`, [INCREMENT]: SET };
    const [ours, theirs] = await start(files, ['--appendonly', 'yes']);
    const [alike] = theirs.split('exit ');
    expect(alike).toContain('[offset 0] Checking RDB file appendonly.aof.1.base.rdb\n');
    expect(
      ours.replace('M # Error reading the RDB base file appendonly.aof.1.base.rdb, AOF loading aborted\n', ''),
    ).toContain(alike);
    expect(ours).toMatch(
      /RDB ERROR DETECTED ---\n\[offset \d+\] RDB CRC error\n[\s\S]*\[info\] 7 keys read\n[\s\S]*exit 1$/,
    );
  });
});

describe('the append-only file', () => {
  const LOG = ['--appendonly', 'yes'];

  test.each([
    ['empty', ''],
    ['no line of one', 'hello\n'],
    ['not to the end of a line', FILES.slice(0, -1)],
    ['two bases', 'file a seq 1 type b\nfile b seq 2 type b\n'],
    ['increments out of order', 'file a seq 2 type i\nfile b seq 1 type i\n'],
    ['an unknown type', 'file a seq 1 type z\n'],
    ['a path', 'file a/b seq 1 type b\n'],
    ['no number', 'file a type b\n'],
    ['a number that is none', 'file a seq 0 type b\n'],
    ['a long line', `file ${'a'.repeat(1100)} seq 1 type b\n`],
    ['a quote that does not end', 'file "a seq 1 type i\n'],
  ])('a manifest that is %s', async (_, manifest) => {
    await same({ [MANIFEST]: manifest, [BASE]: good, [INCREMENT]: SET }, ...LOG);
    if (LONG) await same({ [MANIFEST]: manifest, [BASE]: good, [INCREMENT]: SET }, '--appendonly', 'no');
  });

  test('files that are not there, or no files', async () => {
    await same({ [MANIFEST]: FILES, [BASE]: good }, ...LOG);
    await same({ [MANIFEST]: FILES, [INCREMENT]: SET }, ...LOG);
    await same({ [MANIFEST]: FILES, [BASE]: null, [INCREMENT]: SET }, ...LOG);
    await same({ [MANIFEST]: FILES, [BASE]: good, [INCREMENT]: null }, ...LOG);
    await same({ appendonlydir: 'a file' }, ...LOG);
  });

  test.each([
    ['no record', 'hello\r\n'],
    ['without a length', '*2\r\nxx\r\n'],
    ['without a command', '*0\r\n'],
    ['an unknown command', '*1\r\n$4\r\nNOPE\r\n'],
    ['too long', '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$999\r\n1\r\n'],
  ])('a record: %s', async (_, record) => {
    const files = { [MANIFEST]: FILES, [BASE]: good, [INCREMENT]: SET + record + SET };
    await same(files, ...LOG, '--aof-load-truncated', 'no');
    await same({ 'appendonly.aof': SET + record + SET }, ...LOG, '--aof-load-truncated', 'no');
  });

  test('an end that is cut off', async () => {
    for (const end of [SET.slice(0, -5), `*1\r\n$5\r\nMULTI\r\n${SET}`])
      await same({ [MANIFEST]: FILES, [BASE]: good, [INCREMENT]: SET + end }, ...LOG, '--aof-load-truncated', 'no');
  });
});
