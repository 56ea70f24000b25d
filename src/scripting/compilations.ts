/**
 * Long texts are compiled between the turns of the event loop: the client that sent one waits, everybody else is served.
 * When it is compiled, its command is run again, and finds it here.
 *
 * Within a transaction, and where a file is loaded, nothing may come in between: there it is done at one go.
 */
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';
import type { Session } from '../engine/session.ts';
import { Suspension } from '../engine/suspension.ts';
import { compiling, type Text } from './lua/chunk.ts';
import type { Lua } from './lua/lua.ts';
import type { LuaFunction } from './lua/value.ts';

/** Shorter texts, in bytes, take no time worth the trouble. */
const AT_ONCE = 65_536;
/** Microseconds between two turns. */
const SLICE = 5000;

interface Compiled {
  readonly lua: Lua;
  readonly source: string;
  /** Its main function; throws what is wrong with the text. */
  readonly take: () => LuaFunction;
}

export class Compilations {
  private readonly engine: Engine;
  private readonly compiled = new WeakMap<Session, Compiled>();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** The main function of a text; null where the command waits for it. Throws a LuaError. */
  compile(c: Call | null, lua: Lua, text: Text): LuaFunction | null {
    if (c === null || text.source.length < AT_ONCE || c.denyBlocking)
      return lua.compile(text.source, text.name, text.globals);
    const made = this.compiled.get(c.session);
    this.compiled.delete(c.session);
    if (made !== undefined && made.lua === lua && made.source === text.source) return made.take();
    const suspension = Suspension.waiting(c);
    this.later(suspension, { lua, text, steps: compiling(lua.runtime, text) });
    return null;
  }

  private later(
    suspension: Suspension,
    work: { readonly lua: Lua; readonly text: Text; readonly steps: Generator<undefined, LuaFunction> },
  ): void {
    this.engine.clock.soon(() => {
      const { session } = suspension;
      if (session.closed) return;
      // Nothing begins while a script is left half way.
      if (this.engine.suspended !== null) {
        this.later(suspension, work);
        return;
      }
      const take = this.slice(work.steps);
      if (take === null) {
        this.later(suspension, work);
        return;
      }
      this.compiled.set(session, { lua: work.lua, source: work.text.source, take });
      suspension.goOn();
    });
  }

  /** What it comes to; null when there is more to do. */
  private slice(steps: Generator<undefined, LuaFunction>): (() => LuaFunction) | null {
    const { clock } = this.engine;
    const until = clock.monotonic() + SLICE;
    try {
      do {
        const step = steps.next();
        if (step.done) return () => step.value;
      } while (clock.monotonic() < until);
      return null;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  }
}
