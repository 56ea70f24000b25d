/** What is left of a call of a Lua function when its code is captured (runtime.ts). */
import { levelOf } from './depth.ts';
import type { Continuation, Operand, Result, Value } from './value.ts';

/** A mutable local that closures share. */
export class Box {
  v: Value;

  constructor(v: Value) {
    this.v = v;
  }
}

/** What is known of a compiled function whose call is in a frame; a pc below 0 is ~pc, not yet begun. */
export interface FrameOwner {
  readonly name: string;
  /** The name that its chunk was given, and how messages shorten it. */
  readonly source: string;
  readonly chunkName: string;
  /** A library function written in Lua: it looks like one of the host's. */
  readonly library: boolean;
  lineAt(pc: number): number;
  operandsAt(pc: number): ReadonlyArray<Operand | undefined> | undefined;
  isTail(pc: number): boolean;
  resume(
    pc: number,
    saved: unknown[],
    upvalues: readonly (Value | Box)[],
    varargs: readonly Value[],
    result: Result,
    d: number,
  ): Result;
}

export class Frame implements Continuation {
  readonly proto: FrameOwner;
  readonly pc: number;
  level: number;
  /** How many functions ended in tail calls that led to this one. */
  callers = 0;
  private readonly saved: unknown[];
  private readonly upvalues: readonly (Value | Box)[];
  private readonly varargs: readonly Value[];

  constructor(
    proto: FrameOwner,
    pc: number,
    d: number,
    saved: unknown[],
    upvalues: readonly (Value | Box)[],
    varargs: readonly Value[],
  ) {
    this.proto = proto;
    this.pc = pc;
    this.level = levelOf(d);
    this.saved = saved;
    this.upvalues = upvalues;
    this.varargs = varargs;
  }

  resume(result: Result, d: number): Result {
    return this.proto.resume(this.pc, this.saved, this.upvalues, this.varargs, result, d);
  }
}
