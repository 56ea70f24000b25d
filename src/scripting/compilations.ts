/**
 * Long texts are compiled between the turns of the event loop: the client that sent one waits, everybody else is served.
 * When it is compiled, its command is run again, and finds it here.
 *
 * Within a transaction nothing may come in between: EXEC has the long texts of its commands compiled before it begins. A
 * file that is loaded has slices of its own (`steps`).
 */
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_PAUSED_WRITE } from '../engine/gates.ts';
import type { Session } from '../engine/session.ts';
import { Suspension } from '../engine/suspension.ts';
import { coded, coding, mainOf, type Text } from './lua/chunk.ts';
import type { FunctionCode } from './lua/code.ts';
import type { Steps } from './lua/expressions.ts';
import type { Lua } from './lua/lua.ts';
import { LuaError, type LuaFunction } from './lua/value.ts';

/** Shorter texts, in bytes, take no time worth the trouble. */
export const AT_ONCE = 65_536;
/** Microseconds between two turns. */
const SLICE = 5000;

/** What the code of a text depends on. */
type Written = Required<Pick<Text, 'source' | 'name' | 'traced' | 'level'>>;

/** A text that has been compiled, or can't be. */
interface Compiled extends Written {
  readonly code: readonly FunctionCode[] | LuaError;
}

interface Coded extends Compiled {
  readonly code: readonly FunctionCode[];
}

function written({ source, name, traced = false, level = 0 }: Text): Written {
  return { source, name, traced, level };
}

function isOf(compiled: Compiled, text: Text): boolean {
  const { source, name, traced, level } = written(text);
  return compiled.source === source && compiled.name === name && compiled.traced === traced && compiled.level === level;
}

/** Texts that are being compiled for the command of a session. */
interface Work {
  readonly suspension: Suspension;
  readonly steps: Steps<readonly Compiled[]>;
}

/** Compiles a text in pieces. */
function* compiling(text: Text): Steps<Compiled> {
  try {
    return { ...written(text), code: yield* coding(text) };
  } catch (error) {
    if (error instanceof LuaError) return { ...written(text), code: error };
    throw error;
  }
}

/** Compiles texts one after the other, behind those that are `ready`. */
function* compilingAll(ready: readonly Compiled[], texts: readonly Text[]): Steps<readonly Compiled[]> {
  const compiled = [...ready];
  for (const text of texts) compiled.push(yield* compiling(text));
  return compiled;
}

function main(lua: Lua, text: Text, { code }: Compiled): LuaFunction {
  if (code instanceof LuaError) throw code;
  return mainOf(lua.runtime, text, code);
}

export class Compilations {
  private readonly engine: Engine;
  private readonly ready = new WeakMap<Session, readonly Compiled[]>();
  /** The short text that was compiled last: clients that start load the same library one after the other. */
  private last: Coded | null = null;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** The main function of a text; null where the command waits for it. Throws a LuaError. */
  compile(c: Call, lua: Lua, text: Text): LuaFunction | null {
    const compiled = this.find(c.session, text);
    if (compiled !== undefined) return main(lua, text, compiled);
    return this.prepare(c, [text]) ? mainOf(lua.runtime, text, this.coded(text)) : null;
  }

  private coded(text: Text): readonly FunctionCode[] {
    const { last } = this;
    if (last !== null && isOf(last, text)) return last.code;
    const code = coded(text);
    if (text.source.length < AT_ONCE) this.last = { ...written(text), code };
    return code;
  }

  /** Has texts compiled that the command at hand will need, where they are long: false where it waits for that. */
  prepare(c: Call, texts: readonly Text[]): boolean {
    if (c.denyBlocking) return true;
    const missing = texts.filter((text) => this.find(c.session, text) === undefined);
    if (missing.reduce((bytes, { source }) => bytes + source.length, 0) < AT_ONCE) return true;
    const suspension = Suspension.waiting(c);
    this.later({ suspension, steps: compilingAll(this.ready.get(c.session) ?? [], missing) });
    return false;
  }

  /** The same for what loads a file: to be gone on with until it is done. */
  *steps(lua: Lua, text: Text): Steps<() => LuaFunction> {
    const compiled = yield* compiling(text);
    return () => main(lua, text, compiled);
  }

  private find(session: Session, text: Text): Compiled | undefined {
    return this.ready.get(session)?.find((compiled) => isOf(compiled, text));
  }

  private later(work: Work): void {
    const { engine } = this;
    engine.clock.soon(() => {
      const { suspension } = work;
      const { session } = suspension;
      if (session.closed || !suspension.waits) return;
      // Nothing begins while a script is left half way, or while writers are held.
      const held = engine.suspended !== null || engine.gates.any(GATE_PAUSED_WRITE);
      const ready = held ? null : this.slice(work.steps);
      if (ready === null) {
        this.later(work);
        return;
      }
      this.ready.set(session, ready);
      suspension.goOn();
      // What a transaction that is left half way has yet to run may need them.
      if (session.executing === null && session.waiter === null) this.ready.delete(session);
    });
  }

  /** What it comes to; null when there is more to do. */
  private slice(steps: Steps<readonly Compiled[]>): readonly Compiled[] | null {
    const { clock } = this.engine;
    const until = clock.monotonic() + SLICE;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (clock.monotonic() < until);
    return null;
  }
}
