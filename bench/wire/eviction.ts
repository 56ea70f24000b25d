/**
 * Eviction beside redis-server in one run: `npm run bench:eviction [-- options]`
 *
 *   --only a,b       of hits speed
 *   --policies a,b   of the seven that evict (all)
 *   --accesses N     of the trace (600,000)
 *   --seconds N      that it takes at least: the clock of LRU ticks once a second (30)
 *   --requests N     SETs of a round of the speed (2,000,000)
 *   --repeat N       rounds of the speed, A B A B (3); the best counts
 *   --smoke          20,000 accesses in 2 s, one round: does it work
 *
 *   hits    a cache of 200,000 keys with values of 100 bytes, asked for by a Zipf trace (0.9): GET, and SET of what was not
 *           there. Redis may use 12 MiB more than when it is empty, ours the same, and once more only as much as it needs for
 *           as many items as Redis held. `exact` is a true LRU of as many items.
 *   speed   pipelined SETs of new keys at maxmemory, and the longest that another client waits for a PING meanwhile
 */
import { cpus } from 'node:os';
import { SeededRandom } from '../../src/base/random.ts';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { cpuOf } from './figures.ts';
import { Options, sleep } from './options.ts';
import { requestsPerSecond } from './redis-benchmark.ts';

const KEYS = 200_000;
const SKEW = 0.9;
const VALUE = 'v'.repeat(100);
const ROOM = 12 * 1024 * 1024;
/** Milliseconds after which nobody is busy with what was written. */
const SETTLED = 1500;
/** Share by which the number of items may be larger and is still the same. */
const SAME_ITEMS = 0.005;
/** Accesses that are sent together. */
const BATCH = 50;
const SPEED_ROOM = 64 * 1024 * 1024;
const POLICIES = [
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
];

interface Settings {
  readonly only: readonly string[];
  readonly policies: readonly string[];
  readonly accesses: number;
  readonly seconds: number;
  readonly repeat: number;
  readonly requests: number;
}

function settings(): Settings {
  const options = new Options('npm run bench:eviction --', [
    'only',
    'policies',
    'accesses',
    'seconds',
    'repeat',
    'requests',
  ]);
  return {
    only: options.list('only', ['hits', 'speed']),
    policies: options.list('policies', POLICIES),
    accesses: options.number('accesses', 600_000, 20_000),
    seconds: options.number('seconds', 30, 2),
    repeat: options.number('repeat', 3, 1),
    requests: options.number('requests', 2_000_000, 100_000),
  };
}

/** Key numbers: the one of rank r comes with odds of 1 / r^SKEW. */
function zipf(count: number): Int32Array {
  const sums = new Float64Array(KEYS);
  let sum = 0;
  for (let i = 0; i < KEYS; i++) sums[i] = sum += 1 / (i + 1) ** SKEW;
  const random = new SeededRandom(1);
  return Int32Array.from({ length: count }, () => {
    const wanted = random.double01() * sum;
    let low = 0;
    for (let high = KEYS - 1; low < high; ) {
      const middle = (low + high) >>> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

/** The hit rate of a true LRU cache of so many items. */
function exactLru(trace: Int32Array, items: number): number {
  const cache = new Set<number>();
  let hits = 0;
  for (const key of trace) {
    if (cache.delete(key)) hits++;
    else if (cache.size >= items) cache.delete(cache.values().next().value!);
    cache.add(key);
  }
  return hits / trace.length;
}

async function figure(client: Pipeline, section: string, name: string): Promise<number> {
  const info = String(await client.call('INFO', section));
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
}

/** All names are of one length, so that as many items take as many bytes. */
function nameOf(key: number): string {
  return `key:${String(key).padStart(6, '0')}`;
}

/** SET of a key as the policy needs it: those of one kind only look at keys that expire. */
function setting(policy: string, key: number): string[] {
  const command = ['SET', nameOf(key), VALUE];
  if (!policy.startsWith('volatile')) return command;
  return [...command, 'EX', String(policy === 'volatile-ttl' ? 10_000 + ((key * 7919) % 90_000) : 100_000)];
}

interface Outcome {
  readonly hits: number;
  readonly items: number;
}

/** Plays the trace against a server that has been told of its limit. */
async function play(client: Pipeline, policy: string, trace: Int32Array, seconds: number): Promise<Outcome> {
  let hits = 0;
  const begin = performance.now();
  for (let at = 0; at < trace.length; at += BATCH) {
    const keys = trace.subarray(at, at + BATCH);
    const answers = await client.send([...keys].map((key) => ['GET', nameOf(key)]));
    const missed = [...keys].filter((_, i) => answers[i] === null);
    hits += keys.length - missed.length;
    await client.send(missed.map((key) => setting(policy, key)));
    const early = begin + (at / trace.length) * seconds * 1000 - performance.now();
    if (early > 2) await sleep(early);
  }
  return { hits: hits / trace.length, items: Number(await client.call('DBSIZE')) };
}

/** The bytes that a server uses for so many items. */
async function bytesFor(policy: string, items: number): Promise<number> {
  return withServer(startCinnabar, async (client) => {
    for (let at = 0; at < items; at += 1000)
      await client.send(Array.from({ length: Math.min(1000, items - at) }, (_, i) => setting(policy, at + i)));
    // A dict in the middle of its growth has two tables.
    await sleep(SETTLED);
    return figure(client, 'memory', 'used_memory');
  });
}

async function withServer<T>(
  start: (...options: string[]) => Promise<ServerProcess>,
  work: (client: Pipeline, server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await start();
  const client = new Pipeline(server.port);
  try {
    return await work(client, server);
  } finally {
    client.close();
    await server.stop();
  }
}

async function limited(client: Pipeline, policy: string, limit: number): Promise<void> {
  await client.send([
    ['CONFIG', 'SET', 'maxmemory', String(limit)],
    ['CONFIG', 'SET', 'maxmemory-policy', policy],
  ]);
}

/** Redis and ours side by side at the same limit, then ours at the same number of items. */
async function hits(policy: string, trace: Int32Array, seconds: number): Promise<void> {
  const run = (start: typeof startRedis, limit?: number): Promise<Outcome> =>
    withServer(start, async (client) => {
      await limited(client, policy, limit ?? (await figure(client, 'memory', 'used_memory')) + ROOM);
      return play(client, policy, trace, seconds);
    });
  const [redis, roomy] = await Promise.all([run(startRedis), run(startCinnabar)]);
  const limit = await bytesFor(policy, redis.items);
  const first = await run(startCinnabar, limit);
  // At its limit a dict stays crowded, which leaves room for more items: the bytes of these are taken off.
  const surplus = first.items - redis.items;
  const fair = surplus <= redis.items * SAME_ITEMS;
  const ours = fair ? first : await run(startCinnabar, limit - Math.ceil((surplus * ROOM) / roomy.items));
  const shown = ({ hits: rate, items }: Outcome): string => `${rate.toFixed(4)} ${String(items).padStart(7)}`;
  const good = ours.hits >= redis.hits - 0.002 && roomy.hits > redis.hits;
  console.log(
    `${policy.padEnd(16)} ${shown(redis)}   ${shown(ours)}   ${shown(roomy)}   ${exactLru(trace, redis.items).toFixed(4)}   ${good ? 'met' : 'MISSED'}`,
  );
}

interface Speed {
  rate: number;
  micros: number;
  longest: number;
  /** Keys that went for one that came. */
  evicted: number;
}

/** Milliseconds of the longest PING until `done` says so. */
async function longestPing(port: number, done: () => boolean): Promise<number> {
  const client = new Pipeline(port);
  let longest = 0;
  while (!done()) {
    const begin = performance.now();
    await client.call('PING');
    longest = Math.max(longest, performance.now() - begin);
    await sleep(1);
  }
  client.close();
  return longest;
}

async function insert(server: ServerProcess, client: Pipeline, requests: number): Promise<Speed> {
  const load = ['-p', server.port, '-P', 16, '-d', 100, '-r', 1_000_000_000, '-n', requests, '-t', 'set'];
  const before = { cpu: cpuOf(server.pid), evicted: await figure(client, 'stats', 'evicted_keys') };
  let done = false;
  const pings = longestPing(server.port, () => done);
  const rate = await requestsPerSecond(...load);
  done = true;
  return {
    rate,
    micros: ((cpuOf(server.pid) - before.cpu) / requests) * 1e6,
    longest: await pings,
    evicted: ((await figure(client, 'stats', 'evicted_keys')) - before.evicted) / requests,
  };
}

async function speed({ repeat, requests }: Settings, policy: string): Promise<void> {
  const best = new Map<string, Speed>();
  const servers = [
    ['redis', await startRedis()],
    ['ours', await startCinnabar()],
  ] as const;
  try {
    for (let round = -1; round < repeat; round++)
      for (const [name, server] of servers) {
        const client = new Pipeline(server.port);
        if (round < 0) await limited(client, policy, (await figure(client, 'memory', 'used_memory')) + SPEED_ROOM);
        // The first round fills the server and finds code that is not compiled yet.
        const now = await insert(server, client, round < 0 ? Math.max(requests, 700_000) : requests);
        const old = best.get(name);
        if (round === 0) best.set(name, now);
        else if (old !== undefined) {
          old.rate = Math.max(old.rate, now.rate);
          old.micros = Math.min(old.micros, now.micros);
          old.longest = Math.min(old.longest, now.longest);
        }
        client.close();
      }
  } finally {
    for (const [, server] of servers) await server.stop();
  }
  const [redis, ours] = [best.get('redis')!, best.get('ours')!];
  const cells = (speed: Speed): string =>
    [
      speed.rate.toFixed(0).padStart(8),
      speed.micros.toFixed(2),
      speed.longest.toFixed(1),
      speed.evicted.toFixed(2),
    ].join('  ');
  const ratio = ours.rate / redis.rate;
  console.log(
    `${policy.padEnd(16)} ${cells(redis)}   ${cells(ours)}   ${ratio.toFixed(2)}  ${ratio >= 0.9 ? 'met' : 'MISSED'} (>= 0.9 x)`,
  );
}

async function main(given: Settings): Promise<void> {
  console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`);
  if (given.only.includes('hits')) {
    const trace = zipf(given.accesses);
    console.log(
      `\n${given.accesses} accesses; hit rate and items of redis, ours with as many items, ours with as much memory`,
    );
    for (const policy of given.policies) await hits(policy, trace, given.seconds);
  }
  if (given.only.includes('speed')) {
    console.log(
      '\nSETs of new keys at maxmemory; of redis and of ours: a second, us of CPU each, longest PING in ms, evicted each',
    );
    for (const policy of given.policies.filter((name) => name.startsWith('allkeys'))) await speed(given, policy);
  }
}

await main(settings());
