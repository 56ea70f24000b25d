/** The cjson library as Redis carries it. */
import { formatG } from '../number.ts';
import type { Runtime } from '../runtime.ts';
import { badArgument, fail, LuaTable, LuaUserdata, typeName, type Value } from '../value.ts';
import { intArg, library, stringArg } from './args.ts';
import { JsonReader } from './json-decode.ts';

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

function quote(text: string): string {
  return `"${text.replace(ESCAPED, (c) => SHORT[c] ?? '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))}"`;
}

class Writer {
  private readonly config: Config;
  private readonly nothing: LuaUserdata;
  private readonly parts: string[] = [];

  constructor(config: Config, nothing: LuaUserdata) {
    this.config = config;
    this.nothing = nothing;
  }

  text(value: Value): string {
    this.value(value, 0);
    return this.parts.join('');
  }

  private refuse(value: Value, why: string) {
    return fail(`Cannot serialise ${typeName(value)}: ${why}`);
  }

  private value(value: Value, depth: number): void {
    if (typeof value === 'string') this.parts.push(quote(value));
    else if (typeof value === 'number') this.parts.push(this.number(value));
    else if (typeof value === 'boolean') this.parts.push(String(value));
    else if (value instanceof LuaTable) this.table(value, depth + 1);
    else if (value === undefined || value === this.nothing) this.parts.push('null');
    else throw this.refuse(value, 'type not supported');
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

  private table(table: LuaTable, depth: number): void {
    if (depth > this.config.encodeDepth) throw fail(`Cannot serialise, excessive nesting (${depth})`);
    const length = this.arrayLength(table);
    if (length > 0) this.array(table, length, depth);
    else this.object(table, depth);
  }

  /** The highest index where all keys are positive whole numbers; else nothing above 0. What is no int is the least of them. */
  private arrayLength(table: LuaTable): number {
    const { sparseConvert, sparseRatio, sparseSafe } = this.config;
    let most = 0;
    let count = 0;
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
      const key = table.keyAt(at);
      if (typeof key !== 'number' || key < 1 || Math.floor(key) !== key) return -1;
      if (key > most) most = key <= MAX_INT ? key : -MAX_INT - 1;
      count++;
    }
    if (sparseRatio > 0 && most > count * sparseRatio && most > sparseSafe) {
      if (!sparseConvert) throw this.refuse(table, 'excessively sparse array');
      return -1;
    }
    return most;
  }

  private array(table: LuaTable, length: number, depth: number): void {
    this.parts.push('[');
    for (let i = 1; i <= length; i++) {
      if (i > 1) this.parts.push(',');
      this.value(table.get(i), depth);
    }
    this.parts.push(']');
  }

  private object(table: LuaTable, depth: number): void {
    this.parts.push('{');
    let comma = false;
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
      const key = table.keyAt(at);
      if (comma) this.parts.push(',');
      comma = true;
      if (typeof key === 'number') this.parts.push(`"${this.number(key)}":`);
      else if (typeof key === 'string') this.parts.push(quote(key), ':');
      else throw this.refuse(key, 'table key must be a number or string');
      this.value(table.valueAt(at), depth);
    }
    this.parts.push('}');
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
      const text = new Writer(config, nothing).text(args[0]);
      rt.charge(text.length >>> 2);
      return text;
    },
    decode(args) {
      if (args.length !== 1) throw badArgument(1, 'expected 1 argument');
      const text = stringArg(args, 0);
      rt.charge(text.length >>> 2);
      return new JsonReader(rt, text, config, nothing).whole();
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
