/**
 * Pauses of commands: of all, or of those that may write. What is held runs, in its order, when the pause is over.
 *
 * There is the pause that CLIENT PAUSE begins, and those of the server's own works (MIGRATE, the end of the server), which
 * clients can't end.
 */
import type { Slice } from '../base/slice.ts';
import type { Clock, Timer } from '../base/time.ts';
import { GATE_PAUSED_ALL, GATE_PAUSED_WRITE, type Gates } from './gates.ts';
import type { HeldCommands } from './held.ts';
import type { Session } from './session.ts';

/** What a pause asks of the engine whose commands it holds. */
interface Paused {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly keyspaces: { keepExpired(reason: string, on: boolean): void };
  readonly held: HeldCommands;
}

export class Pause {
  private readonly engine: Paused;
  /** Whose commands it holds, in the order in which they came. */
  private readonly sessions = new Set<Session>();
  /** Pauses of the server's own, which clients can't end: whether each holds everything. */
  private readonly own = new Set<{ readonly all: boolean }>();
  private timer: Timer | null = null;
  private until = 0;
  private all = false;

  constructor(engine: Paused) {
    this.engine = engine;
  }

  /** Pauses until `until`, in ms of the server's clock. A pause in force is only ever made longer and stricter. */
  begin(until: number, all: boolean): void {
    const { engine } = this;
    this.all ||= all;
    if (until > this.until) this.until = until;
    this.timer?.cancel();
    this.timer = engine.clock.after(Math.max(0, this.until - engine.clock.now()), () => this.end());
    this.follow();
  }

  /** Ends the pause; the commands held run before the turn ends, and are held again if there is a new one. */
  end(): void {
    this.timer?.cancel();
    this.timer = null;
    this.until = 0;
    this.all = false;
    this.follow();
  }

  /** Holds the commands of all clients until the function that it returns is called. */
  holdAll(): () => void {
    return this.beginOwn({ all: true });
  }

  /** The same for commands that may write. */
  holdWrites(): () => void {
    return this.beginOwn({ all: false });
  }

  private beginOwn(pause: { readonly all: boolean }): () => void {
    this.own.add(pause);
    this.follow();
    return () => {
      this.own.delete(pause);
      this.follow();
    };
  }

  private follow(): void {
    const { engine } = this;
    const { bits } = engine.gates;
    const paused = this.timer !== null || this.own.size > 0;
    const all = this.all || [...this.own].some((pause) => pause.all);
    engine.gates.set(GATE_PAUSED_ALL, 'pause', paused && all);
    engine.gates.set(GATE_PAUSED_WRITE, 'pause', paused);
    // Replicas must not see keys go while nothing may be written.
    engine.keyspaces.keepExpired('pause', paused);
    if (bits & ~engine.gates.bits & (GATE_PAUSED_ALL | GATE_PAUSED_WRITE)) this.free();
  }

  private free(): void {
    for (const session of this.sessions) this.engine.held.free(session);
    this.sessions.clear();
  }

  /** A session that may have a held command is gone. */
  forget(session: Session): void {
    this.sessions.delete(session);
  }

  /** Holds a command of a session, which takes no further one until it has run. */
  hold(session: Session, args: readonly Slice[], argc: number): void {
    this.engine.held.hold(session, args, argc);
    this.sessions.add(session);
  }
}
