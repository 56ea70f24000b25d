/**
 * Failover beside redis-sentinel in one run: `npm run bench:sentinel [-- --kills N | --smoke]`
 *
 * Three Sentinels of one kind over a master and a replica of ours, made anew for each kill, one kind after the other: how
 * long it takes from the master's SIGKILL to the first +switch-master, with down-after-milliseconds 2000; and what a
 * Sentinel takes of the processor meanwhile. The median of 20 counts.
 */
import { cpus } from 'node:os';
import { Raw, until } from '../../test/reliability/harness.ts';
import { Deployment, MASTER_NAME } from '../../test/support/sentinels.ts';
import { cpuOf, type Line, Results } from './figures.ts';
import { Options, sleep } from './options.ts';

const DOWN_AFTER = 2000;
/** Milliseconds for which all is well before the kill: two INFOs of a replica. */
const CALM = 3000;
const KINDS = { redis: 'redis', ours: 'cinnabar' } as const;

const LINES: readonly Line[] = [
  { figure: 'kill to switch', unit: 'ms', pick: 'middle', above: 100 },
  { figure: 'sentinel cpu', unit: 's', pick: 'middle' },
];

async function kill(kind: keyof typeof KINDS, results: Results): Promise<void> {
  const deployment = await Deployment.start({ replicas: 1, sentinels: 3, downAfter: DOWN_AFTER, kind: KINDS[kind] });
  const clients = deployment.sentinelPorts.map((port) => new Raw(port));
  try {
    for (const client of clients) client.call('SUBSCRIBE', '+switch-master');
    await sleep(CALM);
    const cpu = (): number => deployment.sentinels.reduce((sum, { pid }) => sum + cpuOf(pid), 0) / clients.length;
    const before = cpu();
    const since = performance.now();
    deployment.kill(deployment.servers[0].port);
    const switched = (): boolean => clients.some(({ received }) => received.includes(`${MASTER_NAME} 127.0.0.1 `));
    await until(switched, '+switch-master', 60_000);
    results.add('kill to switch', kind, performance.now() - since);
    results.add('sentinel cpu', kind, cpu() - before);
  } finally {
    for (const client of clients) client.destroy();
    await deployment.stop();
  }
}

const kills = new Options('npm run bench:sentinel --', ['kills']).number('kills', 20, 1);
const results = new Results();
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${kills} kills`);
for (let i = 0; i < kills; i++) for (const kind of ['redis', 'ours'] as const) await kill(kind, results);
results.print(LINES);
