/** Several servers of one process whose files lie in one folder, and writers of one server of which the first was given up. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';

const PATIENCE = { timeout: 30_000, interval: 5 };
const KEYS = 3000;

type Settings = Readonly<Record<string, string | number>>;

let folder: string;
const open: CinnabarServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-shared-'));
});

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A server whose files are called after `name`, and a way to call it. */
async function start(name: string, settings: Settings = {}) {
  const own = { dbfilename: `${name}.rdb`, appenddirname: `${name}.aof`, dir: folder, port: 0, save: '' };
  const options = { 'enable-debug-command': true, ...own, ...settings };
  const server = createServer({ persistent: true, settings: options });
  open.push(server);
  await server.listen();
  const session = server.session();
  const call = (...words: string[]) => session.call(...words);
  const info = async (field: string): Promise<string | undefined> =>
    new RegExp(`^${field}:(.*)\r$`, 'm').exec(String(await call('INFO', 'persistence')))?.[1];
  return { call, info, populate: () => call('DEBUG', 'POPULATE', String(KEYS), name) };
}

type Started = Awaited<ReturnType<typeof start>>;

async function idle({ info }: Started, field: string): Promise<void> {
  await expect.poll(() => info(field), PATIENCE).toBe('0');
}

/** A server that has just been started has all keys of `name`, and no other. */
async function holds(name: string, settings?: Settings): Promise<void> {
  const { call } = await start(name, settings);
  expect(await call('DBSIZE'), name).toBe(KEYS);
  expect(await call('EXISTS', `${name}:0`, `${name}:${KEYS - 1}`), name).toBe(2);
}

const temporary = (): string[] => readdirSync(folder).filter((file) => file.startsWith('temp-'));

test('each saves its own snapshot, at the same time', async () => {
  const servers = [await start('a'), await start('b'), await start('c')];
  for (const { call, populate } of servers) {
    await populate();
    await call('CONFIG', 'SET', 'rdb-key-save-delay', '20');
  }
  for (const { call } of servers) expect(await call('BGSAVE')).toBe('Background saving started');
  for (const server of servers) {
    await idle(server, 'rdb_bgsave_in_progress');
    expect(await server.info('rdb_last_bgsave_status')).toBe('ok');
  }
  expect(temporary()).toEqual([]);
  for (const name of ['a', 'b', 'c']) await holds(name);
});

test('each rewrites its own log, at the same time', async () => {
  const servers = [await start('a', { appendonly: 'yes' }), await start('b', { appendonly: 'yes' })];
  for (const { call, populate } of servers) {
    await populate();
    await call('CONFIG', 'SET', 'rdb-key-save-delay', '20');
  }
  for (const { call } of servers) await call('BGREWRITEAOF');
  for (const server of servers) {
    await idle(server, 'aof_rewrite_in_progress');
    expect(await server.info('aof_last_bgrewrite_status')).toBe('ok');
  }
  expect(temporary()).toEqual([]);
  for (const server of open.splice(0)) await server.close();
  for (const name of ['a', 'b']) await holds(name, { appendonly: 'yes' });
});

test('a snapshot that was given up does not disturb the next', async () => {
  const server = await start('a', { 'rdb-key-save-delay': 20 });
  await server.populate();
  for (let round = 0; round < 5; round++) {
    await server.call('BGSAVE');
    await server.call('FLUSHALL');
    await server.populate();
  }
  await server.call('BGSAVE');
  await idle(server, 'rdb_bgsave_in_progress');
  expect(await server.info('rdb_last_bgsave_status')).toBe('ok');
  await expect.poll(temporary, PATIENCE).toEqual([]);
  await holds('a');
});
