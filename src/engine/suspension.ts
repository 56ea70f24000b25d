/**
 * What is left half way and goes on later: a script past its time, MIGRATE that waits for another server, a load that goes
 * on in slices.
 *
 *   running ── ofUnit, leave ──> left ── goOn ──> running ── ended ──> ended ── (the rest of its unit) ──> answered
 *                                 └────── leave ──────┘
 *
 * `ofUnit` leaves the outermost command with whatever stands within it (a script or MIGRATE in EXEC): its effects so far
 * and to come are one unit, so they are held back, no waiter is served, and what is run again is always the outermost
 * command, whose `run` finds its way back to where it was. `waiting` is for a command that has changed nothing yet: it waits
 * like for a key and others go on.
 *
 * While one is left its session takes no command (`postponed`, or `waiter`), and at most one of a unit is left at a time.
 * CLIENT REPLY SKIP holds until the reply, however late. A session that is gone meanwhile hears nothing; the work is done.
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import { type Call, RESUMING } from './call.ts';
import type { Engine } from './engine.ts';
import { keepArguments, type Session, type Waiter } from './session.ts';
import type { Registered } from './table.ts';

export class Suspension {
  readonly session: Session;
  private readonly engine: Engine;
  /** The command that is run again, with its arguments. */
  private readonly registered: Registered;
  private readonly args: readonly Slice[];
  /** Where it waits by itself; null where it is within a unit that is held. */
  private readonly waiter: Waiter | null;
  private state: 'running' | 'left' | 'ended' = 'running';

  private constructor(
    engine: Engine,
    session: Session,
    work: Pick<Waiter, 'registered' | 'args'>,
    waiter: Waiter | null,
  ) {
    this.engine = engine;
    this.session = session;
    this.registered = work.registered;
    this.args = work.args;
    this.waiter = waiter;
  }

  /** Leaves the command at hand half way, with those that it runs within. */
  static ofUnit(c: Call): Suspension {
    const { engine } = c;
    const { session, registered, args, argc } = engine.outermost!;
    const kept = keepArguments(args, argc);
    const suspension = new Suspension(engine, session, { registered, args: kept }, null);
    assert(engine.suspended === null && !engine.propagation.held, 'one unit is left half way at a time');
    engine.suspended = suspension;
    engine.propagation.held = true;
    suspension.leave(c);
    return suspension;
  }

  /** Lets the command at hand wait for something outside of the data; it has changed nothing. */
  static waiting(c: Call): Suspension {
    assert(!c.denyBlocking && c.dirty === 0, 'what waits by itself is a command of its own, and has changed nothing');
    c.block({ type: -1, keys: [], timeout: 0, onTimeout: 'null', firm: true });
    const waiter = c.session.waiter!;
    const suspension = new Suspension(c.engine, c.session, waiter, waiter);
    suspension.state = 'left';
    return suspension;
  }

  /** Whether it still does: whatever ends the wait of a session from outside ends that of its command. */
  get waits(): boolean {
    return this.waiter === null || this.session.waiter === this.waiter;
  }

  /** What is run again has not come to its end: it is left once more. */
  leave(c: Call): void {
    assert(this.state === 'running' && this.engine.suspended === this, 'what is left has been running');
    this.state = 'left';
    this.session.postponed = true;
    c.stillWaiting = true;
  }

  /** What was left half way has come to its end within its command, which goes on to its own. */
  ended(): void {
    assert(this.state === 'running', 'what ends has been running');
    this.state = 'ended';
    if (this.waiter !== null) return;
    assert(this.engine.suspended === this, 'the unit is held for what ends');
    this.engine.suspended = null;
    this.engine.propagation.held = false;
  }

  /** Goes on, from outside of any command. */
  goOn(): void {
    const { engine, session, waiter } = this;
    assert(this.state === 'left', 'what goes on has been left');
    this.state = 'running';
    engine.enter();
    if (session.closed) session.reply.suppressed = true;
    const done = engine.call(session, this.registered, this.args, this.args.length, RESUMING);
    // It, or another part of its unit, is left again.
    if (!done) return;
    if (this.state === 'running') {
      this.ended();
      engine.propagation.flush(true);
    }
    if (waiter !== null) engine.unblock(session);
    else {
      session.postponed = false;
      // What the rest of a transaction has entered a session into that is gone.
      if (session.closed) engine.release(session);
      else engine.answered(session);
    }
    engine.serveWaiters();
    if (engine.suspended === null) engine.replication.unitEnded();
  }

  /** Checks what holds while it is left. */
  verify(): void {
    const { session, waiter, engine } = this;
    if (this.state !== 'left') return;
    if (waiter !== null) {
      assert(session.closed || session.waiter === waiter, 'what waits is waited for');
      return;
    }
    assert(engine.suspended === this && engine.propagation.held, 'the effects of what is left are held back');
    assert(session.postponed && session.waiter === null, 'the session of what is left takes no command');
  }
}
