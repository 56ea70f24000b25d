/**
 * The numbers of a large table's entries by their keys: many maps in the place of one, because a map that is full is made
 * anew at one go, which takes long where it holds millions.
 */
import { hashOfNumber } from './nodes.ts';

const SHARDS = 64;
const TOP_BITS = 26;
/** Characters of a key, from its end and from all over it, that say into which map it goes. */
const LAST = 16;
const SPREAD = 16;
/** Spreads numbers that follow each other over all maps. */
const SCATTER = 0x9e3779b1;

export class Shards<K> {
  private readonly maps: Map<K, number>[] = [];
  private readonly address: (object: object) => number;

  /** `address` tells where an object would lie. */
  constructor(entries: Iterable<readonly [K, number]>, address: (object: object) => number) {
    this.address = address;
    for (let i = 0; i < SHARDS; i++) this.maps.push(new Map());
    for (const [key, entry] of entries) this.set(key, entry);
  }

  get(key: K): number | undefined {
    return this.mapOf(key).get(key);
  }

  has(key: K): boolean {
    return this.mapOf(key).has(key);
  }

  set(key: K, entry: number): void {
    this.mapOf(key).set(key, entry);
  }

  delete(key: K): void {
    this.mapOf(key).delete(key);
  }

  private mapOf(key: K): Map<K, number> {
    let hash = 0;
    if (typeof key === 'string') hash = hashOfSome(key);
    else if (typeof key === 'number') hash = hashOfNumber(key);
    else if (typeof key === 'object' && key !== null) hash = this.address(key);
    return this.maps[Math.imul(hash, SCATTER) >>> TOP_BITS];
  }
}

function hashOfSome(text: string): number {
  const { length } = text;
  let hash = length;
  const last = Math.max(0, length - LAST);
  for (let at = length - 1; at >= last; at--) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  if (last === 0) return hash;
  for (let i = 0; i < SPREAD; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(Math.floor((i * last) / SPREAD))) | 0;
  return hash;
}
