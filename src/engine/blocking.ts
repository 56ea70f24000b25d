/**
 * Clients that wait for a key.
 *
 * A blocking command that finds nothing calls `c.block`; its session then takes no further command. When a key that it
 * waits for holds a value of the awaited type again, the command is simply run again with `c.resuming` set, first come
 * first served; if it finds nothing after all it keeps its place. So what a blocked command does is written once.
 *
 *   waiting: database -> keys, each with its waiters in order of arrival
 *   ready:   keys changed since the last `serve`, each once, in order
 *
 * Invariants: a waiter is under each of its keys, once; a session has at most one waiter; a key is in `ready` if and only
 * if it is marked so.
 */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import type { Database } from '../keyspace/database.ts';
import { ByteMap } from '../structures/byte-map.ts';
import { entryType } from '../values/entry.ts';
import { ARGUMENT_BYTES } from './footprint.ts';
import type { AwaitedKey, BlockRequest, Session, Waiter } from './session.ts';
import type { Registered } from './table.ts';

const NO_KEY = new Slice();

export class Blocking {
  private readonly clock: Clock;
  private readonly waiting = new Map<Database, ByteMap<AwaitedKey>>();
  private ready: AwaitedKey[] = [];
  /** Blocked clients, and those of them with a time limit (INFO clients). */
  count = 0;
  timed = 0;
  /** What the arguments of all waiters take. */
  bytes = 0;
  /** The key whose waiters are being served, each by running its command again. */
  serving: Slice = NO_KEY;
  private readonly timedOut: (waiter: Waiter) => void;

  /** `timedOut` is called for a waiter whose time is up, after it was taken out of the register. */
  constructor(clock: Clock, timedOut: (waiter: Waiter) => void) {
    this.clock = clock;
    this.timedOut = timedOut;
  }

  get idle(): boolean {
    return this.waiting.size === 0;
  }

  get hasReady(): boolean {
    return this.ready.length > 0;
  }

  block(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    request: BlockRequest,
    now: number,
  ): void {
    assert(session.waiter === null && !session.closed, 'a session has at most one waiter');
    const kept: Slice[] = [];
    let bytes = argc * ARGUMENT_BYTES;
    for (let i = 0; i < argc; i++) {
      kept.push(new Slice(request.instead?.get(i) ?? args[i].copy()));
      bytes += kept[i].length;
    }
    const waiter: Waiter = {
      session,
      registered,
      args: kept,
      bytes,
      db: session.db,
      type: request.type,
      keys: [],
      deadline: request.timeout > 0 ? now + request.timeout : 0,
      onTimeout: request.onTimeout,
      untilGone: request.untilGone ?? false,
      firm: request.firm ?? false,
      since: this.clock.monotonic(),
      timer: null,
    };
    for (const i of request.keys) this.enlist(waiter, kept[i]);
    session.waiter = waiter;
    this.count++;
    this.bytes += bytes;
    if (waiter.deadline > 0) {
      this.timed++;
      waiter.timer = this.clock.after(request.timeout, () => {
        if (session.waiter === waiter) this.expire(waiter);
      });
    }
  }

  /** Puts a waiter under a key, if it isn't there yet. The key's bytes are kept. */
  private enlist(waiter: Waiter, key: Slice): void {
    const { db } = waiter;
    let keys = this.waiting.get(db);
    if (!keys) this.waiting.set(db, (keys = new ByteMap()));
    const hash = db.hash(key);
    let awaited = keys.find(key, hash);
    if (!awaited) keys.add((awaited = { name: key, hash, db, waiters: new Set(), ready: false }));
    if (awaited.waiters.has(waiter)) return;
    awaited.waiters.add(waiter);
    waiter.keys.push(awaited);
  }

  /** Takes a session's waiter out of the register. */
  remove(session: Session): Waiter | null {
    const waiter = session.waiter;
    if (!waiter) return null;
    session.waiter = null;
    this.count--;
    this.bytes -= waiter.bytes;
    if (waiter.timer) {
      waiter.timer.cancel();
      this.timed--;
    }
    const keys = this.waiting.get(waiter.db);
    for (const key of waiter.keys) {
      key.waiters.delete(waiter);
      if (key.waiters.size === 0) keys?.remove(key);
    }
    if (keys?.size === 0) this.waiting.delete(waiter.db);
    return waiter;
  }

  private expire(waiter: Waiter): void {
    this.remove(waiter.session);
    this.timedOut(waiter);
  }

  /** All who wait for keys, each once. */
  waiters(): Set<Waiter> {
    const found = new Set<Waiter>();
    for (const keys of this.waiting.values())
      for (const { waiters } of keys) for (const waiter of waiters) found.add(waiter);
    return found;
  }

  /** A key was written: whoever waits for it is served after the command. */
  signal(db: Database, key: Slice, hash: number): void {
    const awaited = this.waiting.get(db)?.find(key, hash);
    if (awaited) this.enqueue(awaited);
  }

  /** Every awaited key of a database may be there now (SWAPDB, a load). */
  signalAll(db: Database): void {
    for (const key of this.waiting.get(db) ?? []) this.enqueue(key);
  }

  private enqueue(key: AwaitedKey): void {
    if (key.ready) return;
    key.ready = true;
    this.ready.push(key);
  }

  /**
   * Runs `again` for the waiters of every ready key, until no key is ready: serving one (BLMOVE) may make another ready.
   * `again` says whether the waiter was served.
   */
  serve(again: (waiter: Waiter) => void): void {
    while (this.ready.length > 0) {
      const batch = this.ready;
      this.ready = [];
      for (const key of batch) key.ready = false;
      for (const { db, name, hash, waiters } of batch) {
        for (const waiter of [...waiters]) {
          if (waiter.session.waiter !== waiter) continue;
          const e = db.find(name, hash);
          const fits = e !== 0 && entryType(db.memory, e) === waiter.type;
          if (!fits && !waiter.untilGone) continue;
          this.serving = name;
          again(waiter);
        }
      }
    }
    this.serving = NO_KEY;
  }

  /** Checks the invariants of the register, between commands. */
  verify(): void {
    for (const [db, keys] of this.waiting) {
      assert(keys.size > 0, 'a database without waiters is in no register');
      keys.verify(db.memory.seed);
      for (const key of keys) {
        assert(key.waiters.size > 0, 'a key without waiters is in no register');
        assert(key.ready === this.ready.includes(key), 'a key is marked as ready if and only if it is');
        for (const waiter of key.waiters) {
          assert(waiter.session.waiter === waiter && !waiter.session.closed, 'who is in the register waits');
          assert(waiter.db === db && waiter.keys.includes(key), 'a waiter is under its keys and no others');
        }
      }
    }
  }
}
