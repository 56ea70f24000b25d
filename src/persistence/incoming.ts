/**
 * A master's snapshot on its way in (repl-diskless-load).
 *
 *   disk       pieces ─> temporary file ─> in place of the snapshot ─> old data go ─> loaded in slices
 *   straight   old data go ─> pieces ─> loaded as they come
 *   aside      pieces ─> loaded as they come into databases of their own ─> these are swapped for the old, which go
 *
 * Aside the old data are there until the new ones are complete. Where they belong to the history of those that come,
 * clients are answered from them all the while (async loading); otherwise they are only kept for the case that it fails.
 *
 * Invariants: the gate of one kind of loading is shut from `begin` until `end`; the databases aside are disposed of,
 * whatever happens; after `abort` nothing more is heard of it.
 */
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { type DiskFile, removeQuietly } from '../base/disk.ts';
import { systemError } from '../base/system-error.ts';
import type { Timer } from '../base/time.ts';
import { GATE_ASYNC_LOADING } from '../engine/gates.ts';
import type { Incoming, IncomingOptions } from '../engine/replication-port.ts';
import { Keyspaces } from '../keyspace/keyspaces.ts';
import { removeSyncFile } from './for-replicas.ts';
import type { Loading } from './loading.ts';
import type { PersistenceParts } from './parts.ts';
import { ChunkFeed } from './rdb/feed.ts';
import type { RdbLoader } from './rdb/load.ts';

/** The data as a whole, for one who replaces it. */
export interface DataOwner {
  readonly loads: Loading;
  /** What is being saved or logged of the old data is void. */
  stopWriting(): void;
  /** The log, where there is one, begins with the new data. */
  writeAgain(): void;
  /** Removes all data, for what will be loaded. */
  clear(lazily: boolean): void;
  /** Puts the data of `keyspaces` in place of what there is, which goes in slices. */
  replace(keyspaces: Keyspaces): void;
}

const SLICE_MICROS = 5000;
const KEYS_PER_LOOK = 64;
/** Bytes that have come and not been loaded, beyond which no more are wanted. */
const WAITING_MOST = 16 * 1024 * 1024;
const WAITING_FEW = 4 * 1024 * 1024;
const SYNC_EVERY = 8 * 1024 * 1024;
const ALIVE_EVERY = 1000;
const OBTAINED = 'obtained from the master. This replica has persistence disabled';

/** What the log says of data that are loaded as they come. */
interface LogTexts {
  readonly loading: string;
  readonly swapping: string;
  readonly discarding: string;
  readonly failed: string;
  /** Why it ends before all has come. */
  readonly gone: string;
  readonly longer: string;
}

const OF_MASTER: LogTexts = {
  loading: 'MASTER <-> REPLICA sync: Loading DB in memory',
  swapping: 'MASTER <-> REPLICA sync: Swapping active DB with loaded DB',
  discarding: 'MASTER <-> REPLICA sync: Discarding old DB in background',
  failed: 'Failed trying to load the MASTER synchronization DB from socket, check server logs.',
  gone: 'Short read: the connection is gone',
  longer: 'The snapshot of MASTER ends before its payload does',
};

const OF_OWNER: LogTexts = {
  loading: 'Restore: loading a snapshot from memory',
  swapping: 'Restore: putting the loaded data in place of the old',
  discarding: 'Restore: the old data go in background',
  failed: 'Restore: the snapshot was not loaded, the data are as they were',
  gone: 'the server closes',
  longer: 'Restore: bytes follow behind the end of the snapshot',
};

export function receive(parts: PersistenceParts, data: DataOwner, options: IncomingOptions): Incoming {
  const { engine, config } = parts;
  const { replDisklessLoad: way } = config.settings;
  const empty = engine.keyspaces.databases.every(({ size }) => size === 0);
  if (way === 'swapdb') return new StraightIncoming(parts, data, options, true);
  if (way === 'on-empty-db' && empty) return new StraightIncoming(parts, data, options, false);
  return new FileIncoming(parts, data, options);
}

/** One that comes from the server's owner: the old data are served until the new ones are complete. */
export function loadAside(
  parts: PersistenceParts,
  data: DataOwner,
  options: Omit<IncomingOptions, 'sameHistory'>,
): Incoming {
  return new StraightIncoming(parts, data, { ...options, sameHistory: true }, true, OF_OWNER);
}

/** Tells the master once a second that we are alive. */
class Pulse {
  private readonly parts: PersistenceParts;
  private readonly alive: () => void;
  private timer: Timer | null = null;

  constructor(parts: PersistenceParts, alive: () => void) {
    this.parts = parts;
    this.alive = alive;
  }

  start(): void {
    this.timer = this.parts.environment.clock.after(ALIVE_EVERY, () => {
      this.alive();
      this.start();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }
}

class FileIncoming implements Incoming {
  private readonly parts: PersistenceParts;
  private readonly data: DataOwner;
  private readonly options: IncomingOptions;
  private readonly path: string;
  private readonly pulse: Pulse;
  private file: DiskFile | null = null;
  private unsynced = 0;
  private over = false;

  constructor(parts: PersistenceParts, data: DataOwner, options: IncomingOptions) {
    this.parts = parts;
    this.data = data;
    this.options = options;
    this.pulse = new Pulse(parts, options.alive);
    this.path = join(parts.config.path, `temp-${parts.engine.server.fileNames.next()}.rdb`);
  }

  piece(bytes: Uint8Array, from: number, to: number): void {
    if (this.over) return;
    try {
      this.file ??= this.parts.environment.disk.open(this.path, 'w');
      this.file.writeAll(bytes.subarray(from, to));
      this.unsynced += to - from;
      if (this.unsynced < SYNC_EVERY) return;
      // In portions, so that the end has little left to wait for.
      this.file.syncData();
      this.unsynced = 0;
    } catch (error) {
      this.fail(
        `Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization: ${systemError(error)}`,
      );
    }
  }

  finish(): void {
    if (this.over) return;
    const { environment, config } = this.parts;
    const { disk } = environment;
    const target = join(config.path, config.settings.dbfilename);
    try {
      this.file ??= disk.open(this.path, 'w');
      this.file.sync();
      this.file.close();
      this.file = null;
      disk.rename(this.path, target);
      disk.syncFolder(config.path);
    } catch (error) {
      this.fail(
        `Failed trying to rename the temp DB into ${config.settings.dbfilename} in MASTER <-> REPLICA synchronization: ${systemError(error)}`,
      );
      return;
    }
    void this.load(target);
  }

  private async load(target: string): Promise<void> {
    const { options, data, parts } = this;
    const { log, config } = parts;
    data.stopWriting();
    options.emptied();
    log.notice('MASTER <-> REPLICA sync: Flushing old data');
    data.clear(config.settings.replicaLazyFlush);
    log.notice('MASTER <-> REPLICA sync: Loading DB in memory');
    this.pulse.start();
    try {
      const context = await data.loads.fromMaster(target);
      if (this.over) return;
      this.end();
      removeSyncFile(parts, target, OBTAINED);
      data.writeAgain();
      options.done({ context });
    } catch {
      if (this.over) return;
      removeSyncFile(parts, target, OBTAINED);
      this.fail('Failed trying to load the MASTER synchronization DB from disk, check server logs.');
    }
  }

  abort(): void {
    this.data.loads.cancelFromMaster();
    this.end();
  }

  private fail(error: string): void {
    this.end();
    this.options.done({ error });
  }

  private end(): void {
    this.over = true;
    this.pulse.stop();
    this.file?.close();
    this.file = null;
    removeQuietly(this.parts.environment.disk, this.path);
  }
}

class StraightIncoming implements Incoming {
  private readonly parts: PersistenceParts;
  private readonly data: DataOwner;
  private readonly options: IncomingOptions;
  private readonly texts: LogTexts;
  private readonly pulse: Pulse;
  private readonly feed = new ChunkFeed();
  private readonly loader: RdbLoader;
  /** Where the data go until they are complete; null where they go to their place at once. */
  private readonly beside: Keyspaces | null;
  private readonly libraries: Uint8Array[] = [];
  /** The end of the load: makes the libraries that came, to be put in their place, or tells why that can't be. */
  private replacing: Generator<undefined, string | (() => void)> | null = null;
  private scheduled = false;
  private crowded = false;
  /** Bytes that have come; whether all have, and whether all has been loaded: a snapshot ends where its payload does. */
  private pushed = 0;
  private come = false;
  private loaded = false;
  private over = false;

  constructor(
    parts: PersistenceParts,
    data: DataOwner,
    options: IncomingOptions,
    aside: boolean,
    texts: LogTexts = OF_MASTER,
  ) {
    const { engine, config, environment, usage, log } = parts;
    this.texts = texts;
    this.parts = parts;
    this.data = data;
    this.options = options;
    this.pulse = new Pulse(parts, options.alive);
    const { databases, clusterEnabled } = config.settings;
    this.beside = aside
      ? new Keyspaces(
          engine.memory,
          environment.clock,
          databases,
          usage,
          engine.random,
          clusterEnabled,
          engine.keyspaces.reclaimer,
        )
      : null;
    this.loader = data.loads.arriving(this.feed, {
      keyspaces: this.beside ?? engine.keyspaces,
      size: options.length < 0 ? Number.POSITIVE_INFINITY : options.length,
      library: (source) => this.libraries.push(source),
    });
    data.stopWriting();
    if (!aside) {
      options.emptied();
      log.notice('MASTER <-> REPLICA sync: Flushing old data');
      data.clear(config.settings.replicaLazyFlush);
    }
    log.notice(texts.loading);
    this.gate(true);
    this.pulse.start();
  }

  private get async(): boolean {
    return this.beside !== null && this.options.sameHistory;
  }

  private gate(shut: boolean): void {
    const { engine } = this.parts;
    if (this.async) engine.gates.set(GATE_ASYNC_LOADING, 'replication', shut);
    else if (shut) this.data.loads.beginArriving(this.loader, Math.max(0, this.options.length));
    else this.data.loads.endArriving();
  }

  piece(bytes: Uint8Array, from: number, to: number): void {
    if (this.over) return;
    this.feed.push(bytes.slice(from, to));
    this.pushed += to - from;
    if (!this.crowded && this.feed.waiting > WAITING_MOST) {
      this.crowded = true;
      this.options.pace(false);
    }
    this.schedule();
  }

  finish(): void {
    this.come = true;
    this.feed.end();
    this.schedule();
  }

  abort(): void {
    if (this.over) return;
    this.tell(this.texts.gone);
    this.parts.log.warning(this.texts.failed);
    this.end();
    this.discard();
  }

  /** How far it came, and why no further. */
  private tell(reason: string): void {
    this.parts.log.warning(`Internal error in RDB reading offset ${this.loader.offset}, function at rdb -> ${reason}`);
  }

  private schedule(): void {
    if (this.scheduled || this.over) return;
    this.scheduled = true;
    this.parts.environment.clock.soon(() => {
      this.scheduled = false;
      if (!this.over) this.slice();
    });
  }

  /** Loads for some milliseconds of what has come. */
  private slice(): void {
    const { engine, environment } = this.parts;
    const { clock } = environment;
    const until = clock.monotonic() + SLICE_MICROS;
    const step = this.data.loads.stepper();
    let keys = 0;
    engine.keyspaces.refresh();
    try {
      const pause = (): boolean => {
        const slept = step();
        return (++keys % KEYS_PER_LOOK === 0 || slept) && clock.monotonic() >= until;
      };
      this.loaded ||= this.loader.run(pause);
      if (!this.loaded) {
        if (!this.loader.starved) this.schedule();
      } else if (this.pushed > this.loader.offset) {
        // What is behind it would be taken for the master's stream.
        this.fail(this.texts.longer);
      } else if (this.come) {
        this.makeLibraries(until);
      }
    } catch (error) {
      this.tell(error instanceof Error ? error.message : systemError(error));
      this.fail(this.texts.failed);
      return;
    }
    if (this.crowded && this.feed.waiting < WAITING_FEW && !this.over) {
      this.crowded = false;
      this.options.pace(true);
    }
  }

  /** All has been read: makes the libraries, for as long as there is time. */
  private makeLibraries(until: number): void {
    this.replacing ??= this.data.loads.replacingLibraries(this.libraries);
    let step = this.replacing.next();
    while (!step.done && this.parts.environment.clock.monotonic() < until) step = this.replacing.next();
    if (!step.done) this.schedule();
    else if (typeof step.value === 'string') this.fail(step.value);
    else this.complete(step.value);
  }

  private complete(replaceLibraries: () => void): void {
    const { data, options, loader, beside, parts } = this;
    if (beside !== null) options.emptied();
    replaceLibraries();
    this.end();
    if (beside !== null) {
      parts.log.notice(this.texts.swapping);
      data.replace(beside);
      parts.log.notice(this.texts.discarding);
    }
    data.writeAgain();
    options.done({ context: loader.replication });
  }

  private fail(error: string): void {
    this.end();
    this.discard();
    this.options.done({ error });
  }

  /** What has been loaded is not wanted: half of a snapshot is no data. */
  private discard(): void {
    this.loader.abandon();
    if (this.beside !== null) this.beside.dispose();
    else this.data.clear(true);
    this.data.writeAgain();
  }

  private end(): void {
    assert(!this.over, 'it ends once');
    this.over = true;
    this.pulse.stop();
    this.gate(false);
  }
}
