/**
 * Rounds with a cluster of real processes (suite 11), three masters and three replicas, ours or those of redis-server: in each
 * something fails and heals while writers go on, and slots are moved from one master to another meanwhile.
 *
 *   node ── from an address of its own ──> relay ──> bus of another        a relay knows who calls, and whom it lets through
 *
 *   kill        a master is killed, and started again when another has its slots
 *   stop        a master stands still for three node timeouts
 *   partition   a master's bus is cut off for as long, while clients still reach it
 *   calm        nothing but slots that are moved
 *
 * Each write makes a key of its own. What must hold, once all is well again: every slot has one owner, the same for all
 * nodes; epochs have only grown; no key lies on two masters; a master that is cut off takes no write after a node timeout
 * and a second; and every key that was acknowledged is there, but for what asynchronous replication loses with a master,
 * which is counted: redis-server in the same rounds tells how much that is. In calm rounds it is nothing.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { Cluster } from 'ioredis';
import { SeededRandom } from '../../src/base/random.ts';
import { clusterCli, type NodeKind } from '../support/clusters.ts';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';
import { ask } from '../support/sentinels.ts';
import { pause, until } from './harness.ts';
import { Member } from './member.ts';

const MASTERS = 3;
const NODES = 6;
const SLOTS = 16_384;
const NODE_TIMEOUT = 2000;
const MOVED = 60;
const WRITERS = 4;
const HEALING_PATIENCE = 60_000;
const BUS_DISTANCE = 10_000;
const EVENTS = ['kill', 'stop', 'partition', 'calm'] as const;

export interface ClusterReport {
  readonly rounds: Record<(typeof EVENTS)[number], number>;
  /** Times that 60 slots were moved, and that what failed meanwhile kept them from that. */
  moves: number;
  cutShort: number;
  acknowledged: number;
  /** Acknowledged keys that are not there, of rounds in which a master failed. */
  lost: number;
  /** Milliseconds from the cut to the last write that the master took. */
  latestWrite: number;
  readonly failures: string[];
}

/** In front of the bus of one node. */
class Gate {
  port = 0;
  private readonly target: number;
  private readonly calls = new Map<Socket, string>();
  private readonly server: Server;
  private readonly refuses: (address: string) => boolean;

  constructor(target: number, refuses: (address: string) => boolean) {
    this.target = target;
    this.refuses = refuses;
    this.server = createServer((socket) => this.accept(socket));
  }

  async start(): Promise<void> {
    this.port = await freePort();
    await new Promise<void>((done) => this.server.listen(this.port, '127.0.0.1', done));
  }

  private accept(caller: Socket): void {
    const from = caller.remoteAddress ?? '';
    const callee = this.refuses(from) ? null : dial({ port: this.target, host: '127.0.0.1', localAddress: from });
    caller.on('error', () => {});
    if (callee === null) {
      caller.destroy();
      return;
    }
    this.calls.set(caller, from);
    callee.on('error', () => {});
    caller.pipe(callee).pipe(caller);
    callee.on('close', () => caller.destroy());
    caller.on('close', () => {
      this.calls.delete(caller);
      callee.destroy();
    });
  }

  /** Ends the calls that would be refused now. */
  sift(): void {
    for (const [caller, from] of this.calls) if (this.refuses(from)) caller.destroy();
  }

  close(): void {
    for (const caller of this.calls.keys()) caller.destroy();
    this.server.close();
  }
}

interface Place {
  readonly member: Member;
  readonly gate: Gate;
  readonly address: string;
}

interface Known {
  readonly id: string;
  readonly port: number;
  readonly isMaster: boolean;
  readonly slots: readonly string[];
}

class Rounds {
  private readonly kind: NodeKind;
  private readonly random: SeededRandom;
  private readonly report: ClusterReport;
  private readonly places: Place[] = [];
  /** Whose bus nobody reaches, and who reaches nobody's. */
  private isolated = '';
  private readonly epochs = new Map<number, number>();
  private written: string[] = [];
  private serial = 0;
  private client: Cluster | null = null;

  constructor(kind: NodeKind, random: SeededRandom, report: ClusterReport) {
    this.kind = kind;
    this.random = random;
    this.report = report;
  }

  async start(): Promise<void> {
    for (let i = 0; i < NODES; i++) await this.add(`127.0.0.${11 + i}`);
    const [first, ...others] = this.places;
    for (const { member, gate } of others)
      await ask(first.member.port, 'CLUSTER', 'MEET', '127.0.0.1', String(member.port), String(gate.port));
    for (let i = 0; i < MASTERS; i++) {
      const [start, end] = [i, i + 1].map((n) => Math.floor((SLOTS * n) / MASTERS));
      await ask(this.places[i].member.port, 'CLUSTER', 'ADDSLOTSRANGE', String(start), String(end - 1));
    }
    for (const { member } of this.places)
      await until(async () => (await this.table(member.port)).length === NODES, 'all know all', 20_000);
    for (let i = MASTERS; i < NODES; i++) {
      const id = await ask(this.places[i - MASTERS].member.port, 'CLUSTER', 'MYID');
      await ask(this.places[i].member.port, 'CLUSTER', 'REPLICATE', String(id));
    }
    await this.healed();
    this.client = new Cluster([{ host: '127.0.0.1', port: first.member.port }], {
      clusterRetryStrategy: () => 100,
      slotsRefreshTimeout: 2000,
      redisOptions: { commandTimeout: 2000, maxRetriesPerRequest: 1 },
    });
    this.client.on('error', () => {});
  }

  private async add(address: string): Promise<void> {
    const port = await freePort();
    const cut = (from: string): boolean =>
      this.isolated !== '' && (from === this.isolated) !== (address === this.isolated);
    const gate = new Gate(port + BUS_DISTANCE, cut);
    await gate.start();
    const member = new Member(port, this.kind === 'redis' ? [oracle('redis-server')] : undefined);
    const settings = {
      port: String(port),
      save: '',
      appendonly: 'yes',
      'cluster-enabled': 'yes',
      'cluster-node-timeout': String(NODE_TIMEOUT),
      bind: '127.0.0.1',
      // An address such as 127.0.0.12 is not one of its own machine to Redis.
      'protected-mode': 'no',
      'cluster-announce-ip': '127.0.0.1',
      'cluster-announce-bus-port': String(gate.port),
      'bind-source-addr': address,
      'repl-diskless-sync-delay': '0',
    };
    await member.start(Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]));
    this.places.push({ member, gate, address });
  }

  private async table(port: number): Promise<Known[]> {
    const text = String(await ask(port, 'CLUSTER', 'NODES'));
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [id, address, flags, , , , , , ...slots] = line.split(' ');
        const isMaster = flags.includes('master') && !flags.includes('fail');
        return { id, port: Number(/:(\d+)@/.exec(address)?.[1]), isMaster, slots };
      });
  }

  /** Who owns which slots, as a node says. */
  private async owners(port: number): Promise<string> {
    const table = await this.table(port);
    const lines = table.filter(({ slots }) => slots.length > 0).map(({ id, slots }) => `${id} ${slots.join(' ')}`);
    return lines.sort().join('\n');
  }

  private async isWell(): Promise<boolean> {
    const said = new Set<string>();
    for (const { member } of this.places) {
      const text = String(await ask(member.port, 'CLUSTER', 'INFO'));
      if (!text.includes('cluster_state:ok') || !text.includes(`cluster_slots_ok:${SLOTS}`)) return false;
      const info = String(await ask(member.port, 'INFO', 'replication'));
      if (!info.includes('role:master') && !info.includes('master_link_status:up')) return false;
      said.add(await this.owners(member.port));
    }
    return said.size === 1 && !String([...said]).includes('[');
  }

  private async healed(): Promise<void> {
    await until(() => this.isWell().catch(() => false), 'all is well again', HEALING_PATIENCE);
  }

  private async cli(...words: string[]): Promise<void> {
    await clusterCli(words, 30_000);
  }

  async play(event: (typeof EVENTS)[number]): Promise<void> {
    this.report.rounds[event]++;
    const [victim, from, to] = this.shuffled(await this.masters());
    const place = this.places.find(({ member }) => member.port === victim.port)!;
    const writing = { on: true };
    const writers = Array.from({ length: WRITERS }, () => this.write(writing));
    const moved = this.move(from, to);
    await pause(300);
    await this.happen(event, place, victim);
    await moved;
    writing.on = false;
    await Promise.all(writers);
    if (!(await this.isWell().catch(() => false))) await this.cli('fix', `127.0.0.1:${from.port}`).catch(() => {});
    await this.healed();
    await this.check(event);
  }

  /** Those who serve slots. On a machine that is busy one may be held for down for a moment. */
  private async masters(): Promise<Known[]> {
    let found: Known[] = [];
    const all = async (): Promise<boolean> => {
      const table = await this.table(this.places[0].member.port);
      found = table.filter(({ isMaster, slots }) => isMaster && slots.length > 0);
      return found.length === MASTERS;
    };
    await until(all, 'all masters are there', HEALING_PATIENCE);
    return found;
  }

  private shuffled(masters: Known[]): Known[] {
    const left = [...masters];
    return Array.from({ length: masters.length }, () => left.splice(this.random.below(left.length), 1)[0]);
  }

  private async move(from: Known, to: Known): Promise<void> {
    const options = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', String(MOVED)];
    await this.cli('reshard', `127.0.0.1:${from.port}`, ...options)
      .then(() => this.report.moves++)
      // `fix` mends what was left in the middle.
      .catch(() => this.report.cutShort++);
  }

  /** Keys one after another, each of its own. */
  private async write(writing: { readonly on: boolean }): Promise<void> {
    while (writing.on) {
      const key = `key:${this.serial++}`;
      const well = await this.client!.set(key, key).then(
        () => true,
        () => false,
      );
      if (well) this.written.push(key);
      await pause(2);
    }
  }

  private async happen(event: (typeof EVENTS)[number], { member, address }: Place, victim: Known): Promise<void> {
    const replaced = async (): Promise<boolean> => {
      const { member: other } = this.places.find(({ member: each }) => each !== member)!;
      return (await this.table(other.port)).every(
        ({ id, isMaster, slots }) => id !== victim.id || !isMaster || slots.length === 0,
      );
    };
    if (event === 'kill') {
      await member.kill();
      await until(() => replaced().catch(() => false), 'another has its slots', HEALING_PATIENCE);
      await member.start();
    } else if (event === 'stop') {
      member.signal('SIGSTOP');
      await pause(3 * NODE_TIMEOUT);
      member.signal('SIGCONT');
    } else if (event === 'partition') {
      this.isolated = address;
      for (const { gate } of this.places) gate.sift();
      await this.watchWrites(member.port);
      this.isolated = '';
    } else await pause(1000);
  }

  /** Writes what its own slots take, for three node timeouts. */
  private async watchWrites(port: number): Promise<void> {
    const begin = performance.now();
    while (performance.now() - begin < 3 * NODE_TIMEOUT) {
      const taken = await ask(port, 'SET', `probe:${this.serial++}`, '1').catch(() => null);
      if (taken === 'OK')
        this.report.latestWrite = Math.max(this.report.latestWrite, Math.round(performance.now() - begin));
      await pause(20);
    }
  }

  private async check(event: (typeof EVENTS)[number]): Promise<void> {
    const { report } = this;
    for (const { member } of this.places) {
      const text = String(await ask(member.port, 'CLUSTER', 'INFO'));
      const epoch = Number(/cluster_current_epoch:(\d+)/.exec(text)?.[1]);
      if (epoch < (this.epochs.get(member.port) ?? 0))
        report.failures.push(`the epoch of ${member.port} has gone back`);
      this.epochs.set(member.port, epoch);
    }
    const seen = new Set<string>();
    for (const key of await this.keys()) {
      if (seen.has(key)) report.failures.push(`${key} lies on two masters after ${event}`);
      seen.add(key);
    }
    const missing = this.written.filter((key) => !seen.has(key));
    report.acknowledged += this.written.length;
    this.written = [];
    if (event === 'calm' && missing.length > 0)
      report.failures.push(`${missing.length} keys were lost by moving slots`);
    report.lost += missing.length;
    for (const { member } of this.places) await ask(member.port, 'FLUSHALL').catch(() => {});
  }

  /** Those of all masters; looked at again where others were masters before than after, as on a machine that is too busy. */
  private async keys(): Promise<string[]> {
    for (;;) {
      const before = await this.owners(this.places[0].member.port);
      const keys: string[] = [];
      for (const { port } of await this.masters()) keys.push(...((await ask(port, 'KEYS', '*')) as string[]));
      await this.healed();
      if ((await this.owners(this.places[0].member.port)) === before) return keys;
    }
  }

  logs(): string {
    return this.places.map(({ member }) => `-- ${member.port}\n${member.log.slice(-2500)}`).join('\n');
  }

  async stop(): Promise<void> {
    this.client?.disconnect();
    for (const { member, gate } of this.places) {
      gate.close();
      await member.remove();
    }
  }
}

/** So many rounds with nodes of one kind; those with one seed are the same for both. */
export async function clusterRounds(kind: NodeKind, count: number, seed: number): Promise<ClusterReport> {
  const rounds = { kill: 0, stop: 0, partition: 0, calm: 0 };
  const report: ClusterReport = {
    rounds,
    moves: 0,
    cutShort: 0,
    acknowledged: 0,
    lost: 0,
    latestWrite: 0,
    failures: [],
  };
  const player = new Rounds(kind, new SeededRandom(seed), report);
  try {
    await player.start();
    for (let i = 0; i < count && report.failures.length === 0; i++) await player.play(EVENTS[i % EVENTS.length]);
  } catch (error) {
    report.failures.push(`${error instanceof Error ? error.message : String(error)}\n${player.logs()}`);
  } finally {
    await player.stop();
  }
  if (report.latestWrite > NODE_TIMEOUT + 1000)
    report.failures.push(`a write was taken ${report.latestWrite} ms after the master was cut off`);
  return report;
}
