/**
 * Loading a snapshot: at the start in slices between which clients are answered (LOADING, INFO, PING of those that may), or
 * at one go for DEBUG RELOAD.
 */
import * as fs from 'node:fs';
import { systemError } from '../config/host.ts';
import { GATE_LOADING } from '../engine/gates.ts';
import type { Libraries } from '../engine/persistence-port.ts';
import type { PersistenceParts } from './persistence.ts';
import { RdbError } from './rdb/format.ts';
import { RdbInput } from './rdb/input.ts';
import { RdbLoader } from './rdb/load.ts';
import type { ValueReader } from './rdb/read-value.ts';

/** How long a slice may take before clients are looked at. */
const SLICE_MICROS = 5000;
/** Keys that are loaded between two looks at the clock. */
const KEYS_PER_LOOK = 64;

/** What loading asks of the whole. */
interface LoadingOwner {
  readonly skipChecksum: boolean;
  readonly libraries: Libraries | null;
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
  private loader: RdbLoader | null = null;
  private total = 0;
  private startedAt = 0;
  private readonly sleeper = new Int32Array(new SharedArrayBuffer(4));

  constructor(parts: PersistenceParts, values: ValueReader, owner: LoadingOwner) {
    this.parts = parts;
    this.values = values;
    this.owner = owner;
  }

  /** There is something to load: clients that come before it begins are told so. */
  announce(): void {
    this.active = true;
    this.parts.engine.denied |= GATE_LOADING;
  }

  /** Loads `file`, where there is one, in slices. Rejects where it can't be loaded; the log has told why. */
  async run(file: string): Promise<void> {
    const { clock, log } = this.parts;
    const begin = clock.monotonic();
    let fd: number;
    try {
      fd = fs.openSync(file, 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
        this.active = false;
        this.parts.engine.denied &= ~GATE_LOADING;
        return;
      }
      log.warning(`Fatal error loading the DB: ${systemError(error)}. Exiting.`);
      throw error;
    }
    try {
      this.begin(fd, false);
      while (!this.slice()) {
        await new Promise((done) => setImmediate(done));
        if (this.cancelled) return;
      }
      this.report();
      log.notice(`DB loaded from disk: ${((clock.monotonic() - begin) / 1e6).toFixed(3)} seconds`);
    } catch (error) {
      this.tell(error);
      throw error;
    } finally {
      this.end(fd);
    }
  }

  /** Loads `file` at one go. */
  now(file: string, merge: boolean): void {
    const fd = fs.openSync(file, 'r');
    try {
      this.begin(fd, merge);
      this.loader?.run(() => false);
      this.report();
    } finally {
      this.end(fd);
    }
  }

  private begin(fd: number, merge: boolean): void {
    const { engine, config, log, clock } = this.parts;
    const { keyspaces } = engine;
    const { libraries } = this.owner;
    const { rdbchecksum, sanitizeDumpPayload } = config.settings;
    const checksum = rdbchecksum && !this.owner.skipChecksum;
    const input = RdbInput.from((into, at, length) => fs.readSync(fd, into, at, length, null), checksum);
    this.total = fs.fstatSync(fd).size;
    this.startedAt = Math.floor(clock.now() / 1000);
    this.loader = new RdbLoader(input, {
      keyspaces,
      values: this.values,
      log,
      deep: sanitizeDumpPayload === 'yes',
      dropExpired: true,
      merge,
      checksum,
      loadFunctions: libraries === null ? undefined : (source) => libraries.load(source, merge),
    });
    this.active = true;
    engine.denied |= GATE_LOADING;
    keyspaces.listener = null;
    keyspaces.refresh();
  }

  private end(fd: number): void {
    const { engine } = this.parts;
    fs.closeSync(fd);
    this.active = false;
    this.loader = null;
    engine.denied &= ~GATE_LOADING;
    engine.keyspaces.listener = engine;
  }

  /** Loads for some milliseconds; whether all is loaded. */
  private slice(): boolean {
    const { clock, config } = this.parts;
    const until = clock.monotonic() + SLICE_MICROS;
    const { keyLoadDelay: delay } = config.settings;
    let keys = 0;
    return this.loader!.run(() => {
      keys++;
      if (delay > 0) Atomics.wait(this.sleeper, 0, 0, delay / 1000);
      else if (delay < 0 && keys % -delay === 0) Atomics.wait(this.sleeper, 0, 0, 0.001);
      return (delay > 0 || keys % KEYS_PER_LOOK === 0) && clock.monotonic() >= until;
    });
  }

  private report(): void {
    const { loaded, expired, empty } = this.loader!;
    const { log } = this.parts;
    this.lastLoaded = loaded;
    this.lastExpired = expired;
    if (empty > 0)
      log.notice(`Done loading RDB, keys loaded: ${loaded}, keys expired: ${expired}, empty keys skipped: ${empty}.`);
    else log.notice(`Done loading RDB, keys loaded: ${loaded}, keys expired: ${expired}.`);
  }

  private tell(error: unknown): void {
    const { log } = this.parts;
    const text = error instanceof Error ? error.message : String(error);
    const offset = this.loader?.offset ?? 0;
    if (!(error instanceof RdbError)) {
      log.warning(`Fatal error loading the DB: ${text}. Exiting.`);
      return;
    }
    if (error.fault === 'refused') log.warning(text);
    else if (error.fault === 'short') {
      log.warning(`Short read or OOM loading DB. Unrecoverable error, aborting now.`);
      log.warning(`Internal error in RDB reading offset ${offset}, function at rdb -> ${text}`);
    } else {
      log.warning(text);
      const what = text.startsWith('Wrong RDB checksum') ? 'RDB CRC error' : text;
      log.warning(`Internal error in RDB reading offset ${offset}, function at rdb -> ${what}`);
    }
    log.warning('Terminating server after rdb file reading failure.');
  }

  figures(): Readonly<Record<string, string | number>> {
    if (this.loader === null) return {};
    const read = this.loader.offset;
    const { clock } = this.parts;
    const elapsed = Math.floor(clock.now() / 1000) - this.startedAt;
    const left = read === 0 ? 1 : Math.floor((elapsed * (this.total - read)) / read);
    return {
      loading_start_time: this.startedAt,
      loading_total_bytes: this.total,
      loading_rdb_used_mem: this.loader.usedMemory,
      loading_loaded_bytes: read,
      loading_loaded_perc: ((read * 100) / Math.max(1, this.total)).toFixed(2),
      loading_eta_seconds: left,
    };
  }
}
