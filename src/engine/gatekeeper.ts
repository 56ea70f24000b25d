/**
 * What the gates of gates.ts answer, and in which order: Redis's, for commands (`pass`), for scripts that are to begin
 * (`refusalOfScript`) and for the commands of scripts (`refusalOfCall`). Each takes a mask of the states that are on and
 * concern what is to be run, crosses off the bits that it has looked at, and asserts that none is left without a branch.
 *
 * EXEC is concerned by what concerns the commands that it runs (GATES_OF_QUEUE).
 */
import { assert } from '../base/assert.ts';
import type { Slice } from '../base/slice.ts';
import { flagBit } from './derive.ts';
import type { Engine } from './engine.ts';
import type { EvictionPort } from './eviction-port.ts';
import {
  GATE_ACL,
  GATE_ASKING,
  GATE_ASYNC_LOADING,
  GATE_AUTH,
  GATE_BUSY,
  GATE_CLUSTER,
  GATE_FAULTS,
  GATE_GROUP,
  GATE_KEYSPACE,
  GATE_LOADING,
  GATE_MISCONF,
  GATE_NO_MULTI,
  GATE_OOM,
  GATE_PAUSED_ALL,
  GATE_PAUSED_WRITE,
  GATE_QUEUE,
  GATE_READONLY,
  GATE_REPLICAS,
  GATE_STALE,
  GATE_SUBSCRIBED,
  GATE_TRACKING_FULL,
  GATES_AGAINST_EVICTION,
  GATES_BEFORE,
  GATES_OF_QUEUE,
} from './gates.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

const UNSAVED =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
const AOF_FAILS = 'MISCONF Errors writing to the AOF file: ';

const NO_AUTH = 'NOAUTH Authentication required.';
export const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const NO_REPLICAS = 'NOREPLICAS Not enough good replicas to write.';
const READ_ONLY = "READONLY You can't write against a read only replica.";
const MASTER_DOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const LOADING = 'LOADING Redis is loading the dataset in memory';

const WRITE = flagBit('write');
/** What `pass` has looked at before it asks for a refusal. */
const LOOKED_AT =
  GATE_ASKING | GATE_AUTH | GATE_NO_MULTI | GATE_ACL | GATE_CLUSTER | GATE_GROUP | GATE_OOM | GATE_TRACKING_FULL;

/** What a script that may write is told while nothing can be written to disk, by what a command would be told. */
function diskErrorOfScript(error: string): string {
  const blocked = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
  return error.startsWith(AOF_FAILS)
    ? `MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. ${blocked} AOF error: ${error.slice(AOF_FAILS.length)}`
    : `MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. ${blocked}`;
}

export class Gatekeeper {
  /** What a session hears while a script runs past its time. */
  busy = 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';
  /** What one hears that wants to write while that can't be made lasting. */
  misconf = UNSAVED;
  private readonly engine: Engine;
  private readonly eviction: EvictionPort;

  constructor(engine: Engine, eviction: EvictionPort) {
    this.engine = engine;
    this.eviction = eviction;
  }

  /** Refuses writes while they can't be made lasting: after a snapshot has failed, or by what ails the log (null: nothing). */
  diskErrors(unsaved: boolean, ofLog: string | null): void {
    this.misconf = unsaved || ofLog === null ? UNSAVED : AOF_FAILS + ofLog;
    this.engine.gates.set(GATE_MISCONF, 'snapshot', unsaved);
    this.engine.gates.set(GATE_MISCONF, 'log', ofLog !== null);
  }

  /** Whether more memory is in use than there may be, so that room is to be made before the next command. */
  get crowded(): boolean {
    const { limit } = this.eviction;
    return limit !== Number.POSITIVE_INFINITY && this.engine.usedMemory.forMaxmemory > limit;
  }

  /**
   * Whether the command may run now; otherwise it has been answered, queued or held. `gates` are the states on that may
   * concern it. Called as well with none where memory is crowded.
   */
  pass(session: Session, registered: Registered, args: readonly Slice[], argc: number, gates: number): boolean {
    const { engine } = this;
    const { transaction } = session;
    const { flagsWith } = registered.command;
    const flags = flagsWith === undefined ? registered.flags : flagsWith(engine as never, args, argc);
    const concerned = flagsWith === undefined ? registered.gates : registered.gatesWith(flags);
    let left = gates & concerned & GATES_BEFORE;
    if (registered.runsQueue) left &= ~GATES_OF_QUEUE | (transaction?.gates ?? 0);
    if (left & GATE_ASKING) session.askingGoesOn();
    if (left & GATE_AUTH) return this.refuse(session, registered, args, argc, NO_AUTH);
    if (left & GATE_NO_MULTI)
      return this.refuse(session, registered, args, argc, 'ERR Command not allowed inside a transaction');
    if (left & GATE_ACL) {
      const error = engine.acl.permits(session, registered, args, argc);
      if (error !== null) return this.refuse(session, registered, args, argc, error);
    }
    if (left & (GATE_CLUSTER | GATE_GROUP)) {
      const elsewhere = engine.membership.redirection(session, registered, args, argc, flags);
      if (elsewhere !== null) return this.redirect(session, registered, args, argc, elsewhere);
    }
    if (this.isShort(session)) {
      const takes = registered.runsQueue ? (transaction?.gates ?? 0) : concerned;
      // What is queued takes memory as well, whatever the command.
      if ((left & GATE_QUEUE) | (takes & GATE_OOM)) return this.refuse(session, registered, args, argc, OOM);
    }
    if (left & GATE_TRACKING_FULL) engine.tracking.limit();
    left &= ~LOOKED_AT;
    if (left === 0) return true;
    const refusal = this.refusal(left, registered);
    if (refusal !== null) return this.refuse(session, registered, args, argc, refusal);
    if (left & (GATE_PAUSED_ALL | GATE_PAUSED_WRITE)) {
      engine.pause.hold(session, args, argc);
      return false;
    }
    if (left & GATE_FAULTS && !engine.faults.lets(session, registered, args, argc)) return false;
    if ((left & GATE_QUEUE) === 0 || registered.immediate || transaction === null) return true;
    session.reply.status('QUEUED');
    // What will never be run needn't be kept.
    if (transaction.broken || engine.watches.isTouched(session)) return false;
    // A disk error that PING tells of is none of EXEC's.
    const queuedFor = registered.has(WRITE) ? concerned : concerned & ~GATE_MISCONF;
    engine.usedMemory.queued += transaction.add(registered, args, argc, queuedFor);
    return false;
  }

  /** The second half of `pass`: states of which each refuses by itself. */
  private refusal(gates: number, registered: Registered): string | null {
    if (gates & GATE_MISCONF) return this.misconf;
    if (gates & GATE_REPLICAS) return NO_REPLICAS;
    if (gates & GATE_READONLY) return READ_ONLY;
    if (gates & GATE_SUBSCRIBED)
      return `ERR Can't execute '${registered.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`;
    if (gates & GATE_STALE) return MASTER_DOWN;
    if (gates & (GATE_LOADING | GATE_ASYNC_LOADING)) return LOADING;
    if (gates & GATE_BUSY) return this.busy;
    if (gates & GATE_KEYSPACE) return "ERR Replica can't interact with the keyspace";
    assert(
      (gates & ~(GATE_PAUSED_ALL | GATE_PAUSED_WRITE | GATE_FAULTS | GATE_QUEUE)) === 0,
      'every gate has its branch',
    );
    return null;
  }

  /** Makes room where memory is crowded and something may be evicted; whether there is too little for the session now. */
  private isShort(session: Session): boolean {
    const { gates, propagation } = this.engine;
    // What runs half suspended has seen to memory when it began.
    if (propagation.held) return false;
    const crowded = this.crowded && !gates.any(GATES_AGAINST_EVICTION);
    const short = crowded && !this.eviction.makeRoom();
    if (short || gates.any(GATE_OOM)) gates.set(GATE_OOM, 'maxmemory', short);
    return (gates.bits & session.minds & GATE_OOM) !== 0;
  }

  /**
   * Why a script can't begin now. `gates` are the states on that concern it by what it declares; `declares` is not set where
   * it says nothing of itself, and is judged by each command that it runs.
   */
  refusalOfScript(gates: number, declares: boolean, readOnly: boolean): string | null {
    if (!declares) return gates & GATE_STALE ? MASTER_DOWN : null;
    if (gates & GATE_CLUSTER) return "ERR Can not run script on cluster, 'no-cluster' flag is set.";
    if (gates & GATE_STALE)
      return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.";
    if (gates & GATE_READONLY) return 'READONLY Can not run script with write flag on readonly replica';
    if (gates & GATE_MISCONF) return diskErrorOfScript(this.misconf);
    if (readOnly) return 'ERR Can not execute a script with write flag using *_ro command.';
    if (gates & GATE_REPLICAS) return NO_REPLICAS;
    if (gates & GATE_OOM)
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    assert(gates === 0, 'every gate of a script has its branch');
    return null;
  }

  /** The same for a command of a script that runs, once it is known to have a right to it; a code of its own follows '-'. */
  refusalOfCall(gates: number): string | null {
    if (gates & GATE_STALE) return 'Can not execute the command on a stale replica';
    if (gates & GATE_READONLY) return `-${READ_ONLY}`;
    if (gates & GATE_MISCONF) return `-${this.misconf}`;
    if (gates & GATE_REPLICAS) return `-${NO_REPLICAS}`;
    if (gates & GATE_OOM) return `-${OOM}`;
    assert(gates === 0, "every gate of a script's command has its branch");
    return null;
  }

  /** Sends a client elsewhere. An EXEC that is sent away has ended its transaction. */
  private redirect(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    error: string,
  ): boolean {
    registered.rejected++;
    this.engine.recorder.refused(session, registered, args, argc, error);
    if (registered.runsQueue) this.engine.discard(session);
    else if (session.transaction) session.transaction.broken = true;
    session.reply.error(error);
    return false;
  }

  private refuse(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    error: string,
  ): boolean {
    this.engine.refuse(session, registered, args, argc, error);
    return false;
  }
}
