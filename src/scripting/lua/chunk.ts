/** From source to functions: parse, lower, print, and hand the program to V8. */

import type { Lowered } from './emit.ts';
import { chunkId } from './lexer.ts';
import { parse } from './parser.ts';
import { printQuick, printResuming } from './print.ts';
import { Box, Frame, first, many, type Proto, pow, type Resumer, type Runtime, SUSPEND, truth } from './runtime.ts';
import { lower } from './statements.ts';
import { LuaError, LuaFunction, LuaTable, NONE } from './value.ts';

type Maker = (...upvalues: unknown[]) => LuaFunction;
type Program = (kit: Record<string, unknown>) => Maker[];

/** Compiles a chunk to its main function with `globals` as its environment; throws a LuaError for bad syntax. */
export function compile(
  runtime: Runtime,
  source: string,
  name: string,
  globals: LuaTable,
  library = false,
  probed = false,
  level = 0,
): LuaFunction {
  const [functions, program] = programOf(source, name, library, probed, level);
  const protos: Proto[] = [];
  const kit: Record<string, unknown> = {
    rt: runtime,
    T: LuaTable,
    F: LuaFunction,
    Box,
    Frame,
    SUSPEND,
    NONE,
    P: protos,
    G: globals,
    first,
    many,
    truth,
    pow,
  };
  const makers = program(kit);
  for (const lowered of functions) {
    protos.push(protoOf(lowered, name, library, () => resumerOf(lowered, kit, makers)));
  }
  return makers[0]();
}

function programOf(
  source: string,
  name: string,
  library: boolean,
  probed: boolean,
  level: number,
): [Lowered[], Program] {
  try {
    const functions = parse(source, name, probed, level).map((node) => lower(node, library));
    return [functions, new Function('K', printQuick(functions)) as Program];
  } catch (error) {
    // What is too much for us, or for V8: nothing of the source reaches V8 that could be wrong otherwise.
    if (error instanceof RangeError || error instanceof SyntaxError)
      throw new LuaError(`${chunkId(name)}: function or expression too complex`);
    throw error;
  }
}

function resumerOf(lowered: Lowered, kit: Record<string, unknown>, makers: Maker[]): Resumer {
  const program = new Function('K', 'M', printResuming(lowered, makers.length));
  return program(kit, makers) as Resumer;
}

function protoOf(lowered: Lowered, source: string, library: boolean, make: () => Resumer): Proto {
  let resumer: Resumer | null = null;
  const { lines, operands, tails, node } = lowered;
  return {
    name: node.name,
    source,
    chunk: chunkId(source),
    library,
    lines,
    operands,
    tails,
    resumer: () => (resumer ??= make()),
  };
}
