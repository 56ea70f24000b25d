/**
 * Loading the append-only file: its base (a snapshot, or commands) and its increments, one behind the other; or the single
 * file of before Redis 7, which may be a snapshot with commands behind it.
 *
 *   [snapshot] *2\r\n$6\r\nSELECT... *3\r\n$3\r\nSET... *1\r\n$5\r\nMULTI... *3\r\n$3\r\nSE
 *                                                      ^valid                           ^the file ends
 *
 * `valid` is where the last command, or transaction, ended that is whole. Where the last of the files goes on behind it but
 * not to the end of a record, a crash has cut it off; the rest is removed where aof-load-truncated lets it.
 */
import { basename } from 'node:path';
import type { Disk, DiskFile } from '../../base/disk.ts';
import { SystemError, systemError } from '../../base/system-error.ts';
import type { Clock } from '../../base/time.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ByteSource } from '../chunks.ts';
import type { LoadLog, SnapshotLoad } from '../parts.ts';
import { AofReader, BAD, END, RECORD } from './read.ts';
import { Replayer } from './replay.ts';

const SIGNATURE = 'REDIS';

/** One file of the log. */
export interface AofPart {
  /** Where it lies. */
  readonly path: string;
  readonly base: boolean;
  /** Nothing comes behind it: it may have been cut off. */
  readonly last: boolean;
}

/** What has been loaded, in bytes. */
export interface AofSizes {
  readonly total: number;
  readonly base: number;
}

/** Why the log can't be loaded; the log of the server has told. */
export class AofError extends Error {
  override name = 'AofError';
}

export interface AofLoadOptions {
  readonly disk: Disk;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: LoadLog;
  /** aof-load-truncated */
  readonly truncated: boolean;
  /** appendfilename: a file of just that name is of before Redis 7. */
  readonly oldName: string;
  /** Nothing may be put off: scripts run to their end. */
  readonly atOnce: boolean;
  /** What reads the snapshot that a file begins with, and what is to be told when it has been read. */
  snapshot(source: ByteSource, size: number): SnapshotLoad;
  /** Tells why the snapshot that `file` begins with can't be read; `loaded` when it has been. */
  faulty(error: unknown, offset: number, file: string): void;
  loaded(loader: SnapshotLoad): void;
}

/** Loads all files, in slices: `run` goes on until it is told to pause or all is loaded. */
export class AofLoader {
  readonly total: number;
  private readonly parts: readonly AofPart[];
  private readonly options: AofLoadOptions;
  private readonly sizes: readonly number[];
  private at = 0;
  /** Bytes of the files that are done with. */
  private before = 0;
  private startedAt = 0;
  private file: AofFileLoader | null = null;
  private memory = 0;

  /** Throws AofError where a file is not there. */
  constructor(parts: readonly AofPart[], options: AofLoadOptions) {
    this.parts = parts;
    this.options = options;
    this.sizes = parts.map(({ path }) => this.sizeOf(path));
    this.total = this.sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Bytes read so far, of all files together. */
  get offset(): number {
    return this.before + (this.file?.offset ?? 0);
  }

  /** Bytes that were in use when the snapshot was made, which may be one of the files before. */
  get usedMemory(): number {
    return this.file?.usedMemory || this.memory;
  }

  get loadedSizes(): AofSizes {
    return { total: this.total, base: this.parts[0].base ? this.sizes[0] : 0 };
  }

  run(pause: () => boolean): boolean {
    const { clock, log } = this.options;
    for (; this.at < this.parts.length; this.at++) {
      const part = this.parts[this.at];
      if (this.sizes[this.at] > 0) {
        if (this.file === null) {
          this.startedAt = clock.monotonic();
          this.file = new AofFileLoader(part, this.sizes[this.at], this.options);
        }
        if (!this.file.run(pause)) return false;
        const seconds = ((clock.monotonic() - this.startedAt) / 1e6).toFixed(3);
        log.notice(`DB loaded from ${part.base ? 'base' : 'incr'} file ${nameOf(part)}: ${seconds} seconds`);
        this.memory = this.usedMemory;
        this.end();
      }
      this.before += this.sizes[this.at];
    }
    return true;
  }

  /** Closes what is open. */
  end(): void {
    this.file?.end();
    this.file = null;
  }

  private sizeOf(path: string): number {
    try {
      const found = this.options.disk.status(path);
      if (found === undefined) throw new SystemError('ENOENT', 'stat', path);
      return found.size;
    } catch (error) {
      const name = basename(path);
      this.options.log.warning(`Unable to obtain the AOF file ${name} length. stat: ${systemError(error)}`);
      throw new AofError(`${name} can't be read`);
    }
  }
}

function nameOf({ path }: AofPart): string {
  return basename(path);
}

/** Loads one file. */
class AofFileLoader {
  private readonly part: AofPart;
  private readonly name: string;
  private readonly options: AofLoadOptions;
  private readonly size: number;
  private readonly file: DiskFile;
  private readonly replayer: Replayer;
  private snapshot: SnapshotLoad | null = null;
  private reader: AofReader | null = null;
  private memory = 0;
  private valid = 0;
  /** Where the commands of the last transaction begin. */
  private beganAt = 0;
  /** Where the next bytes are read. */
  private position = 0;

  constructor(part: AofPart, size: number, options: AofLoadOptions) {
    this.part = part;
    this.name = nameOf(part);
    this.size = size;
    this.options = options;
    this.file = this.open();
    this.replayer = new Replayer(options.engine, options.log, options.atOnce);
    if (this.beginsWithSnapshot()) this.beginSnapshot();
    else this.beginRecords(0);
  }

  get offset(): number {
    return this.reader?.offset ?? this.snapshot?.offset ?? 0;
  }

  get usedMemory(): number {
    return this.snapshot?.usedMemory ?? this.memory;
  }

  run(pause: () => boolean): boolean {
    if (this.reader === null && !this.runSnapshot(this.snapshot!, pause)) return false;
    const reader = this.reader!;
    const { replayer } = this;
    for (;;) {
      if (replayer.busy || !replayer.proceed(pause)) return false;
      if (!replayer.midway) this.valid = reader.offset;
      const outcome = this.next(reader);
      if (outcome !== RECORD) return this.finish(outcome);
      this.play(reader);
      if (pause()) return false;
    }
  }

  end(): void {
    this.replayer.end();
    this.file.close();
  }

  private open(): DiskFile {
    const { log, disk } = this.options;
    try {
      return disk.open(this.part.path, 'r');
    } catch (error) {
      log.warning(`Fatal error: can't open the append log file ${this.name} for reading: ${systemError(error)}`);
      throw new AofError(`${this.name} can't be opened`);
    }
  }

  private readonly source: ByteSource = (into, at, length) => {
    const got = this.file.read(into, at, length, this.position);
    this.position += got;
    return got;
  };

  // The snapshot.

  private beginsWithSnapshot(): boolean {
    const head = Buffer.alloc(SIGNATURE.length);
    try {
      return this.file.read(head, 0, head.length, 0) === head.length && head.toString('latin1') === SIGNATURE;
    } catch {
      // Reading on will tell.
      return false;
    }
  }

  private get old(): boolean {
    return this.name === this.options.oldName;
  }

  private beginSnapshot(): void {
    const { log } = this.options;
    log.notice(this.old ? 'Reading RDB preamble from AOF file...' : 'Reading RDB base file on AOF loading...');
    this.snapshot = this.options.snapshot(this.source, this.size);
  }

  private runSnapshot(loader: SnapshotLoad, pause: () => boolean): boolean {
    const { log } = this.options;
    try {
      if (!loader.run(pause)) return false;
    } catch (error) {
      this.options.faulty(error, loader.offset, this.part.path);
      const what = this.old ? 'RDB preamble of the AOF file' : 'RDB base file';
      log.warning(`Error reading the ${what} ${this.name}, AOF loading aborted`);
      throw new AofError(`the snapshot of ${this.name} can't be read`, { cause: error });
    }
    this.options.loaded(loader);
    this.memory = loader.usedMemory;
    this.beginRecords(loader.offset);
    this.snapshot = null;
    if (this.old) log.notice('Reading the remaining AOF tail...');
    return true;
  }

  // The commands.

  private beginRecords(from: number): void {
    this.position = from;
    this.valid = from;
    this.reader = new AofReader(this.source, from, this.size);
  }

  private next(reader: AofReader): number {
    try {
      return reader.next();
    } catch (error) {
      return this.fail(`Unrecoverable error reading the append only file ${this.name}: ${systemError(error)}`);
    }
  }

  private play(reader: AofReader): void {
    const { args, argc } = reader;
    const outcome = this.replayer.play(args, argc);
    if (outcome === 'unknown')
      this.fail(`Unknown command '${args[0].shown()}' reading the append only file ${this.name}`);
    else if (outcome === 'unfit') this.badFormat();
    else if (outcome === 'began') this.beganAt = reader.offset;
    else if (outcome === 'again') {
      this.position = this.beganAt;
      reader.seek(this.beganAt);
    }
  }

  private finish(outcome: number): boolean {
    if (outcome === BAD) this.badFormat();
    if (outcome !== END) this.cutOff();
    else if (this.replayer.midway) {
      this.options.log.warning(`Revert incomplete MULTI/EXEC transaction in AOF file ${this.name}`);
      this.cutOff();
    }
    return true;
  }

  private badFormat(): never {
    this.fail(
      `Bad file format reading the append only file ${this.name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>`,
    );
  }

  /** The file ends too early: what can't be used of it is removed, or the loading ends. */
  private cutOff(): void {
    const { log, truncated } = this.options;
    const { name } = this;
    if (!truncated) this.unexpectedEnd();
    log.warning(`!!! Warning: short read while loading the AOF file ${name}!!!`);
    if (!this.part.last) this.fail('Fatal error: the truncated file is not the last file');
    log.warning(`!!! Truncating the AOF ${name} at offset ${this.valid} !!!`);
    try {
      this.truncate();
    } catch (error) {
      log.warning(`Error truncating the AOF file ${name}: ${systemError(error)}`);
      this.unexpectedEnd();
    }
    log.warning(`AOF ${name} loaded anyway because aof-load-truncated is enabled`);
  }

  private truncate(): void {
    const file = this.options.disk.open(this.part.path, 'r+');
    try {
      file.truncate(this.valid);
      file.sync();
    } finally {
      file.close();
    }
  }

  private unexpectedEnd(): never {
    this.fail(
      `Unexpected end of file reading the append only file ${this.name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.`,
    );
  }

  private fail(message: string): never {
    const { log } = this.options;
    log.warning(`What can be used of the AOF file ${this.name} ends at offset ${this.valid}`);
    log.warning(message);
    throw new AofError(message);
  }
}
