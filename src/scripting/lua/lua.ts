/**
 * Lua 5.1 for scripts: compiled to JavaScript functions, suspended and resumed at will.
 *
 * Why our own (Node 20, beside redis-server 7.0.15 on the same machine). lua-redis-wasm 1.5.0 and wasmoon-lua5.1 1.18
 * are PUC-Lua in WebAssembly: neither can leave a running script and come back to it (the one's fuel ends the script,
 * the other has no hook), the first wants Node 22; an empty script costs 12.4 us and 15.4 us, one with a call of the host
 * 17.1 us, a loop of 100,000 additions 380 us and 354 us (redis-server: 330 us). Compiled to JavaScript the empty script
 * costs 0.01 us and the loop 75 us; what is run for the first time is interpreted, since V8 takes longer over a
 * program than most scripts run (code.ts). Generator functions, which would have made suspension easy, ran that loop in 407 us
 * and calls five times slower than plain functions; so code runs as plain functions, and leaves its frames by exception
 * when it has to stop (runtime.ts, print.ts).
 *
 * Time and memory: natives that may take long work in pieces (runtime.ts, `inPieces`) or charge what they do, so that a
 * script can be left at any time; what takes memory is counted, and ends the script before it ends the process (heap.ts).
 *
 * Known differences from the reference: string.dump gives nothing that can be loaded; load reads all pieces before it
 * compiles the first; the order of next() among keys that are objects or
 * longer than 64 KiB, and the sign of not-a-number, are nobody's to rely
 * on.
 */
import { compile, compiling } from './chunk.ts';
import { Coroutines } from './coroutines.ts';
import { MAIN } from './depth.ts';
import { Frame } from './frame.ts';
import { functionArg, native } from './lib/args.ts';
import { type Load, openBase, plainText } from './lib/base.ts';
import { openJson } from './lib/json.ts';
import { Lrand48, openBit, openMath } from './lib/math.ts';
import { openMsgpack } from './lib/msgpack.ts';
import { PRELUDE } from './lib/prelude.ts';
import { openString } from './lib/string.ts';
import { openStruct } from './lib/struct.ts';
import { openTable } from './lib/table.ts';
import { Killed } from './meter.ts';
import { first, many, Runtime, SUSPEND } from './runtime.ts';
import { type Continuation, fail, LuaError, LuaFunction, LuaTable, type Result, type Value } from './value.ts';
import { work } from './work.ts';

export type Outcome =
  | { kind: 'done'; values: readonly Value[] }
  /** Go on with `activity.run()`. */
  | { kind: 'suspended'; activity: Activity }
  | { kind: 'error'; error: LuaError }
  | { kind: 'killed'; message: string; source: string; line: number };

/** A function of the host that scripts can call; may throw a LuaError (see `fail`). */
export type HostFunction = (args: Value[]) => Result;

/** A suspended script. */
export class Activity {
  private readonly lua: Lua;
  private readonly frames: Continuation[] = [];

  constructor(lua: Lua) {
    this.lua = lua;
    lua.runtime.collect(this.frames);
  }

  /** Where it stands: its functions, innermost first, by name and line. */
  trace(): { name: string; line: number }[] {
    const places: { name: string; line: number }[] = [];
    for (const frame of this.frames) {
      if (frame instanceof Frame && !frame.proto.library)
        places.unshift({ name: frame.proto.name, line: frame.proto.lineAt(frame.pc) });
    }
    return places;
  }

  /** Goes on until the script ends or time runs out again. */
  run(): Outcome {
    work.counter = this.lua.runtime;
    try {
      return { kind: 'done', values: many(this.lua.runtime.drive(this.frames, undefined, MAIN)) };
    } catch (error) {
      return error === SUSPEND ? { kind: 'suspended', activity: this } : this.lua.failed(error);
    }
  }
}

export class Lua {
  readonly runtime = new Runtime();
  private readonly coroutines = new Coroutines(this.runtime);
  readonly globals = new LuaTable();
  readonly random = new Lrand48();

  constructor() {
    const { runtime, globals } = this;
    const load: Load = (source, name, level) => compiling(runtime, { source, name, globals, level });
    openBase(runtime, globals, load, this.coroutines);
    openMath(runtime, globals, this.random);
    openBit(runtime, globals);
    const prelude = this.openPrelude();
    openString(runtime, globals, prelude);
    openTable(runtime, globals, prelude);
    openJson(runtime, globals);
    openMsgpack(runtime, globals);
    openStruct(runtime, globals);
  }

  private openPrelude(): LuaTable {
    const { runtime, globals } = this;
    const inside = new LuaTable();
    inside.set('_next', globals.getStr('next'));
    const main = compile(runtime, { source: PRELUDE, name: '@prelude', globals: inside, library: true });
    const floor = (globals.getStr('math') as LuaTable).getStr('floor');
    const raise = new LuaFunction('fail', (_d, message) => {
      throw fail(message as string);
    });
    const concat = new LuaFunction('concat', (_d, pieces) => runtime.made((pieces as LuaTable).array.join('')));
    const index = new LuaFunction('index', (d, table, key) => runtime.index(d, table, key));
    const named = ['loadstring', 'type'].map((name) => globals.getStr(name));
    /** A piece that a reader gives; what it failed with follows a true. */
    const pieceRead = (result: Result): Result => [false, first(result)];
    const readFailed = (error: unknown): Result => [true, runtime.caught(error)];
    const prelude = many(main.call(MAIN, index, concat, ...named, floor, raise))[0] as LuaTable;
    const load = prelude.getStr('load') as LuaFunction;
    const withReader = new LuaFunction('load', (d, reader, name) => {
      const read = functionArg([reader], 0);
      const piece = new LuaFunction('piece', (at) =>
        runtime.attempt(at, () => first(read.call(runtime.nest(at))), pieceRead, readFailed),
      );
      return load.call(d, piece, name ?? '=(load)');
    });
    globals.set('load', withReader);
    return prelude;
  }

  /** A chunk's main function; throws a LuaError with the syntax error. */
  compile(source: string, name: string, globals = this.globals): LuaFunction {
    return compile(this.runtime, { source, name, globals });
  }

  /** The same for a debugger: `runtime.lineReached` hears of each line. */
  compileTraced(source: string, name: string): LuaFunction {
    return compile(this.runtime, { source, name, globals: this.globals, traced: true });
  }

  /** Makes a host function that may be put into a table. */
  host(name: string, body: HostFunction): LuaFunction {
    return native(this.runtime, name, body);
  }

  /** Calls a function until it ends or `runtime.goOn` says that time is over. */
  run(callee: LuaFunction, args: readonly Value[] = []): Outcome {
    const { runtime } = this;
    this.coroutines.current = null;
    runtime.killed = null;
    work.counter = runtime;
    try {
      return { kind: 'done', values: many(callee.call(MAIN, ...args)) };
    } catch (error) {
      if (error !== SUSPEND) return this.failed(error);
      const activity = new Activity(this);
      return runtime.goesOn(MAIN) ? activity.run() : { kind: 'suspended', activity };
    }
  }

  /** The running script ends at its next step: pcall doesn't hold it. */
  kill(message: string): void {
    this.runtime.killed = new Killed(message);
    this.runtime.budget = 0;
  }

  failed(thrown: unknown): Outcome {
    const error = this.runtime.adopt(thrown);
    if (error instanceof Killed) {
      const { message, source, line } = error;
      return { kind: 'killed', message, source, line };
    }
    if (error instanceof LuaError) return { kind: 'error', error };
    throw error;
  }

  /** Makes the globals, the libraries and the metatable of strings read-only. */
  seal(): void {
    this.protect(this.globals);
    if (this.runtime.stringMeta !== null) this.protect(this.runtime.stringMeta);
  }

  /** Makes a table, and the tables and metatables in it, read-only. */
  protect(table: LuaTable): void {
    if (table.readonly) return;
    table.readonly = true;
    if (table.meta !== null) this.protect(table.meta);
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
      const value = table.valueAt(at);
      if (value instanceof LuaTable) this.protect(value);
    }
  }

  /** As tostring, without metamethods. */
  text(value: Value): string {
    return plainText(value);
  }
}
