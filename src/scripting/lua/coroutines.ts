/**
 * Coroutines. A yield captures the running code as the end of a slice does (runtime.ts); its frames then belong to the
 * thread, and whoever resumes it goes on with them. Where time runs out inside of a coroutine, the frames become the
 * thread's as well, and a continuation of the resume's own goes on with them.
 *
 * Invariant: a thread that yielded did so at the level at which it was resumed, so that all of its frames are at that one
 * level; they move along when it is resumed from another.
 */
import { LEVELS_MAX, levelOf, WEIGHT } from './depth.ts';
import { many, type Runtime, SUSPEND } from './runtime.ts';
import { LuaError, type LuaThread, NONE, type Result, type Value } from './value.ts';

/** What the resume of a coroutine counts as. */
const CHARGE = 100;
const RESUME_WEIGHT = 8 * WEIGHT;

export class Coroutines {
  private readonly runtime: Runtime;
  private transfer: readonly Value[] = NONE;
  /** The one that runs; null in the main one. */
  current: LuaThread | null = null;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** resume: [true, values] or [false, error]. */
  resume(thread: LuaThread, args: readonly Value[], d: number): readonly Value[] {
    this.runtime.charge(CHARGE);
    if (thread.status !== 'suspended') return [false, `cannot resume ${thread.status} coroutine`];
    if (levelOf(d) >= LEVELS_MAX) return [false, 'C stack overflow'];
    thread.move(levelOf(d) + 1);
    thread.previous = this.current;
    if (thread.previous !== null) thread.previous.status = 'normal';
    this.switchTo(thread);
    return this.proceed(thread, args, d);
  }

  private switchTo(thread: LuaThread | null): void {
    this.current = thread;
    if (thread !== null) thread.status = 'running';
  }

  private leave(thread: LuaThread, status: 'suspended' | 'dead'): void {
    this.switchTo(thread.previous);
    thread.previous = null;
    thread.status = status;
  }

  private proceed(thread: LuaThread, values: Result, d: number): readonly Value[] {
    const { runtime } = this;
    try {
      const result = runtime.drive(thread.frames, values, d + RESUME_WEIGHT);
      this.leave(thread, 'dead');
      return [true, ...many(result)];
    } catch (error) {
      if (error !== SUSPEND) {
        this.leave(thread, 'dead');
        return [false, runtime.caught(error)];
      }
      if (runtime.reason === 'yield') {
        this.leave(thread, 'suspended');
        return [true, ...this.transfer];
      }
      const { current } = this;
      runtime.captured.push({
        level: levelOf(d),
        resume: (value, at) => {
          this.current = current;
          return this.proceed(thread, value, at);
        },
      });
      throw SUSPEND;
    }
  }

  yield(values: readonly Value[], d: number): never {
    if (this.current === null || levelOf(d) !== this.current.level) {
      throw new LuaError('attempt to yield across metamethod/C-call boundary');
    }
    this.runtime.reason = 'yield';
    this.transfer = values;
    throw SUSPEND;
  }
}
