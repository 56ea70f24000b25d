/**
 * What the reference's messages call the value with which an instruction failed.
 *
 * The reference looks a name up by going through the function's instructions up to the one that failed. It takes every
 * jump forward on the way, and names what filled the register in question last. What `and` and `or` chose is named by
 * where the first jumps lead, not by the operand that gave it; a test counts as filling, and has no name:
 *
 *   g and x           load g, test, jump to the end             nothing
 *   (1 or g) and x    load 1, test, jump to x, load x           x
 *   (g or h) and x    load g, test, jump to x, load x           x
 *   1 and x           load x                                    x: no code is made for the constant
 */
import {
  BOXED,
  type Choice,
  type FunctionCode,
  OP_NAMES,
  type OpName,
  START,
  sizeAt,
  UPVALUE,
  type Words,
} from './code.ts';
import type { Operand } from './value.ts';

/** Which words are the operands of an operation that can fail. */
const FAILING: Partial<Record<OpName, readonly number[]>> = {
  INDEX: [3],
  METHOD: [3],
  SETINDEX: [2],
  ADD: [3, 4],
  SUB: [3, 4],
  MUL: [3, 4],
  DIV: [3, 4],
  MOD: [3, 4],
  POW: [3, 4],
  CONCAT: [3, 4],
  UNM: [3],
  LEN: [3],
  CALL: [3],
  CALL1: [3],
  CALLALL: [3],
  TAILCALL: [3],
};

/** Names of the operands of the instruction at `pc`. */
export function operandsAt(code: FunctionCode, pc: number): ReadonlyArray<Operand | undefined> | undefined {
  const { words } = code;
  const name = OP_NAMES[words[pc]];
  if (name === 'FORIN') return [undefined, { kind: 'local', name: '(for generator)' }];
  return FAILING[name]?.map((at) => nameOf(code, words[pc + at], pc));
}

function nameOf(code: FunctionCode, place: number, pc: number): Operand | undefined {
  if (place < 0) return undefined;
  if (place >= UPVALUE) {
    const found = code.upvalues[place - UPVALUE];
    return found === undefined ? undefined : { kind: 'upvalue', name: found.name };
  }
  const register = place & (BOXED - 1);
  const local = code.locals.findLast((each) => each.register === register && each.from <= pc && pc < each.to);
  if (local !== undefined) return { kind: 'local', name: local.name };
  const filled = lastFilled(code, register, pc);
  return filled < 0 ? undefined : filledName(code, filled);
}

/** The pc of the instruction that filled a register last, on the way that the reference goes to `end`. */
function lastFilled({ words }: FunctionCode, register: number, end: number): number {
  let last = -1;
  for (let pc = START; pc < end; ) {
    const to = jumpAt(words, pc);
    if (to > pc && to <= end) {
      pc = to;
      continue;
    }
    if (fills(words, pc, register)) last = pc;
    pc += sizeAt(words, pc);
  }
  return last;
}

function jumpAt(words: Words, pc: number): number {
  switch (OP_NAMES[words[pc]]) {
    case 'LEAVE':
    case 'BREAK':
      return words[pc + 2];
    case 'IF':
    case 'IFNOT':
    case 'BREAKIF':
    case 'BREAKUNLESS':
      return words[pc + 3];
    case 'FORTEST':
    case 'FORIN':
      return words[pc + 4];
    default:
      return -1;
  }
}

function fills(words: Words, pc: number, register: number): boolean {
  const name = OP_NAMES[words[pc]];
  switch (name) {
    case 'CALL':
    case 'CALL1':
    case 'CALLALL':
      return register >= words[pc + 2] && words[pc + 2] < BOXED;
    case 'SETINDEX':
    case 'FIELD':
    case 'SETRAW':
    case 'FILL':
    case 'RETURN':
    case 'ENTER':
    case 'NOP':
    case 'FORCHECK':
    case 'FORSTEP':
    case 'FORSTART':
    case 'LOOP':
    case 'ENDLOOP':
    case 'BLOCK':
    case 'ENDBLOCK':
      return false;
    default:
      return jumpAt(words, pc) < 0 && words[pc + 2] === register;
  }
}

function filledName(code: FunctionCode, pc: number): Operand | undefined {
  const { words, constants } = code;
  const key = constants[~words[pc + 4]];
  switch (OP_NAMES[words[pc]]) {
    case 'GLOBAL':
      return { kind: 'global', name: constants[~words[pc + 3]] as string };
    case 'INDEX':
      return { kind: 'field', name: words[pc + 4] < 0 && typeof key === 'string' ? key : '?' };
    case 'METHOD':
      return { kind: 'method', name: key as string };
    case 'MOVE':
    case 'KEEP':
      return words[pc + 3] >= UPVALUE || words[pc + 3] < words[pc + 2] || words[pc + 3] >= BOXED
        ? nameOf(code, words[pc + 3], pc)
        : undefined;
    case 'END': {
      const choice = code.choices.get(pc);
      return choice === undefined ? undefined : chosenName(choice);
    }
    default:
      return undefined;
  }
}

/** What a jump leads to: the test of another operand, or the end of the expression, which has no name. */
interface Target {
  readonly choice: Choice;
  /** Of a test: whether it jumps where it is true, and where it then leads. */
  readonly test: Test | null;
}

interface Test {
  readonly jumpsOn: boolean;
  readonly onTrue: Target | null;
  readonly onFalse: Target | null;
}

/** The name of what an expression leaves in its register. */
function chosenName(choice: Choice): Operand | undefined {
  let at: Target | null = { choice, test: null };
  while (at !== null) {
    const { choice: e, test }: Target = at;
    if (e.op === 'leaf' && test === null) return e.name;
    at = test === null ? whole(e) : tested(e, test);
  }
  return undefined;
}

function whole(e: Choice): Target | null {
  if (e.op === 'leaf' || e.op === 'not') return null;
  const right: Target = { choice: e.right, test: null };
  const test: Test =
    e.op === 'and' ? { jumpsOn: false, onTrue: right, onFalse: null } : { jumpsOn: true, onTrue: null, onFalse: right };
  return { choice: e.left, test };
}

function tested(e: Choice, { jumpsOn, onTrue, onFalse }: Test): Target | null {
  if (e.op === 'leaf') {
    // A constant that never jumps has no code at all.
    const jumps = e.decided !== !jumpsOn;
    return jumps === jumpsOn ? onTrue : onFalse;
  }
  if (e.op === 'not') return { choice: e.inner, test: { jumpsOn: !jumpsOn, onTrue: onFalse, onFalse: onTrue } };
  const right: Target = { choice: e.right, test: { jumpsOn, onTrue, onFalse } };
  return e.op === 'and'
    ? { choice: e.left, test: { jumpsOn: false, onTrue: right, onFalse } }
    : { choice: e.left, test: { jumpsOn: true, onTrue, onFalse: right } };
}
