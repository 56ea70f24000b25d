/** The scripts of EVAL: their cache, and their sandbox. */
import { createHash } from 'node:crypto';
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import { openForScripts } from './api.ts';
import type { Debugger } from './debugger.ts';
import { declaredFlags, UNDECLARED } from './flags.ts';
import type { Lua } from './lua/lua.ts';
import { LuaError, type LuaFunction, LuaTable } from './lua/value.ts';
import { Runner } from './runner.ts';

const SHA_LENGTH = 40;
/** What a script in the cache takes beside its source, as its sandbox's figures are reckoned; bytes. */
const SCRIPT_BYTES = 200;
/** The same of what a sandbox holds from the beginning. */
export const SANDBOX_BYTES = 32 * 1024;

export interface Script {
  readonly sha: string;
  readonly lua: Lua;
  readonly main: LuaFunction;
  /** Bits of flags.ts. */
  readonly flags: number;
}

/** The code of a script; the line break of its first line stays, so that lines keep their numbers. */
function withoutHead(source: string): string {
  return source.startsWith('#!') ? source.slice(source.indexOf('\n')) : source;
}

export class Scripts {
  readonly runner: Runner;
  private readonly scripts = new Map<string, Script>();
  private readonly bySource = new Map<string, Script>();
  /** Made for the first script, and anew after a flush. */
  private sandbox: Lua | null = null;
  private sourceBytes = 0;
  /** Sessions whose next EVAL is debugged. */
  private readonly debugged = new WeakSet<Session>();
  private debugging = false;

  constructor(engine: Engine) {
    this.runner = new Runner(engine);
  }

  private get lua(): Lua {
    this.sandbox ??= this.runner.newLua((lua) => {
      openForScripts(lua);
      lua.globals.set('KEYS', new LuaTable());
      lua.globals.set('ARGV', new LuaTable());
    });
    return this.sandbox;
  }

  // ---- the cache

  get count(): number {
    return this.scripts.size;
  }

  /** What the cache takes, in bytes. */
  get bytes(): number {
    return this.sourceBytes + this.scripts.size * SCRIPT_BYTES;
  }

  find(sha: string): Script | undefined {
    return this.scripts.get(sha) ?? (sha.length === SHA_LENGTH ? this.scripts.get(sha.toLowerCase()) : undefined);
  }

  flush(): void {
    this.scripts.clear();
    this.bySource.clear();
    this.sourceBytes = 0;
    this.sandbox = null;
  }

  /** The flags of a script that EVAL or EVALSHA names, without loading it; undeclared where it can't be known. */
  flagsOf(text: string, bySha: boolean): number {
    const known = bySha ? this.find(text) : this.bySource.get(text);
    if (known !== undefined || bySha) return known?.flags ?? UNDECLARED;
    const flags = declaredFlags(text);
    return typeof flags === 'string' ? UNDECLARED : flags;
  }

  /** The script of a source, compiled at its first use; an error text where it can't be. */
  load(source: string): Script | string {
    const same = this.bySource.get(source);
    if (same !== undefined) return same;
    const sha = createHash('sha1').update(Buffer.from(source, 'latin1')).digest('hex');
    const flags = declaredFlags(source);
    if (typeof flags === 'string') return flags;
    const { lua } = this;
    try {
      const main = lua.compile(withoutHead(source), '@user_script');
      const script = { sha, lua, main, flags };
      this.scripts.set(sha, script);
      this.bySource.set(source, script);
      this.sourceBytes += source.length;
      return script;
    } catch (error) {
      if (error instanceof LuaError) return `ERR Error compiling script (new function): ${String(error.value)}`;
      throw error;
    }
  }

  // ---- debugging

  /** Whether EVAL is debugged by a session. */
  debugs(session: Session): boolean {
    return this.debugging && this.debugged.has(session);
  }

  setDebugged(session: Session, on: boolean): void {
    this.debugging ||= on;
    if (on) this.debugged.add(session);
    else this.debugged.delete(session);
  }

  /** EVAL's work under the debugger, in a sandbox of its own. */
  debug(
    c: Call,
    script: Script,
    source: string,
    [keys, args]: readonly [LuaTable, LuaTable],
    watcher: Debugger,
    readOnly: boolean,
  ): void {
    const { sha: name, flags } = script;
    const lua = this.runner.newLua((made) => {
      openForScripts(made);
      made.globals.set('KEYS', keys);
      made.globals.set('ARGV', args);
      watcher.prepare(made);
    });
    const callee = lua.compileTraced(withoutHead(source), '@user_script');
    this.runner.start(c, { name, kind: 'SCRIPT', lua, flags, readOnly, callee, args: [], watcher });
  }

  // ---- running

  /** EVAL's and EVALSHA's work. */
  run(c: Call, script: Script, [keys, args]: readonly [LuaTable, LuaTable], readOnly: boolean): void {
    const { sha: name, lua, flags, main: callee } = script;
    lua.globals.setHash('KEYS', keys);
    lua.globals.setHash('ARGV', args);
    this.runner.start(c, { name, kind: 'SCRIPT', lua, flags, readOnly, callee, args: [] });
  }
}
