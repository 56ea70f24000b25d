/**
 * One step of the rules: what is known, what time it is, and what is to be done about it. What is to be stored comes first
 * among the outputs of a step, then what is sent, what is applied, and what others are told.
 */
import { assert } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import { Versions } from '../../base/versions.ts';
import type { NodeId } from '../configuration.ts';
import type { Entry, Mark } from '../entry.ts';
import type { Message } from '../message.ts';
import type { Asker, Output, RaftSettings, Reason, Role } from '../messages.ts';
import type { Leadership, RaftState } from '../state.ts';

/** What the rules are given once and for all. */
export interface World {
  readonly random: Random;
  readonly settings: RaftSettings;
}

/** Entries up to `last` are on the disk when the version is. */
interface Store {
  readonly version: number;
  last: number;
}

export class Turn {
  readonly state: RaftState;
  readonly world: World;
  now: number;
  /** Terms or votes were changed. */
  private stateChanged = false;
  /** The last entry that was handed out to be stored. */
  private issued: number;
  private installs: Mark | null = null;
  private readonly versions = new Versions();
  /** The last version with a term and vote. */
  private stateVersion = 0;
  private stores: Store[] = [];
  private messages: Message[] = [];
  private outputs: Output[] = [];
  private shown: Role | null = null;
  private shownTerm = 0;
  private shownLeader: NodeId = 0;

  constructor(state: RaftState, world: World, now: number) {
    this.state = state;
    this.world = world;
    this.now = now;
    this.issued = state.log.last;
  }

  get settings(): RaftSettings {
    return this.world.settings;
  }

  get leading(): Leadership | null {
    return this.state.leading;
  }

  /** Whether term and vote are on the disk as they are. */
  get stateIsDurable(): boolean {
    return !this.stateChanged && this.stateVersion <= this.versions.durable;
  }

  begin(now: number): void {
    assert(now >= this.now, 'the clock of the rules never goes back');
    this.now = now;
  }

  end(): readonly Output[] {
    const outputs: Output[] = [];
    this.store(outputs);
    const after = this.stateIsDurable ? 0 : this.stateVersion;
    for (const message of this.messages)
      outputs.push(
        message.type === 'snapshot' ? { kind: 'send-snapshot', message, after } : { kind: 'send', message, after },
      );
    this.apply(outputs);
    for (const output of this.outputs) outputs.push(output);
    this.showRole(outputs);
    this.messages = [];
    this.outputs = [];
    return outputs;
  }

  output(output: Output): void {
    this.outputs.push(output);
  }

  /** From us, in our term. Whoever sends writes it out whole: V8 draws the shape of what is spread into anew each time. */
  send(message: Message): void {
    const { id, term } = this.state;
    assert(message.from === id && message.term === term, 'everybody speaks for himself, in his term');
    assert(message.to !== id, 'nobody sends to himself');
    this.messages.push(message);
  }

  refuse(asker: Asker, reason: Reason): void {
    const { leader } = this.state;
    this.output({ kind: 'refused', asker, reason, leader });
  }

  /** The term is a later one, or a vote was given. */
  commitTo(term: number, vote: NodeId): void {
    const { state } = this;
    assert(term > state.term || (term === state.term && state.vote === 0), 'a vote binds for its term');
    state.term = term;
    state.vote = vote;
    this.stateChanged = true;
  }

  append(entry: Entry): void {
    this.state.log.append(entry);
  }

  /** Cuts off entries that are not the leader's. */
  truncate(index: number): void {
    const { log, commit } = this.state;
    assert(index > commit, 'what is committed is never cut off');
    log.truncate(index);
    this.issued = Math.min(this.issued, index - 1);
    for (const store of this.stores) store.last = Math.min(store.last, index - 1);
  }

  /** A snapshot replaces log and state machine. */
  install(mark: Mark): void {
    const { state } = this;
    assert(mark.index > state.commit, 'nothing that is committed is replaced');
    state.log.restart(mark);
    state.snapshot = mark;
    state.commit = mark.index;
    state.applied = mark.index;
    this.issued = mark.index;
    for (const store of this.stores) store.last = 0;
    this.installs = mark;
  }

  stored(version: number): void {
    this.versions.written(version);
    const { log } = this.state;
    let done = 0;
    for (const store of this.stores) {
      if (store.version > version) break;
      log.durable = Math.max(log.durable, store.last);
      done++;
    }
    this.stores.splice(0, done);
  }

  private store(outputs: Output[]): void {
    const { state, versions, issued } = this;
    const { log, term, vote } = state;
    if (this.installs !== null) {
      const { installs: mark } = this;
      const version = versions.next();
      outputs.push({ kind: 'install', version, mark });
      this.stores.push({ version, last: mark.index });
      this.installs = null;
    }
    if (!this.stateChanged && log.last === issued) return;
    const version = versions.next();
    const entries = log.from(issued + 1);
    outputs.push({ kind: 'store', version, state: this.stateChanged ? { term, vote } : null, entries });
    this.stores.push({ version, last: log.last });
    if (this.stateChanged) this.stateVersion = version;
    this.stateChanged = false;
    this.issued = log.last;
  }

  private apply(outputs: Output[]): void {
    const { state } = this;
    if (state.applied === state.commit) return;
    outputs.push({ kind: 'apply', entries: state.log.from(state.applied + 1, state.commit) });
    state.applied = state.commit;
  }

  private showRole(outputs: Output[]): void {
    const { role, term, leader } = this.state;
    if (role === this.shown && term === this.shownTerm && leader === this.shownLeader) return;
    this.shown = role;
    this.shownTerm = term;
    this.shownLeader = leader;
    outputs.push({ kind: 'role', role, term, leader });
  }
}
