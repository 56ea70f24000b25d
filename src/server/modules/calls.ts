/**
 * The run of a command of a module: what it may call, and its reply.
 *
 * Its calls run as nested commands of a session of their own, which begins in the database of the client's; so their effects are one
 * unit, and the command itself is never propagated. Permissions were asked for the command that the client has sent.
 */
import { parseDouble, parseInteger } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import { narrow } from '../../base/text.ts';
import { type Call, DENY_BLOCKING, NOT_A_FLOAT, NOT_AN_INTEGER } from '../../engine/call.ts';
import { flagBit } from '../../engine/derive.ts';
import type { Engine } from '../../engine/engine.ts';
import { GATE_OOM, GATE_STALE } from '../../engine/gates.ts';
import { NULL_PORT } from '../../engine/null-port.ts';
import { MODULE } from '../../engine/roles.ts';
import type { WithinRefusal } from '../../engine/routing.ts';
import { Session } from '../../engine/session.ts';
import type { Registered } from '../../engine/table.ts';
import type { Reply } from '../../protocol/reply.ts';
import { ReplyError } from '../../protocol/reply-error.ts';
import { type ParsedReply, ReplyParser } from '../../protocol/reply-parser.ts';
import type { CommandWords } from '../session/replies.ts';
import { type CustomCall, type CustomCommand, type CustomReply, StatusReply } from './define.ts';
import { isPromised } from './promised.ts';

const WRITE = flagBit('write');
const MAY_REPLICATE = flagBit('may_replicate');
const NOSCRIPT = flagBit('noscript');
const OF_MODULE = flagBit('module');

const MISDIRECTED: Readonly<Record<WithinRefusal, (command: string) => string>> = {
  'down-for-writes': (name) => `Can not execute a write command '${name}' while the cluster is down and readonly`,
  down: (name) => `Can not execute a command '${name}' while the cluster is down`,
  elsewhere: () => 'Attempted to access a non local key in a cluster node',
};

export class ModuleCalls {
  private readonly engine: Engine;
  private readonly client: Session;
  private reply: ParsedReply = null;
  private buffers = false;
  private readonly parser: ReplyParser;

  constructor(engine: Engine) {
    this.engine = engine;
    this.client = new Session(engine, 0, NULL_PORT, engine.pool, engine.clock.now(), MODULE);
    this.client.user = null;
    this.client.reply.resp = 3;
    this.parser = new ReplyParser({
      begins: () => this.buffers,
      complete: (reply) => {
        this.reply = reply;
      },
    });
  }

  /** Runs a command of a module for `c`, and replies what it comes to. */
  run(c: Call, command: CustomCommand): void {
    const face = new Face(c, (words, buffers) => this.call(c, words, buffers));
    this.client.db = c.db;
    try {
      const reply = command.run(face);
      if (isPromised(reply)) throw new Error(`${command.name} has returned a promise: commands run at once`);
      face.over = true;
      writeReply(c.reply, reply);
    } catch (error) {
      face.over = true;
      c.reply.rewind(c.markChunk, c.markAt);
      if (!(error instanceof ReplyError)) this.engine.server.commandFailed(c.registered.name, error, false);
      c.reply.error(narrow(error instanceof ReplyError ? error.message : `ERR ${reasonOf(error)}`));
    }
  }

  private call(c: Call, words: CommandWords, buffers: boolean): ParsedReply {
    const { engine, client } = this;
    const args = words.map((word) => new Slice(typeof word === 'object' ? word : Buffer.from(String(word))));
    if (args.length === 0) throw new TypeError('A command has a name');
    const registered = engine.table.named(args, args.length);
    const refused =
      registered === undefined ? `ERR unknown command '${args[0].shown()}'` : this.refusal(c, registered, args);
    if (refused !== null) throw new ReplyError(refused);
    this.buffers = buffers;
    engine.call(client, registered!, args, args.length, DENY_BLOCKING);
    this.parser.read(client.reply.take());
    const { reply } = this;
    this.reply = null;
    if (reply instanceof Error) throw reply;
    return reply;
  }

  /** Why a command of a module may not call another; null where it may. */
  private refusal(c: Call, registered: Registered, args: readonly Slice[]): string | null {
    const { engine } = this;
    const { arity, name, flags, gates } = registered;
    if (arity > 0 ? arity !== args.length : args.length < -arity)
      return `ERR wrong number of arguments for '${name}' command`;
    if (registered.run === null || flags & (NOSCRIPT | OF_MODULE)) return `ERR '${name}' can't be called by a module`;
    if (flags & (WRITE | MAY_REPLICATE) && !c.registered.has(WRITE))
      return `ERR '${c.registered.name}' is not declared to write, and '${name}' does`;
    const refused = engine.gatekeeper.refusalOfCall(
      gates & engine.gates.bits & c.session.minds & (GATE_OOM | GATE_STALE),
    );
    if (refused !== null) return refused.startsWith('-') ? refused.slice(1) : `ERR ${refused}`;
    const { routing } = engine.membership;
    if (routing === null || c.session.role.mustObey) return null;
    const refusal = routing.refusalWithin(c.session, registered, args, args.length);
    return refusal === null ? null : `ERR ${MISDIRECTED[refusal](name)}`;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a command's `run` is handed. */
class Face implements CustomCall {
  readonly args: readonly Buffer[];
  readonly clientId: number;
  readonly db: number;
  readonly now: number;
  /** `run` has returned. */
  over = false;
  private readonly c: Call;
  private readonly send: (words: CommandWords, buffers: boolean) => ParsedReply;

  constructor(c: Call, send: (words: CommandWords, buffers: boolean) => ParsedReply) {
    this.c = c;
    this.send = send;
    this.args = c.args.slice(1, c.argc).map((arg) => Buffer.from(arg.copy()));
    this.clientId = (c.engine.current ?? c.session).id;
    this.db = c.db.index;
    this.now = c.now;
  }

  text(i: number): string {
    return this.bytes(i).toString();
  }

  integer(i: number): number {
    const value = parseInteger(new Slice(this.bytes(i)));
    return value !== undefined && Number.isSafeInteger(value) ? value : this.error(NOT_AN_INTEGER);
  }

  double(i: number): number {
    const value = parseDouble(new Slice(this.bytes(i)));
    return value === undefined || Number.isNaN(value) ? this.error(NOT_A_FLOAT) : value;
  }

  random(): number {
    return this.c.random.double01();
  }

  call(...words: CommandWords): never {
    return this.asked(words, false) as never;
  }

  callBuffer(...words: CommandWords): never {
    return this.asked(words, true) as never;
  }

  status(text: string): StatusReply {
    return new StatusReply(text);
  }

  error(text: string): never {
    throw new ReplyError(text);
  }

  private asked(words: CommandWords, buffers: boolean): ParsedReply {
    if (this.over) throw new Error('The command has been replied to: commands run at once');
    return this.send(words, buffers);
  }

  private bytes(i: number): Buffer {
    const { args } = this;
    if (args[i] === undefined) throw new RangeError(`There is no argument ${i}`);
    return args[i];
  }
}

function writeReply(reply: Reply, value: CustomReply): void {
  if (value === null || value === undefined) reply.null();
  else if (typeof value === 'string') writeBytes(reply, Buffer.from(value));
  else if (typeof value === 'bigint') reply.bigint(value);
  else if (typeof value === 'boolean') reply.bool(value);
  else if (typeof value === 'number') writeNumber(reply, value);
  else if (value instanceof Uint8Array) writeBytes(reply, value);
  else if (value instanceof StatusReply) reply.status(narrow(value.text));
  else if (value instanceof Error) reply.error(narrow(value.message));
  else if (value instanceof Map) {
    reply.map(value.size);
    for (const [name, each] of value) {
      writeReply(reply, name);
      writeReply(reply, each);
    }
  } else if (value instanceof Set || Array.isArray(value)) {
    const items: readonly CustomReply[] = [...value];
    if (value instanceof Set) reply.set(items.length);
    else reply.array(items.length);
    for (const item of items) writeReply(reply, item);
  } else throw new TypeError(`A command can't reply ${typeof value}`);
}

function writeNumber(reply: Reply, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) reply.int(value);
  else reply.double(value);
}

function writeBytes(reply: Reply, bytes: Uint8Array): void {
  reply.bulkBytes(bytes, 0, bytes.length);
}
