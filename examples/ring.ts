/**
 * Keys on several servers that know nothing of each other, by consistent hashing: servers and keys lie on a ring, and a key
 * belongs to the next server on it. When a fifth server comes to four, a fifth of the keys moves, all of them to it; with
 * `hash % servers` four fifths would move.
 *
 * Each server lies at many places, so that the shares are alike and a server that goes leaves its keys to all others.
 */
import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { runAsProgram, type Surroundings } from './surroundings.ts';

/** With 200 places a server the shares of four differ by some percent. */
const PLACES = 200;

export class Ring {
  readonly servers: readonly string[];
  private readonly places: readonly { readonly at: number; readonly server: string }[];

  constructor(servers: readonly string[]) {
    this.servers = servers;
    // By name, and not by number in the list: a server keeps its places whichever others there are.
    this.places = servers
      .flatMap((server) => Array.from({ length: PLACES }, (_, i) => ({ at: hash(`${server}#${i}`), server })))
      // By name where two lie at one place, so that all clients see the same ring.
      .sort((a, b) => a.at - b.at || (a.server < b.server ? -1 : 1));
  }

  serverOf(key: string): string {
    const at = hash(key);
    let [low, high] = [0, this.places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.places[middle].at < at) low = middle + 1;
      else high = middle;
    }
    // Behind the last place comes the first.
    return this.places[low % this.places.length].server;
  }
}

/** 32 bits of a good hash: neighbours in name lie far from each other. */
function hash(text: string): number {
  return createHash('md5').update(text).digest().readUInt32BE(0);
}

export class ShardedRedis {
  private readonly clients = new Map<string, Redis>();
  private ring: Ring;
  /** While keys move: where they were before. */
  private previous: Ring | null = null;

  constructor(urls: readonly string[]) {
    this.ring = new Ring(urls);
    for (const url of urls) this.clients.set(url, new Redis(url));
  }

  /** During a move a key that is not yet at its new server is still at its old one; in this order none is missed. */
  async get(key: string): Promise<string | null> {
    const found = await this.client(this.ring.serverOf(key)).get(key);
    if (found !== null || this.previous === null) return found;
    const before = await this.client(this.previous.serverOf(key)).get(key);
    // It may have moved between the two questions.
    return before ?? this.client(this.ring.serverOf(key)).get(key);
  }

  /** At the new server, even while the old one still has an older value: the move does not overwrite what is there. */
  async set(key: string, value: string): Promise<void> {
    await this.client(this.ring.serverOf(key)).set(key, value);
  }

  /** Makes a server part of the ring and moves to it what is its own; resolves with how many keys that were. */
  async add(url: string): Promise<number> {
    this.clients.set(url, new Redis(url));
    const before = this.ring;
    this.previous = before;
    this.ring = new Ring([...before.servers, url]);
    let moved = 0;
    for (const server of before.servers) moved += await this.moveFrom(server);
    this.previous = null;
    return moved;
  }

  async sizes(): Promise<Record<string, number>> {
    const sizes = this.ring.servers.map(async (url) => [url, await this.client(url).dbsize()] as const);
    return Object.fromEntries(await Promise.all(sizes));
  }

  close(): void {
    for (const client of this.clients.values()) client.disconnect();
  }

  private async moveFrom(server: string): Promise<number> {
    let moved = 0;
    // WATCH belongs to a connection: this one is the move's own.
    const from = this.client(server).duplicate();
    for (let cursor = '0', begun = false; !begun || cursor !== '0'; begun = true) {
      const [next, keys] = await from.scan(cursor, 'COUNT', 100);
      cursor = next;
      for (const key of keys) {
        const owner = this.ring.serverOf(key);
        if (owner === server) continue;
        // Again where somebody with the old ring has written in between.
        while (!(await move(from, this.client(owner), key)));
        moved++;
      }
    }
    from.disconnect();
    return moved;
  }

  private client(url: string): Redis {
    return this.clients.get(url)!;
  }
}

/** False where the key changed while it was on its way. It is at one of the two servers at every moment, for a while at both. */
async function move(from: Redis, to: Redis, key: string): Promise<boolean> {
  await from.watch(key);
  const [value, timeToLive] = await Promise.all([from.dumpBuffer(key), from.pttl(key)]);
  // Expired in the meantime; -1 is one that never expires.
  if (value === null || timeToLive === -2 || timeToLive === 0) {
    await from.unwatch();
    return true;
  }
  let copied = true;
  try {
    await to.restore(key, Math.max(0, timeToLive), value);
  } catch (error) {
    // It has been written at its new server already, and that is the newer one.
    if (!(error instanceof Error && error.message.startsWith('BUSYKEY'))) throw error;
    copied = false;
  }
  if ((await from.multi().del(key).exec()) !== null) return true;
  // What was copied is old now. This is for a program whose clients all change their rings before keys move: with others
  // that still write by the old ring, this deletion could meet a newer value.
  if (copied) await to.del(key);
  return false;
}

/** With one server its databases play the five servers. */
export async function demo({ url, print }: Surroundings): Promise<void> {
  const urls = Array.from({ length: 5 }, (_, database) => new URL(`/${database}`, url).href);
  const sharded = new ShardedRedis(urls.slice(0, 4));
  const keys = Array.from({ length: 1000 }, (_, i) => `ring:${i}`);
  await Promise.all(keys.map((key) => sharded.set(key, key)));
  print(`four servers: ${Object.values(await sharded.sizes()).join(', ')} keys`);
  print(`${await sharded.add(urls[4])} keys move to the fifth`);
  print(`five servers: ${Object.values(await sharded.sizes()).join(', ')} keys`);
  const values = await Promise.all(keys.map((key) => sharded.get(key)));
  print(`found again: ${values.filter((value, i) => value === keys[i]).length} of ${keys.length}`);
  sharded.close();
}

await runAsProgram(import.meta.url, demo);
