/** WATCH's register. */
import { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import { WATCH_BYTES } from './footprint.ts';
import type { Session } from './session.ts';
import type { WatchedKey } from './transaction.ts';

/** Who watches which key. Invariant: a session is under a key here if and only if the key is in its `watched`. */
export class Watches {
  /** What all watches take. */
  bytes = 0;
  private readonly byDatabase = new Map<Database, Map<string, Set<Session>>>();
  /** Sessions whose watched keys changed: their EXEC answers null. */
  private readonly touched = new Set<Session>();

  /** Whether nobody watches anything. */
  get idle(): boolean {
    return this.byDatabase.size === 0;
  }

  watch(session: Session, db: Database, key: Slice): void {
    const name = key.latin1();
    session.watched ??= [];
    if (session.watched.some((w) => w.db === db && w.key === name)) return;
    const e = db.peek(key, db.hash(key));
    session.watched.push({ db, key: name, bytes: new Slice(key.copy()), wasExpired: e !== 0 && db.isExpired(e) });
    const taken = 2 * name.length + WATCH_BYTES;
    session.watchedBytes += taken;
    this.bytes += taken;
    let keys = this.byDatabase.get(db);
    if (!keys) this.byDatabase.set(db, (keys = new Map()));
    let sessions = keys.get(name);
    if (!sessions) keys.set(name, (sessions = new Set()));
    sessions.add(session);
  }

  unwatch(session: Session): void {
    for (const { db, key } of session.watched ?? []) {
      const keys = this.byDatabase.get(db);
      const sessions = keys?.get(key);
      if (!keys || !sessions) continue;
      sessions.delete(session);
      if (sessions.size === 0) keys.delete(key);
      if (keys.size === 0) this.byDatabase.delete(db);
    }
    session.watched = null;
    this.bytes -= session.watchedBytes;
    session.watchedBytes = 0;
    this.touched.delete(session);
  }

  /** A key was changed. */
  touch(db: Database, key: Slice): void {
    const name = key.latin1();
    const sessions = this.byDatabase.get(db)?.get(name);
    for (const session of sessions ?? []) {
      const watched = watchedKey(session, db, name);
      if (watched?.wasExpired) {
        if (db.peek(watched.bytes, db.hash(watched.bytes)) === 0) watched.wasExpired = false;
      } else {
        this.touched.add(session);
      }
    }
  }

  /**
   * A whole database is about to be emptied or to get the content of `other`: the watched keys that are in either change,
   * but for those that were past their time and stay away or past it.
   */
  touchAll(db: Database, other: Database | null): void {
    for (const [name, sessions] of this.byDatabase.get(db) ?? []) {
      for (const session of sessions) {
        const watched = watchedKey(session, db, name);
        if (watched && changesWith(watched, db, other)) this.touched.add(session);
      }
    }
  }

  /** Whether a watched key of `session` has changed or expired since. */
  broken(session: Session): boolean {
    if (this.touched.has(session)) return true;
    for (const { db, bytes, wasExpired } of session.watched ?? []) {
      if (wasExpired) continue;
      const e = db.peek(bytes, db.hash(bytes));
      if (e !== 0 && db.isExpired(e)) return true;
    }
    return false;
  }

  /** Whether a watched key of `session` is known to have changed (CLIENT LIST's flag d). */
  isTouched(session: Session): boolean {
    return this.touched.has(session);
  }

  /** Marks a session's transaction as failed from outside (a lost master, a flushed database). */
  fail(session: Session): void {
    this.touched.add(session);
  }
}

function watchedKey(session: Session, db: Database, name: string): WatchedKey | undefined {
  return session.watched?.find((w) => w.db === db && w.key === name);
}

/** Whether the content of `other` (nothing when null) in place of that of `db` changes a watched key. */
function changesWith(watched: WatchedKey, db: Database, other: Database | null): boolean {
  const hash = db.hash(watched.bytes);
  const here = db.peek(watched.bytes, hash) !== 0;
  const there = other ? other.peek(watched.bytes, hash) : 0;
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
