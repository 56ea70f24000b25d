/**
 * What compiled code runs on: the slow ways of its operations, and the capture of running code.
 *
 * Suspension. Compiled functions count their entries and the rounds of their loops in `budget`. When it runs out,
 * `slice` asks whether there is time left; if not, it throws SUSPEND. Each Lua frame on the way out catches it, leaves a
 * Frame with its variables and pc in `captured`, and throws it on; library functions that call back leave a
 * Continuation of their own. Whoever started the code (`Runner`, or the resume of a coroutine) keeps the list, and
 * `drive` goes on with it later: the innermost frame first, its result then handed to the next. So the JavaScript stack
 * is never rebuilt. The same mechanism carries coroutine.yield, and recursion deeper than the JavaScript stack: at
 * `maxDepth` the frames move to the heap and the innermost goes on. Frames that wait at a tail call aren't kept.
 *
 * `d`, the first argument of every call, is the weight of the JavaScript stack in use.
 */
import { heapIsShort } from './heap.ts';
import { cLength, numberText, textNumber } from './number.ts';
import {
  badOperand,
  type Continuation,
  LuaError,
  LuaFunction,
  LuaTable,
  type LuaThread,
  LuaUserdata,
  NONE,
  type Operand,
  type Result,
  typeName,
  type Value,
} from './value.ts';

/** Thrown to capture the running code; nothing else about it matters. */
export const SUSPEND = Object.freeze({ suspend: true });

/** What a piece of lengthy work gives when there is more to do. */
export const MORE = Symbol('more');

/** Thrown to end a script for good: pcall doesn't catch it. */
export class Killed {
  readonly message: string;
  /** Where it was found out, by the innermost Lua function. */
  chunk = '';
  line = 0;

  constructor(message: string) {
    this.message = message;
  }
}

/** A mutable local that closures share. */
export class Box {
  v: Value;

  constructor(v: Value) {
    this.v = v;
  }
}

/** What is known of a compiled function. */
export interface Proto {
  name: string;
  chunk: string;
  /** A library function written in Lua: it looks like one of the host's. */
  library: boolean;
  lines: readonly number[];
  operands: ReadonlyArray<ReadonlyArray<Operand | undefined> | undefined>;
  tails: ReadonlySet<number>;
  resumer(): Resumer;
}

export type Resumer = (
  pc: number,
  saved: unknown[],
  upvalues: unknown[],
  varargs: readonly Value[],
  result: Result,
  d: number,
) => Result;

export class Frame implements Continuation {
  readonly proto: Proto;
  readonly pc: number;
  private readonly saved: unknown[];
  private readonly upvalues: unknown[];
  private readonly varargs: readonly Value[];

  constructor(proto: Proto, pc: number, saved: unknown[], upvalues: unknown[], varargs: readonly Value[]) {
    this.proto = proto;
    this.pc = pc;
    this.saved = saved;
    this.upvalues = upvalues;
    this.varargs = varargs;
  }

  resume(result: Result, d: number): Result {
    return this.proto.resumer()(this.pc, this.saved, this.upvalues, this.varargs, result, d);
  }
}

export function first(result: Result): Value {
  return Array.isArray(result) ? result[0] : (result as Value);
}

export function many(result: Result): readonly Value[] {
  return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
}

export function truth(result: Result): boolean {
  const value = first(result);
  return value !== undefined && value !== false;
}

/** C's pow, which knows 1^NaN and (-1)^inf. */
export function pow(a: number, b: number): number {
  return a === 1 || (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY)) ? 1 : a ** b;
}

/** Continuation of `not (b < a)`. */
const NOT: Continuation = { resume: (result) => !truth(result) };

const EVENTS: Record<string, string> = {
  '+': '__add',
  '-': '__sub',
  '*': '__mul',
  '/': '__div',
  '%': '__mod',
  '^': '__pow',
};

const MAX_META = 100;
/** What the resume of a coroutine counts as. */
const RESUME_CHARGE = 100;
/** And the move of all frames from the stack to the heap. */
const DEEP_CHARGE = 4000;
/** Entries and rounds between two looks at the clock. */
const SLICE = 20_000;
/** Slices between two looks at the heap, which take longer. */
const LOOK_AT_MEMORY = 16;
/** Bytes taken at one go that make a look worth it. */
const MUCH_MEMORY = 8 * 1024 * 1024;
/** Strings that are longer are counted when they are made. */
export const MUCH_TEXT = 65_536;
/** Lua frames in all, as deep as the reference goes. */
const MAX_FRAMES = 16_380;

export class Runtime {
  budget = SLICE;
  maxDepth = 800;
  captured: Continuation[] = [];
  private reason: 'slice' | 'deep' | 'yield' = 'slice';
  private transfer: readonly Value[] = NONE;
  private driving: readonly Continuation[] = [];
  current: LuaThread | null = null;
  stringMeta: LuaTable | null = null;
  killed: Killed | null = null;
  private slices = 0;
  private reserved = 0;
  /** Asked when a slice is over: false suspends. */
  goOn: () => boolean = () => true;
  /** Asked now and then: whether there is no room for so many bytes more. */
  exhausted: (bytes: number) => boolean = heapIsShort;
  /** The functions `next` and the iterator of ipairs, which loops know. */
  next: LuaFunction | undefined;
  inext: LuaFunction | undefined;

  // ---- time and stack

  /** The beginning of a function's body when time or stack is short. */
  enter(d: number): void {
    if (this.budget < 0) this.slice();
    if (d <= this.maxDepth) return;
    this.charge(DEEP_CHARGE);
    this.reason = 'deep';
    throw SUSPEND;
  }

  /** Takes work that isn't counted otherwise off the budget. */
  charge(units: number): void {
    this.budget -= units;
  }

  /** Before something large is made: ends the script when there is no room for it. */
  reserve(bytes: number): void {
    this.reserved += bytes;
    if (this.reserved < MUCH_MEMORY) return;
    this.look(this.reserved);
    this.reserved = 0;
  }

  private look(bytes: number): void {
    if (this.exhausted(bytes)) throw new LuaError('not enough memory');
  }

  slice(): void {
    this.budget = SLICE;
    if (this.killed !== null) throw this.killed;
    if (++this.slices % LOOK_AT_MEMORY === 0) this.look(0);
    if (this.goOn()) return;
    this.reason = 'slice';
    throw SUSPEND;
  }

  /** Does work of the host piece by piece; between two time may run out. Each piece charges what it has done. */
  inPieces(piece: () => Result | typeof MORE): Result {
    for (;;) {
      const result = piece();
      if (result !== MORE) return result as Result;
      if (this.budget < 0) this.guarded(() => this.slice() as undefined, { resume: () => this.inPieces(piece) });
    }
  }

  /** Moves what was captured onto a list of frames, outermost first. */
  collect(frames: Continuation[]): void {
    const { captured } = this;
    for (let i = captured.length - 1; i >= 0; i--) frames.push(captured[i]);
    this.captured = [];
  }

  /** Whether code that was captured goes on at once, because only the stack was short. */
  goesOn(d: number): boolean {
    return this.reason === 'deep' && d < this.maxDepth / 2;
  }

  /** Runs captured frames to their end; throws SUSPEND with the frames kept, or the error that none caught. */
  drive(frames: Continuation[], value: Result, d: number): Result {
    let failure: { error: unknown } | null = null;
    while (frames.length > 0) {
      const frame = frames.pop()!;
      try {
        if (failure === null) {
          this.driving = frames;
          value = frame.resume(value, d);
        } else if (frame.caught !== undefined && !(failure.error instanceof Killed)) {
          const { error } = failure;
          failure = null;
          value = frame.caught(error, d);
        } else if (frame instanceof Frame) {
          failure.error = this.trace(failure.error, frame.proto, frame.pc);
        }
      } catch (error) {
        if (error !== SUSPEND) {
          failure = { error };
          continue;
        }
        this.collect(frames);
        if (!this.goesOn(d)) throw SUSPEND;
        value = undefined;
        if (frames.length > MAX_FRAMES) failure = { error: new LuaError('stack overflow', 1) };
      }
    }
    if (failure !== null) throw failure.error;
    return value;
  }

  // ---- errors

  /** An error passes a frame that was at `pc`. */
  trace(thrown: unknown, proto: Proto, pc: number): unknown {
    const error = this.adopt(thrown);
    if (error instanceof Killed && error.line === 0 && !proto.library) {
      error.chunk = proto.chunk;
      error.line = proto.lines[pc];
    }
    if (!(error instanceof LuaError)) return error;
    if (proto.library) {
      if (!error.library && error.level > 0) error.level--;
      return error;
    }
    if (error.line === 0) {
      error.chunk = proto.chunk;
      error.line = proto.lines[pc];
    }
    if (error.shape !== null) complete(error, proto.operands[pc]);
    if (error.level > 0 && --error.level === 0 && typeof error.value === 'string') {
      error.value = `${proto.chunk}:${proto.lines[pc]}: ${error.value}`;
    }
    return error;
  }

  /** Errors of JavaScript that Lua code can bring about become Lua's. */
  adopt(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    if (error instanceof RangeError) {
      const stack = error.message.includes('call stack');
      return stack ? new LuaError('stack overflow', 1) : new LuaError('not enough memory');
    }
    return new LuaError(`internal error: ${error.message}`);
  }

  /** Captures the running code where it is, until somebody goes on with it, by `rest` first. */
  pause(rest: () => Result): never {
    this.captured.push({ resume: rest });
    this.reason = 'slice';
    throw SUSPEND;
  }

  /** Lays the stack open: `look` gets the frames around, outermost first, and its result is the caller's. */
  inspect(look: (frames: readonly Continuation[]) => Result): never {
    this.captured.push({ resume: () => look(this.driving) });
    this.reason = 'deep';
    throw SUSPEND;
  }

  /** Gives an error that pcall caught the position that its level asks for, beyond pcall. */
  positioned(error: LuaError, frames: readonly Continuation[]): Value {
    const frame = frames.at(1 - error.level);
    if (!(frame instanceof Frame) || frame.proto.library) return error.value;
    return `${frame.proto.chunk}:${frame.proto.lines[frame.pc]}: ${error.value}`;
  }

  /** The value that pcall gives for an error; what mustn't be caught is thrown on. */
  caught(thrown: unknown): Value {
    const error = this.adopt(thrown);
    if (!(error instanceof LuaError)) throw error;
    return error.value;
  }

  // ---- metatables

  metatable(value: Value): LuaTable | null {
    if (value instanceof LuaTable || value instanceof LuaUserdata) return value.meta;
    return typeof value === 'string' ? this.stringMeta : null;
  }

  event(value: Value, name: string): Value {
    const meta = this.metatable(value);
    return meta === null ? undefined : meta.getStr(name);
  }

  call(d: number, callee: Value, ...args: Value[]): Result {
    return callee instanceof LuaFunction ? callee.call(d, ...args) : this.callMeta(d, callee, ...args);
  }

  callMeta(d: number, callee: Value, ...args: Value[]): Result {
    const handler = this.event(callee, '__call');
    if (!(handler instanceof LuaFunction)) throw badOperand('call', 0, callee);
    return handler.call(d, callee, ...args);
  }

  index(d: number, object: Value, key: Value): Result {
    let at = object;
    for (let i = 0; i < MAX_META; i++) {
      let handler: Value;
      if (at instanceof LuaTable) {
        const value = at.get(key);
        if (value !== undefined || at.meta === null) return value;
        handler = at.meta.getStr('__index');
        if (handler === undefined) return undefined;
      } else {
        handler = this.event(at, '__index');
        if (handler === undefined) throw this.notTable(at, i);
      }
      if (handler instanceof LuaFunction) return handler.call(d, at, key);
      at = handler;
    }
    throw new LuaError('loop in gettable', 1);
  }

  setIndex(d: number, object: Value, key: Value, value: Value): Result {
    let at = object;
    for (let i = 0; i < MAX_META; i++) {
      let handler: Value;
      if (at instanceof LuaTable) {
        if (at.meta === null || at.get(key) !== undefined) return this.setRaw(at, key, value);
        handler = at.meta.getStr('__newindex');
        if (handler === undefined) return this.setRaw(at, key, value);
      } else {
        handler = this.event(at, '__newindex');
        if (handler === undefined) throw this.notTable(at, i);
      }
      if (handler instanceof LuaFunction) return handler.call(d, at, key, value);
      at = handler;
    }
    throw new LuaError('loop in settable', 1);
  }

  private notTable(value: Value, step: number): LuaError {
    const error = badOperand('index', 0, value);
    if (step > 0) error.shape = null;
    return error;
  }

  /** Assignment without metamethods, with the checks that it always has. */
  setRaw(table: LuaTable, key: Value, value: Value): undefined {
    if (table.readonly) throw new LuaError('Attempt to modify a readonly table', 1);
    if (key === undefined) throw new LuaError('table index is nil', 1);
    if (key !== key) throw new LuaError('table index is NaN', 1);
    table.set(key, value);
    return undefined;
  }

  // ---- operators

  arithmetic(d: number, op: string, a: Value, b: Value): Result {
    const x = number(a);
    const y = number(b);
    if (x !== undefined && y !== undefined) return compute(op, x, y);
    const name = EVENTS[op];
    const handler = this.event(a, name) ?? this.event(b, name);
    if (handler !== undefined) return this.call(d, handler, a, b);
    throw x === undefined ? badOperand('perform arithmetic on', 0, a) : badOperand('perform arithmetic on', 1, b);
  }

  negate(d: number, a: Value): Result {
    const x = number(a);
    if (x !== undefined) return -x;
    const handler = this.event(a, '__unm');
    if (handler !== undefined) return this.call(d, handler, a, a);
    throw badOperand('perform arithmetic on', 0, a);
  }

  length(a: Value): number {
    if (typeof a === 'string') return a.length;
    if (a instanceof LuaTable) return a.length();
    throw badOperand('get length of', 0, a);
  }

  concat(d: number, a: Value, b: Value): Result {
    const x = text(a);
    const y = text(b);
    if (x !== undefined && y !== undefined) {
      if (x.length + y.length > MUCH_TEXT) this.reserve(x.length + y.length);
      return x + y;
    }
    const handler = this.event(a, '__concat') ?? this.event(b, '__concat');
    if (handler !== undefined) return this.call(d, handler, a, b);
    throw x === undefined ? badOperand('concatenate', 0, a) : badOperand('concatenate', 1, b);
  }

  equal(d: number, a: Value, b: Value): Result {
    if (a === b) return true;
    if (!(a instanceof LuaTable) || !(b instanceof LuaTable)) return false;
    const handler = this.event(a, '__eq');
    if (handler === undefined || handler !== this.event(b, '__eq')) return false;
    return this.call(d, handler, a, b);
  }

  less(d: number, a: Value, b: Value): Result {
    if (typeof a === 'number' && typeof b === 'number') return a < b;
    if (typeof a === 'string' && typeof b === 'string') return a < b;
    const handler = this.orderHandler(a, b, '__lt');
    if (handler === undefined) throw badOrder(a, b);
    return this.call(d, handler, a, b);
  }

  lessEqual(d: number, a: Value, b: Value): Result {
    if (typeof a === 'number' && typeof b === 'number') return a <= b;
    if (typeof a === 'string' && typeof b === 'string') return a <= b;
    const handler = this.orderHandler(a, b, '__le');
    if (handler !== undefined) return this.call(d, handler, a, b);
    const opposite = this.orderHandler(b, a, '__lt');
    if (opposite === undefined) throw badOrder(a, b);
    return this.guarded(() => !truth(this.call(d, opposite, b, a)), NOT);
  }

  private orderHandler(a: Value, b: Value, name: string): Value {
    if (typeName(a) !== typeName(b)) return undefined;
    const handler = this.event(a, name);
    return handler === this.event(b, name) ? handler : undefined;
  }

  /** Runs what calls back; when it is captured, `rest` is what is left to do with its result. */
  guarded(run: () => Result, rest: Continuation): Result {
    try {
      return run();
    } catch (error) {
      if (error === SUSPEND) this.captured.push(rest);
      throw error;
    }
  }

  forNumber(value: Value, what: string): number {
    const x = number(value);
    if (x === undefined) throw new LuaError(`'for' ${what} must be a number`, 1);
    return x;
  }

  argTable(values: readonly Value[]): LuaTable {
    const table = LuaTable.of(values.slice(), 1);
    table.setHash('n', values.length);
    return table;
  }

  // ---- coroutines

  /** resume: [true, values] or [false, error]. */
  resume(thread: LuaThread, args: readonly Value[], d: number): readonly Value[] {
    this.charge(RESUME_CHARGE);
    if (thread.status !== 'suspended') {
      return [false, `cannot resume ${thread.status} coroutine`];
    }
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
    try {
      if (thread.start !== undefined) {
        const begin = thread.start;
        thread.start = undefined;
        thread.frames.push({ resume: (args, depth) => begin.call(depth, ...many(args)) });
      }
      const result = this.drive(thread.frames, values, d + 4);
      this.leave(thread, 'dead');
      return [true, ...many(result)];
    } catch (error) {
      if (error !== SUSPEND) {
        this.leave(thread, 'dead');
        return [false, this.caught(error)];
      }
      if (this.reason === 'yield') {
        this.leave(thread, 'suspended');
        return [true, ...this.transfer];
      }
      const { current } = this;
      this.captured.push({
        resume: (value, depth) => {
          this.current = current;
          return this.proceed(thread, value, depth);
        },
      });
      throw SUSPEND;
    }
  }

  yield(values: readonly Value[]): never {
    if (this.current === null) throw new LuaError('attempt to yield across metamethod/C-call boundary', 0);
    this.reason = 'yield';
    this.transfer = values;
    throw SUSPEND;
  }
}

function complete(error: LuaError, operands: ReadonlyArray<Operand | undefined> | undefined): void {
  const [verb, which, detail] = error.shape!;
  error.shape = null;
  if (verb === 'argument') {
    const operand = operands?.[0] ?? operands?.[1];
    if (operand === undefined) return;
    const index = operand.kind === 'method' ? which - 1 : which;
    error.value =
      index === 0 && operand.kind === 'method'
        ? `calling '${operand.name}' on bad self (${detail})`
        : `bad argument #${index} to '${operand.name}' (${detail})`;
    return;
  }
  const operand = operands?.[which];
  if (operand === undefined) return;
  const name = operand.name.slice(0, cLength(operand.name));
  error.value = `attempt to ${verb} ${operand.kind} '${name}' (a ${detail} value)`;
}

function badOrder(a: Value, b: Value): LuaError {
  const x = typeName(a);
  const y = typeName(b);
  return new LuaError(x === y ? `attempt to compare two ${x} values` : `attempt to compare ${x} with ${y}`, 1);
}

/** As a number, strings included. */
export function number(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? textNumber(value) : undefined;
}

/** As a string, numbers included. */
export function text(value: Value): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? numberText(value) : undefined;
}

function compute(op: string, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a - Math.floor(a / b) * b;
    default:
      return pow(a, b);
  }
}
