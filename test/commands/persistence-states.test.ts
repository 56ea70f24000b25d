/**
 * What may and may not be begun while a snapshot or a rewrite is under way, has failed or is being turned on, and what INFO
 * tells of it: beside redis-server 7.0.15, which is given the same commands in the same states.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogServer, until } from '../support/log-server.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

/** Figures that tell a state; of seconds whether there are any. */
const FIGURES = [
  'rdb_changes_since_last_save',
  'rdb_bgsave_in_progress',
  'rdb_last_bgsave_status',
  'rdb_last_bgsave_time_sec',
  'rdb_current_bgsave_time_sec',
  'rdb_saves',
  'aof_enabled',
  'aof_rewrite_in_progress',
  'aof_rewrite_scheduled',
  'aof_last_rewrite_time_sec',
  'aof_current_rewrite_time_sec',
  'aof_last_bgrewrite_status',
  'aof_rewrites',
  'aof_last_write_status',
  'aof_pending_rewrite',
];
/** A key takes a second: what is begun does not end by itself. */
const SLOW = 'CONFIG SET rdb-key-save-delay 1000000';
const FAST = 'CONFIG SET rdb-key-save-delay 0';

let folder: string;
let ours: LogServer;
let redis: ServerProcess;
let theirs: Pipeline;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-states-'));
});

afterEach(async () => {
  theirs.close();
  await ours.client.call('CONFIG', 'SET', 'rdb-key-save-delay', '0');
  await ours.stop();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const all = { appendonly: 'no', 'enable-protected-configs': 'yes', ...settings };
  ours = await LogServer.start(folder, all);
  const options = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  redis = await startRedis('--enable-debug-command', 'yes', ...options);
  theirs = new Pipeline(redis.port);
  await same('SET a 1\nSET b 2\nSET c 3');
}

function shown(answer: Answer): Answer {
  return answer instanceof Error ? answer.message : answer;
}

/** Commands, one a line: the same replies, and the same figures after each. */
async function same(text: string): Promise<void> {
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') continue;
    const words = line.split(' ').map((word) => (word === "''" ? '' : word));
    const [a, b] = await Promise.all([ours.client.call(...words), theirs.call(...words)]);
    expect(shown(a), line).toEqual(shown(b));
    await sameFigures(line);
  }
}

async function figures(client: Pipeline): Promise<Record<string, string>> {
  const text = String(await client.call('INFO', 'persistence'));
  const found: Record<string, string> = {};
  for (const name of FIGURES) {
    const value = new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
    found[name] = name.endsWith('_sec') && value !== '-1' ? 'some' : value;
  }
  return found;
}

async function sameFigures(after: string): Promise<void> {
  const [a, b] = await Promise.all([figures(ours.client), figures(theirs)]);
  expect(a, after).toEqual(b);
}

/** Waits until nothing is written, nor wanted, on either side. */
async function settle(): Promise<void> {
  await ours.settled();
  await until(async () => {
    const { rdb_bgsave_in_progress, aof_rewrite_in_progress, aof_rewrite_scheduled } = await figures(theirs);
    return `${rdb_bgsave_in_progress}${aof_rewrite_in_progress}${aof_rewrite_scheduled}` === '000';
  });
  await sameFigures('all is written');
}

/** Puts a folder that holds something where a file is to come, or takes it away. */
function obstruct(name: string, on: boolean): void {
  for (const where of [folder, redis.folder]) {
    const path = join(where, name);
    if (!on) rmSync(path, { recursive: true });
    else {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'x'), '');
    }
  }
}

test('while a snapshot is written', async () => {
  await start();
  await same(`${SLOW}
    BGSAVE
    BGSAVE
    BGSAVE SCHEDULE
    SAVE
    SET d 4
    BGREWRITEAOF
    BGREWRITEAOF
    CONFIG SET appendonly yes
    CONFIG SET appendonly no`);
});

test('while the log is rewritten', async () => {
  await start({ appendonly: 'yes' });
  await same(`${SLOW}
    BGREWRITEAOF
    BGREWRITEAOF
    BGSAVE
    CONFIG SET rdb-key-save-delay 0
    SAVE
    ${SLOW}
    CONFIG SET appendonly no
    CONFIG SET appendonly yes
    CONFIG SET appendonly no`);
});

test('turning the log on while it is rewritten though it is off', async () => {
  await start();
  await same(`${SLOW}
    BGREWRITEAOF
    ${FAST}`);
  const both = [ours.client, theirs].map((client) => client.call('CONFIG', 'SET', 'appendonly', 'yes'));
  expect(await Promise.all(both)).toEqual(['OK', 'OK']);
  await settle();
  await same('SET d 4');
});

test('within a transaction everything is put off', async () => {
  await start({ appendonly: 'yes' });
  const transaction = [['MULTI'], ['BGSAVE', 'SCHEDULE'], ['BGREWRITEAOF'], ['EXEC']];
  const [a, b] = await Promise.all([ours.client.send(transaction), theirs.send(transaction)]);
  expect(a.map(String)).toEqual(b.map(String));
  for (const client of [ours.client, theirs]) await until(async () => (await figures(client))['rdb_saves'] === '1');
  await settle();
});

test('what FLUSHALL, SAVE and DEBUG RELOAD count', async () => {
  await start();
  await same(`FLUSHALL
    FLUSHALL
    FLUSHDB
    SET a 1
    SAVE
    DEBUG RELOAD
    SET a 2
    FLUSHDB`);
  for (const client of [ours.client, theirs]) await client.call('CONFIG', 'SET', 'save', '3600 1000');
  await same(`SET a 3
    SET b 3`);
  // Where snapshots are configured the empty data is saved.
  for (const client of [ours.client, theirs]) await client.send([['FLUSHALL'], ['BGSAVE']]);
  await settle();
});

test('snapshots that fail', async () => {
  await start({ save: '3600 1000' });
  obstruct('dump.rdb', true);
  await same('SAVE\nSET d 4');
  for (const client of [ours.client, theirs]) await client.call('BGSAVE');
  await settle();
  await same(`SET d 5
    PING
    EVAL return(redis.pcall('SET','d','6')) 0
    CONFIG SET stop-writes-on-bgsave-error no
    SET d 6
    CONFIG SET stop-writes-on-bgsave-error yes
    SET d 7
    CONFIG SET save ''
    SET d 7`);
  for (const where of [folder, redis.folder])
    expect(readdirSync(where).filter((name) => name.startsWith('temp-'))).toEqual([]);
  obstruct('dump.rdb', false);
  for (const client of [ours.client, theirs]) await client.call('BGSAVE');
  await settle();
  await same('SET d 8');
});

test('rewrites that fail', async () => {
  await start({ appendonly: 'yes' });
  const base = 'appendonlydir/appendonly.aof.2.base.rdb';
  obstruct(base, true);
  for (let i = 0; i < 2; i++) {
    for (const client of [ours.client, theirs]) await client.call('BGREWRITEAOF');
    await settle();
  }
  await same('SET d 4');
  obstruct(base, false);
  for (const client of [ours.client, theirs]) await client.call('BGREWRITEAOF');
  await settle();
  const [a, b] = [folder, redis.folder].map((where) => readdirSync(join(where, 'appendonlydir')).sort());
  expect(a).toEqual(b);
});

test('a log that can not be turned on', async () => {
  await start();
  for (const where of [folder, redis.folder]) writeFileSync(join(where, 'appendonlydir'), '');
  await same('CONFIG SET appendonly yes\nCONFIG GET appendonly\nSET d 4');
  const told = 'Failed applying new configuration. Possibly related to new appendonly setting.';
  expect(ours.said(told)).toBe(1);
  expect(redis.output()).toContain(told);
  expect(ours.said("Can't open or create append-only dir appendonlydir: Not a directory")).toBe(1);
});

test('another folder while a rewrite is under way: nothing of that stays in the old one', async () => {
  await start({ appendonly: 'yes' });
  const other = mkdtempSync(join(dirname(folder), 'cinnabar-states-'));
  try {
    await ours.run(SLOW);
    await ours.client.send([['BGREWRITEAOF'], ['CONFIG', 'SET', 'dir', other]]);
    await ours.run(FAST);
    await ours.settled();
    expect(await ours.info('aof_last_bgrewrite_status')).toBe('err');
    expect(readdirSync(folder)).toEqual(['appendonlydir']);
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});
