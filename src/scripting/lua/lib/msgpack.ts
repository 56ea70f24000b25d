/** The cmsgpack library: MessagePack, as Redis carries it. */
import { MORE, type Runtime } from '../runtime.ts';
import { badArgument, fail, LuaError, LuaTable, type Result, type Value } from '../value.ts';
import { isNone, library, longArg, stringArg } from './args.ts';
import { Output } from './output.ts';

/** Tables nested deeper are packed as nil. */
const MAX_NESTING = 16;
/** What comes of arithmetic that gives no number has a sign. */
const NEGATIVE_NAN = 0xff;
/** What the reference's stack takes. */
const STACK_SLOTS = 8000;
/** About what a table takes, and an item of one. */
const TABLE_BYTES = 200;
const ITEM_BYTES = 16;
/** A table was begun: it is complete later. */
const OPENED = Symbol('opened');

/** What one value and its place in a table cost, and keys that are looked at in one go. */
const ITEM_CHARGE = 4;
const KEYS = 256;

/** A table that is being packed: its kind is known once all of its keys have been seen. */
interface Packing {
  readonly table: LuaTable;
  kind: 'unknown' | 'array' | 'map';
  /** The position of traversal, or the index of the last item. */
  at: number;
  /** The highest index so far, and how many keys there are. */
  most: number;
  count: number;
  /** There is a key that is no index. */
  mixed: boolean;
  /** The place of a pair of which the key has been packed; -1 where there is none. */
  keyed: number;
}

class Packer {
  private readonly rt: Runtime;
  private readonly out: Output;
  private readonly opened: Packing[] = [];
  private readonly scratch = Buffer.alloc(9);

  constructor(rt: Runtime) {
    this.rt = rt;
    this.out = new Output(rt);
  }

  pack(values: readonly Value[]): Result {
    const { rt, opened } = this;
    let next = 0;
    return rt.inPieces(() => {
      while (rt.budget >= 0) {
        if (opened.length > 0) this.step(opened[opened.length - 1]);
        else if (next === values.length) return this.out.result();
        else this.value(values[next++]);
        rt.charge(ITEM_CHARGE);
      }
      return MORE;
    });
  }

  /** A lead byte and a big-endian unsigned number. */
  private head(lead: number, value: number, width: number): void {
    this.scratch[0] = lead;
    if (width > 0) this.scratch.writeUIntBE(value, 1, width);
    this.put(width + 1);
  }

  private put(width: number): void {
    this.out.add(this.scratch.toString('latin1', 0, width));
  }

  private value(value: Value): void {
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'boolean') this.head(value ? 0xc3 : 0xc2, 0, 0);
    else if (typeof value === 'number') this.number(value);
    else if (value instanceof LuaTable && this.opened.length < MAX_NESTING) {
      this.opened.push({ table: value, kind: 'unknown', at: 0, most: 0, count: 0, mixed: false, keyed: -1 });
    } else this.head(0xc0, 0, 0);
  }

  private string(value: string): void {
    const { length } = value;
    if (length < 32) this.head(0xa0 | length, 0, 0);
    else if (length <= 0xff) this.head(0xd9, length, 1);
    else if (length <= 0xffff) this.head(0xda, length, 2);
    else this.head(0xdb, length, 4);
    this.out.add(value);
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
      this.put(5);
      return;
    }
    scratch[0] = 0xcb;
    scratch.writeDoubleBE(value, 1);
    if (value !== value) scratch[1] = NEGATIVE_NAN;
    this.put(9);
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
    this.put(9);
  }

  /** The next thing to do with the innermost table. */
  private step(packing: Packing): void {
    if (packing.kind === 'array') this.item(packing);
    else if (packing.kind === 'map') this.pair(packing);
    else this.look(packing);
  }

  /** Looks at keys: a table is an array where they are 1..n without gaps. */
  private look(packing: Packing): void {
    const { table } = packing;
    for (let left = KEYS; left > 0; left--) {
      const at = table.seek(packing.at);
      if (at < 0) {
        this.begin(packing);
        return;
      }
      const key = table.keyAt(at);
      if (typeof key !== 'number' || key <= 0 || !Number.isInteger(key)) packing.mixed = true;
      else if (key > packing.most) packing.most = key;
      packing.count++;
      packing.at = at + 1;
    }
    this.rt.charge(KEYS);
  }

  private begin(packing: Packing): void {
    const { count, mixed, most } = packing;
    const array = !mixed && most === count;
    packing.kind = array ? 'array' : 'map';
    packing.at = 0;
    if (count <= 15) this.head((array ? 0x90 : 0x80) | count, 0, 0);
    else this.head((array ? 0xdc : 0xde) + (count <= 0xffff ? 0 : 1), count, count <= 0xffff ? 2 : 4);
  }

  private item(packing: Packing): void {
    if (packing.at === packing.count) this.opened.pop();
    else this.value(packing.table.get(++packing.at));
  }

  /** A key, and the next time its value. */
  private pair(packing: Packing): void {
    const { table, keyed } = packing;
    if (keyed >= 0) {
      packing.keyed = -1;
      this.value(table.valueAt(keyed));
      return;
    }
    const at = table.seek(packing.at);
    if (at < 0) {
      this.opened.pop();
      return;
    }
    packing.keyed = at;
    packing.at = at + 1;
    this.value(table.keyAt(at));
  }
}

/** A table that is being unpacked. */
interface Unpacking {
  readonly table: LuaTable;
  readonly array: boolean;
  left: number;
  /** Of the next item. */
  index: number;
  key: Value;
  keyed: boolean;
}

class Unpacker {
  private readonly rt: Runtime;
  private readonly text: string;
  private at: number;
  /** In use on the reference's stack: the string, the values so far, and the tables around this place. */
  private slots = 1;
  private readonly opened: Unpacking[] = [];
  readonly values: Value[] = [];
  private readonly scratch = Buffer.alloc(8);

  constructor(rt: Runtime, text: string, at: number) {
    this.rt = rt;
    this.text = text;
    this.at = at;
  }

  /** Unpacks until there are `most` values, or there is nothing left; whether it is done. */
  run(most: number): boolean {
    const { opened, rt, text, values } = this;
    while (rt.budget >= 0) {
      if (opened.length === 0 && (this.at >= text.length || values.length >= most)) return true;
      const value = this.value();
      if (value !== OPENED) this.complete(value as Value);
      rt.charge(ITEM_CHARGE);
    }
    return false;
  }

  /** The offset of `count` bytes that must be there. */
  private take(count: number): number {
    const { at } = this;
    if (this.text.length - at < count) throw fail('Missing bytes in input.');
    this.at += count;
    return at;
  }

  /** The next bytes, for a number. */
  private bytes(width: number): Buffer {
    const at = this.take(width);
    for (let i = 0; i < width; i++) this.scratch[i] = this.text.charCodeAt(at + i);
    return this.scratch;
  }

  private unsigned(width: number): number {
    return this.bytes(width).readUIntBE(0, width);
  }

  /** Asks for one more slot on the reference's stack. */
  private room(message: string): void {
    if (this.slots >= STACK_SLOTS) throw fail(`stack overflow (${message})`);
  }

  offset(): number {
    this.room('in function mp_unpack_full');
    return this.at < this.text.length ? this.at : -1;
  }

  /** A value that has been read goes where it belongs. */
  private complete(read: Value): void {
    const { opened } = this;
    for (let value = read; ; ) {
      const top = opened[opened.length - 1];
      if (top === undefined) {
        this.values.push(value);
        this.slots++;
        return;
      }
      this.rt.reserve(ITEM_BYTES);
      if (!top.array && !top.keyed) {
        top.key = value;
        top.keyed = true;
        this.slots++;
        return;
      }
      if (top.array) top.table.set(top.index++, value);
      else this.field(top, value);
      if (--top.left > 0) return;
      opened.pop();
      this.slots -= top.array ? 2 : 1;
      value = top.table;
    }
  }

  private field(top: Unpacking, value: Value): void {
    const { key } = top;
    this.slots--;
    top.keyed = false;
    if (key === undefined || key !== key) throw new LuaError(`table index is ${key === undefined ? 'nil' : 'NaN'}`);
    top.table.set(key, value);
  }

  /** The next value, or a table that was opened. */
  private value(): Value | typeof OPENED {
    this.room('too many return values at once; use unpack_one or unpack_limit instead.');
    const lead = this.text.charCodeAt(this.take(1));
    if (lead <= 0x7f) return lead;
    if (lead <= 0x8f) return this.map(lead & 0xf);
    if (lead <= 0x9f) return this.array(lead & 0xf);
    if (lead <= 0xbf) return this.string(lead & 0x1f);
    if (lead >= 0xe0) return lead - 256;
    return this.extended(lead);
  }

  private extended(lead: number): Value | typeof OPENED {
    switch (lead) {
      case 0xc0:
        return undefined;
      case 0xc2:
      case 0xc3:
        return lead === 0xc3;
      case 0xca:
        return this.bytes(4).readFloatBE();
      case 0xcb:
        return this.bytes(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(1 << (lead - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const width = 1 << (lead - 0xd0);
        return this.bytes(width).readIntBE(0, width);
      }
      case 0xcf:
      case 0xd3:
        // An integer of Lua's has a sign.
        return Number(this.bytes(8).readBigInt64BE());
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
    return this.text.slice(at, at + length);
  }

  private array(length: number): Value | typeof OPENED {
    this.slots++;
    this.room('in function mp_decode_to_lua_array');
    this.slots++;
    return this.open(true, length);
  }

  private map(count: number): Value | typeof OPENED {
    this.slots++;
    return this.open(false, count);
  }

  private open(array: boolean, left: number): Value | typeof OPENED {
    this.rt.reserve(TABLE_BYTES);
    const table = new LuaTable();
    if (left > 0) {
      this.opened.push({ table, array, left, index: 1, key: undefined, keyed: false });
      return OPENED;
    }
    this.slots -= array ? 2 : 1;
    return table;
  }
}

/** Up to `limit` values from `offset`, behind the offset to go on from; where both are 0, all values and nothing else. */
function unpack(rt: Runtime, text: string, limit: number, offset: number): Result {
  if (offset < 0 || limit < 0) {
    throw fail(`Invalid request to unpack with offset of ${offset} and limit of ${text.length}.`);
  }
  if (offset > text.length) throw fail(`Start offset ${offset} greater than input length ${text.length}.`);
  const all = limit === 0 && offset === 0;
  const most = all ? Number.POSITIVE_INFINITY : limit;
  const source = new Unpacker(rt, text, offset);
  return rt.inPieces(() => {
    if (!source.run(most)) return MORE;
    if (!all) source.values.unshift(source.offset());
    return source.values;
  });
}

export function openMsgpack(rt: Runtime, globals: LuaTable): void {
  const table = library(rt, {
    pack(args) {
      if (args.length === 0) throw badArgument(0, 'MessagePack pack needs input.');
      return new Packer(rt).pack(args);
    },
    unpack: (args) => unpack(rt, stringArg(args, 0), 0, 0),
    // The reference looks at the numbers first.
    unpack_one(args) {
      const offset = isNone(args, 1) ? 0 : longArg(args, 1);
      return unpack(rt, stringArg(args, 0), 1, offset);
    },
    unpack_limit(args) {
      const limit = longArg(args, 1);
      const offset = isNone(args, 2) ? 0 : longArg(args, 2);
      return unpack(rt, stringArg(args, 0), limit, offset);
    },
  });
  table.set('_NAME', 'cmsgpack');
  table.set('_VERSION', 'lua-cmsgpack 0.4.0');
  table.set('_COPYRIGHT', 'Copyright (C) 2012, Salvatore Sanfilippo');
  table.set('_DESCRIPTION', 'MessagePack C implementation for Lua');
  globals.set('cmsgpack', table);
}
