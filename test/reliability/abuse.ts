/**
 * Suite 16. Clients that take memory and give nothing: that never read, that send huge arguments or announce them, that
 * queue and watch without end, that subscribe and sleep. The server's memory stays within the limits that concern them
 * and 64 MiB more, those who pass a limit are disconnected, and nobody else is.
 *
 * Planted once: the check of output limits left out of `Client.overLimit`; two clients that never read took 2 GiB.
 */
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { atOnce, command, info, MIB, Raw, resident, until } from './harness.ts';

const ALLOWANCE = 64 * MIB;

export interface AbuseReport {
  readonly what: string;
  readonly boundMiB: number;
  readonly grownMiB: number;
  readonly disconnected: number;
}

interface Scene {
  readonly server: ServerProcess;
  /** A client that behaves; it must survive. */
  readonly good: Raw;
  open(): Raw;
  /** Looks how much memory there is now. */
  look(): void;
}

/** How often a scene is played at most: when V8 collects is its own affair, and the best counts. */
const TRIES = 3;

/** Plays `act` and checks that the server never grew by more than `bound` bytes and the allowance. */
async function scene(...play: Parameters<typeof played>): Promise<AbuseReport> {
  for (let tried = 1; ; tried++) {
    const report = await played(...play);
    if (report.grownMiB <= report.boundMiB) return report;
    if (tried === TRIES) throw new Error(`too much memory: ${JSON.stringify(report)}`);
  }
}

async function played(
  what: string,
  options: readonly string[],
  bound: number,
  act: (on: Scene) => Promise<number>,
): Promise<AbuseReport> {
  const server = await startCinnabar(...options);
  const clients: Raw[] = [];
  const good = new Raw(server.port);
  let most = 0;
  const look = (): void => {
    most = Math.max(most, resident(server.pid));
  };
  const timer = setInterval(look, 10);
  try {
    await good.ask('SET', 'megabyte', 'x'.repeat(MIB));
    await good.ask('PING');
    const before = resident(server.pid);
    const open = (): Raw => {
      const raw = new Raw(server.port);
      clients.push(raw);
      return raw;
    };
    const disconnected = await act({ server, good, open, look });
    if ((await good.ask('PING')) !== '+PONG\r\n') throw new Error(`${what}: the good client was not served`);
    look();
    return { what, boundMiB: (bound + ALLOWANCE) / MIB, grownMiB: (most - before) / MIB, disconnected };
  } finally {
    clearInterval(timer);
    for (const client of [...clients, good]) client.reset();
    await server.stop();
  }
}

async function connected(good: Raw): Promise<number> {
  return Number(await info(good, 'connected_clients'));
}

/** Replies of a GB asked for by each, and not read. */
function neverRead(count: number): Promise<AbuseReport> {
  const limit = 4 * MIB;
  const options = ['--client-output-buffer-limit', `normal ${limit} 0 0`];
  return scene('never read', options, count * limit, async ({ good, open, look }) => {
    for (let i = 0; i < count; i++) {
      const raw = open();
      raw.socket.pause();
      raw.send(command('GET', 'megabyte').repeat(1024));
      look();
    }
    await until(async () => (await connected(good)) === 1, 'all of them to be disconnected');
    return count;
  });
}

/** Slow readers get everything, however much it is, and the server waits for them. */
function slowReaders(count: number): Promise<AbuseReport> {
  const each = 256;
  return scene('slow readers', [], count * 160 * MIB, async ({ open }) => {
    await atOnce(count, count, async () => {
      const raw = open();
      raw.counting = true;
      raw.socket.pause();
      raw.send(command('GET', 'megabyte').repeat(each));
      await new Promise((resolve) => setTimeout(resolve, 300));
      raw.socket.resume();
      const wanted = each * (MIB + '$1048576\r\n\r\n'.length);
      await until(() => raw.count === wanted || raw.closed, 'all replies', 60_000);
      if (raw.count !== wanted) throw new Error(`a slow reader got ${raw.count} of ${wanted} bytes`);
    });
    return 0;
  });
}

/** Arguments announced and never sent, and arguments sent beyond the limit. */
function hugeArguments(count: number): Promise<AbuseReport> {
  const limit = 2 * MIB;
  const options = ['--client-query-buffer-limit', String(limit)];
  return scene('huge arguments', options, count * limit, async ({ good, open }) => {
    for (let i = 0; i < count; i++) {
      const announcing = open();
      announcing.send('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc');
      const sending = open();
      sending.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n${'y'.repeat(limit + 1000)}`);
    }
    await until(async () => (await connected(good)) === count + 1, 'those who sent too much to be disconnected');
    return count;
  });
}

/** Transactions queued and keys watched without end, under maxmemory-clients. */
function queueAndWatch(count: number): Promise<AbuseReport> {
  const limit = 32 * MIB;
  return scene('MULTI and WATCH', ['--maxmemory-clients', String(limit)], limit, async ({ good, open }) => {
    await good.ask('CLIENT', 'NO-EVICT', 'ON');
    const piece = 'z'.repeat(100_000);
    await atOnce(count, count, async (i) => {
      const raw = open();
      raw.call('MULTI');
      for (let n = 0; n < 1000 && !raw.closed; n++) {
        if (i % 2 === 0) raw.call('SET', 'k', piece);
        else raw.call('DISCARD');
        if (i % 2 === 1) raw.call('WATCH', `${piece}${n}${i}`);
        if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => raw.closed || raw.socket.writableLength === 0, 'the end of a greedy client');
    });
    const evicted = Number(await info(good, 'evicted_clients'));
    if (evicted === 0) throw new Error('no greedy client was evicted');
    return evicted;
  });
}

/** Subscribers that sleep are disconnected at their limit; the one that listens gets every message. */
function sleepingSubscribers(count: number): Promise<AbuseReport> {
  const limit = 4 * MIB;
  const options = ['--client-output-buffer-limit', `pubsub ${limit} 0 0`];
  return scene('sleeping subscribers', options, count * limit, async ({ good, open }) => {
    const sleepers = Array.from({ length: count }, () => open());
    const listener = open();
    listener.counting = true;
    for (const raw of [...sleepers, listener]) raw.call('SUBSCRIBE', 'c');
    for (const raw of sleepers) {
      await until(() => raw.received !== '', 'a confirmation');
      raw.socket.pause();
    }
    await until(() => listener.count > 0, 'a confirmation');
    const message = 'm'.repeat(100_000);
    for (let i = 0; i < 200; i++) await good.ask('PUBLISH', 'c', message);
    await until(() => listener.count > 200 * message.length, 'all messages');
    if ((await connected(good)) !== 2) throw new Error('a sleeping subscriber is still there');
    return count;
  });
}

export async function memoryAbuse(count: number): Promise<AbuseReport[]> {
  return [
    await neverRead(count),
    await slowReaders(Math.max(2, Math.floor(count / 20))),
    await hugeArguments(count),
    await queueAndWatch(Math.max(2, Math.floor(count / 10))),
    await sleepingSubscribers(count),
  ];
}
