/** From source to functions: parsed to code (parser.ts), interpreted, and printed as JavaScript where it is hot. */

import type { FunctionCode } from './code.ts';
import type { Steps } from './expressions.ts';
import { Box, Frame } from './frame.ts';
import { interpret, resumeFrame } from './interpreter.ts';
import { parse } from './parser.ts';
import { printMaker, printResumer } from './print.ts';
import { type Engines, type Maker, type Proto, protosOf, type Resumer } from './proto.ts';
import { first, many, pow, type Runtime, SUSPEND, truth } from './runtime.ts';
import { LuaFunction, LuaTable, NONE } from './value.ts';

/** What is to be compiled. */
export interface Text {
  readonly source: string;
  /** The name of the chunk, as messages derive theirs from it. */
  readonly name: string;
  /** Its environment. */
  readonly globals: LuaTable;
  /** A library function of ours (proto.ts). */
  readonly library?: boolean;
  /** For the debugger. */
  readonly traced?: boolean;
  /** Of the caller (depth.ts). */
  readonly level?: number;
}

const engines: Engines = {
  interpret,
  resume: resumeFrame,
  maker: (proto) => programOf(proto, printMaker(proto)) as Maker,
  resumer: (proto) => programOf(proto, printResumer(proto)) as Resumer,
};

/** What a printed program gives. */
function programOf(proto: Proto, program: string): unknown {
  const { runtime: rt, protos: P, globals: G } = proto.chunk;
  const kit = { rt, P, G, C: proto.code.constants, T: LuaTable, F: LuaFunction, Box, Frame, SUSPEND, NONE };
  return new Function('K', program)({ ...kit, first, many, truth, pow });
}

/** Compiles a chunk in pieces, to code of whatever runtime; throws a LuaError for bad syntax. */
export function coding({ source, name, traced = false, level = 0 }: Text): Steps<readonly FunctionCode[]> {
  return parse(source, name, traced, level);
}

/** The main function of what a chunk has been compiled to. */
export function mainOf(runtime: Runtime, text: Text, functions: readonly FunctionCode[]): LuaFunction {
  const { name: source, globals, library = false, traced = false } = text;
  return protosOf({ runtime, globals, source, library, traced, engines }, functions)[0].close();
}

/** Compiles a chunk to its main function, in pieces; throws a LuaError for bad syntax. */
export function* compiling(runtime: Runtime, text: Text): Steps<LuaFunction> {
  return mainOf(runtime, text, yield* coding(text));
}

/** `coding` at one go. */
export function coded(text: Text): readonly FunctionCode[] {
  for (const steps = coding(text); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** `compiling` at one go. */
export function compile(runtime: Runtime, text: Text): LuaFunction {
  return mainOf(runtime, text, coded(text));
}
