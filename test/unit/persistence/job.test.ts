/** A snapshot in a thread, and every way in which one can end: the file that was there is never harmed. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { environmentWith } from '../../../src/base/environment.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import type { Dataset } from '../../../src/persistence/save/dataset.ts';
import { type JobEnd, SaveJob } from '../../../src/persistence/save/job.ts';
import { Saver } from '../../../src/persistence/save/saver.ts';
import { createServer } from '../../../src/server/server.ts';
import { StartedThreads } from '../../support/started-threads.ts';

const OLD = 'what was there before';
const state = { folder: '' };
const clock = new VirtualClock();
const started = new StartedThreads();
const threads = started.all;
const saver = new Saver(environmentWith({ clock, threads: started }));

beforeEach(() => {
  state.folder = mkdtempSync(join(tmpdir(), 'cinnabar-job-'));
  writeFileSync(join(state.folder, 'dump.rdb'), OLD);
});

afterEach(() => {
  saver.stop();
  threads.length = 0;
  rmSync(state.folder, { recursive: true, force: true });
});

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
      const job = new SaveJob(saver, engine.memory, dataset, target, delay, (end, message) => done([end, message]));
      meanwhile(job);
    });
  } finally {
    expect(engine.memory.frozen).toBe(false);
    await server.close();
  }
}

const running = async (thread: Worker): Promise<boolean> => {
  // What was told to end has not ended yet.
  await new Promise((done) => setTimeout(done, 100));
  return thread.threadId !== -1;
};

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

test('a thread saves one after another, whether it could or not', async () => {
  expect(await run('dump.rdb', 0, () => {})).toEqual(['saved', '']);
  mkdirSync(join(state.folder, 'taken', 'within'), { recursive: true });
  expect((await run('taken', 0, () => {}))[0]).toBe('failed');
  writeFileSync(join(state.folder, 'dump.rdb'), OLD);
  expect(await run('dump.rdb', 0, () => {})).toEqual(['saved', '']);
  expect(content()).toMatch(/^REDIS0010/);
  expect(threads).toHaveLength(1);
});

test('after one that was told to end, or has died, another saves', async () => {
  expect((await run('dump.rdb', 1_000_000, (job) => setTimeout(() => job.abort(), 300)))[0]).toBe('aborted');
  expect(await run('dump.rdb', 0, () => {})).toEqual(['saved', '']);
  const dies = (): void => void setTimeout(() => void threads.at(-1)?.terminate(), 300);
  expect((await run('dump.rdb', 1_000_000, dies))[0]).toBe('died');
  expect(await run('dump.rdb', 0, () => {})).toEqual(['saved', '']);
  expect(threads).toHaveLength(3);
});

test('it rests for a minute after the last one', async () => {
  await run('dump.rdb', 0, () => {});
  clock.advance(59_000);
  await run('dump.rdb', 0, () => {});
  clock.advance(59_000);
  const [thread] = threads;
  expect(await running(thread)).toBe(true);
  clock.advance(1000);
  await expect.poll(() => running(thread)).toBe(false);
  await run('dump.rdb', 0, () => {});
  expect(threads).toHaveLength(2);
});
