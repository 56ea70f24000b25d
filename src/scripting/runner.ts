/**
 * The run of one script or function: what it may do, and what becomes of it when its time is up.
 *
 * It runs at once until busy-reply-threshold; then it is suspended, everybody else gets BUSY (GATE_BUSY), and it goes on in
 * slices between turns of the event loop until it ends or is killed. Meanwhile its session takes no command, no waiter is
 * served, the time by which keys expire stands still for it, and its effects are held back, so that they come as one unit.
 * Where it is one of a transaction's commands, EXEC stops and goes on with it: what is run again, slice by slice, is always
 * the outermost command.
 */
import type { Slice } from '../base/slice.ts';
import { type Call, NOT_AN_INTEGER } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_BUSY, GATE_OOM } from '../engine/gates.ts';
import { NULL_PORT } from '../engine/null-port.ts';
import { TO_ALL } from '../engine/propagation.ts';
import { SCRIPT } from '../engine/roles.ts';
import type { WithinRefusal } from '../engine/routing.ts';
import { keepArguments, Session } from '../engine/session.ts';
import { Suspension } from '../engine/suspension.ts';
import type { Registered } from '../engine/table.ts';
import type { Reply } from '../protocol/reply.ts';
import { guardGlobals, openRedis } from './api.ts';
import { wordsOf } from './arguments.ts';
import type { Debugger } from './debugger.ts';
import { ALLOW_CROSS_SLOT_KEYS, ALLOW_OOM, NO_WRITES, UNDECLARED } from './flags.ts';
import { type Activity, Lua, type Outcome } from './lua/lua.ts';
import { cLength } from './lua/number.ts';
import { text } from './lua/runtime.ts';
import { type LuaError, type LuaFunction, LuaTable, type Value } from './lua/value.ts';
import { RedisCall } from './redis-call.ts';
import { forbiddenCall, refusedCall, refusedScript } from './refusals.ts';
import { type ReplyWriter, writeError, writeValue } from './value-writer.ts';

const MISDIRECTED: Readonly<Record<WithinRefusal, string>> = {
  'down-for-writes': 'Script attempted to execute a write command while the cluster is down and readonly',
  down: 'Script attempted to execute a command while the cluster is down',
  elsewhere: 'Script attempted to access a non local key in a cluster node',
};

/** What a suspended script gets between two turns, ms. */
const SLICE = 5;

/** Bytes of the heap for which a collection is worth its pause. */
const WORTH_COLLECTING = 16 * 1024 * 1024;

export type ScriptKind = 'SCRIPT' | 'FUNCTION';

/** What is to be run. */
export interface Work {
  readonly name: string;
  readonly kind: ScriptKind;
  readonly lua: Lua;
  /** Bits of flags.ts. */
  readonly flags: number;
  /** Run by a command that only reads (EVAL_RO and its like). */
  readonly readOnly: boolean;
  readonly callee: LuaFunction;
  readonly args: readonly Value[];
  /** Stops it here and there. */
  readonly watcher?: Debugger;
}

/** What runs. */
export interface Running extends Work {
  readonly session: Session;
  /** It may run what takes memory, whatever the state. */
  readonly mayGrow: boolean;
  readonly mayWrite: boolean;
  /** Wall time of its start, at which its keys expire or don't, ms. */
  readonly now: number;
  /** Monotonic microseconds at its start. */
  readonly started: number;
  /** Once it has been suspended: the command that runs it. */
  command: readonly Slice[];
  suspension: Suspension | null;
  activity: Activity | null;
  /** It has ended, and its reply is being written. */
  writer: ReplyWriter | null;
  /** Who hears of its effects (bits of engine/propagation.ts), while it is suspended. */
  targets: number;
  /** Memory was short when its command began. */
  readonly short: boolean;
  wrote: boolean;
}

export function busyError(kind: ScriptKind): string {
  return `BUSY Redis is busy running a script. You can only call ${kind} KILL or SHUTDOWN NOSAVE.`;
}

export class Runner {
  running: Running | null = null;
  private readonly engine: Engine;
  private readonly client: Session;
  private readonly calls: RedisCall;
  private deadline = 0;
  private stopped = false;

  constructor(engine: Engine) {
    this.engine = engine;
    this.client = new Session(engine, 0, { ...NULL_PORT, address: '?:0' }, engine.pool, engine.clock.now(), SCRIPT);
    this.calls = new RedisCall(engine, this.client, this);
  }

  /** A sandbox. */
  newLua(prepare: (lua: Lua) => void = () => {}): Lua {
    const lua = new Lua();
    openRedis(lua, this.calls, {
      version: this.engine.server.version,
      running: () => this.running !== null,
      setResp: (version) => {
        this.client.reply.resp = version;
      },
      setTargets: (mask) => {
        this.engine.propagation.targets = mask;
      },
      log: (level, message) => this.log(level, message),
    });
    prepare(lua);
    guardGlobals(lua);
    lua.runtime.monotonic = () => this.engine.clock.monotonic();
    lua.runtime.goOn = () => this.engine.clock.monotonic() < this.deadline;
    lua.runtime.faulted = (error) => this.faulted(error);
    return lua;
  }

  /** A fault of ours inside of a script. */
  private faulted(error: Error): void {
    const { registered } = this.engine.outermost ?? {};
    this.engine.server.commandFailed(registered?.name ?? 'script', error, false);
  }

  /** So many bytes of scripts were let go of: where that is much, they go back to the system now. */
  dropped(bytes: number): void {
    if (bytes >= WORTH_COLLECTING) this.engine.keyspaces.memory.collector.now();
  }

  /** redis.log's work. */
  log(level: number, message: string): void {
    const { log } = this.engine.server;
    if (level === 0) log.debug(message);
    else if (level === 1) log.verbose(message);
    else if (level === 2) log.notice(message);
    else log.warning(message);
  }

  /** Replies what is wrong with a number of keys. */
  refuseKeys(c: Call, keys: number, notNumber = NOT_AN_INTEGER): void {
    if (Number.isNaN(keys)) c.reply.error(notNumber);
    else c.reply.error(`ERR Number of keys can't be ${keys < 0 ? 'negative' : 'greater than number of args'}`);
  }

  /** The arguments behind the number of keys: the keys, and the rest. */
  keysAndArgs(c: Call, keys: number): [LuaTable, LuaTable] {
    return [wordsOf(c.args, 3, 3 + keys), wordsOf(c.args, 3 + keys, c.argc)];
  }

  start(c: Call, work: Work): void {
    const { client, engine } = this;
    const { flags } = work;
    const refused = this.running === null ? refusedScript(engine, c.session, work) : 'ERR A script runs already';
    if (refused !== null) {
      work.watcher?.end(c);
      c.reply.error(refused);
      return;
    }
    client.db = c.db;
    client.user = c.session.user;
    client.restricted = c.session.restricted;
    client.reply.resp = 2;
    client.reply.suppressed = false;
    const { mustObey } = c.session.role;
    // A file that is loaded at one go can't wait for its scripts.
    const atOnce = mustObey && c.denyBlocking;
    const threshold = atOnce ? 0 : engine.server.settings.busyReplyThreshold;
    const started = mustObey ? engine.clock.monotonic() : engine.lately;
    this.deadline = threshold > 0 ? started + threshold * 1000 : Number.POSITIVE_INFINITY;
    this.running = {
      name: work.name,
      kind: work.kind,
      lua: work.lua,
      flags,
      readOnly: work.readOnly,
      callee: work.callee,
      args: work.args,
      watcher: work.watcher,
      session: c.session,
      mayGrow: (flags & (UNDECLARED | ALLOW_OOM)) === ALLOW_OOM,
      mayWrite: !work.readOnly && (flags & (UNDECLARED | NO_WRITES)) !== NO_WRITES,
      now: engine.keyspaces.now,
      started,
      command: [],
      suspension: null,
      activity: null,
      writer: null,
      targets: TO_ALL,
      short: (engine.gates.bits & c.session.minds & GATE_OOM) !== 0,
      wrote: false,
    };
    work.watcher?.begin();
    this.after(c, this.outcome(this.running, null));
  }

  /** What a run comes to, or its next slice; one that throws what it mustn't leaves nothing running behind. */
  private outcome({ lua, callee, args }: Running, activity: Activity | null): Outcome {
    try {
      return activity === null ? lua.run(callee, args) : activity.run();
    } catch (error) {
      this.ended(this.running!);
      throw error;
    }
  }

  private ended(running: Running): void {
    const { engine } = this;
    this.running = null;
    this.calls.ended();
    engine.propagation.targets = TO_ALL;
    if (running.suspension === null) return;
    engine.gates.set(GATE_BUSY, 'script', false);
    running.suspension.ended();
  }

  private after(c: Call, outcome: Outcome): void {
    const running = this.running!;
    if (outcome.kind === 'suspended') {
      this.suspended(c, running, outcome.activity);
      return;
    }
    if (outcome.kind === 'done') {
      running.watcher?.end(c);
      running.writer = writeValue(c.reply, outcome.values[0], this.client.reply.resp === 3);
      this.write(c, running);
      return;
    }
    running.watcher?.end(c);
    this.write(c, running, () =>
      outcome.kind === 'killed'
        ? this.errorWriter(c, `ERR ${outcome.message}`, true, outcome, running.name)
        : this.failed(c, outcome.error, running),
    );
  }

  /** Writes what a script gave, a large reply in slices. */
  private write(c: Call, running: Running, begin: (() => ReplyWriter | null) | null = null): void {
    let done = true;
    try {
      if (begin !== null) running.writer = begin();
      done = running.writer === null || this.written(c.reply, running.writer);
    } finally {
      if (done) this.ended(running);
    }
    if (!done) this.suspended(c, running, null);
  }

  /** Goes on until the reply is complete or time is up. */
  private written(reply: Reply, writer: ReplyWriter): boolean {
    while (!writer.step(reply)) if (this.engine.clock.monotonic() >= this.deadline) return false;
    return true;
  }

  private failed(c: Call, error: LuaError, { lua, name }: Running): ReplyWriter | null {
    const { value } = error;
    if (value instanceof LuaTable && value.readonly) {
      // The handler of errors writes into the table where it was.
      const where = { source: '@err_handler_def', line: 10 };
      return this.errorWriter(c, 'ERR err_handler_def:10: Attempt to modify a readonly table', true, where, name);
    }
    if (value instanceof LuaTable) {
      const message = text(value.getStr('err'));
      const counted = value.getStr('ignore_error_stats_update') !== true;
      return this.errorWriter(c, message ?? 'ERR unknown error', counted, error, name);
    }
    return this.errorWriter(c, `ERR ${lua.text(value)}`, true, error, name);
  }

  private errorWriter(
    c: Call,
    message: string,
    counted: boolean,
    place: { readonly source: string; readonly line: number },
    name: string,
  ): ReplyWriter | null {
    const source = place.source.slice(0, cLength(place.source));
    const where = place.line > 0 ? ` script: ${name}, on ${source}:${place.line}.` : '';
    return writeError(c.reply, message.slice(0, cLength(message)), where, counted);
  }

  /** `activity` is null where only its reply is to be written. */
  private suspended(c: Call, running: Running, activity: Activity | null): void {
    const { engine } = this;
    const { watcher } = running;
    if (running.suspension === null) this.outOfTime(c, running);
    else running.suspension.leave(c);
    // What the debugger has stopped the rest of the server waits for; what only takes its time makes it busy.
    engine.gates.set(GATE_BUSY, 'script', !watcher?.paused);
    running.activity = activity;
    running.targets = engine.propagation.targets;
    engine.propagation.targets = TO_ALL;
    const goOn = (): void => engine.clock.soon(() => this.slice(running));
    if (watcher?.paused && activity !== null) {
      watcher.goOn = goOn;
      watcher.stopped(activity);
    } else goOn();
  }

  private outOfTime(c: Call, running: Running): void {
    const { engine } = this;
    running.command = keepArguments(c.args, c.argc);
    running.suspension = Suspension.ofUnit(c);
    engine.gatekeeper.busy = busyError(running.kind);
    if (running.watcher?.paused) return;
    engine.server.log.warning(
      `Slow script detected: still in execution after ${this.elapsed(running)} milliseconds. ` +
        `You can try killing the script using the ${running.kind} KILL command. Script name is: ${running.name}.`,
    );
  }

  /** Milliseconds that it has been running. */
  elapsed({ started }: Running): number {
    return Math.floor((this.engine.clock.monotonic() - started) / 1000);
  }

  /** The next slice of a suspended script. */
  private slice({ suspension }: Running): void {
    if (!this.stopped) suspension?.goOn();
  }

  /** The command that had been suspended is run again. */
  goOn(c: Call): void {
    const running = this.running!;
    const { engine } = this;
    const now = engine.clock.monotonic();
    c.spent = now - running.started;
    engine.keyspaces.setNow(running.now);
    engine.propagation.targets = running.targets;
    this.deadline = now + SLICE * 1000;
    if (running.writer !== null) this.write(c, running);
    else this.after(c, this.outcome(running, running.activity));
  }

  /** Whatever is suspended stays so: the server ends. */
  stop(): void {
    this.stopped = true;
  }

  /** SCRIPT KILL and FUNCTION KILL: an error text where it can't be done. */
  kill(kind: ScriptKind): string | null {
    const { running } = this;
    if (running === null || running.writer !== null) return 'NOTBUSY No scripts in execution right now.';
    if (running.wrote) {
      return 'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.';
    }
    if (running.kind !== kind) return busyError(running.kind);
    this.engine.server.log.warning('Lua script killed by user with SCRIPT KILL.');
    running.lua.kill('Script killed by user with SCRIPT KILL...');
    return null;
  }

  forbidden(registered: Registered): string | null {
    return forbiddenCall(this.engine, this.running!.session, registered);
  }

  refusal(registered: Registered): string | null {
    return refusedCall(this.engine, this.running!, registered);
  }

  misdirected(registered: Registered, args: readonly Slice[], argc: number): string | null {
    const { routing } = this.engine.membership;
    const { session, flags } = this.running!;
    if (routing === null || session.role.mustObey) return null;
    const refusal = routing.refusalWithin(session, registered, args, argc);
    if (refusal !== null) return MISDIRECTED[refusal];
    const anySlot = (flags & (UNDECLARED | ALLOW_CROSS_SLOT_KEYS)) !== 0;
    if (anySlot || routing.isOfSameSlot(session, registered, args, argc)) return null;
    return 'Script attempted to access keys that do not hash to the same slot';
  }
}
