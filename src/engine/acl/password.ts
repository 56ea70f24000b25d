/** Passwords are kept as the hexadecimal text of their SHA-256 only, and compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Slice } from '../../base/slice.ts';

const HASH_LENGTH = 64;

export function hashPassword(password: Uint8Array): string {
  return createHash('sha256').update(password).digest('hex');
}

/** Whether the text is the hash of something. */
export function isHash(text: string): boolean {
  if (text.length !== HASH_LENGTH) return false;
  for (const c of text) if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  return true;
}

/** Whether one of the hashes is that of `password`; which one, and how much of it agrees, can't be told by the time. */
export function isPasswordOf(password: Slice, hashes: readonly string[]): boolean {
  const given = Buffer.from(hashPassword(password.view()), 'latin1');
  let found = false;
  for (const hash of hashes) if (timingSafeEqual(given, Buffer.from(hash, 'latin1'))) found = true;
  return found;
}
