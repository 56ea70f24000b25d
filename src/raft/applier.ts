/**
 * The data as the state machine of a group: what is committed is done to them, in its order.
 *
 *   entries ── take ──> waiting ── in slices ──> engine.execute (role: committed)        applied: the last that is done
 *   restore ──> (waiting) ──> old data go ──> snapshot is loaded ──> entries behind it
 *
 * A leader has done what it proposes before it is committed. Up to `ahead` the data have what it did in its term: entries of
 * that term are not done again. Where another leader's entry stands in such a place, what was done here is not what the group
 * has agreed on: the data are `spoilt`, and made anew from the last snapshot and what is committed behind it. So are they
 * when somebody who does not lead has changed them without the log: a script that went on when its leader's time was over.
 *
 * Nothing is done while a unit of a client's is left half way, nor within a load.
 */
import { assert } from '../base/assert.ts';
import type { Engine } from '../engine/engine.ts';
import { NULL_PORT } from '../engine/null-port.ts';
import { COMMITTED } from '../engine/roles.ts';
import type { Session } from '../engine/session.ts';
import { UnowedTurn } from '../engine/unowed-turn.ts';
import type { ErrorListener } from '../protocol/reply.ts';
import { READY, RequestParser } from '../protocol/request.ts';
import type { Entry } from './entry.ts';
import { effectsOf, goesOn } from './payloads.ts';

const SLICE_MICROS = 5000;

export interface ApplierParts {
  readonly engine: Engine;
  /** Puts the data of a file in the place of those there are; of none where null. */
  readonly load: (path: string | null) => Promise<void>;
  /** More has been applied, or the data can be used again. */
  readonly advanced: () => void;
  /** The data must be made anew: `restore` is to be called. */
  readonly spoilt: () => void;
  /** An entry can't be done: the data are no longer the group's. */
  readonly failed: (reason: string) => void;
}

/** What is being done: the effects of an entry, from `at` on. */
interface Work {
  readonly entry: Entry;
  readonly bytes: Uint8Array;
  at: number;
}

export class Applier implements ErrorListener {
  /** The last entry whose effect the data have, and all before. */
  applied = 0;
  /** Whether commands of the log are being done now. */
  applying = false;
  loading = false;
  private readonly parts: ApplierParts;
  private readonly turn: UnowedTurn;
  private session: Session | null = null;
  private readonly parser: RequestParser;
  private readonly runNow = (): void => this.run();
  private waiting: Entry[] = [];
  private next = 0;
  /** Payloads of what goes on in entries that have not come. */
  private begun: Uint8Array[] = [];
  private work: Work | null = null;
  private stalled = false;
  private scheduled = false;
  private aheadIndex = 0;
  private aheadTerm = 0;
  private isSpoilt = false;
  private loads = 0;

  constructor(parts: ApplierParts) {
    const { engine } = parts;
    this.parts = parts;
    this.turn = new UnowedTurn(engine);
    this.parser = new RequestParser(engine.server.settings);
  }

  /** Up to which entry the data go, committed or not. */
  get reached(): number {
    return Math.max(this.applied, this.aheadIndex);
  }

  /** Whether the data are those of an entry of the log, whole, and may be looked at. */
  get whole(): boolean {
    return !this.loading && !this.isSpoilt && this.work === null && this.begun.length === 0;
  }

  /** Whether nothing of the entries up to this one is needed here any more. */
  isBehind(index: number): boolean {
    return this.whole && this.applied >= index;
  }

  /** Whether they have nothing that is not committed. */
  get settled(): boolean {
    return this.whole && this.aheadIndex <= this.applied;
  }

  /** The leader has done what the entries up to `index` say, which are of its term. */
  wentAhead(index: number, term: number): void {
    this.aheadIndex = index;
    this.aheadTerm = term;
  }

  /** Something has changed the data that is not in the log. */
  spoil(): void {
    if (this.isSpoilt) return;
    this.isSpoilt = true;
    this.parts.spoilt();
  }

  /** They are done once the rules have looked at all that has come: others wait for what these say of it, and not for this. */
  take(entries: readonly Entry[]): void {
    const isNext = this.next === this.waiting.length && this.work === null && !this.applying && !this.isSpoilt;
    for (const entry of entries) {
      // What the leader has done itself needs no turn: those who asked for the step look at how far the data have come.
      if (isNext && this.next === this.waiting.length && this.wasDone(entry)) this.applied = entry.index;
      else this.waiting.push(entry);
    }
    if (this.next < this.waiting.length) this.later();
  }

  /** Makes the data anew: those of `path`, which stand for the entries up to `index`, and what the entries behind it say. */
  async restore(path: string | null, index: number, entries: readonly Entry[]): Promise<void> {
    const load = ++this.loads;
    this.loading = true;
    this.isSpoilt = false;
    this.waiting = [...entries];
    this.next = 0;
    this.begun = [];
    this.work = null;
    this.stalled = false;
    this.aheadIndex = 0;
    this.applied = index;
    this.leave();
    await this.parts.load(path);
    if (load !== this.loads) return;
    this.loading = false;
    this.run();
    this.parts.advanced();
  }

  /** Nothing is left half way any more. */
  goOn(): void {
    this.run();
  }

  stop(): void {
    this.loads++;
    this.waiting = [];
    this.next = 0;
    this.work = null;
    this.leave();
  }

  errorReplied(text: string): void {
    this.parts.failed(
      `'-${text.slice(0, 200)}' is what '${this.session?.lastCommand?.name ?? ''}' of the log is replied`,
    );
  }

  private run(): void {
    if (this.applying || this.stalled || this.loading || this.isSpoilt) return;
    const { engine } = this.parts;
    const before = this.applied;
    const until = engine.clock.monotonic() + SLICE_MICROS;
    while (!this.stalled && !this.isSpoilt && (this.work !== null || this.next < this.waiting.length)) {
      if (this.work === null && this.isDone(this.waiting[this.next])) continue;
      if (engine.suspended !== null || engine.clock.monotonic() >= until) {
        this.later();
        break;
      }
      this.doWork();
    }
    if (this.next === this.waiting.length || this.next > 1024) {
      this.waiting.splice(0, this.next);
      this.next = 0;
    }
    if (this.applied !== before) this.parts.advanced();
  }

  /** Whether it is one of those with which a leader goes ahead. */
  private wasDone({ index, term }: Entry): boolean {
    return !this.loading && index <= this.aheadIndex && term === this.aheadTerm;
  }

  /** Whether nothing is to be done for the entry, or not yet; otherwise its work begins. */
  private isDone(entry: Entry): boolean {
    assert(entry.index === this.applied + 1, 'entries are done in their order');
    if (entry.index <= this.aheadIndex) {
      if (entry.term === this.aheadTerm) return this.done(entry);
      this.spoil();
      return true;
    }
    if (entry.kind === 'noop') this.begun = [];
    if (entry.kind !== 'command') return this.done(entry);
    this.begun.push(entry.payload);
    if (goesOn(entry.payload)) return this.done(entry);
    this.work = { entry, bytes: effectsOf(this.begun), at: 0 };
    this.begun = [];
    this.next++;
    return false;
  }

  private done({ index }: Entry): true {
    this.applied = index;
    this.next++;
    return true;
  }

  /** Does what an entry says; it is done at one go, unless a command has to wait for something. */
  private doWork(): void {
    const work = this.work!;
    const { parser } = this;
    const { engine } = this.parts;
    this.session ??= this.enter();
    const { session } = this;
    this.turn.begin();
    if (work.at === 0) session.db = engine.keyspaces.databases[0];
    this.applying = true;
    parser.start(work.at);
    let unseen = 1;
    try {
      while (!this.stalled && work.at < work.bytes.length) {
        if (--unseen === 0) unseen = engine.lookAhead.fetch(session, work.bytes, work.at, work.bytes.length);
        if (parser.next(work.bytes, work.bytes.length, true) !== READY) {
          this.parts.failed('an entry of the log holds no commands');
          return;
        }
        work.at = parser.at;
        if (!engine.execute(session, parser.args, parser.argc))
          this.stalled = session.postponed || session.waiter !== null;
        if (session.closing) return;
        parser.start(work.at);
      }
    } finally {
      this.applying = false;
    }
    if (this.stalled) return;
    this.work = null;
    this.applied = work.entry.index;
  }

  private enter(): Session {
    const { engine } = this.parts;
    const session = engine.open({ ...NULL_PORT, resume: () => engine.clock.soon(() => this.resume()) }, COMMITTED);
    session.reply.suppressed = true;
    session.reply.errors = this;
    return session;
  }

  /** A command of the log has had to wait, and goes on. */
  private resume(): void {
    const { session } = this;
    if (session === null || session.closed || !this.stalled) return;
    session.released = false;
    this.turn.begin();
    this.applying = true;
    try {
      if (!this.parts.engine.goOn(session)) return;
    } finally {
      this.applying = false;
    }
    this.stalled = false;
    const { work } = this;
    if (work !== null && work.at === work.bytes.length) {
      this.work = null;
      this.applied = work.entry.index;
      this.parts.advanced();
    }
    this.run();
  }

  /** The session that does it is gone, with whatever it waits for. */
  private leave(): void {
    const { session } = this;
    this.session = null;
    if (session === null) return;
    this.parts.engine.leave(session);
    session.reply.abandon();
  }

  private later(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const { engine } = this.parts;
    const look = (): void => {
      this.scheduled = false;
      this.turn.within(this.runNow);
    };
    // Whoever is left half way is looked at again now and then.
    if (engine.suspended === null) engine.clock.soon(look);
    else engine.clock.after(10, look);
  }
}
