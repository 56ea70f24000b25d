/**
 * Runs code (code.ts) as it is: what is called a few times only isn't worth being printed.
 *
 * Each operation is a function that gives the pc of the next, or -1 when the function has ended. When time runs out, or a
 * coroutine yields, the frame is left as the runtime says (runtime.ts): its registers, and the pc of the operation that had
 * called; `resume` finishes that operation with the result, and goes on behind it.
 */
import {
  BOXED,
  GLOBALS,
  NO_MORE,
  OP_NAMES,
  Op,
  type OpName,
  START,
  sizeAt,
  UPVALUE,
  VARARGS,
  type Words,
} from './code.ts';
import { LEVELS_MAX, levelOf } from './depth.ts';
import { Box, Frame } from './frame.ts';
import { type Interpreting, type Proto, type Shared, sharedBy } from './proto.ts';
import { first, many, type Runtime, SUSPEND, truth } from './runtime.ts';
import { LuaFunction, LuaTable, NONE, type Result, type Value } from './value.ts';

const FOR_NAMES = ['initial value', 'limit', 'step'];
/** A loop was gone round: whatever comes next is gone back to. */
const BACK = Number.POSITIVE_INFINITY;

/** A call of a function. */
class Activation {
  readonly proto: Proto;
  readonly runtime: Runtime;
  readonly words: Words;
  readonly registers: unknown[];
  readonly shared: readonly Shared[];
  readonly varargs: readonly Value[];
  /** Where it stands, and where what it calls stands (depth.ts). */
  readonly d: number;
  readonly w: number;
  pc = 0;
  /** What it gives when it has ended. */
  result: Result;
  /** The operation before, for the debugger. */
  before = BACK;
  /** The pc of which the debugger has been told. */
  told = -1;
  /** It went on as JavaScript, which leaves a frame of its own. */
  gone = false;

  constructor(proto: Proto, registers: unknown[], shared: readonly Shared[], varargs: readonly Value[], d: number) {
    this.proto = proto;
    this.runtime = proto.chunk.runtime;
    this.words = proto.code.words;
    this.registers = registers;
    this.shared = shared;
    this.varargs = varargs;
    this.d = d;
    this.w = d + proto.weight;
    this.result = NONE;
  }

  get(place: number): Value {
    if (place < 0) return this.proto.code.constants[~place];
    if (place < BOXED) return this.registers[place] as Value;
    if (place < UPVALUE) return (this.registers[place - BOXED] as Box).v;
    const shared = this.shared[place - UPVALUE];
    return shared instanceof Box ? shared.v : shared;
  }

  set(place: number, value: Value): void {
    if (place < BOXED) this.registers[place] = value;
    else if (place < UPVALUE) (this.registers[place - BOXED] as Box).v = value;
    else (this.shared[place - UPVALUE] as Box).v = value;
  }

  /** The list that ends an instruction: its length and what is behind it are in the words from `at`. */
  list(at: number): Value[] {
    const { words } = this;
    const values: Value[] = [];
    const count = words[at];
    for (let i = 0; i < count; i++) values.push(this.get(words[at + 2 + i]));
    const more = words[at + 1];
    if (more === NO_MORE) return values;
    const listed = this.listed(more);
    this.runtime.charge(listed.length >>> 3);
    for (const value of listed) values.push(value);
    return values;
  }

  /** Values that a call gave, or `...`. */
  listed(place: number): readonly Value[] {
    return place === VARARGS ? this.varargs : many(this.registers[place] as Result);
  }

  run(pc: number): Result {
    const { words, proto } = this;
    const { traced } = proto.chunk;
    let at = pc;
    let begun = true;
    try {
      while (at >= 0) {
        this.pc = at;
        if (traced) {
          begun = false;
          this.trace(at);
          begun = true;
        }
        at = RUN[words[at]](this, at);
      }
      return this.result;
    } catch (error) {
      throw this.left(error, begun);
    }
  }

  /** It is left in the middle. */
  private left(error: unknown, begun: boolean): unknown {
    const { runtime, proto, pc, d } = this;
    if (this.gone) return error;
    if (error !== SUSPEND) return runtime.trace(error, proto, pc, d);
    if (!proto.isTail(pc) || !begun || !runtime.tailCalled()) {
      const at = begun ? pc : ~pc;
      runtime.captured.push(new Frame(proto, at, d, this.registers, this.shared, this.varargs));
    }
    return error;
  }

  /** Goes on behind the operation at `pc`, which had called what gave `result`. */
  resume(pc: number, result: Result): Result {
    const { words } = this;
    const to = words[pc + 2];
    this.before = pc;
    switch (FINISH[words[pc]]) {
      case 'first':
        this.set(to, first(result));
        break;
      case 'all':
        this.registers[to] = result;
        break;
      case 'truth':
        this.set(to, truth(result));
        break;
      case 'untruth':
        this.set(to, !truth(result));
        break;
      case 'round':
        return this.run(to);
      case 'return':
        return result;
      case 'iterate':
        this.pc = pc;
        return this.run(iterated(this, pc, many(result)));
    }
    return this.run(pc + sizeAt(words, pc));
  }

  /** Tells the debugger of a line when it is entered, or gone back to. */
  private trace(pc: number): void {
    const { words, before, runtime } = this;
    const op = words[pc];
    if (SILENT.has(op) || (op === Op.LOCAL && words[pc + 2] === words[pc + 3])) return;
    this.before = pc;
    if (pc === this.told) {
      this.told = -1;
      return;
    }
    if (pc > before && words[pc + 1] === words[before + 1]) return;
    runtime.lineReached(words[pc + 1], () => this.locals(pc));
  }

  /** Locals in sight, the loops' own among them, innermost last. */
  private locals(pc: number): { name: string; value: Value }[] {
    return this.proto.code.locals
      .filter(({ name, from, to }) => from < pc && pc < to && name !== '')
      .sort((a, b) => a.register - b.register)
      .map(({ name, register }) => {
        const value = this.registers[register];
        return { name, value: value instanceof Box ? value.v : (value as Value) };
      });
  }

  call(at: number): Result {
    const callee = this.get(this.words[at + 3]);
    const args = this.list(at + 4);
    return callee instanceof LuaFunction
      ? callee.call(this.w, ...args)
      : this.runtime.callMeta(this.w, callee, ...args);
  }
}

type Run = (a: Activation, pc: number) => number;

/** What an operation still has to do with the result of what it had called; nothing where it isn't named. */
const FINISHES: Partial<Record<OpName, 'first' | 'all' | 'truth' | 'untruth' | 'round' | 'return' | 'iterate'>> = {
  GLOBAL: 'first',
  INDEX: 'first',
  METHOD: 'first',
  ADD: 'first',
  SUB: 'first',
  MUL: 'first',
  DIV: 'first',
  MOD: 'first',
  POW: 'first',
  UNM: 'first',
  FORCHECK: 'first',
  CONCAT: 'first',
  CALL1: 'first',
  CALLALL: 'all',
  EQ: 'truth',
  NE: 'untruth',
  LT: 'truth',
  LE: 'truth',
  ENDLOOP: 'round',
  TAILCALL: 'return',
  FORIN: 'iterate',
};
const FINISH = OP_NAMES.map((name) => FINISHES[name]);

/** Operations that the reference has no instructions for, or that it runs when a loop goes round. */
const SILENT = new Set(
  (['ENTER', 'NOP', 'END', 'BLOCK', 'ENDBLOCK', 'LOOP', 'FORTEST', 'FORIN', 'FORSTART', 'COUNTER'] as const).map(
    (name) => Op[name],
  ),
);

function isTrue(value: Value): boolean {
  return value !== undefined && value !== false;
}

function index(a: Activation, pc: number): number {
  const { words } = a;
  const object = a.get(words[pc + 3]);
  const key = a.get(words[pc + 4]);
  let value: Value;
  if (object instanceof LuaTable) value = object.get(key);
  if (value === undefined && !a.proto.library) value = first(a.runtime.index(a.w, object, key));
  a.set(words[pc + 2], value);
  return pc + 5;
}

function setIndex(a: Activation, pc: number): number {
  const { words, runtime } = a;
  const object = words[pc + 2] === GLOBALS ? a.proto.chunk.globals : a.get(words[pc + 2]);
  const key = a.get(words[pc + 3]);
  const value = a.get(words[pc + 4]);
  if (a.proto.library) runtime.setRaw(object as LuaTable, key, value);
  else runtime.setIndex(a.w, object, key, value);
  return pc + 5;
}

function arithmetic(op: string): Run {
  return (a, pc) => {
    const { words } = a;
    a.set(words[pc + 2], first(a.runtime.arithmetic(a.w, op, a.get(words[pc + 3]), a.get(words[pc + 4]))));
    return pc + 5;
  };
}

function compare(test: (a: Activation, left: Value, right: Value) => boolean): Run {
  return (a, pc) => {
    const { words } = a;
    a.set(words[pc + 2], test(a, a.get(words[pc + 3]), a.get(words[pc + 4])));
    return pc + 5;
  };
}

function equal(a: Activation, left: Value, right: Value): boolean {
  if (typeof left !== 'string' && left === right) return true;
  return truth(a.runtime.equal(a.w, left, right));
}

function concat(a: Activation, pc: number): number {
  const { words, runtime } = a;
  a.set(words[pc + 2], first(runtime.concat(a.w, a.get(words[pc + 3]), a.get(words[pc + 4]))));
  return pc + 5;
}

function move(a: Activation, pc: number): number {
  a.set(a.words[pc + 2], a.get(a.words[pc + 3]));
  return pc + 4;
}

/** Where a test leads that jumps unless, or if, its value is true. */
function test(jumpsOn: boolean): Run {
  return (a, pc) => (isTrue(a.get(a.words[pc + 2])) === jumpsOn ? a.words[pc + 3] : pc + 4);
}

function jump(a: Activation, pc: number): number {
  return a.words[pc + 2];
}

function skip(size: number): Run {
  return (_, pc) => pc + size;
}

function endLoop(a: Activation, pc: number): number {
  const { runtime, proto } = a;
  if (--runtime.budget < 0) runtime.slice();
  const begin = a.words[pc + 2];
  if (!proto.warm()) return begin;
  // From here on as JavaScript: as if it had been left at this place.
  a.gone = true;
  a.result = proto.printed(pc, a.registers, a.shared, a.varargs, undefined, a.d);
  return -1;
}

function forTest(a: Activation, pc: number): number {
  const { words, registers } = a;
  const base = words[pc + 2];
  const [at, limit, step] = [registers[base], registers[base + 1], registers[base + 2]] as number[];
  a.before = BACK;
  return (step > 0 ? at <= limit : limit <= at) ? pc + 5 : words[pc + 4];
}

function forStart(a: Activation, pc: number): number {
  const { runtime, registers } = a;
  const base = a.words[pc + 2];
  const [iterator, state, control] = registers.slice(base, base + 3) as Value[];
  if (levelOf(a.d) > LEVELS_MAX - 2) runtime.nest(a.d, 1);
  registers[base + 3] = iterator === runtime.next && state instanceof LuaTable ? state.after(control) : -1;
  return pc + 3;
}

function forIn(a: Activation, pc: number): number {
  const { runtime, registers, w } = a;
  const base = a.words[pc + 2];
  const [iterator, state, control, place] = registers.slice(base, base + 4) as Value[];
  if (iterator === runtime.next && state instanceof LuaTable && (place as number) >= 0) {
    const at = state.seek(place as number);
    registers[base + 3] = at + 1;
    return iterated(a, pc, at < 0 ? NONE : [state.keyAt(at), state.valueAt(at)]);
  }
  if (iterator === runtime.inext && state instanceof LuaTable) {
    const key = (control as number) + 1;
    const value = state.get(key);
    return iterated(a, pc, value === undefined ? NONE : [key, value]);
  }
  return iterated(a, pc, many(runtime.call(w + 1, iterator, state, control)));
}

/** The iterator of a loop has given its values. */
function iterated(a: Activation, pc: number, values: readonly Value[]): number {
  const { words, registers } = a;
  const base = words[pc + 2];
  if (values[0] === undefined) return words[pc + 4];
  registers[base + 2] = values[0];
  for (let i = 0; i < words[pc + 3]; i++) registers[base + 5 + i] = values[i];
  a.before = BACK;
  return pc + 5;
}

function closure(a: Activation, pc: number): number {
  const inner = a.proto.chunk.protos[a.words[pc + 3]];
  a.set(a.words[pc + 2], inner.close(...sharedBy(inner.code, a.registers, a.shared)));
  return pc + 4;
}

function returns(a: Activation, pc: number): number {
  const { words } = a;
  const [count, more] = [words[pc + 2], words[pc + 3]];
  if (more === NO_MORE) a.result = count === 0 ? NONE : count === 1 ? a.get(words[pc + 4]) : a.list(pc + 2);
  else a.result = count === 0 ? a.listed(more) : a.list(pc + 2);
  return -1;
}

function fill(a: Activation, pc: number): number {
  const { words, runtime } = a;
  const values = a.list(pc + 4);
  (a.get(words[pc + 2]) as LuaTable).fill(values, words[pc + 3]);
  if (words[pc + 5] !== NO_MORE || values.length > 8) runtime.charge(values.length >>> 2);
  return pc + 6 + words[pc + 4];
}

const OPERATIONS: Record<OpName, Run> = {
  ENTER(a, pc) {
    const { runtime, d } = a;
    runtime.charge(1 + (a.varargs.length >>> 3));
    if (runtime.budget < 0 || d > runtime.maxDepth) runtime.enter(d);
    return pc + 2;
  },
  NOP: skip(4),
  LOCAL: move,
  LOCALBOX(a, pc) {
    a.registers[a.words[pc + 2]] = new Box(a.get(a.words[pc + 3]));
    return pc + 4;
  },
  COUNTER: move,
  MOVE: move,
  KEEP: move,
  ARGTABLE(a, pc) {
    a.set(a.words[pc + 2], a.runtime.argTable(a.varargs));
    return pc + 4;
  },
  GLOBAL(a, pc) {
    const { globals } = a.proto.chunk;
    const name = a.get(a.words[pc + 3]) as string;
    a.set(a.words[pc + 2], globals.getStr(name) ?? first(a.runtime.index(a.w, globals, name)));
    return pc + 4;
  },
  INDEX: index,
  METHOD: index,
  SETINDEX: setIndex,
  ADD: arithmetic('+'),
  SUB: arithmetic('-'),
  MUL: arithmetic('*'),
  DIV: arithmetic('/'),
  MOD: arithmetic('%'),
  POW: arithmetic('^'),
  CONCAT: concat,
  EQ: compare(equal),
  NE: compare((a, left, right) => !equal(a, left, right)),
  LT: compare((a, left, right) => truth(a.runtime.less(a.w, left, right))),
  LE: compare((a, left, right) => truth(a.runtime.lessEqual(a.w, left, right))),
  UNM(a, pc) {
    a.set(a.words[pc + 2], first(a.runtime.negate(a.w, a.get(a.words[pc + 3]))));
    return pc + 4;
  },
  NOT(a, pc) {
    a.set(a.words[pc + 2], !isTrue(a.get(a.words[pc + 3])));
    return pc + 4;
  },
  LEN(a, pc) {
    a.set(a.words[pc + 2], a.runtime.length(a.get(a.words[pc + 3])));
    return pc + 4;
  },
  IF: test(false),
  IFNOT: test(true),
  END: skip(3),
  BLOCK: skip(4),
  ENDBLOCK: skip(2),
  LEAVE: jump,
  LOOP: skip(3),
  ENDLOOP: endLoop,
  BREAK: jump,
  BREAKIF: test(true),
  BREAKUNLESS: test(false),
  FORCHECK(a, pc) {
    const { words, registers } = a;
    const at = words[pc + 2];
    registers[at] = first(a.runtime.forNumber(registers[at] as Value, FOR_NAMES[words[pc + 3]]));
    return pc + 4;
  },
  FORTEST: forTest,
  FORSTEP(a, pc) {
    const base = a.words[pc + 2];
    (a.registers as number[])[base] += a.registers[base + 2] as number;
    return pc + 3;
  },
  FORIN: forIn,
  FORSTART: forStart,
  CALL(a, pc) {
    a.call(pc);
    return pc + 6 + a.words[pc + 4];
  },
  CALL1(a, pc) {
    a.set(a.words[pc + 2], first(a.call(pc)));
    return pc + 6 + a.words[pc + 4];
  },
  CALLALL(a, pc) {
    a.registers[a.words[pc + 2]] = a.call(pc);
    return pc + 6 + a.words[pc + 4];
  },
  TAILCALL(a, pc) {
    a.result = a.call(pc);
    return -1;
  },
  CLOSURE: closure,
  VARARG(a, pc) {
    a.set(a.words[pc + 2], a.varargs[0]);
    return pc + 3;
  },
  ELEMENT(a, pc) {
    const { words } = a;
    a.set(words[pc + 2], a.listed(words[pc + 3])[words[pc + 4]]);
    return pc + 5;
  },
  RETURN: returns,
  TABLE(a, pc) {
    const { words } = a;
    a.set(words[pc + 2], new LuaTable(words[pc + 3], words[pc + 4]));
    return pc + 5;
  },
  FILL: fill,
  FIELD(a, pc) {
    const { words } = a;
    (a.get(words[pc + 2]) as LuaTable).setHash(a.get(words[pc + 3]) as string, a.get(words[pc + 4]));
    return pc + 5;
  },
  SETRAW(a, pc) {
    const { words } = a;
    a.runtime.setRaw(a.get(words[pc + 2]) as LuaTable, a.get(words[pc + 3]), a.get(words[pc + 4]));
    return pc + 5;
  },
};

const RUN = OP_NAMES.map((name) => OPERATIONS[name]);

export function interpret(
  proto: Proto,
  registers: unknown[],
  shared: readonly Shared[],
  varargs: readonly Value[],
  d: number,
): Result {
  return new Activation(proto, registers, shared, varargs, d).run(START);
}

/** Goes on with a frame. */
export const resumeFrame: Interpreting = (proto, pc, saved, shared, varargs, result, d) => {
  const activation = new Activation(proto, saved, shared, varargs, d);
  if (pc >= 0) return activation.resume(pc, result);
  activation.told = ~pc;
  return activation.run(~pc);
};
