/**
 * A command, declared once.
 *
 * Everything that Redis keeps beside a command's code (arity, flags, key positions, ACL categories, documentation) is
 * here or derived from here (derive.ts); `run` is what it does.
 */
import type { Slice } from '../base/slice.ts';
import type { Call } from './call.ts';
import type { Declaration } from './declaration.ts';
import type { Engine } from './engine.ts';

export type * from './declaration.ts';

export interface Command extends Declaration {
  readonly flagsWith?: (engine: Engine, args: readonly Slice[], argc: number) => number;
  readonly subcommands?: readonly Command[];
  run?(c: Call): void;
}

/** Declares a command. */
export function command(declaration: Command): Command {
  return declaration;
}
