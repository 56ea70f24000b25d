/**
 * The rules of the cluster alone: 3 or 5 masters with a replica each in a network that comes apart, with processes that are
 * killed and stand still, disks that are slow or full, and failovers that are asked for, all from one seed. It must hold that
 *
 *   - who has voted in an epoch never tells of another vote in it, whatever restarts lie between;
 *   - no slot is claimed by two masters with one config epoch (two shards may come to have the same one, where a master and
 *     its successor, who have not heard of each other, both vote: that collision is resolved);
 *   - what a node tells of epochs, and what it keeps, only grows;
 *   - once all is healed, every slot is served, and everybody knows by whom; and slots can be moved.
 *
 * `course` answers what was broken, '' for nothing. That it would find something is shown by a bug that can be planted: a
 * node that tells its vote before it is on the disk (`--bug`).
 */
import { SeededRandom } from '../../src/base/random.ts';
import type { Header, Packet } from '../../src/cluster/bus/packet.ts';
import type { ClusterSettings, Output } from '../../src/cluster/messages.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { newNode } from '../../src/cluster/rules/saved.ts';
import { SLOTS } from '../../src/cluster/slots.ts';
import { verify } from '../../src/cluster/state.ts';
import { BUS_PORT, ClusterProcess, PORT, type Surroundings } from './cluster-process.ts';
import { Network } from './network.ts';
import { Timeline } from './timeline.ts';

const NODE_TIMEOUT = 1000;
const SETTINGS: ClusterSettings = {
  nodeTimeout: NODE_TIMEOUT,
  replicaValidityFactor: 10,
  replPingPeriod: 1000,
  migrationBarrier: 1,
  allowReplicaMigration: true,
  requireFullCoverage: true,
  replicaNoFailover: false,
  announceIp: '',
  port: PORT,
  plainPort: 0,
  busPort: BUS_PORT,
  hostname: '',
};
/** Milliseconds of trouble, and within which everybody has to agree when it is over. */
const TROUBLE = 20_000;
const PATIENCE = 60_000;
export const MOST_FAULTS = 40;
/** Slots that are moved when all is well. */
const MOVED = 3;

export type Bug = 'none' | 'votes are told early';

export interface Course {
  readonly broken: string;
  readonly trace: readonly string[];
  /** Virtual milliseconds that it lasted. */
  readonly lasted: number;
  readonly failovers: number;
  /** Votes that were told. */
  readonly votes: number;
}

export interface CourseOptions {
  /** How many things go wrong at most. */
  readonly faults?: number;
  readonly bug?: Bug;
  readonly traced?: boolean;
}

class Broken extends Error {}

export function course(seed: number, options: CourseOptions = {}): Course {
  const world = new ClusterWorld(seed, options);
  let broken = '';
  try {
    world.build();
    world.trouble(options.faults ?? MOST_FAULTS);
    world.heal();
    world.moveSlots();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    broken = error instanceof Broken ? error.message : (error.stack ?? error.message);
  }
  return { broken, trace: world.trace, lasted: world.timeline.now, failovers: world.failovers, votes: world.votesTold };
}

/** The epochs that somebody has told, or kept. */
interface Epochs {
  readonly currentEpoch: number;
  readonly other: number;
}

class ClusterWorld implements Surroundings {
  readonly timeline = new Timeline();
  readonly random: SeededRandom;
  readonly network: Network;
  readonly settings = SETTINGS;
  readonly tellsVotesEarly: boolean;
  readonly trace: string[] = [];
  failovers = 0;
  votesTold = 0;
  private troubled = false;
  private readonly traced: boolean;
  private readonly masters: number;
  private readonly processes: ClusterProcess[] = [];
  private readonly byIp = new Map<string, ClusterProcess>();
  /** By voter and epoch: for whom. By config epoch and master: what it claims. */
  private readonly votes = new Map<string, string>();
  private readonly claims = new Map<number, Map<string, Uint8Array>>();
  private readonly told = new Map<string, Epochs>();
  private readonly kept = new Map<string, Epochs>();

  constructor(seed: number, { bug, traced }: CourseOptions) {
    this.random = new SeededRandom(seed);
    this.network = new Network(this.timeline, this.random);
    this.tellsVotesEarly = bug === 'votes are told early';
    this.traced = traced === true;
    this.masters = this.random.below(3) === 0 ? 5 : 3;
    for (let i = 0; i < 2 * this.masters; i++) {
      const process = new ClusterProcess(this, i, new SeededRandom(this.random.bits32(), i), newNode(this.newId()));
      this.processes.push(process);
      this.byIp.set(process.name, process);
    }
    for (const process of this.processes) process.start();
    this.replicate();
  }

  process(ip: string): ClusterProcess {
    const process = this.byIp.get(ip);
    if (process === undefined) throw new Broken(`somebody looks for '${ip}'`);
    return process;
  }

  newId(): string {
    return Array.from({ length: 5 }, () => this.random.bits32().toString(16).padStart(8, '0')).join('');
  }

  private note(line: string): void {
    if (this.traced) this.trace.push(`${this.timeline.now.toFixed(1)} ${line}`);
  }

  private replicate(): void {
    for (const process of this.processes) process.replicate();
    this.timeline.after(100, () => this.replicate());
  }

  // A cluster as an administrator makes it.

  build(): void {
    const { processes, masters } = this;
    const [first] = processes;
    for (let i = 0; i < masters; i++) {
      const start = Math.floor((SLOTS * i) / masters);
      const end = Math.floor((SLOTS * (i + 1)) / masters) - 1;
      processes[i].command({ name: 'addslots', ranges: [{ start, end }] });
      processes[i].command({ name: 'set-config-epoch', epoch: i + 1 });
    }
    for (const { name } of processes.slice(1))
      first.command({ name: 'meet', ip: name, port: String(PORT), busPort: null });
    this.await('everybody knows everybody', () => {
      const stranger = processes.find(({ cluster }) => cluster.state.nodes.size !== processes.length);
      return stranger === undefined ? '' : `${stranger.name} knows ${stranger.cluster.state.nodes.size}`;
    });
    processes.slice(masters).forEach((replica, i) => {
      replica.command({ name: 'replicate', node: processes[i].cluster.state.myself.id });
    });
    this.await('the cluster is up', () => this.disagreement());
  }

  /** Lets time pass until nothing differs any more. */
  private await(what: string, difference: () => string): void {
    const end = this.timeline.now + PATIENCE;
    for (let differs = difference(); differs !== ''; differs = difference()) {
      if (this.timeline.now > end) throw new Broken(`it does not come to it that ${what}: ${differs}`);
      this.timeline.run(500);
    }
    this.note(what);
  }

  // What goes wrong.

  trouble(faults: number): void {
    this.troubled = true;
    for (const process of this.processes) process.diskDelay = this.diskDelay();
    const end = this.timeline.now + TROUBLE;
    for (let i = 0; i < faults && this.timeline.now < end; i++) {
      this.goWrong();
      this.timeline.run(this.random.below(4) === 0 ? this.random.below(4000) : this.random.below(600));
    }
  }

  private goWrong(): void {
    const { random, processes } = this;
    const process = processes[random.below(processes.length)];
    const wrongs = [
      () => this.split(processes.filter(() => random.below(2) === 0)),
      () => this.split([process]),
      () => this.split([]),
      () => this.stop(process),
      () => this.stop(this.someMaster() ?? process),
      () => this.stop(this.someMaster() ?? process),
      () => this.crash(process),
      () => this.freeze(process),
      () => this.changeDisk(process),
      () => this.failOver(process),
    ];
    wrongs[random.below(wrongs.length)]();
  }

  private someMaster(): ClusterProcess | undefined {
    const masters = this.processes.filter(({ up, cluster }) => up && cluster.state.myself.slots.size > 0);
    return masters[this.random.below(masters.length)];
  }

  private split(part: readonly ClusterProcess[]): void {
    this.note(part.length === 0 ? 'the network is whole' : `${part.map(({ name }) => name).join(' ')} are cut off`);
    this.network.split(this.processes, new Set(part));
  }

  /** Kills what is up, and starts what is not. */
  private stop(process: ClusterProcess): void {
    this.note(`${process.name} ${process.up ? 'is killed' : 'starts'}`);
    if (process.up) process.kill();
    else process.start();
  }

  /** Kills a node, which is started again soon. */
  private crash(process: ClusterProcess): void {
    if (!process.up) return;
    this.stop(process);
    this.timeline.after(50 + this.random.below(500), () => {
      if (!process.up) this.stop(process);
    });
  }

  private freeze(process: ClusterProcess): void {
    process.frozen = !process.frozen;
    this.note(`${process.name} ${process.frozen ? 'stands still' : 'goes on'}`);
  }

  private changeDisk(process: ClusterProcess): void {
    process.diskDelay = this.diskDelay();
    process.diskFails = this.random.below(3) === 0;
    this.note(`${process.name} writes in ${process.diskDelay} ms${process.diskFails ? ', and fails' : ''}`);
  }

  private diskDelay(): number {
    return [3, 100, 1500][this.random.below(3)];
  }

  private failOver(process: ClusterProcess): void {
    const form = this.random.below(2) === 0 ? 'agreed' : 'force';
    this.note(`${process.name} is to take over: ${form}`);
    if (!process.frozen) process.command({ name: 'failover', form });
  }

  heal(): void {
    this.troubled = false;
    this.note('all is healed');
    this.split([]);
    for (const process of this.processes) {
      process.frozen = false;
      process.diskDelay = 3;
      process.diskFails = false;
      if (!process.up) process.start();
    }
    this.await('all is served again', () => this.disagreement());
  }

  /** As redis-cli moves them: both sides are told, and the others hear of it. */
  moveSlots(): void {
    for (let i = 0; i < MOVED; i++) {
      const slot = this.random.below(SLOTS);
      const from = this.processes.find(({ cluster }) => cluster.state.myself.slots.has(slot))!;
      const others = this.processes.filter((each) => each !== from && each.cluster.state.myself.slots.size > 0);
      const to = others[this.random.below(others.length)];
      const [fromId, toId] = [from.cluster.state.myself.id, to.cluster.state.myself.id];
      to.command({ name: 'setslot', slot, action: { kind: 'importing', node: fromId } });
      from.command({ name: 'setslot', slot, action: { kind: 'migrating', node: toId } });
      for (const each of [to, from]) each.command({ name: 'setslot', slot, action: { kind: 'node', node: toId } });
      this.await(
        `slot ${slot} is moved`,
        () => this.disagreement() || (to.cluster.state.myself.slots.has(slot) ? '' : 'not'),
      );
    }
  }

  // What must hold.

  /** What is not yet as it must be; '' where all is. */
  private disagreement(): string {
    const first = this.processes[0].cluster.state;
    const serving = new Map<string, ClusterProcess>();
    for (const process of this.processes) {
      const { myself, ok, nodes, owners, manual } = process.cluster.state;
      verify(process.cluster.state);
      if (!ok) return `${process.name} does not serve`;
      if (manual.end !== 0) return `${process.name} is about to fail over`;
      if (nodes.size !== this.processes.length) return `${process.name} knows ${nodes.size} nodes`;
      for (const node of nodes.values()) if (!node.isWell) return `${process.name} holds ${node.ip} for down`;
      if (myself.isReplica && myself.master === null) return `${process.name} has no master`;
      for (const [slot, owner] of owners.entries())
        if (owner?.id !== first.owners[slot]?.id) return `${process.name} has another owner of slot ${slot}`;
      if (myself.slots.size > 0) serving.set(myself.id, process);
    }
    const missing = first.owners.findIndex((owner) => owner === null || !serving.has(owner.id));
    if (missing >= 0) return `slot ${missing} is not served`;
    const epochs = new Set([...serving.values()].map(({ cluster }) => cluster.state.myself.configEpoch));
    return epochs.size === serving.size ? '' : 'two masters with one config epoch';
  }

  observe(process: ClusterProcess, output: Output): void {
    if (output.kind !== 'log') return;
    if (output.level === 'notice' || output.level === 'warning') this.note(`${process.name} ${output.text}`);
    if (output.text === "Failover election won: I'm the new master.") this.failovers++;
  }

  left(process: ClusterProcess, { header, body }: Packet, to: ClusterProcess): void {
    const { name } = process;
    const configEpoch = header.master === '' ? header.configEpoch : 0;
    this.grow(this.told, name, { currentEpoch: header.currentEpoch, other: configEpoch });
    if (header.master === '') this.claim(name, header);
    if (body.type !== 'auth-ack') return;
    const { currentEpoch } = header;
    this.note(`${name} tells its vote for ${to.name} in epoch ${currentEpoch}`);
    same(this.votes, `${name} ${currentEpoch}`, to.name, `votes of ${name} in epoch ${currentEpoch}`);
    this.votesTold++;
    // Where it hurts most.
    if (this.troubled && this.random.below(8) === 0)
      this.timeline.after(this.random.below(50), () => this.crash(process));
  }

  /** Claims with one epoch, each once. */
  private claim(name: string, { configEpoch, slots }: Header): void {
    const claims = this.claims.get(configEpoch) ?? new Map<string, Uint8Array>();
    this.claims.set(configEpoch, claims);
    if (claims.get(name) === slots) return;
    claims.set(name, slots);
    for (const [other, theirs] of claims)
      if (other !== name && slots.some((bits, i) => (bits & theirs[i]) !== 0))
        throw new Broken(`${name} and ${other} claim one slot with epoch ${configEpoch}`);
  }

  written(process: ClusterProcess, { currentEpoch, lastVoteEpoch }: NodesFile): void {
    this.grow(this.kept, process.name, { currentEpoch, other: lastVoteEpoch });
  }

  /** The config epoch of a replica, which is its master's, is 0 here. */
  private grow(known: Map<string, Epochs>, name: string, epochs: Epochs): void {
    const before = known.get(name) ?? { currentEpoch: 0, other: 0 };
    if (epochs.currentEpoch < before.currentEpoch || (epochs.other !== 0 && epochs.other < before.other))
      throw new Broken(`epochs of ${name} shrink from ${JSON.stringify(before)} to ${JSON.stringify(epochs)}`);
    known.set(name, { currentEpoch: epochs.currentEpoch, other: Math.max(before.other, epochs.other) });
  }
}

/** The first one counts: another is an error. */
function same<Key, Value>(known: Map<Key, Value>, key: Key, value: Value, what: string): void {
  const before = known.get(key);
  if (before === undefined) known.set(key, value);
  else if (before !== value) throw new Broken(`two ${what}: ${before} and ${value}`);
}
