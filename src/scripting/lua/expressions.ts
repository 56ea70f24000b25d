/** Lowering of expressions: operations on the quick types stand in the code, all else goes to the runtime. */
import type { Expression, TableItem } from './ast.ts';
import { chosenName, decided, folded } from './choice.ts';
import { type Atom, Emitter, isBoxed, literal, NIL } from './emit.ts';
import { MUCH_TEXT } from './meter.ts';
import { LONG } from './runtime.ts';
import type { Operand } from './value.ts';

const ARITHMETIC = new Set(['+', '-', '*', '/', '%', '^']);
const FLUSH = 50;

export function isMulti(e: Expression): boolean {
  return e.kind === 'call' || e.kind === 'method' || e.kind === 'vararg';
}

function quickArithmetic(op: string, a: string, b: string): string {
  if (op === '%') return `${a}-Math.floor(${a}/${b})*${b}`;
  return op === '^' ? `pow(${a},${b})` : `${a}${op}${b}`;
}

/** `typeof` tests that are still needed. */
function tests(type: string, ...atoms: Atom[]): string {
  return atoms
    .filter((atom) => atom.type !== type)
    .map((atom) => `typeof ${atom.code}==='${type}'`)
    .join('&&');
}

/** What is no table, and no string that takes long to compare. */
function isShort({ type, code }: Atom): boolean {
  if (type === 'string') return code[0] === '"' && code.length <= LONG;
  return type !== 'any';
}

/** A count as the reference's instructions can express it: four digits and an exponent, rounded up. */
function roundedCount(count: number): number {
  let exponent = 0;
  while (count >= 16) {
    count = (count + 1) >> 1;
    exponent++;
  }
  return count << exponent;
}

/** The sizes that a constructor asks for; items whose number isn't known don't count. */
function roomFor(items: readonly TableItem[]): string {
  const fields = items.filter((item) => item.key !== null).length;
  const last = items.at(-1);
  const open = last !== undefined && last.key === null && isMulti(last.value) ? 1 : 0;
  const listed = roundedCount(items.length - fields - open);
  return fields === 0 && listed === 0 ? '' : `${listed},${roundedCount(fields)}`;
}

export class ExpressionLowering extends Emitter {
  private zero: string | null = null;

  /** Lowers to a single value. */
  protected value(e: Expression): Atom {
    switch (e.kind) {
      case 'nil':
        return NIL;
      case 'true':
      case 'false':
        return { code: e.kind, type: 'boolean' };
      case 'number':
        return { code: this.numeral(e.value), type: 'number' };
      case 'string':
        return { code: literal(e.value), type: 'string' };
      case 'vararg':
        return { code: this.set('va[0]'), type: 'any' };
      case 'local':
      case 'upvalue':
        return this.variableValue(e);
      case 'global':
        return this.global(e.name, e.line);
      case 'index':
        return this.index(this.value(e.object), this.value(e.key), e.line);
      case 'call':
      case 'method':
        return this.single(e);
      case 'function':
        return { code: this.set(this.closure(e)), type: 'function' };
      case 'binary':
        return this.binary(e);
      case 'unary':
        return this.unary(e);
      case 'paren':
        return this.value(e.inner);
      case 'table':
        return this.table(e.items, e.line);
    }
  }

  /** The reference keeps equal constants of a function once: the first zero decides the sign of all of them. */
  private numeral(value: number): string {
    if (value !== 0) return `(${value})`;
    this.zero ??= Object.is(value, -0) ? '(-0)' : '(0)';
    return this.zero;
  }

  /** A temporary with a value that can't fail. */
  protected set(code: string): string {
    const t = this.temp();
    this.js(`${t}=${code};`);
    return t;
  }

  protected closure(e: Expression & { kind: 'function' }): string {
    return `mk${e.node.id}(${e.node.upvalues.map((local) => this.shared(local)).join(',')})`;
  }

  private variableValue(e: Expression & { kind: 'local' | 'upvalue' }): Atom {
    const { local } = e;
    const operand: Operand = { kind: e.kind, name: local.name };
    const type = local.counter && !local.assigned ? 'number' : 'any';
    const name = this.shared(local);
    return { code: isBoxed(local) ? this.set(`${name}.v`) : name, type, operand };
  }

  private global(name: string, line: number): Atom {
    const t = this.temp();
    const pc = this.pc(line);
    const key = literal(name);
    this.op(
      pc,
      `if((${t}=G.getStr(${key}))===undefined){pc=${pc};${t}=first(rt.index(w,G,${key}));}`,
      `${t}=first(V);`,
    );
    return { code: t, type: 'any', operand: { kind: 'global', name } };
  }

  protected index(object: Atom, key: Atom, line: number, kind = 'field', name = '?'): Atom {
    const t = this.temp();
    const pc = this.pc(line, object.operand);
    const get = key.type === 'string' ? 'getStr' : 'get';
    if (key.type === 'string' && name === '?' && key.code[0] === '"') name = JSON.parse(key.code);
    const { code } = object;
    if (this.bare) {
      this.js(`${t}=${code}.${get}(${key.code});`);
      return { code: t, type: 'any' };
    }
    this.op(
      pc,
      `if(!(${code} instanceof T)||(${t}=${code}.${get}(${key.code}))===undefined)` +
        `{pc=${pc};${t}=first(rt.index(w,${code},${key.code}));}`,
      `${t}=first(V);`,
    );
    return { code: t, type: 'any', operand: { kind, name } };
  }

  // ---- calls

  /** Text of a call whose result is raw, and its pc. */
  protected call(e: Expression & { kind: 'call' | 'method' }): { pc: number; code: string } {
    let callee: Atom;
    const args: string[] = [];
    if (e.kind === 'method') {
      const object = this.value(e.object);
      callee = this.index(object, { code: literal(e.name), type: 'string' }, e.line, 'method', e.name);
      args.push(object.code);
    } else {
      callee = this.value(e.callee);
    }
    args.push(...this.list(e.args));
    const pc = this.pc(e.line, callee.operand);
    const { code } = callee;
    if (callee.type !== 'any' && callee.type !== 'function') {
      return { pc, code: `rt.callMeta(w,${[code, ...args].join(',')})` };
    }
    const rest = ['w', ...args].join(',');
    return { pc, code: `(${code} instanceof F?${code}.call(${rest}):rt.callMeta(${['w', code, ...args].join(',')}))` };
  }

  private single(e: Expression & { kind: 'call' | 'method' }): Atom {
    const { pc, code } = this.call(e);
    const t = this.temp();
    this.op(pc, `pc=${pc};${t}=${code};if(${t} instanceof Array)${t}=${t}[0];`, `${t}=first(V);`);
    return { code: t, type: 'any' };
  }

  /** A variable that holds the raw result of a call or `...`. */
  protected raw(e: Expression): string {
    if (e.kind === 'vararg') return 'va';
    if (e.kind !== 'call' && e.kind !== 'method') return this.value(e).code;
    const { pc, code } = this.call(e);
    const t = this.temp();
    this.op(pc, `pc=${pc};${t}=${code};`, `${t}=V;`);
    return t;
  }

  /** The values of an expression list, the last one spread. */
  protected list(expressions: readonly Expression[]): string[] {
    return expressions.map((e, i) => {
      if (i < expressions.length - 1 || !isMulti(e)) return this.value(e).code;
      const raw = this.raw(e);
      this.js(raw === 'va' ? 'rt.budget-=va.length>>>3;' : `if(${raw} instanceof Array)rt.budget-=${raw}.length>>>3;`);
      return raw === 'va' ? '...va' : `...many(${raw})`;
    });
  }

  // ---- operators

  private binary(e: Expression & { kind: 'binary' }): Atom {
    const { op } = e;
    const constant = folded(e);
    if (constant !== undefined) return { code: this.numeral(constant), type: 'number' };
    if (op === 'and' || op === 'or') return this.logical(e);
    if (op === '..') return this.concat(e);
    // The reference keeps a constant on the left of arithmetic after those on the right.
    const late = ARITHMETIC.has(op) && folded(e.left) !== undefined;
    const early = late ? null : this.value(e.left);
    const right = this.value(e.right);
    const left = early ?? this.value(e.left);
    if (ARITHMETIC.has(op)) return this.arithmetic(op, left, right, e.line);
    if (op === '==' || op === '~=') return this.equality(op, left, right, e.line);
    return op === '<' || op === '<='
      ? this.order(op, left, right, e.line)
      : this.order(op === '>' ? '<' : '<=', right, left, e.line);
  }

  private arithmetic(op: string, a: Atom, b: Atom, line: number): Atom {
    const t = this.temp();
    const quick = `${t}=${quickArithmetic(op, a.code, b.code)};`;
    const test = tests('number', a, b);
    if (test === '') {
      this.js(quick);
      return { code: t, type: 'number' };
    }
    const pc = this.pc(line, a.operand, b.operand);
    const slow = `${t}=first(rt.arithmetic(w,'${op}',${a.code},${b.code}));`;
    this.op(pc, `if(${test})${quick}else{pc=${pc};${slow}}`, `${t}=first(V);`);
    return { code: t, type: 'any' };
  }

  private order(op: string, a: Atom, b: Atom, line: number): Atom {
    const t = this.temp();
    const pc = this.pc(line);
    const test = tests('number', a, b) || 'true';
    const slow = op === '<' ? 'less' : 'lessEqual';
    this.op(
      pc,
      `if(${test})${t}=${a.code}${op}${b.code};else{pc=${pc};${t}=truth(rt.${slow}(w,${a.code},${b.code}));}`,
      `${t}=truth(V);`,
    );
    return { code: t, type: 'boolean' };
  }

  private equality(op: string, a: Atom, b: Atom, line: number): Atom {
    const t = this.temp();
    const not = op === '~=' ? '!' : '';
    const plain = `${t}=${a.code}${op === '==' ? '===' : '!=='}${b.code};`;
    if (isShort(a) || isShort(b)) {
      this.js(plain);
      return { code: t, type: 'boolean' };
    }
    const pc = this.pc(line);
    this.op(
      pc,
      `if(${a.code} instanceof T?${a.code}!==${b.code}&&${a.code}.meta!==null:typeof ${a.code}==='string'&&${a.code}.length>${LONG})` +
        `{pc=${pc};${t}=${not}truth(rt.equal(w,${a.code},${b.code}));}else ${plain}`,
      `${t}=${not}truth(V);`,
    );
    return { code: t, type: 'boolean' };
  }

  /** A chain a..b..c: all operands first, then from the right. */
  private concat(e: Expression & { kind: 'binary' }): Atom {
    const parts: Expression[] = [e.left];
    let rest = e.right;
    while (rest.kind === 'binary' && rest.op === '..') {
      parts.push(rest.left);
      rest = rest.right;
    }
    parts.push(rest);
    const atoms = parts.map((part) => this.value(part));
    let right = atoms.pop()!;
    while (atoms.length > 0) {
      const left = atoms.pop()!;
      const t = this.temp();
      const pc = this.pc(e.line, left.operand, right.operand);
      const slow = `pc=${pc};${t}=first(rt.concat(w,${left.code},${right.code}));`;
      const test = tests('string', left, right);
      const quick = `if((${t}=${left.code}+${right.code}).length>${MUCH_TEXT})${t}=rt.made(${t});`;
      this.op(pc, test === '' ? `pc=${pc};${quick}` : `if(${test}){pc=${pc};${quick}}else{${slow}}`, `${t}=first(V);`);
      right = { code: t, type: test === '' ? 'string' : 'any' };
    }
    return right;
  }

  private unary(e: Expression & { kind: 'unary' }): Atom {
    if (e.op === 'not') return { code: this.set(`!(${this.condition(e.operand)})`), type: 'boolean' };
    const constant = folded(e);
    if (constant !== undefined) return { code: this.numeral(constant), type: 'number' };
    const a = this.value(e.operand);
    const t = this.temp();
    const pc = this.pc(e.line, a.operand);
    if (e.op === '-') {
      if (a.type === 'number') {
        this.js(`${t}=-${a.code};`);
        return { code: t, type: 'number' };
      }
      const slow = `pc=${pc};${t}=first(rt.negate(w,${a.code}));`;
      this.op(pc, `if(typeof ${a.code}==='number')${t}=-${a.code};else{${slow}}`, `${t}=first(V);`);
      return { code: t, type: 'any' };
    }
    this.js(`if(${a.code} instanceof T)${t}=${a.code}.length();else{pc=${pc};${t}=rt.length(${a.code});}`);
    return { code: t, type: 'number' };
  }

  private logical(e: Expression & { kind: 'binary' }): Atom {
    if (decided(e.left) === (e.op === 'and')) return this.value(e.right);
    const t = this.temp();
    this.js(`${t}=${this.value(e.left).code};`);
    const truthy = `${t}!==undefined&&${t}!==false`;
    this.branch(e.op === 'and' ? truthy : `!(${truthy})`, () => this.js(`${t}=${this.value(e.right).code};`));
    return { code: t, type: 'any', operand: chosenName(e) };
  }

  /** A JavaScript condition, without effect. */
  protected condition(e: Expression): string {
    const known = decided(e);
    if (known !== undefined) return String(known);
    if (e.kind === 'paren') return this.condition(e.inner);
    if (e.kind === 'unary' && e.op === 'not') return `!(${this.condition(e.operand)})`;
    if (e.kind === 'binary' && (e.op === 'and' || e.op === 'or')) {
      const t = this.temp();
      this.js(`${t}=${this.condition(e.left)};`);
      this.branch(e.op === 'and' ? t : `!${t}`, () => this.js(`${t}=${this.condition(e.right)};`));
      return t;
    }
    const { code, type } = this.value(e);
    if (type === 'boolean') return code;
    if (type === 'nil') return 'false';
    return type === 'any' ? `(${code}!==undefined&&${code}!==false)` : 'true';
  }

  // ---- tables

  private table(items: readonly TableItem[], line: number): Atom {
    const t = this.temp();
    this.js(`${t}=new T(${roomFor(items)});`);
    let pending: string[] = [];
    let filled = 0;
    const flush = (): void => {
      if (pending.length > 0) this.js(`${t}.fill([${pending.join(',')}],${filled});`);
      if (pending.at(-1)?.startsWith('...')) this.js(`rt.charge(${t}.array.length>>>2);`);
      else if (pending.length > 8) this.js(`rt.charge(${pending.length >> 2});`);
      filled += pending.length;
      pending = [];
    };
    items.forEach((item, i) => {
      if (item.key !== null) {
        this.field(t, item, line);
      } else if (i === items.length - 1) {
        pending.push(...this.list([item.value]));
      } else {
        pending.push(this.value(item.value).code);
        if (pending.length === FLUSH) flush();
      }
    });
    flush();
    return { code: t, type: 'table' };
  }

  private field(t: string, item: TableItem, line: number): void {
    const key = this.value(item.key!);
    const value = this.value(item.value);
    if (key.type === 'string') {
      this.js(`${t}.setHash(${key.code},${value.code});`);
      return;
    }
    this.js(`pc=${this.pc(line)};rt.setRaw(${t},${key.code},${value.code});`);
  }
}
