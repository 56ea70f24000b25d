/** The suites at their full figures: `npm run test:reliability -- NAME ... [--count N] [--seed N]`; without a name, all. Exits with 1 where one has failed. */
import { inspect } from 'node:util';
import { cutEverywhere } from '../durability/cuts.ts';
import { diskFaults } from '../durability/faults.ts';
import { fullDisk } from '../durability/full-disk.ts';
import { kill9 } from '../durability/kill9.ts';
import { fileMutation } from '../durability/mutation.ts';
import { powerLoss } from '../durability/power.ts';
import { restoreFuzzAll } from '../durability/restore-fuzz.ts';
import { stalls } from '../durability/stalls.ts';
import { commandLine } from '../support/command-line.ts';
import { startRedis } from '../support/server-process.ts';
import { memoryAbuse } from './abuse.ts';
import { wideAudience } from './audience.ts';
import { hostileBus } from './bus.ts';
import { clusterRounds } from './cluster.ts';
import { churn, idleAndActive, pastTheLimit } from './connections.ts';
import { MIB } from './harness.ts';
import { hostilePeers } from './hostile-peers.ts';
import { longestInParts, namedWords, type Part, partOf } from './longest.ts';
import { costlyScripts, namedCosts } from './lua-costly.ts';
import { endlessScripts, generatedScripts, knownShapes } from './lua-hostile.ts';
import { raftRounds } from './raft.ts';
import { replicationChaos } from './replication.ts';
import { residentMemory } from './resident.ts';
import { sentinelRounds } from './sentinel.ts';
import { sentinelLosses } from './sentinel-group.ts';
import { sigtermUnderLoad } from './sigterm.ts';
import { soak } from './soak.ts';
import { teardowns } from './teardown.ts';
import { badHandshakes } from './tls.ts';
import { resynchronizationTorture } from './torture.ts';

const option = (name: string, usual: number): number => line.number(name, usual);

/** Parts in which the longest words are played. */
const PARTS = 8;

/** The part that was asked for (`--part 3/8`), or all. */
function chosenParts(asked: string | undefined): Part[] {
  if (asked === undefined) return Array.from({ length: PARTS }, (_, i) => ({ part: i + 1, parts: PARTS }));
  const part = partOf(asked);
  if (part !== null) return [part];
  console.error('--part wants one of so many parts, as in 3/8');
  process.exit(2);
}

const SUITES: Readonly<Record<string, () => Promise<unknown>>> = {
  tls: () => badHandshakes(option('count', 100_000), seed),
  idle: async () => ({
    redis: await idleAndActive(option('count', 10_000), option('active', 1000), startRedis),
    ours: await idleAndActive(option('count', 10_000), option('active', 1000)),
  }),
  maxclients: () => pastTheLimit(option('count', 1000), 100),
  churn: () => churn(option('count', 1_000_000), seed),
  audience: () => wideAudience(option('count', 10_000), 20),
  abuse: () => memoryAbuse(option('count', 100)),
  'lua-shapes': () => knownShapes(),
  'lua-generated': async () => generatedScripts(option('count', 100_000), seed),
  'lua-endless': () => endlessScripts(50),
  'lua-costly': async () => ({
    named: await namedCosts(),
    generated: await costlyScripts(option('count', 50_000), seed, option('from', 0)),
  }),
  longest: async () => ({
    named: line.word('part') === undefined ? await namedWords() : null,
    all: await longestInParts(
      { longest: option('bytes', 512 * MIB), word: option('word', 100_000_000), args: option('args', 1_000_000) },
      chosenParts(line.word('part')),
    ),
  }),
  replication: () => replicationChaos(option('seconds', 1800), seed),
  hostile: () => hostilePeers(option('count', 500_000), seed),
  bus: () => hostileBus(option('count', 250_000), seed),
  torture: () => resynchronizationTorture(option('count', 10), seed),
  sentinel: () => sentinelRounds(option('count', 200), seed),
  raft: async () =>
    line.choice('against', ['sentinel']) === 'sentinel'
      ? sentinelLosses(option('count', 40), seed)
      : {
          three: await raftRounds(option('count', 100), seed),
          five: await raftRounds(option('five', 50), seed, { members: 5 }),
        },
  cluster: async () => ({
    ours: shown(await clusterRounds('cinnabar', option('count', 100), seed)),
    redis: await clusterRounds('redis', option('count', 100), seed),
  }),
  soak: () => soak(option('operations', 172_800_000), seed),
  resident: () => residentMemory(option('mib', 1024), seed),
  teardown: () => teardowns(option('count', 20)),
  sigterm: () => sigtermUnderLoad(option('count', 100), seed),
  kill9: async () => ({
    always: await kill9('always', option('count', 500), seed),
    everysec: await kill9('everysec', option('everysec', 200), seed),
  }),
  power: () => powerLoss(option('count', 20_000), seed),
  faults: async () => ({
    faults: await diskFaults(option('count', 300), seed, option('from', 0)),
    full: await fullDisk(seed),
  }),
  mutation: async () => ({
    mutation: await fileMutation(option('count', 10_000), seed, option('from', 0)),
    cuts: await cutEverywhere(option('step', 1)),
  }),
  restore: () => restoreFuzzAll(option('count', 100_000), seed, option('from', 0)),
  stalls: () => stalls(option('count', 2_000_000), option('elements', 10_000_000), seed),
};

/** Told at once: what comes next takes as long again. */
function shown<Report>(report: Report): Report {
  console.log(inspect(report, { depth: 6 }));
  return report;
}

/** What a report, or a part of it, lists as failures. */
function failuresOf(report: unknown): unknown[] {
  if (typeof report !== 'object' || report === null) return [];
  return Object.entries(report).flatMap(([name, value]) =>
    name === 'failures' && Array.isArray(value) ? value : failuresOf(value),
  );
}

const line = commandLine({
  program: 'npm run test:reliability --',
  names: Object.keys(SUITES),
  options: [
    ...['seed', 'count', 'from', 'step', 'seconds', 'operations', 'mib', 'bytes', 'args'],
    ...['active', 'elements', 'everysec', 'five', 'against', 'part', 'word'],
  ],
});
const seed = option('seed', Date.now() % 1_000_000);
for (const name of line.names.length > 0 ? line.names : Object.keys(SUITES)) {
  console.log(`${name}, seed ${seed}`);
  const start = performance.now();
  const report = await SUITES[name]();
  console.log(inspect(report, { depth: 6 }), `${((performance.now() - start) / 1000).toFixed(1)} s`);
  if (failuresOf(report).length > 0) process.exitCode = 1;
}
