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
import type { Packet } from '../../src/cluster/bus/packet.ts';
import type { Output } from '../../src/cluster/messages.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { newNode } from '../../src/cluster/rules/saved.ts';
import { SLOTS } from '../../src/cluster/slots.ts';
import { disagreementOf } from './cluster-agreement.ts';
import { ClusterProcess, PORT, type Surroundings, settingsOf } from './cluster-process.ts';
import { ClusterPromises } from './cluster-promises.ts';
import {
  Broken,
  type Course,
  type CourseOptions,
  MOST_FAULTS,
  type Pauses,
  played,
  RulesWorld,
} from './rules-world.ts';

const NODE_TIMEOUT = 1000;
const SETTINGS = settingsOf({ nodeTimeout: NODE_TIMEOUT, replPingPeriod: 1000 });
/** Milliseconds within which everybody has to agree when the trouble is over. */
const PATIENCE = 60_000;
const PAUSES: Pauses = { usual: 600, long: 4000 };
/** Slots that are moved when all is well. */
const MOVED = 3;

export function course(seed: number, { faults = MOST_FAULTS, ...options }: CourseOptions = {}): Course {
  const world = new ClusterWorld(seed, options);
  return played(world, () => {
    world.build();
    world.trouble(faults);
    world.heal();
    world.moveSlots();
  });
}

class ClusterWorld extends RulesWorld implements Surroundings {
  readonly settings = SETTINGS;
  private readonly masters: number;
  private readonly processes: ClusterProcess[] = [];
  private readonly byIp = new Map<string, ClusterProcess>();
  private readonly promises = new ClusterPromises();

  constructor(seed: number, options: CourseOptions) {
    super(seed, options);
    this.masters = this.random.below(3) === 0 ? 5 : 3;
    for (let i = 0; i < 2 * this.masters; i++) {
      const process = new ClusterProcess(this, i, new SeededRandom(this.random.bits32(), i), newNode(this.newId()));
      this.processes.push(process);
      this.byIp.set(process.name, process);
    }
    for (const process of this.processes) process.start();
    this.replicate();
  }

  protected get all(): readonly ClusterProcess[] {
    return this.processes;
  }

  protected get writers(): readonly ClusterProcess[] {
    return this.processes;
  }

  process(ip: string): ClusterProcess {
    const process = this.byIp.get(ip);
    if (process === undefined) throw new Broken(`somebody looks for '${ip}'`);
    return process;
  }

  newId(): string {
    return Array.from({ length: 5 }, () => this.random.bits32().toString(16).padStart(8, '0')).join('');
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
    this.await('everybody knows everybody', PATIENCE, () => {
      const stranger = processes.find(({ cluster }) => cluster.state.nodes.size !== processes.length);
      return stranger === undefined ? '' : `${stranger.name} knows ${stranger.cluster.state.nodes.size}`;
    });
    processes.slice(masters).forEach((replica, i) => {
      replica.command({ name: 'replicate', node: processes[i].cluster.state.myself.id });
    });
    this.await('the cluster is up', PATIENCE, () => this.disagreement());
  }

  // What goes wrong.

  trouble(faults: number): void {
    this.beginTrouble();
    this.letGoWrong(faults, PAUSES);
  }

  protected goWrong(): void {
    const { random, processes } = this;
    const process = processes[random.below(processes.length)];
    const wrongs = [
      () => this.split(this.randomPart()),
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

  private failOver(process: ClusterProcess): void {
    const form = this.random.below(2) === 0 ? 'agreed' : 'force';
    this.note(`${process.name} is to take over: ${form}`);
    if (!process.frozen) process.command({ name: 'failover', form });
  }

  heal(): void {
    this.endTrouble();
    for (const process of this.processes) {
      process.diskDelay = 3;
      process.diskFails = false;
      if (!process.up) process.start();
    }
    this.await('all is served again', PATIENCE, () => this.disagreement());
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
        PATIENCE,
        () => this.disagreement() || (to.cluster.state.myself.slots.has(slot) ? '' : 'not'),
      );
    }
  }

  // What must hold.

  /** What is not yet as it must be; '' where all is. */
  private disagreement(): string {
    return disagreementOf(new Map(this.processes.map(({ name, cluster }) => [name, cluster.state])));
  }

  observe(process: ClusterProcess, output: Output): void {
    if (output.kind !== 'log') return;
    if (output.level === 'notice' || output.level === 'warning') this.note(`${process.name} ${output.text}`);
    if (output.text === "Failover election won: I'm the new master.") this.failovers++;
  }

  left(process: ClusterProcess, packet: Packet, to: ClusterProcess): void {
    if (!this.promises.left(process.name, packet, to.name)) return;
    this.note(`${process.name} tells its vote for ${to.name} in epoch ${packet.header.currentEpoch}`);
    this.votesTold++;
    this.crashPerhaps(process);
  }

  written(process: ClusterProcess, file: NodesFile): void {
    this.promises.written(process.name, file);
  }
}
