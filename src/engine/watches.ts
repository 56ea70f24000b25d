/** WATCH's register. */
import { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import { ByteMap, type Named } from '../structures/byte-map.ts';
import { WATCH_BYTES } from './footprint.ts';
import type { Session } from './session.ts';
import type { WatchedKey } from './transaction.ts';

/** A key that somebody watches, with what each of its watchers remembers of it. */
interface Entry extends Named {
  readonly watchers: Map<Session, WatchedKey>;
}

/** Who watches which key. Invariant: a session is under a key here if and only if the key is in its `watched`. */
export class Watches {
  /** What all watches take. */
  bytes = 0;
  private readonly byDatabase = new Map<Database, ByteMap<Entry>>();
  /** Sessions whose watched keys changed: their EXEC answers null. */
  private readonly touched = new Set<Session>();

  /** Whether nobody watches anything. */
  get idle(): boolean {
    return this.byDatabase.size === 0;
  }

  watch(session: Session, db: Database, key: Slice): void {
    const hash = db.hash(key);
    let keys = this.byDatabase.get(db);
    if (!keys) this.byDatabase.set(db, (keys = new ByteMap()));
    let entry = keys.find(key, hash);
    if (!entry) keys.add((entry = { name: new Slice(key.copy()), hash, watchers: new Map() }));
    if (entry.watchers.has(session)) return;
    const e = db.peek(key, hash);
    const watched = { db, key: entry.name, wasExpired: e !== 0 && db.isExpired(e) };
    entry.watchers.set(session, watched);
    session.watched ??= [];
    session.watched.push(watched);
    const taken = key.length + WATCH_BYTES;
    session.watchedBytes += taken;
    this.bytes += taken;
  }

  unwatch(session: Session): void {
    for (const { db, key } of session.watched ?? []) {
      const keys = this.byDatabase.get(db);
      const entry = keys?.find(key, db.hash(key));
      if (!keys || !entry) continue;
      entry.watchers.delete(session);
      if (entry.watchers.size === 0) keys.remove(entry);
      if (keys.size === 0) this.byDatabase.delete(db);
    }
    session.watched = null;
    this.bytes -= session.watchedBytes;
    session.watchedBytes = 0;
    this.touched.delete(session);
  }

  /** A key was changed. */
  touch(db: Database, key: Slice, hash: number): void {
    const entry = this.byDatabase.get(db)?.find(key, hash);
    if (entry === undefined) return;
    for (const [session, watched] of entry.watchers) {
      if (!watched.wasExpired) this.touched.add(session);
      else if (db.peek(key, hash) === 0) watched.wasExpired = false;
    }
  }

  /**
   * A whole database is about to be emptied or to get the content of `other`: the watched keys that are in either change,
   * but for those that were past their time and stay away or past it.
   */
  touchAll(db: Database, other: Database | null): void {
    for (const { watchers, hash } of this.byDatabase.get(db) ?? [])
      for (const [session, watched] of watchers) if (changesWith(watched, hash, db, other)) this.touched.add(session);
  }

  /** Whether a watched key of `session` has changed or expired since. */
  broken(session: Session): boolean {
    if (this.touched.has(session)) return true;
    for (const { db, key, wasExpired } of session.watched ?? []) {
      if (wasExpired) continue;
      const e = db.peek(key, db.hash(key));
      if (e !== 0 && db.isExpired(e)) return true;
    }
    return false;
  }

  /** Whether a watched key of `session` is known to have changed (CLIENT LIST's flag d). */
  isTouched(session: Session): boolean {
    return this.touched.has(session);
  }
}

/** Whether the content of `other` (nothing when null) in place of that of `db` changes a watched key. */
function changesWith(watched: WatchedKey, hash: number, db: Database, other: Database | null): boolean {
  const here = db.peek(watched.key, hash) !== 0;
  const there = other ? other.peek(watched.key, hash) : 0;
  if (!here && there === 0) return false;
  const remainsExpired = there !== 0 && other !== null && other.isExpired(there);
  if (watched.wasExpired) {
    if (there === 0) watched.wasExpired = false;
    return there !== 0 && !remainsExpired;
  }
  if (!here && remainsExpired) {
    watched.wasExpired = true;
    return false;
  }
  return true;
}
