/**
 * Plays a world: `npm run test:simulation -- [WORLD] [--seeds N] [--from S] [--steps N] [--trace] [--bug NAME] [--first]`.
 * Tells each seed in which something is broken, with the fewest steps at which it is; exits with 1 where there is one.
 * `--bug` plants a bug that must be found, `--first` stops at the first such seed, with all of its steps.
 */
import { commandLine } from '../support/command-line.ts';
import { CLUSTER_BUGS } from './cluster-bugs.ts';
import * as clusterServers from './cluster-servers-world.ts';
import * as cluster from './cluster-world.ts';
import { RAFT_BUGS } from './raft-bugs.ts';
import * as raftServers from './raft-servers-world.ts';
import * as raft from './raft-world.ts';
import * as replication from './replication-world.ts';
import { BUGS, MOST_FAULTS } from './rules-world.ts';
import * as sentinelServers from './sentinel-servers-world.ts';
import * as sentinel from './sentinel-world.ts';

interface Course {
  readonly broken: string;
  readonly trace: readonly string[];
  /** Virtual milliseconds that it lasted. */
  readonly lasted: number;
  /** What has happened in it that is worth counting. */
  readonly counts: Readonly<Record<string, number>>;
}

interface World {
  readonly seeds: number;
  readonly steps: number;
  play(seed: number, steps: number): Course | Promise<Course>;
}

function bug<T extends string>(bugs: readonly T[]): T | 'none' {
  return line.choice('bug', bugs) ?? 'none';
}

const WORLDS: Readonly<Record<string, World>> = {
  replication: {
    seeds: 3000,
    steps: 40,
    async play(seed, steps) {
      bug([]);
      const { full, partial, ...course } = await replication.course(seed, steps);
      return { ...course, counts: { 'full synchronizations': full, 'partial synchronizations': partial } };
    },
  },
  cluster: {
    seeds: 20_000,
    steps: MOST_FAULTS,
    play(seed, faults) {
      const { failovers, votes, ...course } = cluster.course(seed, { faults, traced, bug: bug(BUGS) });
      return { ...course, counts: { failovers, votes } };
    },
  },
  sentinel: {
    seeds: 20_000,
    steps: MOST_FAULTS,
    play(seed, faults) {
      const { failovers, votes, ...course } = sentinel.course(seed, { faults, traced, bug: bug(BUGS) });
      return { ...course, counts: { failovers, votes } };
    },
  },
  raft: {
    seeds: 20_000,
    steps: MOST_FAULTS,
    play(seed, faults) {
      return raft.course(seed, { faults, traced, bug: bug(RAFT_BUGS) });
    },
  },
  'cluster-servers': {
    seeds: 1000,
    steps: clusterServers.MOST_FAULTS,
    play(seed, faults) {
      return clusterServers.course(seed, { faults, traced, bug: bug(CLUSTER_BUGS) });
    },
  },
  'raft-servers': {
    seeds: 2000,
    steps: raftServers.MOST_FAULTS,
    play(seed, faults) {
      return raftServers.course(seed, { faults, traced, bug: bug(RAFT_BUGS) });
    },
  },
  'sentinel-servers': {
    seeds: 1000,
    steps: sentinelServers.MOST_FAULTS,
    async play(seed, faults) {
      const { failovers, votes, ...course } = await sentinelServers.course(seed, { faults, traced, bug: bug(BUGS) });
      return { ...course, counts: { failovers, votes } };
    },
  },
};

const line = commandLine({
  program: 'npm run test:simulation --',
  names: Object.keys(WORLDS),
  options: ['seeds', 'from', 'steps', 'bug'],
  flags: ['trace', 'first'],
});
const [traced, stopsAtFirst] = [line.flag('trace'), line.flag('first')];
const world = WORLDS[line.names[0] ?? 'replication'];
const seeds = line.number('seeds', world.seeds);
const from = line.number('from', 1);
const steps = line.number('steps', world.steps);
const begin = performance.now();
const counts = new Map<string, number>();
let [failures, lasted] = [0, 0];
for (let seed = from; seed < from + seeds; seed++) {
  const played = await world.play(seed, steps);
  lasted += played.lasted;
  for (const [what, count] of Object.entries(played.counts)) counts.set(what, (counts.get(what) ?? 0) + count);
  if (traced) console.log(played.trace.join('\n'));
  if (played.broken === '') continue;
  failures++;
  let fewest = steps;
  while (!stopsAtFirst && fewest > 1 && (await world.play(seed, fewest - 1)).broken !== '') fewest--;
  console.log(`seed ${seed}, ${fewest} steps: ${played.broken}`);
  if (stopsAtFirst) break;
}
const seconds = (performance.now() - begin) / 1000;
const counted = [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
console.log(
  `${seeds} seeds from ${from}: ${failures} broken; ${counted}, ${(lasted / 1000 / seconds).toFixed(0)} times as fast as real time, ${seconds.toFixed(0)} s`,
);
if (failures > 0) process.exitCode = 1;
