/**
 * The order in which next() walks the hash part of a table: scripts can see it, and must see the reference's.
 *
 * The reference keeps 2^n nodes. A key belongs into the node that its hash says; when that is taken, by a key that
 * belongs there, the new key goes into the highest free node and is linked behind; by one that doesn't, that one moves
 * into the highest free node and makes room. Keys whose value became nil stay in their nodes until all nodes are taken,
 * or a key that belongs into their node takes it over.
 *
 * This is only that arrangement: a node holds the number of an entry of the table (table.ts), which keeps the key.
 */
import { work } from './work.ts';

const NOBODY = -1;
/** Characters of a key that take time that counts, and how many of it count at most. */
const LONG = 256;
const MOST = 65_536;
const SPREAD = 16;
const bits = new DataView(new ArrayBuffer(8));

/** What a key's node is derived from; `address` tells where an object would lie. */
export function hashOf(key: unknown, address: (object: object) => number): number {
  if (typeof key === 'string') return hashOfString(key);
  if (typeof key === 'number') return hashOfNumber(key);
  if (typeof key === 'boolean') return key ? 1 : 0;
  return address(key as object) >>> 0;
}

/** All bytes count, from the end; where that would take long, some do: that is an order of our own. */
function hashOfString(text: string): number {
  let hash = text.length;
  if (hash > LONG) work.counter.charge(Math.min(hash, MOST) >>> 4);
  const step = hash <= MOST ? 1 : Math.ceil(hash / MOST) * SPREAD;
  for (let at = text.length - 1; at >= 0; at -= step) hash ^= ((hash << 5) + (hash >>> 2) + text.charCodeAt(at)) | 0;
  return hash >>> 0;
}

export function hashOfNumber(value: number): number {
  if (value === 0) return 0;
  bits.setFloat64(0, value);
  return (bits.getUint32(0) + bits.getUint32(4)) >>> 0;
}

export class Nodes {
  /** A power of two. */
  readonly size: number;
  /** By node: the entry in it. */
  private readonly entries: Int32Array;
  /** By node: the next of its chain. */
  private readonly next: Int32Array;
  /** By node that isn't the first of its chain: the one before it. */
  private readonly before: Int32Array;
  /** By entry: its node. */
  private readonly places: Int32Array;
  /** By entry: its node if it were alone. */
  private readonly mains: Int32Array;
  /** No node at or above it is free. */
  private free: number;

  constructor(size: number) {
    this.size = size;
    this.entries = new Int32Array(size).fill(NOBODY);
    this.next = new Int32Array(size).fill(NOBODY);
    this.before = new Int32Array(size);
    this.places = new Int32Array(size).fill(NOBODY);
    this.mains = new Int32Array(size);
    this.free = size;
  }

  entryAt(node: number): number {
    return this.entries[node];
  }

  placeOf(entry: number): number {
    return this.places[entry];
  }

  /** The node that a key with this hash belongs into. Strings and booleans spread over all, the rest over all but one. */
  mainNode(key: unknown, hash: number): number {
    const mask = this.size - 1;
    return typeof key === 'string' || typeof key === 'boolean' ? hash & mask : hash % (mask | 1);
  }

  /** Puts an entry into a node of its own; false when none is left. */
  add(entry: number, main: number): boolean {
    const occupant = this.entries[main];
    this.mains[entry] = main;
    if (occupant === NOBODY) {
      this.settle(entry, main);
      return true;
    }
    const free = this.takeFree();
    if (free === NOBODY) return false;
    if (this.mains[occupant] === main) {
      this.link(free, this.next[main]);
      this.link(main, free);
      this.settle(entry, free);
      return true;
    }
    const before = this.before[main];
    this.link(before, free);
    this.link(free, this.next[main]);
    this.settle(occupant, free);
    this.next[main] = NOBODY;
    this.settle(entry, main);
    return true;
  }

  /** The key of an entry whose value is nil is replaced by one that belongs into its node. */
  takeOver(entry: number, main: number): void {
    this.mains[entry] = main;
  }

  /** One chain has `node` before `after`, or ends there. */
  private link(node: number, after: number): void {
    this.next[node] = after;
    if (after !== NOBODY) this.before[after] = node;
  }

  private settle(entry: number, node: number): void {
    this.entries[node] = entry;
    this.places[entry] = node;
  }

  private takeFree(): number {
    while (this.free > 0) if (this.entries[--this.free] === NOBODY) return this.free;
    return NOBODY;
  }
}

/** Twice as many nodes, filled from the last to the first. */
export function doubled(old: Nodes, keys: readonly unknown[], hashes: readonly number[]): Nodes {
  const nodes = new Nodes(old.size === 0 ? 1 : old.size * 2);
  for (let node = old.size - 1; node >= 0; node--) {
    const entry = old.entryAt(node);
    if (entry >= 0) nodes.add(entry, nodes.mainNode(keys[entry], hashes[entry]));
  }
  return nodes;
}
