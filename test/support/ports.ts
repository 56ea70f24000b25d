/**
 * Ports for servers, which no other process that asks here is given: workers of vitest, a second vitest, a suite or a
 * benchmark beside it. They lie below those that the kernel gives to outgoing connections.
 *
 * Each process owns one block of ports for as long as it lives, by listening at the block's first port: the kernel lets
 * only one do so. The others are handed out in turn, so that what still talks to a server that has ended, such as a
 * Sentinel, does not soon meet another one at its port.
 *
 *   7000 guard | 7001 ... 7099 | 7100 guard | 7101 ... | ... 16999     and 10,000 above each port that of its cluster bus
 */
import { createServer, type Server } from 'node:net';

const FIRST = 7000;
const BLOCK_PORTS = 100;
const BLOCKS = 100;
const BUS_DISTANCE = 10_000;

/** Ports first + 1 to first + BLOCK_PORTS - 1 are this process's. */
interface Block {
  readonly first: number;
  /** How many have been handed out, or were passed over. */
  turns: number;
}

/** Who asks next waits for `asked`: two that look at the same time would find every other port. */
const own: { block: Promise<Block> | null; asked: Promise<unknown> } = { block: null, asked: Promise.resolve() };

/** A server that listens there, or null where that is taken. */
function listening(port: number, host?: string): Promise<Server | null> {
  const server = createServer();
  return new Promise((done, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') done(null);
      else failed(error);
    });
    server.listen({ port, host }, () => done(server));
  });
}

async function claim(): Promise<Block> {
  for (let i = 0; i < BLOCKS; i++) {
    const first = FIRST + ((process.pid + i) % BLOCKS) * BLOCK_PORTS;
    const guard = await listening(first, '127.0.0.1');
    if (guard === null) continue;
    guard.unref();
    return { first, turns: process.pid % BLOCK_PORTS };
  }
  throw new Error('all blocks of ports are taken');
}

/** Whether nobody listens there on any address; those of programs that ended late may still be taken. */
async function isFree(port: number): Promise<boolean> {
  const server = await listening(port);
  if (server !== null) await new Promise((done) => server.close(done));
  return server !== null;
}

/** A port at which nobody listens, nor at that of its cluster bus. */
export function freePort(): Promise<number> {
  return freePorts(1);
}

/** The first of so many ports side by side at which nobody listens, nor at those of their cluster buses. */
export function freePorts(count: number): Promise<number> {
  const asked = own.asked.then(() => find(count));
  own.asked = asked.catch(() => {});
  return asked;
}

async function find(count: number): Promise<number> {
  const block = await (own.block ??= claim());
  let found = 0;
  for (let i = 1; i < 2 * BLOCK_PORTS; i++) {
    const place = block.turns++ % (BLOCK_PORTS - 1);
    // The block's last port and its first are not side by side.
    if (place === 0) found = 0;
    const port = block.first + 1 + place;
    found = (await isFree(port)) && (await isFree(port + BUS_DISTANCE)) ? found + 1 : 0;
    if (found === count) return port + 1 - count;
  }
  throw new Error('no ports of the block are free');
}
