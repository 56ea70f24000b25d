/** The cjson library as Redis carries it. */
import { formatG } from '../number.ts';
import { MORE, type Runtime } from '../runtime.ts';
import { badArgument, fail, LuaTable, LuaUserdata, type Result, typeName, type Value } from '../value.ts';
import { intArg, library, stringArg } from './args.ts';
import { ARRAY_SLOTS, JsonReader, OBJECT_SLOTS, STACK_SLOTS } from './json-decode.ts';
import { Escaper, Output, RUN } from './output.ts';

const MAX_INT = 0x7fffffff;

class Config {
  sparseConvert = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeDepth = 1000;
  decodeDepth = 1000;
  encodeInvalid: 'off' | 'on' | 'null' = 'off';
  decodeInvalid = true;
  keepBuffer = true;
  precision = 14;
}

const ESCAPED = /[\x00-\x1f"\\/\x7f]/g;
const SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

function escapeOf(code: number): string {
  return SHORT[String.fromCharCode(code)] ?? '\\u' + code.toString(16).padStart(4, '0');
}

const escaper = new Escaper(ESCAPED, 6, escapeOf);

/** What one value and its place in a table cost. */
const ITEM_CHARGE = 4;
/** What the reference asks of its stack for a table. */
const STEP_SLOTS = 3;
/** Keys that are looked at in one go. */
const KEYS = 256;
/** A table that is being written: its kind is known once all of its keys have been seen. */
interface Opened {
  readonly table: LuaTable;
  kind: 'unknown' | 'array' | 'object';
  /** The position of traversal, or the index of the last item. */
  at: number;
  /** The highest index so far, and how many keys there are. */
  most: number;
  count: number;
  /** The place of a field of which the key has been written; -1 where there is none. */
  keyed: number;
}

class Writer {
  private readonly rt: Runtime;
  private readonly config: Config;
  private readonly nothing: LuaUserdata;
  private readonly out: Output;
  private readonly opened: Opened[] = [];
  /** A long string that is being written, and how far. */
  private quoting: string | null = null;
  private quoted = 0;
  /** In use on the reference's stack: the value, and those of the tables around this place. */
  private slots = 1;

  constructor(rt: Runtime, config: Config, nothing: LuaUserdata) {
    this.rt = rt;
    this.config = config;
    this.nothing = nothing;
    this.out = new Output(rt);
  }

  text(value: Value): Result {
    const { rt, opened } = this;
    this.value(value);
    return rt.inPieces(() => {
      while (rt.budget >= 0) {
        if (this.quoting !== null) this.quote(this.quoting);
        else if (opened.length === 0) return this.out.result();
        else this.step(opened[opened.length - 1]);
        rt.charge(ITEM_CHARGE);
      }
      return MORE;
    });
  }

  private refuse(value: Value, why: string) {
    return fail(`Cannot serialise ${typeName(value)}: ${why}`);
  }

  private value(value: Value): void {
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'number') this.out.add(this.number(value));
    else if (typeof value === 'boolean') this.out.add(String(value));
    else if (value instanceof LuaTable) this.open(value);
    else if (value === undefined || value === this.nothing) this.out.add('null');
    else throw this.refuse(value, 'type not supported');
  }

  private string(value: string): void {
    if (value.length <= RUN) {
      this.out.add(`"${escaper.escaped(value)}"`);
      this.rt.charge(value.length >>> 4);
      return;
    }
    this.out.add('"');
    this.quoting = value;
    this.quoted = 0;
  }

  private quote(text: string): void {
    const run = text.slice(this.quoted, this.quoted + RUN);
    this.quoted += RUN;
    this.out.add(escaper.escaped(run));
    this.rt.charge(run.length >>> 2);
    if (this.quoted < text.length) return;
    this.out.add('"');
    this.quoting = null;
  }

  private number(value: number): string {
    const { encodeInvalid, precision } = this.config;
    if (Number.isFinite(value)) {
      return Number.isInteger(value) && Math.abs(value) < 1e9 && precision >= 10 && value !== 0
        ? String(value)
        : formatG(value, precision);
    }
    if (encodeInvalid === 'off') throw this.refuse(value, 'must not be NaN or Inf');
    if (encodeInvalid === 'null') return 'null';
    return value !== value ? 'nan' : value > 0 ? 'inf' : '-inf';
  }

  private open(table: LuaTable): void {
    const depth = this.opened.length + 1;
    if (depth > this.config.encodeDepth || this.slots + STEP_SLOTS > STACK_SLOTS)
      throw fail(`Cannot serialise, excessive nesting (${depth})`);
    this.opened.push({ table, kind: 'unknown', at: 0, most: 0, count: 0, keyed: -1 });
  }

  /** The next thing to do with the innermost table. */
  private step(opened: Opened): void {
    if (opened.kind === 'array') this.item(opened);
    else if (opened.kind === 'object') this.field(opened);
    else this.look(opened);
  }

  /** Looks at keys: a table is an array where all are positive whole numbers. What is no int is the least of them. */
  private look(opened: Opened): void {
    const { table } = opened;
    for (let left = KEYS; left > 0; left--) {
      const at = table.seek(opened.at);
      if (at < 0) {
        this.begin(opened, this.isArray(opened));
        return;
      }
      const key = table.keyAt(at);
      if (typeof key !== 'number' || key < 1 || Math.floor(key) !== key) {
        this.begin(opened, false);
        return;
      }
      if (key > opened.most) opened.most = key <= MAX_INT ? key : -MAX_INT - 1;
      opened.count++;
      opened.at = at + 1;
    }
    this.rt.charge(KEYS);
  }

  private isArray({ table, most, count }: Opened): boolean {
    const { sparseConvert, sparseRatio, sparseSafe } = this.config;
    if (sparseRatio > 0 && most > count * sparseRatio && most > sparseSafe) {
      if (!sparseConvert) throw this.refuse(table, 'excessively sparse array');
      return false;
    }
    return most > 0;
  }

  private begin(opened: Opened, array: boolean): void {
    opened.kind = array ? 'array' : 'object';
    this.slots += array ? ARRAY_SLOTS : OBJECT_SLOTS;
    opened.at = 0;
    this.out.add(array ? '[' : '{');
  }

  private item(opened: Opened): void {
    const i = ++opened.at;
    if (i > opened.most) {
      this.opened.pop();
      this.slots -= ARRAY_SLOTS;
      this.out.add(']');
      return;
    }
    if (i > 1) this.out.add(',');
    this.value(opened.table.get(i));
  }

  /** A key, and the next time its value. */
  private field(opened: Opened): void {
    const { table } = opened;
    if (opened.keyed >= 0) {
      const value = table.valueAt(opened.keyed);
      opened.keyed = -1;
      this.out.add(':');
      this.value(value);
      return;
    }
    const at = table.seek(opened.at);
    if (at < 0) {
      this.opened.pop();
      this.slots -= OBJECT_SLOTS;
      this.out.add('}');
      return;
    }
    if (opened.at > 0) this.out.add(',');
    opened.keyed = at;
    opened.at = at + 1;
    const key = table.keyAt(at);
    if (typeof key === 'number') this.out.add(`"${this.number(key)}"`);
    else if (typeof key === 'string') this.string(key);
    else throw this.refuse(key, 'table key must be a number or string');
  }
}

function integerOption(args: readonly Value[], i: number, old: number, least: number, most: number): number {
  if (i >= args.length || args[i] === undefined) return old;
  const value = intArg(args, i);
  if (value < least || value > most) throw badArgument(1, `expected integer between ${least} and ${most}`);
  return value;
}

function flagOption(args: readonly Value[], i: number, old: boolean): boolean {
  const value = args[i];
  if (value === undefined) return old;
  if (typeof value === 'boolean') return value;
  const word = stringArg(args, i);
  if (word === 'on') return true;
  if (word === 'off') return false;
  throw badArgument(i + 1, `invalid option '${word}'`);
}

function atMost(args: readonly Value[], count: number): void {
  if (args.length > count) throw badArgument(count + 1, 'found too many arguments');
}

function invalidOption(config: Config, args: readonly Value[]): Value {
  if (typeof args[0] === 'boolean') config.encodeInvalid = args[0] ? 'on' : 'off';
  else if (args[0] !== undefined) {
    const word = stringArg(args, 0);
    if (word !== 'off' && word !== 'on' && word !== 'null') throw badArgument(1, `invalid option '${word}'`);
    config.encodeInvalid = word;
  }
  return config.encodeInvalid === 'null' ? 'null' : config.encodeInvalid === 'on';
}

function module(rt: Runtime, nothing: LuaUserdata): LuaTable {
  const config = new Config();
  const table = library(rt, {
    encode(args) {
      if (args.length !== 1) throw badArgument(1, 'expected 1 argument');
      return new Writer(rt, config, nothing).text(args[0]);
    },
    decode(args) {
      if (args.length !== 1) throw badArgument(1, 'expected 1 argument');
      return new JsonReader(rt, stringArg(args, 0), config, nothing).whole();
    },
    encode_sparse_array(args) {
      atMost(args, 3);
      config.sparseConvert = flagOption(args, 0, config.sparseConvert);
      config.sparseRatio = integerOption(args, 1, config.sparseRatio, 0, MAX_INT);
      config.sparseSafe = integerOption(args, 2, config.sparseSafe, 0, MAX_INT);
      return [config.sparseConvert, config.sparseRatio, config.sparseSafe];
    },
    encode_max_depth(args) {
      atMost(args, 1);
      return (config.encodeDepth = integerOption(args, 0, config.encodeDepth, 1, MAX_INT));
    },
    decode_max_depth(args) {
      atMost(args, 1);
      return (config.decodeDepth = integerOption(args, 0, config.decodeDepth, 1, MAX_INT));
    },
    encode_number_precision(args) {
      atMost(args, 1);
      return (config.precision = integerOption(args, 0, config.precision, 1, 14));
    },
    encode_keep_buffer(args) {
      atMost(args, 1);
      return (config.keepBuffer = flagOption(args, 0, config.keepBuffer));
    },
    encode_invalid_numbers(args) {
      atMost(args, 1);
      return invalidOption(config, args);
    },
    decode_invalid_numbers(args) {
      atMost(args, 1);
      return (config.decodeInvalid = flagOption(args, 0, config.decodeInvalid));
    },
    new: () => module(rt, nothing),
  });
  table.set('null', nothing);
  table.set('_NAME', 'cjson');
  table.set('_VERSION', '2.1.0');
  return table;
}

export function openJson(rt: Runtime, globals: LuaTable): void {
  globals.set('cjson', module(rt, new LuaUserdata('null')));
}
