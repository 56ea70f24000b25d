/**
 * Persistence as the rest of the server sees it (engine/persistence-port.ts): snapshots and the append-only file, what of
 * them is loaded at the start, and when writes are refused because the disk fails.
 */
import { join } from 'node:path';
import { exists } from '../base/disk.ts';
import type { Slice } from '../base/slice.ts';
import { systemError } from '../base/system-error.ts';
import { unixSeconds } from '../base/time.ts';
import { GATE_ASYNC_LOADING } from '../engine/gates.ts';
import type {
  BackgroundRewrite,
  BackgroundSave,
  Libraries,
  PersistencePort,
  ReloadOptions,
} from '../engine/persistence-port.ts';
import type { Incoming, IncomingOptions } from '../engine/replication-port.ts';
import type { Database } from '../keyspace/database.ts';
import type { Keyspaces } from '../keyspace/keyspaces.ts';
import type { Addr } from '../memory/address.ts';
import { Aof } from './aof/aof.ts';
import type { AofPart, AofSizes } from './aof/load.ts';
import { ManifestError } from './aof/manifest.ts';
import { Background } from './background.ts';
import { baseTarget, currentDataset, saveTarget } from './dataset.ts';
import { ReplicaSnapshots } from './for-replicas.ts';
import { Images } from './images.ts';
import { receive } from './incoming.ts';
import { Loading } from './loading.ts';
import type { PersistenceParts } from './parts.ts';
import { Dumper, readPayload, verifyPayload } from './rdb/dump.ts';
import { LibraryDump, readLibraries } from './rdb/dump-libraries.ts';
import { storeValue } from './rdb/load.ts';
import { ValueReader } from './rdb/read-value.ts';
import { Snapshots } from './snapshots.ts';

const NO_LOG = 'ERR Error trying to load the AOF files, check server logs.';

export class Persistence implements PersistencePort {
  skipChecksum = false;
  libraries: Libraries | null = null;
  readonly loads: Loading;
  readonly snapshots: Snapshots;
  readonly aof: Aof;
  /** For full synchronisations. */
  readonly forReplicas: ReplicaSnapshots;
  /** For the owner of the server. */
  readonly images: Images;
  private readonly parts: PersistenceParts;
  private readonly background: Background;
  private readonly values: ValueReader;
  private readonly libraryDump = new LibraryDump();
  /** Made when it is first used. */
  private dumper: Dumper | null = null;

  constructor(parts: PersistenceParts) {
    const { engine, config, environment, log, die } = parts;
    this.parts = parts;
    this.values = new ValueReader(engine.memory, engine.accessors.limits);
    this.loads = new Loading(parts, this.values, this);
    this.background = new Background(environment, engine, log);
    this.snapshots = new Snapshots(parts, this.background, this);
    this.images = new Images(parts, this.background, this);
    this.forReplicas = new ReplicaSnapshots(parts, this.background, this.snapshots, this);
    this.aof = new Aof({
      engine,
      config,
      environment,
      log,
      background: this.background,
      dataset: (preamble) => currentDataset(parts, this.libraries, preamble),
      target: (folder, name, writer) => baseTarget(parts, folder, name, writer),
      changed: () => this.settled(),
      die,
    });
    config.follow(['save', 'stop-writes-on-bgsave-error'], () => this.settled());
    config.follow('rdb-key-save-delay', (s) => {
      this.background.delay = s.rdbKeySaveDelay;
    });
    config.on('appendonly', (s) => this.followAppendOnly(s.appendonly));
  }

  get lastSave(): number {
    return this.snapshots.lastSave;
  }

  get saving(): boolean {
    return this.snapshots.saving;
  }

  get loading(): boolean {
    return this.loads.active;
  }

  get sanitized(): number {
    return this.values.sanitized;
  }

  get forks(): number {
    return this.background.forks;
  }

  get forkMicros(): number {
    return this.background.forkMicros;
  }

  // Saving.

  save(): boolean {
    return this.snapshots.saveAsked();
  }

  backgroundSave(schedule: boolean, later: boolean): BackgroundSave {
    return this.snapshots.backgroundSave(schedule, later);
  }

  backgroundRewrite(later: boolean): BackgroundRewrite {
    return this.aof.rewrite(later);
  }

  flushing(): void {
    this.snapshots.flushing();
  }

  flushed(): void {
    this.snapshots.flushed();
  }

  get flushSleep(): number {
    return this.aof.writer.sleep;
  }

  set flushSleep(micros: number) {
    this.aof.writer.sleep = micros;
  }

  private followAppendOnly(on: boolean): string | undefined {
    const { aof } = this;
    if (on === aof.enabled) return undefined;
    if (!on) aof.turnOff();
    // Within EXEC the data may be half way between two states.
    else if (!aof.turnOn(this.parts.engine.nested)) return 'Unable to turn on AOF. Check server logs.';
    return undefined;
  }

  /** Writes are refused while the log can't be written, or after a snapshot has failed where the setting says so. */
  settled(): void {
    const { engine, config } = this.parts;
    const { save, stopWritesOnBgsaveError } = config.settings;
    const { fault } = this.aof;
    const unsaved = !this.snapshots.lastGood && save.length > 0 && stopWritesOnBgsaveError;
    engine.gatekeeper.diskErrors(unsaved, fault);
  }

  beforeWrite(): void {
    this.aof.writer.flush(false);
  }

  tick(): void {
    if (this.loading) return;
    const { aof, snapshots } = this;
    aof.tickScheduled();
    snapshots.tickSavePoints();
    aof.tickGrowth();
    aof.tickWrites();
    snapshots.tickScheduled();
  }

  // The end.

  /** Ends what is written in the background by an owner who closes the server. */
  close(): void {
    this.snapshots.endJob();
    this.aof.close();
    this.background.close();
  }

  /** Removes half-written files: the process ends at once. */
  dropUnfinished(): void {
    this.snapshots.dropUnfinished();
    this.background.abort('rewrite');
  }

  /** Whether a shutdown that says nothing of it saves. */
  get savesAtExit(): boolean {
    return this.parts.automatic && this.parts.config.settings.save.length > 0;
  }

  // Loading.

  /** Loads what there is, in slices, and goes on with the log; rejects with the error that the log has told. */
  async load(): Promise<void> {
    const { automatic, config, log } = this.parts;
    if (!automatic) return;
    try {
      this.aof.readManifest();
    } catch (error) {
      if (error instanceof ManifestError) for (const line of error.report) log.warning(line);
      throw error;
    }
    if (config.settings.appendonly) await this.loadLog();
    else await this.loads.run(this.file);
    this.snapshots.lastSave = unixSeconds(this.parts.environment.clock);
    if (this.loads.cancelled) return;
    if (config.settings.appendonly) this.aof.begin();
    this.aof.removeHistory();
  }

  private async loadLog(): Promise<void> {
    const { environment, log } = this.parts;
    const { clock } = environment;
    const begin = clock.monotonic();
    const files = this.aof.filesToLoad();
    if (files.length === 0) {
      this.loads.renounce();
      return;
    }
    const sizes = await this.loads.runAof(files);
    if (sizes === null) return;
    this.aof.loaded(sizes);
    log.notice(`DB loaded from append only file: ${((clock.monotonic() - begin) / 1e6).toFixed(3)} seconds`);
  }

  /** Whether there may be something to load at the start. */
  get hasFile(): boolean {
    const { automatic, config, environment } = this.parts;
    return automatic && (config.settings.appendonly ? this.aof.mayHaveData : exists(environment.disk, this.file));
  }

  private get file(): string {
    const { config } = this.parts;
    return join(config.path, config.settings.dbfilename);
  }

  reload(options: ReloadOptions): string | undefined {
    const { log } = this.parts;
    if (this.loading) return 'ERR The server is loading its data already';
    this.background.abort('snapshot');
    if (options.save && !this.snapshots.save()) return '';
    if (options.flush) this.clear();
    try {
      this.loads.now(this.file, options.merge);
    } catch (error) {
      log.warning(`Loading failed: ${error instanceof Error ? error.message : systemError(error)}`);
      return 'ERR Error trying to load the RDB dump';
    }
    log.warning('DB reloaded by DEBUG RELOAD');
    return undefined;
  }

  loadAof(): string | undefined {
    return this.reloadLog((files) => {
      this.logLoaded(this.loads.nowAof(files));
      return undefined;
    });
  }

  loadAofInSlices(): Promise<string | undefined> | string | undefined {
    return this.reloadLog(async (files) => {
      try {
        this.logLoaded(await this.loads.runAof(files));
        return undefined;
      } catch {
        return this.logLost();
      }
    });
  }

  /** Drops what is in memory and lets `load` read the log. Without a log nothing is dropped. */
  private reloadLog<T>(load: (files: readonly AofPart[]) => T): T | string {
    const { aof } = this;
    if (this.loading) return 'ERR The server is loading its data already';
    if (aof.enabled && !aof.waiting) aof.writer.flush(true);
    try {
      aof.readManifest();
      aof.removeHistory();
      const files = aof.filesToLoad();
      if (files.length === 0) return NO_LOG;
      this.clear();
      return load(files);
    } catch (error) {
      if (error instanceof ManifestError) for (const line of error.report) this.parts.log.warning(line);
      return this.logLost();
    }
  }

  private logLoaded(sizes: AofSizes | null): void {
    const { engine, log } = this.parts;
    if (sizes === null) return;
    this.aof.loaded(sizes);
    engine.stats.dirty = 0;
    log.warning('Append Only File loaded by DEBUG LOADAOF');
  }

  /** What is in memory is not what is on the disk: the server ends before it writes any of it. */
  private logLost(): string {
    this.parts.die();
    return NO_LOG;
  }

  /** Removes all data, for what will be loaded. */
  clear(lazily = false): void {
    const { engine } = this.parts;
    for (const db of engine.keyspaces.databases) {
      engine.watches.touchAll(db, null);
      db.clear(lazily);
      engine.blocking.signalAll(db);
    }
    engine.tracking.flushed();
    this.libraries?.clear();
  }

  /** Writes the data as they are now, aside, into a file of its own, synced; false where that can't begin now. */
  saveAs(folder: string, name: string, done: (good: boolean) => void): boolean {
    const { parts, background } = this;
    const { config, engine, log } = parts;
    if (background.busy) return false;
    const target = { ...saveTarget(parts, folder, name, engine.server.fileNames.next()), checksum: true };
    const { rdbKeySaveDelay } = config.settings;
    try {
      background.start(
        'snapshot',
        currentDataset(parts, this.libraries, false),
        target,
        rdbKeySaveDelay,
        (end, message) => {
          if (message !== '') log.warning(message);
          done(end === 'saved');
        },
      );
      return true;
    } catch (error) {
      background.tellRefusal(error);
      return false;
    }
  }

  /** Puts the data of a snapshot in the place of those there are, in slices; of none where null. Rejects as a load does. */
  async replaceBy(path: string | null): Promise<void> {
    const { loads } = this;
    loads.cancelFromMaster();
    await loads.ended;
    this.stopWriting();
    this.clear(true);
    if (path !== null) await loads.fromMaster(path);
    this.writeAgain();
  }

  /** A snapshot that comes in from a master. */
  receive(options: IncomingOptions): Incoming {
    return receive(this.parts, this, options);
  }

  stopWriting(): void {
    this.background.abort('snapshot');
    if (this.aof.enabled) this.aof.turnOff();
  }

  writeAgain(): void {
    if (this.parts.config.settings.appendonly && !this.aof.enabled) this.aof.turnOn(false);
  }

  replace(keyspaces: Keyspaces): void {
    const { engine } = this.parts;
    engine.keyspaces.databases.forEach((db, i) => {
      const other = keyspaces.databases[i];
      engine.watches.touchAll(db, other);
      db.swap(other);
      engine.blocking.signalAll(db);
    });
    engine.tracking.flushed();
    keyspaces.dispose();
  }

  // Single values.

  dump(e: Addr): Uint8Array {
    this.dumper ??= new Dumper(this.parts.engine.memory);
    return this.dumper.dump(e, this.parts.config.settings.rdbcompression);
  }

  verify(payload: Slice): boolean {
    return verifyPayload(payload, this.skipChecksum);
  }

  decode(payload: Slice, deep: boolean): boolean {
    const { log } = this.parts;
    return readPayload(payload, this.values, deep, (message) => log.verbose(message));
  }

  storeDecoded(db: Database, key: Slice, hash: number, expiry: number): Addr {
    return storeValue(db, key, hash, db.peek(key, hash), this.values, expiry);
  }

  dropDecoded(): void {
    this.values.drop();
  }

  // Libraries of functions.

  dumpLibraries(): Uint8Array {
    return this.libraryDump.of(this.libraries, this.parts.config.settings.rdbcompression);
  }

  readLibraries(payload: Slice, take: (source: string) => string | null): string | null {
    return readLibraries(payload, take);
  }

  // Figures.

  resetStats(): void {
    this.snapshots.resetStats();
    this.aof.resetStats();
    this.background.forks = 0;
    this.values.sanitized = 0;
  }

  figures(): readonly Readonly<Record<string, string | number>>[] {
    return [
      {
        loading: this.loading ? 1 : 0,
        async_loading: this.parts.engine.gates.any(GATE_ASYNC_LOADING) ? 1 : 0,
      },
      this.background.figures(),
      this.snapshots.figures(),
      {
        rdb_last_load_keys_expired: this.loads.lastExpired,
        rdb_last_load_keys_loaded: this.loads.lastLoaded,
      },
      this.aof.figures(),
      this.aof.liveFigures(),
      this.loads.figures(),
    ];
  }

  get aofBuffer(): number {
    return this.aof.writer.pending;
  }
}
