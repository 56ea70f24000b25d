/**
 * Suite 19. Many connections: what an idle one takes, how long active ones wait beside them, what those past maxclients
 * are told, and whether every descriptor comes back after connections that ended in all sorts of states.
 *
 * Planted once: `Client.destroy` didn't close the connections of blocked clients; 300 connections of the churn found it.
 */
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { atOnce, command, descriptors, info, pause, Raw, resident, until } from './harness.ts';

export interface IdleReport {
  readonly idle: number;
  readonly bytesEach: number;
  readonly active: number;
  readonly requests: number;
  readonly p99: number;
}

/** How often a second each active client asks, and for how long. */
const RATE = 10;
const SECONDS = 5;

async function opened(port: number, count: number): Promise<Raw[]> {
  const all: Raw[] = [];
  await atOnce(count, 200, async () => {
    const raw = new Raw(port);
    all.push(raw);
    await until(() => raw.connected || raw.closed, 'a connection');
  });
  return all;
}

async function activeLatency(clients: readonly Raw[]): Promise<number[]> {
  const times: number[] = [];
  const one = async (client: Raw, offset: number): Promise<void> => {
    await pause(offset);
    for (let i = 0; i < RATE * SECONDS; i++) {
      const due = performance.now() + 1000 / RATE;
      const start = performance.now();
      const answered = new Promise<void>((resolve) => client.socket.once('data', () => resolve()));
      client.call('GET', 'key');
      await answered;
      times.push(performance.now() - start);
      await pause(Math.max(0, due - performance.now()));
    }
  };
  await Promise.all(clients.map((client, i) => one(client, (i * 1000) / RATE / clients.length)));
  return times.sort((a, b) => a - b);
}

/** Connections before those that are measured: what is compiled and set up for the first thousand is not what each takes. */
const WARM = 2000;

/** Of ours, or of redis-server beside it: on a busy machine the delays mean something only side by side. */
export async function idleAndActive(idle: number, active: number, start = startCinnabar): Promise<IdleReport> {
  const server = await start('--maxclients', String(WARM + idle + active + 100));
  const clients: Raw[] = [];
  try {
    const probe = new Raw(server.port);
    await probe.ask('SET', 'key', 'value');
    clients.push(probe, ...(await opened(server.port, WARM)));
    await settled(server);
    const before = resident(server.pid);
    clients.push(...(await opened(server.port, idle)));
    await until(async () => Number(await info(probe, 'connected_clients')) === clients.length, 'all to be connected');
    await settled(server);
    const bytesEach = (resident(server.pid) - before) / idle;
    const busy = await opened(server.port, active);
    clients.push(...busy);
    const times = await activeLatency(busy);
    const p99 = times[Math.floor(times.length * 0.99)];
    return { idle, bytesEach, active, requests: times.length, p99 };
  } finally {
    for (const client of clients) client.reset();
    await server.stop();
  }
}

/** Waits until the process's memory no longer changes much. */
async function settled(server: ServerProcess): Promise<void> {
  let last = 0;
  for (let i = 0; i < 20 && Math.abs(resident(server.pid) - last) > 256 * 1024; i++) {
    last = resident(server.pid);
    await pause(250);
  }
}

/** One error and an end for each that comes when the house is full; the places of those that leave are free again. */
export async function pastTheLimit(limit: number, more: number): Promise<void> {
  const server = await startCinnabar('--maxclients', String(limit));
  const inside = await opened(server.port, limit);
  try {
    const [probe] = inside;
    await until(async () => Number(await info(probe, 'connected_clients')) === limit, 'a full house');
    for (const late of await opened(server.port, more)) {
      await until(() => late.closed, 'the end of one too many');
      if (late.received !== '-ERR max number of clients reached\r\n')
        throw new Error(`told ${JSON.stringify(late.received)}`);
    }
    if ((await info(probe, 'rejected_connections')) !== String(more)) throw new Error('they were not counted');
    inside.pop()?.destroy();
    await until(async () => Number(await info(probe, 'connected_clients')) === limit - 1, 'a free place');
    const [welcome] = await opened(server.port, 1);
    inside.push(welcome);
    if ((await welcome.ask('PING')) !== '+PONG\r\n') throw new Error('the free place was not given');
  } finally {
    for (const client of inside) client.reset();
    await server.stop();
  }
}

/** States in which a connection may end. */
const STATES: readonly string[] = [
  '',
  'PING\r\n',
  '*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100000\r\nabc',
  '*',
  command('BLPOP', 'never', 0),
  command('SUBSCRIBE', 'a', 'b') + command('PSUBSCRIBE', '*'),
  command('MULTI') + command('SET', 'a', 'b'),
  command('WATCH', 'key', 'other'),
  command('MONITOR'),
  command('CLIENT', 'TRACKING', 'ON') + command('GET', 'key'),
  command('HELLO', 3) + command('CLIENT', 'TRACKING', 'ON', 'BCAST'),
  command('CLIENT', 'REPLY', 'OFF'),
  command('GET', 'large').repeat(20),
  command('QUIT'),
  '*1\r\nnonsense\r\n',
  'POST / HTTP/1.1\r\n',
];

async function comeAndGo(port: number, random: Random, i: number): Promise<void> {
  const raw = new Raw(port, { localAddress: `127.0.0.${1 + (i % 200)}` });
  await until(() => raw.connected || raw.closed, 'a connection');
  raw.send(STATES[random.below(STATES.length)]);
  const leaving = random.below(4);
  if (leaving === 0) raw.destroy();
  else if (leaving === 1) raw.socket.end();
  else {
    if (leaving === 2) await pause(1);
    raw.reset();
  }
  if (leaving !== 1) return;
  await Promise.race([until(() => raw.closed, 'an end'), pause(50)]);
  raw.reset();
}

export interface ChurnReport {
  readonly connections: number;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly grownMiB: number;
}

export async function churn(count: number, seed: number): Promise<ChurnReport> {
  const server = await startCinnabar();
  const random = new SeededRandom(seed);
  const probe = new Raw(server.port);
  try {
    await probe.ask('SET', 'large', 'x'.repeat(200_000));
    await atOnce(200, 64, (i) => comeAndGo(server.port, random, i));
    const alone = async (): Promise<boolean> => Number(await info(probe, 'connected_clients')) === 1;
    await until(alone, 'all to be gone');
    const before = descriptors(server.pid);
    const memory = resident(server.pid);
    await atOnce(count, 64, (i) => comeAndGo(server.port, random, i));
    await until(alone, 'all to be gone');
    await until(() => descriptors(server.pid) <= before, `descriptors back to ${before}`);
    for (const [field, value] of [
      ['blocked_clients', '0'],
      ['tracking_clients', '0'],
      ['pubsub_patterns', '0'],
      ['pubsub_channels', '0'],
    ]) {
      const now = await info(probe, field);
      if (now !== value) throw new Error(`${field} is ${now} when all have gone`);
    }
    const grownMiB = (resident(server.pid) - memory) / 2 ** 20;
    return { connections: count, descriptorsBefore: before, descriptorsAfter: descriptors(server.pid), grownMiB };
  } finally {
    probe.destroy();
    await server.stop();
  }
}
