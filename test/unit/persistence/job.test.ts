/** A snapshot in a thread, and every way in which one can end: the file that was there is never harmed. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { environmentWith } from '../../../src/base/environment.ts';
import type { Dataset } from '../../../src/persistence/save/dataset.ts';
import { type JobEnd, SaveJob } from '../../../src/persistence/save/job.ts';
import { createServer } from '../../../src/server/server.ts';

const OLD = 'what was there before';
const state = { folder: '' };

beforeEach(() => {
  state.folder = mkdtempSync(join(tmpdir(), 'cinnabar-job-'));
  writeFileSync(join(state.folder, 'dump.rdb'), OLD);
});

afterEach(() => rmSync(state.folder, { recursive: true, force: true }));

/** Runs a job over 200 keys that takes `delay` microseconds a key; `meanwhile` does something to it. */
async function run(
  name: string,
  delay: number,
  meanwhile: (job: SaveJob) => void,
  base?: 'rdb' | 'aof',
): Promise<[JobEnd, string]> {
  const server = createServer();
  const { engine } = server;
  const session = server.session();
  for (let i = 0; i < 200; i++) await session.call('SET', `key:${i}`, 'x'.repeat(i));
  const usage = { lfu: false, logFactor: 10, decayMinutes: 1 };
  const dataset: Dataset = {
    roots: engine.keyspaces.roots(),
    aux: [],
    functions: [],
    use: 'none',
    usage,
    now: Date.now(),
  };
  const target = {
    folder: state.folder,
    name,
    compress: true,
    checksum: true,
    syncOnTheWay: true,
    writer: 'test',
    base,
  };
  try {
    return await new Promise((done) => {
      const job = new SaveJob(environmentWith(), engine.memory, dataset, target, delay, (end, message) =>
        done([end, message]),
      );
      meanwhile(job);
    });
  } finally {
    expect(engine.memory.frozen).toBe(false);
    await server.close();
  }
}

const content = (): string => readFileSync(join(state.folder, 'dump.rdb'), 'latin1');

test('it saves', async () => {
  expect(await run('dump.rdb', 0, () => {})).toEqual(['saved', '']);
  expect(content()).toMatch(/^REDIS0010/);
  expect(readdirSync(state.folder)).toEqual(['dump.rdb']);
});

test('it is told to end', async () => {
  expect(await run('dump.rdb', 1_000_000, (job) => setTimeout(() => job.abort(), 300))).toEqual(['aborted', '']);
  expect(content()).toBe(OLD);
});

test('its view is lost', async () => {
  const [end, message] = await run('dump.rdb', 2000, (job) => setTimeout(() => job.view.close(), 100));
  expect(end).toBe('failed');
  expect(message).toContain('the frozen view was closed');
  expect(content()).toBe(OLD);
});

test('the file can not be put in its place', async () => {
  mkdirSync(join(state.folder, 'taken', 'within'), { recursive: true });
  const [end, message] = await run('taken', 0, () => {});
  expect(end).toBe('failed');
  expect(message).toContain('Error moving temp DB file temp-test.rdb on the final destination taken');
  expect(readdirSync(state.folder).sort()).toEqual(['dump.rdb', 'taken']);
});

test('the folder is gone', async () => {
  rmSync(state.folder, { recursive: true });
  const [end, message] = await run('dump.rdb', 0, () => {});
  expect(end).toBe('failed');
  expect(message).toContain('Failed opening the temp RDB file temp-test.rdb');
});

test('a base of the log, as a snapshot or as commands', async () => {
  expect(await run('dump.rdb', 0, () => {}, 'rdb')).toEqual(['saved', '']);
  expect(content()).toMatch(/^REDIS0010/);
  expect(await run('dump.rdb', 0, () => {}, 'aof')).toEqual(['saved', '']);
  expect(content()).toMatch(/^\*2\r\n\$6\r\nSELECT\r\n\$1\r\n0\r\n\*3\r\n\$3\r\nSET\r\n/);
  expect(content().match(/^SET\r$/gm)).toHaveLength(200);
  expect(readdirSync(state.folder)).toEqual(['dump.rdb']);
});

test('a base that can not be written is told of in other words', async () => {
  mkdirSync(join(state.folder, 'taken', 'within'), { recursive: true });
  const [, moving] = await run('taken', 0, () => {}, 'aof');
  expect(moving).toContain('Error moving temp append only file on the final destination: ');
  expect(readdirSync(state.folder).sort()).toEqual(['dump.rdb', 'taken']);
  rmSync(state.folder, { recursive: true });
  const [end, opening] = await run('dump.rdb', 0, () => {}, 'rdb');
  expect(end).toBe('failed');
  expect(opening).toBe('Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): No such file or directory');
});
