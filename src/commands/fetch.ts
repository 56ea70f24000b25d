/**
 * Keys, fields or members that a command names many of: where they lie in a large table, the processor has to fetch each from
 * afar, and those of 32 it fetches all at a time. Nothing hangs on it: they are looked up afterwards as if nothing had been.
 *
 *   for (let i = 1, next = 1; i < c.argc; i++) {
 *     if (i === next) next = fetchKeys(c, i);
 *     ... c.find(i)
 */
import type { Call } from '../engine/call.ts';
import { slotOf } from '../keyspace/slot.ts';
import { type Addr, NULL } from '../memory/address.ts';
import { dictSize, dictWarm } from '../structures/dict.ts';
import { hashBytes } from '../structures/hash.ts';

const AT_A_TIME = 32;
/** Fewer are not worth the second hash. */
const FEWEST = 4;
/** A table of fewer entries is at hand anyway. */
const LARGE = 16_384;
/** To hash what is longer takes more time than is saved. */
const LONGEST = 256;

const hashes = new Int32Array(AT_A_TIME);
const places = new Int32Array(AT_A_TIME);

/** Has the keys at arguments `i`, `i + step`, ... fetched, 32 of them at most; returns at which argument to call again. */
export function fetchKeys(c: Call, i: number, step = 1): number {
  const { db } = c;
  if (db.size < LARGE || c.argc - i < FEWEST * step) return c.argc;
  let count = 0;
  let at = i;
  for (; at < c.argc && count < AT_A_TIME; at += step) {
    const key = c.arg(at);
    if (key.length > LONGEST) continue;
    if (db.bySlot) places[count] = slotOf(key);
    hashes[count++] = db.hash(key);
  }
  db.warm(hashes, count, db.bySlot ? places : null);
  return at;
}

/** The same of fields or members in a dict, which is NULL where the value is none. */
export function fetchMembers(c: Call, dict: Addr, i: number, step = 1): number {
  const m = c.memory;
  if (dict === NULL || c.argc - i < FEWEST * step || dictSize(m, dict) < LARGE) return c.argc;
  let count = 0;
  let at = i;
  for (; at < c.argc && count < AT_A_TIME; at += step) {
    const member = c.arg(at);
    if (member.length <= LONGEST) hashes[count++] = hashBytes(m.seed, member);
  }
  dictWarm(m, dict, hashes, count);
  return at;
}
