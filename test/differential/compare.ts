/**
 * When two replies that are not the same bytes are equal all the same: the reviewed allowances.
 * - Lifetimes may be apart by the time between the two servers' reading of the command.
 * - Sets, hashes and the keyspace have no order: same framing, same elements (of a hash: same pairs) in any order.
 * - SCAN's cursors depend on the secret hash seed; full iterations are compared as sets, others not at all.
 * - The idle time of a value that is a shared small integer is Redis's age.
 * - The reference count of a small integer tells whether Redis shares it, which has no meaning here.
 * - SORT without an order, with equal weights under ALPHA BY, or with elements that are equal up to a zero byte (it
 *   compares C strings), may give any order; with LIMIT then also any choice.
 */
import { type Command, type Tree, treeOf } from './wire.ts';

const UNORDERED = new Set(['KEYS', 'SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'HKEYS', 'HVALS']);
const LIFETIME_TOLERANCE: Readonly<Record<string, number>> = {
  TTL: 2,
  EXPIRETIME: 2,
  PTTL: 3000,
  PEXPIRETIME: 3000,
  'OBJECT IDLETIME': 1e9,
  'OBJECT REFCOUNT': 2 ** 31,
};

function key(tree: Tree): string {
  return JSON.stringify(tree);
}

/** The elements in an order that depends on nothing but themselves, `width` at a time. */
function sorted(items: readonly Tree[], width: number): string {
  const groups: string[] = [];
  for (let i = 0; i < items.length; i += width) groups.push(key(items.slice(i, i + width)));
  return groups.sort().join();
}

function firstLine(reply: string): string {
  return reply.slice(0, reply.indexOf('\r\n'));
}

export function sameUnordered(ours: string, theirs: string, width: number): boolean {
  if (firstLine(ours) !== firstLine(theirs)) return false;
  const a = treeOf(ours);
  const b = treeOf(theirs);
  return Array.isArray(a) && Array.isArray(b) && sorted(a, width) === sorted(b, width);
}

function near(ours: string, theirs: string, tolerance: number): boolean {
  if (ours[0] !== ':' || theirs[0] !== ':') return false;
  const a = Number(ours.slice(1));
  const b = Number(theirs.slice(1));
  return a >= 0 && b >= 0 && Math.abs(a - b) <= tolerance;
}

function sameScan(cursor: string, ours: string, theirs: string, width: number): boolean {
  const a = treeOf(ours);
  const b = treeOf(theirs);
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== 2 || b.length !== 2) return false;
  if (a[0] !== '0' || b[0] !== '0' || cursor !== '0') return true;
  return Array.isArray(a[1]) && Array.isArray(b[1]) && sorted(a[1], width) === sorted(b[1], width);
}

function sameSort(words: readonly string[], ours: string, theirs: string): boolean {
  const by = words.indexOf('BY');
  const pattern = by > 0 ? (words[by + 1] ?? '') : '';
  const alpha = words.includes('ALPHA');
  const tied =
    by > 0 ? alpha || !pattern.includes('*') : alpha && (words.includes('GET') || (ours + theirs).includes('\x00'));
  if (!tied) return false;
  if (words.includes('LIMIT')) return firstLine(ours) === firstLine(theirs);
  return sameUnordered(ours, theirs, 1);
}

export function same(command: Command, ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  if (ours === '' || theirs === '' || ours[0] === '-' || theirs[0] === '-') return false;
  const words = command.map((word) => word.toUpperCase());
  const name = words[0];
  const tolerance = LIFETIME_TOLERANCE[name === 'OBJECT' ? `OBJECT ${words[1]}` : name];
  if (tolerance !== undefined) return near(ours, theirs, tolerance);
  if (UNORDERED.has(name)) return sameUnordered(ours, theirs, 1);
  if (name === 'HGETALL') return sameUnordered(ours, theirs, 2);
  if (name === 'SCAN') return sameScan(words[1], ours, theirs, 1);
  if (name === 'SSCAN') return sameScan(words[2], ours, theirs, 1);
  if (name === 'HSCAN' || name === 'ZSCAN') return sameScan(words[2], ours, theirs, 2);
  if (name === 'SORT' || name === 'SORT_RO') return sameSort(words, ours, theirs);
  return false;
}
