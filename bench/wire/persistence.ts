/**
 * Saving, loading and logging beside redis-server in one run: `npm run bench:persistence [-- options]`
 *
 *   --only a,b    of pause memory restart everysec always
 *   --keys N      keys of 16 bytes with values of 32 (2,000,000)
 *   --repeat N    rounds of each figure, A B A B (3); of each server the best counts, of pauses the median
 *   --smoke       20,000 keys, one round: does it work
 *
 *   pause     a client sets random keys, one after another, while a BGSAVE runs: its p99.9 and maximum from the BGSAVE's
 *             sending until the file has been put in place, and how long that took; and BGSAVE with nobody about
 *   memory    what the processes of the server (Redis's child included) take at most beyond before, under the same client
 *   restart   from the start of the process until it takes connections, with the file of that server
 *   everysec, always   pipelined SETs with the AOF on
 *
 * Every figure has its bound, in the units of Redis's or absolute; the last column says which are missed.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pipeline } from '../../test/support/pipeline.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../../test/support/server-process.ts';
import { cpuOf, type Line, memoryOf, percentile, Results } from './figures.ts';
import { type FigureOptions, figureOptions, sleep } from './options.ts';
import { requestsPerSecond } from './redis-benchmark.ts';
import { fill, probeWhile } from './sets.ts';

const VALUE_BYTES = 32;
const MOST_REQUESTS = 5_000_000;
/** Between two looks at the file or at the memory. */
const LOOK_MILLISECONDS = 2;
const MEMORY_LOOK_MILLISECONDS = 25;
const FIGURES = ['pause', 'memory', 'restart', 'everysec', 'always'];

type Start = (...options: string[]) => Promise<ServerProcess>;
const SERVERS: readonly { readonly name: 'redis' | 'ours'; readonly start: Start }[] = [
  { name: 'redis', start: startRedis },
  { name: 'ours', start: startCinnabar },
];

const fileOf = (server: ServerProcess): string => join(server.folder, 'dump.rdb');

function fileNumber(path: string): number {
  return existsSync(path) ? statSync(path).ino : -1;
}

/** Runs a BGSAVE and answers with the seconds until its file is in place. */
async function save(server: ServerProcess, client: Pipeline): Promise<number> {
  const before = fileNumber(fileOf(server));
  const begin = performance.now();
  await client.call('BGSAVE');
  while (fileNumber(fileOf(server)) === before) await sleep(LOOK_MILLISECONDS);
  return (performance.now() - begin) / 1000;
}

/** Waits until the server knows that its save has ended. */
async function settled(client: Pipeline): Promise<void> {
  while (!String(await client.call('INFO', 'persistence')).includes('rdb_bgsave_in_progress:0')) await sleep(20);
}

const setWhile = (port: number, keys: number, during: () => Promise<void>): Promise<Float64Array> =>
  probeWhile({ port, keys, valueBytes: VALUE_BYTES, most: MOST_REQUESTS, command: 'SET' }, during);

async function pause(server: ServerProcess, name: 'redis' | 'ours', keys: number, results: Results): Promise<void> {
  const client = new Pipeline(server.port);
  const calm = await setWhile(server.port, keys, () => sleep(1000));
  let seconds = 0;
  const taken = await setWhile(server.port, keys, async () => {
    seconds = await save(server, client);
  });
  await settled(client);
  results.add('calm p99.9', name, percentile(calm, 0.999));
  results.add('calm max', name, percentile(calm, 1));
  results.add('BGSAVE p99.9', name, percentile(taken, 0.999));
  results.add('BGSAVE max', name, percentile(taken, 1));
  results.add('BGSAVE under load', name, seconds);
  results.add('SETs during it', name, taken.length / seconds);
  const cpu = cpuOf(server.pid);
  results.add('BGSAVE', name, await save(server, client));
  await settled(client);
  results.add('BGSAVE cpu', name, cpuOf(server.pid) - cpu);
  client.close();
}

async function memory(server: ServerProcess, name: 'redis' | 'ours', keys: number, results: Results): Promise<void> {
  const client = new Pipeline(server.port);
  const before = memoryOf(server.pid);
  let peak = before;
  await setWhile(server.port, keys, async () => {
    let saved = false;
    const saving = save(server, client).finally(() => {
      saved = true;
    });
    while (!saved) {
      peak = Math.max(peak, memoryOf(server.pid));
      await sleep(MEMORY_LOOK_MILLISECONDS);
    }
    await saving;
  });
  await settled(client);
  results.add('extra memory', name, peak - before);
  results.add('memory', name, before);
  client.close();
}

async function restart(folder: string, server: (typeof SERVERS)[number], results: Results): Promise<void> {
  const begin = performance.now();
  const restarted = await server.start('--dir', folder);
  results.add('restart', server.name, (performance.now() - begin) / 1000);
  results.add('restart cpu', server.name, cpuOf(restarted.pid));
  await restarted.stop();
}

async function logging(policy: string, server: (typeof SERVERS)[number], given: FigureOptions, results: Results) {
  const aof = ['--appendonly', 'yes', '--appendfsync', policy, '--auto-aof-rewrite-percentage', '0'];
  const running = await server.start(...aof);
  try {
    const load = ['-p', running.port, '-P', 16, '-d', VALUE_BYTES, '-r', given.keys, '-t', 'set'];
    // The first requests find code that is not compiled yet, and memory that nobody has touched.
    await requestsPerSecond(...load, '-n', given.keys / 4);
    const cpu = cpuOf(running.pid);
    results.add(`AOF ${policy}`, server.name, await requestsPerSecond(...load, '-n', given.keys));
    results.add(`AOF ${policy} cpu`, server.name, ((cpuOf(running.pid) - cpu) / given.keys) * 1e6);
  } finally {
    await running.stop();
  }
}

const LINES: readonly Line[] = [
  { figure: 'calm p99.9', unit: 'ms', pick: 'middle' },
  { figure: 'calm max', unit: 'ms', pick: 'middle' },
  { figure: 'BGSAVE p99.9', unit: 'ms', pick: 'middle', limit: 1 },
  { figure: 'BGSAVE max', unit: 'ms', pick: 'middle', limit: 10 },
  { figure: 'SETs during it', unit: '/s', pick: 'most' },
  { figure: 'BGSAVE under load', unit: 's', pick: 'least', ratio: ['<=', 1.5] },
  { figure: 'BGSAVE', unit: 's', pick: 'least', ratio: ['<=', 1.5] },
  { figure: 'BGSAVE cpu', unit: 's', pick: 'least' },
  { figure: 'memory', unit: 'MiB', pick: 'least' },
  { figure: 'extra memory', unit: 'MiB', pick: 'middle', ratio: ['<=', 1] },
  { figure: 'restart', unit: 's', pick: 'least', ratio: ['<=', 1.5] },
  { figure: 'restart cpu', unit: 's', pick: 'least' },
  { figure: 'AOF everysec', unit: '/s', pick: 'most', ratio: ['>=', 0.9] },
  { figure: 'AOF everysec cpu', unit: 'us', pick: 'least' },
  { figure: 'AOF always', unit: '/s', pick: 'most', ratio: ['>=', 0.9] },
  { figure: 'AOF always cpu', unit: 'us', pick: 'least' },
];

/** The figures that need a full server: both run throughout, each round on one and then on the other. */
async function saving(given: FigureOptions, results: Results): Promise<void> {
  const running = new Map<string, ServerProcess>();
  const folders = new Map<string, string>();
  try {
    for (const { name, start } of SERVERS) {
      const server = await start();
      running.set(name, server);
      await fill(server.port, given.keys, VALUE_BYTES);
    }
    for (let round = 0; round < given.repeat; round++)
      for (const { name } of SERVERS) {
        const server = running.get(name)!;
        if (given.only.includes('pause')) await pause(server, name, given.keys, results);
        if (given.only.includes('memory')) await memory(server, name, given.keys, results);
      }
    if (!given.only.includes('restart')) return;
    for (const { name } of SERVERS) folders.set(name, await keepFile(running.get(name)!));
    for (const server of running.values()) await server.stop();
    for (let round = 0; round < given.repeat; round++)
      for (const server of SERVERS) await restart(folders.get(server.name)!, server, results);
  } finally {
    for (const server of running.values()) await server.stop();
    for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
  }
}

/** Saves, and copies the file to a folder that outlives the server. */
async function keepFile(server: ServerProcess): Promise<string> {
  const client = new Pipeline(server.port);
  await client.call('SAVE');
  client.close();
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-bench-'));
  for (const file of readdirSync(server.folder).filter((name) => name === 'dump.rdb'))
    cpSync(join(server.folder, file), join(folder, file));
  return folder;
}

async function main(given: FigureOptions): Promise<void> {
  const results = new Results();
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${given.keys} keys, ${given.repeat} rounds`,
  );
  if (['pause', 'memory', 'restart'].some((figure) => given.only.includes(figure))) await saving(given, results);
  for (const policy of ['everysec', 'always'].filter((figure) => given.only.includes(figure)))
    for (let round = 0; round < given.repeat; round++)
      for (const server of SERVERS) await logging(policy, server, given, results);
  results.print(LINES);
}

await main(figureOptions('npm run bench:persistence --', FIGURES));
