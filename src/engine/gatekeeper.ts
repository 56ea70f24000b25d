/**
 * The gates that a command may have to pass, in Redis's order. Only walked when the mask of gates.ts says that one of
 * them concerns the command.
 */
import type { Slice } from '../base/slice.ts';
import type { Engine } from './engine.ts';
import {
  GATE_ACL,
  GATE_AUTH,
  GATE_BUSY,
  GATE_LOADING,
  GATE_MISCONF,
  GATE_MONITORED,
  GATE_NO_MULTI,
  GATE_OOM,
  GATE_PAUSED_ALL,
  GATE_PAUSED_WRITE,
  GATE_QUEUE,
  GATE_REPLICAS,
  GATE_SUBSCRIBED,
  GATE_TRACKED,
  GATES_OF_QUEUE,
} from './gates.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

/** What a client hears that wants to write after a snapshot has failed. */
export const UNSAVED =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

export class Gatekeeper {
  /** What a session hears while a script runs past its time. */
  busy = 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';
  /** What one hears that wants to write while that can't be made lasting. */
  misconf = UNSAVED;
  /** Memory was short when the last command came that could take any. */
  short = false;
  private readonly engine: Engine;
  /** Frees memory until maxmemory is kept; false when that failed. Installed by eviction. */
  makeRoom: () => boolean = () => false;
  /** Asks the user's rules; an error text when they refuse. Installed by ACL. */
  permits: (session: Session, registered: Registered, args: readonly Slice[], argc: number) => string | null = () =>
    null;
  /** Holds a command of a paused client. Installed by CLIENT PAUSE; says whether it was held. */
  hold: (session: Session, registered: Registered, args: readonly Slice[], argc: number) => boolean = () => false;
  /** A session that may have a held command is gone. */
  letGo: (session: Session) => void = () => {};
  /** Shows a command to those who monitor. */
  monitor: (session: Session, registered: Registered, args: readonly Slice[], argc: number) => void = () => {};

  constructor(engine: Engine) {
    this.engine = engine;
  }

  refreshMonitors(): void {
    const on = this.engine.monitors.size > 0;
    this.engine.denied = on ? this.engine.denied | GATE_MONITORED : this.engine.denied & ~GATE_MONITORED;
  }

  /** Whether the command may run now; otherwise it has been answered, queued or held. */
  pass(session: Session, registered: Registered, args: readonly Slice[], argc: number, gates: number): boolean {
    const engine = this.engine;
    const { transaction } = session;
    const concerned = registered.gatesWith(engine, args, argc);
    this.short = (engine.denied & GATE_OOM) !== 0 && (engine.memory.scarce || !this.makeRoom());
    gates &= concerned;
    if (registered.command.name === 'EXEC') gates &= ~GATES_OF_QUEUE | (transaction?.gates ?? 0);
    if (gates & GATE_AUTH) return this.refuse(session, registered, 'NOAUTH Authentication required.');
    if (gates & GATE_NO_MULTI) return this.refuse(session, registered, 'ERR Command not allowed inside a transaction');
    if (gates & GATE_ACL) {
      const error = this.permits(session, registered, args, argc);
      if (error !== null) return this.refuse(session, registered, error);
    }
    // What is queued takes memory as well, whatever the command.
    if (gates & GATE_QUEUE && engine.denied & GATE_OOM && registered.command.name !== 'UNWATCH') gates |= GATE_OOM;
    if (gates & GATE_OOM && this.short)
      return this.refuse(session, registered, "OOM command not allowed when used memory > 'maxmemory'.");
    if (gates & GATE_TRACKED) this.engine.tracking.limit();
    if (gates & GATE_MISCONF) return this.refuse(session, registered, this.misconf);
    if (gates & GATE_REPLICAS) return this.refuse(session, registered, 'NOREPLICAS Not enough good replicas to write.');
    if (gates & GATE_SUBSCRIBED)
      return this.refuse(
        session,
        registered,
        `ERR Can't execute '${registered.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      );
    if (gates & GATE_LOADING) return this.refuse(session, registered, 'LOADING Redis is loading the dataset in memory');
    if (gates & GATE_BUSY) return this.refuse(session, registered, this.busy);
    if (gates & (GATE_PAUSED_ALL | GATE_PAUSED_WRITE) && this.hold(session, registered, args, argc)) return false;
    if (gates & GATE_QUEUE) {
      if (transaction !== null) engine.usedMemory.queued += transaction.add(registered, args, argc, concerned);
      session.reply.status('QUEUED');
      return false;
    }
    return true;
  }

  private refuse(session: Session, registered: Registered, error: string): boolean {
    this.engine.refuse(session, registered, error);
    return false;
  }
}
