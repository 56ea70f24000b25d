/**
 * Resynchronisation under load, in the 20 combinations of Redis's own suite (integration/replication-psync): a snapshot with
 * and without a file, loaded from disk and by swapdb; with no disconnection, with short ones, with a backlog that is too
 * small, with ones that last, and with a backlog that has expired by then. Where the backlog lets it a replica goes on
 * partially every time, also after a restart of its own; the data are the same at the end in any case.
 *
 * Played in a world (test/simulation/world.ts) of two servers, so that a seed gives one course of events.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { randomWrite } from '../simulation/replication-world.ts';
import { type Client, World } from '../simulation/world.ts';

const CUTS = 5;
/** Virtual milliseconds of load between two cuts, at most, and the time to agree once it has ended. */
const BETWEEN = 400;
const PATIENCE = 60_000;

interface Kind {
  readonly name: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly cuts: number;
  /** Seconds that a disconnection lasts. */
  readonly delay: number;
  /** Whether replicas go on partially: always, or never. */
  readonly partial: boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'no reconnection', settings: {}, cuts: 0, delay: 0, partial: true },
  { name: 'ok psync', settings: { 'repl-backlog-size': '1mb' }, cuts: CUTS, delay: 0, partial: true },
  { name: 'no backlog', settings: { 'repl-backlog-size': '16kb' }, cuts: CUTS, delay: 1, partial: false },
  { name: 'ok after delay', settings: { 'repl-backlog-size': '100mb' }, cuts: CUTS, delay: 3, partial: true },
  {
    name: 'backlog expired',
    settings: { 'repl-backlog-size': '100mb', 'repl-backlog-ttl': 1 },
    cuts: CUTS,
    delay: 4,
    partial: false,
  },
];

export interface TortureReport {
  plays: number;
  cuts: number;
  restarts: number;
  full: number;
  partial: number;
  readonly failures: string[];
}

class Torture {
  readonly world: World;
  private readonly random: SeededRandom;
  private readonly kind: Kind;
  private readonly settings: Readonly<Record<string, string | number>>;
  private readonly report: TortureReport;
  private master!: Client;
  private replica!: Client;

  constructor(kind: Kind, diskless: string, load: string, seed: number, report: TortureReport) {
    this.world = new World(seed);
    this.random = this.world.derivedRandom();
    this.kind = kind;
    this.report = report;
    this.settings = {
      'enable-debug-command': 'yes',
      'repl-diskless-sync': diskless,
      'repl-diskless-load': load,
      'repl-diskless-sync-delay': 0,
      'repl-ping-replica-period': 1,
      ...kind.settings,
    };
  }

  async play(): Promise<void> {
    const { kind, world, report } = this;
    this.master = (await world.machine('a').start(this.settings)).client();
    await this.write(200);
    const b = world.machine('b');
    const following = { ...this.settings, replicaof: 'a 6379' };
    this.replica = (await b.start(following)).client();
    await this.linked();
    for (let i = 0; i < kind.cuts; i++) {
      await this.write(1 + this.random.below(BETWEEN));
      // What was saved tells where the stream goes on.
      if (kind.partial && this.random.below(3) === 0) {
        report.restarts++;
        await this.replica.call('SHUTDOWN', 'SAVE', 'NOW').catch(() => {});
        b.kill();
        await this.write(BETWEEN);
        this.replica = (await b.start(following)).client();
      } else {
        await this.cut();
      }
      await this.linked();
    }
    await this.settle();
  }

  /** Writes, and lets about so many milliseconds pass meanwhile. */
  private async write(milliseconds: number): Promise<void> {
    const { world, master, random } = this;
    const until = world.clock.now() + milliseconds;
    do {
      const writes = Array.from({ length: 10 }, () => master.send(...randomWrite(random)));
      await world.run(Promise.all(writes));
    } while (world.clock.now() < until);
  }

  private async cut(): Promise<void> {
    const { world, kind, report } = this;
    report.cuts++;
    await this.master.call('CLIENT', 'KILL', 'TYPE', 'replica');
    world.wires.part(['a'], ['b']);
    await this.write(100);
    if (!kind.partial) await this.master.call('SET', 'long', 'x'.repeat(50_000));
    await world.pass(kind.delay * 1000);
    world.wires.healAll();
  }

  private async linked(): Promise<void> {
    await this.until('the link is up', async () => (await info(this.replica, 'master_link_status')) === 'up');
  }

  private async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = this.world.clock.now() + PATIENCE;
    while (!(await holds())) {
      if (this.world.clock.now() > end) throw new Error(`it does not come about that ${what}`);
      await this.world.pass(100);
    }
  }

  private async settle(): Promise<void> {
    const { master, replica, report, kind } = this;
    await this.until('their data are the same', async () => {
      const [ours, theirs] = [await master.call('DEBUG', 'DIGEST'), await replica.call('DEBUG', 'DIGEST')];
      return ours === theirs;
    });
    const full = Number(await info(master, 'sync_full'));
    const partial = Number(await info(master, 'sync_partial_ok'));
    report.full += full;
    report.partial += partial;
    const wanted = kind.partial ? [1, kind.cuts] : [1 + kind.cuts, 0];
    if (full !== wanted[0] || partial !== wanted[1])
      throw new Error(`${full} full and ${partial} partial synchronizations, where ${wanted.join(' and ')} are due`);
  }
}

async function info(client: Client, name: string): Promise<string> {
  const text = String(await client.call('INFO', 'everything'));
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
}

/** Each combination so many times. */
export async function resynchronizationTorture(times: number, seed: number): Promise<TortureReport> {
  const report: TortureReport = { plays: 0, cuts: 0, restarts: 0, full: 0, partial: 0, failures: [] };
  for (let time = 0; time < times; time++)
    for (const diskless of ['no', 'yes'])
      for (const load of ['disabled', 'swapdb'])
        for (const kind of KINDS) {
          const torture = new Torture(kind, diskless, load, seed + report.plays++, report);
          await torture.play().catch((error) => {
            const what = `${kind.name}, diskless ${diskless}, load ${load}, seed ${torture.world.seed}`;
            report.failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
          });
          torture.world.end();
        }
  return report;
}
