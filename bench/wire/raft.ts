/**
 * A group of Raft beside the same server alone, in one run: `npm run bench:raft [-- options]`
 *
 *   --only a,b    of writes latency
 *   --requests N  pipelined SETs of a round (500,000)
 *   --seconds N   for which one client sets, of a round (5)
 *   --warm N      pipelined SETs of each server before the first round (5,000,000): V8 compiles what leads and follows anew
 *                 until then, which a server pays once
 *   --repeat N    rounds, each on one server after the other (5); of each the median counts
 *   --quick       three rounds of a fifth of that
 *   --smoke       one round that only shows that it works
 *
 * Three members on this machine, and a server with `appendonly yes`, by `appendfsync always`, as a group has it, and by
 * `everysec`. A group syncs its log before it replies, whatever appendfsync says.
 *
 *   writes    redis-benchmark's SET of 50 clients, pipeline 16; processor time is that of the leader, and of one follower
 *   latency   one client sets one key after another; processor time a SET of the leader, and of all members. What it is to be
 *             is measured beside it: a round trip (a GET of the server alone), and a sync (100 bytes appended to a file in the
 *             same folder, with fdatasync), alone and while the other members' folders have theirs: they share a disk here
 */
import { cpus } from 'node:os';
import { callOnce } from '../../test/support/groups.ts';
import { waitFor } from '../../test/support/sentinels.ts';
import { type ServerProcess, startCinnabar } from '../../test/support/server-process.ts';
import { startWorker } from '../../test/support/worker.ts';
import { cpuOf, type Line, percentile, picked, Results } from './figures.ts';
import { Options, sleep } from './options.ts';
import { requestsPerSecond } from './redis-benchmark.ts';
import { probeWhile } from './sets.ts';
import { SyncedFile } from './synced-file.ts';

const KEYS = 100_000;
const VALUE_BYTES = 32;
const MEMBERS = 3;
/** Requests of one client before those that count: each waits for a disk. */
const WARMING = 200;
const SYNCS = 200;

interface Plan {
  readonly only: readonly string[];
  readonly requests: number;
  readonly seconds: number;
  readonly warm: number;
  readonly repeat: number;
}

function plan(): Plan {
  const options = new Options('npm run bench:raft --', ['only', 'requests', 'seconds', 'warm', 'repeat'], ['quick']);
  const quick = options.flag('quick');
  return {
    only: options.list('only', ['writes', 'latency']),
    requests: options.number('requests', quick ? 100_000 : 500_000, 5000),
    seconds: options.number('seconds', quick ? 1 : 5, 0.2),
    warm: options.number('warm', quick ? 100_000 : 5_000_000, 5000),
    repeat: options.number('repeat', quick ? 3 : 5, 1),
  };
}

/** What is measured: the server alone, or the members, of which the first leads. */
class Subject {
  readonly processes: readonly ServerProcess[];

  private constructor(processes: readonly ServerProcess[]) {
    this.processes = processes;
  }

  get port(): number {
    return this.processes[0].port;
  }

  static async alone(appendfsync: string): Promise<Subject> {
    return new Subject([await startCinnabar('--appendonly', 'yes', '--appendfsync', appendfsync)]);
  }

  static async group(): Promise<Subject> {
    const members: ServerProcess[] = [];
    for (let i = 0; i < MEMBERS; i++) {
      const member = await startCinnabar('--raft-enabled', 'yes');
      members.push(member);
      if (i === 0) await callOnce(member.port, 'RAFT', 'INIT');
      else await callOnce(member.port, 'RAFT', 'JOIN', '127.0.0.1', String(members[0].port));
    }
    await waitFor('all vote, and the first leads', async () => {
      const text = String(await callOnce(members[0].port, 'INFO', 'raft'));
      return text.includes('serving:1') && text.includes(`raft_members:${MEMBERS}`) && !text.includes('role=learner');
    });
    return new Subject(members);
  }

  /** Resolves when every member has done what the first has. */
  async caughtUp(): Promise<void> {
    if (this.processes.length === 1) return;
    await waitFor('all have caught up', async () => {
      const texts = await Promise.all(this.processes.map(({ port }) => callOnce(port, 'INFO', 'raft')));
      return new Set(texts.map((text) => /raft_applied_index:\d+/.exec(String(text))?.[0])).size === 1;
    });
  }

  cpu(): number[] {
    return this.processes.map(({ pid }) => cpuOf(pid));
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((each) => each.stop()));
  }
}

interface Subjects {
  readonly always: Subject;
  readonly everysec: Subject;
  readonly group: Subject;
}

type Told = Results<'alone'>;

interface Written {
  readonly rate: number;
  /** Microseconds of the processor a request, of each process. */
  readonly cpu: readonly number[];
}

async function write(subject: Subject, requests: number): Promise<Written> {
  const before = subject.cpu();
  const load = ['-p', subject.port, '-P', 16, '-d', VALUE_BYTES, '-r', KEYS, '-n', requests, '-t', 'set'];
  const rate = await requestsPerSecond(...load);
  await subject.caughtUp();
  const cpu = subject.cpu().map((after, i) => ((after - before[i]) / requests) * 1e6);
  return { rate, cpu };
}

async function writes({ always, everysec, group }: Subjects, { requests }: Plan, results: Told): Promise<void> {
  const ofAlways = await write(always, requests);
  const ofGroup = await write(group, requests);
  const ofEverysec = await write(everysec, requests);
  const [leader, ...followers] = ofGroup.cpu;
  const follower = followers.reduce((sum, each) => sum + each, 0) / followers.length;
  for (const [name, alone] of [['always', ofAlways] as const, ['everysec', ofEverysec] as const]) {
    results.add(`SET ${name}`, 'alone', alone.rate);
    results.add(`SET ${name}`, 'ours', ofGroup.rate);
    results.add(`leader cpu ${name}`, 'alone', alone.cpu[0]);
    results.add(`leader cpu ${name}`, 'ours', leader);
  }
  results.add('follower cpu', 'alone', ofAlways.cpu[0]);
  results.add('follower cpu', 'ours', follower);
}

/** Milliseconds that a client waits for each of its requests, in rising order. */
function probe(subject: Subject, command: 'SET' | 'GET', seconds: number): Promise<Float64Array> {
  const task = { port: subject.port, keys: KEYS, valueBytes: VALUE_BYTES, most: 1_000_000, command, warming: WARMING };
  return probeWhile(task, () => sleep(seconds * 1000));
}

/** Milliseconds of a sync in the middle, while as many threads more as there are other folders do the same in theirs. */
async function syncOf([folder, ...others]: readonly string[]): Promise<number> {
  const threads = others.map((other) => {
    const thread = startWorker(new URL('./syncer.ts', import.meta.url));
    thread.postMessage(other);
    return thread;
  });
  await Promise.all(threads.map((thread) => new Promise((begun) => thread.once('message', begun))));
  const file = new SyncedFile(folder);
  const taken = Float64Array.from({ length: SYNCS }, () => file.sync()).sort();
  file.close();
  for (const thread of threads) thread.postMessage('end');
  await Promise.all(threads.map((thread) => new Promise((ended) => thread.once('exit', ended))));
  return percentile(taken, 0.5);
}

interface Costs {
  readonly trips: number[];
  /** Of one alone, and of those of all members at once. */
  readonly syncs: number[];
  readonly syncsAtOnce: number[];
}

async function latency({ always, group }: Subjects, plan: Plan, results: Told, costs: Costs): Promise<void> {
  for (const [server, subject] of [['alone', always] as const, ['ours', group] as const]) {
    const before = subject.cpu();
    const taken = await probe(subject, 'SET', plan.seconds);
    results.add('p50', server, percentile(taken, 0.5));
    results.add('p99', server, percentile(taken, 0.99));
    const requests = WARMING + taken.length;
    const cpu = subject.cpu().map((after, i) => ((after - before[i]) / requests) * 1e6);
    results.add('leader cpu of one', server, cpu[0]);
    results.add(
      'all cpu of one',
      server,
      cpu.reduce((sum, each) => sum + each, 0),
    );
  }
  costs.trips.push(percentile(await probe(always, 'GET', plan.seconds), 0.5));
  costs.syncs.push(await syncOf([always.processes[0].folder]));
  costs.syncsAtOnce.push(await syncOf(group.processes.map(({ folder }) => folder)));
}

function print(results: Told, { trips, syncs, syncsAtOnce }: Costs): void {
  const lines: Line[] = [
    { figure: 'SET always', unit: '/s', pick: 'middle', ratio: ['>=', 0.5] },
    { figure: 'SET everysec', unit: '/s', pick: 'middle' },
    { figure: 'leader cpu always', unit: 'us', pick: 'middle' },
    { figure: 'leader cpu everysec', unit: 'us', pick: 'middle' },
    { figure: 'follower cpu', unit: 'us', pick: 'middle' },
    { figure: 'p50', unit: 'ms', pick: 'middle' },
    { figure: 'p99', unit: 'ms', pick: 'middle' },
    { figure: 'leader cpu of one', unit: 'us', pick: 'middle' },
    { figure: 'all cpu of one', unit: 'us', pick: 'middle' },
  ];
  if (trips.length === 0) {
    results.print(lines);
    return;
  }
  const [trip, sync, atOnce] = [trips, syncs, syncsAtOnce].map((each) => picked(each, 'middle'));
  const told = `a round trip ${trip.toFixed(3)} ms, a sync ${sync.toFixed(3)} ms`;
  console.log(`${told}, one of ${MEMBERS} at once ${atOnce.toFixed(3)} ms`);
  const above = Number((2 * trip + atOnce).toFixed(3));
  results.print(lines.map((line) => (line.figure === 'p50' ? { ...line, above } : line)));
}

async function main(plan: Plan): Promise<void> {
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}; ${plan.repeat} rounds, ${plan.warm} SETs before them`,
  );
  const running: Subject[] = [];
  const started = async (starting: Promise<Subject>): Promise<Subject> => {
    const subject = await starting;
    running.push(subject);
    return subject;
  };
  try {
    const subjects = {
      always: await started(Subject.alone('always')),
      everysec: await started(Subject.alone('everysec')),
      group: await started(Subject.group()),
    };
    const results: Told = new Results('alone');
    const costs: Costs = { trips: [], syncs: [], syncsAtOnce: [] };
    if (plan.only.includes('writes')) for (const subject of running) await write(subject, plan.warm);
    // The first round finds memory that nobody has touched.
    for (let round = -1; round < plan.repeat; round++) {
      const none: Costs = { trips: [], syncs: [], syncsAtOnce: [] };
      const [into, beside] = round < 0 ? [new Results('alone'), none] : [results, costs];
      if (plan.only.includes('writes')) await writes(subjects, plan, into);
      if (plan.only.includes('latency')) await latency(subjects, plan, into, beside);
    }
    print(results, costs);
  } finally {
    await Promise.all(running.map((subject) => subject.stop()));
  }
}

await main(plan());
