/** MULTI's queue and WATCH's register. */
import { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

export interface Queued {
  readonly registered: Registered;
  readonly args: Slice[];
}

export class Transaction {
  readonly queue: Queued[] = [];
  /** A command could not be queued: EXEC aborts. */
  broken = false;
  /** Bytes that the queue holds (CLIENT LIST's multi-mem). */
  bytes = 0;

  add(registered: Registered, args: readonly Slice[], argc: number): void {
    const kept: Slice[] = [];
    for (let i = 0; i < argc; i++) {
      kept.push(new Slice(args[i].copy()));
      this.bytes += args[i].length + 24;
    }
    this.bytes += 32;
    this.queue.push({ registered, args: kept });
  }
}

export interface WatchedKey {
  readonly db: Database;
  readonly key: string;
  readonly bytes: Slice;
  /** Past its time already when it was watched: its removal is then no change. */
  readonly wasExpired: boolean;
}

/** Who watches which key. Invariant: a session is under a key here if and only if the key is in its `watched`. */
export class Watches {
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
    this.touched.delete(session);
  }

  /** A key was changed. */
  touch(db: Database, key: Slice): void {
    const sessions = this.byDatabase.get(db)?.get(key.latin1());
    for (const session of sessions ?? []) this.touched.add(session);
  }

  /**
   * A whole database is emptied or exchanged with `other`: the watched keys that are in either, unless they had expired
   * before they were watched, change.
   */
  touchAll(db: Database, other: Database | null): void {
    for (const [name, sessions] of this.byDatabase.get(db) ?? []) {
      for (const session of sessions) {
        const watched = session.watched?.find((w) => w.db === db && w.key === name);
        if (!watched) continue;
        const hash = db.hash(watched.bytes);
        const here = db.peek(watched.bytes, hash);
        const there = other ? other.peek(watched.bytes, hash) : 0;
        if (here !== 0 && watched.wasExpired && there === 0) continue;
        if (here !== 0 || there !== 0) this.touched.add(session);
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

  /** Marks a session's transaction as failed from outside (a lost master, a flushed database). */
  fail(session: Session): void {
    this.touched.add(session);
  }
}
