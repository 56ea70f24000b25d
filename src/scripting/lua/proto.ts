/** A compiled function: its code, how it is called and resumed, and when it is printed as JavaScript. */
import { type FunctionCode, Op } from './code.ts';
import { WEIGHT } from './depth.ts';
import type { Box, FrameOwner } from './frame.ts';
import { chunkId } from './lexer.ts';
import { operandsAt } from './names.ts';
import type { Runtime } from './runtime.ts';
import { LuaFunction, type LuaTable, NONE, type Operand, type Result, type Value } from './value.ts';

/** A function with more words of code stays with the interpreter: V8 would take too long over it, and not optimize it. */
const LARGEST = 60_000;

/** The name of nearly all chunks. */
const USER_SCRIPT = '@user_script';

/** What a closure shares: values that never change, and boxes. */
export type Shared = Value | Box;

export type Maker = (...shared: Shared[]) => LuaFunction;

export type Resumer = (
  pc: number,
  saved: unknown[],
  upvalues: readonly Shared[],
  varargs: readonly Value[],
  result: Result,
  d: number,
) => Result;

/** What the functions of a chunk have in common. */
export interface Chunk {
  readonly runtime: Runtime;
  readonly globals: LuaTable;
  /** The name that it was given, and how messages shorten it. */
  readonly source: string;
  readonly name: string;
  /** Its functions are library functions written in Lua: they look like ones of the host, and index without metamethods. */
  readonly library: boolean;
  /** The debugger looks on: only the interpreter runs it. */
  readonly traced: boolean;
  readonly protos: Proto[];
  readonly engines: Engines;
}

/** The two ways to run code. */
export interface Engines {
  interpret(
    proto: Proto,
    registers: unknown[],
    shared: readonly Shared[],
    varargs: readonly Value[],
    d: number,
  ): Result;
  /** Goes on with a frame: a pc below 0 is that of an instruction that has not begun. */
  resume: Interpreting;
  /** Prints a function as JavaScript. */
  maker(proto: Proto): Maker;
  resumer(proto: Proto): Resumer;
}

export type Interpreting = (proto: Proto, ...frame: Parameters<Resumer>) => Result;

export class Proto implements FrameOwner {
  readonly chunk: Chunk;
  readonly code: FunctionCode;
  readonly weight: number;
  private heat = 0;
  /** Its maker, once it is printed. */
  made: Maker | null = null;
  private resuming: Resumer | null = null;

  constructor(chunk: Chunk, code: FunctionCode) {
    this.chunk = chunk;
    this.code = code;
    this.weight = WEIGHT * (1 + (code.registers >>> 4));
    if (chunk.traced || code.words.length > LARGEST) this.heat = Number.NEGATIVE_INFINITY;
  }

  get library(): boolean {
    return this.chunk.library;
  }

  get source(): string {
    return this.chunk.source;
  }

  get chunkName(): string {
    return this.chunk.name;
  }

  get name(): string {
    return this.code.line === 0 ? 'main chunk' : 'function';
  }

  /** A pc below 0 is that of an instruction that has not begun. */
  lineAt(pc: number): number {
    return this.code.words[(pc < 0 ? ~pc : pc) + 1];
  }

  operandsAt(pc: number): ReadonlyArray<Operand | undefined> | undefined {
    return operandsAt(this.code, pc);
  }

  /** Whether what the call at `pc` gives is the function's own result. */
  isTail(pc: number): boolean {
    return this.code.words[pc] === Op.TAILCALL;
  }

  /** Whether it is time to print it. */
  warm(): boolean {
    return ++this.heat > this.chunk.runtime.hot;
  }

  /** A function with these upvalues. */
  close(...shared: Shared[]): LuaFunction {
    if (this.made !== null) return this.made(...shared);
    const made: LuaFunction = new LuaFunction(this.name, (d, ...args) => this.enter(made, shared, args, d), true);
    return made;
  }

  private enter(callee: LuaFunction, shared: readonly Shared[], args: Value[], d: number): Result {
    if (this.made !== null || this.warm()) {
      callee.call = this.maker()(...shared).call;
      return callee.call(d, ...args);
    }
    const { params, vararg, registers } = this.code;
    const varargs = vararg ? args.slice(params) : NONE;
    if (args.length > params) args.length = params;
    while (args.length < registers) args.push(undefined);
    return this.chunk.engines.interpret(this, args, shared, varargs, d);
  }

  private maker(): Maker {
    this.made ??= this.chunk.engines.maker(this);
    return this.made;
  }

  /** Goes on with a frame as JavaScript. */
  printed(...frame: Parameters<Resumer>): Result {
    this.maker();
    this.resuming ??= this.chunk.engines.resumer(this);
    return this.resuming(...frame);
  }

  /** Goes on with a frame; what ran as JavaScript has not all of its registers filled, and goes on as such. */
  resume(...frame: Parameters<Resumer>): Result {
    return this.made === null ? this.chunk.engines.resume(this, ...frame) : this.printed(...frame);
  }
}

/** The protos of a chunk, main first. */
export function protosOf(chunk: Omit<Chunk, 'protos' | 'name'>, functions: readonly FunctionCode[]): readonly Proto[] {
  const { runtime, globals, source, library, traced, engines } = chunk;
  const name = source === USER_SCRIPT ? 'user_script' : chunkId(source);
  const whole: Chunk = { runtime, globals, source, name, library, traced, protos: [], engines };
  for (const code of functions) whole.protos.push(new Proto(whole, code));
  return whole.protos;
}

/** What a closure is handed when it is made, by the function around it. */
export function sharedBy(code: FunctionCode, registers: readonly unknown[], shared: readonly Shared[]): Shared[] {
  return code.upvalues.map(({ inRegister, at }) => (inRegister ? (registers[at] as Shared) : shared[at]));
}
