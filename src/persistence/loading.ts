/**
 * Loading a snapshot or the append-only file: in slices between which clients are answered (LOADING, INFO, PING of those
 * that may), or at one go for commands that can't wait.
 *
 *   idle ──announce──> announced ──begin──> loading ──end──> idle
 *    │ ^───renounce────────┘                   ^
 *    └──────────begin (DEBUG RELOAD, LOADAOF)──┘
 *
 * Invariants (verify): clients are refused from `announce` on to the end (`active`); while something is loading (`source`),
 * and only then, nobody hears of keys that come into being or expire.
 */
import { assert } from '../base/assert.ts';
import type { DiskFile } from '../base/disk.ts';
import { sleepThread } from '../base/sleep.ts';
import type { Slice } from '../base/slice.ts';
import { codeOf, systemError } from '../base/system-error.ts';
import { GATE_LOADING } from '../engine/gates.ts';
import type { Libraries } from '../engine/persistence-port.ts';
import type { StreamContext } from '../engine/replication-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { Keyspaces } from '../keyspace/keyspaces.ts';
import { AofError, AofLoader, type AofPart, type AofSizes } from './aof/load.ts';
import type { ByteSource } from './chunks.ts';
import type { PersistenceParts, SnapshotLoad } from './parts.ts';
import type { ChunkFeed } from './rdb/feed.ts';
import { RdbError } from './rdb/format.ts';
import { RdbInput } from './rdb/input.ts';
import { RdbLoader } from './rdb/load.ts';
import { ValueReader } from './rdb/read-value.ts';

/** How long a slice may take before clients are looked at. */
const SLICE_MICROS = 5000;
/** The first of what a master has sent: few data are there before anybody is told that they are being loaded, as in Redis. */
const FIRST_SLICE_MICROS = 40_000;
/** Keys or commands that are loaded between two looks at the clock. */
const STEPS_PER_LOOK = 64;

/** What loading asks of the whole. */
interface LoadingOwner {
  readonly skipChecksum: boolean;
  readonly libraries: Libraries | null;
}

/** Where what a socket brings goes. */
export interface ArrivingOptions {
  readonly keyspaces: Keyspaces;
  /** Bytes; Infinity where nobody has said. */
  readonly size: number;
  readonly library: (source: Uint8Array) => void;
}

/** What is being loaded, and how far. */
interface Source {
  run(pause: () => boolean): boolean;
  readonly offset: number;
  readonly usedMemory: number;
}

/** The file with the damaged snapshot that ended a load, where one did: all of it can be examined. */
export function damagedSnapshot(error: unknown): string | undefined {
  const cause = error instanceof AofError ? error.cause : error;
  if (!(cause instanceof RdbError) || cause.fault === 'foreign' || cause.fault === 'refused') return undefined;
  return cause.file ?? undefined;
}

/**
 * Whole seconds until `total` bytes are read, of which `read` took `elapsed` milliseconds. Clients wait so long before they
 * ask again, so the first second, which tells too little, is answered with 1.
 */
export function secondsLeft(elapsed: number, read: number, total: number): number {
  return elapsed < 1000 ? 1 : Math.floor((elapsed * (total - read)) / (read + 1) / 1000);
}

export class Loading {
  active = false;
  lastExpired = 0;
  lastLoaded = 0;
  /** Told to end early: the server is being shut down. */
  cancelled = false;
  private readonly parts: PersistenceParts;
  private readonly values: ValueReader;
  private readonly owner: LoadingOwner;
  private source: Source | null = null;
  /** What a master has sent, while it is loaded from its file. */
  private master: RdbLoader | null = null;
  private total = 0;
  /** Resolves when what is loaded of a master has come to its end. */
  ended: Promise<void> = Promise.resolve();
  /** Unix time, ms. */
  private startedAt = 0;

  constructor(parts: PersistenceParts, values: ValueReader, owner: LoadingOwner) {
    this.parts = parts;
    this.values = values;
    this.owner = owner;
  }

  /** There is something to load: clients that come before it begins are told so. */
  announce(): void {
    this.active = true;
    this.parts.engine.gates.set(GATE_LOADING, 'load', true);
  }

  /** Nothing was to be loaded after all. */
  renounce(): void {
    this.active = false;
    this.parts.engine.gates.set(GATE_LOADING, 'load', false);
  }

  // Snapshots.

  /** Loads the snapshot at `path`, where there is one, in slices. Rejects where it can't be loaded; the log has told why. */
  async run(path: string): Promise<void> {
    const { environment, log } = this.parts;
    const { clock, disk } = environment;
    const begin = clock.monotonic();
    let file: DiskFile;
    try {
      file = disk.open(path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        this.renounce();
        return;
      }
      log.warning(`Fatal error loading the DB: ${systemError(error)}. Exiting.`);
      throw error;
    }
    const { size } = file;
    const { replication } = this.parts.engine;
    let restored = false;
    const restore = (): void => {
      const context = loader.replication;
      if (context !== null && !restored) replication.restored(context);
      restored = true;
    };
    const loader = this.snapshot(fromFile(file, log), size, !replication.isReplica, false, (db, key) => {
      restore();
      replication.expiredInSnapshot(db, key);
    });
    try {
      this.begin(loader, size);
      if (!(await this.inSlices())) return;
      restore();
      this.report(loader);
      log.notice(`DB loaded from disk: ${((clock.monotonic() - begin) / 1e6).toFixed(3)} seconds`);
    } catch (error) {
      this.tell(error, loader.offset, path);
      throw error;
    } finally {
      file.close();
      this.end();
    }
  }

  /** Loads the snapshot `file` that a master has sent, in slices; where in which history it stands. Rejects as `run` does. */
  fromMaster(file: string): Promise<StreamContext | null> {
    const load = this.ofMaster(file);
    this.ended = load.then(
      () => {},
      () => {},
    );
    return load;
  }

  private async ofMaster(file: string): Promise<StreamContext | null> {
    const { environment, log } = this.parts;
    const source = environment.disk.open(file, 'r');
    const loader = this.snapshot(fromFile(source, log), source.size, false, false);
    this.master = loader;
    try {
      this.begin(loader, source.size);
      if (!this.slice(FIRST_SLICE_MICROS)) while (!(await this.sliceOf(loader)));
      this.report(loader);
      return loader.replication;
    } catch (error) {
      this.tell(error, loader.offset, file);
      throw error;
    } finally {
      source.close();
      if (this.master === loader) this.master = null;
      this.end();
    }
  }

  /** What is loaded of a master is not wanted any more. */
  cancelFromMaster(): void {
    this.master?.abandon();
    this.master = null;
  }

  /** One slice, once the event loop has looked round; whether all is loaded, or nothing more is wanted. */
  private async sliceOf(loader: RdbLoader): Promise<boolean> {
    await new Promise<void>((done) => this.parts.environment.clock.soon(done));
    if (this.master !== loader) return true;
    this.parts.engine.keyspaces.refresh();
    return this.slice();
  }

  /** A loader of a snapshot that a socket brings. The caller runs it, between `beginArriving` and `endArriving`. */
  arriving(feed: ChunkFeed, into: ArrivingOptions): RdbLoader {
    const { engine, config, log } = this.parts;
    const { rdbchecksum, sanitizeDumpPayload } = config.settings;
    const checksum = rdbchecksum && !this.owner.skipChecksum;
    return new RdbLoader(feed.input(checksum), {
      keyspaces: into.keyspaces,
      // Commands may read values of their own between two slices.
      values: new ValueReader(engine.memory, engine.accessors.limits),
      size: into.size,
      log,
      deep: sanitizeDumpPayload === 'yes',
      dropExpired: false,
      merge: false,
      checksum,
      loadFunctions: this.owner.libraries === null ? undefined : (text) => void into.library(text),
    });
  }

  beginArriving(loader: RdbLoader, total: number): void {
    this.begin(loader, total);
  }

  endArriving(): void {
    this.end();
  }

  /** Makes libraries, in steps: what puts all of them in place of those there are, or the error where one can't be had. */
  *replacingLibraries(sources: readonly Uint8Array[]): Generator<undefined, string | (() => void)> {
    const { libraries } = this.owner;
    try {
      return libraries === null ? () => {} : yield* libraries.replacing(sources);
    } catch (error) {
      return `Failed loading library, ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Loads the snapshot at `path` at one go. */
  now(path: string, merge: boolean): void {
    const { environment, log } = this.parts;
    const { disk } = environment;
    const file = disk.open(path, 'r');
    try {
      const { size } = file;
      const { replication } = this.parts.engine;
      const loader = this.snapshot(fromFile(file, log), size, !replication.isReplica, merge, (db, key) =>
        replication.expiredInSnapshot(db, key),
      );
      this.begin(loader, size);
      loader.run(() => false);
      this.report(loader);
    } finally {
      file.close();
      this.end();
    }
  }

  private snapshot(
    source: ByteSource,
    size: number,
    dropExpired: boolean,
    merge: boolean,
    dropped?: (db: number, key: Slice) => void,
  ): RdbLoader {
    const { engine, config, log } = this.parts;
    const { libraries } = this.owner;
    const { rdbchecksum, sanitizeDumpPayload } = config.settings;
    const checksum = rdbchecksum && !this.owner.skipChecksum;
    return new RdbLoader(RdbInput.from(source, checksum), {
      keyspaces: engine.keyspaces,
      values: this.values,
      size,
      log,
      deep: sanitizeDumpPayload === 'yes',
      dropExpired,
      dropped,
      merge,
      checksum,
      loadFunctions: libraries === null ? undefined : (text) => libraries.load(text, merge),
    });
  }

  // The append-only file.

  /**
   * Loads the files of the log, in the order given, in slices; null where that was cancelled. Rejects where they can't be
   * loaded; the log of the server has told why.
   */
  async runAof(files: readonly AofPart[]): Promise<AofSizes | null> {
    const loader = this.beginAof(files, false);
    try {
      return (await this.inSlices()) ? loader.loadedSizes : null;
    } catch (error) {
      this.tellOther(error);
      throw error;
    } finally {
      this.endAof(loader);
    }
  }

  /** The same at one go. */
  nowAof(files: readonly AofPart[]): AofSizes {
    const loader = this.beginAof(files, true);
    try {
      const step = this.stepper();
      loader.run(() => {
        step();
        return false;
      });
      return loader.loadedSizes;
    } catch (error) {
      this.tellOther(error);
      throw error;
    } finally {
      this.endAof(loader);
    }
  }

  private beginAof(files: readonly AofPart[], atOnce: boolean): AofLoader {
    const { engine, config, log, environment } = this.parts;
    const { clock, disk } = environment;
    const { aofLoadTruncated, appendfilename } = config.settings;
    const loader = new AofLoader(files, {
      disk,
      engine,
      clock,
      log,
      truncated: aofLoadTruncated,
      oldName: appendfilename,
      atOnce,
      // What expires meanwhile is there for the commands behind the snapshot, as it was when they ran.
      snapshot: (source, size) => this.snapshot(source, size, false, false),
      faulty: (error, offset, file) => this.tell(error, offset, file),
      loaded: (snapshot) => this.report(snapshot),
    });
    this.begin(loader, loader.total);
    engine.keyspaces.showExpired('load', true);
    engine.propagation.silence(true);
    return loader;
  }

  private endAof(loader: AofLoader): void {
    const { engine } = this.parts;
    loader.end();
    this.end();
    engine.keyspaces.showExpired('load', false);
    engine.propagation.silence(false);
  }

  private tellOther(error: unknown): void {
    if (error instanceof AofError) return;
    this.parts.log.warning(`Fatal error loading the DB: ${systemError(error)}. Exiting.`);
  }

  // Either.

  private begin(source: Source, total: number): void {
    const { engine, environment } = this.parts;
    assert(this.source === null, 'one load at a time');
    const { clock } = environment;
    this.source = source;
    this.total = total;
    this.startedAt = clock.now();
    this.active = true;
    engine.gates.set(GATE_LOADING, 'load', true);
    engine.keyspaces.listener = null;
    engine.keyspaces.refresh();
  }

  private end(): void {
    const { engine } = this.parts;
    this.source = null;
    this.renounce();
    engine.keyspaces.listener = engine;
  }

  /** Throws where an invariant of the header does not hold. */
  verify(): void {
    const { engine } = this.parts;
    assert(this.source === null || this.active, 'what is loading is active');
    assert(!this.active || engine.gates.any(GATE_LOADING), 'clients are refused while it is active');
    assert((this.source !== null) === (engine.keyspaces.listener === null), 'nobody hears of keys that are loaded');
  }

  /** Whether all has been loaded, and not cancelled. Nothing is loaded within the command that asks for it. */
  private async inSlices(): Promise<boolean> {
    do {
      await new Promise<void>((done) => this.parts.environment.clock.soon(done));
      if (this.cancelled) return false;
      this.verify();
      this.parts.engine.keyspaces.refresh();
    } while (!this.slice());
    return true;
  }

  /** Loads for some milliseconds, or as many bytes as the setting says; whether all is loaded. */
  private slice(micros = SLICE_MICROS): boolean {
    const { environment, config } = this.parts;
    const { clock } = environment;
    const source = this.source!;
    const until = clock.monotonic() + micros;
    const enough = source.offset + config.settings.loadingProcessEventsIntervalBytes;
    const step = this.stepper();
    let steps = 0;
    return source.run(() => {
      const slept = step();
      return (++steps % STEPS_PER_LOOK === 0 || slept) && (clock.monotonic() >= until || source.offset >= enough);
    });
  }

  /** What is done after each key or command: it waits as key-load-delay tells, and says whether it did. */
  stepper(): () => boolean {
    const { keyLoadDelay: delay } = this.parts.config.settings;
    let steps = 0;
    return () => {
      if (delay > 0) sleepThread(delay / 1000);
      else if (delay < 0 && ++steps % -delay === 0) sleepThread(0.001);
      return delay > 0;
    };
  }

  private report({ loaded, expired, empty }: SnapshotLoad): void {
    const { log } = this.parts;
    this.lastLoaded = loaded;
    this.lastExpired = expired;
    if (empty > 0)
      log.warning(`Done loading RDB, keys loaded: ${loaded}, keys expired: ${expired}, empty keys skipped: ${empty}.`);
    else log.notice(`Done loading RDB, keys loaded: ${loaded}, keys expired: ${expired}.`);
  }

  /** Tells why snapshot `file` can't be loaded, which was read as far as `offset`. */
  private tell(error: unknown, offset: number, file: string): void {
    const { log } = this.parts;
    if (!(error instanceof RdbError)) {
      log.warning(`Fatal error loading the DB: ${systemError(error)}. Exiting.`);
      return;
    }
    error.file = file;
    const { fault, message, line } = error;
    const wrongSum = message.startsWith('Wrong RDB checksum');
    // Where a stream ends too early Redis tells only of what it was reading then.
    if (fault === 'short' && line === 0)
      log.warning('Short read or OOM loading DB. Unrecoverable error, aborting now.');
    else if ((fault !== 'corrupt' && fault !== 'short') || wrongSum) log.warning(message);
    if (fault === 'foreign') log.warning('Fatal error loading the DB: Invalid argument. Exiting.');
    else if (fault !== 'refused') {
      const what = wrongSum ? 'RDB CRC error' : message;
      log.warning(`Internal error in RDB reading offset ${offset}, function at rdb -> ${what}`);
    }
  }

  figures(): Readonly<Record<string, string | number>> {
    if (this.source === null) return {};
    const read = this.source.offset;
    const { clock } = this.parts.environment;
    return {
      loading_start_time: Math.floor(this.startedAt / 1000),
      loading_total_bytes: this.total,
      loading_rdb_used_mem: this.source.usedMemory,
      loading_loaded_bytes: read,
      loading_loaded_perc: ((read * 100) / Math.max(1, this.total)).toFixed(2),
      loading_eta_seconds: secondsLeft(clock.now() - this.startedAt, read, this.total),
    };
  }
}

/** What can't be read (a folder, a broken disk) is an end, of which the log is told why. */
function fromFile(file: DiskFile, log: Log): ByteSource {
  let position = 0;
  return (into, at, length) => {
    try {
      const got = file.read(into, at, length, position);
      position += got;
      return got;
    } catch (error) {
      log.warning(`Error reading the DB: ${systemError(error)}`);
      return 0;
    }
  };
}
