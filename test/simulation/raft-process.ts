/** A member of a group in the simulation: the shell around the rules, its clock, disk and state machine. */
import type { SeededRandom } from '../../src/base/random.ts';
import type { NodeId } from '../../src/raft/configuration.ts';
import { encodeJournal, encodeStore } from '../../src/raft/disk/journal.ts';
import { type Entry, type Mark, newSaved } from '../../src/raft/entry.ts';
import type { Message } from '../../src/raft/message.ts';
import type { Input, Output, RaftSettings } from '../../src/raft/messages.ts';
import { Raft } from '../../src/raft/raft.ts';
import { decode, isRefused } from '../../src/raft/wire/decode.ts';
import { encode } from '../../src/raft/wire/encode.ts';
import type { Network } from './network.ts';
import { commitOlder, type RaftBug } from './raft-bugs.ts';
import { RaftDisk, type Snapshot } from './raft-disk.ts';
import { type Act, type Answer, isRead, Machine } from './raft-machine.ts';
import { LivingProcess } from './rules-process.ts';

/** One of so many messages goes through the codec. */
const ENCODED = 20;

/** What comes of what a client asks: an answer, or that it was not done, and who leads. */
export type Reply = { readonly answer: Answer } | { readonly leader: NodeId };

export interface Surroundings {
  readonly network: Network;
  readonly settings: RaftSettings;
  readonly bug: RaftBug;
  /** Entries between two snapshots. */
  readonly snapshotEvery: number;
  act(number: number): Act;
  /** Everything that the rules put out, before it is done. */
  observe(process: RaftProcess, output: Output): void;
  applied(process: RaftProcess, entry: Entry): void;
  /** Entries that somebody knows to be committed. */
  readonly known: number;
  /** A read is answered, which was asked for when so many were known. */
  read(process: RaftProcess, known: number): void;
  transmit(from: RaftProcess, message: Message, snapshot: Snapshot | null): void;
}

type Sent = Output & { readonly kind: 'send' | 'send-snapshot' };

interface Asking {
  readonly act: Act;
  readonly known: number;
  readonly reply: (reply: Reply) => void;
}

interface Pending {
  readonly term: number;
  readonly act: Act;
  readonly reply: (reply: Reply) => void;
}

const PROBE: Act = { kind: 'register', key: 'register-0', input: { kind: 'read' } };

export class RaftProcess extends LivingProcess {
  readonly id: NodeId;
  readonly disk: RaftDisk;
  raft!: Raft;
  machine!: Machine;
  /** Of the clock: what it shows is `ahead` + time x `rate`. */
  rate = 1;
  ahead = 0;
  /** How often it was started, for who it is. */
  lives = 0;
  applied = 0;
  private readonly surroundings: Surroundings;
  private snapshot!: Snapshot;
  private isWriting = false;
  private durable = 0;
  private held: Sent[] = [];
  private timerAt = Number.POSITIVE_INFINITY;
  private arriving: Snapshot | null = null;
  private asked = 0;
  private readonly asking = new Map<number, Asking>();
  private readonly pending = new Map<number, Pending>();
  /** Without the last entry, for the bug in which a snapshot skips it. */
  private late = new Machine();
  private latest: Act | null = null;

  constructor(surroundings: Surroundings, number: number, random: SeededRandom, begin: Mark) {
    super(surroundings.network, `node-${number + 1}`, number, random);
    this.id = number + 1;
    this.surroundings = surroundings;
    const snapshot = { mark: newSaved(begin.configuration).snapshot, machine: new Machine() };
    this.disk = new RaftDisk(snapshot, random, (ms, action) => this.after(ms, action));
  }

  get now(): number {
    return this.ahead + this.network.timeline.now * this.rate;
  }

  get isLeader(): boolean {
    return this.up && this.raft.state.role === 'leader';
  }

  protected begin(): void {
    this.lives++;
    this.durable = 0;
    this.held = [];
    this.timerAt = Number.POSITIVE_INFINITY;
    this.isWriting = false;
    this.asking.clear();
    this.pending.clear();
    const saved = this.disk.load();
    this.snapshot = this.disk.snapshot;
    this.machine = new Machine(this.snapshot.machine);
    this.late = new Machine(this.machine);
    this.latest = null;
    this.applied = this.snapshot.mark.index;
    const { settings } = this.surroundings;
    this.raft = new Raft(this.id, saved, { random: this.random, settings }, this.now);
    if (this.raft.saved.base.index !== saved.base.index) this.replaceFile();
    this.arm();
  }

  override kill(): void {
    super.kill();
    this.disk.crash();
  }

  receive(message: Message, snapshot: Snapshot | null): void {
    this.arriving = snapshot;
    this.step({ kind: 'message', message });
  }

  /** Something from outside happens here later, if the process lives on. */
  soon(ms: number, action: () => void): void {
    this.after(ms, action);
  }

  /** A client asks; nothing is answered where the process ends first. */
  request(number: number, reply: (reply: Reply) => void): void {
    const { surroundings } = this;
    const act = surroundings.act(number);
    const asker = this.asked++;
    this.asking.set(asker, { act, known: surroundings.known, reply });
    if (isRead(act)) this.step({ kind: 'read', asker, seen: 0 });
    else this.step({ kind: 'propose', asker, payloads: [payload(number)] });
  }

  /** Reads something, for the world to see whether that may be told. */
  probe(): void {
    const asker = this.asked++;
    this.asking.set(asker, { act: PROBE, known: this.surroundings.known, reply: () => {} });
    this.step({ kind: 'read', asker, seen: 0 });
  }

  step(input: Input): void {
    if (!this.up) return;
    for (const output of this.raft.step(this.now, input)) {
      this.surroundings.observe(this, output);
      this.perform(output);
    }
    if (this.surroundings.bug === 'older-term') commitOlder(this.raft);
    this.arm();
  }

  private perform(output: Output): void {
    switch (output.kind) {
      case 'store':
        this.store(output.version, Buffer.concat(encodeStore(output.state, output.entries)));
        break;
      case 'install':
        this.install(output.version, output.mark);
        break;
      case 'send':
      case 'send-snapshot':
        this.send(output);
        break;
      case 'apply':
        for (const entry of output.entries) this.apply(entry);
        this.takeSnapshot();
        break;
      case 'accepted':
        this.accepted(output.asker as number, output.first, output.term);
        break;
      case 'refused':
        this.taken(output.asker as number)?.reply({ leader: output.leader });
        break;
      case 'readable':
        for (const asker of output.askers) this.answerRead(asker as number);
        break;
      case 'compacted':
        this.replaceFile();
        break;
      case 'transferring':
      case 'role':
        break;
    }
  }

  /** Wakes the rules when they want it. */
  private arm(): void {
    const { due } = this.raft;
    if (this.timerAt <= due) return;
    this.timerAt = due;
    this.after(Math.max((due - this.now) / this.rate, 0.01), () => {
      if (this.timerAt === due) this.timerAt = Number.POSITIVE_INFINITY;
      if (this.now >= this.raft.due) this.step({ kind: 'tick' });
      else this.arm();
    });
  }

  // The disk.

  private store(version: number, bytes: Uint8Array): void {
    this.disk.write({ kind: 'append', bytes, done: () => this.stored(version) });
  }

  private install(version: number, mark: Mark): void {
    const snapshot = this.arriving!;
    if (snapshot.mark.index !== mark.index) throw new Error('a snapshot is installed that has not come');
    this.snapshot = snapshot;
    this.machine = new Machine(snapshot.machine);
    this.late = new Machine(snapshot.machine);
    this.latest = null;
    this.applied = mark.index;
    const file = encodeJournal(this.raft.saved);
    this.disk.write({ kind: 'install', snapshot, file, done: () => this.stored(version) });
  }

  private replaceFile(): void {
    this.disk.write({ kind: 'replace', file: encodeJournal(this.raft.saved), done: () => {} });
  }

  private stored(version: number): void {
    this.durable = version;
    const free = this.held.filter(({ after }) => after <= version);
    this.held = this.held.filter(({ after }) => after > version);
    for (const sent of free) this.release(sent);
    this.step({ kind: 'stored', version });
  }

  private takeSnapshot(): void {
    const { surroundings, applied } = this;
    if (this.isWriting || applied - this.snapshot.mark.index < surroundings.snapshotEvery) return;
    this.isWriting = true;
    const machine = new Machine(surroundings.bug === 'snapshot-skips' ? this.late : this.machine);
    const snapshot: Snapshot = { mark: this.raft.mark(applied), machine };
    const done = (): void => {
      this.isWriting = false;
      if (applied > this.snapshot.mark.index) this.snapshot = snapshot;
      this.step({ kind: 'snapshotted', index: applied });
    };
    this.disk.write({ kind: 'snapshot', snapshot, done });
  }

  // Others.

  private send(sent: Sent): void {
    const early = this.surroundings.bug === 'vote-not-synced' && sent.message.type.startsWith('vote');
    if (sent.after <= this.durable || early) this.release(sent);
    else this.held.push(sent);
  }

  private release({ message }: Sent): void {
    const sent = this.random.below(ENCODED) === 0 ? recoded(message) : message;
    const snapshot = message.type === 'snapshot' ? this.snapshot : null;
    if (message.type === 'snapshot' && snapshot!.mark.index !== message.mark.index)
      this.snapshotSent(message.to, false);
    else this.surroundings.transmit(this, sent, snapshot);
  }

  snapshotSent(to: NodeId, ok: boolean): void {
    this.after(0, () => this.step({ kind: 'snapshot-sent', to, ok }));
  }

  // Clients.

  private accepted(asker: number, index: number, term: number): void {
    const asking = this.taken(asker);
    if (asking === undefined) return;
    const { act, reply } = asking;
    this.pending.set(index, { term, act, reply });
    if (this.surroundings.bug === 'early-reply' && act.kind === 'register' && act.input.kind === 'write')
      reply({ answer: null });
  }

  private apply(entry: Entry): void {
    this.surroundings.applied(this, entry);
    this.applied = entry.index;
    if (this.latest !== null) this.late.perform(this.latest);
    this.latest = entry.kind === 'command' ? this.surroundings.act(numberOf(entry.payload)) : null;
    const answer = this.latest === null ? null : this.machine.perform(this.latest);
    const pending = this.pending.get(entry.index);
    if (pending === undefined) return;
    this.pending.delete(entry.index);
    // What has another term here has taken the place of ours, which nobody will ever commit.
    pending.reply(pending.term === entry.term ? { answer } : { leader: this.raft.state.leader });
  }

  private answerRead(asker: number): void {
    const asking = this.taken(asker);
    if (asking === undefined) return;
    this.surroundings.read(this, asking.known);
    asking.reply({ answer: this.machine.perform(asking.act) });
  }

  private taken(asker: number): Asking | undefined {
    const asking = this.asking.get(asker);
    this.asking.delete(asker);
    return asking;
  }
}

function payload(number: number): Uint8Array {
  return new Uint8Array([number >>> 8, number & 255]);
}

export function numberOf(bytes: Uint8Array): number {
  return (bytes[0] << 8) | bytes[1];
}

function recoded(message: Message): Message {
  const decoded = decode(encode(message));
  if (isRefused(decoded)) throw new Error(`a message of ours is refused: ${decoded.refused}`);
  return decoded;
}
