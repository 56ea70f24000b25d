/**
 * redis.call, redis.pcall and redis.acl_check_cmd: from the arguments of a script to a command of the engine, and from
 * its reply to a Lua value.
 */
import type { Slice } from '../base/slice.ts';
import { ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, type Verdict } from '../engine/acl/selector.ts';
import { DENY_BLOCKING } from '../engine/call.ts';
import { flagBit } from '../engine/derive.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import type { Registered } from '../engine/table.ts';
import { Arguments } from './arguments.ts';
import type { Lua } from './lua/lua.ts';
import { MUCH_TEXT } from './lua/meter.ts';
import { MORE } from './lua/runtime.ts';
import { LuaError, LuaTable, type Result, type Value } from './lua/value.ts';
import { BYTES_SHIFT } from './lua/work.ts';
import { errorTable, ReplyReader } from './replies.ts';

const WRITE = flagBit('write');

/** What redis.call needs to know of the script that runs. */
export interface ScriptRun {
  wrote: boolean;
}

/** Who says what the running script may not do. */
export interface ScriptGate {
  /** The script that runs; null between scripts. */
  readonly running: ScriptRun | null;
  /** Why a script may not run a command at all now; null where it may. */
  forbidden(registered: Registered): string | null;
  /** Why the running script may not write, or take memory, by a command now; null where it may. */
  refusal(registered: Registered): string | null;
  /** Why its command is not for this node of the cluster; null where it is. */
  misdirected(registered: Registered, args: readonly Slice[], argc: number): string | null;
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

/** Takes a call's arguments in; an error text where that can't be done. */
function taken(args: Arguments, values: readonly Value[]): string | null {
  if (values.length === 0) return 'Please specify at least one argument for this redis lib call';
  return args.take(values) ? null : 'Lua redis lib command arguments must be strings or integers';
}

/** Commands may take long: the clock is looked at after a few of them. */
const COMMAND_CHARGE = 400;
/** What copying and reading arguments takes, as BYTES_SHIFT. */
const ARGUMENT_SHIFT = 4;
/** A reply of more bytes is read in pieces, each of which takes as much as so many units. */
const LONG_REPLY = 256 * 1024;
const PIECE_CHARGE = 8192;
/** Names of commands as scripts spell them; bounded, as each has many spellings. */
const NAMES_MAX = 1024;

/** What redis.pcall gives for a reply, and what redis.call does. */
function given(value: Value): Value {
  return value;
}

function raised(value: Value): Value {
  if (value instanceof LuaTable && value.getStr('err') !== undefined) throw new LuaError(value);
  return value;
}

export class RedisCall {
  private readonly engine: Engine;
  private readonly client: Session;
  private readonly gate: ScriptGate;
  private readonly reader = new ReplyReader();
  private readonly names = new Map<string, Registered>();
  /** A long reply is being read. */
  private reading = false;
  /** Null while a command has it. */
  private idle: Arguments | null = new Arguments();

  constructor(engine: Engine, client: Session, gate: ScriptGate) {
    this.engine = engine;
    this.client = client;
    this.gate = gate;
  }

  /** Puts call and pcall into the `redis` table of a sandbox. */
  open(lua: Lua, redis: LuaTable): void {
    redis.set(
      'call',
      lua.host('call', (values) => this.run(lua, values, raised)),
    );
    redis.set(
      'pcall',
      lua.host('pcall', (values) => this.run(lua, values, given)),
    );
  }

  openPermissions(lua: Lua, redis: LuaTable): void {
    redis.set(
      'acl_check_cmd',
      lua.host('acl_check_cmd', (values) => this.mayRun(values)),
    );
  }

  // ---- the permission to run

  private mayRun(values: readonly Value[]): boolean {
    const args = new Arguments();
    const error = taken(args, values);
    if (error !== null) throw new LuaError(errorTable(error));
    const registered = this.resolve(values[0], args);
    if (registered === undefined) {
      throw new LuaError(errorTable('Invalid command passed to redis.acl_check_cmd()'));
    }
    const { user } = this.client;
    return user === null || this.engine.acl.checkUser(user, registered, args.slices, args.count) === ALLOWED;
  }

  /** The command that the first argument names, or the first two. */
  private resolve(name: Value, { slices, count }: Arguments): Registered | undefined {
    let registered = typeof name === 'string' ? this.names.get(name) : undefined;
    if (registered === undefined) {
      registered = this.engine.table.find(slices[0]);
      if (registered === undefined) return undefined;
      if (typeof name === 'string' && this.names.size < NAMES_MAX) this.names.set(name, registered);
    }
    if (registered.subcommands === null || count < 2) return registered;
    return registered.subcommands.find(slices[1]) ?? (registered.run === null ? undefined : registered);
  }

  // ---- the run

  /** Runs a command; `then` gets what it replied, an error as a table with `err`. */
  private run(lua: Lua, values: readonly Value[], then: (value: Value) => Value): Result {
    const args = this.idle ?? new Arguments();
    this.idle = null;
    try {
      const error = taken(args, values);
      if (error !== null) return then(errorTable(error));
      if (args.taken > MUCH_TEXT) {
        lua.runtime.charge(args.taken >>> ARGUMENT_SHIFT);
        lua.runtime.reserve(args.taken);
      }
      const refusal = this.execute(values[0], args);
      return refusal === null ? this.answer(lua, then) : then(refusal);
    } finally {
      args.returned();
      this.idle = args;
    }
  }

  /** The script has ended. */
  ended(): void {
    this.idle?.trim();
    this.stopReading();
  }

  /** The client's reply as a value. */
  private answer(lua: Lua, then: (value: Value) => Value): Result {
    const { reply } = this.client;
    const bytes = reply.pending;
    lua.runtime.charge(COMMAND_CHARGE);
    if (bytes > LONG_REPLY) return this.readInPieces(lua, then);
    const value = this.reader.read(reply);
    if (bytes > MUCH_TEXT) {
      lua.runtime.charge(bytes >>> BYTES_SHIFT);
      lua.runtime.reserve(bytes);
    }
    return then(value);
  }

  /** The same of a long reply, between whose values time may run out. */
  private readInPieces({ runtime }: Lua, then: (value: Value) => Value): Result {
    const { reader } = this;
    const { reply } = this.client;
    const bytes = reply.pending;
    this.reading = true;
    return runtime.inPieces(() => {
      try {
        if (!reader.begun) {
          runtime.charge(bytes >>> BYTES_SHIFT);
          runtime.reserve(bytes);
          reader.begin(reply);
        }
        runtime.charge(PIECE_CHARGE);
        const whole = reader.readOn();
        if (whole === null) return MORE;
        this.stopReading();
        return then(whole[0]);
      } catch (error) {
        this.stopReading();
        throw error;
      }
    });
  }

  private stopReading(): void {
    if (this.reading) this.reader.abandon(this.client.reply);
    this.reading = false;
  }

  /** Runs a command, which replies to the client; an error where it may not run. */
  private execute(name: Value, args: Arguments): LuaTable | null {
    const { engine, client } = this;
    const { running } = this.gate;
    if (running === null) return errorTable('redis.call/pcall can only be called inside a script invocation');
    const registered = this.resolve(name, args);
    if (registered === undefined) return this.refused(null, 'Unknown Redis command called from script');
    const { slices, count } = args;
    if (!arityFits(registered, count))
      return this.refused(registered, 'Wrong number of args calling Redis command from script');
    const forbidden = this.gate.forbidden(registered);
    if (forbidden !== null) return this.refused(registered, forbidden);
    if (client.restricted) {
      const verdict = engine.acl.check(client, registered, slices, count, 'lua');
      if (verdict !== ALLOWED) return this.refused(registered, `The user executing the script ${lacking(verdict)}`);
    }
    const refusal = this.gate.refusal(registered);
    if (refusal !== null) return this.refused(registered, refusal);
    if (registered.has(WRITE)) running.wrote = true;
    const misdirected = this.gate.misdirected(registered, slices, count);
    if (misdirected !== null) return this.refused(registered, misdirected);
    engine.call(client, registered, slices, count, DENY_BLOCKING);
    return null;
  }

  /** The error of a command that isn't run. It is counted here, so not again when the script passes it on. */
  private refused(registered: Registered | null, error: string): LuaTable {
    const table = errorTable(error);
    this.engine.stats.errorReplied(table.getStr('err') as string);
    if (registered !== null) registered.rejected++;
    table.setHash('ignore_error_stats_update', true);
    return table;
  }
}
