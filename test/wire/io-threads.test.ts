/** A server whose sockets are read and written by I/O threads: what clients see is as it was. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryNetwork, Wires } from '../../src/base/memory-network.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { VirtualClock } from '../../src/base/time.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';

let server: ServerProcess;
let admin: Redis;

beforeAll(async () => {
  server = await startCinnabar('--io-threads', '3', '--unixsocket', 'socket');
  admin = new Redis(server.port, '127.0.0.1');
});

afterAll(async () => {
  admin?.disconnect();
  await server?.stop();
});

async function until(done: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 1000 && !(await done()); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await done()).toBe(true);
}

const field = (info: string, name: string): string => info.match(new RegExp(`${name}:(.*)\r\n`))?.[1] ?? '';

test('the figures tell of it, and the setting stays as it is', async () => {
  expect(field(await admin.info('server'), 'io_threads_active')).toBe('1');
  const before = await admin.info('stats');
  for (let i = 0; i < 20; i++) await admin.ping();
  const after = await admin.info('stats');
  for (const name of ['io_threaded_reads_processed', 'io_threaded_writes_processed'])
    expect(Number(field(after, name)) - Number(field(before, name))).toBeGreaterThanOrEqual(20);
  expect(await admin.config('GET', 'io-threads')).toEqual(['io-threads', '3']);
  await expect(admin.config('SET', 'io-threads', '1')).rejects.toThrow('immutable config');
});

test('many clients at once have their own replies, whatever their size', async () => {
  const clients = Array.from({ length: 20 }, () => new Redis(server.port, '127.0.0.1'));
  await Promise.all(
    clients.map(async (client, i) => {
      for (let round = 0; round < 20; round++) {
        const value = String.fromCharCode(97 + i).repeat(1 + ((i * 7919 + round * 104_729) % 300_000));
        const pipeline = client.pipeline().set(`k${i}`, value).get(`k${i}`).strlen(`k${i}`).echo(`${i}`);
        expect((await pipeline.exec())?.map(([, reply]) => reply)).toEqual(['OK', value, value.length, `${i}`]);
      }
    }),
  );
  for (const client of clients) client.disconnect();
});

test('CLIENT LIST shows where clients are, CLIENT KILL ends them, and a descriptor is nobody else’s', async () => {
  const clients = Array.from({ length: 8 }, () => new Redis(server.port, '127.0.0.1', { retryStrategy: null }));
  await Promise.all(clients.map((client, i) => client.client('SETNAME', `c${i}`)));
  const lines = String(await admin.client('LIST'))
    .split('\n')
    .filter((line) => / name=c\d/.test(line));
  expect(lines.length).toBe(8);
  expect(new Set(lines.map((line) => line.match(/ fd=(\d+)/)?.[1])).size).toBe(8);
  const local = (i: number): string => `127.0.0.1:${(clients[i] as unknown as { stream: Socket }).stream.localPort}`;
  for (let i = 0; i < 8; i++) {
    const line = lines.find((text) => text.includes(` name=c${i} `));
    expect(line).toContain(`addr=${local(i)} laddr=127.0.0.1:${server.port} `);
  }
  for (const client of clients) client.on('error', () => {});
  expect(await admin.client('KILL', 'ADDR', local(3))).toBe(1);
  await until(() => clients[3].status === 'end');
  for (const client of clients) client.disconnect();
  await until(async () => !String(await admin.client('LIST')).includes(' name=c'));
});

test('one that does not read is measured by the main thread, and closed at its limit', async () => {
  await admin.set('big', 'x'.repeat(1_000_000));
  await admin.config('SET', 'client-output-buffer-limit', 'normal 20000000 0 0');
  const slow = connect(server.port, '127.0.0.1');
  slow.on('error', () => {});
  slow.pause();
  slow.write('CLIENT SETNAME slow\r\n');
  await until(async () => String(await admin.client('LIST')).includes('name=slow'));
  const closed = new Promise((resolve) => slow.on('close', resolve));
  slow.write('GET big\r\n'.repeat(60));
  await until(async () => !String(await admin.client('LIST')).includes('name=slow'));
  slow.resume();
  await closed;
  expect(server.output()).toContain('overcoming of output buffer limits');
  await admin.config('SET', 'client-output-buffer-limit', 'normal 0 0 0');
});

test('channels, MONITOR, a unix socket', async () => {
  const local = new Redis(join(server.folder, 'socket'));
  const heard: string[] = [];
  local.on('message', (channel, message) => heard.push(`${channel} ${message}`));
  await local.subscribe('news');
  const first = new Redis(server.port, '127.0.0.1');
  const monitor = await first.monitor();
  first.disconnect();
  monitor.on('monitor', (_time, args) => heard.push(args.join(' ')));
  for (let i = 0; i < 50; i++) await admin.publish('news', `${i}`);
  // What the other connections say when they begin and end is MONITOR's to show as well.
  const lines = (begin: string): string[] => heard.filter((line) => line.startsWith(begin));
  await until(() => lines('news ').length === 50 && lines('publish ').length === 50);
  expect(lines('news ')).toEqual(Array.from({ length: 50 }, (_, i) => `news ${i}`));
  expect(lines('publish ')).toEqual(Array.from({ length: 50 }, (_, i) => `publish news ${i}`));
  local.disconnect();
  monitor.disconnect();
});

test('one who ends his side is still answered, and replies go out before the server ends', async () => {
  const ask = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
      let heard = '';
      socket.on('data', (chunk: Buffer) => void (heard += chunk.toString('latin1')));
      socket.on('end', () => {
        socket.destroy();
        resolve(heard);
      });
      socket.end(text);
    });
  expect(await ask(`${'ECHO x\r\n'.repeat(1000)}GET big\r\n`)).toBe(
    `${'$1\r\nx\r\n'.repeat(1000)}$1000000\r\n${'x'.repeat(1_000_000)}\r\n`,
  );
  const waiting = new Redis(server.port, '127.0.0.1', { retryStrategy: null });
  waiting.on('error', () => {});
  await waiting.ping();
  const last = waiting.set('last', 'one');
  admin.on('error', () => {});
  await last;
  admin.disconnect();
  await server.stop();
  expect(server.output()).toContain('bye bye');
});

test('a server in a process with a network of its own has one thread, and says so once', async () => {
  const told: string[] = [];
  const log = { debug() {}, verbose() {}, notice() {}, warning: (line: string) => void told.push(line) };
  const made: CinnabarServer = createServer({
    port: 6379,
    network: new MemoryNetwork(new Wires(new VirtualClock(), new SeededRandom(1)), '10.0.0.1'),
    settings: { save: '', bind: ['10.0.0.1'], 'io-threads': 4 },
    log,
  });
  await made.listen();
  expect(told.filter((line) => line.includes('io-threads')).length).toBe(1);
  expect(await made.session().call('INFO', 'server')).toContain('io_threads_active:0');
  await made.close();
});

test('servers with threads begin and end within one process', async () => {
  for (let i = 0; i < 3; i++) {
    const made = createServer({ port: await freePort(), settings: { save: '', 'io-threads': 2 } });
    await made.listen();
    const client = new Redis(made.port, '127.0.0.1', { retryStrategy: null });
    client.on('error', () => {});
    expect(await client.set('a', i)).toBe('OK');
    await made.close();
    await until(() => client.status === 'end');
  }
});
