/**
 * kill -9: eight clients write numbered units, transactions and scripts among them, and keep count of what was acknowledged;
 * the server is killed at a random instant, half of the time while it rewrites its log or saves a snapshot; it is started
 * again on its folder and must hold what was acknowledged, and nothing by half. With everysec, what was acknowledged more
 * than 2 s before; there the disk's sync is made slow, up to 1.5 s, since only that holds a write back.
 *
 * The kernel outlives the server, so this proves nothing about syncs: power.ts does.
 *
 * Planted bug: a log that now and then leaves what it has to the next turn, after the reply: one acknowledged unit lost in the eighth
 * cycle of seed 1.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { pause } from '../reliability/harness.ts';
import { preload } from './preload.ts';
import { DurableServer } from './server.ts';
import { questionsFor, unit, unitsHeld } from './units.ts';

export interface KillReport {
  readonly policy: string;
  cycles: number;
  acknowledged: number;
  /** Units that were acknowledged, long enough ago, and are gone. */
  lost: number;
  failedStarts: number;
  /** Units of which only a part is there, or that are there without those before them. */
  broken: number;
  duringRewrite: number;
  duringSave: number;
  /** The longest time before the kill from which something was lost. */
  mostMillisecondsLost: number;
  readonly failures: string[];
}

interface Acknowledgement {
  readonly n: number;
  readonly at: number;
}

const CLIENTS = 8;
const BATCH = 4;
/** With everysec clients write far more in a cycle. */
const CYCLES_PER_FOLDER = { always: 25, everysec: 8 };
const GRACE = { always: 0, everysec: 2000 };
/** Microseconds that a key takes in a snapshot, so that there is time to be killed in one. */
const KEY_DELAY = 1500;
const QUESTIONS = questionsFor(CLIENTS);

type Policy = keyof typeof GRACE;

class Cycles {
  readonly report: KillReport;
  private readonly policy: Policy;
  private readonly random: Random;
  private readonly folder: string;
  private readonly tools: string;
  /** By client: the last unit that the server is known to hold, and what was acknowledged in this cycle. */
  private held: number[] = [];
  private acknowledged: Acknowledgement[][] = [];

  constructor(policy: Policy, random: Random, tools: string) {
    this.policy = policy;
    this.random = random;
    this.tools = tools;
    this.folder = join(tools, 'data');
    this.report = {
      policy,
      cycles: 0,
      acknowledged: 0,
      lost: 0,
      failedStarts: 0,
      broken: 0,
      duringRewrite: 0,
      duringSave: 0,
      mostMillisecondsLost: 0,
      failures: [],
    };
  }

  private async start(): Promise<DurableServer | null> {
    const { policy, random, folder, tools } = this;
    const faults = join(tools, 'faults');
    const slow = policy === 'everysec' && random.below(2) === 0;
    writeFileSync(faults, slow ? JSON.stringify([{ op: 'fdatasync', path: 'incr', delay: random.below(1500) }]) : '');
    const options = [
      '--save',
      '',
      '--appendonly',
      'yes',
      '--appendfsync',
      policy,
      '--auto-aof-rewrite-percentage',
      '0',
    ];
    const preamble = random.below(3) === 0 ? 'no' : 'yes';
    options.push('--rdb-key-save-delay', String(KEY_DELAY), '--aof-use-rdb-preamble', preamble);
    const env: Record<string, string> =
      policy === 'everysec' ? { NODE_OPTIONS: preload(tools, 'interpose'), CINNABAR_FAULTS: faults } : {};
    try {
      return await DurableServer.start(folder, { options, env });
    } catch (error) {
      this.report.failedStarts++;
      this.fail(String(error));
      return null;
    }
  }

  private fail(what: string): void {
    if (this.report.failures.length < 10) this.report.failures.push(`cycle ${this.report.cycles}: ${what}`);
  }

  /** A folder of its own, as many cycles as it is good for; each ends with a kill and a look at what is left. */
  async play(cycles: number): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
    this.held = new Array(CLIENTS).fill(0);
    let server = await this.start();
    for (let i = 0; i < cycles && server !== null; i++) {
      const killed = await this.writeAndKill(server);
      this.report.cycles++;
      server = await this.start();
      if (server !== null && !(await this.compare(server, killed))) break;
    }
    await server?.kill();
  }

  private async writeAndKill(server: DurableServer): Promise<number> {
    const { random, report, policy } = this;
    const control = server.connect();
    const longest = policy === 'always' ? 250 : 3000;
    const life = 5 + random.below(longest);
    const what = [null, null, 'BGREWRITEAOF', 'BGSAVE'][random.below(4)];
    if (what !== null) setTimeout(() => control.post([what]), random.below(life));
    this.acknowledged = this.held.map(() => []);
    const writing = this.held.map((_, client) => this.write(server, client));
    await pause(life);
    const busy =
      server.output.lastIndexOf('started by pid') > Math.max(server.output.lastIndexOf('terminated with success'), 0);
    if (busy && what === 'BGREWRITEAOF') report.duringRewrite++;
    if (busy && what === 'BGSAVE') report.duringSave++;
    const at = performance.now();
    await server.kill();
    control.close();
    await Promise.all(writing);
    return at;
  }

  /** Writes units until the connection is gone. */
  private async write(server: DurableServer, client: number): Promise<void> {
    const pipeline = server.connect();
    const random = new SeededRandom(client, this.report.cycles);
    for (let n = this.held[client] + 1; server.running; ) {
      const batch = Array.from({ length: 1 + random.below(BATCH) }, (_, i) => unit(client, n + i));
      const replies = pipeline.send(batch.flat());
      const first = await Promise.race([replies, server.ended.then(() => null)]);
      if (first === null || first.some((reply) => reply instanceof Error)) break;
      n += batch.length;
      this.acknowledged[client].push({ n: n - 1, at: performance.now() });
    }
    pipeline.close();
  }

  /** Whether the server holds what it should; if so, the next cycle goes on from there. */
  private async compare(server: DurableServer, killed: number): Promise<boolean> {
    const { report } = this;
    const pipeline = server.connect();
    const held = unitsHeld(await pipeline.send(QUESTIONS));
    pipeline.close();
    if (typeof held === 'string') {
      report.broken++;
      this.fail(held);
      return false;
    }
    const deadline = killed - GRACE[this.policy];
    this.acknowledged.forEach((list, client) => {
      report.acknowledged += (list.at(-1)?.n ?? this.held[client]) - this.held[client];
      const missing = list.filter(({ n }) => n > held[client]);
      if (missing.length === 0) return;
      report.mostMillisecondsLost = Math.max(report.mostMillisecondsLost, killed - missing[0].at);
      const promised = missing.filter(({ at }) => at <= deadline).at(-1)?.n ?? held[client];
      report.lost += promised - held[client];
      if (promised > held[client]) this.fail(`client ${client} has ${held[client]} of ${promised} acknowledged`);
    });
    this.held = held;
    return true;
  }
}

/** `cycles` kills of a server with this `appendfsync`. */
export async function kill9(policy: Policy, cycles: number, seed: number): Promise<KillReport> {
  const tools = mkdtempSync(join(tmpdir(), 'cinnabar-kill9-'));
  const all = new Cycles(policy, new SeededRandom(seed), tools);
  try {
    while (all.report.cycles < cycles && all.report.failures.length === 0)
      await all.play(Math.min(CYCLES_PER_FOLDER[policy], cycles - all.report.cycles));
  } finally {
    rmSync(tools, { recursive: true, force: true });
  }
  return all.report;
}
