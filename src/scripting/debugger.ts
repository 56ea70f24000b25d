/**
 * A session of the Lua debugger (SCRIPT DEBUG SYNC): a script that stops before its lines, and a client that looks around
 * and lets it go on.
 *
 *   EVAL ── traced code ── a line is reached: stop here? ── paused; the connection's bytes come here as commands
 *                                                        └─ step, continue: the runner goes on with the script
 *
 * Each answer is an array of lines. While the script is stopped everybody else waits. When it has ended, its reply
 * follows the last lines and the connection is closed; when the client goes away, the script runs to its end.
 *
 * It stops at the lines at which the reference does, since traced code has the reference's instructions (lua/code.ts). The
 * variables that are shown are those of the innermost function; sessions on a copy of the server (SCRIPT DEBUG YES) there are none.
 */
import { LONGEST_TEXT } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import { READY, RequestParser } from '../protocol/request.ts';
import { shownReply, shownValue } from './debug-values.ts';
import type { Activity, Lua } from './lua/lua.ts';
import { many } from './lua/runtime.ts';
import { LuaError, type LuaFunction, LuaTable, type Result, type Value } from './lua/value.ts';
import { errorTable } from './replies.ts';

const MAX_BREAKPOINTS = 64;
const MAX_INPUT = 1024 * 1024;
const MAX_LENGTH = 256;
const LEAST_LENGTH = 60;
const AROUND = 5;
/** A command with more arguments is shown with so many. */
const MAX_SHOWN = 10;
const UNKNOWN = '<error> Unknown Redis Lua debugger command or wrong number of arguments.';

const HELP = [
  'Redis Lua debugger help:',
  '[h]elp               Show this help.',
  '[s]tep               Run current line and stop again.',
  '[n]ext               Alias for step.',
  '[c]ontinue           Run till next breakpoint.',
  '[l]ist               List source code around current line.',
  '[l]ist [line]        List source code around [line].',
  '                     line = 0 means: current position.',
  '[l]ist [line] [ctx]  In this form [ctx] specifies how many lines',
  '                     to show before/after [line].',
  "[w]hole              List all source code. Alias for 'list 1 1000000'.",
  '[p]rint              Show all the local variables.',
  '[p]rint <var>        Show the value of the specified variable.',
  '                     Can also show global vars KEYS and ARGV.',
  '[b]reak              Show all breakpoints.',
  '[b]reak <line>       Add a breakpoint to the specified line.',
  '[b]reak -<line>      Remove breakpoint from the specified line.',
  '[b]reak 0            Remove all breakpoints.',
  '[t]race              Show a backtrace.',
  '[e]val <code>        Execute some Lua code (in a different callframe).',
  '[r]edis <cmd>        Execute a Redis command.',
  '[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.',
  '                     Specifying zero as <len> means unlimited.',
  '[a]bort              Stop the execution of the script. In sync',
  '                     mode dataset changes will be retained.',
  '',
  'Debugger functions you can call from Lua scripts:',
  'redis.debug()        Produce logs in the debugger console.',
  'redis.breakpoint()   Stop execution like if there was a breakpoint in the',
  '                     next line of code.',
];

interface Variable {
  readonly name: string;
  readonly value: Value;
}

export class Debugger {
  /** The script is stopped: it goes on when `goOn` is called. */
  paused = false;
  goOn: () => void = () => {};
  private readonly engine: Engine;
  private readonly session: Session;
  private readonly source: readonly string[];
  private readonly parser: RequestParser;
  private sandbox: Lua | null = null;
  private activity: Activity | null = null;
  /** Lets the other clients go on. */
  private release: () => void = () => {};
  private readonly breakpoints = new Set<number>();
  private log: string[] = [];
  private input: Uint8Array = new Uint8Array(0);
  private line = 0;
  /** Those in sight where it is stopped, the innermost last. */
  private locals: readonly Variable[] = [];
  private stepping = true;
  /** redis.breakpoint() was called. */
  private wanted = false;
  private aborted = false;
  private hinted = false;
  private maxLength = MAX_LENGTH;

  constructor(engine: Engine, session: Session, source: string) {
    this.engine = engine;
    this.session = session;
    this.source = source.replace(/[\r\n]+$/, '').split('\n');
    this.parser = new RequestParser(engine.server.settings);
  }

  /** Shows what the script does by way of its `redis` table, which `lua` has just got. */
  prepare(lua: Lua): void {
    this.sandbox = lua;
    lua.runtime.lineReached = (line, locals) => this.reached(line, locals());
    const redis = lua.globals.getStr('redis') as LuaTable;
    for (const name of ['call', 'pcall']) {
      const original = redis.getStr(name) as LuaFunction;
      redis.set(
        name,
        lua.host(name, (args) => this.watched(original, args)),
      );
    }
    redis.set(
      'breakpoint',
      lua.host('breakpoint', () => {
        this.wanted = true;
        return true;
      }),
    );
    redis.set(
      'debug',
      lua.host('debug', (args) => {
        this.log.push(`<debug> line ${this.line}: ${args.map((arg) => shownValue(arg)).join(', ')}`);
        return [];
      }),
    );
  }

  /** The connection is the debugger's from now on. */
  begin(): void {
    this.engine.server.log.warning('Redis synchronous debugging eval session started');
    this.session.port.divert((bytes, from, to) => this.receive(bytes, from, to));
  }

  /** The script has ended: its reply follows. */
  end({ reply }: Call): void {
    this.paused = false;
    this.log.push('<endsession>');
    const { log } = this;
    this.log = [];
    reply.array(log.length);
    for (const each of log) reply.status(each);
    this.engine.server.log.warning('Redis synchronous debugging eval session ended');
    this.session.closeAfterCommand();
  }

  // ---- stops

  /** The script has reached a line, with these locals. */
  private reached(line: number, locals: readonly Variable[]): void {
    this.line = line;
    const reason = this.reason();
    if (reason === null || this.session.closed) return;
    this.stepping = false;
    this.wanted = false;
    this.locals = locals;
    this.log.push(`* Stopped at ${line}, stop reason = ${reason}`, this.sourceLine(line));
    this.paused = true;
    this.sandbox!.runtime.pause(() => {
      if (this.aborted) throw new LuaError(errorTable('script aborted for user request'));
      return [];
    });
  }

  private reason(): string | null {
    if (this.wanted) return 'redis.breakpoint() called';
    if (this.breakpoints.has(this.line)) return 'break point';
    return this.stepping ? 'step over' : null;
  }

  /** The script has been paused. */
  stopped(activity: Activity): void {
    this.activity = activity;
    this.flush();
    this.release = this.engine.pause.holdAll();
    this.session.onClosed = () => this.proceed();
    if (this.input.length > 0) this.engine.clock.soon(() => this.read());
  }

  private proceed(): void {
    if (!this.paused) return;
    this.paused = false;
    this.locals = [];
    // Who waits goes on behind the script, or behind its next stop.
    const { release } = this;
    this.goOn();
    release();
  }

  // ---- input and output

  private receive(bytes: Uint8Array, from: number, to: number): void {
    const input = new Uint8Array(this.input.length + to - from);
    input.set(this.input);
    input.set(bytes.subarray(from, to), this.input.length);
    this.input = input;
    if (input.length > MAX_INPUT) {
      this.input = new Uint8Array(0);
      this.log.push('<error> max client buffer reached');
      this.flush();
    } else this.read();
  }

  private read(): void {
    while (this.paused && this.input.length > 0) {
      this.parser.start(0);
      const outcome = this.parser.next(this.input, this.input.length, true);
      if (outcome === READY) {
        const words = this.parser.args.slice(0, this.parser.argc).map((arg) => arg.beginning(LONGEST_TEXT));
        this.input = this.input.slice(this.parser.at);
        this.command(words);
      } else if (this.parser.error !== '') {
        this.input = new Uint8Array(0);
        this.log.push('<error> protocol error');
        this.flush();
      } else return;
    }
  }

  private flush(): void {
    const { log } = this;
    const { reply } = this.session;
    this.log = [];
    reply.array(log.length);
    for (const line of log) reply.status(line);
  }

  /** Logs what may be long. */
  private long(text: string): void {
    if (this.maxLength === 0 || text.length <= this.maxLength) {
      this.log.push(text);
      return;
    }
    this.log.push(`${text.slice(0, this.maxLength)} ...`);
    if (this.hinted) return;
    this.hinted = true;
    this.log.push("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
  }

  // ---- commands

  private command(words: readonly string[]): void {
    const [name = '', ...rest] = words;
    if (this.moves(name.toLowerCase())) return;
    if (!this.shows(name.toLowerCase(), rest)) this.log.push(UNKNOWN);
    this.flush();
  }

  /** The commands that let the script go on. */
  private moves(name: string): boolean {
    if (['s', 'step', 'n', 'next'].includes(name)) this.stepping = true;
    else if (['a', 'abort'].includes(name)) this.aborted = true;
    else if (!['c', 'continue'].includes(name)) return false;
    this.proceed();
    return true;
  }

  private shows(name: string, rest: readonly string[]): boolean {
    const [first, second] = rest;
    switch (name) {
      case 'h':
      case 'help':
        this.log.push(...HELP);
        return true;
      case 'l':
      case 'list':
        this.list(wholeNumber(first) || this.line, second === undefined ? AROUND : wholeNumber(second));
        return true;
      case 'w':
      case 'whole':
        this.list(1, 1_000_000);
        return true;
      case 'p':
      case 'print':
        if (rest.length === 1) this.print(first);
        else this.printAll();
        return true;
      case 'b':
      case 'break':
        this.breaks(rest);
        return true;
      case 't':
      case 'trace':
        this.trace();
        return true;
      case 'm':
      case 'maxlen':
        this.limit(first);
        return true;
      case 'e':
      case 'eval':
        if (rest.length > 0) this.evaluate(rest.join(' '));
        return rest.length > 0;
      case 'r':
      case 'redis':
        if (rest.length > 0) this.redis(rest);
        return rest.length > 0;
      default:
        return false;
    }
  }

  private sourceLine(line: number): string {
    const current = line === this.line;
    const mark = this.breakpoints.has(line) ? '#' : ' ';
    const text = this.source[line - 1] ?? '<out of range source code line>';
    return `${current ? '->' : '  '}${mark}${String(line).padEnd(3)} ${text}`;
  }

  private list(around: number, context: number): void {
    const last = Math.min(this.source.length, around + context);
    for (let line = Math.max(1, around - context); line <= last; line++) this.log.push(this.sourceLine(line));
  }

  private print(name: string): void {
    const found = this.locals.findLast((variable) => variable.name === name);
    if (found !== undefined) this.long(`<value> ${shownValue(found.value)}`);
    else if (name === 'KEYS' || name === 'ARGV') this.long(`<value> ${shownValue(this.sandbox!.globals.getStr(name))}`);
    else this.log.push('No such variable.');
  }

  private printAll(): void {
    const { locals: variables } = this;
    for (const { name, value } of variables) this.long(`<value> ${name} = ${shownValue(value)}`);
    if (variables.length === 0) this.log.push('No local variables in the current context.');
  }

  private breaks(words: readonly string[]): void {
    if (words.length === 0) {
      if (this.breakpoints.size === 0) this.log.push("No breakpoints set. Use 'b <line>' to add one.");
      else this.log.push(`${this.breakpoints.size} breakpoints set:`);
      for (const line of this.breakpoints) this.log.push(this.sourceLine(line));
      return;
    }
    for (const word of words) this.log.push(...this.breakAt(word));
  }

  private breakAt(word: string): string[] {
    const { breakpoints } = this;
    const line = Number(word);
    if (word === '' || !Number.isInteger(line)) return [`Invalid argument:'${word}'`];
    if (line === 0) {
      breakpoints.clear();
      return ['All breakpoints removed.'];
    }
    if (line < 0) return [breakpoints.delete(-line) ? 'Breakpoint removed.' : 'No breakpoint in the specified line.'];
    if (breakpoints.size === MAX_BREAKPOINTS) return ['Too many breakpoints set.'];
    if (line > this.source.length || breakpoints.has(line)) return ['Wrong line number.'];
    breakpoints.add(line);
    const shown: string[] = [];
    for (let at = Math.max(1, line - 1); at <= Math.min(this.source.length, line + 1); at++)
      shown.push(this.sourceLine(at));
    return shown;
  }

  private trace(): void {
    this.activity!.trace().forEach(({ name, line }, level) => {
      this.log.push(
        `${level === 0 ? 'In' : 'From'} ${name === 'main chunk' ? 'top level' : name}:`,
        this.sourceLine(line),
      );
    });
  }

  private limit(word: string | undefined): void {
    if (word !== undefined) {
      const length = wholeNumber(word);
      this.hinted = true;
      this.maxLength = length === 0 ? 0 : Math.max(length, LEAST_LENGTH);
    }
    this.log.push(
      this.maxLength === 0
        ? '<value> replies are unlimited.'
        : `<value> replies are truncated at ${this.maxLength} bytes.`,
    );
  }

  private evaluate(code: string): void {
    const lua = this.sandbox!;
    try {
      const outcome = lua.run(this.compiled(code));
      if (outcome.kind === 'done') this.long(`<retval> ${shownValue(outcome.values[0])}`);
      else if (outcome.kind === 'error') this.long(`<error> ${messageOf(lua, outcome.error.value)}`);
      else this.log.push('<error> out of time');
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      this.log.push(`<error> ${String(error.value)}`);
    }
  }

  /** An expression, or else statements. */
  private compiled(code: string): LuaFunction {
    try {
      return this.sandbox!.compile(`return ${code}`, '@ldb_eval');
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      return this.sandbox!.compile(code, '@ldb_eval');
    }
  }

  private redis(words: readonly string[]): void {
    const redis = this.sandbox!.globals.getStr('redis') as LuaTable;
    const before = this.stepping;
    this.stepping = true;
    this.sandbox!.run(redis.getStr('pcall') as LuaFunction, words);
    this.stepping = before;
  }

  /** A command of the script, shown in single steps. */
  private watched(original: LuaFunction, args: readonly Value[]): Result {
    if (!this.showsCommands) return original.call(1, ...args);
    const words = args.slice(0, MAX_SHOWN).map((arg) => (typeof arg === 'string' ? arg : shownValue(arg)));
    const more = args.length > MAX_SHOWN ? ` ... (${args.length - MAX_SHOWN - 1} more)` : '';
    this.log.push(`<redis> ${words.join(' ')}${more}`);
    try {
      const result = original.call(1, ...args);
      this.logReply(many(result)[0]);
      return result;
    } catch (error) {
      if (error instanceof LuaError) this.logReply(error.value);
      throw error;
    }
  }

  private get showsCommands(): boolean {
    return this.stepping;
  }

  private logReply(value: Value): void {
    const err = value instanceof LuaTable ? value.getStr('err') : undefined;
    if (typeof err === 'string') this.log.push(`<error> ${err.startsWith('ERR ') ? err.slice(4) : `-${err}`}`);
    if (typeof err !== 'string' || !err.startsWith('ERR ')) this.long(`<reply> ${shownReply(value)}`);
  }
}

function messageOf(lua: Lua, value: Value): string {
  const err = value instanceof LuaTable ? value.getStr('err') : undefined;
  return typeof err === 'string' ? err : lua.text(value);
}

/** As atoi reads it, from 0 up. */
function wholeNumber(word: string | undefined): number {
  const value = Number.parseInt(word ?? '', 10);
  return value > 0 ? value : 0;
}
