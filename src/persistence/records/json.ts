/** What JSON may hold, and what the lines make of it. */
import type { Slice } from '../../base/slice.ts';
import { RecordError } from './record.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json } | Bytes;

/** What JSON has not: bytes, and large whole numbers, where records are values of a program's. */
type Bytes = Uint8Array | bigint;

/** What stands for a character that is none. */
const REPLACEMENT = Buffer.from('\ufffd');

/** The error for `what`, which should be `expected`. */
export function wrong(what: string, expected: string): RecordError {
  return new RecordError(`${what} should be ${expected}`);
}

/** Whether it is an object of JSON's: not a Map, a Date or an ArrayBuffer, whose contents are not under their names. */
export function isObject(json: unknown): boolean {
  return Object.prototype.toString.call(json) === '[object Object]';
}

export function objectOf(json: Json | undefined, what: string): Readonly<Record<string, Json>> {
  if (!isObject(json)) throw wrong(what, 'an object');
  return json as Readonly<Record<string, Json>>;
}

export function listOf(json: Json | undefined, what: string): readonly Json[] {
  if (!Array.isArray(json)) throw wrong(what, 'a list');
  return json;
}

export function textOf(json: Json | undefined, what: string): string {
  if (typeof json !== 'string') throw wrong(what, 'a string');
  return json;
}

/** A whole number that is not negative. */
export function countOf(json: Json | undefined, what: string): number {
  if (!Number.isSafeInteger(json) || (json as number) < 0) throw wrong(what, 'a whole number');
  return json as number;
}

/** A 64-bit number: in digits where JSON would round it. */
export function int64Of(json: Json | undefined, what: string): bigint {
  if (Number.isSafeInteger(json)) return BigInt(json as number);
  const text = textOf(json, what);
  const digits = text.startsWith('-') ? text.slice(1) : text;
  const sound = digits.length > 0 && digits.length < 20 && [...digits].every((digit) => digit >= '0' && digit <= '9');
  if (!sound) throw wrong(what, 'a whole number');
  return BigInt(text);
}

/** Bytes: those of a string in UTF-8, of a number's decimal text, or of { "base64": ... }. */
export function bytesOfJson(json: Json | undefined, into: Slice, what = 'bytes'): Slice {
  if (json instanceof Uint8Array) return into.set(json, 0, json.length);
  if (typeof json === 'bigint' || Number.isFinite(json)) return bytesOfJson(String(json), into, what);
  if (typeof json === 'string') {
    const bytes = Buffer.from(json, 'utf8');
    // An escape may be half a character, for which there are no bytes.
    if (bytes.includes(REPLACEMENT) && bytes.toString('utf8') !== json) throw wrong(what, 'without half characters');
    return into.set(bytes, 0, bytes.length);
  }
  const { base64, ...rest } = isObject(json) ? objectOf(json, what) : {};
  if (typeof base64 !== 'string' || Object.keys(rest).length > 0)
    throw wrong(what, 'a string, a number or {"base64":"..."}');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw wrong('base64', 'in its usual form');
  return into.set(bytes, 0, bytes.length);
}

/** Pairs of things: a list of lists of two, or what stands under the names of an object. */
export function pairsOf(json: Json | undefined, what: string): readonly Json[] {
  return isObject(json) ? Object.entries(objectOf(json, what)) : listOf(json, what);
}

/** A misspelt name would lose what it says. */
export function onlyNames(json: Readonly<Record<string, Json>>, names: readonly string[]): void {
  const other = Object.keys(json).find((name) => !names.includes(name));
  if (other !== undefined) throw new RecordError(`there is no '${other}' in it: ${names.join(', ')}`);
}
