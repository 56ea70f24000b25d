/**
 * Commands that are held before they run: by a pause, or by a fault that somebody has switched on.
 *
 *   hold ──> held ── free ──> freed ── goOn, before the turn ends ──> executed like one that has just come
 *
 * A session has at most one, and takes no further command until that has run.
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import { keepArguments, type Session } from './session.ts';

/** What runs them. */
interface Runner {
  readonly blocking: { count: number };
  readonly faults: { passed(session: Session): void };
  enter(): void;
  execute(session: Session, args: readonly Slice[], argc: number): boolean;
}

export class HeldCommands {
  private readonly engine: Runner;
  private readonly held = new Map<Session, Slice[]>();
  /** What was held and runs before the turn ends. */
  private readonly freed = new Map<Session, Slice[]>();

  constructor(engine: Runner) {
    this.engine = engine;
  }

  hold(session: Session, args: readonly Slice[], argc: number): void {
    assert(!this.held.has(session), 'a session has at most one held command');
    // What ASKING has said is for the command, whenever it runs.
    if (session.asks) session.ask('next');
    this.held.set(session, keepArguments(args, argc));
    session.postponed = true;
    this.engine.blocking.count++;
  }

  /** Whether a command of the session is held, which has not run at all. */
  has(session: Session): boolean {
    return this.held.has(session);
  }

  /** Lets the command of a session run, if one is held. */
  free(session: Session): void {
    const args = this.held.get(session);
    if (args === undefined) return;
    this.held.delete(session);
    this.engine.blocking.count--;
    session.postponed = false;
    session.released = true;
    this.freed.set(session, args);
    session.port.resume();
  }

  /** Runs what was freed, if something was; false when the session takes no further command for now. */
  goOn(session: Session): boolean {
    const { engine, freed } = this;
    const args = freed.get(session);
    if (args === undefined) return !this.held.has(session);
    freed.delete(session);
    engine.enter();
    const goesOn = engine.execute(session, args, args.length);
    if (!this.held.has(session)) engine.faults.passed(session);
    return goesOn;
  }

  /** A session is gone. */
  forget(session: Session): void {
    this.freed.delete(session);
    if (this.held.delete(session)) this.engine.blocking.count--;
  }
}
