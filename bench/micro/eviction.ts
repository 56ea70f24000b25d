/** Eviction: keys of 16 bytes with values of 100 come anew at maxmemory, and as many go, by each policy. */
import { SeededRandom } from '../../src/base/random.ts';
import { Slice } from '../../src/base/slice.ts';
import { RealClock } from '../../src/base/time.ts';
import { Evictor } from '../../src/keyspace/eviction.ts';
import { Keyspaces } from '../../src/keyspace/keyspaces.ts';
import { setString } from '../../src/keyspace/strings.ts';
import { Memory } from '../../src/memory/memory.ts';
import { measure } from './harness.ts';

const ROOM = 64 * 1024 * 1024;
const OPERATIONS = 200_000;

const key = new Slice(new Uint8Array(16));
const value = new Slice(new Uint8Array(100));

/** Shows `key:` and twelve digits of a random number. */
function name(random: SeededRandom): void {
  let n = random.below(1_000_000_000);
  key.buffer.set([107, 101, 121, 58]);
  for (let at = 15; at >= 4; at--) {
    key.buffer[at] = 48 + (n % 10);
    n = (n / 10) | 0;
  }
}

for (const policy of ['noeviction', 'allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
  const clock = new RealClock();
  const random = new SeededRandom(1);
  const usage = { lfu: policy.endsWith('lfu'), logFactor: 10, decayMinutes: 1 };
  const keyspaces = new Keyspaces(new Memory(), clock, 16, usage, random);
  const settings = {
    maxmemory: ROOM,
    maxmemoryPolicy: policy,
    maxmemorySamples: 5,
    maxmemoryEvictionTenacity: 10,
    lazyfreeLazyEviction: false,
  };
  const stats = { evicted: 0, evictionExceededMicros: 0, evictionExceededSince: 0 };
  const { memory } = keyspaces;
  const host = {
    get counted(): number {
      return memory.used;
    },
    exempt: false,
    timed: false,
    evicted(): void {},
    took(): void {},
    sliceDone(): void {},
    handOver(): void {},
  };
  const evictor = new Evictor({ keyspaces, clock, random }, settings, stats, host);
  const db = keyspaces.databases[0];
  const set = (): void => {
    name(random);
    const hash = db.hash(key);
    setString(db, key, hash, db.find(key, hash), value, -1);
  };
  while (memory.used < ROOM) set();
  if (policy === 'noeviction') settings.maxmemory = 0;
  measure(`SET of a new key, ${policy}`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      if (i % 256 === 0) keyspaces.refresh();
      if (settings.maxmemory > 0 && memory.used > settings.maxmemory) evictor.makeRoom();
      set();
    }
  });
}
