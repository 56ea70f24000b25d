/** Tracking, pub/sub, transactions and blocking through the clients that people use, over real sockets. */
import { Redis, type RedisOptions } from 'ioredis';
import { BasicClientSideCache, createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { freePort } from '../support/ports.ts';

let server: CinnabarServer;
let admin: Redis;

beforeAll(async () => {
  server = createServer({ port: await freePort(), settings: { save: '' } });
  await server.listen();
  admin = new Redis(server.port, '127.0.0.1');
});

afterAll(async () => {
  admin?.disconnect();
  await server?.close();
});

beforeEach(() => admin.flushall());

async function until<T>(read: () => Promise<T> | T, wanted: T): Promise<void> {
  let value = await read();
  for (let i = 0; i < 200 && value !== wanted; i++) {
    await new Promise((done) => setTimeout(done, 10));
    value = await read();
  }
  expect(value).toEqual(wanted);
}

describe('ioredis', () => {
  const connect = (options: RedisOptions = {}): Redis => new Redis(server.port, '127.0.0.1', options);

  test('tracking, redirected to a subscriber', async () => {
    const listener = connect({ protocol: 2 });
    const reader = connect();
    const heard: string[] = [];
    // The library makes text of the array of keys, and of the null for all of them.
    listener.on('message', (_channel, keys) => heard.push(keys));
    const id = await listener.client('ID');
    await listener.subscribe('__redis__:invalidate');
    await reader.client('TRACKING', 'ON', 'REDIRECT', id);
    await reader.mget('a', 'b');
    await admin.set('a', 1);
    await until(() => heard.length, 1);
    await admin.flushall();
    await until(() => heard.length, 2);
    expect(heard).toEqual(['a', '']);
    listener.disconnect();
    reader.disconnect();
  });

  test('channels, patterns and shard channels', async () => {
    const listener = connect();
    const heard: string[] = [];
    listener.on('message', (channel, message) => heard.push(`${channel}=${message}`));
    listener.on('pmessage', (pattern, channel, message) => heard.push(`${pattern}:${channel}=${message}`));
    listener.on('smessage', (channel, message) => heard.push(`shard ${channel}=${message}`));
    expect(await listener.subscribe('news', 'weather')).toBe(2);
    expect(await listener.psubscribe('n*')).toBe(3);
    expect(await listener.ssubscribe('shard')).toBe(1);
    expect(await admin.publish('news', 'one')).toBe(2);
    expect(await admin.publish('weather', 'two')).toBe(1);
    expect(await admin.spublish('shard', 'three')).toBe(1);
    await until(() => heard.length, 4);
    expect(heard.sort()).toEqual(['n*:news=one', 'news=one', 'shard shard=three', 'weather=two']);
    expect(await listener.unsubscribe('news', 'weather')).toBe(1);
    listener.disconnect();
  });

  test('transactions: results, a broken watch, an error within', async () => {
    const client = connect();
    expect(await client.multi().set('a', 1).incr('a').get('a').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ]);
    await client.watch('a');
    await admin.set('a', 'other');
    expect(await client.multi().set('a', 'mine').exec()).toBeNull();
    const results = await client.multi().lpush('a', 'x').get('a').exec();
    expect(results?.[0][0]?.message).toMatch(/^WRONGTYPE/);
    expect(results?.[1]).toEqual([null, 'other']);
    client.disconnect();
  });

  test('blocking until somebody pushes, and until the time is up', async () => {
    const client = connect();
    const popped = client.blpop('queue', 'other', 0);
    await until(async () => /blocked_clients:1/.test(await admin.info('clients')), true);
    await admin.rpush('queue', 'job');
    expect(await popped).toEqual(['queue', 'job']);
    expect(await client.blpop('queue', 0.05)).toBeNull();
    const lowest = client.bzpopmin('scores', 0);
    await admin.zadd('scores', 3, 'c', 1, 'a');
    expect(await lowest).toEqual(['scores', 'a', '1']);
    client.disconnect();
  });
});

describe.each([2, 3] as const)('node-redis over RESP%i', (RESP) => {
  const connect = async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP });
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  test('channels and patterns beside commands', async () => {
    const listener = await connect();
    const heard: string[] = [];
    await listener.subscribe('news', (message, channel) => void heard.push(`${channel}=${message}`));
    await listener.pSubscribe('n*', (message, channel) => void heard.push(`n*:${channel}=${message}`));
    await admin.publish('news', 'one');
    await until(() => heard.length, 2);
    expect(heard.sort()).toEqual(['n*:news=one', 'news=one']);
    // Only RESP3 lets a subscriber go on with other commands.
    if (RESP === 3) expect(await listener.set('k', 'v')).toBe('OK');
    await listener.unsubscribe('news');
    await listener.pUnsubscribe('n*');
    expect(await admin.publish('news', 'two')).toBe(0);
    listener.destroy();
  });

  test('transactions', async () => {
    const client = await connect();
    expect(await client.multi().set('a', '1').incr('a').exec()).toEqual(['OK', 2]);
    await client.watch('a');
    await admin.set('a', 'other');
    await expect(client.multi().set('a', 'mine').exec()).rejects.toThrow('watched keys');
    client.destroy();
  });

  test('blocking', async () => {
    const client = await connect();
    const popped = client.blPop('queue', 0);
    await until(async () => /blocked_clients:1/.test(await admin.info('clients')), true);
    await admin.rpush('queue', 'job');
    expect({ ...(await popped) }).toEqual({ key: 'queue', element: 'job' });
    client.destroy();
  });
});

describe('node-redis with client-side caching', () => {
  test('answers from its cache until the server says that the key has changed', async () => {
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: 'LRU' });
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP: 3, clientSideCache: cache });
    client.on('error', () => {});
    await client.connect();
    await admin.set('a', '1');
    expect(await client.get('a')).toBe('1');
    const before = server.engine.stats.commands;
    for (let i = 0; i < 10; i++) expect(await client.get('a')).toBe('1');
    expect(server.engine.stats.commands).toBe(before);
    await admin.set('a', '2');
    await until(() => client.get('a'), '2');
    await admin.hset('h', 'f', 'v');
    expect({ ...(await client.hGetAll('h')) }).toEqual({ f: 'v' });
    await admin.flushall();
    await until(() => client.get('a'), null);
    await until(async () => Object.keys(await client.hGetAll('h')).length, 0);
    expect(server.engine.tracking.sessions).toBe(1);
    client.destroy();
    await until(() => server.engine.tracking.sessions, 0);
  });
});
