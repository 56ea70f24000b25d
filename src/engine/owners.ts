/** What a room has of each server: several may live in one process, and share nothing. */
import type { Engine } from './engine.ts';

export class Owners<T extends object> {
  private readonly known = new WeakMap<Engine, T>();
  private readonly what: string;

  /** `what` says whose lack `of` complains of. */
  constructor(what: string) {
    this.what = what;
  }

  attach(engine: Engine, owner: T): void {
    this.known.set(engine, owner);
  }

  /** Undefined where the server has none. */
  find(engine: Engine): T | undefined {
    return this.known.get(engine);
  }

  /** Throws where the server has none. */
  of(engine: Engine): T {
    const found = this.find(engine);
    if (found === undefined) throw new Error(`${this.what} is attached before any command runs`);
    return found;
  }
}
