/**
 * Chaos with real processes: a master, a replica and a sub-replica of mixed kinds under load, of which one is killed and
 * started again, stopped for a while, or loses its links, over and over. At the end all have the same data.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../support/server-process.ts';
import { info, pause, Raw, until } from './harness.ts';

const BATCH = 100;
/** Milliseconds that three servers may take to agree once they are left alone. */
const PATIENCE = 60_000;
const OPTIONS = ['--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0', '--repl-timeout', '10'];

export interface ChaosReport {
  rounds: number;
  writes: number;
  kills: number;
  stops: number;
  cuts: number;
  readonly failures: string[];
}

type Kind = 'cinnabar' | 'redis';
const MIXES: readonly (readonly Kind[])[] = [
  ['cinnabar', 'redis', 'cinnabar'],
  ['redis', 'cinnabar', 'redis'],
  ['cinnabar', 'cinnabar', 'cinnabar'],
  ['redis', 'cinnabar', 'cinnabar'],
  ['cinnabar', 'redis', 'redis'],
];

class Chain {
  private readonly kinds: readonly Kind[];
  private readonly random: SeededRandom;
  private readonly report: ChaosReport;
  private readonly servers: ServerProcess[] = [];
  private writing = true;

  constructor(kinds: readonly Kind[], random: SeededRandom, report: ChaosReport) {
    this.kinds = kinds;
    this.random = random;
    this.report = report;
  }

  async start(): Promise<void> {
    for (let i = 0; i < this.kinds.length; i++) await this.startAt(i);
  }

  private async startAt(i: number): Promise<void> {
    const master = i === 0 ? [] : ['--replicaof', `127.0.0.1 ${this.servers[i - 1].port}`];
    const start = this.kinds[i] === 'redis' ? startRedis : startCinnabar;
    this.servers[i] = await start(...OPTIONS, ...master);
    if (i + 1 < this.servers.length) await this.ask(i + 1, 'REPLICAOF', '127.0.0.1', this.servers[i].port);
  }

  private async ask(i: number, ...words: readonly (string | number)[]): Promise<string> {
    const raw = new Raw(this.servers[i].port);
    try {
      return await raw.ask(...words);
    } finally {
      raw.destroy();
    }
  }

  /** Writes to the master, whichever process that is, until it is told to end. */
  async write(): Promise<void> {
    const { random } = this;
    let raw: Raw | null = null;
    while (this.writing) {
      if (raw === null || raw.closed) raw = new Raw(this.servers[0].port);
      for (let i = 0; i < BATCH; i++) this.writeOne(raw);
      raw.received = '';
      this.report.writes += BATCH;
      await pause(1 + random.below(10));
    }
    raw?.destroy();
  }

  private writeOne(raw: Raw): void {
    const { random } = this;
    const n = (most: number): number => random.below(most);
    const what = n(9);
    if (what === 0) raw.call('SET', `s${n(1000)}`, 'x'.repeat(n(2000)));
    else if (what === 1) raw.call('SET', `v${n(1000)}`, n(1e6), 'PX', 1 + n(2000));
    else if (what === 2) raw.call('INCR', `i${n(100)}`);
    else if (what === 3) raw.call('RPUSH', `l${n(50)}`, n(100));
    else if (what === 4) raw.call('LTRIM', `l${n(50)}`, 0, 100);
    else if (what === 5) raw.call('SADD', `t${n(50)}`, n(1000));
    else if (what === 6) raw.call('HSET', `h${n(50)}`, n(200), n(1000));
    else if (what === 7) raw.call('ZADD', `z${n(50)}`, n(1000), n(200));
    else raw.call('XADD', `x${n(10)}`, 'MAXLEN', 100, '*', 'f', n(100));
  }

  async harm(): Promise<void> {
    const { random, report, servers } = this;
    const i = random.below(servers.length);
    const what = random.below(3);
    if (what === 0) {
      report.kills++;
      process.kill(servers[i].pid, 'SIGKILL');
      await this.startAt(i);
    } else if (what === 1) {
      report.stops++;
      process.kill(servers[i].pid, 'SIGSTOP');
      await pause(random.below(3000));
      process.kill(servers[i].pid, 'SIGCONT');
    } else {
      report.cuts++;
      await this.ask(i, 'CLIENT', 'KILL', 'TYPE', random.below(2) === 0 ? 'replica' : 'master');
    }
    await pause(random.below(1000));
  }

  /** No more is written: all must agree. */
  async settle(): Promise<void> {
    this.writing = false;
    let digests: string[] = [];
    const agree = async (): Promise<boolean> => {
      digests = [];
      for (let i = 0; i < this.servers.length; i++) {
        const raw = new Raw(this.servers[i].port);
        const up = i === 0 || (await info(raw, 'master_link_status')) === 'up';
        digests.push(up ? await raw.ask('DEBUG', 'DIGEST') : `${i} is down`);
        raw.destroy();
      }
      return new Set(digests).size === 1;
    };
    await until(agree, 'all have the same data', PATIENCE).catch((error) => {
      throw new Error(`${this.kinds.join(' > ')}: ${String(error)}: ${digests.map((each) => each.trim()).join(' / ')}`);
    });
  }

  async stop(): Promise<void> {
    this.writing = false;
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** Chains of one mix after the other, each under load for about `each` seconds, for `seconds` in all. */
export async function replicationChaos(seconds: number, seed: number, each = 20): Promise<ChaosReport> {
  const random = new SeededRandom(seed);
  const report: ChaosReport = { rounds: 0, writes: 0, kills: 0, stops: 0, cuts: 0, failures: [] };
  const end = Date.now() + seconds * 1000;
  do {
    const chain = new Chain(MIXES[report.rounds++ % MIXES.length], random, report);
    try {
      await chain.start();
      const written = chain.write();
      const until = Math.min(end, Date.now() + each * 1000);
      do await chain.harm();
      while (Date.now() < until);
      await chain.settle();
      await written;
    } catch (error) {
      report.failures.push(String(error));
    } finally {
      await chain.stop();
    }
  } while (Date.now() < end);
  return report;
}
