/**
 * Disk faults: at each place where persistence touches the disk, in the main thread and in the worker, an operation fails
 * (EIO, ENOSPC, EDQUOT, EROFS, EMFILE), is interrupted (EINTR) or takes only a part (interpose.ts does it). What must hold:
 *
 *   always       a write that could not be written and synced is never acknowledged: the server exits
 *   everysec     writes are refused with MISCONF while it lasts, reads are served; it recovers by itself
 *   snapshots    a save that fails is reported, the old snapshot is as it was; a later one succeeds
 *   rewrites     the log that there is goes on, nothing that was acknowledged is lost; a later one succeeds
 *   EINTR, a part    nobody notices
 *
 * After each case the server is killed and one is started on what is left: every acknowledged unit must be there. A case
 * follows from the seed and its number.
 *
 * Planted bug: a server with always that does not exit after a write that failed: "it goes on after a fault" at case 8 of seed 1.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { atOnce, pause } from '../reliability/harness.ts';
import type { Answer, Pipeline } from '../support/pipeline.ts';
import type { FaultRule } from './interpose.ts';
import { Loader } from './loader.ts';
import { parseOperations } from './power-model.ts';
import { preload } from './preload.ts';
import { DurableServer, field } from './server.ts';
import { questionsFor, shortfall, unit } from './units.ts';

type Action = 'write' | 'SAVE' | 'BGSAVE' | 'BGREWRITEAOF' | 'turn on';
type Policy = 'always' | 'everysec';

interface Case {
  readonly action: Action;
  readonly policy: Policy;
  readonly rules: readonly FaultRule[];
  /** Whether the fault is one that is overcome where it happens. */
  readonly harmless: boolean;
}

export interface FaultReport {
  cases: number;
  /** Cases in which the place was reached: only these count. */
  hit: number;
  exits: number;
  misconf: number;
  failedSaves: number;
  readonly failures: string[];
}

const LANES = 3;
const CLIENTS = 3;
const WARM_UNITS = 30;
const FAULT_MILLISECONDS = 3500;
const RECOVERY_MILLISECONDS = 12_000;
const QUESTIONS = questionsFor(CLIENTS);

/** Where an action touches the disk: what it does there, and a part of the path. */
const SITES: Readonly<Record<Action, readonly (readonly [op: string, path: string])[]>> = {
  write: [
    ['write', '.incr.aof'],
    ['fdatasync', '.incr.aof'],
    ['ftruncate', '.incr.aof'],
  ],
  SAVE: [
    ['open', 'temp-'],
    ['write', 'temp-'],
    ['fsync', 'temp-'],
    ['fdatasync', 'temp-'],
    ['rename', 'dump.rdb'],
    ['fsync', 'data'],
    ['openRead', 'data'],
  ],
  BGSAVE: [
    ['open', 'temp-'],
    ['write', 'temp-'],
    ['fsync', 'temp-'],
    ['rename', 'dump.rdb'],
    ['fsync', 'data'],
    ['openRead', 'data'],
  ],
  BGREWRITEAOF: [
    ['open', 'temp-rewrite'],
    ['write', 'temp-rewrite'],
    ['fsync', 'temp-rewrite'],
    ['rename', 'base'],
    ['open', 'incr'],
    ['open', 'manifest'],
    ['write', 'manifest'],
    ['fsync', 'manifest'],
    ['rename', 'manifest'],
    ['openRead', 'appendonlydir'],
    ['fsync', 'appendonlydir'],
    ['fdatasync', 'incr'],
    ['unlink', 'aof'],
  ],
  'turn on': [
    ['open', 'temp-'],
    ['write', 'temp-'],
    ['fsync', 'temp-'],
    ['rename', 'base'],
    ['open', 'incr'],
    ['write', 'incr'],
    ['write', 'manifest'],
    ['fsync', 'manifest'],
    ['rename', 'manifest'],
    ['rename', 'incr'],
    ['mkdir', 'appendonlydir'],
    ['fsync', 'appendonlydir'],
  ],
};

const ERRORS = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'];
const ACTIONS: readonly Action[] = ['write', 'write', 'SAVE', 'BGSAVE', 'BGREWRITEAOF', 'BGREWRITEAOF', 'turn on'];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)];
}

function caseOf(random: Random): Case {
  const action = pick(random, ACTIONS);
  const policy = pick(random, ['always', 'everysec'] as const);
  const [op, path] = pick(random, SITES[action]);
  const after = random.below(3);
  const way = random.below(6);
  const common = { action, policy };
  if (op === 'ftruncate') {
    // Only a part is taken, then nothing, and what was taken can't be taken back.
    const error = pick(random, ERRORS);
    const rules = [
      { op: 'write', path, after, count: 1, short: 1 + random.below(30) },
      { op: 'write', path, after, error },
      { op, path, error },
    ];
    return { ...common, rules, harmless: false };
  }
  if (way === 0)
    return { ...common, rules: [{ op, path, after, count: 1 + random.below(3), error: 'EINTR' }], harmless: true };
  if (way === 1 && op === 'write')
    return {
      ...common,
      rules: [{ op, path, after, count: 1 + random.below(3), short: 1 + random.below(50) }],
      harmless: true,
    };
  const error = op.startsWith('open') && random.below(3) === 0 ? 'EMFILE' : pick(random, ERRORS);
  return { ...common, rules: [{ op, path, after: action === 'write' ? after : 0, error }], harmless: false };
}

class FaultCase {
  private readonly folder: string;
  private readonly tools: string;
  private readonly what: Case;
  private readonly report: FaultReport;
  private server!: DurableServer;
  private control!: Pipeline;
  private clients: Pipeline[] = [];
  private readonly acknowledged: number[] = new Array(CLIENTS).fill(0);
  private readonly issued: number[] = new Array(CLIENTS).fill(0);
  private misconf = false;
  /** What was acknowledged when the first snapshot was saved; what the log is good for, once it is on. */
  private saved: readonly number[] = [];
  private on = false;
  private before: string | null = null;

  constructor(tools: string, what: Case, report: FaultReport) {
    this.tools = tools;
    this.folder = join(tools, 'data');
    this.what = what;
    this.report = report;
  }

  /** What went wrong, if anything. */
  async run(loader: Loader): Promise<string | null> {
    const { tools, what } = this;
    this.rules([]);
    rmSync(join(tools, 'operations'), { force: true });
    const { appendonly, options } = optionsOf(what);
    const env = {
      NODE_OPTIONS: preload(tools, 'interpose'),
      CINNABAR_FAULTS: join(tools, 'faults'),
      CINNABAR_OPS: join(tools, 'operations'),
    };
    this.server = await DurableServer.start(this.folder, { options, env });
    this.control = this.server.connect();
    this.clients = this.acknowledged.map(() => this.server.connect());
    try {
      for (let i = 0; i < WARM_UNITS; i++) await this.one(i % CLIENTS);
      if (!appendonly && (await this.control.call('SAVE')) !== 'OK') return 'the first SAVE failed';
      this.saved = [...this.acknowledged];
      this.before = this.dump();
      this.on = appendonly;
      const wrong = await this.suffer();
      if (wrong !== null) return wrong;
      if (this.server.running) {
        const recovered = await this.recover();
        if (recovered !== null) return recovered;
      }
    } finally {
      await this.server.kill();
      for (const client of [...this.clients, this.control]) client.close();
    }
    return this.reopen(loader);
  }

  private rules(rules: readonly FaultRule[]): void {
    writeFileSync(join(this.tools, 'faults'), JSON.stringify(rules));
  }

  private get hits(): { readonly what?: string; readonly path?: string }[] {
    const file = join(this.tools, 'operations');
    return existsSync(file) ? parseOperations(readFileSync(file)).filter(({ op }) => op === 'fault') : [];
  }

  /** Writes a client's next unit; false where it was refused or the server is gone. */
  private async one(client: number): Promise<boolean> {
    const n = this.acknowledged[client] + 1;
    this.issued[client] = n;
    const replies = await Promise.race([
      this.clients[client].send(unit(client, n)),
      this.server.ended.then(() => null),
    ]);
    if (replies === null) return false;
    const error = replies.flat().find((reply): reply is Error => reply instanceof Error);
    if (error === undefined) {
      this.acknowledged[client] = n;
      return true;
    }
    if (error.message.startsWith('MISCONF')) this.misconf = true;
    return false;
  }

  private async act(): Promise<Answer> {
    const { action } = this.what;
    if (action === 'write') return null;
    const command = action === 'turn on' ? ['CONFIG', 'SET', 'appendonly', 'yes'] : [action];
    return Promise.race([this.control.call(...command), this.server.ended.then(() => null)]);
  }

  /** Acts under the fault; whether what comes of it is what must. */
  private async suffer(): Promise<string | null> {
    const { what, report, server } = this;
    this.rules(what.rules);
    const reply = await this.act();
    const deadline = Date.now() + (what.action === 'write' && !what.harmless ? FAULT_MILLISECONDS : 1200);
    for (let client = 0; Date.now() < deadline && server.running; client = (client + 1) % CLIENTS) {
      await this.one(client);
      if (this.misconf && what.action === 'write') break;
      await pause(5);
    }
    const { hits } = this;
    if (hits.length === 0) return null;
    report.hit++;
    if (!server.running) return this.judgeExit(hits);
    const read = await this.control.call('LLEN', 'log:0');
    if (typeof read !== 'number') return `reads are not served: ${read}`;
    if (this.misconf) report.misconf++;
    if (what.harmless) return this.misconf || reply instanceof Error ? `a harmless fault was noticed: ${reply}` : null;
    if (what.action !== 'write') return null;
    if (what.policy === 'always') return 'always: it goes on after a fault';
    return this.misconf ? null : 'everysec: no MISCONF';
  }

  private async judgeExit(hits: readonly { what?: string; path?: string }[]): Promise<string | null> {
    const { code } = await this.server.ended;
    const { what, server } = this;
    const allowed =
      what.policy === 'always' &&
      !what.harmless &&
      hits.some(({ path }) => path?.includes('incr') || path?.includes('appendonlydir'));
    const said = server.output.split('\n').slice(-6).join(' | ');
    if (!allowed) return `exited: ${said}`;
    if (code !== 1 || !said.includes('xiting')) return `exited with ${code}: ${said}`;
    this.report.exits++;
    return null;
  }

  /** Without the fault everything works again, by itself or by being told again. */
  private async recover(): Promise<string | null> {
    const { what, control } = this;
    const dumped = this.dump();
    if (what.action === 'SAVE' || what.action === 'BGSAVE') this.report.failedSaves++;
    this.rules([]);
    // Once the new one is in its place, only the sync of the folder may still fail.
    const replaced = what.rules.some(({ path }) => path === 'data') || what.harmless;
    if (dumped !== this.before && !replaced) return 'the old snapshot is not as it was';
    const deadline = Date.now() + RECOVERY_MILLISECONDS;
    const wrong = (await this.actAgain(deadline)) ?? (await this.writesAgain(deadline));
    // What is pending is synced or saved before the kill, so that all that was acknowledged must be there.
    if (wrong === null && what.policy === 'everysec') await pause(1200);
    if (wrong === null && (what.action === 'SAVE' || what.action === 'BGSAVE')) {
      const left = readdirSync(this.folder).filter((name) => name.startsWith('temp-'));
      if (left.length > 0) return `left behind: ${left}`;
      if ((await control.call('SAVE')) !== 'OK') return 'SAVE fails after the fault has gone';
      this.saved = [...this.acknowledged];
    }
    return wrong;
  }

  private async writesAgain(deadline: number): Promise<string | null> {
    for (let written = 0; written < CLIENTS; ) {
      written = (await this.one(written)) ? written + 1 : 0;
      if (Date.now() > deadline) return 'writes are still refused after the fault has gone';
      if (written === 0) await pause(50);
    }
    return null;
  }

  private dump(): string | null {
    if (this.what.action !== 'SAVE' && this.what.action !== 'BGSAVE') return null;
    const file = join(this.folder, 'dump.rdb');
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  private async actAgain(deadline: number): Promise<string | null> {
    const { what, control } = this;
    if (what.action === 'write') return null;
    const fields =
      what.action === 'BGREWRITEAOF' || what.action === 'turn on'
        ? ['aof_rewrite_in_progress', 'aof_rewrite_scheduled', 'aof_last_bgrewrite_status']
        : ['rdb_bgsave_in_progress', 'rdb_bgsave_in_progress', 'rdb_last_bgsave_status'];
    // After three failures the log is turned on again in a minute only, as with Redis; or when told anew.
    if (what.action === 'turn on') await control.call('CONFIG', 'SET', 'appendonly', 'no');
    for (;;) {
      const idle = (await field(control, fields[0])) === '0' && (await field(control, fields[1])) === '0';
      if (idle) {
        const reply = await this.act();
        const refused = reply instanceof Error;
        await pause(100);
        while (!refused && (await field(control, fields[0])) === '1') await pause(20);
        const on = what.action !== 'turn on' || (await field(control, 'aof_enabled')) === '1';
        if (!refused && on && (await field(control, fields[2])) === 'ok') {
          this.on ||= what.action === 'turn on';
          return null;
        }
      }
      if (Date.now() > deadline + RECOVERY_MILLISECONDS) return `${what.action} still fails after the fault has gone`;
      await pause(100);
    }
  }

  /** Starts a server on what is left: from its log if that was on, else from its snapshot. */
  private async reopen(loader: Loader): Promise<string | null> {
    const settings = { dir: this.folder, appendonly: this.on ? 'yes' : 'no' };
    const result = await loader.load({ settings, ask: QUESTIONS });
    if (!result.started) return `does not start again: ${result.log.slice(-3).join(' | ')}`;
    return shortfall(result.replies, this.on ? this.acknowledged : this.saved, this.issued);
  }
}

function optionsOf({ action, policy }: Case): { appendonly: boolean; options: string[] } {
  const appendonly = action === 'write' || action === 'BGREWRITEAOF';
  const options = [
    '--appendonly',
    appendonly ? 'yes' : 'no',
    '--appendfsync',
    policy,
    '--auto-aof-rewrite-percentage',
    '0',
  ];
  // Save points that are never due: with them a failed snapshot stops the writes.
  return { appendonly, options: [...options, '--save', action.endsWith('SAVE') ? '100000 100000' : ''] };
}

/** Plays cases until `count` of them have reached their place. */
export async function diskFaults(count: number, seed: number, from = 0): Promise<FaultReport> {
  const report: FaultReport = { cases: 0, hit: 0, exits: 0, misconf: 0, failedSaves: 0, failures: [] };
  const loaders = Array.from({ length: LANES }, () => new Loader());
  const idle = [...loaders];
  try {
    await atOnce(count * 3, LANES, async (i) => {
      if (report.hit >= count) return;
      const at = from + i;
      const what = caseOf(new SeededRandom(seed, at));
      const tools = mkdtempSync(join(tmpdir(), 'cinnabar-faults-'));
      const loader = idle.pop()!;
      report.cases++;
      const wrong = await new FaultCase(tools, what, report).run(loader).catch((error) => String(error));
      idle.push(loader);
      rmSync(tools, { recursive: true, force: true });
      if (wrong !== null && report.failures.length < 20)
        report.failures.push(`case ${at} (${JSON.stringify(what)}): ${wrong}`);
    });
  } finally {
    for (const loader of loaders) loader.close();
  }
  return report;
}
