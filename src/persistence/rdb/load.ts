/**
 * Loading a snapshot into the keyspaces that are given, in slices: `run` reads keys until it is told to pause or the file
 * ends, so that the event loop can answer in between. The file is read through a window, never as a whole.
 *
 *            run: false, starved ──more bytes──┐
 *                 ^                            v
 *   new ──────> reading <──run: false── (paused by the caller)
 *                 │
 *                 ├──run: true──> done        all is stored; `rest` is what came behind
 *                 └──error, abandon──> over   what was stored stays, what was half read is released
 *
 * A value that is read in portions may be half read between two calls (`unfinished`); its key's bytes are kept in a room of
 * the loader's own. The value reader must be nobody else's meanwhile: other commands run between slices.
 */
import { assert } from '../../base/assert.ts';
import { Slice } from '../../base/slice.ts';
import type { StreamContext } from '../../engine/replication-port.ts';
import type { Database } from '../../keyspace/database.ts';
import type { Keyspaces } from '../../keyspace/keyspaces.ts';
import { setString } from '../../keyspace/strings.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { OutOfMemory } from '../../memory/errors.ts';
import { setEntryLru } from '../../values/entry.ts';
import type { LoadLog, SnapshotLoad } from '../parts.ts';
import { type Store, StringBatch } from './batch.ts';
import * as rdb from './format.ts';
import { corrupt, RdbError } from './format.ts';
import { type Measures, MoreNeeded, type RdbInput, Room } from './input.ts';
import { LibraryError, readLibrary } from './library.ts';
import { moduleName, skipModule, type ValueReader } from './read-value.ts';

/** Characters of the id of a history. */
const ID_LENGTH = 40;

export interface LoadOptions {
  /** Where keys go. */
  readonly keyspaces: Keyspaces;
  readonly values: ValueReader;
  /** Bytes of the file; Infinity where nobody has said. */
  readonly size: number;
  readonly log: LoadLog;
  /** Deep tests (sanitize-dump-payload). */
  readonly deep: boolean;
  /** Whether keys whose time is up are left out: a master's way. */
  readonly dropExpired: boolean;
  /** Told of each key that is left out so; what AUX fields say has been read by then. */
  readonly dropped?: (db: number, key: Slice) => void;
  /** Whether keys that are there already are replaced (DEBUG RELOAD MERGE); else they are an error. */
  readonly merge: boolean;
  /** Whether the sum at the end is compared. */
  readonly checksum: boolean;
  /** Takes a library of functions, in steps, or throws why not; absent where there is nothing that could. */
  readonly loadFunctions?: (source: Uint8Array) => Iterator<undefined, void> | undefined;
}

export class RdbLoader implements SnapshotLoad {
  loaded = 0;
  expired = 0;
  empty = 0;
  /** Bytes that were in use when the file was made. */
  usedMemory = 0;
  /** Of `run` that has returned false: the bytes that come next have not arrived yet. */
  starved = false;
  private streamDb = -1;
  private replicationId = '';
  private replicationOffset = -1;
  private readonly input: RdbInput;
  private readonly options: LoadOptions;
  private db: Database;
  private version = 0;
  private done = false;
  /** The value of `key` is not all there yet. */
  private unfinished = false;
  /** A library that is being loaded. */
  private library: Iterator<undefined, void> | null = null;
  private expiry = -1;
  private idle = -1;
  private frequency = -1;
  private readonly room = new Room();
  private readonly key = new Slice();
  private readonly scratch = new Slice();
  private readonly batch = new StringBatch();
  private readonly batchKey = new Slice();
  private readonly batchValue = new Slice();
  /** Keys, and keys that expire, that room may yet be made for ahead of them. */
  private keysLeft: number;
  private expiresLeft: number;

  constructor(input: RdbInput, options: LoadOptions) {
    this.input = input;
    this.options = options;
    this.db = options.keyspaces.databases[0];
    this.keysLeft = Math.floor(options.size / KEY_BYTES);
    this.expiresLeft = Math.floor(options.size / EXPIRING_KEY_BYTES);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.input.offset;
  }

  /**
   * Reads on; true when the file has been read to its end, false when `pause`, asked after every key and every portion of a
   * large value, said so.
   */
  run(pause: () => boolean): boolean {
    this.starved = false;
    try {
      if (this.version === 0) this.readVersion();
      while (!this.done) {
        this.input.commit();
        if (this.library !== null) this.goOn(this.library);
        else if (this.unfinished) this.valued(() => this.options.values.proceed());
        else if (!this.step()) continue;
        if (pause()) return false;
      }
      return true;
    } catch (error) {
      if (!(error instanceof MoreNeeded)) throw error;
      this.input.rewind();
      this.starved = true;
      return false;
    } finally {
      this.storeBatch();
    }
  }

  /** What AUX fields have said of replication; null where they did not. */
  get replication(): StreamContext | null {
    const { streamDb: db, replicationId: id, replicationOffset: offset } = this;
    return id.length !== ID_LENGTH || offset < 0 ? null : { db, id: id.toLowerCase(), offset };
  }

  /** Bytes behind the end that have been taken from the source already. */
  rest(): Uint8Array {
    assert(this.done, 'only what has been read to its end has a rest');
    return this.input.rest();
  }

  /** Lets go of a value that is half read: nothing more will come. */
  abandon(): void {
    if (this.unfinished) this.options.values.abandon();
    this.unfinished = false;
    this.done = true;
  }

  private readVersion(): void {
    const text = this.input.bytes(9, this.scratch).keyword();
    if (!text.startsWith('REDIS')) throw new RdbError('foreign', 'Wrong signature trying to load DB from file');
    const version = Number.parseInt(text.slice(5), 10);
    if (!(version >= 1 && version <= rdb.VERSION_READ))
      throw new RdbError('foreign', `Can't handle RDB format version ${version || 0}`);
    this.version = version;
  }

  /** Reads one record; whether it was a key. */
  private step(): boolean {
    const { input } = this;
    const type = input.u8();
    switch (type) {
      case rdb.OP_EXPIRY:
        this.expiry = moment(input.i32() * 1000);
        return false;
      case rdb.OP_EXPIRY_MS:
        this.expiry = moment(input.i64());
        return false;
      case rdb.OP_FREQ:
        this.frequency = input.u8();
        return false;
      case rdb.OP_IDLE:
        this.idle = input.size();
        return false;
      case rdb.STRING:
        this.readString();
        return true;
      case rdb.OP_EOF:
        this.storeBatch();
        this.finish();
        return false;
      case rdb.OP_SELECTDB:
        this.storeBatch();
        this.select(input.size());
        return false;
      case rdb.OP_RESIZEDB:
        this.storeBatch();
        this.expand();
        return false;
      default:
        return this.other(type);
    }
  }

  private other(type: number): boolean {
    const { input } = this;
    if (rdb.isValueType(type)) {
      this.readKey(type);
      return true;
    }
    if (type === rdb.OP_AUX) this.aux();
    else if (type === rdb.OP_MODULE_AUX) this.moduleAux();
    else if (type === rdb.OP_FUNCTION2 || type === rdb.OP_FUNCTION_PRE) this.functions(type);
    else if (type === rdb.OP_SLOT_INFO) for (let i = 0; i < 3; i++) input.size();
    else if (type === 24 || type === 25)
      throw new RdbError('refused', 'Fields that expire (Redis 7.4) are not supported by this version.');
    else corrupt(`Unknown RDB encoding type ${type}`);
    return false;
  }

  private select(index: number): void {
    const db = this.options.keyspaces.databases[index];
    if (db === undefined) {
      const count = this.options.keyspaces.databases.length;
      throw new RdbError(
        'refused',
        `FATAL: Data file was created with a Redis server configured to handle more than ${count} databases. Exiting`,
      );
    }
    this.db = db;
  }

  /** Makes room ahead for the keys of a database, of all databases for no more than the file can hold. */
  private expand(): void {
    const keys = Math.min(this.input.size(), this.keysLeft);
    const expires = Math.min(this.input.size(), this.expiresLeft);
    this.keysLeft -= keys;
    this.expiresLeft -= expires;
    this.db.expand(Math.min(keys, MOST_EXPECTED), Math.min(expires, MOST_EXPECTED));
  }

  private aux(): void {
    const { log } = this.options;
    const name = this.input.keep(this.room, this.key).keyword();
    const value = this.input.string(this.scratch).shown();
    const number = Number.parseInt(value, 10) || 0;
    if (name.startsWith('%')) {
      log.notice(`RDB '${name}': ${value}`);
      return;
    }
    switch (name.toLowerCase()) {
      case 'redis-ver':
        log.notice(`Loading RDB produced by version ${value}`);
        return;
      case 'ctime':
        log.notice(`RDB age ${Math.max(0, Math.floor(this.options.keyspaces.now / 1000) - number)} seconds`);
        return;
      case 'used-mem':
        this.usedMemory = number;
        log.notice(`RDB memory usage when created ${(number / 1048576).toFixed(2)} Mb`);
        return;
      case 'repl-stream-db':
        this.streamDb = number;
        return;
      case 'repl-id':
        this.replicationId = value;
        return;
      case 'repl-offset':
        this.replicationOffset = number;
        return;
      case 'aof-preamble':
        if (number !== 0) log.notice('RDB has an AOF tail');
        return;
      case 'aof-base':
        if (number !== 0) log.notice('RDB is base AOF');
        return;
      default:
        if (!SILENT_AUX.has(name.toLowerCase())) log.debug(`Unrecognized RDB AUX field: '${name}' '${value}'`);
    }
  }

  private moduleAux(): void {
    const name = moduleName(this.input.size64());
    const opcode = this.input.size();
    this.input.size();
    if (opcode !== 2) corrupt('bad when_opcode');
    skipModule(this.input, name);
    this.options.log.warning(`Passing over AUX data of module '${name}', which this server does not have`);
  }

  private functions(type: number): void {
    const { loadFunctions } = this.options;
    if (loadFunctions === undefined)
      throw new RdbError('refused', 'The RDB file contains functions, which this version does not support yet');
    this.library = this.taken(() => loadFunctions(readLibrary(this.input, type))) ?? null;
  }

  /** Goes on with a library. */
  private goOn(library: Iterator<undefined, void>): void {
    if (this.taken(() => library.next()).done) this.library = null;
  }

  /** What there is of a library, unless it can't be had. */
  private taken<T>(take: () => T): T {
    try {
      return take();
    } catch (error) {
      if (error instanceof OutOfMemory || error instanceof MoreNeeded || !(error instanceof Error)) throw error;
      if (error instanceof LibraryError && error.fault !== 'short') throw error.reason;
      this.options.log.warning(`Failed loading library, ${error.message}`);
      // Redis takes it for an end of the file.
      throw Object.assign(new RdbError('short', 'Unexpected EOF reading RDB file'), { cause: error });
    }
  }

  /** A key with a string, the commonest of all: short ones are stored by the batch. */
  private readString(): void {
    const { input, batch, key, scratch, expiry, idle, frequency } = this;
    const short = batch.takeKey(input.string(key));
    if (!short) this.room.take(key, key);
    const value = input.stringOrMeasures(scratch, LONG_STRING);
    if (!(value instanceof Slice)) {
      this.readLongString(value, short);
      return;
    }
    this.forget();
    if (this.isPast(expiry)) {
      this.expired++;
      this.options.dropped?.(this.db.index, key);
      return;
    }
    const { length } = key;
    const hash = this.db.hash(key);
    if (short && batch.takeValue(value)) {
      batch.add(length, hash, expiry, idle, frequency);
      if (batch.full) this.storeBatch();
      return;
    }
    this.storeBatch();
    this.storeString(key, hash, value, expiry, idle, frequency);
  }

  private readLongString(measures: Measures, batched: boolean): void {
    const { input, key, options } = this;
    this.storeBatch();
    if (batched) this.room.take(key, key);
    this.valued(() => {
      // No memory is taken on the word of bytes that are not there.
      if (measures.stored > options.size - input.offset) throw new RdbError('short', 'Unexpected EOF reading RDB file');
      options.values.beginLongString(input, measures);
      return this.proceed();
    });
  }

  private storeBatch(): void {
    if (this.batch.count > 0) this.batch.empty(this.db, this.batchKey, this.batchValue, this.storeString);
  }

  private readonly storeString: Store = (key, hash, value, expiry, idle, frequency) => {
    this.unique(key, hash);
    this.stamp(setString(this.db, key, hash, NULL, value, expiry), idle, frequency);
    this.loaded++;
  };

  private readKey(type: number): void {
    const { input, options } = this;
    this.storeBatch();
    input.keep(this.room, this.key);
    this.valued(() => {
      options.values.begin(input, type, options.deep);
      return this.proceed();
    });
  }

  /** Goes on with a value that has been begun: from here on reading goes back no further. */
  private proceed(): boolean {
    this.input.commit();
    this.unfinished = true;
    return this.options.values.proceed();
  }

  /** Has some of a value read by `step`, and stores it when that says that it is all there. */
  private valued(step: () => boolean): void {
    const { log } = this.options;
    try {
      this.unfinished = !step();
      if (this.unfinished) return;
      this.store(this.key);
    } catch (error) {
      if (error instanceof MoreNeeded) throw error;
      this.unfinished = false;
      if (!(error instanceof RdbError) || error.fault !== 'empty') throw error;
      if (this.empty++ < 10) log.warning(`rdbLoadObject skipping empty key: ${this.key.shown()}`);
    }
    this.forget();
  }

  /** What was said of the key that has been read concerns no other. */
  private forget(): void {
    this.expiry = -1;
    this.idle = -1;
    this.frequency = -1;
  }

  private isPast(expiry: number): boolean {
    const { dropExpired, keyspaces } = this.options;
    return dropExpired && expiry >= 0 && expiry < keyspaces.now;
  }

  private store(key: Slice): void {
    const { values } = this.options;
    const { db, expiry } = this;
    if (this.isPast(expiry)) {
      values.drop();
      this.expired++;
      this.options.dropped?.(db.index, key);
      return;
    }
    const hash = db.hash(key);
    try {
      this.unique(key, hash);
    } catch (error) {
      values.drop();
      throw error;
    }
    this.stamp(storeValue(db, key, hash, NULL, values, expiry), this.idle, this.frequency);
    this.loaded++;
  }

  /** Makes sure that the key is not there. */
  private unique(key: Slice, hash: number): void {
    const { db } = this;
    if (db.peek(key, hash) === NULL) return;
    if (!this.options.merge) corrupt(`RDB has duplicated key '${key.shown()}' in DB ${db.index}`);
    db.remove(key, hash);
  }

  private stamp(e: Addr, idle: number, frequency: number): void {
    const { usage, memory } = this.options.keyspaces;
    if (usage.policy.lfu) {
      if (frequency >= 0) setEntryLru(memory, e, usage.stampForFrequency(frequency));
    } else if (idle >= 0) setEntryLru(memory, e, usage.stampForIdle(idle));
  }

  private finish(): void {
    const sum = this.version < 5 ? null : this.input.checksum();
    this.done = true;
    if (this.version < 5) return;
    const stored = this.input.bytes(8, this.scratch);
    if (sum === null || !this.options.checksum) return;
    if (stored.view().every((byte) => byte === 0)) {
      this.options.log.warning('RDB file was saved with checksum disabled: no check performed.');
      return;
    }
    if (!stored.view().every((byte, i) => byte === sum[i]))
      corrupt(`Wrong RDB checksum expected: (${hex(sum)}) but got (${hex(stored.view())}). Aborting now.`);
  }
}

const SILENT_AUX = new Set(['redis-bits', 'lua']);

/** A longer string is read in portions. */
const LONG_STRING = 1 << 20;
/** Most keys that room is made for ahead, however large the file. */
const MOST_EXPECTED = 1 << 26;
/** The fewest bytes of a key, and of one that expires. */
const KEY_BYTES = 3;
const EXPIRING_KEY_BYTES = 8;

/** A time of a file: -1 is none, any other before 1970 is just past. */
function moment(millis: number): number {
  return millis === -1 ? -1 : Math.max(0, millis);
}

function hex(sum: Uint8Array): string {
  return Buffer.from(sum)
    .reverse()
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}

/** Stores what a reader has read under `key`, whose entry is `old` or NULL; what can't be stored is released. */
export function storeValue(
  db: Database,
  key: Slice,
  hash: number,
  old: Addr,
  values: ValueReader,
  expiry: number,
): Addr {
  if (values.root === NULL) return setString(db, key, hash, old, values.text, expiry);
  try {
    return db.store(key, hash, old, values.type, values.encoding, values.root, expiry);
  } catch (error) {
    values.drop();
    throw error;
  }
}
