/**
 * One execution of a command: what a command's `run` works with.
 *
 * Calls are pooled, one a depth of nesting (EXEC and scripts call commands), so nothing of a call may be kept. Key
 * arguments are hashed once: the hashes of the two named last are remembered for the other methods that name them.
 *
 * Methods that answer `undefined` have replied the error; the command just returns.
 */
import { parseDouble, parseInt64, parseInteger } from '../base/numbers.ts';
import type { Random } from '../base/random.ts';
import type { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import { setString } from '../keyspace/strings.ts';
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import type { Chunk } from '../protocol/chunk.ts';
import type { Reply } from '../protocol/reply.ts';
import {
  type Encoding,
  entryEncoding,
  entryType,
  entryValue,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
  type ValueType,
} from '../values/entry.ts';
import { freeValue, newValue, smallestEncoding, valueLength } from '../values/free.ts';
import type { HashValue } from '../values/hash.ts';
import type { ListValue } from '../values/list.ts';
import type { SetValue } from '../values/set.ts';
import type { StreamValue } from '../values/stream.ts';
import type { ZsetValue } from '../values/zset.ts';
import type { Engine } from './engine.ts';
import { type EffectPart, TO_ALL, TO_NOBODY } from './propagation.ts';
import { type BlockRequest, replyTimeout, type Session } from './session.ts';
import type { Registered } from './table.ts';

export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const NOT_A_FLOAT = 'ERR value is not a valid float';

const NO_ARGS: Slice[] = [];
/** proto-max-bulk-len where nobody has set it. */
const STRING_USUAL = 512 * 1024 * 1024;

/** How a command is run: for the first time, or with one or both of the flags below. */
export type CallMode = number;
/** It was left half way, and goes on. */
export const RESUMING = 1;
/** It must not wait: within a transaction or a script what would wait is answered at once. */
export const DENY_BLOCKING = 2;

/** One of the accessors, or null for an absent key, or undefined when WRONGTYPE has been replied. */
export type Opened<T> = T | null | undefined;

export class Call {
  readonly engine: Engine;
  readonly memory: Memory;
  readonly random: Random;
  session: Session;
  registered: Registered;
  args: readonly Slice[] = NO_ARGS;
  argc = 0;
  db: Database;
  reply: Reply;
  /** Where its reply begins; see Output. */
  markChunk: Chunk | null = null;
  markAt = 0;
  /** Run again because a key that it waited for is ready. */
  resuming = false;
  /** Run again, and it has found nothing: it goes on waiting. Of a script: it has been left half way. */
  stillWaiting = false;
  /** Blocking is not possible here (inside EXEC or a script): a blocking command answers as if its time were up. */
  denyBlocking = false;
  /** Microseconds that a command which had been left half way has taken before. */
  spent = 0;
  /** Changes so far, as `rdb_changes_since_last_save` counts them. */
  dirty = 0;
  /** The hash of the key at argument `hashedAt`, and that of the key hashed before: what moves from key to key names both by turns. */
  private hashedAt = -1;
  private hash = 0;
  private hashedBefore = -1;
  private hashBefore = 0;
  private createdAt = -1;
  /** Who hears of the command as it came, and of whether it changed anything or not. */
  private heardBy = TO_ALL;
  private always = false;
  private rewritten = false;

  constructor(engine: Engine, session: Session, registered: Registered) {
    this.engine = engine;
    this.memory = engine.memory;
    this.random = engine.random;
    this.session = session;
    this.registered = registered;
    this.db = session.db;
    this.reply = session.reply;
  }

  /** It is over, and keeps none of its arguments alive. */
  forget(): void {
    this.args = NO_ARGS;
    this.argc = 0;
  }

  begin(session: Session, registered: Registered, args: readonly Slice[], argc: number): void {
    this.session = session;
    this.registered = registered;
    this.args = args;
    this.argc = argc;
    this.db = session.db;
    this.reply = session.reply;
    this.markChunk = session.reply.markChunk;
    this.markAt = session.reply.markAt;
    this.resuming = false;
    this.stillWaiting = false;
    this.spent = 0;
    this.dirty = 0;
    this.hashedAt = -1;
    this.hashedBefore = -1;
    this.createdAt = -1;
    this.heardBy = TO_ALL;
    this.always = false;
    this.rewritten = false;
  }

  /** Whether it has changed anything that can't be taken back: the image, or what the log and the replicas will be told. */
  get changedAnything(): boolean {
    return this.memory.stored || this.dirty > 0 || this.rewritten;
  }

  /** Wall time in ms; the same throughout a command. */
  get now(): number {
    return this.engine.keyspaces.now;
  }

  // Arguments.

  arg(i: number): Slice {
    return this.args[i];
  }

  /** Argument `i` as a 64-bit integer; beyond 2^53 the nearest number (use `int64` where it must be exact). */
  integer(i: number): number | undefined {
    const value = parseInteger(this.args[i]);
    if (value === value) return value;
    this.reply.error(NOT_AN_INTEGER);
    return undefined;
  }

  /** The same with an error of the command's own. */
  integerOr(i: number, error: string): number | undefined {
    const value = parseInteger(this.args[i]);
    if (value === value) return value;
    this.reply.error(error);
    return undefined;
  }

  int64(i: number): bigint | undefined {
    const value = parseInt64(this.args[i]);
    if (value === undefined) this.reply.error(NOT_AN_INTEGER);
    return value;
  }

  double(i: number): number | undefined {
    const value = parseDouble(this.args[i]);
    if (value === undefined) this.reply.error(NOT_A_FLOAT);
    return value;
  }

  /** The longest string that the command may make, in bytes. What is done again was within the limit of its time. */
  get longestString(): number {
    const { protoMaxBulkLen } = this.engine.server.settings;
    return this.session.role.mustObey ? Math.max(protoMaxBulkLen, STRING_USUAL) : protoMaxBulkLen;
  }

  // Errors.

  syntaxError(): void {
    this.reply.error(SYNTAX_ERROR);
  }

  wrongType(): void {
    this.reply.error(WRONG_TYPE);
  }

  wrongArity(): void {
    this.reply.error(`ERR wrong number of arguments for '${this.registered.name}' command`);
  }

  /** The errors of containers and options that have a HELP of their own. */
  unknownSubcommand(i: number): void {
    const parent = (this.registered.parent ?? this.registered).name.toUpperCase();
    this.reply.error(
      `ERR unknown subcommand or wrong number of arguments for '${this.args[i].shown(128)}'. Try ${parent} HELP.`,
    );
  }

  // Keys.

  /** Hash of the key at argument `i`. */
  hashOf(i: number): number {
    if (this.hashedAt !== i) {
      const hash = this.hashedBefore === i ? this.hashBefore : this.db.hash(this.args[i]);
      this.hashedBefore = this.hashedAt;
      this.hashBefore = this.hash;
      this.hashedAt = i;
      this.hash = hash;
    }
    return this.hash;
  }

  /**
   * The entry of the key at argument `i` for reading, NULL when absent; counts a hit or a miss and touches it. Commands that
   * only look at a key from outside (EXISTS, TTL) don't touch it.
   */
  find(i: number, touch = true): Addr {
    const e = this.peek(i);
    const stats = this.engine.stats;
    if (e === NULL) {
      stats.keyspaceMisses++;
      if (this.engine.events !== null) this.engine.notify(this.db, 'keymiss', this.args[i]);
      return NULL;
    }
    stats.keyspaceHits++;
    if (touch) this.db.touch(e);
    return e;
  }

  /** The same for writing: no hit, no miss. */
  findForWrite(i: number): Addr {
    const e = this.peek(i);
    if (e !== NULL) {
      const { stored } = this.memory;
      this.db.touch(e);
      this.memory.stored = stored;
    }
    return e;
  }

  /** The entry as it is, neither counted nor touched (but expired when its time is up). */
  peek(i: number): Addr {
    const hash = this.hashOf(i);
    const { stored } = this.memory;
    const e = this.db.find(this.args[i], hash);
    // That the table moved on or an expired key went is no doing of the command's.
    this.memory.stored = stored;
    return e;
  }

  /**
   * Opens the list at argument `i` for reading. `which` keeps several accessors of one type apart, for commands that use more
   * than one at a time; so for the other types.
   */
  listForRead(i: number, which = 0): Opened<ListValue> {
    const e = this.openFor(this.find(i), TYPE_LIST);
    return e ? this.engine.accessors.list(e, which) : e === NULL ? null : undefined;
  }

  /** The same for writing; an absent key gets an empty list when `create` is set, which the caller must not leave empty. */
  listForWrite(i: number, create = true, which = 0): Opened<ListValue> {
    const e = this.openFor(this.findForWrite(i), TYPE_LIST);
    if (e) return this.engine.accessors.list(e, which);
    if (e === undefined) return undefined;
    return create ? this.engine.accessors.list(this.create(i, TYPE_LIST), which) : null;
  }

  /** Opens the set of an entry that has been looked up. */
  setOf(found: Addr, which = 0): Opened<SetValue> {
    const e = this.openFor(found, TYPE_SET);
    return e ? this.engine.accessors.set(e, which) : e === NULL ? null : undefined;
  }

  setForRead(i: number, which = 0): Opened<SetValue> {
    return this.setOf(this.find(i), which);
  }

  setForWrite(i: number, create = true, which = 0): Opened<SetValue> {
    const opened = this.setOf(this.findForWrite(i), which);
    return opened === null && create ? this.engine.accessors.set(this.create(i, TYPE_SET), which) : opened;
  }

  hashForRead(i: number, which = 0): Opened<HashValue> {
    const e = this.openFor(this.find(i), TYPE_HASH);
    return e ? this.engine.accessors.hash(e, which) : e === NULL ? null : undefined;
  }

  hashForWrite(i: number, create = true, which = 0): Opened<HashValue> {
    const e = this.openFor(this.findForWrite(i), TYPE_HASH);
    if (e) return this.engine.accessors.hash(e, which);
    if (e === undefined) return undefined;
    return create ? this.engine.accessors.hash(this.create(i, TYPE_HASH), which) : null;
  }

  zsetForRead(i: number, which = 0): Opened<ZsetValue> {
    const e = this.openFor(this.find(i), TYPE_ZSET);
    return e ? this.engine.accessors.zset(e, which) : e === NULL ? null : undefined;
  }

  zsetForWrite(i: number, create = true, which = 0): Opened<ZsetValue> {
    const e = this.openFor(this.findForWrite(i), TYPE_ZSET);
    if (e) return this.engine.accessors.zset(e, which);
    if (e === undefined) return undefined;
    return create ? this.engine.accessors.zset(this.create(i, TYPE_ZSET), which) : null;
  }

  streamForRead(i: number, which = 0): Opened<StreamValue> {
    const e = this.openFor(this.find(i), TYPE_STREAM);
    return e ? this.engine.accessors.stream(e, which) : e === NULL ? null : undefined;
  }

  streamForWrite(i: number, create = true, which = 0): Opened<StreamValue> {
    const e = this.openFor(this.findForWrite(i), TYPE_STREAM);
    if (e) return this.engine.accessors.stream(e, which);
    if (e === undefined) return undefined;
    return create ? this.engine.accessors.stream(this.create(i, TYPE_STREAM), which) : null;
  }

  /** `e` when it holds `type`; undefined when it holds another and WRONGTYPE has been replied. */
  openFor(e: Addr, type: ValueType): Addr | undefined {
    if (e === NULL || entryType(this.memory, e) === type) return e;
    this.wrongType();
    return undefined;
  }

  /** A new entry with an empty aggregate at argument `i`, in its smallest encoding. */
  private create(i: number, type: ValueType): Addr {
    const encoding = smallestEncoding(type);
    const root = newValue(this.memory, type, encoding);
    try {
      const e = this.db.store(this.args[i], this.hashOf(i), NULL, type, encoding, root, -1);
      this.createdAt = i;
      return e;
    } catch (error) {
      freeValue(this.memory, type, encoding, root);
      throw error;
    }
  }

  /** After a command that ran out of memory: a key that it created and could put nothing under goes again. */
  dropCreated(): void {
    const i = this.createdAt;
    if (i < 0) return;
    const m = this.memory;
    const e = this.db.peek(this.args[i], this.hashOf(i));
    if (e !== NULL && valueLength(m, entryType(m, e), entryEncoding(m, e), entryValue(m, e)) === 0) this.remove(i);
  }

  /**
   * Stores a finished value under argument `i` in place of whatever was there, its expiry included (SINTERSTORE, SORT
   * STORE ...). The value must not be empty.
   */
  storeValue(i: number, type: ValueType, encoding: Encoding, root: Addr): void {
    const hash = this.hashOf(i);
    this.db.store(this.args[i], hash, this.db.find(this.args[i], hash), type, encoding, root, -1);
  }

  /**
   * Stores a string under argument `i` in place of whatever was there: in place, as an integer when it is one, or hung
   * off. `expiry` is in unix ms, -1 for none.
   */
  storeString(i: number, value: Slice, expiry = -1): void {
    const hash = this.hashOf(i);
    setString(this.db, this.args[i], hash, this.db.peek(this.args[i], hash), value, expiry);
  }

  // Consequences of a write.

  /**
   * The key at argument `i` was changed: `event` as keyspace notifications name it, `dirty` by how much. WATCH, tracking,
   * notifications, blocked clients, the count of changes and propagation all follow from this.
   */
  changed(i: number, event: string, dirty = 1): void {
    this.dirty += dirty;
    this.engine.changed(this.db, this.args[i], event);
  }

  /** The same for a key that is no argument. */
  changedKey(key: Slice, event: string, dirty = 1, db: Database = this.db): void {
    this.dirty += dirty;
    this.engine.changed(db, key, event);
  }

  /** Removes the key at argument `i` and its value; says whether there was one. No event: `changed` tells it. */
  remove(i: number, lazily?: boolean): boolean {
    return this.db.remove(this.args[i], this.hashOf(i), lazily);
  }

  /** When an aggregate at argument `i`, which `changed` has told of, has become empty: removes its key, and emits 'del'. */
  dropEmpty(i: number, value: { readonly length: number }): boolean {
    if (value.length > 0) return false;
    this.remove(i);
    this.engine.notify(this.db, 'del', this.args[i]);
    return true;
  }

  // Propagation.

  /** What is propagated in place of the command; text is one byte a character. Can be called again to add. */
  rewrite(...parts: EffectPart[]): void {
    this.rewriteFor(TO_ALL, ...parts);
  }

  /** The same for those of `mask` only (bits of propagation.ts). */
  rewriteFor(mask: number, ...parts: EffectPart[]): void {
    this.heardBy = TO_NOBODY;
    this.rewritten = true;
    this.engine.propagation.effect(this.db.index, parts, mask);
  }

  /** The command itself is not propagated, whatever it changed: only what `rewrite` names, if it is called. */
  propagateRewrites(): void {
    this.heardBy = TO_NOBODY;
  }

  /** The command itself is propagated to those of `mask` only (bits of propagation.ts), even when it changed nothing. */
  propagateTo(mask: number): void {
    this.heardBy = mask;
    this.always = true;
  }

  /** Whether building a rewritten effect is worth the work. */
  get propagates(): boolean {
    return this.engine.propagation.active;
  }

  /** Hands the command to the propagation, unless it was rewritten or changed nothing. */
  propagate(): void {
    if (this.heardBy === TO_NOBODY || (this.dirty === 0 && !this.always)) return;
    this.engine.propagation.command(this.db.index, this.args, this.argc, this.heardBy);
  }

  // Blocking.

  /**
   * Waits for one of the keys: the session takes no command until it is served, its time is up, or somebody unblocks it.
   * Where blocking is impossible (EXEC, scripts) the reply of a timeout is given at once.
   */
  block(request: BlockRequest): void {
    if (this.resuming) {
      this.stillWaiting = true;
      return;
    }
    if (this.denyBlocking) {
      replyTimeout(this.session, request.onTimeout);
      return;
    }
    this.engine.blocking.block(this.session, this.registered, this.args, this.argc, request, this.now);
  }
}
