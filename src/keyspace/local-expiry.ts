/**
 * Keys that clients have given a time on a replica that they may write to. The master knows nothing of them, so nobody but
 * this server removes them when their time is up; all others are the master's to remove.
 *
 * What is noted may have gone, or lost its expiry, since: `run` forgets it then.
 */
import { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { NULL } from '../memory/address.ts';
import { ByteMap, type Named } from '../structures/byte-map.ts';
import { entryHasExpiry } from '../values/entry.ts';
import type { Database } from './database.ts';

const SLICE_MICROS = 1000;
const KEYS_PER_LOOK = 64;

export class LocalExpiry {
  private readonly keys = new Map<Database, ByteMap<Named>>();

  get size(): number {
    let sum = 0;
    for (const keys of this.keys.values()) sum += keys.size;
    return sum;
  }

  note(db: Database, key: Slice, hash: number): void {
    let keys = this.keys.get(db);
    if (keys === undefined) this.keys.set(db, (keys = new ByteMap()));
    if (keys.find(key, hash) === undefined) keys.add({ name: new Slice(key.copy()), hash });
  }

  clear(): void {
    this.keys.clear();
  }

  /** Removes for about a millisecond what is past its time. */
  run(clock: Clock): void {
    const until = clock.monotonic() + SLICE_MICROS;
    let seen = 0;
    for (const [db, keys] of this.keys) {
      for (const item of keys) {
        const { name, hash } = item;
        const e = db.peek(name, hash);
        const lives = e !== NULL && entryHasExpiry(db.memory, e);
        const due = lives && db.isExpired(e);
        if (due) db.expire(e, hash);
        if (due || !lives) keys.remove(item);
        if (++seen % KEYS_PER_LOOK === 0 && clock.monotonic() >= until) return;
      }
    }
  }
}
