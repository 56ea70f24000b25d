/**
 * The main job of each client of npm: `node npm.mjs NAME PORT` leaves with 0 where all of it went as documented. The packages are
 * those of this folder.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { fileURLToPath } from 'node:url';

const [, , name, port] = process.argv;
const host = '127.0.0.1';
const url = `redis://${host}:${port}`;

/** Waits until `holds`, for ten seconds at the most. */
async function until(holds) {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  assert.fail('it did not come about');
}

/** What ioredis and those made after it have in common. */
async function likeIoredis(Redis) {
  const client = new Redis(Number(port), host);
  assert.equal(await client.set('k', 'v', 'PX', 60_000), 'OK');
  assert.deepEqual(await client.getBuffer('k'), Buffer.from('v'));
  await client.hset('h', { a: 1, b: 2 });
  assert.deepEqual(await client.hgetall('h'), { a: '1', b: '2' });
  assert.deepEqual(await client.pipeline().incr('n').incr('n').exec(), [
    [null, 1],
    [null, 2],
  ]);
  assert.deepEqual(await client.multi().incr('n').get('k').exec(), [
    [null, 3],
    [null, 'v'],
  ]);
  client.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('get', KEYS[1]) * 2" });
  assert.equal(await client.double('n'), 6);
  const subscriber = client.duplicate();
  await subscriber.subscribe('news');
  const heard = once(subscriber, 'message');
  await client.publish('news', 'hello');
  assert.deepEqual(await heard, ['news', 'hello']);
  for (let i = 0; i < 100; i++) await client.sadd('set', `member:${i}`);
  const members = [];
  for await (const some of client.sscanStream('set')) members.push(...some);
  assert.equal(new Set(members).size, 100);
  await client.xadd('stream', '1-1', 'f', 'v');
  assert.deepEqual(await client.xrange('stream', '-', '+'), [['1-1', ['f', 'v']]]);
  const waiting = subscriber.duplicate().blpop('list', 5);
  await client.rpush('list', 'x');
  assert.deepEqual(await waiting, ['list', 'x']);
}

/** What node-redis does, over both protocols. */
async function likeNodeRedis({ createClient }) {
  for (const RESP of [2, 3]) {
    const client = await createClient({ url, RESP, unstableResp3: true }).connect();
    await client.flushAll();
    assert.equal(await client.set('k', 'v', { expiration: { type: 'PX', value: 60_000 } }), 'OK');
    assert.equal(await client.get('k'), 'v');
    await client.hSet('h', { a: 1, b: 2 });
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', b: '2' });
    await client.zAdd('z', [{ score: 1.5, value: 'a' }]);
    assert.deepEqual(await client.zRangeWithScores('z', 0, -1), [{ value: 'a', score: 1.5 }]);
    assert.deepEqual(await client.multi().incr('n').incr('n').exec(), [1, 2]);
    assert.equal(await client.eval("return redis.call('get', KEYS[1])", { keys: ['k'] }), 'v');
    const subscriber = await client.duplicate().connect();
    const heard = new Promise(
      (done) => void subscriber.subscribe('news', done).then(() => client.publish('news', 'hello')),
    );
    assert.equal(await heard, 'hello');
    await client.xAdd('stream', '*', { f: 'v' });
    const [{ message }] = await client.xRange('stream', '-', '+');
    assert.deepEqual({ ...message }, { f: 'v' });
    const keys = [];
    for await (const some of client.scanIterator()) keys.push(...[some].flat());
    assert.deepEqual(keys.sort(), ['h', 'k', 'n', 'stream', 'z']);
    subscriber.destroy();
    client.destroy();
  }
}

async function ioredis() {
  const { Redis } = await import('ioredis');
  return new Redis(Number(port), host, { maxRetriesPerRequest: null });
}

async function likeRedlock(Redlock, acquire, release) {
  const redlock = new Redlock([await ioredis()], { retryCount: 0 });
  const lock = await acquire(redlock);
  await assert.rejects(acquire(redlock));
  await release(lock);
  await release(await acquire(redlock));
}

/** Two servers of socket.io that hear of one another by the adapter. */
async function socketIo(adapterFor) {
  const { Server } = await import('socket.io');
  const { io: connect } = await import('socket.io-client');
  const servers = [];
  for (let i = 0; i < 2; i++) {
    const http = createHttp().listen(0, host);
    await once(http, 'listening');
    servers.push({ io: new Server(http, { adapter: await adapterFor() }), port: http.address().port });
  }
  const client = connect(`http://${host}:${servers[0].port}`, { transports: ['websocket'] });
  await once(client, 'connect');
  const heard = once(client, 'news');
  let told = false;
  client.on('news', () => (told = true));
  await until(() => {
    servers[1].io.emit('news', { n: 1 });
    return told;
  });
  assert.deepEqual(await heard, [{ n: 1 }]);
}

const JOBS = {
  'ioredis 5': async () => likeIoredis((await import('ioredis')).Redis),
  'ioredis 6': async () => likeIoredis((await import('ioredis-6')).Redis),
  iovalkey: async () => likeIoredis((await import('iovalkey')).default),
  'redis 5': async () => likeNodeRedis(await import('redis-5')),
  'redis 6': async () => likeNodeRedis(await import('redis')),
  '@valkey/valkey-glide': async () => {
    const { GlideClient } = await import('@valkey/valkey-glide');
    const client = await GlideClient.createClient({ addresses: [{ host, port: Number(port) }] });
    assert.equal(await client.set('k', 'v'), 'OK');
    assert.equal(await client.get('k'), 'v');
    await client.hset('h', { a: '1' });
    assert.deepEqual(await client.hgetall('h'), [{ field: 'a', value: '1' }]);
    assert.equal(await client.customCommand(['INCRBY', 'n', '5']), 5);
    client.close();
  },
  bullmq: async () => {
    const { Queue, QueueEvents, Worker } = await import('bullmq');
    const connection = { host, port: Number(port) };
    const queue = new Queue('jobs', { connection });
    const events = new QueueEvents('jobs', { connection });
    await events.waitUntilReady();
    const worker = new Worker('jobs', async (job) => job.data.n * 2, { connection });
    const late = await queue.add('late', { n: 4 }, { delay: 50, attempts: 2 });
    const job = await queue.add('now', { n: 3 }, { priority: 1 });
    assert.deepEqual([await job.waitUntilFinished(events), await late.waitUntilFinished(events)], [6, 8]);
    await Promise.all([worker.close(), events.close(), queue.close()]);
  },
  bull: async () => {
    const { default: Bull } = await import('bull');
    const queue = new Bull('jobs', url);
    queue.process(async (job) => job.data.n * 2);
    const [now, late] = [await queue.add({ n: 3 }), await queue.add({ n: 4 }, { delay: 50 })];
    assert.deepEqual([await now.finished(), await late.finished()], [6, 8]);
    await queue.close();
  },
  'bee-queue': async () => {
    const { default: BeeQueue } = await import('bee-queue');
    const queue = new BeeQueue('jobs', { redis: { host, port: Number(port) } });
    queue.process(async (job) => job.data.n * 2);
    const job = queue.createJob({ n: 3 });
    const done = once(job, 'succeeded');
    await job.save();
    assert.deepEqual(await done, [6]);
    await queue.close(1000);
  },
  'redlock 4': async () =>
    likeRedlock(
      (await import('redlock')).default,
      (lock) => lock.lock('resource', 5000),
      (lock) => lock.unlock(),
    ),
  'redlock 5': async () =>
    likeRedlock(
      (await import('redlock-5')).default,
      (lock) => lock.acquire(['resource'], 5000),
      (lock) => lock.release(),
    ),
  'connect-redis': async () => {
    const [{ RedisStore }, { createClient }] = [await import('connect-redis'), await import('redis')];
    const client = await createClient({ url }).connect();
    const store = new RedisStore({ client, ttl: 60 });
    const session = { user: 'ada', cookie: { maxAge: 60_000 } };
    await store.set('id', session);
    assert.deepEqual(await store.get('id'), session);
    assert.deepEqual(await store.ids(), ['id']);
    await store.touch('id', session);
    await store.destroy('id');
    assert.equal((await store.get('id')) ?? null, null);
  },
  'rate-limiter-flexible': async () => {
    const { RateLimiterRedis } = await import('rate-limiter-flexible');
    const limiter = new RateLimiterRedis({ storeClient: await ioredis(), points: 2, duration: 60 });
    await limiter.consume('ada');
    assert.equal((await limiter.consume('ada')).remainingPoints, 0);
    await assert.rejects(limiter.consume('ada'), ({ consumedPoints }) => consumedPoints === 3);
  },
  '@socket.io/redis-adapter': async () => {
    const { createAdapter } = await import('@socket.io/redis-adapter');
    await socketIo(async () => createAdapter(await ioredis(), await ioredis()));
  },
  '@socket.io/redis-streams-adapter': async () => {
    const { createAdapter } = await import('@socket.io/redis-streams-adapter');
    await socketIo(async () => createAdapter(await ioredis()));
  },
  'graphql-redis-subscriptions': async () => {
    const { RedisPubSub } = await import('graphql-redis-subscriptions');
    const pubsub = new RedisPubSub({ publisher: await ioredis(), subscriber: await ioredis() });
    const heard = new Promise((done) => {
      void pubsub.subscribe('news.*', done, { pattern: true }).then(() => pubsub.publish('news.one', { n: 1 }));
    });
    assert.deepEqual(await heard, { n: 1 });
  },
  '@keyv/redis': async () => {
    const [{ default: KeyvRedis }, { default: Keyv }] = [await import('@keyv/redis'), await import('keyv')];
    const keyv = new Keyv({ store: new KeyvRedis(url), namespace: 'cache' });
    await keyv.set('k', { a: 1 }, 60_000);
    assert.deepEqual(await keyv.get('k'), { a: 1 });
    assert.equal(await keyv.delete('k'), true);
    assert.equal(await keyv.get('k'), undefined);
    await keyv.set('k', 1);
    await keyv.clear();
    assert.equal(await keyv.get('k'), undefined);
  },
  'cache-manager': async () => {
    const [{ default: KeyvRedis }, { default: Keyv }, { createCache }] = [
      await import('@keyv/redis'),
      await import('keyv'),
      await import('cache-manager'),
    ];
    const cache = createCache({ stores: [new Keyv({ store: new KeyvRedis(url) })] });
    let calls = 0;
    const load = () => cache.wrap('k', async () => ++calls, 60_000);
    assert.equal(await load(), 1);
    await until(() => cache.get('k'));
    assert.deepEqual([await load(), calls], [1, 1]);
    await cache.mset([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ]);
    assert.deepEqual(await cache.mget(['a', 'b', 'c']), [1, 2, undefined]);
  },
  jest: async () => {
    const { spawnSync } = await import('node:child_process');
    const jest = fileURLToPath(new URL('./node_modules/jest/bin/jest.js', import.meta.url));
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    const words = [jest, '--ci', '--testMatch', '**/*.test.cjs'];
    const { status, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  },
};

if (name === undefined) console.log(JSON.stringify(Object.keys(JOBS)));
else {
  await JOBS[name]();
  // What its packages keep open is of no concern.
  process.exit(0);
}
