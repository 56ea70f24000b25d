/** Redis's snapshot format, the simple way: records of every version as bytes, for tests that need what no server writes any more. */
import { Crc64 } from '../../src/base/crc.ts';

export const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
export const size = (n: number): Buffer =>
  n < 64
    ? Buffer.of(n)
    : n < 16384
      ? Buffer.of(0x40 | (n >> 8), n & 255)
      : Buffer.of(0x80, n >>> 24, n >>> 16, n >>> 8, n);
export const str = (text: string | Buffer): Buffer => {
  const bytes = typeof text === 'string' ? latin(text) : text;
  return Buffer.concat([size(bytes.length), bytes]);
};
export const u16 = (n: number): Buffer => Buffer.of(n & 255, (n >> 8) & 255);
export const u32 = (n: number): Buffer => Buffer.of(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);

/** An element of a ziplist: its encoding and content. */
export function element(value: string): Buffer {
  const n = Number(value);
  if (/^-?\d+$/.test(value) && Number.isSafeInteger(n) && String(n) === value) {
    if (n >= 0 && n <= 12) return Buffer.of(0xf1 + n);
    if (n >= -128 && n <= 127) return Buffer.of(0xfe, n & 255);
    if (n >= -32768 && n <= 32767) return Buffer.concat([Buffer.of(0xc0), u16(n)]);
    if (n >= -(2 ** 23) && n < 2 ** 23) return Buffer.of(0xf0, n & 255, (n >> 8) & 255, (n >> 16) & 255);
    if (n === (n | 0)) return Buffer.concat([Buffer.of(0xd0), u32(n)]);
    const wide = Buffer.alloc(9, 0xe0);
    wide.writeBigInt64LE(BigInt(value), 1);
    return wide;
  }
  const bytes = latin(value);
  if (bytes.length < 64) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  if (bytes.length < 16384) return Buffer.concat([Buffer.of(0x40 | (bytes.length >> 8), bytes.length & 255), bytes]);
  const head = Buffer.of(0x80, 0, 0, 0, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export function ziplist(values: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  let before = 0;
  let at = 10;
  let tail = 10;
  for (const value of values) {
    const prev = before < 254 ? Buffer.of(before) : Buffer.concat([Buffer.of(254), u32(before)]);
    const entry = Buffer.concat([prev, element(value)]);
    parts.push(entry);
    tail = at;
    at += entry.length;
    before = entry.length;
  }
  return Buffer.concat([u32(at + 1), u32(tail), u16(values.length), ...parts, Buffer.of(255)]);
}

export function zipmap(pairs: readonly string[], free = 0): Buffer {
  const length = (n: number): Buffer => (n < 254 ? Buffer.of(n) : Buffer.concat([Buffer.of(254), u32(n)]));
  const parts: Buffer[] = [Buffer.of(pairs.length / 2)];
  pairs.forEach((text, i) => {
    parts.push(length(text.length));
    if (i % 2 === 1) parts.push(Buffer.of(free));
    parts.push(latin(text));
    if (i % 2 === 1) parts.push(Buffer.alloc(free, 0x78));
  });
  return Buffer.concat([...parts, Buffer.of(255)]);
}

export function intset(values: readonly bigint[], width: 2 | 4 | 8): Buffer {
  const body = Buffer.alloc(values.length * width);
  values.forEach((value, i) => {
    for (let b = 0; b < width; b++) body[i * width + b] = Number((BigInt.asUintN(64, value) >> BigInt(8 * b)) & 255n);
  });
  return Buffer.concat([u32(width), u32(values.length), body]);
}

export const key = (type: number, name: string, ...value: Buffer[]): Buffer =>
  Buffer.concat([Buffer.of(type), str(name), ...value]);

export function file(version: number, ...records: Buffer[]): Buffer {
  const body = Buffer.concat([
    latin(`REDIS${String(version).padStart(4, '0')}`),
    Buffer.of(254, 0),
    ...records,
    Buffer.of(255),
  ]);
  if (version < 5) return body;
  const sum = Buffer.alloc(8);
  new Crc64().update(body).write(sum, 0);
  return Buffer.concat([body, sum]);
}

export const text = (n: number): string => 'abcdefghij'.repeat(Math.ceil(n / 10)).slice(0, n);
export const double = (n: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(n);
  return bytes;
};
