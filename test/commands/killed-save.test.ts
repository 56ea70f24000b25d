/**
 * What the official suite tests by killing the child that saves: ours is a thread, so it is the thread that is ended here, at
 * the same point, and the same is expected of the server.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { StartedThreads } from '../support/started-threads.ts';

/** Other work may hold the machine. */
const PATIENCE = { timeout: 30_000 };

let folder: string;
let server: CinnabarServer;
let client: Pipeline;
let threads: StartedThreads;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-killed-'));
  threads = new StartedThreads();
  const settings = {
    dir: folder,
    save: '900 1000000',
    'enable-debug-command': 'yes',
    'rdb-key-save-delay': 1_000_000,
  } as const;
  server = createServer({ port: await freePort(), threads, settings });
  await server.listen();
  client = new Pipeline(server.port);
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const saving = async (): Promise<boolean> =>
  String(await client.call('INFO', 'persistence')).includes('rdb_bgsave_in_progress:1');

/** Begins a snapshot, which takes a second a key, and ends its thread. */
async function killSave(): Promise<void> {
  expect(await client.call('BGSAVE')).toBe('Background saving started');
  expect(await saving()).toBe(true);
  await threads.all.at(-1)?.terminate();
  await expect.poll(saving, PATIENCE).toBe(false);
}

test('a snapshot that was killed refuses writes, from scripts as well, until one succeeds', async () => {
  await client.send([
    ['DEBUG', 'POPULATE', '1000'],
    ['SET', 'x', 'x'],
  ]);
  await killSave();
  expect(String(await client.call('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:err');
  const misconf = expect.stringMatching(/^MISCONF /);
  const said = async (...command: string[]): Promise<string> => {
    const answer = await client.call(...command);
    return answer instanceof Error ? answer.message : String(answer);
  };
  expect(await said('GET', 'x')).toBe('x');
  expect(await said('SET', 'x', 'y')).toEqual(misconf);
  expect(await said('EVAL', "return redis.call('set','x',1)", '1', 'x')).toEqual(misconf);
  expect(await said('EVAL', "return redis.call('get','x')", '1', 'x')).toBe('x');
  expect(await said('EVAL', "#!lua\nreturn redis.call('set','x',1)", '1', 'x')).toEqual(misconf);
  expect(await said('EVAL', "#!lua flags=no-writes\nreturn redis.call('get','x')", '1', 'x')).toBe('x');
  await client.send([['CONFIG', 'SET', 'rdb-key-save-delay', '0'], ['BGSAVE']]);
  await expect.poll(saving, PATIENCE).toBe(false);
  expect(await said('SET', 'x', 'y')).toBe('OK');
});

test('nothing half-written stays of it', async () => {
  await client.send([
    ['DEBUG', 'POPULATE', '1000'],
    ['SET', 'x', 'x'],
  ]);
  await killSave();
  await expect.poll(() => readdirSync(folder), PATIENCE).toEqual([]);
});

test('a table does not grow while a snapshot is under way, and grows when its thread is gone', async () => {
  await client.send([['CONFIG', 'SET', 'save', ''], ['DEBUG', 'POPULATE', '4096', 'key', '1'], ['BGSAVE']]);
  expect(await saving()).toBe(true);
  await client.call('MSET', 'k1', 'v1', 'k2', 'v2');
  expect(String(await client.call('DEBUG', 'HTSTATS', '0'))).not.toContain('table size: 8192');
  await threads.all.at(-1)?.terminate();
  await expect.poll(saving, PATIENCE).toBe(false);
  await client.call('SET', 'k3', 'v3');
  expect(String(await client.call('DEBUG', 'HTSTATS', '0'))).toContain('table size: 8192');
});

test('a replica that was to be sent the file is shown out, and the next one is sent another', async () => {
  await client.send([
    ['DEBUG', 'POPULATE', '1000'],
    ['CONFIG', 'SET', 'repl-diskless-sync', 'no'],
  ]);
  const first = new Pipeline(server.port);
  expect(await first.call('PSYNC', '?', '-1')).toMatch(/^FULLRESYNC /);
  expect(await saving()).toBe(true);
  const gone = first.send([[]]);
  await threads.all.at(-1)?.terminate();
  expect(await gone).toEqual([new Error('connection closed')]);
  await client.call('CONFIG', 'SET', 'rdb-key-save-delay', '0');
  const second = new Pipeline(server.port);
  expect(await second.call('PSYNC', '?', '-1')).toMatch(/^FULLRESYNC /);
  const isOnline = async (): Promise<boolean> =>
    String(await client.call('INFO', 'replication')).includes('state=online');
  await expect.poll(isOnline, PATIENCE).toBe(true);
  second.close();
});

test('the end of the server ends it, and its file goes', async () => {
  await client.send([['DEBUG', 'POPULATE', '1000'], ['BGSAVE']]);
  expect(await saving()).toBe(true);
  await expect.poll(() => readdirSync(folder).some((name) => name.startsWith('temp-')), PATIENCE).toBe(true);
  client.post(['SHUTDOWN', 'NOSAVE']);
  await expect.poll(() => readdirSync(folder), PATIENCE).toEqual([]);
});
