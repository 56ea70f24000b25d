/**
 * The rules of Raft alone: 3 or 5 members and two who may join, in a network that comes apart, loses, doubles and overtakes;
 * processes that are killed at any moment of a write and stand still, slow disks, clocks that run fast, slow and jump,
 * snapshots, changes of the group and of the leader; all from one seed. It must hold that
 *
 *   - a term has one leader, in one life of its process;
 *   - entries of one index and term are the same, and follow on the same: then logs match;
 *   - who becomes the leader has every entry that was committed before; nobody applies another entry at an index;
 *   - a read is answered with all that was committed when it was asked for;
 *   - what clients were answered is linearizable, whatever they do not know of;
 *   - once all is healed, somebody leads, everybody has caught up, and all have the same.
 *
 * Clocks jump only where reads don't rest on leases, and otherwise run no more differently than the settings say. That it
 * would find something is shown by bugs that can be planted (`--bug`).
 */
import { SeededRandom } from '../../src/base/random.ts';
import { type Change, memberOf } from '../../src/raft/configuration.ts';
import { type Entry, newSaved } from '../../src/raft/entry.ts';
import type { Message } from '../../src/raft/message.ts';
import type { Output, RaftSettings } from '../../src/raft/messages.ts';
import { verify } from '../../src/raft/state.ts';
import type { RaftBug } from './raft-bugs.ts';
import { Clients } from './raft-clients.ts';
import type { Snapshot } from './raft-disk.ts';
import type { Act } from './raft-machine.ts';
import { numberOf, RaftProcess, type Surroundings } from './raft-process.ts';
import { Broken, MOST_FAULTS, type Pauses, played, RulesWorld } from './rules-world.ts';

const ELECTION_TIMEOUT = 150;
const HEARTBEAT = 40;
const DRIFT = 0.25;
const CLIENTS = 4;
const JOINERS = 2;
const PAUSES: Pauses = { usual: 100, long: 500 };
/** Milliseconds within which everybody has to agree when the trouble is over. */
const PATIENCE = 20_000;
/** One of so many steps is looked at in full. */
const VERIFIED = 60;
/** Milliseconds between two reads of all who hold themselves for the leader, where they have leases. */
const PROBED = 8;
/** More than any term. */
const TERMS = 2 ** 16;

export interface RaftCourse {
  readonly broken: string;
  readonly trace: readonly string[];
  readonly lasted: number;
  readonly counts: Readonly<Record<string, number>>;
}

export interface RaftOptions {
  readonly faults?: number;
  readonly bug?: RaftBug;
  readonly traced?: boolean;
}

export function course(seed: number, { faults = MOST_FAULTS, bug = 'none', traced }: RaftOptions = {}): RaftCourse {
  const world = new RaftWorld(seed, bug, traced === true);
  const { broken, trace, lasted } = played(world, () => {
    world.trouble(faults);
    world.heal();
    world.judge();
  });
  return { broken, trace, lasted, counts: world.counts };
}

class RaftWorld extends RulesWorld implements Surroundings {
  readonly settings: RaftSettings;
  readonly bug: RaftBug;
  readonly snapshotEvery: number;
  private readonly processes: RaftProcess[] = [];
  private readonly clients: Clients;
  /** Whoever does something that it must not forget may crash. */
  private harms = false;
  private loss = 0;
  private doubling = 0;
  /** By term: who leads. By index and term: what the entry is. By index: what is committed. */
  private readonly leaders = new Map<number, string>();
  private readonly entries = new Map<number, string>();
  private readonly committed: Entry[] = [];
  private readonly counted = { elections: 0, snapshots: 0, changes: 0, transfers: 0, undecided: 0 };
  private steps = 0;

  constructor(seed: number, bug: RaftBug, traced: boolean) {
    super(seed, { traced });
    this.bug = bug;
    const { random } = this;
    const leases = bug === 'lease-margin' || random.below(2) === 0;
    // Entries go one by one: so one of an earlier term comes to most without one of the leader's own.
    const narrow = random.below(2) === 0 || bug === 'older-term';
    this.settings = {
      electionTimeout: ELECTION_TIMEOUT,
      heartbeat: HEARTBEAT,
      leases,
      clockDrift: bug === 'lease-margin' ? 0 : DRIFT,
      batchBytes: narrow ? 1 : 4000,
      inflight: narrow ? 1 : 4,
      uncommittedBytes: 2000,
      kept: random.below(2) * 8,
      promotionLag: 5,
    };
    this.snapshotEvery = 6 + random.below(30);
    const voters = random.below(3) === 0 ? 5 : 3;
    const group = Array.from({ length: voters }, (_, i) => ({ id: i + 1, address: '', kind: 'voter' }) as const);
    // The worst that leases bear.
    const slow = random.below(voters);
    for (let i = 0; i < voters + JOINERS; i++) {
      const begin = newSaved(i < voters ? group : []).base;
      const process = new RaftProcess(this, i, new SeededRandom(random.bits32(), i), begin);
      process.rate = leases ? 1 + (i === slow ? -DRIFT : DRIFT) : 0.5 + random.double01();
      process.start();
      this.processes.push(process);
    }
    this.clients = new Clients(this.timeline, random, this.processes);
  }

  protected get all(): readonly RaftProcess[] {
    return this.processes;
  }

  protected get writers(): readonly never[] {
    return [];
  }

  get counts(): Readonly<Record<string, number>> {
    const { answered, unknown } = this.clients;
    return { ...this.counted, committed: this.committed.length, answered, unknown };
  }

  get known(): number {
    return this.committed.length;
  }

  act(number: number): Act {
    return this.clients.acts[number];
  }

  // What goes wrong.

  trouble(faults: number): void {
    this.clients.begin(CLIENTS);
    this.timeline.run(2 * ELECTION_TIMEOUT);
    this.harms = true;
    if (this.settings.leases) this.probe();
    for (const process of this.processes) this.slow(process);
    this.letGoWrong(faults, PAUSES);
  }

  private probe(): void {
    if (!this.harms) return;
    for (const process of this.processes) if (process.isLeader && !process.frozen) process.probe();
    this.timeline.after(PROBED, () => this.probe());
  }

  protected goWrong(): void {
    const { random, processes } = this;
    const process = processes[random.below(processes.length)];
    const leader = processes.find(({ isLeader }) => isLeader) ?? process;
    const wrongs = [
      () => this.split(this.randomPart()),
      () => this.split([leader]),
      () => this.split([process]),
      () => this.split([]),
      () => this.split([]),
      () => this.stop(process),
      () => this.stop(leader),
      () => this.crash(process),
      () => this.crash(leader),
      () => this.freeze(process),
      () => this.slow(process),
      () => this.slow(leader),
      () => this.harm(),
      () => this.jump(process),
      () => this.change(leader),
      () => this.change(leader),
      () => this.handOver(leader),
    ];
    wrongs[random.below(wrongs.length)]();
    for (const each of processes) if (!each.up && random.below(3) === 0) this.stop(each);
  }

  private slow(process: RaftProcess): void {
    process.disk.delay = [2, 20, 200][this.random.below(3)];
    this.note(`${process.name} writes in ${process.disk.delay} ms`);
  }

  private harm(): void {
    this.loss = [0, 0.02, 0.2][this.random.below(3)];
    this.doubling = [0, 0.1][this.random.below(2)];
    this.note(`messages are lost: ${this.loss}, and doubled: ${this.doubling}`);
  }

  private jump(process: RaftProcess): void {
    if (this.settings.leases) return;
    process.ahead += this.random.below(4 * ELECTION_TIMEOUT);
    this.note(`the clock of ${process.name} jumps`);
  }

  private change(leader: RaftProcess): void {
    if (!leader.isLeader || leader.frozen) return;
    const { random, processes } = this;
    const id = 1 + random.below(processes.length);
    const member = memberOf(leader.raft.state.log.configuration, id);
    const kind = member === undefined ? 'add' : member.kind === 'learner' && random.below(3) > 0 ? 'promote' : 'remove';
    if (kind === 'remove' && random.below(2) === 0) return;
    this.note(`${leader.name} is to ${kind} node-${id}`);
    leader.step({ kind: 'change', asker: -1, change: { kind, id, address: '' } as Change });
  }

  private handOver(leader: RaftProcess): void {
    if (!leader.isLeader || leader.frozen) return;
    this.note(`${leader.name} is to hand over`);
    leader.step({ kind: 'transfer', asker: -1, to: 0 });
  }

  heal(): void {
    this.harms = false;
    this.loss = 0;
    this.doubling = 0;
    this.endTrouble();
    for (const process of this.processes) {
      process.disk.delay = 2;
      if (!process.up) process.start();
    }
    this.clients.stop();
    this.await('everybody has the same', PATIENCE, () => this.difference());
    this.clients.readAll();
    this.await('all is read', PATIENCE, () => (this.clients.busy === 0 ? '' : `${this.clients.busy} wait`));
  }

  private difference(): string {
    if (this.clients.busy > 0) return `${this.clients.busy} clients wait`;
    const leaders = this.processes.filter(({ isLeader }) => isLeader);
    if (leaders.length !== 1) return `${leaders.length} lead`;
    const { raft, machine } = leaders[0];
    const { log, commit } = raft.state;
    if (commit !== log.last) return `${log.last - commit} entries are not committed`;
    for (const { id } of log.configuration) {
      const process = this.processes[id - 1];
      if (process.applied !== commit) return `${process.name} has applied ${process.applied} of ${commit}`;
      if (process.machine.text !== machine.text) throw new Broken(`${process.name} has something else`);
    }
    return '';
  }

  judge(): void {
    const found = this.clients.judge();
    if (found === undefined) return;
    if (found.verdict === 'undecided') {
      this.counted.undecided++;
      return;
    }
    for (const line of this.clients.told(found.part)) this.note(line);
    throw new Broken(`the history of ${found.part} is not linearizable`);
  }

  // The network.

  transmit(from: RaftProcess, message: Message, snapshot: Snapshot | null): void {
    if (message.type === 'vote-reply' && message.granted && !message.pre) this.harmVoter(from, message.to);
    const copies = this.random.double01() < this.doubling ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const lost = this.random.double01() < this.loss;
      const delay = this.network.latency() + (snapshot === null ? 0 : this.random.below(60));
      this.timeline.after(delay, () => this.arrive(from, message, snapshot, lost));
    }
  }

  /** A voter may crash as soon as it has told its vote, and whom it has elected may be cut off. */
  private harmVoter(voter: RaftProcess, candidate: number): void {
    if (this.random.below(4) > 0) return;
    this.crashSoon(voter);
    if (this.random.below(2) === 0) return;
    this.timeline.after(2 + this.random.below(20), () => {
      if (this.harms) this.split([this.processes[candidate - 1]]);
    });
  }

  /** What can't get through may come late. */
  private arrive(from: RaftProcess, message: Message, snapshot: Snapshot | null, lost: boolean): void {
    const to = this.processes[message.to - 1];
    const free = !lost && to.up && this.network.isFree(from, to);
    if (!free && !lost && this.random.below(4) === 0) {
      this.timeline.after(this.random.below(300), () => this.arrive(from, message, snapshot, lost));
      return;
    }
    if (snapshot !== null) from.snapshotSent(message.to, free);
    if (free) to.receive(message, snapshot);
  }

  // What must hold.

  observe(process: RaftProcess, output: Output): void {
    if (++this.steps % VERIFIED === 0 && this.bug === 'none') verify(process.raft.state);
    if (output.kind === 'store') this.compareEntries(process, output.entries);
    else if (output.kind === 'install') this.counted.snapshots++;
    else if (output.kind === 'transferring') this.counted.transfers++;
    else if (output.kind === 'role' && output.role === 'leader') this.compareLeader(process, output.term);
  }

  read(process: RaftProcess, known: number): void {
    if (process.applied < known)
      throw new Broken(`${process.name} reads after ${process.applied} entries where ${known} were committed`);
  }

  private compareLeader(process: RaftProcess, term: number): void {
    const who = `${process.name} in life ${process.lives}`;
    this.note(`${who} leads in ${term}`);
    const before = this.leaders.get(term);
    if (before !== undefined && before !== who) throw new Broken(`two leaders of term ${term}: ${before} and ${who}`);
    if (before !== undefined) return;
    this.leaders.set(term, who);
    this.counted.elections++;
    const last = this.committed.at(-1);
    // By then it may have applied them.
    if (last !== undefined && last.term < term && process.raft.state.log.term(last.index) !== last.term)
      throw new Broken(`${who} leads in ${term} without the committed entry ${last.index}`);
    if (this.bug === 'older-term' && this.harms && this.random.below(2) === 0) this.split([process]);
    if (this.random.below(3) === 0) this.crashSoon(process);
  }

  /** Where it hurts: it has just done something that it must not forget. */
  private crashSoon(process: RaftProcess): void {
    this.timeline.after(this.random.below(20), () => {
      if (this.harms) this.crash(process);
    });
  }

  private compareEntries(process: RaftProcess, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const key = entry.index * TERMS + entry.term;
      const what = `${this.nameOf(entry)} after ${this.termBefore(process, entries, entry)}`;
      const before = this.entries.get(key);
      if (before !== undefined && before !== what)
        throw new Broken(`two entries ${entry.index} of term ${entry.term}: ${before} and ${what}`);
      this.entries.set(key, what);
    }
  }

  private termBefore(process: RaftProcess, entries: readonly Entry[], { index }: Entry): number {
    const [first] = entries;
    return index === first.index ? process.raft.state.log.term(index - 1) : entries[index - first.index - 1].term;
  }

  private nameOf({ kind, payload, configuration }: Entry): string {
    if (kind === 'command') return `command ${numberOf(payload)}`;
    return configuration === null ? kind : `group ${configuration.map((each) => `${each.id} ${each.kind}`).join()}`;
  }

  applied(process: RaftProcess, entry: Entry): void {
    const { index, term, kind } = entry;
    if (index !== process.applied + 1) throw new Broken(`${process.name} applies ${index} after ${process.applied}`);
    const before = this.committed[index - 1];
    if (before === undefined) {
      if (index !== this.committed.length + 1) throw new Broken(`${process.name} applies ${index} that nobody knows`);
      this.committed.push(entry);
      if (kind === 'configuration') this.counted.changes++;
      const older = process.isLeader && term < process.raft.state.term;
      // Figure 8: one that was cut off as soon as it led comes back, and may be elected.
      if (older && this.bug === 'older-term') this.split([]);
      if (this.random.below(older ? 2 : 60) === 0) this.crashSoon(process);
    } else if (before.term !== term)
      throw new Broken(`${process.name} applies ${index} of term ${term}, which is of term ${before.term}`);
  }
}
