/** What clients take, and the limit on it: maxmemory-clients, CLIENT NO-EVICT, the figures of CLIENT LIST and INFO. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Log } from '../../src/engine/server-port.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';

const MB = 1024 * 1024;

let server: CinnabarServer;
let admin: Pipeline;
let logged: string[];
const opened: Pipeline[] = [];

beforeEach(async () => {
  logged = [];
  const keep = (message: string): void => void logged.push(message);
  const log: Log = { debug() {}, verbose() {}, notice: keep, warning: keep };
  server = createServer({ port: await freePort(), settings: { save: '', 'enable-debug-command': 'yes' }, log });
  await server.listen();
  admin = open();
  await admin.send([['CLIENT', 'NO-EVICT', 'on']]);
});

afterEach(async () => {
  for (const pipeline of opened.splice(0)) pipeline.close();
  await server.close();
});

function open(): Pipeline {
  const pipeline = new Pipeline(server.port);
  opened.push(pipeline);
  return pipeline;
}

const set = (name: string, value: string | number) => admin.send([['CONFIG', 'SET', name, String(value)]]);

/** The fields of each client in CLIENT LIST, by its name. */
async function clients(): Promise<Map<string, Record<string, string>>> {
  const text = String((await admin.send([['CLIENT', 'LIST']]))[0]);
  const found = new Map<string, Record<string, string>>();
  for (const line of text.trim().split('\n')) {
    const fields = Object.fromEntries(line.split(' ').map((field) => field.split('=', 2)));
    found.set(fields['name'] ?? '', fields);
  }
  return found;
}

async function info(field: string): Promise<number> {
  const text = String((await admin.send([['INFO', 'everything']]))[0]);
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)?.[1]);
}

/** A client that has sent so many bytes of an argument and not its end. */
async function holder(name: string, bytes: number): Promise<Pipeline> {
  const pipeline = open();
  await pipeline.send([['CLIENT', 'SETNAME', name]]);
  pipeline.raw(`*2\r\n$${bytes}\r\n${'v'.repeat(bytes)}`);
  await until(async () => Number((await clients()).get(name)?.['qbuf'] ?? bytes) >= bytes);
  return pipeline;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error('it did not come to be');
}

describe('figures', () => {
  test('tot-mem tells what a client makes the server hold', async () => {
    await holder('query', 3 * MB);
    const reader = open();
    await reader.send([['CLIENT', 'SETNAME', 'multi'], ['MULTI'], ['SET', 'k', 'v'.repeat(MB)]]);
    const listener = open();
    await listener.send([
      ['CLIENT', 'SETNAME', 'listener'],
      ['SUBSCRIBE', 'c'.repeat(MB)],
    ]);
    const watcher = open();
    await watcher.send([
      ['CLIENT', 'SETNAME', 'watcher'],
      ['WATCH', 'w'.repeat(MB)],
    ]);
    const list = await clients();
    for (const [name, bytes] of [
      ['query', 3 * MB],
      ['multi', MB],
      ['listener', MB],
      ['watcher', MB],
    ] as const)
      expect(Number(list.get(name)?.['tot-mem']), name).toBeGreaterThanOrEqual(bytes);
    expect(Number(list.get('multi')?.['multi-mem'])).toBeGreaterThan(MB);
    expect(list.get('query')?.['qbuf']).toBe(String(3 * MB));
    expect(await info('mem_clients_normal')).toBeGreaterThan(6 * MB);
    await watcher.send([['UNWATCH']]);
    expect(Number((await clients()).get('watcher')?.['tot-mem'])).toBeLessThan(3 * MB);
  });

  test('rbs follows what a client is sent', async () => {
    await admin.send([['DEBUG', 'REPLYBUFFER', 'PEAK-RESET-TIME', '50']]);
    const reader = open();
    await reader.send([['CLIENT', 'SETNAME', 'reader']]);
    const size = async () => Number((await clients()).get('reader')?.['rbs']);
    await until(async () => (await size()) === 1024);
    await admin.send([['DEBUG', 'REPLYBUFFER', 'PEAK-RESET-TIME', 'never']]);
    await admin.send([['SET', 'big', 'x'.repeat(32768)]]);
    await until(async () => {
      await reader.send([['GET', 'big']]);
      return (await size()) === 16384;
    });
    expect(await info('reply_buffer_shrinks')).toBeGreaterThan(0);
    expect(await info('reply_buffer_expands')).toBeGreaterThan(0);
  });
});

describe('maxmemory-clients', () => {
  test('closes the largest clients, and no more than need be', async () => {
    await holder('small', 200 * 1024);
    await holder('middle', MB);
    await holder('large', 3 * MB);
    await set('maxmemory-clients', 2 * MB);
    const left = await clients();
    expect([...left.keys()].filter((name) => name !== '').sort()).toEqual(['middle', 'small']);
    expect(await info('evicted_clients')).toBe(1);
    expect(logged.filter((line) => line.startsWith('Evicting client: ')).length).toBe(1);
    expect(logged.find((line) => line.startsWith('Evicting client: '))).toContain('name=large');
  });

  test('spares who said NO-EVICT, until it is taken back', async () => {
    await set('maxmemory-clients', 2 * MB);
    const client = open();
    await client.send([
      ['CLIENT', 'SETNAME', 'spared'],
      ['CLIENT', 'NO-EVICT', 'on'],
      ['MULTI'],
      ['SET', 'k', 'v'.repeat(3 * MB)],
    ]);
    expect((await clients()).get('spared')?.['flags']).toBe('xe');
    expect(logged).toContain('Over client maxmemory after evicting all evictable clients');
    await client.send([['DISCARD'], ['CLIENT', 'NO-EVICT', 'off'], ['MULTI']]);
    client.post(['SET', 'k', 'v'.repeat(3 * MB)]);
    await until(async () => !(await clients()).has('spared'));
  });

  test('is a share of maxmemory when in percent, and of nothing without one', async () => {
    await set('maxmemory-clients', '10%');
    await holder('free', 2 * MB);
    expect((await clients()).has('free')).toBe(true);
    await set('maxmemory', 10 * MB);
    expect((await clients()).has('free')).toBe(false);
  });

  test('is never taken to be less than 128 KB', async () => {
    await set('maxmemory-clients', 1);
    const client = open();
    await client.send([['CLIENT', 'SETNAME', 'usual']]);
    expect((await clients()).has('usual')).toBe(true);
  });

  test('counts what a slow reader is owed, watches, subscriptions and prefixes', async () => {
    await set('maxmemory-clients', 300_000);
    await admin.send([['SET', 'k', 'v'.repeat(100_000)]]);
    const grow: Record<string, (client: Pipeline, i: number) => void> = {
      watches: (client, i) => client.post(['WATCH', `key:${i}`]),
      channels: (client, i) => client.post(['SUBSCRIBE', `channel:${i}`]),
      patterns: (client, i) => client.post(['PSUBSCRIBE', `pattern:${i}`]),
      shards: (client, i) => client.post(['SSUBSCRIBE', `shard:${i}`]),
      prefixes: (client, i) => client.post(['CLIENT', 'TRACKING', 'on', 'bcast', 'prefix', `prefix:${i + 10_000}`]),
    };
    for (const [name, step] of Object.entries(grow)) {
      const client = open();
      await client.send([['CLIENT', 'SETNAME', name]]);
      for (let i = 0; i < 4000; i++) step(client, i);
      await until(async () => !(await clients()).has(name));
    }
    const slow = open();
    await slow.send([['CLIENT', 'SETNAME', 'slow']]);
    slow.stopReading();
    for (let i = 0; i < 200; i++) slow.post(['GET', 'k']);
    await until(async () => !(await clients()).has('slow'));
  });
});

describe('requests of endless arguments', () => {
  function flood(argument: string, count: number): Promise<void> {
    const socket: Socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`*${count}\r\n`);
    const block = argument.repeat(1000);
    return new Promise((done) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(block));
        socket.once('drain', more);
      };
      socket.once('close', done);
      more();
    });
  }

  test('count against client-query-buffer-limit for what marking them takes', async () => {
    await set('client-query-buffer-limit', 4 * MB);
    await flood('$0\r\n\r\n', 1_000_000);
    const line = logged.find((text) => text.startsWith('Closing client that reached max query buffer length'));
    expect(Number(/argv-mem=(\d+)/.exec(line ?? '')?.[1])).toBeLessThan(8 * MB);
    expect(await admin.send([['PING']])).toEqual(['PONG']);
  });
});
