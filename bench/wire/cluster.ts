/**
 * Clusters beside those of redis-server in one run: `npm run bench:cluster [-- options]`
 *
 *   --only a,b    of idle moving requests slots bus
 *   --keys N      keys that are moved (100,000)
 *   --repeat N    rounds, A B A B (3); of each kind the best counts
 *   --smoke       2,000 keys, one round, a short wait: does it work
 *
 *   idle       six nodes, every second a replica, do nothing for 30 s, after ten minutes in which they get to know each other
 *              and V8 compiles what nodes do all the time, which with so little to do takes it as long
 *   moving     redis-cli moves 4,096 slots, with all keys in them, from one master to another; and so many empty ones
 *   requests   redis-benchmark --cluster with three masters
 *   slots      what a pipelined SET costs a server more, on the wire and of the processor, with cluster-enabled
 *   bus        what 100 nodes of the simulation say to each other, and what that costs a node (bus.ts)
 */
import { cpus } from 'node:os';
import { sliceOf } from '../../src/base/slice.ts';
import { slotOf } from '../../src/keyspace/slot.ts';
import { type NodeKind, TestCluster } from '../../test/support/clusters.ts';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { printBusCost } from './bus.ts';
import { cpuOf, type Line, Results } from './figures.ts';
import { Options, sleep } from './options.ts';
import { requestsPerSecond } from './redis-benchmark.ts';

const FIGURES = ['idle', 'moving', 'requests', 'slots', 'bus'];
const BUS_NODES = 100;
const MOVED_SLOTS = 4096;
const VALUE = 'v'.repeat(32);
const FILLED_AT_ONCE = 5000;

type Kind = 'redis' | 'ours';
const KINDS: readonly Kind[] = ['redis', 'ours'];
const NODES: Readonly<Record<Kind, NodeKind>> = { redis: 'redis', ours: 'cinnabar' };

interface Plan {
  readonly only: readonly string[];
  readonly keys: number;
  readonly repeat: number;
  readonly warmSeconds: number;
  readonly idleSeconds: number;
  readonly requests: number;
  readonly busSeconds: number;
}

function startCluster(kind: Kind, nodes: number, replicas: number, ...settings: string[]): Promise<TestCluster> {
  return TestCluster.start({ kinds: new Array<NodeKind>(nodes).fill(NODES[kind]), replicas, settings });
}

/** Both clusters live at once: what else the machine does is the same for both. */
async function idle(plan: Plan, results: Results): Promise<void> {
  const clusters: { kind: Kind; cluster: TestCluster }[] = [];
  const cpu = ({ nodes }: TestCluster): number => nodes.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
  try {
    for (const kind of KINDS) clusters.push({ kind, cluster: await startCluster(kind, 6, 1) });
    await sleep(plan.warmSeconds * 1000);
    const before = clusters.map(({ cluster }) => cpu(cluster));
    await sleep(plan.idleSeconds * 1000);
    clusters.forEach(({ kind, cluster }, i) => {
      results.add('idle cpu', kind, cpu(cluster) - before[i]);
    });
  } finally {
    for (const { cluster } of clusters) await cluster.stop();
  }
}

/** SETs of so many keys whose slots are the first. */
function setsOf(count: number): string[][] {
  const commands: string[][] = [];
  for (let i = 0; commands.length < count; i++) {
    const key = `key:${String(i).padStart(12, '0')}`;
    if (slotOf(sliceOf(key)) < MOVED_SLOTS) commands.push(['SET', key, VALUE]);
  }
  return commands;
}

async function fillMaster(port: number, keys: number): Promise<void> {
  const client = new Pipeline(port);
  const commands = setsOf(keys);
  for (let from = 0; from < keys; from += FILLED_AT_ONCE) {
    const replies = await client.send(commands.slice(from, from + FILLED_AT_ONCE));
    if (replies.some((reply) => reply !== 'OK')) throw new Error('a key is not where its slot should be');
  }
  client.close();
}

/** Seconds in which redis-cli moves the first slots of one master to another. */
async function move(cluster: TestCluster, from: number, to: number): Promise<number> {
  const [source, target] = [await cluster.self(cluster.ports[from]), await cluster.self(cluster.ports[to])];
  const begin = performance.now();
  const choice = ['--cluster-from', source.id, '--cluster-to', target.id, '--cluster-slots', String(MOVED_SLOTS)];
  await cluster.cli('reshard', cluster.addresses[from], ...choice);
  return (performance.now() - begin) / 1000;
}

async function moving({ keys, repeat }: Plan, results: Results): Promise<void> {
  const clusters: { kind: Kind; cluster: TestCluster }[] = [];
  const cpu = ({ nodes }: TestCluster): number => nodes.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
  try {
    for (const kind of KINDS) clusters.push({ kind, cluster: await startCluster(kind, 3, 0) });
    for (const name of ['empty', 'full']) {
      if (name === 'full') for (const { cluster } of clusters) await fillMaster(cluster.ports[0], keys);
      for (let round = 0; round < repeat; round++)
        for (const { kind, cluster } of clusters) {
          const before = cpu(cluster);
          results.add(`move ${name}`, kind, await move(cluster, 0, 1));
          results.add(`move ${name} cpu`, kind, cpu(cluster) - before);
          await move(cluster, 1, 0);
        }
    }
  } finally {
    for (const { cluster } of clusters) await cluster.stop();
  }
}

/** Requests a second of redis-benchmark with these options. */
function benchmark(port: number, requests: number, ...options: string[]): Promise<number> {
  return requestsPerSecond('-p', port, '-d', 32, '-r', 1_000_000, '-n', requests, ...options);
}

async function requests(plan: Plan, results: Results): Promise<void> {
  const clusters: { kind: Kind; cluster: TestCluster }[] = [];
  try {
    for (const kind of KINDS) clusters.push({ kind, cluster: await startCluster(kind, 3, 0) });
    for (let round = -1; round < plan.repeat; round++)
      for (const { kind, cluster } of clusters)
        for (const test of ['set', 'get'] as const) {
          const rate = await benchmark(cluster.ports[0], plan.requests, '--cluster', '-t', test);
          if (round >= 0) results.add(`cluster ${test}`, kind, rate);
        }
  } finally {
    for (const { cluster } of clusters) await cluster.stop();
  }
}

/** A node that serves all slots alone. */
async function startAlone(kind: Kind): Promise<ServerProcess> {
  const start = kind === 'redis' ? startRedis : startCinnabar;
  const node = await start('--cluster-enabled', 'yes');
  const client = new Pipeline(node.port);
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) await sleep(50);
  client.close();
  return node;
}

/** Both servers of a kind in turn; the cost is told of the pairs of runs, so that the machine's moods cancel out. */
async function slots(plan: Plan, results: Results): Promise<void> {
  for (const kind of KINDS) {
    const alone = await (kind === 'redis' ? startRedis : startCinnabar)();
    const node = await startAlone(kind);
    const measure = async ({ port, pid }: ServerProcess): Promise<{ rate: number; cpu: number }> => {
      const before = cpuOf(pid);
      const rate = await benchmark(port, plan.requests, '-P', '16', '-t', 'set');
      return { rate, cpu: cpuOf(pid) - before };
    };
    try {
      for (let round = -1; round < plan.repeat; round++) {
        const [usual, slotted] = [await measure(alone), await measure(node)];
        if (round < 0) continue;
        results.add('SET by slots', kind, usual.rate / slotted.rate);
        results.add('SET by slots cpu', kind, slotted.cpu / usual.cpu);
      }
    } finally {
      await alone.stop();
      await node.stop();
    }
  }
}

const LINES: readonly Line[] = [
  { figure: 'idle cpu', unit: 's', pick: 'least', ratio: ['<=', 2] },
  { figure: 'move empty', unit: 's', pick: 'least', ratio: ['<=', 1.3] },
  { figure: 'move empty cpu', unit: 's', pick: 'least' },
  { figure: 'move full', unit: 's', pick: 'least', ratio: ['<=', 1.3] },
  { figure: 'move full cpu', unit: 's', pick: 'least' },
  { figure: 'cluster set', unit: '/s', pick: 'most', ratio: ['>=', 0.95] },
  { figure: 'cluster get', unit: '/s', pick: 'most', ratio: ['>=', 0.95] },
  { figure: 'SET by slots', unit: 'x', pick: 'middle', limit: 1.03 },
  { figure: 'SET by slots cpu', unit: 'x', pick: 'middle' },
];

const options = new Options('npm run bench:cluster --', ['only', 'keys', 'repeat', 'warm', 'idle', 'requests', 'bus']);
const plan: Plan = {
  only: options.list('only', FIGURES),
  keys: options.number('keys', 100_000, 2000),
  repeat: options.number('repeat', 3, 1),
  warmSeconds: options.number('warm', 600, 2),
  idleSeconds: options.number('idle', 30, 2),
  requests: options.number('requests', 1_000_000, 20_000),
  busSeconds: options.number('bus', 60, 5),
};
const results = new Results();
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${plan.keys} keys, ${plan.repeat} rounds`,
);
if (plan.only.includes('idle')) await idle(plan, results);
if (plan.only.includes('moving')) await moving(plan, results);
if (plan.only.includes('requests')) await requests(plan, results);
if (plan.only.includes('slots')) await slots(plan, results);
if (plan.only.includes('bus')) printBusCost(BUS_NODES, plan.busSeconds);
results.print(LINES);
