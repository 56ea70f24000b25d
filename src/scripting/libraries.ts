/** Libraries of functions: FUNCTION LOAD runs their source once, and what it registers can be called. */
import { errorTable } from './api.ts';
import type { Lua } from './lua/lua.ts';
import { LuaError, LuaFunction, LuaTable, type Value } from './lua/value.ts';
import type { Scripts } from './scripts.ts';

export interface RegisteredFunction {
  readonly name: string;
  readonly library: string;
  readonly callee: LuaFunction;
  readonly description: string | null;
  readonly flags: readonly string[];
}

export interface Library {
  readonly name: string;
  readonly source: string;
  readonly functions: readonly RegisteredFunction[];
}

const FLAGS = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'];
const NAME = /^[A-Za-z0-9_]+$/;

function refuse(message: string): LuaError {
  return new LuaError(errorTable(message));
}

export class Libraries {
  readonly all = new Map<string, Library>();
  readonly functions = new Map<string, RegisteredFunction>();
  readonly lua: Lua;
  /** What the library that is being loaded has registered; null outside of a load. */
  private pending: RegisteredFunction[] | null = null;
  private loading = '';

  constructor(scripts: Scripts) {
    this.lua = scripts.newLua((lua) => {
      const redis = lua.globals.getStr('redis') as LuaTable;
      redis.set(
        'register_function',
        lua.host('register_function', (args) => this.register(args)),
      );
    });
  }

  /** Loads a library; its name, or an error text (the first char is not '\0'). */
  load(source: string, replace: boolean): { name: string } | string {
    const head = this.metadata(source);
    if (typeof head === 'string') return head;
    const old = this.all.get(head.name);
    if (old !== undefined && !replace) return `ERR Library '${head.name}' already exists`;
    const registered = this.collect(source, head.name);
    if (typeof registered === 'string') return registered;
    if (registered.length === 0) return 'ERR No functions registered';
    const clash = registered.find(({ name }) => {
      const other = this.functions.get(name);
      return other !== undefined && other.library !== head.name;
    });
    if (clash !== undefined) return `ERR Function ${clash.name} already exists`;
    if (old !== undefined) this.remove(head.name);
    this.all.set(head.name, { name: head.name, source, functions: registered });
    for (const f of registered) this.functions.set(f.name, f);
    return head;
  }

  private metadata(source: string): { name: string } | string {
    if (!source.startsWith('#!')) return 'ERR Missing library metadata';
    const end = source.indexOf('\n');
    if (end < 0) return 'ERR Invalid library metadata';
    const words = source.slice(2, end).trim().split(/\s+/);
    let name: string | null = null;
    for (const word of words.slice(1)) {
      if (!word.toLowerCase().startsWith('name=')) return `ERR Invalid metadata value given: ${word}`;
      if (name !== null) return 'ERR Invalid metadata value, name argument was given multiple times';
      name = word.slice(5);
    }
    if (name === null) return 'ERR Library name was not given';
    if (!NAME.test(name)) {
      return 'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long';
    }
    return words[0].toLowerCase() === 'lua' ? { name } : `ERR Engine '${words[0]}' not found`;
  }

  private collect(source: string, name: string): RegisteredFunction[] | string {
    const { lua } = this;
    let main: LuaFunction;
    try {
      main = lua.compile(source, '@user_function');
    } catch (error) {
      if (error instanceof LuaError) return `ERR Error compiling function: ${String(error.value)}`;
      throw error;
    }
    this.pending = [];
    this.loading = name;
    const started = performance.now();
    const { goOn } = lua.runtime;
    lua.runtime.goOn = () => performance.now() - started < 500;
    const outcome = lua.run(main);
    lua.runtime.goOn = goOn;
    const { pending } = this;
    this.pending = null;
    if (outcome.kind === 'done') return pending;
    if (outcome.kind !== 'error') return 'ERR Error registering functions: FUNCTION LOAD timeout';
    const { value, chunk, line } = outcome.error;
    const message = value instanceof LuaTable ? String(value.getStr('err')).replace(/^ERR /, '') : lua.text(value);
    return line > 0 && value instanceof LuaTable
      ? `ERR Error registering functions: @${chunk}: ${line}: ${message}`
      : `ERR Error registering functions: ${message}`;
  }

  private register(args: readonly Value[]): [] {
    if (this.pending === null) throw refuse('redis.register_function can only be called on FUNCTION LOAD command');
    if (args.length < 1 || args.length > 2) throw refuse('wrong number of arguments to redis.register_function');
    const found = args.length === 2 ? this.plain(args) : this.named(args[0]);
    if (!NAME.test(found.name)) {
      throw refuse(
        'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long',
      );
    }
    if (this.pending.some(({ name }) => name === found.name)) throw refuse('Function already exists in the library');
    this.pending.push({ ...found, library: this.loading });
    return [];
  }

  private plain([name, callee]: readonly Value[]): Omit<RegisteredFunction, 'library'> {
    if (typeof name !== 'string') throw refuse('first argument to redis.register_function must be a string');
    if (!(callee instanceof LuaFunction)) throw refuse('second argument to redis.register_function must be a function');
    return { name, callee, description: null, flags: [] };
  }

  private named(options: Value): Omit<RegisteredFunction, 'library'> {
    if (!(options instanceof LuaTable)) {
      throw refuse(
        'calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).',
      );
    }
    let name: string | null = null;
    let callee: LuaFunction | null = null;
    let description: string | null = null;
    let flags: string[] = [];
    for (let at = options.seek(0); at >= 0; at = options.seek(at + 1)) {
      const value = options.valueAt(at);
      switch (options.keyAt(at)) {
        case 'function_name':
          if (typeof value !== 'string')
            throw refuse('function_name argument given to redis.register_function must be a string');
          name = value;
          break;
        case 'description':
          if (typeof value !== 'string')
            throw refuse('description argument given to redis.register_function must be a string');
          description = value;
          break;
        case 'callback':
          if (!(value instanceof LuaFunction))
            throw refuse('callback argument given to redis.register_function must be a function');
          callee = value;
          break;
        case 'flags':
          flags = flagList(value);
          break;
        default:
          throw refuse('unknown argument given to redis.register_function');
      }
    }
    if (name === null) throw refuse('redis.register_function must get a function name argument');
    if (callee === null) throw refuse('redis.register_function must get a callback argument');
    return { name, callee, description, flags };
  }

  remove(name: string): boolean {
    const library = this.all.get(name);
    if (library === undefined) return false;
    for (const f of library.functions) this.functions.delete(f.name);
    return this.all.delete(name);
  }

  clear(): void {
    this.all.clear();
    this.functions.clear();
  }
}

function flagList(value: Value): string[] {
  if (!(value instanceof LuaTable)) {
    throw refuse('flags argument to redis.register_function must be a table representing function flags');
  }
  const names: string[] = [];
  for (let i = 1; value.get(i) !== undefined; i++) {
    const flag = value.get(i);
    if (typeof flag !== 'string' || !FLAGS.includes(flag)) throw refuse('unknown flag given');
    names.push(flag);
  }
  return names;
}
