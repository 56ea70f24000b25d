/**
 * What is known of `and` and `or` before they run: which constants decide them, and what the reference's messages call the
 * value that they chose.
 *
 * The reference looks a name up by going through the function's instructions up to the one that failed. It takes every
 * jump forward on the way, and names what filled the register in question last. So a value is named by where the first
 * jumps lead, not by the operand that gave it; a test counts as filling, and has no name:
 *
 *   g and x           load g, test, jump to the end             nothing
 *   (1 or g) and x    load 1, test, jump to x, load x           x
 *   (g or h) and x    load g, test, jump to x, load x           x
 *   1 and x           load x                                    x: no code is made for the constant
 */
import type { Expression } from './ast.ts';
import type { Operand } from './value.ts';

/** Where a jump leads: to the code of another operand, which goes on from there, or null to the end of the expression, which has no name. */
type Target = (() => Operand | undefined) | null;

/** The number that the reference computes while it compiles. */
export function folded(e: Expression): number | undefined {
  if (e.kind === 'number') return e.value;
  if (e.kind === 'paren') return folded(e.inner);
  if (e.kind === 'unary' && e.op === '-') return negated(folded(e.operand));
  if (e.kind !== 'binary') return undefined;
  const a = folded(e.left);
  const b = folded(e.right);
  if (a === undefined || b === undefined) return undefined;
  const result = computed(e.op, a, b);
  return result === undefined || Number.isNaN(result) ? undefined : result;
}

function negated(value: number | undefined): number | undefined {
  return value === undefined ? undefined : -value;
}

function computed(op: string, a: number, b: number): number | undefined {
  if (op === '+') return a + b;
  if (op === '-') return a - b;
  if (op === '*') return a * b;
  if (op === '^') return a ** b;
  if (b === 0) return undefined;
  if (op === '/') return a / b;
  return op === '%' ? a - Math.floor(a / b) * b : undefined;
}

/** Whether a constant is true; undefined where only running tells. */
export function decided(e: Expression): boolean | undefined {
  if (e.kind === 'paren') return decided(e.inner);
  if (e.kind === 'nil' || e.kind === 'false') return false;
  if (e.kind === 'unary' && e.op === 'not') {
    const inner = decided(e.operand);
    return inner === undefined ? undefined : !inner;
  }
  return e.kind === 'true' || e.kind === 'string' || folded(e) !== undefined ? true : undefined;
}

/** The name of what an expression leaves in its register. */
export function chosenName(e: Expression): Operand | undefined {
  if (e.kind === 'paren') return chosenName(e.inner);
  if (e.kind !== 'binary' || (e.op !== 'and' && e.op !== 'or')) return ownName(e);
  const right: Target = () => chosenName(e.right);
  return e.op === 'and' ? afterTest(e.left, false, right, null) : afterTest(e.left, true, null, right);
}

/** The name that is found from where `e` is tested: it jumps when it is `jumpsOn`, else what follows it runs. */
function afterTest(e: Expression, jumpsOn: boolean, onTrue: Target, onFalse: Target): Operand | undefined {
  if (e.kind === 'paren') return afterTest(e.inner, jumpsOn, onTrue, onFalse);
  if (e.kind === 'unary' && e.op === 'not') return afterTest(e.operand, !jumpsOn, onFalse, onTrue);
  if (e.kind === 'binary' && (e.op === 'and' || e.op === 'or')) {
    const right: Target = () => afterTest(e.right, jumpsOn, onTrue, onFalse);
    return e.op === 'and' ? afterTest(e.left, false, right, onFalse) : afterTest(e.left, true, onTrue, right);
  }
  // A constant that never jumps has no code at all.
  const jumps = decided(e) !== !jumpsOn;
  const target = jumps === jumpsOn ? onTrue : onFalse;
  return target?.();
}

function ownName(e: Expression): Operand | undefined {
  if (e.kind === 'local' || e.kind === 'upvalue') return { kind: e.kind, name: e.local.name };
  if (e.kind === 'global') return { kind: 'global', name: e.name };
  if (e.kind !== 'index') return undefined;
  let { key } = e;
  while (key.kind === 'paren') key = key.inner;
  return { kind: 'field', name: key.kind === 'string' ? key.value : '?' };
}
