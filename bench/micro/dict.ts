/** The dict and its hash: 16-byte keys that begin alike, few (in cache) and a million (out of it). */
import { Slice } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  dictFind,
  dictInsert,
  dictNew,
  dictRehash,
  dictRemove,
  dictScan,
  keyFieldSize,
  writeKeyField,
} from '../../src/structures/dict.ts';
import { hashBytes } from '../../src/structures/hash.ts';
import { keep, measure } from './harness.ts';

const key = new Slice(new Uint8Array(16));
key.buffer.set([107, 101, 121, 58]);

/** Shows `key:` and twelve digits. */
function name(n: number): void {
  for (let at = 15; at >= 4; at--) {
    key.buffer[at] = 48 + (n % 10);
    n = (n / 10) | 0;
  }
}

function add(m: Memory, d: Addr): void {
  const e = m.allocate(10 + keyFieldSize(16) + 3);
  writeKeyField(m, e, 10, key);
  dictInsert(m, d, e, hashBytes(m.seed, key));
}

const OPERATIONS = 500_000;
const seed = Uint32Array.from([1, 2, 3, 4]);
const state = { x: 1 };

function random(limit: number): number {
  state.x = (Math.imul(state.x, 1103515245) + 12345) | 0;
  return (state.x >>> 8) % limit;
}

for (const length of [3, 16, 64]) {
  const bytes = new Slice(new Uint8Array(length));
  measure(`hash of ${length} bytes`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      bytes.buffer[0] = i;
      sum ^= hashBytes(seed, bytes);
    }
    keep(sum);
  });
}

measure('naming a random key (part of what follows)', OPERATIONS, () => {
  for (let i = 0; i < OPERATIONS; i++) name(random(1_000_000));
  keep(key.buffer[15]);
});

for (const count of [1000, 1_000_000]) {
  const m = new Memory();
  const d = dictNew(m);
  for (let i = 0; i < count; i++) {
    name(i);
    add(m, d);
  }
  while (dictRehash(m, d, 1000));
  measure(`find, ${count} keys`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      name(random(count));
      sum ^= dictFind(m, d, key, hashBytes(m.seed, key));
    }
    keep(sum);
  });
  measure(`find what is not there, ${count} keys`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      name(count + random(count));
      sum ^= dictFind(m, d, key, hashBytes(m.seed, key));
    }
    keep(sum);
  });
  measure(`remove and insert, ${count} keys`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      name(random(count));
      const hash = hashBytes(m.seed, key);
      dictInsert(m, d, dictRemove(m, d, key, hash), hash);
    }
  });
  measure(`scan, ${count} keys`, count, () => {
    let cursor = 0;
    let sum = 0;
    const visit = (e: Addr): void => {
      sum ^= e;
    };
    do cursor = dictScan(m, d, cursor, visit);
    while (cursor !== 0);
    keep(sum);
  });
}

measure('growing from nothing to 200,000 keys', 200_000, () => {
  const m = new Memory();
  const d = dictNew(m);
  for (let i = 0; i < 200_000; i++) {
    name(i);
    add(m, d);
  }
  keep(m.used);
});
