/**
 * Prints functions that are hot as JavaScript, in two forms.
 *
 * The quick form is what calls run: plain code with one try around it; when time runs out, the runtime throws and each
 * frame on the way out leaves its registers and its pc (runtime.ts).
 *
 * The resuming form continues such a frame: the same code, in which every statement is guarded so that nothing happens
 * (R is not 0) until the operation with the pc in R is reached; it takes the result V of what it had called, R becomes 0,
 * and from there on it runs as the quick form does, with calls that begin in the quick form again.
 *
 * Registers are variables v0, v1 ..., upvalues u0, u1 ...; a register that only keeps what a local holds anyway isn't
 * filled: its readers are given the local.
 */
import {
  BOXED,
  type FunctionCode,
  GLOBALS,
  NO_MORE,
  OP_NAMES,
  type OpName,
  START,
  sizeAt,
  UPVALUE,
  VARARGS,
  type Words,
} from './code.ts';
import { LEVELS_MAX, WEIGHT } from './depth.ts';
import { MUCH_TEXT } from './meter.ts';
import type { Proto } from './proto.ts';
import { LONG } from './runtime.ts';

/** Longer strings aren't printed, but found among the constants. */
const PRINTED = 200;

/** What the programs use of the runtime: the chunk's protos P, the function's constants C, the globals G. */
export const NAMES = 'rt,T,F,Box,Frame,SUSPEND,NONE,P,C,G,first,many,truth,pow';

type Form = 'quick' | 'resuming';
type Type = 'any' | 'number' | 'boolean' | 'string' | 'nil' | 'table' | 'function';

const OPERATORS: Partial<Record<OpName, string>> = { ADD: '+', SUB: '-', MUL: '*', DIV: '/', MOD: '%', POW: '^' };
const FOR_NAMES = ['initial value', 'limit', 'step'];

function quickArithmetic(op: string, a: string, b: string): string {
  if (op === '%') return `${a}-Math.floor(${a}/${b})*${b}`;
  return op === '^' ? `pow(${a},${b})` : `${a}${op}${b}`;
}

/** A program whose value makes the function, given its upvalues. */
export function printMaker(proto: Proto): string {
  const { code, weight } = proto;
  const params = ['d', ...registerNames(0, code.params)];
  if (code.vararg) params.push('...va');
  const declared = ['pc=0', `w=d+${weight}`, 'x', ...registerNames(code.params, code.registers)].join(',');
  const body = `let ${declared};try{\n${new Printer(proto, 'quick').text()}}${handler(code)}`;
  return `'use strict';const {${NAMES}}=K;const p=P[${code.id}];return (${upvalueNames(code)})=>new F(${JSON.stringify(proto.name)},(${params.join(',')})=>{${body}},true);`;
}

/** A program whose value is the function that resumes frames. */
export function printResumer(proto: Proto): string {
  const { code, weight } = proto;
  const registers = registerNames(0, code.registers).join(',');
  const head = `let pc=R,w=d+${weight},x;let [${registers}]=S;const [${upvalueNames(code)}]=U;`;
  const body = `${head}try{\n${new Printer(proto, 'resuming').text()}}${handler(code)}`;
  return `'use strict';const {${NAMES}}=K;const p=P[${code.id}];return (R,S,U,va,V,d)=>{${body}};`;
}

function registerNames(from: number, to: number): string[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => `v${from + i}`);
}

function upvalueNames({ upvalues }: FunctionCode): string {
  return upvalues.map((_, i) => `u${i}`).join(',');
}

function handler(code: FunctionCode): string {
  const saved = registerNames(0, code.registers).join(',');
  const frame = `new Frame(p,pc,d,[${saved}],[${upvalueNames(code)}],${code.vararg ? 'va' : 'NONE'})`;
  return `catch(e){if(e===SUSPEND){if(!p.isTail(pc)||!rt.tailCalled())rt.captured.push(${frame});}else e=rt.trace(e,p,pc,d);throw e;}`;
}

class Printer {
  readonly library: boolean;
  readonly vararg: boolean;
  private readonly proto: Proto;
  private readonly code: FunctionCode;
  private readonly words: Words;
  private readonly form: Form;
  private out = '';
  /** Plain statements that the resuming form guards together. */
  private plain = '';
  /** Labels around this place, innermost last. */
  private readonly loops: string[] = [];
  private readonly blocks: string[] = [];
  /** What is known of registers' values, from one branching to the next. */
  private types = new Map<number, Type>();
  /** Registers of counters in sight, which are numbers throughout, and how deep in loops they are. */
  private counters: { register: number; depth: number }[] = [];
  private readonly aliases = new Map<number, string>();
  private pc = 0;

  constructor(proto: Proto, form: Form) {
    this.proto = proto;
    this.library = proto.library;
    this.vararg = proto.code.vararg;
    this.code = proto.code;
    this.words = proto.code.words;
    this.form = form;
  }

  text(): string {
    const { words } = this;
    for (let pc = START; pc < words.length; pc += sizeAt(words, pc)) {
      this.pc = pc;
      PRINT[OP_NAMES[words[pc]]](this, pc);
    }
    this.flush();
    return this.out;
  }

  word(i: number): number {
    return this.words[this.pc + i];
  }

  // ---- statements

  /** A statement that calls nothing. */
  js(code: string): void {
    if (this.form === 'quick') this.out += code + '\n';
    else this.plain += code;
  }

  private flush(): void {
    if (this.plain !== '') this.out += `if(R===0){${this.plain}}\n`;
    this.plain = '';
  }

  /** A statement that may call, or be left; `resume` is what is left to do with the raw result V of what it called. */
  op(code: string, resume = ''): void {
    this.flush();
    if (this.form === 'quick') this.out += code + '\n';
    else this.out += `if(R===0){${code}}else if(R===${this.pc}){R=0;${resume}}\n`;
  }

  /** The beginning of what is within braces up to the pc `end`. */
  private opened(head: string, condition: string, end: number): void {
    this.flush();
    const inside = `R>${this.pc}&&R<${end}`;
    if (this.form === 'quick') this.out += condition === '' ? `${head}{\n` : `${head}if(${condition}){\n`;
    else if (condition === '') this.out += `if(R===0||${inside})${head}{\n`;
    else this.out += `if(R===0?(${condition}):(${inside})){\n`;
    this.forget();
  }

  begin(kind: 'loop' | 'block' | 'if', condition = '', end = this.word(2)): void {
    const label = `L${this.pc}`;
    if (kind === 'loop') this.loops.push(label);
    if (kind === 'block') this.blocks.push(label);
    this.opened(kind === 'loop' ? `${label}:for(;;)` : kind === 'block' ? `${label}:` : '', condition, end);
  }

  end(kind: 'loop' | 'block' | 'if'): void {
    this.flush();
    this.out += '}\n';
    if (kind === 'loop') this.loops.pop();
    if (kind === 'block') this.blocks.pop();
    this.forget();
  }

  leave(kind: 'loop' | 'block', condition = ''): void {
    const label = (kind === 'loop' ? this.loops : this.blocks).at(-1)!;
    this.js(condition === '' ? `break ${label};` : `if(${condition})break ${label};`);
  }

  /** Different ways lead here. */
  private forget(): void {
    this.types.clear();
    this.counters = this.counters.filter(({ depth }) => depth <= this.loops.length);
    for (const { register } of this.counters) this.types.set(register, 'number');
  }

  // ---- operands

  constant(place: number): string {
    const value = this.code.constants[~place];
    if (typeof value === 'string') return value.length > PRINTED ? `C[${~place}]` : JSON.stringify(value);
    if (typeof value === 'number') return Object.is(value, -0) ? '(-0)' : `(${value})`;
    return String(value);
  }

  /** What reads, or fills, a place. */
  place(place: number): string {
    if (place < 0) return this.constant(place);
    if (place < BOXED) return this.aliases.get(place) ?? `v${place}`;
    if (place < UPVALUE) return `v${place - BOXED}.v`;
    if (place === GLOBALS) return 'G';
    const at = place - UPVALUE;
    return this.code.upvalues[at].boxed ? `u${at}.v` : `u${at}`;
  }

  at(i: number): string {
    return this.place(this.word(i));
  }

  /** Of an operand. */
  type(i: number): Type {
    const place = this.word(i);
    if (place >= 0) return this.types.get(place) ?? 'any';
    const value = this.code.constants[~place];
    return value === undefined ? 'nil' : (typeof value as Type);
  }

  /** The place that the operation fills, with a value of this type. */
  to(type: Type = 'any', i = 2): string {
    const place = this.word(i);
    this.fills(place, type);
    return this.place(place);
  }

  fills(register: number, type: Type = 'any'): void {
    this.aliases.delete(register);
    if (type === 'any') this.types.delete(register);
    else if (register < BOXED) this.types.set(register, type);
  }

  keep(): void {
    const [to, from] = [this.word(2), this.word(3)];
    const type = this.type(3);
    const text = this.place(from);
    if (from >= BOXED && !this.isSteady(from)) {
      this.js(`${this.to(type)}=${text};`);
      return;
    }
    this.fills(to, type);
    this.aliases.set(to, text);
  }

  /** An upvalue that never changes. */
  private isSteady(place: number): boolean {
    return place >= UPVALUE && place !== GLOBALS && !this.code.upvalues[place - UPVALUE].boxed;
  }

  counter(register: number): void {
    this.counters.push({ register, depth: this.loops.length });
    this.types.set(register, 'number');
  }

  /** `typeof` tests that are still needed of operands. */
  tests(type: Type, ...operands: number[]): string {
    return operands
      .filter((i) => this.type(i) !== type)
      .map((i) => `typeof ${this.at(i)}==='${type}'`)
      .join('&&');
  }

  condition(i = 2): string {
    const type = this.type(i);
    if (type === 'boolean') return this.at(i);
    if (type === 'nil') return 'false';
    return type === 'any' ? `(${this.at(i)}!==undefined&&${this.at(i)}!==false)` : 'true';
  }

  /** The list that ends the instruction, from the word of its length on. */
  list(i: number): string[] {
    const texts: string[] = [];
    const count = this.word(i);
    for (let k = 0; k < count; k++) texts.push(this.at(i + 2 + k));
    const more = this.word(i + 1);
    if (more === VARARGS) {
      this.js('rt.budget-=va.length>>>3;');
      texts.push('...va');
    } else if (more !== NO_MORE) {
      this.js(`if(v${more} instanceof Array)rt.budget-=v${more}.length>>>3;`);
      texts.push(`...many(v${more})`);
    }
    return texts;
  }

  /** What a closure is handed. */
  shared(inner: number): string {
    const { upvalues } = this.proto.chunk.protos[inner].code;
    return upvalues.map(({ inRegister, at }) => `${inRegister ? 'v' : 'u'}${at}`).join(',');
  }

  /** What is no table, and no string that takes long to compare. */
  isShort(i: number): boolean {
    const type = this.type(i);
    const place = this.word(i);
    if (type !== 'string') return type !== 'any';
    return place < 0 && (this.code.constants[~place] as string).length <= LONG;
  }

  call(): string {
    const callee = this.at(3);
    const args = this.list(4);
    const type = this.type(3);
    const meta = `rt.callMeta(${['w', callee, ...args].join(',')})`;
    return type === 'any' || type === 'function'
      ? `(${callee} instanceof F?${callee}.call(${['w', ...args].join(',')}):${meta})`
      : meta;
  }
}

type Print = (p: Printer, pc: number) => void;

function move(p: Printer): void {
  const type = p.type(3);
  const from = p.at(3);
  const to = p.to(type);
  if (to !== from) p.js(`${to}=${from};`);
}

function index(p: Printer, pc: number): void {
  const object = p.at(3);
  const key = p.at(4);
  const get = p.type(4) === 'string' ? 'getStr' : 'get';
  const to = p.to();
  if (p.library) {
    p.js(`${to}=${object}.${get}(${key});`);
    return;
  }
  p.op(
    `if(!(${object} instanceof T)||(x=${object}.${get}(${key}))===undefined){pc=${pc};x=first(rt.index(w,${object},${key}));}${to}=x;`,
    `${to}=first(V);`,
  );
}

function setIndex(p: Printer, pc: number): void {
  const [object, key, value] = [p.at(2), p.at(3), p.at(4)];
  const type = p.type(3);
  const slow = `{pc=${pc};rt.${p.library ? 'setRaw(' : 'setIndex(w,'}${object},${key},${value});}`;
  let test = object === 'G' || p.type(2) === 'table' ? '' : `${object} instanceof T&&`;
  test += p.library ? `!${object}.readonly` : `${object}.meta===null&&!${object}.readonly`;
  if (type === 'any' || type === 'number') test += `&&${key}===${key}&&${key}!==undefined`;
  const set = type === 'string' ? 'setHash' : 'set';
  p.op(type === 'nil' ? slow : `if(${test})${object}.${set}(${key},${value});else${slow}`);
}

function arithmetic(p: Printer, pc: number): void {
  const op = OPERATORS[OP_NAMES[p.word(0)]]!;
  const [a, b] = [p.at(3), p.at(4)];
  const test = p.tests('number', 3, 4);
  if (test === '') {
    p.js(`${p.to('number')}=${quickArithmetic(op, a, b)};`);
    return;
  }
  const to = p.to();
  const slow = `pc=${pc};${to}=first(rt.arithmetic(w,'${op}',${a},${b}));`;
  p.op(`if(${test})${to}=${quickArithmetic(op, a, b)};else{${slow}}`, `${to}=first(V);`);
}

function order(sign: string, slow: string): Print {
  return (p, pc) => {
    const [a, b] = [p.at(3), p.at(4)];
    const test = p.tests('number', 3, 4) || 'true';
    const to = p.to('boolean');
    p.op(`if(${test})${to}=${a}${sign}${b};else{pc=${pc};${to}=truth(rt.${slow}(w,${a},${b}));}`, `${to}=truth(V);`);
  };
}

function equality(not: '' | '!'): Print {
  return (p, pc) => {
    const [a, b] = [p.at(3), p.at(4)];
    const known = p.isShort(3) || p.isShort(4);
    const to = p.to('boolean');
    const plain = `${to}=${a}${not === '' ? '===' : '!=='}${b};`;
    if (known) {
      p.js(plain);
      return;
    }
    p.op(
      `if(${a} instanceof T?${a}!==${b}&&${a}.meta!==null:typeof ${a}==='string'&&${a}.length>${LONG}){pc=${pc};${to}=${not}truth(rt.equal(w,${a},${b}));}else ${plain}`,
      `${to}=${not}truth(V);`,
    );
  };
}

function concat(p: Printer, pc: number): void {
  const [a, b] = [p.at(3), p.at(4)];
  const test = p.tests('string', 3, 4);
  const to = p.to(test === '' ? 'string' : 'any');
  const quick = `if((x=${a}+${b}).length>${MUCH_TEXT})x=rt.made(x);${to}=x;`;
  const slow = `${to}=first(rt.concat(w,${a},${b}));`;
  p.op(`pc=${pc};${test === '' ? quick : `if(${test}){${quick}}else ${slow}`}`, `${to}=first(V);`);
}

function negate(p: Printer, pc: number): void {
  const a = p.at(3);
  const number = p.type(3) === 'number';
  const to = p.to(number ? 'number' : 'any');
  if (number) p.js(`${to}=-${a};`);
  else p.op(`if(typeof ${a}==='number')${to}=-${a};else{pc=${pc};${to}=first(rt.negate(w,${a}));}`, `${to}=first(V);`);
}

function length(p: Printer, pc: number): void {
  const a = p.at(3);
  const to = p.to('number');
  p.js(`if(${a} instanceof T)${to}=${a}.length();else{pc=${pc};${to}=rt.length(${a});}`);
}

function forTest(p: Printer): void {
  const base = p.word(2);
  const sign = p.word(3);
  const up = `v${base}<=v${base + 1}`;
  const down = `v${base + 1}<=v${base}`;
  p.leave('loop', `!(${sign > 0 ? up : sign < 0 ? down : `(v${base + 2}>0?${up}:${down})`})`);
}

function forStart(p: Printer, pc: number): void {
  const base = p.word(2);
  p.js(`if((d&${WEIGHT - 1})>${LEVELS_MAX - 2}){pc=${pc};rt.nest(d,1);}`);
  p.js(`v${base + 3}=v${base}===rt.next&&v${base + 1} instanceof T?v${base + 1}.after(v${base + 2}):-1;`);
  for (let i = 3; i <= 4; i++) p.fills(base + i);
}

/** pairs and ipairs are walked without calls; any other iterator is called. For the reference it is C that calls. */
function forIn(p: Printer, pc: number): void {
  const base = p.word(2);
  const count = p.word(3);
  const [f, state, control, at, all, k, v] = [0, 1, 2, 3, 4, 5, 6].map((i) => `v${base + i}`);
  const second = count > 1 ? `${v}=` : '';
  const others = (list: string): string => {
    let text = '';
    for (let i = 2; i < count; i++) text += `v${base + 5 + i}=${list}${list === 'undefined' ? '' : `[${i}]`};`;
    return text;
  };
  const given = `${k}=${all}[0];${count > 1 ? `${v}=${all}[1];` : ''}${others(all)}`;
  const next =
    `${at}=${state}.seek(${at});if(${at}<0)${k}=undefined;` +
    `else{${k}=${state}.keyAt(${at});${count > 1 ? second + `${state}.valueAt(${at});` : ''}${at}++;}${others('undefined')}`;
  const inext = `${k}=${control}+1;if((x=${state}.get(${k}))===undefined)${k}=undefined;${count > 1 ? `${v}=x;` : ''}${others('undefined')}`;
  const call = `(${f} instanceof F?${f}.call(w+1,${state},${control}):rt.callMeta(w+1,${f},${state},${control}))`;
  p.op(
    `if(${f}===rt.next&&${state} instanceof T&&${at}>=0){${next}}else if(${f}===rt.inext&&${state} instanceof T){${inext}}` +
      `else{pc=${pc};${all}=many(${call});${given}}`,
    `${all}=many(V);${given}`,
  );
  for (let i = 0; i < count; i++) p.fills(base + 5 + i);
  p.leave('loop', `${k}===undefined`);
  p.js(`${control}=${k};`);
}

function closure(p: Printer): void {
  const inner = p.word(3);
  const shared = p.shared(inner);
  p.js(`${p.to('function')}=P[${inner}].made===null?P[${inner}].close(${shared}):P[${inner}].made(${shared});`);
}

function returns(p: Printer): void {
  const [count, more] = [p.word(2), p.word(3)];
  if (more !== NO_MORE && count === 0) p.js(`return ${more === VARARGS ? 'va' : `v${more}`};`);
  else if (more === NO_MORE && count < 2) p.js(`return ${count === 0 ? 'NONE' : p.at(4)};`);
  else p.js(`return [${p.list(2).join(',')}];`);
}

function fill(p: Printer): void {
  const table = p.at(2);
  const items = p.list(4);
  p.js(`${table}.fill([${items.join(',')}],${p.word(3)});`);
  if (p.word(5) !== NO_MORE) p.js(`rt.charge(${table}.array.length>>>2);`);
  else if (items.length > 8) p.js(`rt.charge(${items.length >> 2});`);
}

const PRINT: Record<OpName, Print> = {
  ENTER(p, pc) {
    const count = p.vararg ? '(rt.budget-=1+(va.length>>>3))' : '--rt.budget';
    p.op(`if(${count}<0||d>rt.maxDepth){pc=${pc};rt.enter(d);}`);
  },
  NOP() {},
  LOCAL: move,
  LOCALBOX: (p) => p.js(`v${p.word(2)}=new Box(${p.at(3)});`),
  COUNTER(p) {
    const from = p.at(3);
    p.js(`${p.to()}=${from};`);
    p.counter(p.word(2));
  },
  MOVE: move,
  KEEP: (p) => p.keep(),
  ARGTABLE: (p) => p.js(`${p.to('table')}=rt.argTable(va);`),
  GLOBAL(p, pc) {
    const to = p.to();
    const key = p.at(3);
    p.op(`if((x=G.getStr(${key}))===undefined){pc=${pc};x=first(rt.index(w,G,${key}));}${to}=x;`, `${to}=first(V);`);
  },
  INDEX: index,
  METHOD: index,
  SETINDEX: setIndex,
  ADD: arithmetic,
  SUB: arithmetic,
  MUL: arithmetic,
  DIV: arithmetic,
  MOD: arithmetic,
  POW: arithmetic,
  CONCAT: concat,
  EQ: equality(''),
  NE: equality('!'),
  LT: order('<', 'less'),
  LE: order('<=', 'lessEqual'),
  UNM: negate,
  NOT(p) {
    const condition = p.condition(3);
    p.js(`${p.to('boolean')}=!${condition};`);
  },
  LEN: length,
  IF: (p) => p.begin('if', p.condition(), p.word(3)),
  IFNOT: (p) => p.begin('if', `!${p.condition()}`, p.word(3)),
  END: (p) => p.end('if'),
  BLOCK: (p) => p.begin('block'),
  ENDBLOCK: (p) => p.end('block'),
  LEAVE: (p) => p.leave('block'),
  LOOP: (p) => p.begin('loop'),
  ENDLOOP(p, pc) {
    p.op(`if(--rt.budget<0){pc=${pc};rt.slice();}`);
    p.end('loop');
  },
  BREAK: (p) => p.leave('loop'),
  BREAKIF: (p) => p.leave('loop', p.condition()),
  BREAKUNLESS: (p) => p.leave('loop', `!${p.condition()}`),
  FORCHECK(p, pc) {
    const register = `v${p.word(2)}`;
    const what = FOR_NAMES[p.word(3)];
    p.op(
      `if(typeof ${register}!=='number'){pc=${pc};${register}=first(rt.forNumber(${register},'${what}'));}`,
      `${register}=first(V);`,
    );
  },
  FORTEST: forTest,
  FORSTEP: (p) => p.js(`v${p.word(2)}+=v${p.word(2) + 2};`),
  FORIN: forIn,
  FORSTART: forStart,
  CALL: (p, pc) => p.op(`pc=${pc};${p.call()};`),
  CALL1(p, pc) {
    const call = p.call();
    const to = p.to();
    p.op(`pc=${pc};x=${call};${to}=x instanceof Array?x[0]:x;`, `${to}=first(V);`);
  },
  CALLALL(p, pc) {
    const call = p.call();
    const to = p.to();
    p.op(`pc=${pc};${to}=${call};`, `${to}=V;`);
  },
  TAILCALL: (p, pc) => p.op(`pc=${pc};return ${p.call()};`, 'return V;'),
  CLOSURE: closure,
  VARARG: (p) => p.js(`${p.to()}=va[0];`),
  ELEMENT(p) {
    const list = p.word(3);
    p.js(`${p.to()}=${list === VARARGS ? 'va' : `many(v${list})`}[${p.word(4)}];`);
  },
  RETURN: returns,
  TABLE: (p) => p.js(`${p.to('table')}=new T(${p.word(3)},${p.word(4)});`),
  FILL: fill,
  FIELD: (p) => p.js(`${p.at(2)}.setHash(${p.at(3)},${p.at(4)});`),
  SETRAW: (p, pc) => p.js(`pc=${pc};rt.setRaw(${p.at(2)},${p.at(3)},${p.at(4)});`),
};
