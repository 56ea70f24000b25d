/**
 * The code that the parser makes: a stream of 32-bit words, one instruction after the other.
 *
 *   [operation, line, operands ...]      a pc is the place of an instruction's first word
 *
 * Operands are places of values:
 *
 *   0 ..              register: locals first, what is being computed above them
 *   BOXED ..          register whose value is in a Box, because closures share it and it is assigned
 *   UPVALUE ..        upvalue
 *   GLOBALS           the table of globals, as an object only
 *   -1 and below      constant: ~operand is its number
 *
 * Control flow is structured, so that JavaScript can be printed from it: LOOP .. ENDLOOP, BLOCK .. ENDBLOCK and IF .. END
 * nest; BREAK and its kin leave the innermost LOOP, LEAVE the innermost BLOCK. Their operands are the pcs at which the
 * interpreter goes on.
 *
 * Two engines run it: the interpreter (interpreter.ts) at once, and, for functions that turn out to be hot, what print.ts
 * makes of it. A frame's registers mean the same to both, so what one has begun the other goes on with.
 */
import type { Operand, Value } from './value.ts';

export const BOXED = 1024;
export const UPVALUE = 2048;
export const GLOBALS = 4096;
/** In place of a register that holds more values at the end of a list: none, or those of `...`. */
export const NO_MORE = 4097;
export const VARARGS = 4098;

/** Operands of each operation; `...` are as many as the one before `more` says. */
const LAYOUT = {
  ENTER: '',
  NOP: 'any any',
  /** Declares a local: `to` is its register, from here on. */
  LOCAL: 'to from',
  LOCALBOX: 'to from',
  /** The variable of a numeric for that nobody assigns: a number. */
  COUNTER: 'to from',
  MOVE: 'to from',
  /** A copy of a value that nothing changes before the copy is used. */
  KEEP: 'to from',
  ARGTABLE: 'to any',
  GLOBAL: 'to name',
  INDEX: 'to object key',
  METHOD: 'to object key',
  SETINDEX: 'object key value',
  ADD: 'to left right',
  SUB: 'to left right',
  MUL: 'to left right',
  DIV: 'to left right',
  MOD: 'to left right',
  POW: 'to left right',
  CONCAT: 'to left right',
  EQ: 'to left right',
  NE: 'to left right',
  LT: 'to left right',
  LE: 'to left right',
  UNM: 'to value',
  NOT: 'to value',
  LEN: 'to value',
  IF: 'value end',
  IFNOT: 'value end',
  /** `to`: the register that `and` or `or` filled, or -1. */
  END: 'to',
  BLOCK: 'end any',
  ENDBLOCK: '',
  LEAVE: 'end',
  LOOP: 'end',
  ENDLOOP: 'begin',
  BREAK: 'end',
  BREAKIF: 'value end',
  BREAKUNLESS: 'value end',
  FORCHECK: 'register which',
  /** `base`: index, limit, step; `sign` of the step, 0 where it isn't known. */
  FORTEST: 'base sign end',
  FORSTEP: 'base',
  /** `base`: iterator, state, control, place in the table, all results, and the variables. */
  FORIN: 'base variables end',
  FORSTART: 'base',
  CALL: 'to callee count more ...',
  CALL1: 'to callee count more ...',
  CALLALL: 'to callee count more ...',
  TAILCALL: 'to callee count more ...',
  CLOSURE: 'to function',
  VARARG: 'to',
  ELEMENT: 'to list index',
  RETURN: 'count more ...',
  TABLE: 'to items fields',
  FILL: 'table from count more ...',
  FIELD: 'table key value',
  SETRAW: 'table key value',
} as const;

export type OpName = keyof typeof LAYOUT;
export const OP_NAMES = Object.keys(LAYOUT) as OpName[];
export const Op = Object.fromEntries(OP_NAMES.map((name, i) => [name, i])) as Record<OpName, number>;

/** Words of each operation without its list. */
const SIZES = OP_NAMES.map(
  (name) => 2 + LAYOUT[name].split(' ').filter((word) => word !== '' && word !== '...').length,
);
/** Which word holds the length of the list; 0 where there is none. */
const COUNTS = OP_NAMES.map((name) => {
  const words: string[] = LAYOUT[name].split(' ');
  return words.at(-1) === '...' ? 2 + words.indexOf('count') : 0;
});

/** The pc of the first instruction: 0 is none's. */
export const START = 1;

/** Code of more words is packed. */
const MUCH = 1000;

/** Words of code: packed where they are many; making a packed list takes longer than most code to run. */
export type Words = Int32Array | number[];

export class Code {
  readonly words: number[] = [0];

  get length(): number {
    return this.words.length;
  }

  push(word: number): void {
    this.words.push(word);
  }

  packed(): Words {
    return this.words.length > MUCH ? new Int32Array(this.words) : this.words;
  }
}

export function sizeAt(words: Words, pc: number): number {
  const op = words[pc];
  const count = COUNTS[op];
  return count === 0 ? SIZES[op] : SIZES[op] + words[pc + count];
}

/** Where a register is a local's. */
export interface LocalRange {
  readonly name: string;
  readonly register: number;
  readonly from: number;
  readonly to: number;
}

/** Where a closure finds an upvalue when it is made. */
export interface Upvalue {
  readonly name: string;
  /** A register of the function around, or else an upvalue of it. */
  readonly inRegister: boolean;
  readonly at: number;
  /** Whether it is in a Box; known when the whole chunk is parsed. */
  readonly boxed: boolean;
}

/** What is known of `and` and `or`, and of their operands, for messages (names.ts). */
export type Choice =
  | { readonly op: 'and' | 'or'; readonly left: Choice; readonly right: Choice }
  | { readonly op: 'not'; readonly inner: Choice }
  | { readonly op: 'leaf'; readonly name: Operand | undefined; readonly decided: boolean | undefined };

/** A function as it was parsed. */
export interface FunctionCode {
  /** Its number in its chunk. */
  readonly id: number;
  readonly line: number;
  readonly params: number;
  readonly vararg: boolean;
  /** How many registers it needs. */
  readonly registers: number;
  readonly words: Words;
  readonly constants: readonly Value[];
  readonly locals: readonly LocalRange[];
  readonly upvalues: readonly Upvalue[];
  /** By the pc of its END. */
  readonly choices: ReadonlyMap<number, Choice>;
}
