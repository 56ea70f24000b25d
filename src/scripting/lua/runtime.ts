/**
 * What compiled code runs on: the slow ways of its operations, and the capture of running code.
 *
 * Suspension. Compiled functions count their entries and the rounds of their loops in `budget`. When it runs out,
 * `slice` asks whether there is time left; if not, it throws SUSPEND. Each Lua frame on the way out catches it, leaves a
 * Frame with its variables and pc in `captured`, and throws it on; library functions that call back leave a
 * Continuation of their own. Whoever started the code (`Runner`, or the resume of a coroutine) keeps the list, and
 * `drive` goes on with it later: the innermost frame first, its result then handed to the next. So the JavaScript stack
 * is never rebuilt. The same mechanism carries coroutine.yield, and recursion deeper than the JavaScript stack: at
 * `maxDepth` the frames move to the heap and the innermost goes on. Frames that wait at a tail call of a Lua function
 * aren't kept.
 *
 * `d`, the first argument of every call, tells where it stands (depth.ts).
 */
import { ERRORS_MAX, LEVELS_MAX, levelOf, WEIGHT } from './depth.ts';
import { badOrder, complete, errorInHandling, overflow } from './errors.ts';
import { Frame, type FrameOwner } from './frame.ts';
import { flat, Killed, Meter, MUCH_TEXT } from './meter.ts';
import { numberText, textNumber } from './number.ts';
import { LONG_NUMERAL, Numeral } from './numeral.ts';
import {
  badOperand,
  type Continuation,
  LuaError,
  LuaFunction,
  LuaTable,
  LuaUserdata,
  type Result,
  typeName,
  type Value,
} from './value.ts';
import { BYTES_SHIFT } from './work.ts';

/** Thrown to capture the running code; nothing else about it matters. */
export const SUSPEND = Object.freeze({ suspend: true });

/** What a piece of lengthy work gives when there is more to do. */
export const MORE = Symbol('more');

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

const EVENTS: Record<string, string> = {
  '+': '__add',
  '-': '__sub',
  '*': '__mul',
  '/': '__div',
  '%': '__mod',
  '^': '__pow',
};

const MAX_META = 100;
/** Comparing what is longer takes time that counts. */
export const LONG = 1024;
/** For a piece of a long numeral. */
const NUMERAL_CHARGE = 8192;
/** Shorter numerals cost no more than the operation that reads them; of the others so many characters are one unit. */
const SHORT_NUMERAL = 32;
const NUMERAL_SHIFT = 3;
/** And the move of all frames from the stack to the heap. */
const DEEP_CHARGE = 4000;
/** Weight of what C calls. */
const CALL_WEIGHT = 4 * WEIGHT;
/** Calls and rounds of loops after which a function is worth being printed. */
const HOT = 100;
/** Lua frames in all, as deep as the reference goes. */
const MAX_FRAMES = 16_380;

export class Runtime extends Meter {
  maxDepth = 800 * WEIGHT;
  /** Functions run as JavaScript after so many calls and rounds: 0 is from the first call on, Infinity never. */
  hot = HOT;
  captured: Continuation[] = [];
  /** Why the running code was captured last. */
  reason: 'slice' | 'deep' | 'yield' = 'slice';
  private driving: readonly Continuation[] = [];
  stringMeta: LuaTable | null = null;
  /** Hears of each line that traced code reaches, and of the locals in sight there, innermost last; may pause it. */
  lineReached: (line: number, locals: () => { name: string; value: Value }[]) => void = () => {};
  /** Hears of errors that no script can bring about: faults of ours, which a script may catch unseen. */
  faulted: (error: Error) => void = () => {};
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

  /** The `d` of what C calls at `d`; the error where C calls nest too deep. Errors that are being handled have a little more room. */
  nest(d: number, position = 0): number {
    const level = levelOf(d) + 1;
    if (level === LEVELS_MAX) throw overflow(position);
    if (level >= ERRORS_MAX) throw errorInHandling();
    return d + CALL_WEIGHT + 1;
  }

  /** A function as C calls it. */
  nested(callee: LuaFunction): LuaFunction {
    return new LuaFunction(callee.name, (d, ...args) => callee.call(this.nest(d), ...args));
  }

  slice(): void {
    if (this.renew()) return;
    this.reason = 'slice';
    throw SUSPEND;
  }

  /** What a native gave: where its work has used up the slice, the script is left right behind it. */
  settled<R extends Result>(result: R): R {
    return this.budget >= 0 ? result : this.overdue(result);
  }

  private overdue<R extends Result>(result: R): R {
    const given = (): R => result;
    return this.guarded(
      0,
      () => {
        this.slice();
        return result;
      },
      given,
    ) as R;
  }

  /** A long string that was just put together: it is counted, and flat from now on. */
  made(text: string): string {
    if (text.length <= MUCH_TEXT) return text;
    this.charge(text.length >>> BYTES_SHIFT);
    this.reserve(text.length);
    return this.settled(flat(text));
  }

  /** Does work of the host piece by piece; between two time may run out. Each piece charges what it has done. */
  inPieces(piece: () => Result | typeof MORE): Result {
    for (;;) {
      const result = piece();
      if (result !== MORE) return result as Result;
      if (this.budget >= 0) continue;
      try {
        this.slice();
      } catch (error) {
        if (error === SUSPEND) this.captured.push(new Pieces(this, piece));
        throw error;
      }
    }
  }

  /** Moves what was captured onto a list of frames, outermost first. */
  collect(frames: Continuation[]): void {
    const { captured } = this;
    for (let i = captured.length - 1; i >= 0; i--) frames.push(captured[i]);
    this.captured = [];
  }

  /** Whether a tail call that is left led to a Lua function, which then stands for both. */
  tailCalled(): boolean {
    const last = this.captured.at(-1);
    if (!(last instanceof Frame) || last.proto.library) return false;
    last.callers++;
    return true;
  }

  private keepCallers(before: Continuation): void {
    const last = this.captured.at(-1);
    if (before instanceof Frame && last instanceof Frame) last.callers += before.callers;
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
      const at = d - levelOf(d) + frame.level;
      try {
        if (failure === null) {
          this.driving = frames;
          value = frame.resume(value, at);
        } else if (frame.caught !== undefined && !(failure.error instanceof Killed)) {
          const { error } = failure;
          failure = null;
          value = frame.caught(error, at);
        } else if (frame instanceof Frame) {
          failure.error = this.trace(failure.error, frame.proto, frame.pc, at);
        }
        if (failure !== null) passCallers(failure.error, frame);
      } catch (error) {
        if (error !== SUSPEND) {
          failure = { error };
          passCallers(error, frame);
          continue;
        }
        this.keepCallers(frame);
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
  trace(thrown: unknown, proto: FrameOwner, pc: number, d: number): unknown {
    const error = this.adopt(thrown);
    if (error instanceof Killed && error.line === 0 && !proto.library) {
      error.source = proto.source;
      error.line = proto.lineAt(pc);
    }
    if (!(error instanceof LuaError)) return error;
    if (error.depth === 0) error.depth = levelOf(d);
    // The reference keeps no frame for what tail-called a Lua function: there is nothing to tell where it was.
    const gone = error.inLua && proto.isTail(pc);
    error.inLua = !proto.library;
    if (proto.library) {
      if (!error.library && error.level > 0) error.level--;
      return error;
    }
    if (error.line === 0) {
      error.source = proto.source;
      error.line = proto.lineAt(pc);
    }
    if (error.shape !== null) complete(error, proto.operandsAt(pc));
    if (error.level > 0 && --error.level === 0 && typeof error.value === 'string' && !gone) {
      error.value = `${proto.chunkName}:${proto.lineAt(pc)}: ${error.value}`;
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
    this.faulted(error);
    return new LuaError('internal error, see the log');
  }

  /** Captures the running code where it is, until somebody goes on with it, by `rest` first. */
  pause(rest: () => Result): never {
    this.captured.push({ level: 0, resume: rest });
    this.reason = 'slice';
    throw SUSPEND;
  }

  /** Lays the stack open: `look` gets the frames around, outermost first, and its result is the caller's. */
  inspect(look: (frames: readonly Continuation[]) => Result): never {
    this.captured.push({ level: 0, resume: () => look(this.driving) });
    this.reason = 'deep';
    throw SUSPEND;
  }

  /** Gives an error that pcall caught the position that its level asks for, beyond pcall. */
  positioned(error: LuaError, frames: readonly Continuation[]): Value {
    let left = error.level - 1;
    let frame: Continuation | undefined;
    for (let i = frames.length - 1; i >= 0 && left > 0; i--) {
      frame = --left === 0 ? frames[i] : undefined;
      const found = frames[i];
      if (found instanceof Frame) left -= Math.min(left, found.callers);
    }
    if (!(frame instanceof Frame) || frame.proto.library) return error.value;
    return `${frame.proto.chunkName}:${frame.proto.lineAt(frame.pc)}: ${error.value}`;
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
      if (handler instanceof LuaFunction) return handler.call(this.nest(d, 1), at, key);
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
        // The reference makes room for the key before it asks.
        this.setRaw(at, key, undefined);
      } else {
        handler = this.event(at, '__newindex');
        if (handler === undefined) throw this.notTable(at, i);
      }
      if (handler instanceof LuaFunction) return handler.call(this.nest(d, 1), at, key, value);
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
    if (!isLongText(a) && !isLongText(b)) return this.computed(d, op, a, b, this.number(a), this.number(b));
    return this.spelled(a, (x) => this.spelled(b, (y) => this.computed(d, op, a, b, x, y)));
  }

  /** A value as a number; a text, which is read in one go, costs by its length. */
  number(value: Value): number | undefined {
    if (typeof value === 'string' && value.length > SHORT_NUMERAL) this.charge(value.length >>> NUMERAL_SHIFT);
    return number(value);
  }

  /** Reads a number of any length in pieces. */
  spelled(value: Value, then: (x: number | undefined) => Result, base: number | null = null): Result {
    if (!isLongText(value)) return then(this.number(value));
    const numeral = this.numeral(value, base);
    return this.inPieces(() => (this.readOn(numeral) ? then(numeral.value) : MORE));
  }

  /** A text that is to be read as a number. */
  numeral(value: string, base: number | null = null): Numeral {
    // Its end, which a NUL may be, is looked for in one go.
    this.charge(value.length >>> BYTES_SHIFT);
    return new Numeral(value, base);
  }

  /** Reads a piece of it; whether it is done. */
  readOn(numeral: Numeral): boolean {
    this.charge(NUMERAL_CHARGE);
    return numeral.run();
  }

  private computed(d: number, op: string, a: Value, b: Value, x: number | undefined, y: number | undefined): Result {
    if (x !== undefined && y !== undefined) return compute(op, x, y);
    const name = EVENTS[op];
    const handler = this.event(a, name) ?? this.event(b, name);
    if (handler !== undefined) return this.call(this.nest(d, 1), handler, a, b);
    throw x === undefined ? badOperand('perform arithmetic on', 0, a) : badOperand('perform arithmetic on', 1, b);
  }

  negate(d: number, a: Value): Result {
    return this.spelled(a, (x) => {
      if (x !== undefined) return -x;
      const handler = this.event(a, '__unm');
      if (handler !== undefined) return this.call(this.nest(d, 1), handler, a, a);
      throw badOperand('perform arithmetic on', 0, a);
    });
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
      return this.made(x + y);
    }
    const handler = this.event(a, '__concat') ?? this.event(b, '__concat');
    if (handler !== undefined) return this.call(this.nest(d, 1), handler, a, b);
    throw x === undefined ? badOperand('concatenate', 0, a) : badOperand('concatenate', 1, b);
  }

  equal(d: number, a: Value, b: Value): Result {
    if (typeof a === 'string' && typeof b === 'string') {
      this.comparing(a, b);
      return this.settled(a === b);
    }
    if (a === b) return true;
    if (!(a instanceof LuaTable) || !(b instanceof LuaTable)) return false;
    const handler = this.event(a, '__eq');
    if (handler === undefined || handler !== this.event(b, '__eq')) return false;
    return this.call(this.nest(d, 1), handler, a, b);
  }

  less(d: number, a: Value, b: Value): Result {
    if (typeof a === 'number' && typeof b === 'number') return a < b;
    if (typeof a === 'string' && typeof b === 'string') {
      this.comparing(a, b);
      return this.settled(a < b);
    }
    const handler = this.orderHandler(a, b, '__lt');
    if (handler === undefined) throw badOrder(a, b);
    return this.call(this.nest(d, 1), handler, a, b);
  }

  lessEqual(d: number, a: Value, b: Value): Result {
    if (typeof a === 'number' && typeof b === 'number') return a <= b;
    if (typeof a === 'string' && typeof b === 'string') {
      this.comparing(a, b);
      return this.settled(a <= b);
    }
    const handler = this.orderHandler(a, b, '__le');
    if (handler !== undefined) return this.call(this.nest(d, 1), handler, a, b);
    const opposite = this.orderHandler(b, a, '__lt');
    if (opposite === undefined) throw badOrder(a, b);
    const not = (result: Result): Result => !truth(result);
    return this.guarded(d, () => not(this.call(this.nest(d, 1), opposite, b, a)), not);
  }

  /** Charges the comparison of two strings. */
  private comparing(a: string, b: string): void {
    if (a.length > LONG) this.charge(Math.min(a.length, b.length) >>> BYTES_SHIFT);
  }

  private orderHandler(a: Value, b: Value, name: string): Value {
    if (typeName(a) !== typeName(b)) return undefined;
    const handler = this.event(a, name);
    return handler === this.event(b, name) ? handler : undefined;
  }

  /** Runs what calls back; when it is captured, `rest` is what is left to do with its result. */
  guarded(d: number, run: () => Result, rest: (result: Result, d: number) => Result): Result {
    try {
      return run();
    } catch (error) {
      if (error === SUSPEND) this.captured.push({ level: levelOf(d), resume: rest });
      throw error;
    }
  }

  /** Runs what calls back: `ended` and `failed` turn what it gives, or its error, into the result. */
  attempt(
    d: number,
    run: () => Result,
    ended: (result: Result) => Result,
    failed: (error: unknown, d: number) => Result,
  ): Result {
    try {
      return ended(run());
    } catch (error) {
      if (error !== SUSPEND) return failed(error, d);
      this.captured.push({ level: levelOf(d), resume: ended, caught: failed });
      throw error;
    }
  }

  forNumber(value: Value, what: string): Result {
    return this.spelled(value, (x) => {
      if (x === undefined) throw new LuaError(`'for' ${what} must be a number`, 1);
      return x;
    });
  }

  argTable(values: readonly Value[]): LuaTable {
    this.charge(values.length >>> 2);
    const table = LuaTable.of(values.slice(), 1);
    table.setHash('n', values.length);
    return table;
  }
}

/** Work in pieces that goes on later. */
export class Pieces implements Continuation {
  level = 0;
  private readonly rt: Runtime;
  private readonly piece: () => Result | typeof MORE;

  constructor(rt: Runtime, piece: () => Result | typeof MORE) {
    this.rt = rt;
    this.piece = piece;
  }

  resume(): Result {
    return this.rt.inPieces(this.piece);
  }
}

/** An error passes those that called a frame's function in a tail call: they count, but are nowhere. */
function passCallers(error: unknown, frame: Continuation): void {
  if (frame instanceof Frame && error instanceof LuaError) error.level = Math.max(0, error.level - frame.callers);
}

/** A text that takes long to read as a number. */
export function isLongText(value: Value): value is string {
  return typeof value === 'string' && value.length > LONG_NUMERAL;
}

/** As a number, strings included; long ones are to be read in pieces. */
export function number(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (isLongText(value)) throw new Error('A long numeral is read in one go');
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
