/**
 * Power loss: a server's operations on its files are recorded with every acknowledgement that its clients got (interpose.ts,
 * power-record.ts); after every operation the states that a disk may be in after a crash are rebuilt (power-model.ts), and
 * a server is started on each. It must start, hold every write that was promised to be safe by then, and no half of a
 * transaction or script; or, where unsynced writes have left rubbish behind, refuse with the place, and start and hold all
 * that was promised once the file has been cut there.
 *
 * Promised is: with `always` what was acknowledged; with `everysec` what was acknowledged before a sync began that has ended;
 * of snapshots what was acknowledged before a save began that was reported as done; in a group of Raft, here of one member, whose
 * log, term, vote and snapshots make the files, what was acknowledged.
 *
 * Planted bugs: no fdatasync (161 of 200 states have lost something) and no sync of folders (165 of 300 with always, 107 of 300 of the
 * snapshots'), each found in the first states; of a group's log no fdatasync (32 of 40).
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../src/base/random.ts';
import type { Loader, LoadResult, Settings } from './loader.ts';
import { complaint, type Files, lay, withLoaders } from './mutation.ts';
import { Disk, type Operation } from './power-model.ts';
import { CLIENTS, record, SCENARIOS, type Scenario, startOf } from './power-record.ts';
import { questionsFor, shortfall } from './units.ts';

export interface PowerReport {
  states: number;
  started: number;
  /** Refused with the place, and whole once it was cut there. */
  mended: number;
  /** Started with zeros within a value that nobody was promised: the log has nothing that would show them. */
  rubbish: number;
  lost: number;
  readonly operations: Record<string, number>;
  readonly failures: string[];
}

interface State {
  readonly name: string;
  readonly files: Files;
  /** By client: the last unit that must be there, and the last that may. */
  readonly promised: readonly number[];
  readonly issued: readonly number[];
}

/** How a server is started on a state. */
interface Restart {
  readonly settings: Settings;
  readonly first: Scenario['first'];
}

const FAILURES_TOLD = 20;
const QUESTIONS = questionsFor(CLIENTS);

/** Follows what is promised along the record. */
class Ledger {
  readonly issued: number[];
  promised: number[];
  private acknowledged: number[];
  private readonly scenario: Scenario;
  private on = false;
  /** By descriptor and sync: what was acknowledged when the syncs began that are under way. */
  private readonly syncs = new Map<string, number[] | null>();

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.issued = Array.from({ length: CLIENTS }, () => startOf(scenario));
    this.promised = [...this.issued];
    this.acknowledged = [...this.issued];
  }

  follow(operation: Operation, disk: Disk): void {
    const { op, client, n, what } = operation;
    if (op === 'issued') this.issued[client!] = n!;
    else if (op === 'ack') this.acknowledged[client!] = n!;
    else if (op === 'saved') this.promised[client!] = Math.max(this.promised[client!], n!);
    else if (op === 'mark') this.on = what === 'on';
    if (this.scenario.promise === 'synced') this.followSync(operation, disk);
    else if (this.scenario.promise === 'always' || (this.scenario.promise === 'on' && this.on))
      this.promised = [...this.acknowledged];
  }

  private followSync({ op, fd, n: number }: Operation, disk: Disk): void {
    const which = `${fd} ${number}`;
    if (op === 'sync') {
      const counts = disk.pathOf(fd!).includes('incr') && !disk.waitsBeside(fd!, 'incr');
      this.syncs.set(which, counts ? [...this.acknowledged] : null);
    } else if (op === 'synced') {
      const then = this.syncs.get(which);
      this.syncs.delete(which);
      if (then != null) this.promised = this.promised.map((n, client) => Math.max(n, then[client]));
    }
  }
}

/** About `count` states, spread over all moments of the record. */
function* statesOf(
  scenario: Scenario,
  root: string,
  operations: readonly Operation[],
  count: number,
  seed: number,
): Generator<State> {
  const disk = new Disk(root, scenario.files);
  const ledger = new Ledger(scenario);
  const ready = operations.findIndex(({ op }) => op === 'issued');
  let made = 0;
  for (let at = 0; at < operations.length; at++) {
    const operation = operations[at];
    // Of a descriptor that is being closed the ledger wants to know no more; of one just opened it does.
    ledger.follow(operation, disk);
    disk.apply(operation);
    const due = Math.floor(((at + 1) * count) / operations.length);
    for (; made < due; made++) {
      const { kind, files } = disk.crash(new SeededRandom(seed, at, made));
      const promised = at < ready && scenario.files === undefined ? ledger.promised.map(() => 0) : [...ledger.promised];
      yield {
        name: `${scenario.name}, after operation ${at} (${operation.op}), ${kind}`,
        files,
        promised,
        issued: [...ledger.issued],
      };
    }
  }
}

class Judge {
  readonly report: PowerReport = {
    states: 0,
    started: 0,
    mended: 0,
    rubbish: 0,
    lost: 0,
    operations: {},
    failures: [],
  };

  fail(state: State, what: string): void {
    if (what.includes('lost:')) this.report.lost++;
    if (this.report.failures.length < FAILURES_TOLD) this.report.failures.push(`${state.name}: ${what}`);
  }

  async judge(state: State, { settings, first }: Restart, loader: Loader, folder: string): Promise<void> {
    this.report.states++;
    const start = async (files: Files): Promise<[LoadResult, number]> => {
      const size = lay(folder, files);
      return [await loader.load({ settings: { ...settings, dir: folder }, first, ask: QUESTIONS }), size];
    };
    try {
      let [result, size] = await start(state.files);
      const wrong = complaint(result, size);
      if (wrong !== null) return this.fail(state, wrong);
      if (result.started) this.report.started++;
      else {
        const cut = cutWhereTold(state.files, result.log);
        if (cut === null) return this.fail(state, `refused: ${result.log.slice(-2).join(' | ')}`);
        [result, size] = await start(cut);
        if (!result.started) return this.fail(state, `refused again: ${result.log.slice(-2).join(' | ')}`);
        this.report.mended++;
      }
      const short = shortfall(result.replies, state.promised, state.issued);
      if (short !== null && state.name.endsWith('scattered') && short.includes('NaN')) this.report.rubbish++;
      else if (short !== null) this.fail(state, short);
    } catch (error) {
      this.fail(state, String(error));
    }
  }
}

/** The files with that which could not be read cut where the log tells that it is bad. */
function cutWhereTold(files: Files, log: readonly string[]): Files | null {
  const told = log
    .map((line) => /of the AOF file (\S+) ends at offset (\d+)/.exec(line))
    .find((found) => found !== null);
  if (told == null) return null;
  const name = `appendonlydir/${told[1]}`;
  const bytes = files.get(name);
  if (bytes === undefined) return null;
  return new Map([...files, [name, bytes.subarray(0, Number(told[2]))]]);
}

/** `count` states over all scenarios, or those whose name contains `only`. */
export async function powerLoss(count: number, seed: number, only = ''): Promise<PowerReport> {
  const judge = new Judge();
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(only));
  const share = Math.ceil(count / scenarios.length);
  for (const scenario of scenarios) {
    const tools = mkdtempSync(join(tmpdir(), 'cinnabar-power-'));
    const root = join(tools, 'data');
    mkdirSync(root);
    try {
      const operations = await record(root, scenario, seed);
      judge.report.operations[scenario.name] = operations.length;
      const states = statesOf(scenario, root, operations, share, seed);
      const settings = { ...scenario.settings, ...scenario.restart };
      await withLoaders(share, async (_, loader, folder) => {
        const next = states.next();
        if (next.done !== true) await judge.judge(next.value, { settings, first: scenario.first }, loader, folder);
      });
    } finally {
      rmSync(tools, { recursive: true, force: true });
    }
  }
  return judge.report;
}
