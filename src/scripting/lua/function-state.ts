/**
 * A function while it is parsed: its registers, its locals, and the code that its expressions become.
 *
 * An expression is not computed when it is read, but when something is done with it, so that it can also be assigned to,
 * be part of a constant, or be computed right into the register where it belongs. Registers are a stack: locals that are
 * in sight take the first, from `top` on are temporaries, and `free` is the first of those that nobody uses.
 */
import {
  BOXED,
  type Choice,
  Code,
  type FunctionCode,
  GLOBALS,
  type LocalRange,
  NO_MORE,
  Op,
  type OpName,
  UPVALUE,
  type Upvalue,
  VARARGS,
} from './code.ts';
import type { Lexer } from './lexer.ts';
import type { LuaError, Operand, Value } from './value.ts';

export const MAX_LOCALS = 200;
export const MAX_UPVALUES = 60;
/** From so many registers on a function is too complex. */
const MAX_REGISTERS = 250;

export interface Local {
  readonly name: string;
  register: number;
  readonly owner: FunctionState;
  /** An inner function uses it. */
  captured: boolean;
  /** It is assigned after its declaration. */
  assigned: boolean;
  /** The variable of a numeric for: a number as long as nobody assigns it. */
  counter: boolean;
  /** The pc of its LOCAL, that behind which it is in sight, and where operands name it. */
  declared: number;
  from: number;
  uses: number[];
}

/** All locals in sight in a chunk, by name, the innermost last. */
export type Names = Map<string, Local[]>;

export const CONSTANT = 0;
export const LOCAL = 1;
export const UPVALUES = 2;
export const GLOBAL = 3;
export const INDEXED = 4;
export const CALLED = 5;
export const REST = 6;
/** In a register. */
export const TEMP = 7;
/** Computed by the instruction at `at`, which doesn't know yet where to put it. */
export const PENDING = 8;

/** An expression: what the fields mean depends on the kind. */
export class Exp {
  kind: number;
  /** Register, pc, or number of the upvalue; of a constant the register that is reserved for it, or -1. */
  at: number;
  /** Of a constant; the name of a global. */
  value: Value;
  local: Local | null = null;
  object: Exp | null = null;
  key: Exp | null = null;
  choice: Choice | null = null;
  /** Between parentheses a name is no place. */
  inParentheses = false;

  constructor(kind: number, at = -1, value: Value = undefined) {
    this.kind = kind;
    this.at = at;
    this.value = value;
  }

  /** The number that it is when it is compiled. */
  get number(): number | undefined {
    return this.kind === CONSTANT && typeof this.value === 'number' ? this.value : undefined;
  }

  /** Whether a constant is true; undefined where only running tells. */
  get decided(): boolean | undefined {
    return this.kind === CONSTANT ? this.value !== undefined && this.value !== false : undefined;
  }
}

const NAMELESS: Choice = { op: 'leaf', name: undefined, decided: undefined };

/** Whether scripts can say the name: those of loops' own variables they can't. */
function isNamed(name: string): boolean {
  return name !== '' && name[0] !== '(';
}

/** The register that an expression holds; -1 where it holds none. */
function held(e: Exp): number {
  return e.kind === TEMP || e.kind === CONSTANT ? e.at : -1;
}

export class FunctionState {
  readonly id: number;
  readonly outer: FunctionState | null;
  readonly line: number;
  readonly lexer: Lexer;
  readonly code = new Code();
  /** Locals in sight, innermost last, and how many of them no script can name or count. */
  readonly visible: Local[] = [];
  params = 0;
  vararg = false;
  usesVararg = false;
  /** The pc of what makes the old `arg` table. */
  argTable = -1;
  /** Nested loops around this place, each with the pcs of the operands that await its end. */
  readonly loops: number[][] = [];
  free = 0;
  private hidden = 0;
  private registers = 0;
  private readonly constants: Value[] = [];
  private readonly known = new Map<Value, number>();
  private readonly locals: LocalRange[] = [];
  private readonly upvalues: { name: string; local: Local; inRegister: boolean; at: number }[] = [];
  private readonly upvalueOf = new Map<Local, number>();
  private readonly choices = new Map<number, Choice>();
  private readonly names: Names;

  constructor(id: number, outer: FunctionState | null, line: number, lexer: Lexer, names: Names) {
    this.id = id;
    this.names = names;
    this.outer = outer;
    this.line = line;
    this.lexer = lexer;
    this.emit('ENTER', line);
  }

  finish(): FunctionCode {
    this.leave(0);
    if (this.usesVararg && this.argTable >= 0) this.code.words[this.argTable] = Op.NOP;
    const { id, line, params, vararg, registers, constants, locals, choices } = this;
    const upvalues: Upvalue[] = this.upvalues.map(({ name, local, inRegister, at }) => ({
      name,
      inRegister,
      at,
      get boxed() {
        return local.captured && local.assigned;
      },
    }));
    return { id, line, params, vararg, registers, words: this.code.packed(), constants, locals, upvalues, choices };
  }

  // ---- code

  /** Begins an instruction, whose operands follow; its pc. */
  emit(op: OpName, line = this.lexer.lastLine): number {
    const { code } = this;
    const pc = code.length;
    code.push(Op[op]);
    code.push(line);
    return pc;
  }

  push(word: number): void {
    this.code.push(word);
  }

  /** An instruction with plain operands. */
  emit1(op: OpName, a: number): number {
    const pc = this.emit(op);
    this.code.push(a);
    return pc;
  }

  emit2(op: OpName, a: number, b: number): number {
    const pc = this.emit1(op, a);
    this.code.push(b);
    return pc;
  }

  /** The operand of an expression that has been prepared. */
  use(e: Exp): void {
    if (e.kind === CONSTANT) this.code.push(this.constant(e.value));
    else if (e.kind === LOCAL) this.useLocal(e.local!);
    else this.code.push(e.at);
  }

  private useLocal(local: Local): void {
    local.uses.push(this.code.length);
    this.code.push(local.register);
  }

  setOp(pc: number, op: OpName): void {
    this.code.words[pc] = Op[op];
  }

  isOp(pc: number, op: OpName): boolean {
    return this.code.words[pc] === Op[op];
  }

  setWord(at: number, word: number): void {
    this.code.words[at] = word;
  }

  get pc(): number {
    return this.code.length;
  }

  /** The reference keeps equal constants of a function once: the first zero decides the sign of all of them. */
  constant(value: Value): number {
    let found = this.known.get(value);
    if (found === undefined) {
      found = this.constants.push(value) - 1;
      this.known.set(value, found);
    }
    return ~found;
  }

  // ---- registers

  get top(): number {
    const last = this.visible.at(-1);
    return last === undefined ? 0 : last.register + 1;
  }

  reserve(count = 1): number {
    const first = this.free;
    this.free += count;
    if (this.free > this.registers) {
      if (this.free - this.hidden >= MAX_REGISTERS) throw this.lexer.error('function or expression too complex');
      this.registers = this.free;
    }
    return first;
  }

  freeTemps(): void {
    this.free = this.top;
  }

  release(e: Exp): void {
    const register = held(e);
    if (register >= this.top && register < this.free) this.free = register;
  }

  // ---- locals

  limit(limit: number, what: string): LuaError {
    const where = this.line === 0 ? 'main function' : `function at line ${this.line}`;
    return this.lexer.error(`${where} has more than ${limit} ${what}`, false);
  }

  /** Makes a local that is not yet visible, after `pending` others of that kind. */
  newLocal(name: string, pending = 0): Local {
    if (this.visible.length - this.hidden + pending + 1 > MAX_LOCALS) throw this.limit(MAX_LOCALS, 'local variables');
    return {
      name,
      register: -1,
      owner: this,
      captured: false,
      assigned: false,
      counter: false,
      declared: -1,
      from: -1,
      uses: [],
    };
  }

  /** A local comes into sight, in a register that is reserved; its value is that of `e`. */
  declare(local: Local, register: number, e: Exp): void {
    local.register = register;
    local.from = local.declared = this.emit1('LOCAL', register);
    this.use(e);
    this.visible.push(local);
    const same = this.names.get(local.name);
    if (same === undefined) this.names.set(local.name, [local]);
    else same.push(local);
  }

  /** Variables of a loop that no script can name; `uncounted` of them the reference hasn't got. */
  hide(names: readonly string[], first: number, uncounted = 0): void {
    this.hidden += uncounted;
    names.forEach((name, i) => {
      const local = this.newLocal(name);
      local.register = first + i;
      local.from = local.declared = this.code.length;
      this.visible.push(local);
    });
  }

  /** Locals beyond the first `count` go out of sight. */
  leave(count: number, uncounted = 0): void {
    const { visible, code, locals } = this;
    this.hidden -= uncounted;
    while (visible.length > count) {
      const local = visible.pop()!;
      if (isNamed(local.name)) this.names.get(local.name)!.pop();
      locals.push({ name: local.name, register: local.register, from: local.from, to: code.length });
      if (local.captured && local.assigned) {
        code.words[local.declared] = Op.LOCALBOX;
        for (const at of local.uses) code.words[at] |= BOXED;
      } else if (local.counter && !local.assigned) code.words[local.declared] = Op.COUNTER;
      local.uses = [];
    }
    this.free = this.top;
  }

  /** The number of an upvalue: this function, and those between, get the local handed when they are made. */
  upvalue(local: Local): number {
    const known = this.upvalueOf.get(local);
    if (known !== undefined) return known;
    const outer = this.outer!;
    const inRegister = outer === local.owner;
    const at = inRegister ? local.register : outer.upvalue(local);
    if (this.upvalues.length + 1 > MAX_UPVALUES) throw this.limit(MAX_UPVALUES, 'upvalues');
    const number = this.upvalues.push({ name: local.name, local, inRegister, at }) - 1;
    this.upvalueOf.set(local, number);
    return number;
  }

  // ---- expressions

  /** Makes of what is no operand yet a pending value or a temporary. */
  discharge(e: Exp): void {
    switch (e.kind) {
      case UPVALUES:
        this.pending(e, this.emit2('KEEP', 0, UPVALUE + e.at));
        break;
      case GLOBAL:
        this.pending(e, this.emit2('GLOBAL', 0, this.constant(e.value)));
        break;
      case INDEXED: {
        const { object, key } = e as { object: Exp; key: Exp };
        const pc = this.emit1('INDEX', 0);
        this.use(object);
        this.use(key);
        this.release(key);
        this.release(object);
        this.pending(e, pc);
        break;
      }
      case CALLED:
        this.setOp(e.at, 'CALL1');
        e.kind = TEMP;
        e.at = this.code.words[e.at + 2];
        break;
      case REST:
        this.pending(e, this.emit1('VARARG', 0));
    }
  }

  private pending(e: Exp, pc: number): void {
    e.kind = PENDING;
    e.at = pc;
  }

  private place(e: Exp, register: number, copy: OpName): void {
    if (e.kind === PENDING) {
      this.setWord(e.at + 2, register);
      if (this.isOp(e.at, 'KEEP')) this.setOp(e.at, copy);
    } else if (e.kind !== TEMP || e.at !== register) {
      this.emit1(e.kind === TEMP ? 'MOVE' : copy, register);
      this.use(e);
    }
    e.kind = TEMP;
    e.at = register;
  }

  /** Into the next register, which may be filled anew later. */
  toNext(e: Exp): void {
    this.discharge(e);
    this.release(e);
    this.place(e, this.reserve(), 'MOVE');
  }

  /** As it would stand in the next register: a constant stays one. */
  toNextOperand(e: Exp): void {
    this.discharge(e);
    this.release(e);
    const register = this.reserve();
    if (e.kind === CONSTANT) {
      this.constant(e.value);
      e.at = register;
    } else this.place(e, register, 'KEEP');
  }

  /** Into any register. */
  toAny(e: Exp): void {
    this.discharge(e);
    if (e.kind === LOCAL || e.kind === TEMP) return;
    this.place(e, this.reserve(), 'KEEP');
  }

  /** An operand, constants included. */
  toOperand(e: Exp): void {
    this.discharge(e);
    if (e.kind === CONSTANT) this.constant(e.value);
    else this.toAny(e);
  }

  /** An operation on one or two operands. */
  operation(op: OpName, left: Exp, right: Exp | null): void {
    const pc = this.emit1(op, 0);
    this.use(left);
    if (right !== null) this.use(right);
    // The one that was put aside last first.
    const [last, other] = right === null || held(left) > held(right) ? [left, right] : [right, left];
    this.release(last);
    if (other !== null) this.release(other);
    this.pending(left, pc);
    left.choice = null;
  }

  /** Values of `...`, or of a call, from the first on into the registers from `first`. */
  elements(e: Exp, first: number, count: number): void {
    if (e.kind === CALLED) this.setOp(e.at, 'CALLALL');
    const list = e.kind === REST ? VARARGS : first;
    for (let i = count - 1; i >= 0; i--) {
      this.emit2('ELEMENT', first + i, list);
      this.push(i);
    }
  }

  /** The place in which the list of a call, a table or a return finds the values of its last expression. */
  open(e: Exp): number {
    if (e.kind === REST) return VARARGS;
    if (e.kind !== CALLED) return NO_MORE;
    this.setOp(e.at, 'CALLALL');
    return this.code.words[e.at + 2];
  }

  store(place: Exp, e: Exp): void {
    if (place.kind === LOCAL) {
      this.storeLocal(place.local!, e);
      return;
    }
    if (place.kind === UPVALUES) {
      this.toOperand(e);
      this.emit1('MOVE', UPVALUE + place.at);
      this.use(e);
    } else {
      this.toOperand(e);
      this.emit('SETINDEX');
      if (place.kind === GLOBAL) {
        this.push(GLOBALS);
        this.push(this.constant(place.value));
      } else {
        this.use(place.object!);
        this.use(place.key!);
      }
      this.use(e);
    }
    this.release(e);
  }

  private storeLocal(local: Local, e: Exp): void {
    this.discharge(e);
    this.release(e);
    if (e.kind === PENDING) {
      local.uses.push(e.at + 2);
      this.setWord(e.at + 2, local.register);
      if (this.isOp(e.at, 'KEEP')) this.setOp(e.at, 'MOVE');
      return;
    }
    this.emit('MOVE');
    this.useLocal(local);
    this.use(e);
  }

  // ---- and, or

  choiceOf(e: Exp): Choice {
    if (e.choice !== null) return e.choice;
    const { decided } = e;
    const name = this.ownName(e);
    return name === undefined && decided === undefined ? NAMELESS : { op: 'leaf', name, decided };
  }

  private ownName(e: Exp): Operand | undefined {
    if (e.kind === LOCAL) return { kind: 'local', name: e.local!.name };
    if (e.kind === UPVALUES) return { kind: 'upvalue', name: this.upvalues[e.at].name };
    if (e.kind === GLOBAL) return { kind: 'global', name: e.value as string };
    if (e.kind !== INDEXED) return undefined;
    const { kind, value } = e.key!;
    return { kind: 'field', name: kind === CONSTANT && typeof value === 'string' ? value : '?' };
  }

  /** What `and` and `or` gave stands in a register from here on. */
  chosen(pc: number, choice: Choice): void {
    this.choices.set(pc, choice);
  }
}
