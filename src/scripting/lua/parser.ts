/**
 * From text to code in one pass: recursive descent over Lua 5.1, with the reference's messages and limits.
 *
 * What recurses is a generator, which yields after each piece of the text, so that long texts can be compiled in slices.
 * The nesting is bounded by LEVELS_MAX, as the reference's is; all that may be long (statements, operands, calls and
 * indices behind each other, arms of an if) is walked in loops.
 */
import type { FunctionCode } from './code.ts';
import { LEVELS_MAX } from './depth.ts';
import { ExpressionParser, type Steps } from './expressions.ts';
import { CONSTANT, Exp, INDEXED, LOCAL, type Local, TEMP } from './function-state.ts';
import { END, Lexer } from './lexer.ts';

/**
 * The functions of a chunk, the main function first, the others where they begin; throws a LuaError. `level` is that of the
 * caller (depth.ts); `traced` code is for the debugger: it does what the reference's instructions do line by line.
 */
export function parse(source: string, chunk: string, traced = false, level = 0): Generator<undefined, FunctionCode[]> {
  return new Parser(new Lexer(source, chunk), traced, level).main();
}

class Parser extends ExpressionParser {
  *main(): Steps<FunctionCode[]> {
    this.openFunction(0).vararg = true;
    this.lexer.next();
    yield* this.block();
    if (this.lexer.kind !== END) throw this.expected(END);
    this.closeFunction();
    return this.functions;
  }

  private blockEnds(): boolean {
    const { kind } = this.lexer;
    return kind === 'else' || kind === 'elseif' || kind === 'end' || kind === END || kind === 'until';
  }

  /** A block; its locals are out of sight after it. */
  private *block(): Steps<void> {
    const before = this.state.visible.length;
    yield* this.statements();
    this.state.leave(before);
  }

  private *statements(): Steps<void> {
    this.enter();
    for (let last = false; !last && !this.blockEnds(); ) {
      const { kind } = this.lexer;
      last = kind === 'return' || kind === 'break';
      if (this.isDue()) yield;
      if (kind === 'break') this.breakStatement();
      else yield* this.statement();
      this.accept(';');
      this.state.freeTemps();
    }
    this.levels--;
  }

  private statement(): Steps<void> {
    const { line, kind } = this.lexer;
    switch (kind) {
      case 'if':
        return this.ifStatement(line);
      case 'while':
        return this.whileStatement(line);
      case 'do':
        return this.doStatement(line);
      case 'for':
        return this.forStatement(line);
      case 'repeat':
        return this.repeatStatement(line);
      case 'function':
        return this.functionStatement(line);
      case 'local':
        this.lexer.next();
        return this.accept('function') ? this.localFunction() : this.localStatement();
      case 'return':
        return this.returnStatement();
      default:
        return this.expressionStatement();
    }
  }

  // ---- choices

  private *ifStatement(line: number): Steps<void> {
    const { state } = this;
    const block = state.emit2('BLOCK', 0, 0);
    const leaving: number[] = [];
    do {
      this.lexer.next();
      const test = yield* this.test('IF');
      this.expect('then');
      yield* this.block();
      if (this.lexer.kind === 'else' || this.lexer.kind === 'elseif') leaving.push(state.emit1('LEAVE', 0) + 2);
      if (test >= 0) state.setWord(test, state.emit1('END', -1));
    } while (this.lexer.kind === 'elseif');
    if (this.accept('else')) yield* this.block();
    if (leaving.length === 0) state.setOp(block, 'NOP');
    else {
      const end = state.emit('ENDBLOCK');
      for (const at of [block + 2, ...leaving]) state.setWord(at, end);
    }
    this.close('end', 'if', line);
  }

  /** A condition and the test of it; the place of what the test's jump leads to, -1 where it is always true. */
  private *test(op: 'IF' | 'BREAKUNLESS' | 'BREAKIF'): Steps<number> {
    const { state } = this;
    const e = yield* this.expression();
    if (e.decided === true && op !== 'BREAKIF') return -1;
    state.toOperand(e);
    const pc = state.emit(op);
    state.use(e);
    state.push(0);
    state.release(e);
    return pc + 3;
  }

  // ---- loops

  /** What begins a loop; `body` are the pcs at which its end is wanted, the end is found by endLoop. */
  private beginLoop(): number {
    const begin = this.state.emit1('LOOP', 0);
    this.state.loops.push([begin + 2]);
    return begin;
  }

  private leaving(at: number): void {
    if (at >= 0) this.state.loops.at(-1)!.push(at);
  }

  private endLoop(begin: number, line?: number): void {
    const { state } = this;
    const end = state.emit('ENDLOOP', line);
    state.push(begin);
    for (const at of state.loops.pop()!) state.setWord(at, end + 3);
  }

  private *whileStatement(line: number): Steps<void> {
    this.lexer.next();
    const begin = this.beginLoop();
    this.leaving(yield* this.test('BREAKUNLESS'));
    this.expect('do');
    yield* this.block();
    this.endLoop(begin);
    this.close('end', 'while', line);
  }

  private *repeatStatement(line: number): Steps<void> {
    const before = this.state.visible.length;
    this.lexer.next();
    const begin = this.beginLoop();
    yield* this.statements();
    this.close('until', 'repeat', line);
    this.leaving(yield* this.test('BREAKIF'));
    this.state.leave(before);
    this.endLoop(begin);
  }

  private *doStatement(line: number): Steps<void> {
    this.lexer.next();
    yield* this.block();
    this.close('end', 'do', line);
  }

  private breakStatement(): void {
    this.lexer.next();
    if (this.state.loops.length === 0) throw this.lexer.error('no loop to break');
    this.leaving(this.state.emit1('BREAK', 0) + 2);
  }

  private *forStatement(line: number): Steps<void> {
    this.lexer.next();
    const first = this.name();
    if (this.lexer.kind === '=') yield* this.numericFor(first, line);
    else if (this.lexer.kind === ',' || this.lexer.kind === 'in') yield* this.genericFor(first, line);
    else throw this.lexer.error("'=' or 'in' expected");
    this.close('end', 'for', line);
  }

  private *numericFor(name: string, line: number): Steps<void> {
    const { state } = this;
    const before = state.visible.length;
    const base = state.free;
    const known: Array<number | undefined> = [];
    const bound = (e: Exp): void => {
      known.push(e.number);
      state.toNext(e);
    };
    this.lexer.next();
    bound(yield* this.expression());
    this.expect(',');
    bound(yield* this.expression());
    bound(this.accept(',') ? yield* this.expression() : new Exp(CONSTANT, -1, 1));
    this.expect('do');
    const local = state.newLocal(name, 3);
    local.counter = true;
    state.hide(['(for index)', '(for limit)', '(for step)'], base);
    known.forEach((number, which) => {
      if (number === undefined) this.forCheck(base + which, which, line);
    });
    const begin = this.beginLoop();
    const test = state.emit('FORTEST', line);
    state.push(base);
    state.push(known[2] === undefined ? 0 : known[2] > 0 ? 1 : -1);
    state.push(0);
    this.leaving(test + 4);
    yield* this.loopBody([local], base);
    state.emit('FORSTEP', line);
    state.push(base);
    this.endLoop(begin, line);
    state.leave(before);
  }

  private forCheck(register: number, which: number, line: number): void {
    this.state.emit('FORCHECK', line);
    this.state.push(register);
    this.state.push(which);
  }

  /** The block of a for, whose variables get what is in their registers, or the index of a numeric for. */
  private *loopBody(locals: readonly Local[], index = -1): Steps<void> {
    const { state } = this;
    const before = state.visible.length;
    const first = state.reserve(locals.length);
    locals.forEach((local, i) => {
      state.declare(local, first + i, new Exp(TEMP, index < 0 ? first + i : index));
    });
    yield* this.block();
    state.leave(before);
  }

  private *genericFor(first: string, line: number): Steps<void> {
    const { state } = this;
    const before = state.visible.length;
    const names = [first];
    while (this.accept(',')) names.push(this.name());
    const base = state.free;
    this.expect('in');
    this.adjust(yield* this.expressions('MOVE'), 3, 'MOVE');
    const locals = names.map((name, i) => state.newLocal(name, 3 + i));
    this.expect('do');
    state.reserve(2);
    state.hide(['(for generator)', '(for state)', '(for control)', '', ''], base, 2);
    state.emit('FORSTART', line);
    state.push(base);
    const begin = this.beginLoop();
    const test = state.emit('FORIN', line);
    state.push(base);
    state.push(locals.length);
    state.push(0);
    this.leaving(test + 4);
    yield* this.loopBody(locals);
    this.endLoop(begin, line);
    state.leave(before, 2);
  }

  private *functionStatement(line: number): Steps<void> {
    const { state } = this;
    this.lexer.next();
    let place = this.resolve(this.name());
    let method = false;
    while (this.lexer.kind === '.' || this.lexer.kind === ':') {
      method = this.lexer.kind === ':';
      this.lexer.next();
      place = this.field(place, new Exp(CONSTANT, -1, this.name()));
      if (method) break;
    }
    const body = yield* this.functionBody(method, line);
    this.assigned(place);
    const at = state.pc;
    state.store(place, body);
    // The reference says that it is defined where it begins.
    if (state.pc > at) state.setWord(at + 1, line);
  }

  protected *functionBlock(): Steps<void> {
    yield* this.block();
  }

  private *localFunction(): Steps<void> {
    const { state } = this;
    const local = state.newLocal(this.name());
    local.assigned = true;
    const register = state.reserve();
    state.declare(local, register, new Exp(TEMP, register));
    const body = yield* this.functionBody(false, this.lexer.line);
    const place = new Exp(LOCAL);
    place.local = local;
    local.from = state.pc - 1;
    state.store(place, body);
  }

  private *localStatement(): Steps<void> {
    const { state } = this;
    const first = state.free;
    const locals: Local[] = [];
    do locals.push(state.newLocal(this.name(), locals.length));
    while (this.accept(','));
    const given = this.accept('=') ? yield* this.expressions() : [];
    const values = this.adjust(given, locals.length);
    locals.forEach((local, i) => {
      state.declare(local, first + i, values[i]);
    });
  }

  private *returnStatement(): Steps<void> {
    const { state } = this;
    this.lexer.next();
    const values = this.blockEnds() || this.lexer.kind === ';' ? [] : yield* this.expressions();
    const [only] = values;
    if (values.length === 1 && this.isCall(only)) {
      state.setOp(only.at, 'TAILCALL');
      return;
    }
    if (values.length === 1 && !this.isMulti(only)) state.toOperand(only);
    this.list('RETURN', values);
  }

  private *expressionStatement(): Steps<void> {
    const { state } = this;
    const first = yield* this.primary();
    if (this.isCall(first)) {
      state.setOp(first.at, 'CALL');
      return;
    }
    const places = [first];
    this.checkPlace(first);
    while (this.accept(',')) {
      const place = yield* this.primary();
      this.checkPlace(place);
      if (place.kind === LOCAL) this.keepApart(places, place.local!);
      places.push(place);
      const most = LEVELS_MAX - this.levels;
      if (places.length - 1 > most) throw state.limit(most, 'variables in assignment');
    }
    this.expect('=');
    yield* this.assign(places);
  }

  private *assign(places: readonly Exp[]): Steps<void> {
    const { state } = this;
    for (const place of places) this.assigned(place);
    const given = yield* this.expressions('MOVE');
    const last = given.at(-1)!;
    if (given.length === places.length) state.discharge(last);
    const values = given.length === places.length ? given : this.adjust(given, places.length, 'MOVE');
    for (let i = places.length - 1; i >= 0; i--) state.store(places[i], values[i]);
  }

  private checkPlace(e: Exp): void {
    if (!this.isPlace(e)) throw this.lexer.error('syntax error');
  }

  /** A local that is assigned in the same statement is no more what places before it were made of. */
  private keepApart(places: readonly Exp[], local: Local): void {
    let copy: Exp | null = null;
    const { state } = this;
    const replaced = (e: Exp | null): Exp | null => {
      if (e === null || e.kind !== LOCAL || e.local !== local) return e;
      if (copy === null) {
        copy = new Exp(LOCAL);
        copy.local = local;
        state.toNext(copy);
      }
      return copy;
    };
    for (const place of places) {
      if (place.kind !== INDEXED) continue;
      place.object = replaced(place.object);
      place.key = replaced(place.key);
    }
  }
}
