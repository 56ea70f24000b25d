/**
 * Scripts: their cache, and the run of one.
 *
 * A script runs at once until busy-reply-threshold; then it is suspended, everybody else gets BUSY (GATE_BUSY), and it
 * goes on in slices between turns of the event loop until it ends or is killed. Meanwhile its session takes no command.
 */
import { createHash } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import { Slice, sliceOf } from '../base/slice.ts';
import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, type Verdict } from '../engine/acl/selector.ts';
import type { Call } from '../engine/call.ts';
import { flagBit } from '../engine/derive.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_BUSY, GATE_LOADING, GATE_MISCONF, GATE_OOM, GATE_READONLY } from '../engine/gates.ts';
import type { SessionPort } from '../engine/ports.ts';
import { Session } from '../engine/session.ts';
import type { Registered } from '../engine/table.ts';
import { errorTable, guardGlobals, openRedis } from './api.ts';
import { type Activity, Lua, type Outcome } from './lua/lua.ts';
import { LuaError, type LuaFunction, LuaTable, type Value } from './lua/value.ts';
import { ReplyReader, writeValue } from './replies.ts';

const NOSCRIPT = flagBit('noscript');
const WRITE = flagBit('write');
const MAY_REPLICATE = flagBit('may_replicate');
/** What a suspended script gets between two turns, ms. */
const SLICE = 5;

export interface Script {
  readonly sha: string;
  readonly main: LuaFunction;
}

/** What is to be run. */
export interface Work {
  readonly name: string;
  readonly kind: 'SCRIPT' | 'FUNCTION';
  readonly lua: Lua;
  readonly readOnly: boolean;
  readonly callee: LuaFunction;
  readonly args: readonly Value[];
}

function busy(kind: string): string {
  return `BUSY Redis is busy running a script. You can only call ${kind} KILL or SHUTDOWN NOSAVE.`;
}

/** The script or function that runs. */
interface Running {
  readonly name: string;
  readonly kind: 'SCRIPT' | 'FUNCTION';
  readonly lua: Lua;
  readonly session: Session;
  readonly readOnly: boolean;
  readonly args: Slice[];
  activity: Activity | null;
  wrote: boolean;
}

function lacking(verdict: Verdict): string {
  if (verdict === DENIED_COMMAND) return "can't run this command or subcommand";
  if (verdict === DENIED_KEY) return "can't access at least one of the keys mentioned in the command arguments";
  return verdict === DENIED_CHANNEL
    ? "can't publish to the channel mentioned in the command"
    : 'is lacking the permissions for the command';
}

function arityFits({ run, arity }: Registered, count: number): boolean {
  return run !== null && (arity > 0 ? arity === count : count >= -arity);
}

/** Whether XREAD's or XREADGROUP's arguments ask to wait. */
function blocks(words: readonly string[]): boolean {
  const options = words.map((word) => word.toUpperCase());
  const streams = options.indexOf('STREAMS');
  return options.slice(1, streams < 0 ? undefined : streams).includes('BLOCK');
}

function heapIsFull(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > limit * 0.9;
}

const NOWHERE: SessionPort = {
  fd: -1,
  address: '',
  localAddress: '',
  unix: false,
  queryBytes: 0,
  queryFree: 0,
  argumentBytes: 0,
  lastActive: 0,
  close: () => {},
  resume: () => {},
  divert: () => {},
  flush: () => {},
};

export class Scripts {
  private readonly engine: Engine;
  private readonly scripts = new Map<string, Script>();
  private readonly bySource = new Map<string, Script>();
  private lua: Lua;
  private readonly client: Session;
  private readonly reader = new ReplyReader();
  running: Running | null = null;
  private deadline = 0;

  constructor(engine: Engine) {
    this.engine = engine;
    this.client = new Session(engine, 0, NOWHERE, engine.pool, engine.clock.now());
    this.lua = this.newScriptLua();
  }

  private newScriptLua(): Lua {
    return this.newLua((lua) => {
      lua.globals.set('KEYS', new LuaTable());
      lua.globals.set('ARGV', new LuaTable());
    });
  }

  /** A sandbox. */
  newLua(prepare: (lua: Lua) => void = () => {}): Lua {
    const lua = new Lua();
    const { log } = this.engine.server;
    openRedis(lua, {
      command: (args) => this.command(args),
      permitted: (args) => this.permitted(args),
      setResp: (version) => {
        this.client.reply.resp = version;
      },
      log: (level, message) => [log.debug, log.verbose, log.notice, log.warning][level].call(log, message),
    });
    prepare(lua);
    guardGlobals(lua);
    lua.runtime.exhausted = heapIsFull;
    lua.runtime.goOn = () => this.engine.clock.monotonic() < this.deadline;
    return lua;
  }

  // ---- the cache

  get count(): number {
    return this.scripts.size;
  }

  find(sha: string): Script | undefined {
    return this.scripts.get(sha) ?? this.scripts.get(sha.toLowerCase());
  }

  flush(): void {
    this.scripts.clear();
    this.bySource.clear();
    this.lua = this.newScriptLua();
  }

  /** The script of a source, compiled at its first use; an error text where it can't be. */
  load(source: string): Script | string {
    const same = this.bySource.get(source);
    if (same !== undefined) return same;
    const sha = createHash('sha1').update(Buffer.from(source, 'latin1')).digest('hex');
    const known = this.scripts.get(sha);
    if (known !== undefined) return known;
    try {
      const script = { sha, main: this.lua.compile(source, '@user_script') };
      this.scripts.set(sha, script);
      this.bySource.set(source, script);
      return script;
    } catch (error) {
      if (error instanceof LuaError) return `ERR Error compiling script (new function): ${String(error.value)}`;
      throw error;
    }
  }

  // ---- running

  /** EVAL's and EVALSHA's work from argument 2 on. */
  run(c: Call, script: Script, readOnly: boolean): void {
    const given = this.keysAndArgs(c);
    if (given === null) return;
    const { lua } = this;
    lua.globals.setHash('KEYS', given[0]);
    lua.globals.setHash('ARGV', given[1]);
    this.start(c, { name: script.sha, kind: 'SCRIPT', lua, readOnly, callee: script.main, args: [] });
  }

  /** The arguments from the number of keys on; null when an error has been replied. */
  keysAndArgs(c: Call): [LuaTable, LuaTable] | null {
    const keys = c.integer(2);
    if (keys === undefined) return null;
    if (keys > c.argc - 3 || keys < 0) {
      c.reply.error(`ERR Number of keys can't be ${keys < 0 ? 'negative' : 'greater than number of args'}`);
      return null;
    }
    const words: string[] = [];
    for (let i = 3; i < c.argc; i++) words.push(c.arg(i).latin1());
    return [LuaTable.of(words.slice(0, keys)), LuaTable.of(words.slice(keys))];
  }

  start(c: Call, work: Work): void {
    const { client, engine } = this;
    const { lua } = work;
    client.db = c.db;
    client.account = c.session.account;
    client.restricted = c.session.restricted;
    client.reply.resp = 2;
    const threshold = engine.server.settings.busyReplyThreshold;
    const limited = !c.denyBlocking && threshold > 0;
    this.deadline = limited ? engine.clock.monotonic() + threshold * 1000 : Number.POSITIVE_INFINITY;
    const { name, kind, readOnly } = work;
    this.running = { name, kind, lua, session: c.session, readOnly, args: [], activity: null, wrote: false };
    this.after(c, lua.run(work.callee, work.args));
  }

  private after(c: Call, outcome: Outcome): void {
    const running = this.running!;
    if (outcome.kind === 'suspended') {
      this.suspended(c, running, outcome.activity);
      return;
    }
    this.running = null;
    if (outcome.kind === 'done') writeValue(c.reply, outcome.values[0], this.client.reply.resp === 3);
    else if (outcome.kind === 'killed') {
      c.reply.error(
        `ERR ${outcome.message} script: ${running.name}, on @${running.kind === 'SCRIPT' ? 'user_script' : 'user_function'}:1.`,
      );
    } else this.failed(c, outcome.error, running);
  }

  private failed(c: Call, error: LuaError, { lua, name }: Running): void {
    const { value } = error;
    const message = value instanceof LuaTable ? value.getStr('err') : `ERR ${lua.text(value)}`;
    const place = error.line > 0 ? ` script: ${name}, on @${error.chunk}:${error.line}.` : '';
    c.reply.error(`${typeof message === 'string' ? message : 'ERR unknown error'}${place}`);
  }

  private suspended(c: Call, running: Running, activity: Activity): void {
    if (running.activity === null) {
      for (let i = 0; i < c.argc; i++) running.args.push(new Slice(c.arg(i).copy()));
      running.session.postponed = true;
      this.engine.denied |= GATE_BUSY;
      this.engine.gatekeeper.busy = busy(running.kind);
      this.engine.server.log.warning(
        `Slow script detected: still in execution after ${this.engine.server.settings.busyReplyThreshold} milliseconds. ` +
          `You can try killing the script using the ${running.kind} KILL command. Script name is: ${running.name}.`,
      );
    }
    running.activity = activity;
    c.stillWaiting = true;
    const { registered } = c;
    setImmediate(() => {
      const { session, args } = running;
      this.engine.call(session, registered, args, args.length, true);
      if (this.running === running) return;
      this.engine.denied &= ~GATE_BUSY;
      session.postponed = false;
      if (!session.closed) session.port.resume();
      this.engine.serveWaiters();
    });
  }

  /** The next slice of a suspended script. */
  goOn(c: Call): void {
    const activity = this.running!.activity!;
    this.deadline = this.engine.clock.monotonic() + SLICE * 1000;
    this.after(c, activity.run());
  }

  /** SCRIPT KILL: an error text where it can't be done. */
  kill(kind: 'SCRIPT' | 'FUNCTION'): string | null {
    const { running } = this;
    if (running === null) return 'NOTBUSY No scripts in execution right now.';
    if (running.kind !== kind) return busy(running.kind);
    if (running.wrote) {
      return 'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.';
    }
    running.lua.kill(`Script killed by user with ${kind} KILL.`);
    return null;
  }

  // ---- redis.call

  /** Whether the caller's user may run a command; undefined where there is no such command. */
  private permitted(words: string[]): boolean | undefined {
    const args = words.map((word) => sliceOf(word));
    const registered = this.resolve(args);
    if (registered === undefined || !arityFits(registered, args.length)) return undefined;
    const { account } = this.client;
    return account === null || this.engine.acl.checkUser(account, registered, args, args.length) === ALLOWED;
  }

  private resolve(args: readonly Slice[]): Registered | undefined {
    const parent = this.engine.table.find(args[0]);
    return (args.length > 1 ? parent?.subcommands?.find(args[1]) : undefined) ?? parent;
  }

  private command(words: string[]): Value {
    const { engine, client } = this;
    if (this.running === null) return errorTable('redis.call/pcall can only be called inside a script invocation');
    const args = words.map((word) => sliceOf(word));
    const registered = this.resolve(args);
    if (registered === undefined) return errorTable('Unknown Redis command called from script');
    if (!arityFits(registered, args.length)) {
      return errorTable('Wrong number of args calling Redis command from script');
    }
    const refusal = this.refusal(registered.flags, registered.gates);
    if (refusal !== null) return errorTable(refusal);
    if (client.restricted) {
      const verdict = engine.acl.check(client, registered, args, args.length, 'lua');
      if (verdict !== ALLOWED) return errorTable(`-NOPERM The user executing the script ${lacking(verdict)}`);
    }
    if (registered.command.name.startsWith('XREAD') && blocks(words)) {
      return errorTable(`${registered.name} command is not allowed with BLOCK option from scripts`);
    }
    if (registered.has(WRITE)) this.running.wrote = true;
    engine.call(client, registered, args, args.length, false, true);
    return this.reader.read(client.reply.take());
  }

  private refusal(flags: number, gates: number): string | null {
    if (flags & NOSCRIPT && !this.engine.scriptsMayAll) return 'This Redis command is not allowed from script';
    if (this.running!.readOnly && flags & (WRITE | MAY_REPLICATE)) {
      return 'Write commands are not allowed from read-only scripts.';
    }
    const denied = gates & this.engine.denied;
    if (denied & GATE_LOADING) return '-LOADING Redis is loading the dataset in memory';
    if (denied & GATE_READONLY) return "-READONLY You can't write against a read only replica.";
    if (denied & GATE_MISCONF) return '-MISCONF Errors writing to the AOF file or saving';
    if (
      denied & GATE_OOM &&
      !this.running!.wrote &&
      (this.engine.memory.scarce || !this.engine.gatekeeper.makeRoom())
    ) {
      return "-OOM command not allowed when used memory > 'maxmemory'.";
    }
    return null;
  }
}
