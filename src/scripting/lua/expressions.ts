/** The parser's lower half: names, functions and expressions (parser.ts says the rest). */
import { assert } from '../../base/assert.ts';
import type { Choice, FunctionCode, OpName } from './code.ts';
import { NO_MORE } from './code.ts';
import { computed, roundedCount } from './constants.ts';
import { LEVELS_MAX } from './depth.ts';
import {
  CALLED,
  CONSTANT,
  Exp,
  FunctionState,
  GLOBAL,
  INDEXED,
  LOCAL,
  type Names,
  PENDING,
  REST,
  TEMP,
  UPVALUES,
} from './function-state.ts';
import { type Lexer, NAME, NUMBER, printable, STRING } from './lexer.ts';
import type { LuaError } from './value.ts';

/** Yields when a piece of the text is done. */
export type Steps<T> = Generator<undefined, T>;

/** Characters between two yields. */
const PIECE = 2048;
const UNARY_PRIORITY = 8;
/** Items of a table that are put into it at once. */
const FLUSH = 50;

/** Left and right priorities: right below left is right-associative. */
const PRIORITY = new Map<string, readonly [number, number]>(
  Object.entries({
    '+': [6, 6],
    '-': [6, 6],
    '*': [7, 7],
    '/': [7, 7],
    '%': [7, 7],
    '^': [10, 9],
    '..': [5, 4],
    '~=': [3, 3],
    '==': [3, 3],
    '<': [3, 3],
    '<=': [3, 3],
    '>': [3, 3],
    '>=': [3, 3],
    and: [2, 2],
    or: [1, 1],
  } as const),
);

const ARITHMETIC: Readonly<Record<string, OpName>> = {
  '+': 'ADD',
  '-': 'SUB',
  '*': 'MUL',
  '/': 'DIV',
  '%': 'MOD',
  '^': 'POW',
};
const COMPARISONS: Readonly<Record<string, OpName>> = {
  '==': 'EQ',
  '~=': 'NE',
  '<': 'LT',
  '<=': 'LE',
  '>': 'LT',
  '>=': 'LE',
};

/** The left operand of an operator is done, the right one is to come. */
interface Begun {
  readonly op: string;
  readonly left: Exp;
  /** Of `and` and `or`: the pc of the test, -1 where a constant makes it needless; and what is known of the left operand. */
  readonly test: number;
  readonly choice: Choice | null;
}

export abstract class ExpressionParser {
  protected readonly lexer: Lexer;
  protected readonly functions: FunctionCode[] = [];
  protected state!: FunctionState;
  /** Of nesting, those of the caller among them. */
  protected levels: number;
  private readonly names: Names = new Map();
  private readonly traced: boolean;
  private opened = 0;
  private due = PIECE;

  constructor(lexer: Lexer, traced: boolean, level: number) {
    this.lexer = lexer;
    this.traced = traced;
    this.levels = level;
  }

  protected abstract functionBlock(): Steps<void>;

  /** Whether a piece of the text has been done. */
  protected isDue(): boolean {
    if (this.lexer.at < this.due) return false;
    this.due = this.lexer.at + PIECE;
    return true;
  }

  // ---- functions and names

  protected openFunction(line: number): FunctionState {
    this.state = new FunctionState(this.opened++, this.state ?? null, line, this.lexer, this.names);
    return this.state;
  }

  protected closeFunction(): void {
    const { state } = this;
    this.list('RETURN', []);
    this.functions[state.id] = state.finish();
    this.state = state.outer!;
  }

  protected resolve(name: string): Exp {
    const local = this.names.get(name)?.at(-1);
    if (local === undefined) return new Exp(GLOBAL, 0, name);
    const e = new Exp(LOCAL);
    e.local = local;
    if (local.owner === this.state) return e;
    local.captured = true;
    e.kind = UPVALUES;
    e.at = this.state.upvalue(local);
    return e;
  }

  protected assigned(place: Exp): void {
    if (place.kind === LOCAL || place.kind === UPVALUES) place.local!.assigned = true;
  }

  protected *functionBody(method: boolean, line: number): Steps<Exp> {
    const state = this.openFunction(line);
    const param = (name: string): void => {
      const local = state.newLocal(name);
      const register = state.reserve();
      state.declare(local, register, new Exp(TEMP, register));
    };
    this.expect('(');
    if (method) param('self');
    while (this.lexer.kind !== ')') {
      if (this.lexer.kind === '...') {
        this.lexer.next();
        state.vararg = true;
        break;
      }
      if (this.lexer.kind !== NAME) throw this.lexer.error("<name> or '...' expected");
      param(this.name());
      if (!this.accept(',')) break;
      if ((this.lexer.kind as string) === ')') throw this.lexer.error("<name> or '...' expected");
    }
    state.params = state.visible.length;
    if (state.vararg) {
      state.argTable = state.emit2('ARGTABLE', state.free, 0);
      param('arg');
    }
    this.expect(')');
    yield* this.functionBlock();
    this.close('end', 'function', line);
    this.closeFunction();
    return this.pending('CLOSURE', state.id);
  }

  private pending(op: OpName, operand: number): Exp {
    return new Exp(PENDING, this.state.emit2(op, 0, operand));
  }

  // ---- helpers

  protected expected(what: string): LuaError {
    return this.lexer.error(`'${printable(what)}' expected`);
  }

  protected accept(kind: string): boolean {
    if (this.lexer.kind !== kind) return false;
    this.lexer.next();
    return true;
  }

  protected expect(kind: string): void {
    if (this.lexer.kind !== kind) throw this.expected(kind);
    this.lexer.next();
  }

  protected close(kind: string, opener: string, line: number): void {
    if (this.lexer.kind !== kind && line !== this.lexer.line) {
      throw this.lexer.error(`'${kind}' expected (to close '${opener}' at line ${line})`);
    }
    this.expect(kind);
  }

  protected name(): string {
    if (this.lexer.kind !== NAME) throw this.expected(NAME);
    const name = this.lexer.value as string;
    this.lexer.next();
    return name;
  }

  protected enter(): void {
    if (++this.levels > LEVELS_MAX) throw this.lexer.error('chunk has too many syntax levels', false);
  }

  protected isCall(e: Exp): boolean {
    return e.kind === CALLED;
  }

  protected isMulti(e: Exp): boolean {
    return e.kind === CALLED || e.kind === REST;
  }

  protected isPlace({ kind, inParentheses }: Exp): boolean {
    return !inParentheses && (kind === LOCAL || kind === UPVALUES || kind === GLOBAL || kind === INDEXED);
  }

  // ---- lists

  /** All but the last are put into registers, by MOVE where what follows may change what they name. */
  protected *expressions(copy: 'MOVE' | 'KEEP' = 'KEEP'): Steps<Exp[]> {
    const list = [yield* this.expression()];
    while (this.accept(',')) {
      this.toNext(list.at(-1)!, copy);
      list.push(yield* this.expression());
    }
    return list;
  }

  private toNext(e: Exp, copy: 'MOVE' | 'KEEP' = 'KEEP'): void {
    if (copy === 'MOVE' || this.traced) this.state.toNext(e);
    else this.state.toNextOperand(e);
  }

  /** As many values as are wanted, in registers one after the other; constants too where they are moved. */
  protected adjust(values: Exp[], wanted: number, copy: 'MOVE' | 'KEEP' = 'KEEP'): Exp[] {
    const { state } = this;
    const last = values.at(-1);
    const missing = wanted - values.length;
    if (last !== undefined && this.isMulti(last) && missing > 0) {
      const first = last.kind === CALLED ? state.free - 1 : state.reserve();
      state.reserve(missing);
      state.elements(last, first, missing + 1);
      values.pop();
      for (let i = 0; i <= missing; i++) values.push(new Exp(TEMP, first + i));
      return values;
    }
    if (last !== undefined) {
      if (missing < 0 && last.kind === CALLED) state.setOp(last.at, 'CALL');
      else this.toNext(last, copy);
    }
    if (missing < 0) {
      state.free += missing;
      return values.slice(0, wanted);
    }
    for (let i = 0; i < missing; i++) {
      const nil = new Exp(CONSTANT);
      this.toNext(nil, copy);
      values.push(nil);
    }
    return values;
  }

  /** An instruction that ends in a list of values. */
  protected list(op: 'RETURN', values: readonly Exp[]): void {
    const { state } = this;
    const last = values.at(-1);
    const more = last === undefined ? NO_MORE : state.open(last);
    const listed = more === NO_MORE ? values : values.slice(0, -1);
    if (more === NO_MORE && values.length > 1) this.toNext(last!);
    state.emit(op);
    this.items(listed, more);
    state.freeTemps();
  }

  private items(listed: readonly Exp[], more: number): void {
    const { state } = this;
    state.push(listed.length);
    state.push(more);
    for (const e of listed) state.use(e);
  }

  // ---- operators

  protected *expression(limit = 0): Steps<Exp> {
    this.enter();
    if (this.isDue()) yield;
    const { kind } = this.lexer;
    let left: Exp;
    if (kind === 'not' || kind === '-' || kind === '#') {
      this.lexer.next();
      left = this.unary(kind, yield* this.expression(UNARY_PRIORITY));
    } else {
      left = this.simple() ?? (yield* this.compound());
    }
    for (;;) {
      const op = this.lexer.kind;
      const priority = PRIORITY.get(op);
      if (priority === undefined || priority[0] <= limit) break;
      this.lexer.next();
      const begun = this.begin(op, left);
      left = this.finish(begun, yield* this.expression(priority[1]));
    }
    this.levels--;
    return left;
  }

  private unary(op: string, e: Exp): Exp {
    const { state } = this;
    const { number, decided } = e;
    if (op === '-' && number !== undefined) return new Exp(CONSTANT, -1, -number);
    if (op === 'not' && decided !== undefined) return new Exp(CONSTANT, -1, !decided);
    const inner = op === 'not' && e.choice !== null ? e.choice : null;
    state.toAny(e);
    state.operation(op === '-' ? 'UNM' : op === '#' ? 'LEN' : 'NOT', e, null);
    if (inner !== null) e.choice = { op: 'not', inner };
    return e;
  }

  /** What is done with the left operand before the right one is read. */
  private begin(op: string, left: Exp): Begun {
    const { state } = this;
    if (op === 'and' || op === 'or') return this.beginChoice(op, left);
    if (op === '..') this.toNext(left);
    else if (!(op in ARITHMETIC && left.number !== undefined)) state.toOperand(left);
    return { op, left, test: -1, choice: null };
  }

  private beginChoice(op: 'and' | 'or', left: Exp): Begun {
    const { state } = this;
    if (left.decided === (op === 'and')) return { op, left, test: -1, choice: null };
    const choice = state.choiceOf(left);
    state.toNext(left);
    const test = state.emit1(op === 'and' ? 'IF' : 'IFNOT', left.at);
    state.push(0);
    state.release(left);
    return { op, left, test, choice };
  }

  private finish({ op, left, test, choice }: Begun, right: Exp): Exp {
    const { state } = this;
    if (op === 'and' || op === 'or') {
      if (test < 0) return right;
      const whole: Choice = { op, left: choice!, right: state.choiceOf(right) };
      state.toNext(right);
      assert(right.at === left.at, 'both operands of a choice go into one register');
      const end = state.emit1('END', right.at);
      state.setWord(test + 3, end);
      state.chosen(end, whole);
      right.choice = whole;
      return right;
    }
    if (op in ARITHMETIC) return this.arithmetic(op, left, right);
    if (op === '..') {
      this.toNext(right);
      state.operation('CONCAT', left, right);
      return left;
    }
    state.toOperand(right);
    if (op === '>' || op === '>=') {
      state.operation(COMPARISONS[op], right, left);
      return right;
    }
    state.operation(COMPARISONS[op], left, right);
    return left;
  }

  private arithmetic(op: string, left: Exp, right: Exp): Exp {
    const { state } = this;
    const [a, b] = [left.number, right.number];
    const constant = a === undefined || b === undefined ? undefined : computed(op, a, b);
    if (constant !== undefined && !Number.isNaN(constant)) return new Exp(CONSTANT, -1, constant);
    state.toOperand(right);
    state.toOperand(left);
    state.operation(ARITHMETIC[op], left, right);
    return left;
  }

  /** What is one token; null where it isn't. */
  private simple(): Exp | null {
    const { kind, value } = this.lexer;
    switch (kind) {
      case NUMBER:
      case STRING:
        this.lexer.next();
        return new Exp(CONSTANT, -1, value);
      case 'nil':
      case 'true':
      case 'false':
        this.lexer.next();
        return new Exp(CONSTANT, -1, kind === 'nil' ? undefined : kind === 'true');
      case '...':
        if (!this.state.vararg) throw this.lexer.error("cannot use '...' outside a vararg function");
        this.lexer.next();
        this.state.usesVararg = true;
        return new Exp(REST);
      default:
        return null;
    }
  }

  private compound(): Steps<Exp> {
    const { kind, line } = this.lexer;
    if (kind === '{') return this.table();
    if (kind !== 'function') return this.primary();
    this.lexer.next();
    return this.functionBody(false, line);
  }

  private *parenthesized(): Steps<Exp> {
    const { line } = this.lexer;
    this.lexer.next();
    const inner = yield* this.expression();
    this.close(')', '(', line);
    if (this.isPlace(inner)) inner.choice ??= this.state.choiceOf(inner);
    this.state.discharge(inner);
    inner.inParentheses = true;
    return inner;
  }

  protected *primary(): Steps<Exp> {
    const { kind } = this.lexer;
    if (kind !== '(' && kind !== NAME) throw this.lexer.error('unexpected symbol');
    let left = kind === NAME ? this.resolve(this.name()) : yield* this.parenthesized();
    for (;;) {
      switch (this.lexer.kind) {
        case '.':
          this.lexer.next();
          left = this.field(left, null);
          break;
        case '[': {
          this.state.toAny(left);
          this.lexer.next();
          const key = yield* this.expression();
          this.state.discharge(key);
          this.expect(']');
          left = this.field(left, key);
          break;
        }
        case ':':
          this.lexer.next();
          left = yield* this.call(this.method(left, this.name()), 1);
          break;
        case '(':
        case STRING:
        case '{':
          this.toNext(left, left.kind === CONSTANT ? 'MOVE' : 'KEEP');
          left = yield* this.call(left, 0);
          break;
        default:
          return left;
      }
      if (this.isDue()) yield;
    }
  }

  /** An index with a key, or with the name that comes. */
  protected field(object: Exp, given: Exp | null): Exp {
    const { state } = this;
    state.toAny(object);
    const key = given ?? new Exp(CONSTANT, -1, this.name());
    state.toOperand(key);
    const e = new Exp(INDEXED);
    e.object = object;
    e.key = key;
    return e;
  }

  /** The method in a register, and its object in the next. */
  private method(object: Exp, name: string): Exp {
    const { state } = this;
    state.toAny(object);
    state.release(object);
    const register = state.reserve(2);
    state.emit1(object.kind === LOCAL ? 'KEEP' : 'MOVE', register + 1);
    state.use(object);
    state.emit1('METHOD', register);
    state.use(object);
    state.push(state.constant(name));
    return new Exp(TEMP, register);
  }

  /** A call of what stands in a register, with `given` arguments in those behind. */
  private *call(callee: Exp, given: number): Steps<Exp> {
    const { state } = this;
    const { kind, line, value } = this.lexer;
    const args: Exp[] = given === 0 ? [] : [new Exp(TEMP, callee.at + 1)];
    if (kind === STRING) {
      this.lexer.next();
      args.push(new Exp(CONSTANT, -1, value));
    } else if (kind === '{') {
      args.push(yield* this.table());
    } else {
      if (kind !== '(') throw this.lexer.error('function arguments expected');
      if (line !== this.lexer.lastLine) throw this.lexer.error('ambiguous syntax (function call x new statement)');
      this.lexer.next();
      if (!this.accept(')')) {
        args.push(...(yield* this.expressions()));
        this.close(')', '(', line);
      }
    }
    const last = args.length > given ? args.at(-1)! : null;
    const more = last === null ? NO_MORE : state.open(last);
    if (more !== NO_MORE) args.pop();
    else if (last !== null) this.toNext(last);
    const pc = state.emit('CALL', line);
    state.push(callee.at);
    state.push(callee.at);
    this.items(args, more);
    state.free = callee.at + 1;
    return new Exp(CALLED, pc);
  }

  // ---- tables

  private *table(): Steps<Exp> {
    const { state } = this;
    const { line } = this.lexer;
    const pc = state.emit2('TABLE', 0, 0);
    state.push(0);
    const table = new Exp(PENDING, pc);
    state.toNext(table);
    let pending: Exp[] = [];
    let [filled, fields] = [0, 0];
    const flush = (more: number): void => {
      if (pending.length === 0 && more === NO_MORE) return;
      state.emit('FILL');
      state.push(table.at);
      state.push(filled);
      this.items(pending, more);
      filled += pending.length;
      pending = [];
      state.free = table.at + 1;
    };
    this.expect('{');
    let last: Exp | null = null;
    while (this.lexer.kind !== '}') {
      if (last !== null) {
        this.toNext(last);
        pending.push(last);
        if (pending.length === FLUSH) flush(NO_MORE);
        last = null;
      }
      if (this.lexer.kind === '[' || (this.lexer.kind === NAME && this.lexer.peek() === '=')) {
        yield* this.keyed(table);
        fields++;
      } else last = yield* this.expression();
      if (!this.accept(',') && !this.accept(';')) break;
    }
    this.close('}', '{', line);
    const more = last === null ? NO_MORE : state.open(last);
    if (last !== null && more === NO_MORE) {
      this.toNext(last);
      pending.push(last);
    }
    flush(more);
    state.setWord(pc + 3, roundedCount(filled));
    state.setWord(pc + 4, roundedCount(fields));
    return table;
  }

  private *keyed(table: Exp): Steps<void> {
    const { state } = this;
    const { free } = state;
    let key: Exp;
    if (this.accept('[')) {
      key = yield* this.expression();
      state.discharge(key);
      this.expect(']');
    } else key = new Exp(CONSTANT, -1, this.name());
    this.expect('=');
    state.toOperand(key);
    const value = yield* this.expression();
    state.toOperand(value);
    state.emit1(key.kind === CONSTANT && typeof key.value === 'string' ? 'FIELD' : 'SETRAW', table.at);
    state.use(key);
    state.use(value);
    state.free = free;
  }
}
