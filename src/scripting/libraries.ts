/**
 * Libraries of functions: FUNCTION LOAD runs their source once, and what it registers can be called.
 *
 *   functions' globals (empty, read-only) ── __index ──> while a library is loaded: its own `redis` table, nothing else
 *                                                 └────> while a function runs: the sandbox's globals
 *
 * A library is made apart and only then entered, so that one that can't be had leaves everything as it was. Names of
 * functions don't distinguish capitals, those of libraries do.
 */

import { assert } from '../base/assert.ts';
import { splitArguments } from '../base/quoting.ts';
import { bytesOf, Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { Libraries as LibrariesPort } from '../engine/persistence-port.ts';
import { libraryGlobals } from './api.ts';
import type { Compilations } from './compilations.ts';
import { firstLine } from './flags.ts';
import type { Text } from './lua/chunk.ts';
import type { Steps } from './lua/expressions.ts';
import type { Lua } from './lua/lua.ts';
import { LuaError, type LuaFunction, LuaTable, type Value } from './lua/value.ts';
import { isName, NAME_RULE, type Registration, refuse, registration } from './register.ts';
import type { Runner } from './runner.ts';
import { COMPILED_SHARE, SANDBOX_BYTES, type Scripts } from './scripts.ts';

/** What FUNCTION LOAD may take, in microseconds. */
const LOAD_MICROS = 500_000;
/** What a library or a function takes beside its texts, in bytes. */
const LIBRARY_BYTES = 160;
const FUNCTION_BYTES = 120;
const EMPTY_BYTES = 184;

export interface Library {
  readonly name: string;
  readonly source: string;
  readonly functions: readonly Registration[];
}

/** What FUNCTION RESTORE does with libraries that are there. */
export type RestorePolicy = 'FLUSH' | 'APPEND' | 'REPLACE';

interface Owned {
  readonly library: string;
  readonly registered: Registration;
}

/** How a library is made. */
interface Making {
  /** Null where the command waits; throws a LuaError. */
  readonly compile: (text: Text) => LuaFunction | null;
  /** What its run may take. */
  readonly micros: number;
}

/** For a library that is refused before it is compiled. */
const UNCOMPILED = (): null => null;

class LibrarySet {
  readonly libraries = new Map<string, Library>();
  readonly functions = new Map<string, Owned>();
  /** Another object whenever a library has come or gone. */
  edition: object = {};

  add(library: Library): void {
    this.edition = {};
    this.libraries.set(library.name, library);
    for (const registered of library.functions)
      this.functions.set(registered.name.toLowerCase(), { library: library.name, registered });
  }

  remove(name: string): boolean {
    const library = this.libraries.get(name);
    if (library === undefined) return false;
    this.edition = {};
    for (const each of library.functions) this.functions.delete(each.name.toLowerCase());
    return this.libraries.delete(name);
  }

  copy(): LibrarySet {
    const same = new LibrarySet();
    for (const library of this.libraries.values()) same.add(library);
    return same;
  }

  /** The name of one of the library's functions that is another library's too. */
  clash({ name: library, functions }: Library): string | undefined {
    const owner = (name: string): string => this.functions.get(name.toLowerCase())?.library ?? library;
    return functions.find(({ name }) => owner(name) !== library)?.name;
  }
}

export class Libraries implements LibrariesPort {
  private readonly engine: Engine;
  private readonly runner: Runner;
  private readonly compilations: Compilations;
  private set = new LibrarySet();
  private sandbox: Lua | null = null;
  private readonly globals = new LuaTable();
  private readonly loadGlobals: { table: LuaTable | null } = { table: null };
  /** What the library that is being loaded has registered; null outside of a load. */
  private pending: Registration[] | null = null;

  constructor(engine: Engine, { runner, compilations }: Scripts) {
    this.engine = engine;
    this.runner = runner;
    this.compilations = compilations;
  }

  /** The sandbox, made at its first use: few servers have functions. */
  get lua(): Lua {
    if (this.sandbox !== null) return this.sandbox;
    const lua = this.runner.newLua();
    this.loadGlobals.table = libraryGlobals(
      lua,
      this.engine.server.version,
      (level, message) => this.runner.log(level, message),
      (args) => this.register(args),
    );
    const meta = new LuaTable();
    meta.setHash('__index', lua.globals);
    meta.readonly = true;
    this.globals.meta = meta;
    this.globals.readonly = true;
    this.sandbox = lua;
    return lua;
  }

  get all(): readonly Library[] {
    return [...this.set.libraries.values()];
  }

  get functionCount(): number {
    return this.set.functions.size;
  }

  get libraryCount(): number {
    return this.set.libraries.size;
  }

  /** What the libraries take, in bytes. */
  get bytes(): number {
    let bytes = EMPTY_BYTES;
    for (const { source, functions } of this.set.libraries.values())
      bytes += source.length + LIBRARY_BYTES + functions.length * FUNCTION_BYTES;
    return bytes;
  }

  /** What the sandbox takes, as far as it is known. */
  get sandboxBytes(): number {
    return this.sandbox === null ? SANDBOX_BYTES : SANDBOX_BYTES + this.bytes;
  }

  find(name: string): Registration | undefined {
    const { functions } = this.set;
    return (functions.get(name) ?? functions.get(name.toLowerCase()))?.registered;
  }

  // ---- as snapshots carry them

  get edition(): object {
    return this.set.edition;
  }

  sources(): readonly Uint8Array[] {
    return this.all.map(({ source }) => bytesOf(source));
  }

  *load(source: Uint8Array, replace: boolean): Steps<void> {
    const text = new Slice(source).latin1();
    this.enter(this.loaded(text, this.set, replace, yield* this.compiled(text)));
  }

  *replacing(sources: readonly Uint8Array[]): Steps<() => void> {
    const set = new LibrarySet();
    for (const source of sources) {
      const text = new Slice(source).latin1();
      const compile = yield* this.compiled(text);
      // Others are served between the steps.
      while (this.runner.running !== null) yield;
      set.add(this.loaded(text, set, false, compile));
    }
    return () => this.put(set);
  }

  private *compiled(source: string): Steps<Making['compile']> {
    const text = this.textOf(source);
    return text === null ? UNCOMPILED : yield* this.compilations.steps(this.lua, text);
  }

  /** A library that a snapshot holds; throws where it can't be had. */
  private loaded(source: string, set: LibrarySet, replace: boolean, compile: Making['compile']): Library {
    const library = this.make(source, set, replace, { compile, micros: Number.POSITIVE_INFINITY });
    if (typeof library === 'string') throw new Error(library.startsWith('ERR ') ? library.slice(4) : library);
    assert(library !== null, 'what is loaded waits for nobody');
    return library;
  }

  clear(): void {
    this.put(new LibrarySet());
  }

  private put(set: LibrarySet): void {
    const { bytes } = this;
    this.set = set;
    this.runner.dropped(bytes * COMPILED_SHARE);
  }

  // ---- changes

  /** FUNCTION LOAD; an error text where the library can't be had, null where the command waits for it. */
  create(c: Call, source: string, replace: boolean): Library | string | null {
    const micros = c.session.role.mustObey ? Number.POSITIVE_INFINITY : LOAD_MICROS;
    return this.added(this.make(source, this.set, replace, { compile: this.compilerFor(c), micros }));
  }

  private compilerFor(c: Call): Making['compile'] {
    return (text) => this.compilations.compile(c, this.lua, text);
  }

  private added(library: Library | string | null): Library | string | null {
    if (library === null) return null;
    if (typeof library === 'string') return `ERR ${library}`;
    this.enter(library);
    return library;
  }

  private enter(library: Library): void {
    this.set.remove(library.name);
    this.set.add(library);
  }

  remove(name: string): boolean {
    return this.set.remove(name);
  }

  /** FUNCTION RESTORE, of a verified payload: all of its libraries, or none. Whether it was done; else it waits, or has replied. */
  restore(c: Call, payload: Slice, policy: RestorePolicy): boolean {
    // What it holds is had compiled once, before it is run again.
    if (!c.resuming && !this.compilations.prepare(c, this.textsIn(payload))) return false;
    const failure = this.restored(c, payload, policy);
    if (failure !== null) c.reply.error(failure);
    return failure === null;
  }

  private restored(c: Call, payload: Slice, policy: RestorePolicy): string | null {
    const restored = new LibrarySet();
    const compile = this.compilerFor(c);
    const failure = this.engine.server.persistence.readLibraries(payload, (source) => {
      const library = this.make(source, restored, false, { compile, micros: LOAD_MICROS });
      if (typeof library === 'string') return `ERR ${library}`;
      assert(library !== null, 'what a payload holds has been compiled, or is short');
      restored.add(library);
      return null;
    });
    if (failure !== null) return failure;
    if (policy === 'FLUSH') {
      this.set = restored;
      return null;
    }
    const joined = this.set.copy();
    for (const { name } of restored.libraries.values())
      if (joined.remove(name) && policy === 'APPEND') return `ERR Library ${name} already exists`;
    for (const library of restored.libraries.values()) {
      const clash = joined.clash(library);
      if (clash !== undefined) return `ERR Function ${clash} already exists`;
      joined.add(library);
    }
    this.set = joined;
    return null;
  }

  /** What is compiled of a library; null where its first line is wrong. */
  textOf(source: string): Text | null {
    const head = libraryHead(source);
    if (typeof head === 'string') return null;
    return { source: source.slice(head.length), name: '@user_function', globals: this.globals };
  }

  /** The same of those that a verified payload holds. */
  textsIn(payload: Slice): readonly Text[] {
    const texts: Text[] = [];
    this.engine.server.persistence.readLibraries(payload, (source) => {
      const text = this.textOf(source);
      if (text !== null) texts.push(text);
      return null;
    });
    return texts;
  }

  /** A library as it would stand in `set`; why it can't where it can't, null where its command waits for it. */
  private make(source: string, set: LibrarySet, replace: boolean, making: Making): Library | string | null {
    const head = libraryHead(source);
    if (typeof head === 'string') return head;
    const { name } = head;
    if (!replace && set.libraries.has(name)) return `Library '${name}' already exists`;
    const functions = this.collect(this.textOf(source)!, making);
    if (functions === null || typeof functions === 'string') return functions;
    if (functions.length === 0) return 'No functions registered';
    const library = { name, source, functions };
    const clash = set.clash(library);
    return clash === undefined ? library : `Function ${clash} already exists`;
  }

  /** Runs the source of a library: what it registers, or why it can't be loaded. */
  private collect(text: Text, { compile, micros }: Making): Registration[] | string | null {
    if (this.runner.running !== null) return 'Error registering functions: ERR A script runs already';
    const { lua } = this;
    let main: LuaFunction | null;
    try {
      main = compile(text);
    } catch (error) {
      if (error instanceof LuaError) return `Error compiling function: ${String(error.value)}`;
      throw error;
    }
    if (main === null) return null;
    const { clock } = this.engine;
    const { goOn } = lua.runtime;
    const pending: Registration[] = [];
    const until = clock.monotonic() + micros;
    const index = this.globals.meta!;
    this.pending = pending;
    index.setHash('__index', this.loadGlobals.table!);
    lua.runtime.goOn = () => {
      if (clock.monotonic() >= until) lua.kill('FUNCTION LOAD timeout');
      return true;
    };
    try {
      const outcome = lua.run(main);
      if (outcome.kind === 'done') return pending;
      if (outcome.kind === 'error') return `Error registering functions: ${errorText(lua, outcome.error.value)}`;
      return `Error registering functions: ERR ${outcome.kind === 'killed' ? outcome.message : 'suspended'}`;
    } finally {
      lua.runtime.goOn = goOn;
      index.setHash('__index', lua.globals);
      this.pending = null;
    }
  }

  private register(args: readonly Value[]): [] {
    if (this.pending === null) throw refuse('redis.register_function can only be called on FUNCTION LOAD command');
    const found = registration(args);
    if (this.pending.some(({ name }) => name === found.name)) throw refuse('Function already exists in the library');
    this.pending.push(found);
    return [];
  }
}

function errorText(lua: Lua, value: Value): string {
  const message = value instanceof LuaTable ? value.getStr('err') : undefined;
  return typeof message === 'string' ? message : `ERR ${lua.text(value)}`;
}

/** The name that a library gives itself, and how long its first line is; what is wrong with that line otherwise. */
function libraryHead(source: string): { name: string; length: number } | string {
  if (!source.startsWith('#!')) return 'Missing library metadata';
  const line = firstLine(source);
  const words = line === undefined ? undefined : splitArguments(line);
  if (line === undefined || words === undefined || words.length === 0) return 'Invalid library metadata';
  let name: string | null = null;
  for (const word of words.slice(1)) {
    if (word.slice(0, 5).toLowerCase() !== 'name=') return `Invalid metadata value given: ${word}`;
    if (name !== null) return 'Invalid metadata value, name argument was given multiple times';
    name = word.slice(5);
  }
  if (name === null) return 'Library name was not given';
  if (!isName(name)) return NAME_RULE;
  const engine = words[0].slice(2);
  return engine.toLowerCase() === 'lua' ? { name, length: line.length } : `Engine '${engine}' not found`;
}
