/** BullMQ's documented uses, over both of the clients that it takes: its scripts run here as they run on Redis. */
import { FlowProducer, type Job, Queue, QueueEvents, UnrecoverableError, WaitingChildrenError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sharedServer, sleep, until } from './server.ts';

const server = sharedServer();

const drivers = {
  ioredis: async () => new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: null }),
  'node-redis': async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
    client.on('error', () => {});
    return client.connect();
  },
};

interface Closable {
  close(): Promise<void>;
}

describe.each(['ioredis', 'node-redis'] as const)('BullMQ over %s', (driver) => {
  let connection: Awaited<ReturnType<(typeof drivers)[typeof driver]>>;
  let opened: Closable[] = [];
  let counter = 0;
  let name = '';

  beforeAll(async () => {
    connection = await drivers[driver]();
  });

  afterAll(async () => {
    await connection?.quit();
  });

  beforeEach(async () => {
    await server.admin.flushall();
    name = `queue-${driver}-${counter++}`;
  });

  afterEach(async () => {
    await Promise.all(opened.map((each) => each.close()));
    opened = [];
  });

  function open<T extends Closable>(each: T): T {
    opened.push(each);
    return each;
  }

  const queueOf = (options: object = {}, of = name): Queue => open(new Queue(of, { connection, ...options }));
  const workerOf = (process: (job: Job, token?: string) => Promise<unknown>, options: object = {}, of = name): Worker =>
    open(new Worker(of, process, { connection, drainDelay: 1, ...options }));
  const eventsOf = async (): Promise<QueueEvents> => {
    const events = open(new QueueEvents(name, { connection, lastEventId: '0-0' }));
    await events.waitUntilReady();
    return events;
  };

  test('a job is added, done and waited for; its data and result travel', async () => {
    const queue = queueOf();
    const events = await eventsOf();
    workerOf(async (job) => ({ painted: job.data.color, name: job.name }));
    const job = await queue.add('cars', { color: 'blue', nested: { list: [1, 'two', null], text: 'ünï\u0000' } });
    expect(await job.waitUntilFinished(events)).toEqual({ painted: 'blue', name: 'cars' });
    expect(await job.getState()).toBe('completed');
    const read = await queue.getJob(job.id!);
    expect(read?.data).toEqual({ color: 'blue', nested: { list: [1, 'two', null], text: 'ünï\u0000' } });
    expect(read?.returnvalue).toEqual({ painted: 'blue', name: 'cars' });
    expect(read?.finishedOn).toBeGreaterThanOrEqual(read!.processedOn!);
  });

  test('first in first out, last in first out, and by priority', async () => {
    const queue = queueOf();
    await queue.addBulk([1, 2, 3].map((n) => ({ name: `plain ${n}`, data: {} })));
    await queue.add('lifo', {}, { lifo: true });
    await queue.add('least', {}, { priority: 10 });
    await queue.add('most', {}, { priority: 1 });
    await queue.add('middle', {}, { priority: 5 });
    const changed = await queue.add('changed', {}, { priority: 20 });
    await changed.changePriority({ priority: 2 });
    expect(await queue.getCountsPerPriority([0, 1, 2, 5, 10, 20])).toEqual({ 0: 4, 1: 1, 2: 1, 5: 1, 10: 1, 20: 0 });
    const order: string[] = [];
    workerOf(async (job) => void order.push(job.name));
    await until('eight jobs', () => order.length === 8);
    expect(order).toEqual(['lifo', 'plain 1', 'plain 2', 'plain 3', 'most', 'changed', 'middle', 'least']);
  });

  test('delayed jobs come in the order of their times, and can be moved or promoted', async () => {
    const queue = queueOf();
    const due = new Map<string, number>();
    const delayed = async (name: string, delay: number) => {
      const job = await queue.add(name, {}, { delay });
      due.set(name, job.timestamp + delay);
      return job;
    };
    await delayed('late', 400);
    await delayed('early', 150);
    const moved = await delayed('moved', 60_000);
    const promoted = await delayed('promoted', 60_000);
    expect(await queue.getDelayedCount()).toBe(4);
    due.set('moved', Date.now() + 250);
    await moved.changeDelay(250);
    due.set('promoted', 0);
    await promoted.promote();
    expect(await promoted.getState()).toBe('waiting');
    const order: string[] = [];
    workerOf(async ({ name }) => {
      // A timer may fire within the last millisecond.
      expect(Date.now()).toBeGreaterThanOrEqual((due.get(name) ?? 0) - 1);
      order.push(name);
    });
    await until('four jobs', () => order.length === 4);
    expect(order).toEqual([...due.keys()].sort((a, b) => (due.get(a) ?? 0) - (due.get(b) ?? 0)));
  });

  test('a rate limit lets no more through than it says', async () => {
    const queue = queueOf();
    await queue.addBulk(Array.from({ length: 9 }, (_, n) => ({ name: 'call', data: { n } })));
    // Whoever opens a window gives the limiter its time to live; two more may follow before it is up.
    const monitor = await server.admin.duplicate().monitor();
    let steps = '';
    monitor.on('monitor', (_: string, [command, key = '', time]: string[]) => {
      if (!key.endsWith(`${queue.name}:limiter`)) return;
      if (/^incr$/i.test(command)) steps += 'I';
      if (/^pexpire$/i.test(command)) steps += time === '300' ? 'P' : '?';
    });
    let done = 0;
    workerOf(async () => void done++, { limiter: { max: 3, duration: 300 }, concurrency: 5 });
    await until('nine jobs', () => done === 9);
    monitor.disconnect();
    expect(steps).toMatch(/^(IPI{0,2})+$/);
    expect(steps.replaceAll('P', '')).toHaveLength(9);
  });

  test('a job says that the queue is rate limited', async () => {
    const queue = queueOf();
    let calls = 0;
    const worker = workerOf(async () => {
      calls++;
      if (calls === 1) {
        await worker.rateLimit(200);
        throw Worker.RateLimitError();
      }
      return 'done';
    });
    const begin = Date.now();
    const job = await queue.add('call', {});
    await until('the job', () => job.isCompleted());
    expect(calls).toBe(2);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(190);
    expect(await queue.getRateLimitTtl()).toBeLessThanOrEqual(0);
  });

  test('limits of the whole queue: concurrency and rate', async () => {
    const queue = queueOf();
    await queue.setGlobalConcurrency(2);
    await queue.setGlobalRateLimit(100, 1000);
    expect(await queue.getGlobalConcurrency()).toBe(2);
    expect(await queue.getGlobalRateLimit()).toEqual({ max: 100, duration: 1000 });
    let [running, most, done] = [0, 0, 0];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
      done++;
    };
    workerOf(work, { concurrency: 5 });
    workerOf(work, { concurrency: 5 });
    await queue.addBulk(Array.from({ length: 12 }, () => ({ name: 'job', data: {} })));
    await until('twelve jobs', () => done === 12);
    expect(most).toBe(2);
    await queue.removeGlobalConcurrency();
    expect(await queue.getGlobalConcurrency()).toBeNull();
  });

  test('retries with fixed, exponential and own backoff, until the attempts are used up', async () => {
    const queue = queueOf();
    const tries = new Map<string, number[]>();
    const failures: string[] = [];
    const worker = workerOf(
      async (job) => {
        tries.set(job.name, [...(tries.get(job.name) ?? []), Date.now()]);
        if (job.name === 'hopeless') throw new UnrecoverableError('never again');
        if (job.attemptsMade < 2 || job.name === 'failing') throw new Error(`no ${job.attemptsMade}`);
        return 'at last';
      },
      { settings: { backoffStrategy: (made: number) => made * 30 }, concurrency: 5 },
    );
    worker.on('failed', (job, error) => failures.push(`${job?.name}: ${error.message}`));
    const [fixed, exponential, own, failing, hopeless] = await queue.addBulk([
      { name: 'fixed', data: {}, opts: { attempts: 3, backoff: 50 } },
      { name: 'exponential', data: {}, opts: { attempts: 3, backoff: { type: 'exponential', delay: 50 } } },
      { name: 'own', data: {}, opts: { attempts: 3, backoff: { type: 'custom' } } },
      { name: 'failing', data: {}, opts: { attempts: 2 } },
      { name: 'hopeless', data: {}, opts: { attempts: 5 } },
    ]);
    for (const job of [fixed, exponential, own]) await until(job.name, () => job.isCompleted());
    for (const job of [failing, hopeless]) await until(job.name, () => job.isFailed());
    const gaps = (which: string): number[] =>
      tries
        .get(which)!
        .slice(1)
        .map((time, i) => time - tries.get(which)![i]);
    expect(gaps('fixed').every((gap) => gap >= 49)).toBe(true);
    const [first, second] = gaps('exponential');
    expect([first >= 49, second >= 99]).toEqual([true, true]);
    expect(gaps('own').length).toBe(2);
    expect(tries.get('failing')?.length).toBe(2);
    expect(tries.get('hopeless')?.length).toBe(1);
    expect(failures).toContain('hopeless: never again');
    const read = await queue.getJob(failing.id!);
    expect([read?.failedReason, read?.attemptsMade, read?.stacktrace?.length]).toEqual(['no 1', 2, 2]);
    await failing.retry();
    await until('the retried job', async () => tries.get('failing')!.length === 3 && (await failing.isFailed()));
  });

  test('job schedulers: every, by pattern, changed, removed', async () => {
    const queue = queueOf();
    const seen: Job[] = [];
    workerOf(async (job) => void seen.push(job));
    await queue.upsertJobScheduler('tick', { every: 100 }, { name: 'ticking', data: { of: 'clock' } });
    await until('three ticks', () => seen.length >= 3);
    expect(seen[0].name).toBe('ticking');
    expect(seen[0].data).toEqual({ of: 'clock' });
    expect(seen[0].opts).toMatchObject({ repeat: { count: 1, every: 100 } });
    await queue.upsertJobScheduler('tick', { every: 60_000 });
    await queue.upsertJobScheduler(
      'nightly',
      { pattern: '0 15 3 * * *', tz: 'Europe/Berlin', limit: 3 },
      { name: 'n' },
    );
    expect(await queue.getJobSchedulersCount()).toBe(2);
    const schedulers = await queue.getJobSchedulers();
    expect(schedulers.map(({ key }) => key).sort()).toEqual(['nightly', 'tick']);
    const nightly = await queue.getJobScheduler('nightly');
    expect([nightly?.pattern, nightly?.tz, nightly?.limit]).toEqual(['0 15 3 * * *', 'Europe/Berlin', 3]);
    expect(new Date(nightly!.next!).getUTCMinutes()).toBe(15);
    expect(await queue.removeJobScheduler('tick')).toBe(true);
    expect(await queue.removeJobScheduler('tick')).toBe(false);
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });

  test('a scheduler ends after its limit', async () => {
    const queue = queueOf();
    let runs = 0;
    workerOf(async () => void runs++);
    await queue.upsertJobScheduler('few', { every: 50, limit: 3 });
    await until('three runs', () => runs === 3);
    await sleep(150);
    expect(runs).toBe(3);
  });

  test('flows: children before parents, values handed up, in several queues', async () => {
    const producer = open(new FlowProducer({ connection }));
    const [steps, deep] = [`${name}-steps`, `${name}-deep`];
    const queue = queueOf();
    const order: string[] = [];
    workerOf(async (job) => {
      order.push(job.name);
      return Object.values(await job.getChildrenValues()).sort();
    });
    workerOf(
      async (job) => {
        order.push(job.name);
        return job.data.n * 10;
      },
      {},
      steps,
    );
    workerOf(async () => 1, {}, deep);
    const flow = await producer.add({
      name: 'renovate',
      queueName: name,
      data: {},
      children: [
        { name: 'paint', data: { n: 1 }, queueName: steps },
        { name: 'floor', data: { n: 2 }, queueName: steps, children: [{ name: 'buy', data: {}, queueName: deep }] },
        { name: 'doors', data: { n: 3 }, queueName: steps },
      ],
    });
    const parent = flow.job;
    await until('the parent', () => parent.isCompleted());
    expect(order[3]).toBe('renovate');
    expect((await queue.getJob(parent.id!))?.returnvalue).toEqual([10, 20, 30]);
    const tree = await producer.getFlow({ id: parent.id!, queueName: name });
    expect(tree.children?.map((child) => child.job.name).sort()).toEqual(['doors', 'floor', 'paint']);
    expect(await parent.getDependenciesCount()).toMatchObject({ processed: 3, unprocessed: 0 });
  });

  test('flows whose children fail: the parent fails, or goes on without them', async () => {
    const producer = open(new FlowProducer({ connection }));
    const queue = queueOf();
    const steps = `${name}-steps`;
    workerOf(async (job) => Object.keys(await job.getIgnoredChildrenFailures()).length);
    workerOf(
      async () => {
        throw new Error('broken');
      },
      {},
      steps,
    );
    const child = (opts: object) => ({ name: 'child', data: {}, queueName: steps, opts });
    const [failing, going] = await producer.addBulk([
      { name: 'failing', queueName: name, children: [child({ failParentOnFailure: true })] },
      { name: 'going on', queueName: name, children: [child({ ignoreDependencyOnFailure: true })] },
    ]);
    await until('one failure', () => failing.job.isFailed());
    await until('one success', () => going.job.isCompleted());
    expect((await queue.getJob(going.job.id!))?.returnvalue).toBe(1);
  });

  test('a job waits for children that it adds while it runs', async () => {
    const children = queueOf({}, `${name}-children`);
    const queue = queueOf();
    workerOf(async (job, token) => {
      if (job.data.step !== 'children') {
        await children.add('child', {}, { parent: { id: job.id!, queue: job.queueQualifiedName } });
        await job.updateData({ step: 'children' });
        if (await job.moveToWaitingChildren(token!)) throw new WaitingChildrenError();
      }
      return Object.values(await job.getChildrenValues());
    });
    const job = await queue.add('parent', {});
    await until('waiting', () => job.isWaitingChildren());
    workerOf(async () => 'from the child', {}, children.name);
    await until('the parent', () => job.isCompleted());
    expect((await queue.getJob(job.id!))?.returnvalue).toEqual(['from the child']);
  });

  test('a job whose worker is gone is stalled, and another worker takes it', async () => {
    const queue = queueOf();
    const dead = workerOf(() => new Promise(() => {}), {
      lockDuration: 300,
      lockRenewTime: 60_000,
      skipStalledCheck: true,
    });
    const job = await queue.add('orphan', {});
    await until('active', () => job.isActive());
    await dead.close(true);
    const stalled: string[] = [];
    const other = workerOf(async () => 'rescued', { stalledInterval: 100, lockDuration: 300 });
    other.on('stalled', (id) => stalled.push(id));
    await until('rescued', () => job.isCompleted());
    expect(stalled).toEqual([job.id]);
  });

  test('locks are renewed while a job runs longer than they last', async () => {
    const queue = queueOf();
    let runs = 0;
    workerOf(
      async () => {
        runs++;
        await sleep(2500);
      },
      { lockDuration: 1000, stalledInterval: 200, concurrency: 2 },
    );
    const job = await queue.add('long', {});
    await until('done', () => job.isCompleted());
    expect(runs).toBe(1);
  });

  test('pause and resume, of the queue and of a worker', async () => {
    const queue = queueOf();
    const done: string[] = [];
    const worker = workerOf(async (job) => void done.push(job.name));
    await worker.waitUntilReady();
    await queue.pause();
    expect(await queue.isPaused()).toBe(true);
    await queue.add('held', {});
    await sleep(100);
    expect(done).toEqual([]);
    await queue.resume();
    await until('one', () => done.length === 1);
    await worker.pause();
    await queue.add('held again', {});
    await sleep(50);
    expect(done).toEqual(['held']);
    worker.resume();
    await until('two', () => done.length === 2);
  });

  test('events of a queue, in order, with their data', async () => {
    const queue = queueOf();
    const events = await eventsOf();
    const heard: string[] = [];
    events.on('added', ({ jobId, name: what }) => heard.push(`added ${jobId} ${what}`));
    events.on('waiting', ({ jobId }) => heard.push(`waiting ${jobId}`));
    events.on('active', ({ jobId, prev }) => heard.push(`active ${jobId} ${prev}`));
    events.on('progress', ({ jobId, data }) => heard.push(`progress ${jobId} ${JSON.stringify(data)}`));
    events.on('completed', ({ jobId, returnvalue }) => heard.push(`completed ${jobId} ${returnvalue}`));
    events.on('failed', ({ jobId, failedReason }) => heard.push(`failed ${jobId} ${failedReason}`));
    events.on('drained', () => heard.push('drained'));
    workerOf(async (job) => {
      await job.updateProgress({ percent: 50 });
      if (job.name === 'bad') throw new Error('bad');
      return 'good';
    });
    await queue.add('good', {}, { jobId: 'a' });
    await until('completed', () => heard.includes('completed a good'));
    await queue.add('bad', {}, { jobId: 'b' });
    await until('failed', () => heard.includes('failed b bad'));
    const of = (id: string): string[] => heard.filter((text) => text.split(' ')[1] === id);
    const begin = (id: string, what: string): string[] => [
      `added ${id} ${what}`,
      `waiting ${id}`,
      `active ${id} waiting`,
      `progress ${id} {"percent":50}`,
    ];
    expect(of('a')).toEqual([...begin('a', 'good'), 'completed a good']);
    expect(of('b')).toEqual([...begin('b', 'bad'), 'failed b bad']);
    await until('drained', () => heard.includes('drained'));
    await queue.trimEvents(0);
    expect(await server.admin.xlen(`bull:${name}:events`)).toBeLessThanOrEqual(100);
  });

  test('an id is used once; deduplication for a time and until the job is done', async () => {
    const queue = queueOf();
    const events = await eventsOf();
    let dropped = 0;
    events.on('deduplicated', () => dropped++);
    await queue.add('one', {}, { jobId: 'same' });
    await queue.add('two', {}, { jobId: 'same' });
    expect(await queue.getWaitingCount()).toBe(1);
    const first = await queue.add('a', {}, { deduplication: { id: 'x', ttl: 60_000 } });
    const again = await queue.add('b', {}, { deduplication: { id: 'x', ttl: 60_000 } });
    expect(again.id).toBe(first.id);
    await until('an event', () => dropped === 1);
    expect(await queue.getDeduplicationJobId('x')).toBe(first.id);
    expect(await queue.removeDeduplicationKey('x')).toBe(1);
    expect((await queue.add('c', {}, { deduplication: { id: 'x' } })).id).not.toBe(first.id);
    const late = { deduplication: { id: 'y', ttl: 60_000, extend: true, replace: true }, delay: 60_000 };
    await queue.add('old', {}, late);
    await queue.add('new', {}, late);
    expect((await queue.getDelayed()).map((job) => job.name)).toEqual(['new']);
  });

  test('getters: by state, by range, counts, logs, workers, metrics', async () => {
    const queue = queueOf();
    const worker = workerOf(
      async (job) => {
        await job.log('begun');
        await job.log('going on');
        if (job.data.n % 2 === 1) throw new Error('odd');
      },
      { metrics: { maxDataPoints: 60 }, name: 'painter' },
    );
    const jobs = await queue.addBulk(Array.from({ length: 6 }, (_, n) => ({ name: `job ${n}`, data: { n } })));
    await until('six', async () => (await queue.getJobCountByTypes('completed', 'failed')) === 6);
    await worker.pause();
    await queue.add('waiting', {});
    await queue.add('delayed', {}, { delay: 60_000 });
    expect(await queue.getJobCounts('waiting', 'delayed', 'completed', 'failed', 'active')).toEqual({
      waiting: 1,
      delayed: 1,
      completed: 3,
      failed: 3,
      active: 0,
    });
    expect((await queue.getCompleted()).map((job) => job.name)).toEqual(['job 4', 'job 2', 'job 0']);
    expect((await queue.getFailed(0, 1)).map((job) => job.name)).toEqual(['job 5', 'job 3']);
    expect((await queue.getJobs(['completed', 'failed'], 0, 100, true)).length).toBe(6);
    expect(await queue.getJobLogs(jobs[0].id!)).toEqual({ logs: ['begun', 'going on'], count: 2 });
    await jobs[0].clearLogs(1);
    expect((await queue.getJobLogs(jobs[0].id!)).logs).toEqual(['going on']);
    expect((await queue.getMetrics('completed')).meta.count).toBe(3);
    expect(await queue.getWorkersCount()).toBe(1);
    expect((await queue.getWorkers())[0].name).toContain(name);
    expect(await queue.exportPrometheusMetrics()).toContain(`bullmq_job_count{queue="${name}", state="completed"} 3`);
    expect((await queue.getMeta()).version).toMatch(/^bullmq/);
  });

  test('what is done is kept as far as one says', async () => {
    const queue = queueOf({ defaultJobOptions: { removeOnComplete: 2 } });
    let done = 0;
    workerOf(async (job) => {
      done++;
      if (job.name === 'bad') throw new Error('bad');
    });
    await queue.addBulk(Array.from({ length: 10 }, () => ({ name: 'good', data: {} })));
    await queue.addBulk(Array.from({ length: 3 }, () => ({ name: 'bad', data: {}, opts: { removeOnFail: true } })));
    await queue.addBulk(
      Array.from({ length: 4 }, () => ({ name: 'bad', data: {}, opts: { removeOnFail: { age: 3600, count: 3 } } })),
    );
    await until('all', async () => done === 17 && (await queue.getActiveCount()) === 0);
    expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 2, failed: 3 });
  });

  test('remove, retry all, promote all, clean, drain, obliterate', async () => {
    const queue = queueOf();
    let broken = true;
    const worker = workerOf(async () => {
      if (broken) throw new Error('broken');
    });
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'job', data: {} })));
    await until('five failures', async () => (await queue.getFailedCount()) === 5);
    broken = false;
    await queue.retryJobs();
    await until('five successes', async () => (await queue.getCompletedCount()) === 5);
    const [one] = await queue.getCompleted(0, 0);
    expect(await queue.remove(one.id!)).toBe(1);
    expect((await queue.clean(0, 3, 'completed')).length).toBe(3);
    expect(await queue.getCompletedCount()).toBe(1);
    await worker.pause();
    await queue.addBulk(Array.from({ length: 4 }, () => ({ name: 'late', data: {}, opts: { delay: 60_000 } })));
    await queue.promoteJobs();
    expect(await queue.getWaitingCount()).toBe(4);
    await queue.drain();
    expect(await queue.count()).toBe(0);
    await queue.add('job', {});
    await queue.obliterate();
    expect(await server.admin.keys(`bull:${name}:*`)).toEqual([]);
  });

  test('many jobs, many at a time, by several workers: each is done once', async () => {
    const queue = queueOf();
    const total = 2000;
    const times = new Map<number, number>();
    const work = async (job: Job): Promise<number> => {
      times.set(job.data.n, (times.get(job.data.n) ?? 0) + 1);
      return job.data.n;
    };
    for (let i = 0; i < 3; i++) workerOf(work, { concurrency: 50, removeOnComplete: { count: 100 } });
    for (let from = 0; from < total; from += 500)
      await queue.addBulk(Array.from({ length: 500 }, (_, n) => ({ name: 'job', data: { n: from + n } })));
    await until('all', () => times.size === total);
    await until('no active one', async () => (await queue.getActiveCount()) === 0);
    expect([...times.values()].every((count) => count === 1)).toBe(true);
    expect(await queue.getCompletedCount()).toBe(100);
  });

  test('a worker that takes its jobs by hand', async () => {
    const queue = queueOf();
    const worker = open(new Worker(name, null, { connection }));
    await queue.add('by hand', { n: 1 });
    const token = 'my token';
    const job = await worker.getNextJob(token);
    expect(job.name).toBe('by hand');
    expect(await job.extendLock(token, 60_000)).toBe(1);
    expect(await job.extendLock('another', 60_000)).toBe(0);
    await job.moveToDelayed(Date.now() + 20, token);
    expect(await job.getState()).toBe('delayed');
    await sleep(30);
    const again = await worker.getNextJob(token);
    expect(again.id).toBe(job.id);
    await expect(again.moveToCompleted('x', 'another')).rejects.toThrow(/lock/i);
    await again.moveToCompleted('result', token, false);
    expect(await again.getState()).toBe('completed');
  });
});
