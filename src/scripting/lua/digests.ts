/** Long keys of tables, known by digests. */
import { hash } from 'node:crypto';
import { work } from './work.ts';

/** V8 tells strings longer than 16,383 only by their length, so that tables of them were lists. */
const LONG_KEY = 8192;
/** A part of what is longer is digested, as much as PARTS of PART bytes are, so that no key takes long. */
export const HUGE_KEY = 65_536;
const PART = 256;
const PARTS = 64;

export function isLong(key: unknown): key is string {
  return typeof key === 'string' && key.length > LONG_KEY;
}

/** A character that no string of Lua has, and 44 of base64. */
export const DIGEST_LENGTH = 45;

export function digest(text: string): string {
  work.counter.charge(text.length >>> 4);
  return `\u0100${hash('sha256', Buffer.from(text, 'latin1'), 'base64')}`;
}

/** The length of a text, and parts of it from the first to the last byte. */
export function sample(text: string): string {
  let parts = `${text.length}:`;
  for (let i = 0; i < PARTS; i++) {
    const at = Math.floor(((text.length - PART) / (PARTS - 1)) * i);
    parts += text.slice(at, at + PART);
  }
  return parts;
}
