/** The cmsgpack library: MessagePack, as Redis carries it. */
import type { Runtime } from '../runtime.ts';
import { badArgument, fail, LuaError, LuaTable, type Value } from '../value.ts';
import { isNone, library, longArg, stringArg } from './args.ts';

/** Tables nested deeper are packed as nil. */
const MAX_NESTING = 16;
/** What comes of arithmetic that gives no number has a sign. */
const NEGATIVE_NAN = 0xff;
/** What the reference's stack takes. */
const STACK_SLOTS = 8000;
/** About what a table takes. */
const TABLE_BYTES = 200;

class Packer {
  private readonly parts: string[] = [];
  private readonly scratch = Buffer.alloc(9);

  get text(): string {
    return this.parts.join('');
  }

  /** A lead byte and a big-endian unsigned number. */
  private head(lead: number, value: number, width: number): void {
    this.scratch[0] = lead;
    if (width > 0) this.scratch.writeUIntBE(value, 1, width);
    this.parts.push(this.scratch.toString('latin1', 0, width + 1));
  }

  value(value: Value, level: number): void {
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'boolean') this.head(value ? 0xc3 : 0xc2, 0, 0);
    else if (typeof value === 'number') this.number(value);
    else if (value instanceof LuaTable && level < MAX_NESTING) this.table(value, level);
    else this.head(0xc0, 0, 0);
  }

  private string(value: string): void {
    const { length } = value;
    if (length < 32) this.head(0xa0 | length, 0, 0);
    else if (length <= 0xff) this.head(0xd9, length, 1);
    else if (length <= 0xffff) this.head(0xda, length, 2);
    else this.head(0xdb, length, 4);
    this.parts.push(value);
  }

  private number(value: number): void {
    const { scratch } = this;
    if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) {
      this.integer(value);
      return;
    }
    if (Math.fround(value) === value) {
      scratch[0] = 0xca;
      scratch.writeFloatBE(value, 1);
      this.parts.push(scratch.toString('latin1', 0, 5));
      return;
    }
    scratch[0] = 0xcb;
    scratch.writeDoubleBE(value, 1);
    if (value !== value) scratch[1] = NEGATIVE_NAN;
    this.parts.push(scratch.toString('latin1', 0, 9));
  }

  private integer(value: number): void {
    if (value >= 0) {
      if (value <= 127) this.head(value, 0, 0);
      else if (value <= 0xff) this.head(0xcc, value, 1);
      else if (value <= 0xffff) this.head(0xcd, value, 2);
      else if (value <= 0xffffffff) this.head(0xce, value, 4);
      else this.long(0xcf, value);
    } else if (value >= -32) this.head(value & 0xff, 0, 0);
    else if (value >= -128) this.head(0xd0, value & 0xff, 1);
    else if (value >= -32768) this.head(0xd1, value & 0xffff, 2);
    else if (value >= -2147483648) this.head(0xd2, value >>> 0, 4);
    else this.long(0xd3, value);
  }

  private long(lead: number, value: number): void {
    this.scratch[0] = lead;
    this.scratch.writeBigInt64BE(BigInt(value), 1);
    this.parts.push(this.scratch.toString('latin1', 0, 9));
  }

  private table(table: LuaTable, level: number): void {
    const length = arrayLength(table);
    if (length >= 0) {
      if (length <= 15) this.head(0x90 | length, 0, 0);
      else this.head(length <= 0xffff ? 0xdc : 0xdd, length, length <= 0xffff ? 2 : 4);
      for (let i = 1; i <= length; i++) this.value(table.get(i), level + 1);
      return;
    }
    let count = 0;
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) count++;
    if (count <= 15) this.head(0x80 | count, 0, 0);
    else this.head(count <= 0xffff ? 0xde : 0xdf, count, count <= 0xffff ? 2 : 4);
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
      this.value(table.keyAt(at), level + 1);
      this.value(table.valueAt(at), level + 1);
    }
  }
}

/** The length of a table whose keys are 1..n without gaps; else -1. */
function arrayLength(table: LuaTable): number {
  let most = 0;
  let count = 0;
  for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
    const key = table.keyAt(at);
    if (typeof key !== 'number' || key <= 0 || !Number.isInteger(key)) return -1;
    if (key > most) most = key;
    count++;
  }
  return most === count ? count : -1;
}

class Unpacker {
  private readonly rt: Runtime;
  private readonly bytes: Buffer;
  at: number;
  /** In use on the reference's stack: the string, the values so far, and the tables around this place. */
  private slots = 1;

  constructor(rt: Runtime, text: string, at: number) {
    this.rt = rt;
    this.bytes = Buffer.from(text, 'latin1');
    this.at = at;
  }

  /** The offset of `count` bytes that must be there. */
  private take(count: number): number {
    const { at } = this;
    if (this.bytes.length - at < count) throw fail('Missing bytes in input.');
    this.at += count;
    return at;
  }

  private unsigned(width: number): number {
    const at = this.take(width);
    return this.bytes.readUIntBE(at, width);
  }

  /** Asks for one more slot on the reference's stack. */
  private room(message: string): void {
    if (this.slots >= STACK_SLOTS) throw fail(`stack overflow (${message})`);
  }

  /** The next of the values that are given one by one. */
  next(): Value {
    const value = this.value();
    this.slots++;
    return value;
  }

  offset(): number {
    this.room('in function mp_unpack_full');
    return this.at < this.bytes.length ? this.at : -1;
  }

  private value(): Value {
    this.room('too many return values at once; use unpack_one or unpack_limit instead.');
    const lead = this.bytes[this.take(1)];
    if (lead <= 0x7f) return lead;
    if (lead <= 0x8f) return this.map(lead & 0xf);
    if (lead <= 0x9f) return this.array(lead & 0xf);
    if (lead <= 0xbf) return this.string(lead & 0x1f);
    if (lead >= 0xe0) return lead - 256;
    return this.extended(lead);
  }

  private extended(lead: number): Value {
    switch (lead) {
      case 0xc0:
        return undefined;
      case 0xc2:
      case 0xc3:
        return lead === 0xc3;
      case 0xca:
        return this.bytes.readFloatBE(this.take(4));
      case 0xcb:
        return this.bytes.readDoubleBE(this.take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(1 << (lead - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const width = 1 << (lead - 0xd0);
        return this.bytes.readIntBE(this.take(width), width);
      }
      case 0xcf:
      case 0xd3:
        // An integer of Lua's has a sign.
        return Number(this.bytes.readBigInt64BE(this.take(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.string(this.unsigned(1 << (lead - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.array(this.unsigned(lead === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return this.map(this.unsigned(lead === 0xde ? 2 : 4));
      default:
        throw fail('Bad data format in input.');
    }
  }

  private string(length: number): string {
    const at = this.take(length);
    return this.bytes.toString('latin1', at, at + length);
  }

  private array(length: number): LuaTable {
    this.rt.reserve(TABLE_BYTES);
    const table = new LuaTable();
    this.slots++;
    this.room('in function mp_decode_to_lua_array');
    this.slots++;
    for (let i = 1; i <= length; i++) table.set(i, this.value());
    this.slots -= 2;
    return table;
  }

  private map(count: number): LuaTable {
    this.rt.reserve(TABLE_BYTES);
    const table = new LuaTable();
    this.slots++;
    for (let i = 0; i < count; i++) {
      const key = this.value();
      this.slots++;
      const value = this.value();
      this.slots--;
      if (key === undefined || key !== key) throw new LuaError(`table index is ${key === undefined ? 'nil' : 'NaN'}`);
      table.set(key, value);
    }
    this.slots--;
    return table;
  }
}

/** Up to `limit` values from `offset`, behind the offset to go on from; where both are 0, all values and nothing else. */
function unpack(rt: Runtime, text: string, limit: number, offset: number): Value[] {
  if (offset < 0 || limit < 0) {
    throw fail(`Invalid request to unpack with offset of ${offset} and limit of ${text.length}.`);
  }
  if (offset > text.length) throw fail(`Start offset ${offset} greater than input length ${text.length}.`);
  const all = limit === 0 && offset === 0;
  const most = all ? Number.POSITIVE_INFINITY : limit;
  rt.charge((text.length - offset) >>> 2);
  const source = new Unpacker(rt, text, offset);
  const values: Value[] = [];
  while (source.at < text.length && values.length < most) values.push(source.next());
  if (!all) values.unshift(source.offset());
  return values;
}

export function openMsgpack(rt: Runtime, globals: LuaTable): void {
  const table = library(rt, {
    pack(args) {
      if (args.length === 0) throw badArgument(0, 'MessagePack pack needs input.');
      const packer = new Packer();
      for (const value of args) packer.value(value, 0);
      const { text } = packer;
      rt.charge(text.length >>> 2);
      return text;
    },
    unpack: (args) => unpack(rt, stringArg(args, 0), 0, 0),
    unpack_one: (args) => unpack(rt, stringArg(args, 0), 1, isNone(args, 1) ? 0 : longArg(args, 1)),
    unpack_limit: (args) => unpack(rt, stringArg(args, 0), longArg(args, 1), isNone(args, 2) ? 0 : longArg(args, 2)),
  });
  table.set('_NAME', 'cmsgpack');
  table.set('_VERSION', 'lua-cmsgpack 0.4.0');
  table.set('_COPYRIGHT', 'Copyright (C) 2012, Salvatore Sanfilippo');
  table.set('_DESCRIPTION', 'MessagePack C implementation for Lua');
  globals.set('cmsgpack', table);
}
