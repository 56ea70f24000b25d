/**
 * The packed forms of Redis before 7.0, which only old snapshots hold. They are never kept: their elements go into the
 * structures of today. So every byte is tested before an element comes out.
 *
 *   ziplist   [bytes u32][tail u32][count u16][entry]...[ff]
 *   entry     [length of the entry before: u8, or fe u32][what it is][bytes or integer]
 *             00xxxxxx, 01xxxxxx xxxxxxxx, 10xxxxxx u32 (big-endian): a string of that length
 *             c0 int16, d0 int32, e0 int64, f0 int24, fe int8 (little-endian), f1 to fd: 0 to 12
 *
 *   zipmap    [count u8][[length][key][length][free u8][value][free bytes]]...[ff]    length: u8 below fe, or fe u32
 */
import { integerText, writeInteger } from '../../base/numbers.ts';
import { bytesOf, Slice } from '../../base/slice.ts';
import { BAD_ZIPMAP, damaged, type Fault } from './faults.ts';
import { corrupt, RdbError } from './format.ts';
import type { TakeElement } from './packing.ts';

const HEADER = 10;
const END = 0xff;
const LONG = 0xfe;
const UNCOUNTED = 65535;
const INTEGER_TEXT = 24;

const ignore: TakeElement = () => {};

/** Hands over the elements of a ziplist, in order; throws, before the first, where its bytes are no ziplist. */
export function eachOfZiplist(ziplist: Slice, fault: Fault, take: TakeElement): void {
  testing(fault, () => walkZiplist(ziplist.view(), ignore));
  walkZiplist(ziplist.view(), take);
}

/** Hands over fields and values of a zipmap in turn; throws, before the first, where its bytes are no zipmap. */
export function eachOfZipmap(zipmap: Slice, take: TakeElement): void {
  testing(BAD_ZIPMAP, () => walkZipmap(zipmap.view(), ignore));
  walkZipmap(zipmap.view(), take);
}

function testing(fault: Fault, test: () => void): void {
  try {
    test();
  } catch (error) {
    if (error instanceof RdbError) damaged(fault);
    throw error;
  }
}

function walkZiplist(bytes: Uint8Array, take: TakeElement): void {
  const { length } = bytes;
  const walk = new Walk(bytes, HEADER);
  const { words } = walk;
  if (length < HEADER + 1 || words.getUint32(0, true) !== length || bytes[length - 1] !== END) corrupt('no ziplist');
  const element = new Slice();
  let found = 0;
  let before = 0;
  let last = HEADER;
  for (; walk.at < length - 1; found++) {
    last = walk.at;
    if (walk.before() !== before) corrupt('no ziplist');
    take(walk.element(element));
    before = walk.at - last;
  }
  const count = words.getUint16(8, true);
  const tail = words.getUint32(4, true);
  if (found > 0 ? tail !== last : tail > length - 1) corrupt('no ziplist');
  if (walk.at !== length - 1 || (count !== UNCOUNTED && count !== found)) corrupt('no ziplist');
}

function walkZipmap(bytes: Uint8Array, take: TakeElement): void {
  if (bytes.length < 2 || bytes[bytes.length - 1] !== END) corrupt('no zipmap');
  const walk = new Walk(bytes, 1);
  const element = new Slice();
  let pairs = 0;
  for (; walk.at < bytes.length - 1; pairs++) {
    if (bytes[walk.at] === END) corrupt('an end before the end');
    take(walk.run(walk.zipmapLength(), element));
    const length = walk.zipmapLength();
    const free = walk.u8();
    take(walk.run(length, element));
    walk.run(free, element);
  }
  if (pairs === 0 || (bytes[0] !== LONG && bytes[0] !== pairs)) corrupt('a wrong count');
}

/** Steps through bytes of which the last is the end mark. */
class Walk {
  at: number;
  readonly words: DataView;
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly text = new Uint8Array(INTEGER_TEXT);

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.end = bytes.length - 1;
  }

  /** The place of the next `length` bytes. */
  private step(length: number): number {
    const { at } = this;
    if (length > this.end - at) corrupt('an element of a ziplist or zipmap is longer than what holds it.');
    this.at = at + length;
    return at;
  }

  u8(): number {
    return this.bytes[this.step(1)];
  }

  run(length: number, into: Slice): Slice {
    return into.set(this.bytes, this.step(length), length);
  }

  before(): number {
    const short = this.u8();
    if (short === END) corrupt('an end before the end');
    return short === LONG ? this.words.getUint32(this.step(4), true) : short;
  }

  zipmapLength(): number {
    const short = this.u8();
    return short >= LONG ? this.words.getUint32(this.step(4), true) : short;
  }

  element(into: Slice): Slice {
    const what = this.u8();
    if (what < 0x40) return this.run(what, into);
    if (what < 0x80) return this.run(((what & 63) << 8) | this.u8(), into);
    if (what < 0xc0) return this.run(this.words.getUint32(this.step(4)), into);
    if (what !== 0xe0) return into.set(this.text, 0, writeInteger(this.text, 0, this.integer(what)));
    const text = bytesOf(integerText(this.words.getBigInt64(this.step(8), true)));
    return into.set(text, 0, text.length);
  }

  private integer(what: number): number {
    const { words } = this;
    if (what === 0xc0) return words.getInt16(this.step(2), true);
    if (what === 0xd0) return words.getInt32(this.step(4), true);
    if (what === 0xf0) {
      const at = this.step(3);
      return words.getUint16(at, true) + words.getInt8(at + 2) * 65536;
    }
    if (what === 0xfe) return words.getInt8(this.step(1));
    if (what >= 0xf1 && what <= 0xfd) return what - 0xf1;
    return corrupt('no ziplist');
  }
}
