/** Connections without a port: by hand, and by the client libraries. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectorTo } from '../../../src/embed/ioredis.ts';
import { type CinnabarServer, createServer } from '../../../src/index.ts';

const MB = 1024 * 1024;

let server: CinnabarServer;

beforeEach(() => {
  server = createServer();
});

afterEach(() => server.close());

/** Reads until there are so many bytes. */
function read(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < count) return;
      socket.off('data', take);
      resolve(Buffer.concat(chunks));
    };
    socket.on('data', take).resume();
  });
}

describe('a socket', () => {
  test('speaks the protocol, and is a client as others are', async () => {
    // Tests before this one, in the same process, may have left some.
    const listeners = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    const before = listeners();
    const socket = server.connect();
    socket.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nGET k\r\n');
    expect((await read(socket, 12)).toString()).toBe('+OK\r\n$1\r\nv\r\n');
    const line = String(await server.session().call('CLIENT', 'LIST'));
    expect(line).toContain(' addr=127.0.0.1:0 ');
    expect(server.listens).toBe(false);
    expect(listeners()).toBeLessThanOrEqual(before);
  });

  test('gets the reply to QUIT before its end, and to what it asked before it ended its side', async () => {
    for (const [words, end] of [
      ['PING\r\nQUIT\r\n', false],
      ['PING\r\nPING\r\n', true],
    ] as const) {
      const socket = server.connect();
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.write(words);
      if (end) socket.end();
      await new Promise((resolve) => socket.once('close', resolve));
      expect(text).toBe(end ? '+PONG\r\n+PONG\r\n' : '+PONG\r\n+OK\r\n');
    }
  });

  test('that is destroyed is gone from the server', async () => {
    const socket = server.connect();
    socket.write('PING\r\n');
    await read(socket, 7);
    expect(server.engine.sessions.size).toBe(1);
    socket.destroy();
    await expect.poll(() => server.engine.sessions.size).toBe(0);
  });

  test('ends with the server, which gives no more', async () => {
    const socket = server.connect();
    const ended = new Promise((resolve) => socket.resume().once('close', resolve));
    await server.close();
    await ended;
    expect(() => server.connect()).toThrow('The server is closed');
  });

  test('beyond maxclients is told so', async () => {
    await server.session().call('CONFIG', 'SET', 'maxclients', 1);
    const socket = server.connect();
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(text).toBe('-ERR max number of clients reached\r\n');
  });

  test('closes when it is idle for longer than `timeout`, also where nobody listens', async () => {
    await server.session().call('CONFIG', 'SET', 'timeout', 1);
    const socket = server.connect().resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  test('that does not read holds little: the rest is owed by the server, within its limits', async () => {
    const session = server.session();
    await session.call('SET', 'large', 'x'.repeat(MB));
    const socket = server.connect();
    socket.pause();
    for (let i = 0; i < 100; i++) socket.write('GET large\r\n');
    await expect.poll(() => socket.readableLength, { timeout: 30_000 }).toBeGreaterThan(0);
    await expect
      .poll(() => [...server.engine.sessions.values()].some(({ reply }) => reply.pending > 90 * MB), {
        timeout: 30_000,
      })
      .toBe(true);
    expect(socket.readableLength).toBeLessThan(3 * MB);
    const total = 100 * (MB + '$1048576\r\n\r\n'.length);
    expect((await read(socket, total)).length).toBe(total);
  });
});

describe('ioredis', () => {
  let client: Redis;

  beforeEach(() => {
    client = new Redis({ Connector: connectorTo(server) });
  });

  afterEach(() => client.disconnect());

  test('works, with no port', async () => {
    expect(await client.set('k', 'v')).toBe('OK');
    expect(await client.getBuffer('k')).toEqual(Buffer.from('v'));
    expect(await client.multi().incr('n').incr('n').exec()).toEqual([
      [null, 1],
      [null, 2],
    ]);
    const large = 'x'.repeat(5 * MB);
    const replies = await client.pipeline().set('large', large).get('large').exec();
    expect(replies?.[1][1]).toBe(large);
    expect(server.listens).toBe(false);
  });

  test('listens, and waits', async () => {
    const listener = client.duplicate();
    await listener.subscribe('news');
    const heard = new Promise((resolve) => listener.once('message', (_, message) => resolve(message)));
    await client.publish('news', 'hello');
    expect(await heard).toBe('hello');
    listener.disconnect();
    const waiter = client.duplicate();
    const popped = waiter.blpop('list', 0);
    await client.rpush('list', 'x');
    expect(await popped).toEqual(['list', 'x']);
    waiter.disconnect();
  });

  test('comes back when it was cut off', async () => {
    const id = await client.client('ID');
    const ready = new Promise((resolve) => client.once('reconnecting', () => client.once('ready', resolve)));
    await server.session().call('CLIENT', 'KILL', 'ID', id);
    await ready;
    expect(await client.client('ID')).toBeGreaterThan(id);
  });

  test('carries BullMQ', async () => {
    const connection = new Redis({ Connector: connectorTo(server), maxRetriesPerRequest: null });
    const queue = new Queue('q', { connection });
    const events = new QueueEvents('q', { connection });
    await events.waitUntilReady();
    const worker = new Worker('q', async ({ data }) => data.n * 2, { connection });
    const job = await queue.add('double', { n: 21 });
    expect(await job.waitUntilFinished(events)).toBe(42);
    await Promise.all([worker.close(), events.close(), queue.close()]);
    connection.disconnect();
  });
});

test('node-redis, which takes no stream, goes over a unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-socket-'));
  const unixsocket = join(folder, 'cinnabar.sock');
  const local = createServer({ settings: { port: 0, unixsocket } });
  await local.listen();
  const client = createClient({ socket: { path: unixsocket, tls: false }, RESP: 3 });
  await client.connect();
  expect(await client.hSet('h', { a: '1' })).toBe(1);
  expect(await client.hGetAll('h')).toEqual({ a: '1' });
  expect(local.port).toBe(0);
  client.destroy();
  await local.close();
  rmSync(folder, { recursive: true });
});
