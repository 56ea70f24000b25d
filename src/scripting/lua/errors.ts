/** Errors of the language itself, and their texts. */
import { LEVELS_MAX } from './depth.ts';
import { cLength } from './number.ts';
import { LuaError, type Operand, typeName, type Value } from './value.ts';

/** An error that no handler is asked about. */
export function unhandled(message: string): LuaError {
  const error = new LuaError(message);
  error.final = true;
  return error;
}

export function overflow(position: number): LuaError {
  const error = new LuaError('C stack overflow', position);
  error.depth = LEVELS_MAX;
  return error;
}

export function errorInHandling(): LuaError {
  return unhandled('error in error handling');
}

/** Names what an operation was done with, now that it is known. */
export function complete(error: LuaError, operands: ReadonlyArray<Operand | undefined> | undefined): void {
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

export function badOrder(a: Value, b: Value): LuaError {
  const x = typeName(a);
  const y = typeName(b);
  return new LuaError(x === y ? `attempt to compare two ${x} values` : `attempt to compare ${x} with ${y}`, 1);
}
