/** The scripts of EVAL: their cache, and their sandbox. */
import { hash } from 'node:crypto';
import type { Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import { openForScripts } from './api.ts';
import { Compilations } from './compilations.ts';
import type { Debugger } from './debugger.ts';
import { declaredFlags, UNDECLARED } from './flags.ts';
import type { Text } from './lua/chunk.ts';
import type { Lua } from './lua/lua.ts';
import { LuaError, type LuaFunction, LuaTable } from './lua/value.ts';
import { Runner } from './runner.ts';

const SHA_LENGTH = 40;
/** Places for scripts that were run lately. */
const RECENT = 256;
/**
 * What a script in the cache takes beside its source, in bytes, as measured over 100,000: its hash, its entries by hash and
 * by source, and itself. One that is compiled takes more, about so much for each byte of its source: that is the sandbox's,
 * as the reference's virtual machine holds it. What the values of a running script take V8 doesn't tell: where there is
 * room for it is asked of the whole heap (lua/heap.ts).
 */
const SCRIPT_BYTES = 320;
const COMPILED_BYTES = 2000;
export const COMPILED_SHARE = 20;
/** The same of what a sandbox holds from the beginning. */
export const SANDBOX_BYTES = 32 * 1024;

/**
 * A script of the cache. One that is run for the first time is compiled, run and kept as its source only, since many are
 * never run again; the second time it stays compiled.
 */
export interface Script {
  readonly sha: string;
  readonly source: string;
  /** Bits of flags.ts. */
  readonly flags: number;
  main: LuaFunction | null;
  /** It has been run before. */
  ran: boolean;
}

/** Whether the bytes are those of a text of one byte a character. */
function spells({ buffer, start, length }: Slice, text: string): boolean {
  if (length !== text.length) return false;
  for (let i = 0; i < length; i++) if (buffer[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The code of a script; the line break of its first line stays, so that lines keep their numbers. */
function withoutHead(source: string): string {
  return source.startsWith('#!') ? source.slice(source.indexOf('\n')) : source;
}

export class Scripts {
  readonly runner: Runner;
  private readonly scripts = new Map<string, Script>();
  private readonly bySource = new Map<string, Script>();
  /** Scripts that were named lately, by the beginning of their hash: a look here costs less than a string of its bytes. */
  private readonly recent = new Array<Script | null>(RECENT).fill(null);
  /** Made for the first script, and anew after a flush. */
  private sandbox: Lua | null = null;
  private sourceBytes = 0;
  private compiledBytes = 0;
  readonly compilations: Compilations;
  /** Just compiled, for the run that follows. */
  private fresh: { readonly script: Script; readonly main: LuaFunction } | null = null;
  /** Sessions whose next EVAL is debugged. */
  private readonly debugged = new WeakSet<Session>();
  private readonly refused = new WeakSet<Session>();
  private debugging = false;
  private refusing = false;

  constructor(engine: Engine) {
    this.runner = new Runner(engine);
    this.compilations = new Compilations(engine);
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

  /** What the cache takes, in bytes, and what the sandbox does with what is compiled for it. */
  get bytes(): number {
    return this.sourceBytes + this.scripts.size * SCRIPT_BYTES;
  }

  get sandboxBytes(): number {
    return SANDBOX_BYTES + this.compiledBytes;
  }

  find(sha: string): Script | undefined {
    return this.scripts.get(sha) ?? (sha.length === SHA_LENGTH ? this.scripts.get(sha.toLowerCase()) : undefined);
  }

  /** The same by the bytes of the hash. */
  named(sha: Slice): Script | undefined {
    const place = (sha.buffer[sha.start] * 31 + sha.buffer[sha.start + 1]) % RECENT;
    const recent = this.recent[place];
    if (recent !== null && spells(sha, recent.sha)) return recent;
    const script = this.find(sha.keyword());
    if (script !== undefined) this.recent[place] = script;
    return script;
  }

  flush(): void {
    const bytes = this.bytes + this.compiledBytes;
    this.scripts.clear();
    this.bySource.clear();
    this.recent.fill(null);
    this.sourceBytes = 0;
    this.compiledBytes = 0;
    this.fresh = null;
    this.sandbox = null;
    this.runner.dropped(bytes);
  }

  /** The flags of a script that EVAL or EVALSHA names, without loading it; undeclared where it can't be known. */
  flagsOf(text: string, bySha: boolean): number {
    const known = bySha ? this.find(text) : this.bySource.get(text);
    if (known !== undefined || bySha) return known?.flags ?? UNDECLARED;
    const flags = declaredFlags(text);
    return typeof flags === 'string' ? UNDECLARED : flags;
  }

  /** The script of a source, compiled at its first use; an error text where it can't be, null where the command waits. */
  load(c: Call, source: string): Script | string | null {
    const same = this.bySource.get(source);
    if (same !== undefined) return same;
    const flags = declaredFlags(source);
    if (typeof flags === 'string') return flags;
    try {
      const main = this.compilations.compile(c, this.lua, this.textOf(source));
      if (main === null) return null;
      const sha = hash('sha1', Buffer.from(source, 'latin1'), 'hex');
      const script: Script = { sha, source, flags, main: null, ran: false };
      this.scripts.set(sha, script);
      this.bySource.set(source, script);
      this.sourceBytes += source.length;
      this.fresh = { script, main };
      return script;
    } catch (error) {
      if (error instanceof LuaError) return `ERR Error compiling script (new function): ${String(error.value)}`;
      throw error;
    }
  }

  private textOf(source: string): Text {
    return { source: withoutHead(source), name: '@user_script', globals: this.lua.globals };
  }

  /** What is to be compiled before a script can run that is given by its text, or its hash; null where nothing is. */
  textFor(text: string, bySha: boolean): Text | null {
    const known = bySha ? this.find(text) : this.bySource.get(text);
    if (known === undefined ? bySha : known.main !== null) return null;
    return this.textOf(known?.source ?? text);
  }

  /** Its main function; null where the command waits for it. */
  private mainOf(c: Call, script: Script): LuaFunction | null {
    if (script.main !== null) return script.main;
    const main =
      this.fresh?.script === script
        ? this.fresh.main
        : this.compilations.compile(c, this.lua, this.textOf(script.source));
    this.fresh = null;
    if (main === null) return null;
    if (script.ran) {
      script.main = main;
      this.compiledBytes += COMPILED_BYTES + script.source.length * COMPILED_SHARE;
    }
    script.ran = true;
    return main;
  }

  // ---- debugging

  /** Whether EVAL is debugged by a session. */
  debugs(session: Session): boolean {
    return this.debugging && this.debugged.has(session);
  }

  /** The next script of a session isn't run: it was meant for a copy of the data, and redis-cli sends it whatever we say. */
  refuseNext(session: Session): void {
    this.refusing = true;
    this.refused.add(session);
  }

  takeRefusal(session: Session): boolean {
    return this.refusing && this.refused.delete(session);
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
    const { sha: name, flags } = script;
    const { lua } = this;
    const callee = this.mainOf(c, script);
    if (callee === null) return;
    lua.globals.setHash('KEYS', keys);
    lua.globals.setHash('ARGV', args);
    this.runner.start(c, { name, kind: 'SCRIPT', lua, flags, readOnly, callee, args: [] });
  }
}
