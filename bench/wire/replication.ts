/**
 * Replication beside redis-server in one run: `npm run bench:replication [-- options]`
 *
 *   --only a,b    of writes lag memory sync serving
 *   --keys N      keys of 16 bytes with values of 32 (2,000,000)
 *   --repeat N    rounds of writes, lag and sync, A B A B (3); of each server the best counts
 *   --smoke       20,000 keys, one round: does it work
 *
 * A pair is a master and its replica, both of one kind.
 *
 *   writes    pipelined SETs at the master, and what each costs the master and the replica of the processor
 *   lag       a client sets and waits for the replica (WAIT 1), over and over
 *   memory    what the master's process takes beyond before with one replica and with ten that stand still, while 64 MiB are
 *             written to one key
 *   sync      from REPLICAOF until the link is up
 *   serving   a client of the replica reads random keys while that takes in all keys again by swapdb
 */
import { connect, type Socket } from 'node:net';
import { cpus } from 'node:os';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { cpuOf, type Line, memoryOf, percentile, Results } from './figures.ts';
import { type FigureOptions, figureOptions, sleep } from './options.ts';
import { requestsPerSecond } from './redis-benchmark.ts';
import { fill, probeWhile } from './sets.ts';

const VALUE_BYTES = 32;
const FIGURES = ['writes', 'lag', 'memory', 'sync', 'serving'];
const MOST_REQUESTS = 5_000_000;
const BURDEN_BYTES = 64 * 1024 * 1024;
const PIECE = 'x'.repeat(1024);

const OPTIONS = ['--repl-diskless-sync-delay', '0', '--client-output-buffer-limit', 'replica 0 0 0'];

type Kind = 'redis' | 'ours';
const KINDS: readonly Kind[] = ['redis', 'ours'];

function start(kind: Kind, ...more: string[]): Promise<ServerProcess> {
  return (kind === 'redis' ? startRedis : startCinnabar)(...OPTIONS, ...more);
}

async function info(client: Pipeline, field: string): Promise<string> {
  const text = String(await client.call('INFO', 'everything'));
  return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
}

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(5);
}

/** A master and a replica, with a connection to each. */
class Pair {
  readonly kind: Kind;
  readonly master: ServerProcess;
  readonly replica: ServerProcess;
  readonly toMaster: Pipeline;
  readonly toReplica: Pipeline;

  private constructor(kind: Kind, master: ServerProcess, replica: ServerProcess) {
    this.kind = kind;
    this.master = master;
    this.replica = replica;
    this.toMaster = new Pipeline(master.port);
    this.toReplica = new Pipeline(replica.port);
  }

  static async start(kind: Kind): Promise<Pair> {
    return new Pair(kind, await start(kind), await start(kind, '--repl-diskless-load', 'swapdb'));
  }

  /** Seconds until the link is up. */
  async follow(): Promise<number> {
    const begin = performance.now();
    await this.toReplica.call('REPLICAOF', '127.0.0.1', String(this.master.port));
    await this.linked();
    return (performance.now() - begin) / 1000;
  }

  linked(): Promise<void> {
    return until(async () => (await info(this.toReplica, 'master_link_status')) === 'up');
  }

  async leave(): Promise<void> {
    await this.toReplica.send([['REPLICAOF', 'NO', 'ONE'], ['FLUSHALL']]);
  }

  async caughtUp(): Promise<void> {
    await until(
      async () =>
        (await info(this.toMaster, 'master_repl_offset')) === (await info(this.toReplica, 'master_repl_offset')),
    );
  }

  async stop(): Promise<void> {
    this.toMaster.close();
    this.toReplica.close();
    await this.replica.stop();
    await this.master.stop();
  }
}

async function writes(pair: Pair, keys: number, results: Results): Promise<void> {
  const { kind, master, replica } = pair;
  const load = ['-p', master.port, '-P', 16, '-d', VALUE_BYTES, '-r', keys, '-n', keys, '-t', 'set'];
  const [ofMaster, ofReplica] = [cpuOf(master.pid), cpuOf(replica.pid)];
  results.add('SET', kind, await requestsPerSecond(...load));
  results.add('SET cpu', kind, ((cpuOf(master.pid) - ofMaster) / keys) * 1e6);
  await pair.caughtUp();
  results.add('replica cpu', kind, ((cpuOf(replica.pid) - ofReplica) / keys) * 1e6);
}

async function lag({ kind, toMaster }: Pair, keys: number, results: Results): Promise<void> {
  const samples = new Float64Array(Math.min(10_000, keys));
  for (let i = 0; i < samples.length; i++) {
    const begin = performance.now();
    await toMaster.send([
      ['SET', 'lag', String(i)],
      ['WAIT', '1', '0'],
    ]);
    samples[i] = performance.now() - begin;
  }
  samples.sort();
  results.add('lag p50', kind, samples[samples.length >> 1]);
  results.add('lag p99', kind, percentile(samples, 0.99));
}

/** A replica that asks for everything, and then reads no more. */
async function standStill(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.write('PSYNC ? -1\r\n');
  await new Promise((told) => socket.once('data', told));
  return socket;
}

/** MiB that a master with so many replicas that stand still takes for what it writes. */
async function burden(kind: Kind, replicas: number): Promise<number> {
  const master = await start(kind, '--repl-diskless-sync', 'no', '--repl-timeout', '1000');
  const client = new Pipeline(master.port);
  const sockets: Socket[] = [];
  try {
    for (let i = 0; i < 20; i++) await client.send(Array.from({ length: 1024 }, () => ['SET', 'k', PIECE]));
    for (let i = 0; i < replicas; i++) sockets.push(await standStill(master.port));
    for (let i = 0; i < replicas; i++)
      await until(async () => (await info(client, `slave${i}`)).includes('state=online'));
    for (const socket of sockets) socket.pause();
    const before = memoryOf(master.pid);
    for (let i = 0; i < BURDEN_BYTES / 1024 / 1024; i++)
      await client.send(Array.from({ length: 1024 }, () => ['SET', 'k', PIECE]));
    return memoryOf(master.pid) - before;
  } finally {
    for (const socket of sockets) socket.destroy();
    client.close();
    await master.stop();
  }
}

async function memory(kind: Kind, results: Results): Promise<void> {
  const one = await burden(kind, 1);
  const ten = await burden(kind, 10);
  results.add('memory of one', kind, one);
  results.add('memory of ten', kind, ten);
  results.add('ten over one', kind, ten / one);
}

async function synchronize(pair: Pair, results: Results): Promise<void> {
  const { kind, master, replica } = pair;
  await pair.leave();
  const [ofMaster, ofReplica] = [cpuOf(master.pid), cpuOf(replica.pid)];
  results.add('sync', kind, await pair.follow());
  results.add('sync cpu master', kind, cpuOf(master.pid) - ofMaster);
  results.add('sync cpu replica', kind, cpuOf(replica.pid) - ofReplica);
}

/** The backlog moves on while the replica is cut off: it needs everything then, of the same history. */
async function serving(pair: Pair, keys: number, results: Results): Promise<void> {
  const { kind, replica, toMaster, toReplica } = pair;
  await toReplica.call('CONFIG', 'SET', 'repl-diskless-load', 'swapdb');
  await toMaster.call('CONFIG', 'SET', 'repl-backlog-size', '16384');
  const full = await info(toMaster, 'sync_full');
  const task = { port: replica.port, keys, valueBytes: VALUE_BYTES, most: MOST_REQUESTS, command: 'GET' } as const;
  let seconds = 0;
  const samples = await probeWhile(task, async () => {
    await toMaster.send([
      ['MULTI'],
      ['CLIENT', 'KILL', 'TYPE', 'replica'],
      ...Array.from({ length: 100 }, () => ['SET', 'k', PIECE]),
      ['EXEC'],
    ]);
    const begin = performance.now();
    await until(async () => (await info(toMaster, 'sync_full')) !== full);
    await pair.linked();
    seconds = (performance.now() - begin) / 1000;
  });
  results.add('served p99', kind, percentile(samples, 0.99));
  results.add('served longest', kind, samples[samples.length - 1]);
  results.add('swapdb', kind, seconds);
}

const LINES: readonly Line[] = [
  { figure: 'SET', unit: '/s', pick: 'most', ratio: ['>=', 0.95] },
  { figure: 'SET cpu', unit: 'us', pick: 'least' },
  { figure: 'replica cpu', unit: 'us', pick: 'least' },
  { figure: 'lag p50', unit: 'ms', pick: 'least' },
  { figure: 'lag p99', unit: 'ms', pick: 'least', above: 1 },
  { figure: 'memory of one', unit: 'MiB', pick: 'least' },
  { figure: 'memory of ten', unit: 'MiB', pick: 'least' },
  { figure: 'ten over one', unit: 'x', pick: 'least', limit: 1.2 },
  { figure: 'sync', unit: 's', pick: 'least', ratio: ['<=', 1.2] },
  { figure: 'sync cpu master', unit: 's', pick: 'least' },
  { figure: 'sync cpu replica', unit: 's', pick: 'least' },
  { figure: 'swapdb', unit: 's', pick: 'least' },
  { figure: 'served p99', unit: 'ms', pick: 'least' },
  { figure: 'served longest', unit: 'ms', pick: 'least', limit: 50 },
];

/** All that needs a pair: both run throughout, each round on one and then on the other. */
async function inPairs(given: FigureOptions, results: Results): Promise<void> {
  const { only, keys, repeat } = given;
  const pairs: Pair[] = [];
  try {
    for (const kind of KINDS) {
      const pair = await Pair.start(kind);
      pairs.push(pair);
      await fill(pair.master.port, keys, VALUE_BYTES);
      await pair.follow();
    }
    // The first rounds find code that is not compiled yet, and memory that nobody has touched.
    for (let round = -1; round < repeat; round++)
      for (const pair of pairs) {
        const into = round < 0 ? new Results() : results;
        if (only.includes('writes')) await writes(pair, keys, into);
        if (only.includes('lag')) await lag(pair, keys, into);
        if (only.includes('sync')) await synchronize(pair, into);
      }
    if (only.includes('serving')) for (const pair of pairs) await serving(pair, keys, results);
  } finally {
    for (const pair of pairs) await pair.stop();
  }
}

async function main(given: FigureOptions): Promise<void> {
  const results = new Results();
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${given.keys} keys, ${given.repeat} rounds`,
  );
  if (given.only.some((figure) => figure !== 'memory')) await inPairs(given, results);
  if (given.only.includes('memory')) for (const kind of KINDS) await memory(kind, results);
  results.print(LINES);
}

await main(figureOptions('npm run bench:replication --', FIGURES));
