/**
 * A disk that is full: a tmpfs of 64 MiB (where it can't be mounted, writes are refused with ENOSPC from as many bytes on),
 * partly taken by ballast. Units and large values are written until there is no room. Then, as with faults.ts: always
 * exits without an acknowledgement, everysec refuses writes with MISCONF and recovers when the ballast goes, a snapshot or
 * rewrite fails and leaves the old files as they were; and all that was acknowledged is there after a restart.
 *
 * Planted bug: a fault that is not forgotten once a write succeeds: "writes are accepted again" does not come about.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../../src/base/random.ts';
import { MIB, pause, until } from '../reliability/harness.ts';
import type { Answer, Pipeline } from '../support/pipeline.ts';
import { Loader } from './loader.ts';
import { preload } from './preload.ts';
import { DurableServer, field } from './server.ts';
import { questionsFor, shortfall, unit } from './units.ts';

export interface FullDiskReport {
  readonly disk: string;
  readonly outcomes: Readonly<Record<string, string>>;
}

const SIZE = 64 * MIB;
const VALUE = 100_000;
const REFUSAL = { op: 'write', path: '/data', error: 'ENOSPC' };
const QUESTIONS = questionsFor(1);

class FullDisk {
  readonly folder: string;
  readonly tools: string;
  readonly mounted: boolean;
  private readonly random: SeededRandom;
  private server!: DurableServer;
  private client!: Pipeline;
  private acknowledged = 0;
  private issued = 0;

  constructor(tools: string, seed: number) {
    this.tools = tools;
    this.folder = join(tools, 'data');
    this.random = new SeededRandom(seed);
    mkdirSync(this.folder);
    this.mounted = mount(this.folder);
  }

  private faults(rules: readonly object[]): void {
    writeFileSync(join(this.tools, 'faults'), JSON.stringify(rules));
  }

  /** Leaves `bytes` of room; with all of it, the ballast goes. */
  room(bytes: number): void {
    const ballast = join(this.folder, 'ballast');
    rmSync(ballast, { force: true });
    this.faults([]);
    if (bytes >= SIZE) return;
    if (this.mounted) writeFileSync(ballast, Buffer.alloc(SIZE - bytes));
    // A write to the log is of some units; one to a snapshot of some kilobytes.
    else this.faults([{ ...REFUSAL, after: Math.floor(bytes / VALUE) }]);
  }

  async start(...options: string[]): Promise<void> {
    this.faults([]);
    const env = { NODE_OPTIONS: preload(this.tools, 'interpose'), CINNABAR_FAULTS: join(this.tools, 'faults') };
    const all = ['--save', '100000 100000', '--rdbcompression', 'no', '--auto-aof-rewrite-percentage', '0', ...options];
    this.server = await DurableServer.start(this.folder, { options: all, env });
    this.client = this.server.connect();
  }

  private async send(commands: string[][]): Promise<Answer[] | null> {
    return Promise.race([this.client.send(commands), this.server.ended.then(() => null)]);
  }

  /** A unit and a large value that nothing makes smaller; false where they are refused. */
  private async write(at: number): Promise<boolean> {
    const text = Array.from({ length: VALUE / 5 }, () => this.random.bits32().toString(36).padStart(5, 'x').slice(-5));
    const filled = await this.send([['SET', `fill:${at}`, text.join('')]]);
    this.issued = this.acknowledged + 1;
    const replies = await this.send(unit(0, this.issued));
    if (filled === null || replies === null || [...filled, ...replies].some((reply) => reply instanceof Error))
      return false;
    this.acknowledged++;
    return true;
  }

  /** Writes until it is refused, or so many times. */
  async fill(most: number): Promise<number> {
    for (let i = 0; i < most; i++) if (!(await this.write(i))) return i;
    return most;
  }

  get running(): boolean {
    return this.server.running;
  }

  async misconf(): Promise<void> {
    await until(async () => {
      const [reply] = (await this.send([['SET', 'x', 'y']])) ?? [];
      return reply instanceof Error && reply.message.startsWith('MISCONF');
    }, 'MISCONF');
    const [read] = (await this.send([['LLEN', 'log:0']])) ?? [];
    if (typeof read !== 'number') throw new Error(`reads are not served: ${read}`);
  }

  async accepted(): Promise<void> {
    await until(async () => {
      const [reply] = (await this.send([['SET', 'x', 'y']])) ?? [];
      return reply === 'OK';
    }, 'writes are accepted again');
  }

  async exited(): Promise<void> {
    const { code } = await this.server.ended;
    if (code !== 1) throw new Error(`exit code ${code}`);
  }

  /** Runs a command that works in the background; how it ended. */
  async background(command: string, running: string, status: string): Promise<string> {
    await this.send([[command]]);
    await until(async () => (await field(this.client, running)) === '0', `${command} ends`);
    return field(this.client, status);
  }

  save(): Promise<string> {
    return this.background('BGSAVE', 'rdb_bgsave_in_progress', 'rdb_last_bgsave_status');
  }

  rewrite(): Promise<string> {
    return this.background('BGREWRITEAOF', 'aof_rewrite_in_progress', 'aof_last_bgrewrite_status');
  }

  /** Kills it and starts on what is left; throws where something that was acknowledged is missing. */
  async reopen(appendonly: boolean, promised = this.acknowledged): Promise<void> {
    if (this.running) await this.server.kill();
    this.client.close();
    const loader = new Loader();
    const settings = { dir: this.folder, appendonly: appendonly ? 'yes' : 'no' };
    const result = await loader.load({ settings, ask: QUESTIONS });
    loader.close();
    if (!result.started) throw new Error(`does not start again: ${result.log.slice(-3).join(' | ')}`);
    const short = shortfall(result.replies, [promised], [this.issued]);
    if (short !== null) throw new Error(short);
  }

  async close(): Promise<void> {
    if (this.running) await this.server.kill();
    if (this.mounted) execFileSync('umount', ['-l', this.folder]);
  }
}

function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

const LOG = ['--appendonly', 'yes', '--appendfsync'];

const SITUATIONS: Readonly<Record<string, (disk: FullDisk) => Promise<string>>> = {
  async always(disk) {
    await disk.start(...LOG, 'always');
    disk.room(8 * MIB);
    const written = await disk.fill(1000);
    await disk.exited();
    disk.room(SIZE);
    await disk.reopen(true);
    return `exits after ${written} writes`;
  },

  async everysec(disk) {
    await disk.start(...LOG, 'everysec');
    disk.room(8 * MIB);
    const written = await disk.fill(1000);
    await disk.misconf();
    disk.room(SIZE);
    await disk.accepted();
    await pause(1500);
    await disk.reopen(true);
    return `MISCONF after ${written} writes, then accepted again`;
  },

  async snapshot(disk) {
    await disk.start();
    await disk.fill(40);
    must((await disk.save()) === 'ok', 'the first BGSAVE fails');
    const file = join(disk.folder, 'dump.rdb');
    const before = readFileSync(file);
    await disk.fill(200);
    disk.room(16 * MIB);
    must((await disk.save()) === 'err', 'a BGSAVE on a full disk succeeds');
    must(readFileSync(file).equals(before), 'the old snapshot is not as it was');
    await disk.misconf();
    disk.room(SIZE);
    must((await disk.save()) === 'ok', 'BGSAVE fails on a disk that has room again');
    await disk.accepted();
    await disk.reopen(false);
    return 'fails, the old one is intact; then succeeds';
  },

  async rewrite(disk) {
    await disk.start(...LOG, 'everysec');
    await disk.fill(150);
    disk.room(20 * MIB);
    must((await disk.rewrite()) === 'err', 'a rewrite on a full disk succeeds');
    disk.room(SIZE);
    must((await disk.rewrite()) === 'ok', 'a rewrite fails on a disk that has room again');
    await disk.accepted();
    await pause(1500);
    await disk.reopen(true);
    return 'fails, the log goes on; then succeeds';
  },
};

export async function fullDisk(seed: number): Promise<FullDiskReport> {
  const outcomes: Record<string, string> = {};
  let mounted = true;
  for (const [name, situation] of Object.entries(SITUATIONS)) {
    const tools = mkdtempSync(join(tmpdir(), 'cinnabar-full-'));
    const disk = new FullDisk(tools, seed);
    mounted &&= disk.mounted;
    try {
      outcomes[name] = await situation(disk);
    } catch (error) {
      throw new Error(`${name}, seed ${seed}: ${error}`);
    } finally {
      await disk.close();
      rmSync(tools, { recursive: true, force: true });
    }
  }
  return { disk: mounted ? 'a tmpfs of 64 MiB' : 'emulated: no tmpfs can be mounted here', outcomes };
}
