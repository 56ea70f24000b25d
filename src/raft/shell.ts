/**
 * Around the rules of a group: time, the other members, the disk and what clients do come in as inputs, and what the rules put
 * out is done, in its order.
 *
 *   timer, peers, disk, effects of commands, reads, RAFT ──> input() ──> rules.step ──> outputs:
 *       send ──> peers, once what it shows is on the disk     store, install ──> segments     apply ──> applier
 *       accepted, readable ──> tickets (replies may go)                                       role ──> serves, or not
 *
 * A leader that has all that is committed `serves`: its clients' commands are done to its data at once, their effects are
 * proposed as one entry a turn, or several turns (gathering.ts), and replies wait for their tickets. Before an input is looked
 * at that may end the lead, what was done so far is proposed: so whoever stops leading has proposed all that it did. It gives
 * up the replies that still wait, with their connections; what it did is then committed by the next leader, or taken back
 * (applier.ts).
 *
 * Invariant: a step is over, with all its outputs, before the next input is looked at.
 */
import { assert } from '../base/assert.ts';
import { Inputs } from '../base/inputs.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_READONLY } from '../engine/gates.ts';
import type { EffectSink } from '../engine/propagation.ts';
import type { Ticket, TicketSource } from '../engine/reply-gate.ts';
import type { Log } from '../engine/server-port.ts';
import { UnowedTurn } from '../engine/unowed-turn.ts';
import type { Guest } from '../links/acceptor.ts';
import { Applier } from './applier.ts';
import { type Asking, answer } from './asking.ts';
import { Awaited } from './awaited.ts';
import { type Change, type Configuration, EMPTY, memberOf, type NodeId } from './configuration.ts';
import type { Found, Segments } from './disk/segments.ts';
import { ENTRY_BYTES, newSaved, type Saved, sizeOf } from './entry.ts';
import { Gathering } from './gathering.ts';
import { Keeper } from './keeper.ts';
import type { Message } from './message.ts';
import type { Asker, Input, Output, RaftSettings } from './messages.ts';
import { Effects } from './payloads.ts';
import type { Peers } from './peers.ts';
import { Raft } from './raft.ts';
import { mayEndLead } from './rules/roles.ts';
import type { Slabs } from './slabs.ts';
import type { RaftState } from './state.ts';
import { Tickets } from './tickets.ts';

/** How the leader answers reads: after it has asked the others, on its lease, or at once. */
export type ReadMode = 'quorum' | 'lease' | 'local';

export interface ShellParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** As the rules see them. */
  readonly settings: RaftSettings;
  readonly readMode: () => ReadMode;
  /** Bytes of entries after which a snapshot is made. */
  readonly logSize: () => number;
  readonly segments: Segments;
  /** For payloads; members that connect read theirs into them. */
  readonly slabs: Slabs;
  readonly found: Found;
  readonly peers: Peers;
  /** Puts the data of a file in the place of those there are; of none where null. Rejects where that can't be done. */
  readonly load: (path: string | null) => Promise<void>;
  /** As Keeper's. */
  readonly save: (name: string, done: (good: boolean) => void) => boolean;
  /** What was promised can't be kept: ends the server. */
  readonly die: (reason: string) => void;
  readonly roleChanged: (leads: boolean) => void;
}

type Sent = Extract<Output, { kind: 'send' | 'send-snapshot' }>;

const RETRY_SNAPSHOT_MS = 1000;
const NOT_LEADER = 'not-leader';

export class Shell implements TicketSource {
  readonly applier: Applier;
  /** Null while it belongs to no group. */
  raft: Raft | null = null;
  /** Whether clients are served. */
  serves = false;
  /** Elections that it has won, and times at which its data were made anew, since the start. */
  elections = 0;
  restores = 0;
  private readonly parts: ShellParts;
  private readonly effects: Effects;
  private readonly gathering: Gathering;
  private readonly tickets: Tickets;
  private readonly keeper: Keeper;
  private readonly turn: UnowedTurn;
  private readonly inputs = new Inputs<Input>((input) => this.step(input));
  private readonly awaited = new Awaited();
  /** One proposal is answered before the next is made. */
  private readonly proposing: Asking = {
    waits: false,
    accepted: (last, term) => {
      this.proposed = last;
      this.gathering.proposed(last);
      this.tickets.proposed(last);
      this.parts.slabs.holds(last);
      this.applier.wentAhead(last, term);
    },
    refused: () => {
      if (this.serves) this.lost(true);
    },
  };
  private held: Sent[] = [];
  private durable = 0;
  private timer: Timer | null = null;
  private timerAt = Number.POSITIVE_INFINITY;
  private stopped = false;
  private started = false;
  /** The file that came with the message that is looked at. */
  private arrived: string | null = null;
  private snapshotPath: string | null;
  private servingTerm = 0;
  /** The turn at hand has proposed something; up to this entry. */
  private proposed = 0;
  /** Bytes of entries since the last snapshot was begun. */
  private sinceSnapshot = 0;
  private snapshotNotBefore = 0;
  private releaseWrites: (() => void) | null = null;

  constructor(parts: ShellParts) {
    const { engine, segments, save, die } = parts;
    this.parts = parts;
    this.effects = new Effects(() => this.effectsBegun(), parts.slabs);
    this.gathering = new Gathering(parts.clock, this.effects, () => this.propose());
    this.tickets = new Tickets(engine.replyGate);
    this.turn = new UnowedTurn(engine);
    this.snapshotPath = parts.found.snapshot;
    this.applier = new Applier({
      engine,
      load: (path) => parts.load(path),
      advanced: () => this.look(),
      spoilt: () => this.spoilt(),
      failed: die,
    });
    this.keeper = new Keeper({
      disk: engine.server.environment.disk,
      folder: segments.path,
      save,
      kept: (name, mark) => {
        this.snapshotPath = segments.keepSnapshot(name, mark);
        this.input({ kind: 'snapshotted', index: mark.index });
      },
    });
  }

  get state(): RaftState | null {
    return this.raft?.state ?? null;
  }

  get configuration(): Configuration {
    return this.raft?.state.log.configuration ?? EMPTY;
  }

  /** Bytes that an entry of the log takes, as they are now. */
  get entryBytes(): number {
    const log = this.raft?.state.log;
    const count = log === undefined ? 0 : log.last - log.first + 1;
    return count === 0 ? ENTRY_BYTES : log!.bytes / count;
  }

  /** Tickets that replies wait for. */
  get waiting(): number {
    return this.tickets.count;
  }

  /** Whether it has begun to be a member of a group, though it may not take part yet. */
  get isMember(): boolean {
    return this.raft !== null || this.parts.found.saved !== null;
  }

  /** Whether it belongs to a group, as far as it knows. */
  get joined(): boolean {
    return this.configuration.length > 0;
  }

  /** Whether the group has decided to do without it, as far as it knows. */
  get removed(): boolean {
    const { state } = this;
    if (state === null || !this.joined) return false;
    const { log, commit, removed, id } = state;
    return removed || memberOf(log.mark(commit).configuration, id) === undefined;
  }

  /** Milliseconds, by a clock that never goes back. */
  get now(): number {
    return this.parts.clock.monotonic() / 1000;
  }

  /** Before anything is served: the engine asks us, and does nothing that the log does not have. */
  begin(): void {
    const { engine } = this.parts;
    engine.propagation.whole = true;
    engine.propagation.attach(this.sink);
    engine.replyGate.open(this);
    this.mayWrite(false);
  }

  /** Loads the data and takes part from then on; rejects where they can't be loaded. */
  async start(): Promise<void> {
    const { found } = this.parts;
    this.started = true;
    if (found.saved === null) return;
    await this.applier.restore(this.snapshotPath, found.saved.snapshot.index, []);
    if (!this.stopped) this.live(found.saved);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.gathering.stop();
    this.applier.stop();
    this.parts.peers.close();
    this.parts.segments.close();
  }

  /** A new member, of a group that begins with this configuration, or of one that will tell it. */
  found(configuration: Configuration): void {
    assert(!this.joined && this.started, 'a server is a member of one group');
    if (this.raft !== null) return;
    const saved = newSaved(configuration);
    this.parts.segments.create(saved);
    this.live(saved);
  }

  welcome(guest: Guest): void {
    if (this.stopped || this.raft === null) guest.close();
    else this.parts.peers.accept(guest);
  }

  /** A message has come; a snapshot's with its file. */
  heard(message: Message, file: string | null): void {
    if (message.type === 'append') this.parts.slabs.holds(message.prevIndex + message.entries.length);
    if (file === null) this.input({ kind: 'message', message });
    else this.heardSnapshot(message, file);
  }

  stored(version: number): void {
    this.durable = version;
    const { held } = this;
    this.held = held.filter(({ after }) => after > version);
    for (const sent of held) if (sent.after <= version) this.send(sent);
    this.input({ kind: 'stored', version });
  }

  snapshotSent(to: NodeId, ok: boolean): void {
    this.input({ kind: 'snapshot-sent', to, ok });
  }

  campaign(): void {
    this.input({ kind: 'campaign' });
  }

  // What is asked for.

  /** Resolves once it is committed, with '' or the reason why it was refused or may not be. */
  change(change: Change): Promise<string> {
    return new Promise((done) => {
      this.ask((asker) => ({ kind: 'change', asker, change }), {
        waits: true,
        accepted: (index, term) => {
          this.awaited.add({ index, term, done: (committed) => done(committed ? '' : 'the leader has changed') });
        },
        refused: (reason) => done(reason),
      });
    });
  }

  /** '' where it has begun, or why not. */
  transfer(to: NodeId): string {
    let answer = NOT_LEADER;
    this.ask((asker) => ({ kind: 'transfer', asker, to }), {
      waits: true,
      transferring: () => {
        answer = '';
      },
      refused: (reason) => {
        answer = reason;
      },
    });
    return answer;
  }

  private ask(input: (asker: Asker) => Input, asking: Asking): void {
    this.input(input(asking));
  }

  // The turns of the engine.

  endTurn(): Ticket | null {
    if (this.serves) this.gathering.turnEnds(this.raft!.state.commit);
    const { proposed } = this;
    this.proposed = 0;
    if (!this.serves) return null;
    if (!this.effects.empty) return this.tickets.untilProposed();
    if (proposed === 0) return null;
    const ticket = this.tickets.untilCommitted(proposed, true);
    this.tickets.committed(this.raft!.state.commit);
    return ticket;
  }

  askRead(): Ticket | null {
    if (!this.serves) return null;
    const { commit, log } = this.raft!.state;
    if (this.parts.readMode() === 'local') {
      const ticket = this.tickets.untilCommitted(log.last, false);
      this.tickets.committed(commit);
      return ticket;
    }
    const { ticket, keep } = this.tickets.untilKept();
    // Where it is refused, the lead is over, and with it all that waits.
    this.ask((asker) => ({ kind: 'read', asker, seen: log.last }), {
      waits: true,
      readable: keep,
      refused: () => {},
    });
    return this.serves ? ticket : null;
  }

  /** What changes the data: in the log already, to be proposed, or, where we don't lead, what must not have been. */
  private get sink(): EffectSink {
    const { effects, applier } = this;
    const collects = (): boolean => this.serves && !applier.applying;
    return {
      target: effects.target,
      effect: (db, bytes, from, to) => {
        if (collects()) effects.effect(db, bytes, from, to);
        else if (this.started && !applier.applying) applier.spoil();
      },
      begin: () => {
        if (collects()) effects.begin();
      },
      // One that was begun by a leader whose time is over has spoilt the data already.
      end: () => {
        if (collects()) effects.end();
      },
    };
  }

  private effectsBegun(): void {
    this.parts.clock.soon(() => {
      if (!this.effects.empty) this.turn.begin();
    });
  }

  /** What was done by now goes into the log. */
  private propose(): void {
    const { effects } = this;
    if (effects.empty || !this.serves) return;
    this.gathering.taken();
    const payloads = effects.take();
    this.proposing.waits = true;
    this.input({ kind: 'propose', asker: this.proposing, payloads });
  }

  // Inputs and outputs.

  private live(saved: Saved): void {
    const { found, random, settings } = this.parts;
    this.raft = new Raft(found.id, saved, { random, settings }, this.now);
    assert(this.raft.saved.base.index === saved.base.index, 'the log that was read is the log');
    this.parts.peers.follow(this.configuration);
    this.look();
    this.arm();
    // Who is alone need not wait.
    this.input({ kind: 'campaign' });
  }

  private input(input: Input): void {
    if (this.stopped || this.raft === null) return;
    if (input.kind !== 'propose' && mayEndLead(this.raft.state, input)) this.propose();
    this.inputs.put(input);
  }

  private step(input: Input): void {
    const { raft } = this;
    if (raft === null || this.stopped) return;
    const outputs = raft.step(this.now, input);
    // Others store what they are sent while we do: what must not be said before something is on our disk waits for that.
    for (const output of outputs) if (isSent(output)) this.sendOrHold(output);
    for (const output of outputs) if (!isSent(output)) this.carryOut(output);
    this.parts.segments.sync();
    this.parts.peers.follow(this.configuration);
    this.look();
    this.arm();
  }

  private carryOut(output: Exclude<Output, Sent>): void {
    const { segments } = this.parts;
    switch (output.kind) {
      case 'store':
        for (const entry of output.entries) this.sinceSnapshot += sizeOf(entry);
        segments.store(output.version, output.state, output.entries);
        break;
      case 'install':
        this.install(output.version);
        break;
      case 'apply':
        this.applier.take(output.entries);
        break;
      case 'compacted':
        segments.compact(output.index);
        break;
      case 'role':
        this.roleIs(output);
        break;
      default:
        answer(output);
    }
  }

  private sendOrHold(output: Sent): void {
    if (output.after <= this.durable) this.send(output);
    else this.held.push(output);
  }

  private send({ message }: Sent): void {
    const { peers } = this.parts;
    if (message.type !== 'snapshot') peers.send(message);
    else if (this.snapshotPath === null || this.raft?.state.snapshot.index !== message.mark.index)
      this.snapshotSent(message.to, false);
    else peers.sendSnapshot(message, this.snapshotPath);
  }

  private heardSnapshot(message: Message, file: string): void {
    this.propose();
    this.arrived = file;
    this.input({ kind: 'message', message });
    if (this.arrived !== null) this.parts.segments.drop(this.arrived);
    this.arrived = null;
  }

  private install(version: number): void {
    const { arrived, raft } = this;
    assert(arrived !== null && raft !== null, 'a snapshot is installed whose file has come');
    this.arrived = null;
    this.snapshotPath = this.parts.segments.install(version, arrived, raft.saved);
    this.sinceSnapshot = 0;
    this.restore();
  }

  private arm(): void {
    const due = this.raft?.due ?? Number.POSITIVE_INFINITY;
    if (this.timerAt <= due || this.stopped) return;
    this.timer?.cancel();
    this.timerAt = due;
    this.timer = this.parts.clock.after(Math.max(1, due - this.now), () => {
      this.timerAt = Number.POSITIVE_INFINITY;
      if (this.raft === null || this.now < this.raft.due) this.arm();
      else this.input({ kind: 'tick' });
    });
  }

  // The lead.

  private roleIs({ role, term }: Extract<Output, { kind: 'role' }>): void {
    const { log } = this.parts;
    const leads = role === 'leader';
    if (this.serves && !(leads && term === this.servingTerm)) this.lost(false);
    if (leads) {
      this.elections++;
      log.notice(`Elected the leader of the group in term ${term}`);
    }
    this.parts.roleChanged(leads);
  }

  /** After each step, and whenever the data have come further. */
  private look(): void {
    const { raft, applier } = this;
    if (raft === null || this.stopped) return;
    const { leading, commit, log, snapshot } = raft.state;
    if (leading !== null && !this.serves && applier.settled && applier.applied >= leading.first) this.serve();
    if (this.serves) this.tickets.committed(commit);
    this.gathering.look(commit);
    this.awaited.committed(commit, log);
    this.holdWrites();
    if (leading !== null) this.promote();
    if (this.keeper.busy)
      this.keeper.look({
        committed: commit,
        snapshot: snapshot.index,
        term: (i) => log.term(i),
        mark: (i) => log.mark(i),
      });
    this.maybeSnapshot();
    // Payloads that the log no longer has go once nothing is on its way that still needs them.
    const { slabs, peers } = this.parts;
    const gone = log.first - 1;
    if (gone > slabs.released && applier.isBehind(gone) && this.held.length === 0 && peers.unsent === 0)
      slabs.release(gone);
  }

  private serve(): void {
    const { log } = this.parts;
    this.serves = true;
    this.servingTerm = this.raft!.state.term;
    this.effects.clear();
    this.mayWrite(true);
    log.notice(`Serving as the leader of term ${this.servingTerm}`);
  }

  /** The lead is over, or what was done can't be proposed (`unproposed`): replies that wait will never be given. */
  private lost(unproposed: boolean): void {
    const { engine, log } = this.parts;
    const halfWay = unproposed || !engine.propagation.idle || this.effects.held > 0;
    this.serves = false;
    this.servingTerm = 0;
    this.proposed = 0;
    this.gathering.stop();
    this.effects.clear();
    this.tickets.drop();
    this.mayWrite(false);
    log.notice('Not serving as a leader any more');
    if (engine.outermost === null) this.turn.begin();
    engine.replyGate.giveUp(engine.sessions.values());
    engine.membership.redirectWaiters();
    if (halfWay) this.applier.spoil();
  }

  private mayWrite(may: boolean): void {
    const { gates, keyspaces } = this.parts.engine;
    gates.set(GATE_READONLY, 'group', !may);
    keyspaces.keepExpired('group', !may);
  }

  /** While too much is not committed, or another is about to lead, clients' writes wait. */
  private holdWrites(): void {
    const holds = this.serves && this.raft!.obstacle !== '';
    if (holds === (this.releaseWrites !== null)) return;
    if (holds) this.releaseWrites = this.parts.engine.pause.holdWrites();
    else {
      this.releaseWrites?.();
      this.releaseWrites = null;
    }
  }

  /** A learner that has nearly all of the log becomes a voter. What would be refused is not asked: that would look here again. */
  private promote(): void {
    const raft = this.raft!;
    const { leading, log } = raft.state;
    for (const { id, kind } of log.configuration) {
      const change: Change = { kind: 'promote', id };
      const isKnown = (leading!.peers.get(id)?.match ?? 0) > 0;
      if (kind === 'voter' || !isKnown || raft.objectionTo(change) !== '') continue;
      this.ask((asker) => ({ kind: 'change', asker, change }), { waits: true, refused: () => {} });
      return;
    }
  }

  // The data.

  private spoilt(): void {
    const { log, engine } = this.parts;
    log.warning('The data hold what the group has not agreed on: they are made anew from what is committed');
    if (this.serves) this.lost(false);
    // What is under way now is over first.
    const restore = (): void => {
      if (this.stopped) return;
      if (engine.suspended === null) this.restore();
      else this.parts.clock.after(10, restore);
    };
    this.parts.clock.soon(restore);
  }

  /** Makes the data anew from the last snapshot and what is committed behind it. */
  private restore(): void {
    const { state } = this.raft!;
    const { snapshot, commit, log } = state;
    this.restores++;
    const entries = commit > snapshot.index ? log.from(snapshot.index + 1, commit) : [];
    this.applier.restore(this.snapshotPath, snapshot.index, entries).catch((error: unknown) => {
      this.parts.die(`The data can't be made anew: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  private maybeSnapshot(): void {
    const { engine, clock, logSize, segments } = this.parts;
    if (this.sinceSnapshot < logSize() || this.keeper.busy || clock.now() < this.snapshotNotBefore) return;
    const { propagation } = engine;
    const { log, term, vote } = this.raft!.state;
    const still = this.serves ? this.applier.whole : this.applier.settled;
    if (!still || !propagation.idle || engine.outermost !== null || !this.effects.empty) return;
    const index = this.serves ? this.applier.reached : this.applier.applied;
    if (log.term(index) < 0 || index <= this.raft!.state.snapshot.index) return;
    this.snapshotNotBefore = clock.now() + RETRY_SNAPSHOT_MS;
    if (!this.keeper.begin(segments.temporaryName(), index, log.term(index))) return;
    this.sinceSnapshot = 0;
    segments.cut(log.mark(log.last), { term, vote });
  }
}

function isSent(output: Output): output is Sent {
  return output.kind === 'send' || output.kind === 'send-snapshot';
}
