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
import { integerText } from '../../base/numbers.ts';
import { bytesOf, Slice } from '../../base/slice.ts';
import { BAD_ZIPMAP, damaged, type Fault } from './faults.ts';
import { corrupt, RdbError } from './format.ts';

const HEADER = 10;
const END = 0xff;
const LONG = 0xfe;
const UNCOUNTED = 65535;

/** The elements of a ziplist, in order; throws where its bytes are no ziplist. */
export function ziplistElements(ziplist: Slice, fault: Fault): Slice[] {
  try {
    return elementsOf(ziplist);
  } catch (error) {
    if (error instanceof RdbError) damaged(fault);
    throw error;
  }
}

function elementsOf(ziplist: Slice): Slice[] {
  const bytes = ziplist.view();
  const { length } = bytes;
  const words = new DataView(bytes.buffer, bytes.byteOffset, length);
  if (length < HEADER + 1 || words.getUint32(0, true) !== length || bytes[length - 1] !== END) corrupt('no ziplist');
  const elements: Slice[] = [];
  let at = HEADER;
  let before = 0;
  let last = HEADER;
  while (at < length - 1) {
    const walk = new Walk(bytes, words, at);
    if (walk.before() !== before) corrupt('no ziplist');
    elements.push(walk.element());
    last = at;
    before = walk.at - at;
    at = walk.at;
  }
  const count = words.getUint16(8, true);
  const tail = words.getUint32(4, true);
  if (elements.length > 0 ? tail !== last : tail > length - 1) corrupt('no ziplist');
  if (at !== length - 1 || (count !== UNCOUNTED && count !== elements.length)) corrupt('no ziplist');
  return elements;
}

/** Fields and values of a zipmap in turn; throws where its bytes are no zipmap. */
export function zipmapElements(zipmap: Slice): Slice[] {
  try {
    return pairsOf(zipmap);
  } catch (error) {
    if (error instanceof RdbError) damaged(BAD_ZIPMAP);
    throw error;
  }
}

function pairsOf(zipmap: Slice): Slice[] {
  const bytes = zipmap.view();
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 2 || bytes[bytes.length - 1] !== END) corrupt('no zipmap');
  const elements: Slice[] = [];
  const walk = new Walk(bytes, words, 1);
  while (walk.at < bytes.length - 1) {
    if (bytes[walk.at] === END) corrupt('an end before the end');
    elements.push(walk.run(walk.zipmapLength()));
    const length = walk.zipmapLength();
    const free = walk.u8();
    elements.push(walk.run(length));
    walk.run(free);
  }
  if (elements.length === 0 || (bytes[0] !== LONG && bytes[0] !== elements.length / 2)) corrupt('a wrong count');
  return elements;
}

/** Steps through bytes of which the last is the end mark. */
class Walk {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly words: DataView;
  private readonly end: number;

  constructor(bytes: Uint8Array, words: DataView, at: number) {
    this.bytes = bytes;
    this.words = words;
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

  run(length: number): Slice {
    return new Slice(this.bytes, this.step(length), length);
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

  element(): Slice {
    const what = this.u8();
    if (what < 0x40) return this.run(what);
    if (what < 0x80) return this.run(((what & 63) << 8) | this.u8());
    if (what < 0xc0) return this.run(this.words.getUint32(this.step(4)));
    return new Slice(bytesOf(integerText(this.integer(what))));
  }

  private integer(what: number): number | bigint {
    const { words } = this;
    if (what === 0xc0) return words.getInt16(this.step(2), true);
    if (what === 0xd0) return words.getInt32(this.step(4), true);
    if (what === 0xe0) return words.getBigInt64(this.step(8), true);
    if (what === 0xf0) {
      const at = this.step(3);
      return words.getUint16(at, true) + words.getInt8(at + 2) * 65536;
    }
    if (what === 0xfe) return words.getInt8(this.step(1));
    if (what >= 0xf1 && what <= 0xfd) return what - 0xf1;
    return corrupt('no ziplist');
  }
}
