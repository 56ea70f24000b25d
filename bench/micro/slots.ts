/** A database of one dict, and one of a dict a slot, as a node of a cluster has it: a million keys of 16 bytes. */
import { SeededRandom } from '../../src/base/random.ts';
import { Slice, sliceOf } from '../../src/base/slice.ts';
import { RealClock } from '../../src/base/time.ts';
import type { Database } from '../../src/keyspace/database.ts';
import { Keyspaces } from '../../src/keyspace/keyspaces.ts';
import { slotOf } from '../../src/keyspace/slot.ts';
import { setString } from '../../src/keyspace/strings.ts';
import { createMemory } from '../../src/memory/create.ts';
import { keep, measure } from './harness.ts';

const KEYS = 1_000_000;
const OPERATIONS = 500_000;
const POLICY = { lfu: false, logFactor: 10, decayMinutes: 1 };

const key = new Slice(new Uint8Array(16));
key.buffer.set([107, 101, 121, 58]);
const value = sliceOf('xxx');
const state = { x: 1 };

/** Shows `key:` and twelve digits. */
function name(n: number): void {
  for (let at = 15; at >= 4; at--) {
    key.buffer[at] = 48 + (n % 10);
    n = (n / 10) | 0;
  }
}

function random(limit: number): number {
  state.x = (Math.imul(state.x, 1103515245) + 12345) | 0;
  return (state.x >>> 8) % limit;
}

function set(db: Database): void {
  const hash = db.hash(key);
  setString(db, key, hash, db.peek(key, hash), value, -1);
}

for (const length of [3, 16, 64]) {
  const bytes = new Slice(new Uint8Array(length));
  measure(`slot of ${length} bytes`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      bytes.buffer[0] = i;
      sum ^= slotOf(bytes);
    }
    keep(sum);
  });
}

measure('naming a random key (part of what follows)', OPERATIONS, () => {
  for (let i = 0; i < OPERATIONS; i++) name(random(KEYS));
  keep(key.buffer[15]);
});

function run(what: string, bySlot: boolean): void {
  const memory = createMemory();
  const clock = new RealClock();
  const empty = memory.used;
  const [db] = new Keyspaces(memory, clock, 1, POLICY, new SeededRandom(1), bySlot).databases;
  const own = memory.used;
  console.log(`${what}: ${own - empty} bytes without keys`);
  for (const keys of [1_000, 10_000, 100_000, 300_000, KEYS]) {
    for (let n = db.size; n < keys; n++) {
      name(n);
      set(db);
    }
    while (db.rehashFor(() => false));
    console.log(`${what}: ${((memory.used - own) / keys).toFixed(2)} bytes a key of ${keys}`);
  }
  measure(`${what}: find`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      name(random(KEYS));
      sum ^= db.find(key, db.hash(key));
    }
    keep(sum);
  });
  measure(`${what}: overwrite`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      name(random(KEYS));
      set(db);
    }
  });
  measure(`${what}: remove and add`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      name(random(KEYS));
      db.remove(key, db.hash(key), false);
      set(db);
    }
  });
  measure(`${what}: walk`, KEYS, () => {
    const cursor = db.keys.cursor();
    let sum = 0;
    for (let e = cursor.next(); e !== 0; e = cursor.next()) sum ^= e;
    keep(sum);
  });
  const rng = new SeededRandom(2);
  measure(`${what}: random key`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) keep(db.keys.random(rng));
  });
  measure(`${what}: sample of 5`, 100_000, () => {
    const out: never[] = [];
    for (let i = 0; i < 100_000; i++) keep(db.keys.sample(5, rng, out));
  });
}

// In two processes they don't share what the compiler has learnt: SLOTS=yes or no.
const which = process.env['BY_SLOT'];
if (which !== 'yes') run('one dict', false);
if (which !== 'no') run('a dict a slot', true);
