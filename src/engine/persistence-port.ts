/** What commands, the cron and the shutdown ask of persistence/: snapshots, payloads of single values, figures. */
import type { Slice } from '../base/slice.ts';
import type { Database } from '../keyspace/database.ts';
import type { Addr } from '../memory/address.ts';

/** What became of the wish for a rewritten append-only file. */
export type BackgroundRewrite = 'started' | 'scheduled' | 'rewriting' | 'failed';

/** What became of the wish for a snapshot in the background. */
export type BackgroundSave = 'started' | 'scheduled' | 'saving' | 'busy' | 'failed';

export interface ReloadOptions {
  /** Saves first (DEBUG RELOAD without NOSAVE). */
  readonly save: boolean;
  /** Removes all keys before (without NOFLUSH). */
  readonly flush: boolean;
  /** Keys of the file replace those that are there (MERGE); else they are an error. */
  readonly merge: boolean;
}

/** Libraries of functions as snapshots carry them; scripting/ hangs itself in. */
export interface Libraries {
  /** Another object whenever a library has come or gone. */
  readonly edition: object;
  /** Source texts, in the order in which they are to be loaded. */
  sources(): readonly Uint8Array[];
  /**
   * Loads one, in steps: it is there when they have come to their end. They throw where it can't be, or where there is one
   * of its name and `replace` is not set. The bytes aren't needed after the call.
   */
  load(source: Uint8Array, replace: boolean): Generator<undefined, void>;
  /** Makes all of these, in steps, which throw where one can't be; what they come to puts them in place of those there are. */
  replacing(sources: readonly Uint8Array[]): Generator<undefined, () => void>;
  clear(): void;
}

export interface PersistencePort {
  /** Absent until there is something that runs functions: then a snapshot that holds some is refused. */
  libraries: Libraries | null;
  /** Unix time in seconds of the last good snapshot, or of the start. */
  readonly lastSave: number;
  /** Whether a snapshot is written in the background. */
  readonly saving: boolean;
  /** Whether data is being loaded. */
  readonly loading: boolean;
  /** Values that were tested deeply on their way in. */
  readonly sanitized: number;
  /** Views that were opened, and microseconds that the last one took. */
  readonly forks: number;
  readonly forkMicros: number;
  /** Whether checksums of payloads and files are not compared (DEBUG SET-SKIP-CHECKSUM-VALIDATION). */
  skipChecksum: boolean;
  /** INFO's fields, as far as there is something to tell, in groups that follow on one another. */
  figures(): readonly Readonly<Record<string, string | number>>[];
  /** Bytes that wait to be written to the append-only file. */
  readonly aofBuffer: number;
  resetStats(): void;

  /** Saves at once, while everything waits; whether that went well. */
  save(): boolean;
  /** Saves in the background. With `schedule`, as soon as that is possible; with `later`, not before the next tick. */
  backgroundSave(schedule: boolean, later: boolean): BackgroundSave;
  /** Rewrites the append-only file in the background; with `later`, not before the next tick. */
  backgroundRewrite(later: boolean): BackgroundRewrite;
  /** DEBUG AOF-FLUSH-SLEEP: microseconds to wait before the append-only file is written to. */
  flushSleep: number;
  /** A client is about to remove all keys: what is being saved is void. */
  flushing(): void;
  /** It has: where snapshots are configured the empty data is saved. */
  flushed(): void;
  /** DEBUG RELOAD; an error for the client where it fails. */
  reload(options: ReloadOptions): string | undefined;
  /** DEBUG LOADAOF: what is in memory is dropped, and the append-only file read; an error for the client where it fails. */
  loadAof(): string | undefined;
  /** The same in slices between which others are served; the promise is always kept. */
  loadAofInSlices(): Promise<string | undefined> | string | undefined;
  /** Once a turn, before replies are written: what they acknowledge is put where the configuration wants it. */
  beforeWrite(): void;
  /** Once a tick of the cron. */
  tick(): void;

  /** DUMP's payload of entry `e`. */
  dump(e: Addr): Uint8Array;
  /** Whether a payload's version and checksum are right. */
  verify(payload: Slice): boolean;
  /** Reads the value of a verified payload, tested deeply if asked, to be stored or dropped next; false where it is none. */
  decode(payload: Slice, deep: boolean): boolean;
  /** Stores the value that was decoded under `key`, where nothing is. */
  storeDecoded(db: Database, key: Slice, hash: number, expiry: number): Addr;
  dropDecoded(): void;

  /** FUNCTION DUMP's payload of the libraries. */
  dumpLibraries(): Uint8Array;
  /**
   * Hands the sources in a verified payload of FUNCTION DUMP to `take`, which tells what is wrong with one; an error for the
   * client where it does, or where the payload holds something else.
   */
  readLibraries(payload: Slice, take: (source: string) => string | null): string | null;
}
