/**
 * The engine: takes commands from sessions, passes them through the gates, runs them, and sees to what follows.
 *
 *   execute ── resolve ── gates ── call ── run ── changed() ──> watches, blocked clients, notifications
 *                                   └── statistics, propagation ── served waiters
 *
 * It owns no data and no socket: keyspaces, statistics, the command table and the registers of waiting, watching and
 * subscribed sessions are small owners of their own, which commands reach through their call.
 */
import { assert, verifies } from '../base/assert.ts';
import { ProcessMemory } from '../base/process-memory.ts';
import type { Random } from '../base/random.ts';
import { type Slice, sliceOf, TextTooLong } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { NOTIFY } from '../config/special.ts';
import type { Database } from '../keyspace/database.ts';
import type { Keyspaces } from '../keyspace/keyspaces.ts';
import { OutOfMemory } from '../memory/errors.ts';
import type { Memory } from '../memory/memory.ts';
import type { ChunkPool } from '../protocol/chunk.ts';
import { Accessors } from './accessors.ts';
import { Acl } from './acl/acl.ts';
import { Blocking } from './blocking.ts';
import { Call, type CallMode, DENY_BLOCKING, RESUMING } from './call.ts';
import { ClientMemory } from './client-memory.ts';
import { CrossProtocol } from './cross-protocol.ts';
import { DefragFigures } from './defrag-figures.ts';
import { flagBit } from './derive.ts';
import { describe } from './describe.ts';
import { BY_NOBODY, eventClass, isTakingAway } from './events.ts';
import { NO_EVICTION } from './eviction-port.ts';
import { Faults } from './faults.ts';
import { Gatekeeper, OOM } from './gatekeeper.ts';
import {
  GATE_CLUSTER,
  GATE_LOADING,
  GATE_MONITORED,
  GATE_OOM,
  GATE_RECORDED,
  GATE_TRACKED,
  GATES_AFTER,
  GATES_BEFORE,
  Gates,
} from './gates.ts';
import { HeldCommands } from './held.ts';
import { LatencyMonitor } from './latency.ts';
import { LookAhead } from './look-ahead.ts';
import { Membership } from './membership.ts';
import { Monitors } from './monitors.ts';
import type { EngineParts } from './parts.ts';
import { Pause } from './pause.ts';
import type { SessionHost, SessionPort } from './ports.ts';
import { Propagation, TO_ALL } from './propagation.ts';
import { PubSub } from './pubsub.ts';
import { Recorder } from './recorder.ts';
import { NO_REPLICATION, type ReplicationPort } from './replication-port.ts';
import { ReplyGate } from './reply-gate.ts';
import { CLIENT, type Role } from './roles.ts';
import { NO_SCRIPTING, type ScriptingPort } from './scripting-port.ts';
import type { ServerPort } from './server-port.ts';
import { replyTimeout, Session, type Waiter } from './session.ts';
import { SlowCommands } from './slow-commands.ts';
import { Stats } from './stats.ts';
import type { Suspension } from './suspension.ts';
import { CommandTable, type Registered } from './table.ts';
import { Tracking } from './tracking.ts';
import type { Queued } from './transaction.ts';
import { unknownCommand, unknownSubcommand } from './unknown-command.ts';
import { SERVER_BYTES, UsedMemory } from './used-memory.ts';
import { Watches } from './watches.ts';

const WRITE = flagBit('write');
const READS = flagBit('readonly');
/** How long commands that came together see the same time. */
const REFRESH_MICROS = 500;

export class Engine implements SessionHost<Session> {
  readonly memory: Memory;
  readonly keyspaces: Keyspaces;
  readonly clock: Clock;
  readonly random: Random;
  readonly accessors: Accessors;
  readonly stats = new Stats();
  readonly table: CommandTable;
  readonly propagation = new Propagation();
  readonly watches = new Watches();
  readonly pubsub: PubSub;
  readonly blocking: Blocking;
  readonly tracking: Tracking;
  readonly clientMemory: ClientMemory;
  readonly usedMemory: UsedMemory;
  readonly gates = new Gates();
  readonly gatekeeper: Gatekeeper;
  readonly acl: Acl;
  private readonly crossProtocol: CrossProtocol;
  /** Settings, log, shutdown and the other services of the composition root. */
  readonly server: ServerPort;
  readonly sessions = new Map<number, Session>();
  readonly monitors: Monitors;
  readonly membership: Membership;
  readonly replyGate = new ReplyGate<Session>((session) => this.kill(session));
  readonly held: HeldCommands = new HeldCommands(this);
  readonly pause: Pause;
  readonly faults: Faults = new Faults(this);
  readonly recorder: Recorder = new Recorder(this);
  /** The unit that is left half way, if one is. */
  suspended: Suspension | null = null;
  readonly latency = new LatencyMonitor();
  readonly process: ProcessMemory;
  readonly defrag = new DefragFigures();
  readonly slow: SlowCommands;
  readonly lookAhead = new LookAhead();
  /** Bytes in use before the first command. */
  readonly startupMemory: number;
  /** Classes of keyspace events that are published (bits of events.ts), null for none. */
  events: number | null = null;
  /** Our part among servers that hold the same data. */
  replication: ReplicationPort = NO_REPLICATION;
  /** What scripting/ tells of itself. */
  scripting: ScriptingPort = NO_SCRIPTING;
  /** Called when something comes from outside; null where nobody waits for that. */
  onWake: (() => void) | null = null;
  /** Has the long texts among queued commands compiled before EXEC runs them: false where it waits for that. */
  prepare: (c: Call, queue: readonly Queued[]) => boolean = () => true;
  /** DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run every command. */
  scriptsMayAll = false;
  /** Whether durations are put into histograms (latency-tracking). */
  trackLatency = true;
  readonly pool: ChunkPool;
  /** By the depth that commands are nested in; each is used again. */
  readonly calls: Call[] = [];
  private readonly verified = verifies();
  private depth = 0;
  /** Errors that the calls within the present one replied: it has not failed by those. */
  private nestedErrors = 0;
  private nextId = 1;
  /** Monotonic microseconds when something last came from outside, or at the end of the command since: the start of the next. */
  private lastMicros = 0;
  /** When the clock of the keyspaces is read again within a long run of commands. */
  private nextRefresh = 0;

  constructor(parts: EngineParts) {
    this.memory = parts.memory;
    this.startupMemory = parts.memory.used + SERVER_BYTES;
    this.keyspaces = parts.keyspaces;
    this.clock = parts.clock;
    this.random = parts.random;
    this.pool = parts.pool;
    this.server = parts.server;
    this.process = new ProcessMemory(parts.server.environment.usage, parts.clock);
    this.accessors = new Accessors(parts.memory, parts.limits);
    this.pubsub = new PubSub(parts.memory.seed);
    this.blocking = new Blocking(parts.clock, (waiter) => this.timedOut(waiter));
    this.tracking = new Tracking(this);
    this.clientMemory = new ClientMemory(this);
    this.usedMemory = new UsedMemory(this);
    this.gatekeeper = new Gatekeeper(this, parts.eviction ?? NO_EVICTION);
    this.monitors = new Monitors(this);
    this.membership = new Membership(this);
    this.pause = new Pause(this);
    this.slow = new SlowCommands(this);
    this.keyspaces.listener = this;
    this.memory.onScarce = (scarce) => this.gates.set(GATE_OOM, 'memory', scarce);
    this.table = CommandTable.of(parts.server.version, parts.commands);
    this.acl = new Acl(this);
    this.crossProtocol = new CrossProtocol(parts.server.log);
  }

  // Sessions.

  open(port: SessionPort, role: Role = CLIENT): Session {
    const session = new Session(this, this.nextId++, port, this.pool, this.clock.now(), role);
    this.acl.welcome(session);
    this.replyGate.welcome(session);
    this.sessions.set(session.id, session);
    this.stats.connections++;
    return session;
  }

  leave(session: Session): void {
    if (session.closed) return;
    const wanted = session.end();
    this.sessions.delete(session.id);
    this.clientMemory.released(session);
    this.clientMemory.remove(session);
    this.pause.forget(session);
    this.held.forget(session);
    this.faults.forget(session);
    this.recorder.forget(session);
    this.release(session);
    session.onClosed(wanted);
  }

  /** Ends a session from outside: its connection ends with this turn, and nothing is owed to it any more. */
  kill(session: Session): void {
    session.close();
    this.leave(session);
  }

  /** Takes a session out of every register that it may be in; RESET does it too. */
  release(session: Session): void {
    this.blocking.remove(session);
    this.watches.unwatch(session);
    session.setTransaction(null);
    this.pubsub.removeSession(session);
    this.tracking.disable(session);
    this.monitors.remove(session);
  }

  /** Ends a session's transaction, with the watch over its keys. */
  discard(session: Session): void {
    session.setTransaction(null);
    this.watches.unwatch(session);
  }

  describeSession(session: Session): string {
    return describe(session, this.clock.now());
  }

  protocolError(session: Session, reason: string): void {
    this.server.log.verbose(`Protocol error (${reason}) from client: ${session.describe()}`);
    session.closing = true;
  }

  beforeWrite(): void {
    if (this.verified) this.verify();
    this.tracking.broadcast();
    this.replyGate.endTurn();
    this.server.beforeWrite();
    this.replication.beforeWrite();
  }

  /** Checks what holds between commands (where CINNABAR_VERIFY asks for it, at the end of each turn). */
  verify(): void {
    assert(this.depth === 0, 'a turn ends between commands');
    assert((this.suspended !== null) === this.propagation.held, 'effects are held back for what is left half way');
    for (const session of this.sessions.values()) {
      assert(!session.closed, 'who is gone is in no register');
      session.verify();
    }
    this.blocking.verify();
    this.propagation.verify();
    this.suspended?.verify();
  }

  // Commands.

  /** Runs one command of a session; false when the session takes no further one for now. */
  execute(session: Session, args: readonly Slice[], argc: number): boolean {
    session.lastCommandAt = this.keyspaces.now;
    session.lastCommand = null;
    const registered = this.resolve(session, args, argc);
    if (registered !== undefined) {
      const gates = registered.gates & GATES_BEFORE & (session.gates | (this.gates.bits & session.minds));
      const ours = gates === 0 || (gates === GATE_CLUSTER && this.membership.serves(session, registered, args, argc));
      const free = ours && !this.gatekeeper.crowded;
      if (free || this.gatekeeper.pass(session, registered, args, argc, gates)) {
        try {
          this.call(session, registered, args, argc);
        } catch (error) {
          this.depth = 0;
          throw error;
        }
      }
    } else session.askingGoesOn();
    // One that waits or is held has not replied.
    if (session.replySkip !== 'no' && session.waiter === null && !session.postponed) this.skipReplies(session);
    if (this.blocking.hasReady) this.serveReady();
    return session.waiter === null && !session.closing && !session.postponed;
  }

  goOn(session: Session): boolean {
    return this.held.goOn(session);
  }

  /** An empty request counts as a command where the next one was to be treated in a way of its own. */
  executeNothing(session: Session): void {
    if (session.replySkip !== 'no') this.skipReplies(session);
    this.tracking.commandDone(session, null);
    session.askingGoesOn();
  }

  enter(session?: Session): void {
    assert(this.depth === 0, 'nothing comes from outside within a command');
    this.lastMicros = this.clock.monotonic();
    this.nextRefresh = this.lastMicros + REFRESH_MICROS;
    this.keyspaces.refresh();
    this.lookAhead.forget();
    // A replica that acknowledges, as each does once a second, keeps nobody from resting.
    if (session?.replySkip !== 'refused') this.onWake?.();
  }

  /** CLIENT REPLY SKIP, or a replica's link: a command has replied. */
  private skipReplies(session: Session): void {
    const { replySkip } = session;
    const next = replySkip === 'next';
    if (replySkip !== 'refused') session.replySkip = next ? 'this' : 'no';
    if (replySkip === 'refused') this.replication.heard(session);
    else if (replySkip === 'fault') this.faults.ran(session);
    else session.reply.suppressed = next || session.replyOff;
  }

  /** The command that the arguments name, with its arity checked; undefined when an error has been replied. */
  private resolve(session: Session, args: readonly Slice[], argc: number): Registered | undefined {
    let registered = this.table.find(args[0]);
    if (registered === undefined) {
      if (this.crossProtocol.ends(session, args[0], this.keyspaces.now)) return undefined;
      return this.refuse(session, null, args, argc, unknownCommand(args, argc));
    }
    const subcommands = registered.subcommands;
    if (subcommands !== null && argc > 1) {
      const sub = subcommands.find(args[1]);
      if (sub !== undefined) registered = sub;
      else if (registered.run === null) return this.refuse(session, null, args, argc, unknownSubcommand(args));
    }
    session.lastCommand = registered;
    const arity = registered.arity;
    if (arity > 0 ? arity === argc : argc >= -arity) return registered;
    const error = `ERR wrong number of arguments for '${registered.name}' command`;
    return this.refuse(session, registered, args, argc, error);
  }

  /** Replies an error instead of running a command; a transaction that is being queued is broken by it. */
  refuse(
    session: Session,
    registered: Registered | null,
    args: readonly Slice[],
    argc: number,
    error: string,
  ): undefined {
    if (registered) registered.rejected++;
    if (registered?.runsQueue) {
      this.discard(session);
      error = `EXECABORT Transaction discarded because of: ${error.startsWith('ERR ') ? error.slice(4) : error}`;
    }
    if (session.transaction) session.transaction.broken = true;
    this.tracking.commandDone(session, registered);
    session.reply.error(error);
    this.recorder.refused(session, registered, args, argc, error);
    // Who watches has been shown MULTI, and is to see where it ends.
    if (registered?.runsQueue && this.gates.any(GATE_MONITORED)) this.monitors.show(session, registered, args, argc);
    return undefined;
  }

  /**
   * Runs a command that has passed the gates; EXEC and scripts call it for theirs. False when it has been left half way,
   * to be run again as `RESUMING`.
   */
  call(session: Session, registered: Registered, args: readonly Slice[], argc: number, how: CallMode = 0): boolean {
    let c = this.calls[this.depth];
    if (c === undefined) this.calls[this.depth] = c = new Call(this, session, registered);
    this.depth++;
    c.begin(session, registered, args, argc);
    const resuming = (how & RESUMING) !== 0;
    c.resuming = resuming;
    c.denyBlocking = (how & DENY_BLOCKING) !== 0;
    const seesExpired = session.role.seesExpired && this.depth === 1;
    if (seesExpired) this.keyspaces.showExpired('master', true);
    const errors = session.reply.errorCount;
    const nestedErrors = this.nestedErrors;
    this.nestedErrors = 0;
    if (registered.has(WRITE)) this.memory.stored = false;
    const writesBeside = this.keyspaces.localExpiry !== null && registered.has(WRITE);
    if (writesBeside) this.keyspaces.keepExpired('replica', false);
    const start = this.depth === 1 && !resuming ? this.lastMicros : this.clock.monotonic();
    try {
      registered.run?.(c as never);
    } catch (error) {
      session.reply.rewind(c.markChunk, c.markAt);
      this.failed(c, error);
    }
    if (seesExpired) this.keyspaces.showExpired('master', false);
    if (writesBeside) this.keyspaces.keepExpired('replica', true);
    const end = this.clock.monotonic();
    this.lastMicros = end;
    const done = !c.stillWaiting;
    // One that waited was shown when it began to.
    const observers = resuming && session.waiter !== null ? GATE_TRACKED | GATE_RECORDED : GATES_AFTER;
    const observed = done ? this.gates.bits & registered.gates & observers : 0;
    if (observed !== 0) this.observe(session, registered, args, argc, observed);
    this.depth--;
    if (done) this.stats.commands++;
    if (c.dirty > 0) this.stats.dirty += c.dirty;
    const replied = session.reply.errorCount - errors;
    if (done && (session.waiter === null || resuming))
      this.record(c, end - start + c.spent, replied > this.nestedErrors);
    // Errors of a script's commands are that script's matter, and none of its caller's.
    const shared = this.depth > 0 && this.calls[this.depth - 1].session === session;
    this.nestedErrors = shared ? nestedErrors + replied : nestedErrors;
    if (this.propagation.active) {
      c.propagate();
      if (this.depth === 0 && !this.propagation.idle) this.propagation.flush(!registered.expiresApart);
      session.streamOffset = this.replication.offset;
    }
    if (this.depth > 0) return done;
    if (observed !== 0) this.tracking.tellPending();
    this.keyspacesCatchUp(end);
    return done;
  }

  /**
   * Runs a command of a file that is being loaded: it has been accepted before, so no gate concerns it, and it is no
   * client's, so that neither statistics nor propagation hear of it. What it throws goes to the caller: data is missing.
   */
  replay(session: Session, registered: Registered, args: readonly Slice[], argc: number, denyBlocking: boolean): void {
    let c = this.calls[this.depth];
    if (c === undefined) this.calls[this.depth] = c = new Call(this, session, registered);
    c.begin(session, registered, args, argc);
    c.denyBlocking = denyBlocking;
    this.depth++;
    try {
      registered.run?.(c as never);
    } finally {
      this.depth--;
    }
    if (c.dirty > 0) this.stats.dirty += c.dirty;
  }

  /** The command that runs, or of nested ones the one that all others run within; null between commands. */
  get outermost(): Call | null {
    return this.depth > 0 ? this.calls[0] : null;
  }

  /** Monotonic microseconds shortly before the command that runs began, without a look at the clock; not within a load. */
  get lately(): number {
    return this.lastMicros;
  }

  /** Whether the command that runs is one of a transaction or a script. */
  get nested(): boolean {
    return this.depth > 1;
  }

  /** The session whose command runs, null between commands; of nested commands the outermost. */
  get current(): Session | null {
    return this.depth > 0 ? this.calls[0].session : null;
  }

  /** The session whose command changes keys now: within a script that of its commands, which is no client's. */
  get innermost(): Session | null {
    return this.depth > 0 ? this.calls[this.depth - 1].session : null;
  }

  /** Shows a command that has run to those who want to know of it. */
  private observe(session: Session, registered: Registered, args: readonly Slice[], argc: number, gates: number): void {
    if (gates & GATE_MONITORED) this.monitors.show(session, registered, args, argc);
    if (gates & GATE_RECORDED) this.recorder.ran(this.calls[this.depth - 1]);
    if ((gates & GATE_TRACKED) === 0) return;
    const outer = this.calls[0];
    // A script is judged by what it runs. One that waited has read what it named when it began to.
    const waited = session.waiter !== null && this.calls[this.depth - 1].resuming;
    const reads = !waited && registered.has(READS) && registered.command.flagsWith === undefined;
    if (reads && outer.session.tracking !== null) {
      // A command of a script has read: what is remembered are the keys that the script was given.
      const reader = session === outer.session ? this.calls[this.depth - 1] : this.calls[this.depth - 2];
      this.tracking.remember(reader.session, reader.registered, reader.args, reader.argc);
    }
    if (this.depth === 1) this.tracking.commandDone(session, registered);
  }

  private record(c: Call, microseconds: number, failed: boolean): void {
    c.registered.ran(microseconds, failed, this.trackLatency);
    if (microseconds >= this.slow.threshold) this.slow.saw(c, microseconds);
  }

  /** Within a long run of commands the time by which keys expire is read again now and then. */
  private keyspacesCatchUp(micros: number): void {
    if (micros < this.nextRefresh) return;
    this.nextRefresh = micros + REFRESH_MICROS;
    this.keyspaces.refresh();
  }

  /**
   * A command threw; what it had replied has been taken back. Out of memory is an answer, and so is a text too long for a
   * string; all else is a bug of ours, told to the client and the log, and the end of the server if data changed by halves.
   */
  private failed(c: Call, error: unknown): void {
    const changed = c.registered.has(WRITE) && c.changedAnything;
    if (error instanceof OutOfMemory || (error instanceof TextTooLong && !changed)) {
      c.dropCreated();
      c.reply.error(error instanceof OutOfMemory ? OOM : `ERR ${error.message}`);
      return;
    }
    // One that has begun to wait is answered now.
    if (!c.resuming) this.blocking.remove(c.session);
    this.server.commandFailed(c.registered.name, error, changed);
    c.reply.error('ERR internal error, see the log');
  }

  /** Serves blocked sessions whose keys are ready; each is run like a command of its own. */
  private serveReady(): void {
    // Nothing changes while a script is suspended, or between two slices of a load; both see to this when they have ended.
    if (this.propagation.held || this.gates.any(GATE_LOADING)) return;
    this.blocking.serve((waiter) => this.runAgain(waiter));
  }

  /** Serves what became ready outside of a command (expiry, a load, CLIENT UNPAUSE). */
  serveWaiters(): void {
    if (!this.blocking.hasReady) return;
    this.enter();
    this.serveReady();
  }

  private runAgain(waiter: Waiter): void {
    if (waiter.session.restricted && this.forbidden(waiter)) return;
    this.call(waiter.session, waiter.registered, waiter.args, waiter.args.length, RESUMING);
    if (!this.calls[this.depth].stillWaiting) this.unblock(waiter.session);
  }

  /** A user may lose permissions while its sessions wait: what they wait for is then refused. */
  private forbidden({ session, registered, args }: Waiter): boolean {
    const error = this.acl.permits(session, registered, args, args.length);
    if (error === null) return false;
    session.reply.error(error);
    this.interruptWait(session, true);
    return true;
  }

  /** Ends a session's wait; it takes commands again. Whoever calls it has replied. */
  unblock(session: Session): void {
    if (this.blocking.remove(session)) this.answered(session);
  }

  /** What a session was held for has its reply: it takes commands again. */
  answered(session: Session): void {
    if (session.replySkip !== 'no') this.skipReplies(session);
    session.released = true;
    session.port.resume();
  }

  private timedOut({ session, onTimeout, registered }: Waiter): void {
    const { markChunk, markAt } = session.reply;
    replyTimeout(session, onTimeout);
    this.recorder.timedOut(session, markChunk, markAt);
    registered.ran(0, false, this.trackLatency);
    this.answered(session);
  }

  /** Ends a session's wait from outside, and counts its command as finished. Whoever calls it has replied. */
  interruptWait(session: Session, failed: boolean): void {
    if (session.waiter) session.waiter.registered.ran(0, failed, this.trackLatency);
    this.unblock(session);
  }

  // Consequences of writes.

  /** A key was changed; see Call.changed. */
  changed(db: Database, key: Slice, event: string): void {
    this.touched(db, key, event);
    this.notify(db, event, key);
  }

  /** The same without its event, which comes by `notify`: for who changes several keys before telling of any. */
  touched(db: Database, key: Slice, event: string): void {
    const tracked = this.gates.any(GATE_TRACKED);
    if (tracked || !this.watches.idle || !this.blocking.idle) {
      const hash = db.hash(key);
      this.watches.touch(db, key, hash);
      if (!isTakingAway(event)) this.blocking.signal(db, key, hash);
      if (tracked) this.tracking.changed(key, hash, BY_NOBODY.has(event) ? null : this.current);
    }
  }

  /** Publishes a keyspace event, if its class is asked for. */
  notify(db: Database, event: string, key: Slice): void {
    const wanted = this.events;
    if (wanted === null || (wanted & eventClass(event)) === 0) return;
    const { pubsub } = this;
    if (!pubsub.hasListeners) return;
    const name = sliceOf(event);
    if (wanted & NOTIFY.KEYSPACE) pubsub.publish(pubsub.channelOf(`__keyspace@${db.index}__:`, key), name);
    if (wanted & NOTIFY.KEYEVENT) pubsub.publish(pubsub.channelOf(`__keyevent@${db.index}__:`, name), key);
  }

  /** There is a key where there was none. */
  keyCreated(db: Database, key: Slice): void {
    if (this.events !== null) this.notify(db, 'new', key);
  }

  /** A key's time was up and it was removed. */
  keyExpired(db: Database, key: Slice): void {
    this.stats.expired++;
    this.removedByServer(db, key, this.server.settings.lazyfreeLazyExpire);
    this.changed(db, key, 'expired');
  }

  /** A key was removed to make room. */
  keyEvicted(db: Database, key: Slice): void {
    this.removedByServer(db, key, this.server.settings.lazyfreeLazyEviction);
    this.changed(db, key, 'evicted');
  }

  /** Copies of the data learn what no command has done. */
  private removedByServer(db: Database, key: Slice, lazily: boolean): void {
    if (!this.propagation.active) return;
    this.propagation.effect(db.index, [lazily ? 'UNLINK' : 'DEL', key], TO_ALL);
    if (this.depth === 0) this.propagation.flush(false);
  }
}
