/** bee-queue's documented uses: lists and scripts over an older client, events over pub/sub. */
import BeeQueue from 'bee-queue';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sharedServer, sleep, until } from './server.ts';

interface Sum {
  x: number;
  y: number;
}

const server = sharedServer();
let opened: BeeQueue[] = [];
let counter = 0;

beforeEach(async () => {
  await server.admin.flushall();
  await server.admin.script('FLUSH');
  counter++;
});

afterEach(async () => {
  await Promise.all(opened.map((queue) => queue.close(0).catch(() => {})));
  opened = [];
});

async function queueOf(settings: BeeQueue.QueueSettings = {}): Promise<BeeQueue<Sum>> {
  const queue = new BeeQueue<Sum>(`sum-${counter}`, { redis: { host: '127.0.0.1', port: server.port }, ...settings });
  opened.push(queue);
  return queue.ready();
}

describe('bee-queue', () => {
  test('jobs: by promise and by callback, with their events', async () => {
    const producer = await queueOf({ isWorker: false });
    const worker = await queueOf();
    worker.process<number>((job: BeeQueue.Job<Sum>, done: BeeQueue.DoneCallback<number>) =>
      done(null, job.data.x + job.data.y),
    );
    const job = producer.createJob({ x: 2, y: 3 });
    const result = new Promise((resolve) => job.on('succeeded', resolve));
    await job.save();
    expect(await result).toBe(5);
    const heard: string[] = [];
    producer.on('job succeeded', (id, sum) => heard.push(`producer: ${id} is ${sum}`));
    worker.on('succeeded', (each, sum) => heard.push(`worker: ${each.id} is ${sum}`));
    const second = await producer.createJob({ x: 1, y: 1 }).save();
    await until('both events', () => heard.filter((text) => text.endsWith(` ${second.id} is 2`)).length === 2);
    expect((await producer.getJob(second.id)).status).toBe('succeeded');
  });

  test('progress travels to whoever made the job', async () => {
    const producer = await queueOf({ isWorker: false });
    const worker = await queueOf();
    const seen: unknown[] = [];
    const job = producer.createJob({ x: 0, y: 0 });
    job.on('progress', (progress) => seen.push(progress));
    const done = new Promise((resolve) => job.on('succeeded', resolve));
    worker.process(async (each) => {
      each.reportProgress({ page: 3, of: 11 });
      each.reportProgress({ page: 9, of: 11 });
      await sleep(20);
    });
    await job.save();
    await done;
    expect(seen).toEqual([
      { page: 3, of: 11 },
      { page: 9, of: 11 },
    ]);
  });

  test('retries: at once, after a fixed and after a growing time', async () => {
    const queue = await queueOf({ activateDelayedJobs: true, delayedDebounce: 10 });
    const tries = new Map<string, number[]>();
    const retried: string[] = [];
    queue.on('retrying', (job) => retried.push(job.id));
    // The event of the queue itself comes with every retry as well.
    const failed = new Promise<string>((resolve) => queue.on('job failed', (id, error) => resolve(id + error.message)));
    queue.process(5, async (job) => {
      tries.set(job.id, [...(tries.get(job.id) ?? []), Date.now()]);
      if (job.id === 'never' || tries.get(job.id)!.length < 3) throw new Error(' is broken');
    });
    await queue.createJob({ x: 1, y: 1 }).setId('immediate').retries(2).save();
    await queue.createJob({ x: 1, y: 1 }).setId('fixed').retries(2).backoff('fixed', 100).save();
    await queue.createJob({ x: 1, y: 1 }).setId('growing').retries(3).backoff('exponential', 50).save();
    await queue.createJob({ x: 1, y: 1 }).setId('never').retries(1).save();
    expect(await failed).toBe('never is broken');
    await until('three successes', async () => (await queue.checkHealth()).succeeded === 3);
    const gaps = (id: string): number[] =>
      tries
        .get(id)!
        .slice(1)
        .map((time, i) => time - tries.get(id)![i]);
    expect(gaps('fixed').every((gap) => gap >= 99)).toBe(true);
    expect(gaps('growing')[0]).toBeGreaterThanOrEqual(49);
    expect(gaps('growing')[1]).toBeGreaterThanOrEqual(99);
    expect(retried.filter((id) => id === 'never').length).toBe(1);
    expect((await queue.getJobs('failed', { size: 10 })).map((job) => job.id)).toEqual(['never']);
  });

  test('a job that takes too long fails', async () => {
    const queue = await queueOf();
    const failed = new Promise<string>((resolve) => queue.on('failed', (_job, error) => resolve(error.message)));
    queue.process(() => new Promise(() => {}));
    await queue.createJob({ x: 1, y: 1 }).timeout(50).save();
    expect(await failed).toContain('timed out');
  });

  test('delayed jobs come in the order of their times', async () => {
    const queue = await queueOf({ activateDelayedJobs: true, delayedDebounce: 10 });
    const order: [string, number][] = [];
    queue.process(async (job) => void order.push([job.id, Date.now()]));
    const begin = Date.now();
    await queue
      .createJob({ x: 0, y: 0 })
      .setId('late')
      .delayUntil(begin + 400)
      .save();
    await queue
      .createJob({ x: 0, y: 0 })
      .setId('early')
      .delayUntil(new Date(begin + 150))
      .save();
    await queue.createJob({ x: 0, y: 0 }).setId('now').save();
    expect((await queue.checkHealth()).delayed).toBe(2);
    await until('three jobs', () => order.length === 3);
    expect(order.map(([id]) => id)).toEqual(['now', 'early', 'late']);
    expect(order[1][1] - begin).toBeGreaterThanOrEqual(149);
    expect(order[2][1] - begin).toBeGreaterThanOrEqual(399);
  });

  test('an id is used once', async () => {
    const queue = await queueOf();
    expect((await queue.createJob({ x: 1, y: 1 }).setId('bulk').save()).id).toBe('bulk');
    expect((await queue.createJob({ x: 2, y: 2 }).setId('bulk').save()).id).toBeNull();
    expect((await queue.checkHealth()).waiting).toBe(1);
  });

  test('a stalled job is found and done by another worker', async () => {
    const dead = await queueOf({ stallInterval: 100 });
    dead.process(() => new Promise(() => {}));
    const job = await dead.createJob({ x: 4, y: 5 }).save();
    await until('active', async () => (await dead.checkHealth()).active === 1);
    await dead.close(1).catch(() => {});
    const rescuer = await queueOf({ stallInterval: 100 });
    const stalled: string[] = [];
    rescuer.on('stalled', (id) => stalled.push(id));
    const done = new Promise<number>((resolve) => rescuer.on('succeeded', (_job, sum) => resolve(sum)));
    rescuer.process(async (each) => each.data.x + each.data.y);
    rescuer.checkStalledJobs(50, () => {});
    expect(await done).toBe(9);
    expect(stalled).toEqual([job.id]);
  });

  test('health, pages of jobs, removal, destruction', async () => {
    const queue = await queueOf({ isWorker: false });
    const jobs = Array.from({ length: 10 }, (_, x) => queue.createJob({ x, y: 0 }));
    expect((await queue.saveAll(jobs)).size).toBe(0);
    expect(await queue.checkHealth()).toMatchObject({ waiting: 10, active: 0, succeeded: 0, failed: 0, newestJob: 10 });
    const page = await queue.getJobs('waiting', { start: 0, end: 3 });
    expect(page.map((job) => job.data.x)).toEqual([9, 8, 7, 6]);
    await queue.removeJob(jobs[0].id);
    await jobs[1].remove();
    expect((await queue.checkHealth()).waiting).toBe(8);
    expect(await queue.destroy()).toBeGreaterThan(0);
    expect(await server.admin.dbsize()).toBe(0);
  });

  test('many jobs over several workers: each is done once, and leaves nothing where one says so', async () => {
    const producer = await queueOf({ isWorker: false, getEvents: false });
    const counts = new Map<number, number>();
    for (let i = 0; i < 3; i++) {
      const worker = await queueOf({ removeOnSuccess: true });
      worker.process(20, async ({ data: { x } }) => void counts.set(x, (counts.get(x) ?? 0) + 1));
    }
    const total = 1000;
    await producer.saveAll(Array.from({ length: total }, (_, x) => producer.createJob({ x, y: 0 })));
    await until('all', () => counts.size === total);
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
    await until('nothing left', async () => (await server.admin.hlen(`bq:sum-${counter}:jobs`)) === 0);
  });
});
