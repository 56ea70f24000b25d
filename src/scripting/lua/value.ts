/**
 * Lua values as JavaScript values: nil is undefined; booleans, numbers and strings are themselves (a string has one
 * char a byte, 0 to 255); tables, functions, userdata and coroutines are the classes below.
 *
 * A call's result is one value, or an Array of any number of values: arrays are never Lua values, so one instanceof
 * tells. Result arrays are never modified by those who get them.
 */
export type Value = undefined | boolean | number | string | LuaTable | LuaFunction | LuaUserdata | LuaThread;
export type Result = Value | readonly Value[];
/** `d` is the weight of the JavaScript stack in use: see runtime.ts. */
export type Callable = (d: number, ...args: Value[]) => Result;

/** No values at all. */
export const NONE: readonly Value[] = Object.freeze([]);

interface Identified {
  id: number;
}

const identities = { last: 0x1a40 };

/** The "0x..." that tostring shows; given at the first look. */
export function address(object: Identified): string {
  if (object.id === 0) object.id = identities.last += 0x20;
  return '0x' + (0x7f3b00000000 + object.id).toString(16);
}

export class LuaFunction {
  call: Callable;
  readonly name: string;
  /** Not compiled from Lua. */
  readonly native: boolean;
  id = 0;

  constructor(name: string, call: Callable, native = false) {
    this.name = name;
    this.call = call;
    this.native = native;
  }
}

export class LuaUserdata {
  readonly name: string;
  meta: LuaTable | null = null;
  id = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** A coroutine; `frames` are its captured frames, outermost first. */
export class LuaThread {
  status: 'suspended' | 'running' | 'normal' | 'dead' = 'suspended';
  start: LuaFunction | undefined;
  frames: Continuation[] = [];
  /** The coroutine that resumed this one. */
  previous: LuaThread | null = null;
  id = 0;

  constructor(start: LuaFunction) {
    this.start = start;
  }
}

/** A captured activation: it goes on when what it called has a result. */
export interface Continuation {
  resume(result: Result, d: number): Result;
  /** Where set, errors of what it called end here. */
  caught?(error: unknown, d: number): Result;
}

/** Where hash entries begin in the numbering of positions that next() walks. */
const HASH_BASE = 0x20000000;

/**
 * Array part: values of the keys 1..array.length, holes undefined. Hash part: `slots` maps a key to its place in
 * `keys` and `values`; a removed entry keeps its place (value undefined), so that traversal may clear fields.
 * Invariant: the hash part has no value at the key array.length + 1.
 */
export class LuaTable {
  array: Value[] = [];
  /** What the reference's array part would hold: decides which border # finds in a table with holes. */
  capacity = 0;
  holes = false;
  slots: Map<Value, number> | null = null;
  keys: Value[] = [];
  values: Value[] = [];
  live = 0;
  meta: LuaTable | null = null;
  readonly = false;
  id = 0;

  static of(values: Value[]): LuaTable {
    const table = new LuaTable();
    table.fill(values, 0);
    return table;
  }

  /** Sets the positional items of a constructor. */
  fill(values: readonly Value[], from: number): void {
    const { array } = this;
    while (array.length < from) array.push(undefined);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (from + i < array.length) array[from + i] = value;
      else array.push(value);
      if (value === undefined) this.holes = true;
    }
    this.capacity = array.length;
    if (this.slots === null) return;
    for (let i = 1; i <= array.length; i++) if (this.slots.has(i)) this.setHash(i, undefined);
    this.migrate();
  }

  getStr(key: string): Value {
    if (this.slots === null) return undefined;
    const at = this.slots.get(key);
    return at === undefined ? undefined : this.values[at];
  }

  get(key: Value): Value {
    if (typeof key === 'number') {
      const at = key - 1;
      if (at >= 0 && at < this.array.length && at === (at | 0)) return this.array[at];
    }
    if (this.slots === null) return undefined;
    const at = this.slots.get(key);
    return at === undefined ? undefined : this.values[at];
  }

  /** Raw assignment; the key is neither nil nor NaN. */
  set(key: Value, value: Value): void {
    if (typeof key === 'number') {
      const at = key - 1;
      const length = this.array.length;
      if (at >= 0 && at < length && at === (at | 0)) {
        if (value !== undefined) this.array[at] = value;
        else this.clear(at);
        return;
      }
      if (at === length && value !== undefined) {
        this.push(value);
        return;
      }
      if (key === 0) key = 0;
    }
    this.setHash(key, value);
  }

  private clear(at: number): void {
    if (at === this.array.length - 1 && !this.holes) {
      this.array.pop();
      return;
    }
    this.array[at] = undefined;
    this.holes = true;
  }

  push(value: Value): void {
    this.array.push(value);
    if (this.array.length > this.capacity) this.capacity = powerOfTwo(this.array.length);
    if (this.slots !== null && this.live > 0) this.migrate();
  }

  setHash(key: Value, value: Value): void {
    if (this.slots === null) {
      if (value === undefined) return;
      this.slots = new Map();
    }
    const at = this.slots.get(key);
    if (at !== undefined) {
      if (value === undefined) {
        if (this.values[at] !== undefined) this.live--;
      } else if (this.values[at] === undefined) this.live++;
      this.values[at] = value;
      return;
    }
    if (value === undefined) return;
    if (this.keys.length >= 8 && this.live * 2 < this.keys.length) this.compact();
    this.slots.set(key, this.keys.length);
    this.keys.push(key);
    this.values.push(value);
    this.live++;
  }

  /** Takes keys that follow the array part out of the hash part. */
  private migrate(): void {
    for (;;) {
      const at = this.slots!.get(this.array.length + 1);
      if (at === undefined || this.values[at] === undefined) return;
      this.array.push(this.values[at]);
      this.values[at] = undefined;
      this.live--;
      if (this.array.length > this.capacity) this.capacity = powerOfTwo(this.array.length);
    }
  }

  private compact(): void {
    const { keys, values } = this;
    this.slots = new Map();
    this.keys = [];
    this.values = [];
    for (let i = 0; i < keys.length; i++) {
      if (values[i] === undefined) continue;
      this.slots.set(keys[i], this.keys.length);
      this.keys.push(keys[i]);
      this.values.push(values[i]);
    }
  }

  /** A border: the length that # gives. */
  length(): number {
    const length = this.array.length;
    if (!this.holes) return length;
    let above = Math.max(length, this.capacity);
    if (length === above && length > 0 && this.array[length - 1] !== undefined) return length;
    let below = 0;
    while (above - below > 1) {
      const middle = (above + below) >>> 1;
      if (middle <= length && this.array[middle - 1] !== undefined) below = middle;
      else above = middle;
    }
    return below;
  }

  /** The position of the first entry at or after `position`, or -1. Traversal begins at 0. */
  seek(position: number): number {
    if (position < HASH_BASE) {
      for (let i = position; i < this.array.length; i++) if (this.array[i] !== undefined) return i;
      position = HASH_BASE;
    }
    for (let i = position - HASH_BASE; i < this.keys.length; i++) {
      if (this.values[i] !== undefined) return HASH_BASE + i;
    }
    return -1;
  }

  keyAt(position: number): Value {
    return position < HASH_BASE ? position + 1 : this.keys[position - HASH_BASE];
  }

  valueAt(position: number): Value {
    return position < HASH_BASE ? this.array[position] : this.values[position - HASH_BASE];
  }

  /** The position after a key's, or -1 when the key isn't there. */
  after(key: Value): number {
    if (key === undefined) return 0;
    if (typeof key === 'number' && key >= 1 && key <= this.array.length && Number.isInteger(key)) return key;
    const at = this.slots?.get(key);
    if (at !== undefined) return HASH_BASE + at + 1;
    // The last of the array part, just cleared.
    return typeof key === 'number' && key > this.array.length && key <= this.capacity ? HASH_BASE : -1;
  }
}

function powerOfTwo(least: number): number {
  let size = 1;
  while (size < least) size *= 2;
  return size;
}

export function typeName(value: Value): string {
  if (value === undefined) return 'nil';
  if (value instanceof LuaTable) return 'table';
  if (value instanceof LuaFunction) return 'function';
  if (value instanceof LuaUserdata) return 'userdata';
  if (value instanceof LuaThread) return 'thread';
  return typeof value;
}

/** What a variable was called where an operation failed: "local 'x'". */
export interface Operand {
  kind: string;
  name: string;
}

/**
 * An error in flight. `level` counts the activations that it still has to pass before its message gets a position;
 * `shape` says that the message is to be completed with the names known at the failing place.
 */
export class LuaError {
  value: Value;
  level: number;
  /** For messages of the libraries: activations of library functions written in Lua don't count. */
  library: boolean;
  /** Given operands: [verb, which operand, its type] or ['argument', number, message]. */
  shape: readonly [string, number, string] | null = null;
  /** Where it was raised, by the innermost Lua function. */
  chunk = '';
  line = 0;

  constructor(value: Value, level = 0, library = false) {
    this.value = value;
    this.level = level;
    this.library = library;
  }
}

/** An error of a library function, with the position of its caller. */
export function fail(message: string): LuaError {
  return new LuaError(message, 1, true);
}

export function badArgument(index: number, message: string): LuaError {
  const error = fail(`bad argument #${index} to '?' (${message})`);
  error.shape = ['argument', index, message];
  return error;
}

export function badOperand(verb: string, which: number, value: Value): LuaError {
  const error = new LuaError(`attempt to ${verb} a ${typeName(value)} value`, 1);
  error.shape = [verb, which, typeName(value)];
  return error;
}
