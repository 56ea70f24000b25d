/**
 * What the server keeps on the heap under names that clients gave: keys that are watched or waited for, channels, prefixes.
 *
 * Names are bytes of any length, so none becomes a string: an item is found by the keyed hash of its name, which nobody
 * can foretell, and then by the bytes. As with dicts the caller hands the hash in, for it may have it already.
 *
 *   chains: hash (31 bits) -> the item, or the items where several names have this hash
 *
 * Invariants: an item lies under its own hash; no two have the same name; a chain is never empty.
 */
import { assert } from '../base/assert.ts';
import { type Slice, sameBytes } from '../base/slice.ts';
import { hashBytes } from './hash.ts';

export interface Named {
  /** Its name; the bytes belong to the item and stay as they are. */
  readonly name: Slice;
  /** `hashBytes` of the name under the seed that all of a map's items share. */
  readonly hash: number;
}

export class ByteMap<Item extends Named> {
  private readonly chains = new Map<number, Item | Item[]>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  find(name: Slice, hash: number): Item | undefined {
    const chain = this.chains.get(hash);
    if (chain === undefined) return undefined;
    if (Array.isArray(chain)) return chain.find((item) => sameBytes(item.name, name));
    return sameBytes(chain.name, name) ? chain : undefined;
  }

  /** Takes in an item whose name is not there yet. */
  add(item: Item): void {
    const chain = this.chains.get(item.hash);
    if (chain === undefined) this.chains.set(item.hash, item);
    else if (Array.isArray(chain)) chain.push(item);
    else this.chains.set(item.hash, [chain, item]);
    this.count++;
  }

  /** Takes an item out; says whether it was there. */
  remove(item: Item): boolean {
    const chain = this.chains.get(item.hash);
    if (Array.isArray(chain)) {
      const at = chain.indexOf(item);
      if (at < 0) return false;
      chain.splice(at, 1);
      if (chain.length === 0) this.chains.delete(item.hash);
    } else if (chain === item) this.chains.delete(item.hash);
    else return false;
    this.count--;
    return true;
  }

  clear(): void {
    this.chains.clear();
    this.count = 0;
  }

  /** The items, in the order in which their hashes came. */
  *[Symbol.iterator](): Generator<Item, void> {
    for (const chain of this.chains.values()) {
      if (Array.isArray(chain)) yield* chain;
      else yield chain;
    }
  }

  /** Checks the invariants, for names hashed under `seed`. */
  verify(seed: Uint32Array): void {
    let items = 0;
    for (const [hash, chain] of this.chains) {
      const those = Array.isArray(chain) ? chain : [chain];
      assert(those.length > 0, 'a chain is never empty');
      for (const item of those) {
        items++;
        assert(item.hash === hash && hashBytes(seed, item.name) === hash, 'an item lies under the hash of its name');
        assert(this.find(item.name, hash) === item, 'no two items have the same name');
      }
    }
    assert(items === this.count, 'items are counted');
  }
}
