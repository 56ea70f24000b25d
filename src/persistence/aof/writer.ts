/**
 * Writes effects to the log: into a buffer while a turn of the event loop runs, from there to the file before the turn's
 * replies go out, and to the disk as appendfsync wants it.
 *
 *   always     written and synced before the replies of the turn, once for all clients. Where that fails the server ends
 *              and the replies are never sent.
 *   everysec   written before the replies; synced off the event loop, once a second. While that takes long, or the file of
 *              before is still being synced, writes wait for it up to two seconds, then they go on without.
 *   no         written; when it reaches the disk is the system's affair.
 *
 * A write that fails half way is taken back: the file ends with a whole turn's effects, and the buffer keeps what is
 * missing until it can be written. Meanwhile `fault` says what is wrong, and the server refuses to change anything.
 */

import { assert } from '../../base/assert.ts';
import { copyBytes } from '../../base/copy.ts';
import { sleepThread } from '../../base/sleep.ts';
import { bytesOf } from '../../base/slice.ts';
import { systemError } from '../../base/system-error.ts';
import { type Clock, unixSeconds } from '../../base/time.ts';
import type { Settings } from '../../config/settings.ts';
import type { LatencyMonitor } from '../../engine/latency.ts';
import { type EffectSink, TO_AOF } from '../../engine/propagation.ts';
import type { Log } from '../../engine/server-port.ts';
import type { LogFile } from './log-file.ts';

const INITIAL_BYTES = 64 * 1024;
/** A buffer that has grown beyond this is given back once it is written. */
const KEPT_BYTES = 1024 * 1024;
/** More is not held back, whatever is being waited for. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Seconds for which a write waits for a sync. */
const PATIENCE = 2;
/** Seconds between two lines of the log about writes that fail. */
const COMPLAINT_SECONDS = 30;
const MULTI = bytesOf('*1\r\n$5\r\nMULTI\r\n');
const EXEC = bytesOf('*1\r\n$4\r\nEXEC\r\n');

export interface WriterParts {
  readonly settings: Readonly<Settings>;
  readonly clock: Clock;
  readonly log: Log;
  readonly latency: LatencyMonitor;
  /** Whether a frozen view is being written somewhere. */
  readonly busy: () => boolean;
  /** `fault` has changed. */
  readonly changed: () => void;
  /** What replies promise can't be kept: ends the server, with no further reply. */
  readonly die: () => void;
}

export class AofWriter implements EffectSink {
  readonly target = TO_AOF;
  /** Bytes of all files of the log. */
  size = 0;
  /** DEBUG AOF-FLUSH-SLEEP, microseconds. */
  sleep = 0;
  /** Writes that did not wait for a sync any longer. */
  delayed = 0;
  /** The database of the last effect; -1 where the next must say it. */
  database = -1;
  private readonly parts: WriterParts;
  private file: LogFile | null = null;
  private buffer = new Uint8Array(INITIAL_BYTES);
  private length = 0;
  private scheduled = false;
  /** Between `begin` and `end`. */
  private within = false;
  private stampedAt = 0;
  /** Whether all that is written has been synced, or is being. */
  private synced = true;
  private syncedAt = 0;
  /** Files of before that are still being synced. */
  private retiring = 0;
  private waitingSince = 0;
  private writeFault: string | null = null;
  private syncFault: string | null = null;
  private complainedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: WriterParts) {
    this.parts = parts;
  }

  /** Why nothing may be changed now, in the system's words; null where all is well. */
  get fault(): string | null {
    return this.writeFault ?? this.syncFault;
  }

  get writeFailed(): boolean {
    return this.writeFault !== null;
  }

  /** Bytes that wait to be written. */
  get pending(): number {
    return this.length;
  }

  get postponed(): boolean {
    return this.waitingSince > 0;
  }

  get syncing(): boolean {
    return this.file?.syncing ?? false;
  }

  /** Bytes in the file that is written to. */
  get fileSize(): number {
    return this.file?.length ?? 0;
  }

  // Effects.

  effect(db: number, bytes: Uint8Array, from: number, to: number): void {
    if (!this.within) this.stamp();
    if (db !== this.database) this.select(db);
    const length = to - from;
    copyBytes(this.room(length), this.length, bytes, from, length);
    this.length += length;
    if (this.length > MOST_BYTES) this.spill();
    if (!this.scheduled) this.schedule();
  }

  begin(db: number): void {
    assert(!this.within, 'units of work are not nested');
    this.stamp();
    if (db !== this.database) this.select(db);
    this.within = true;
    this.put(MULTI);
  }

  end(): void {
    assert(this.within, 'a unit of work that ends has begun');
    this.within = false;
    this.put(EXEC);
  }

  private select(db: number): void {
    const name = String(db);
    this.put(bytesOf(`*2\r\n$6\r\nSELECT\r\n$${name.length}\r\n${name}\r\n`));
    this.database = db;
  }

  /** Notes the time, where that is wanted and it is another second. */
  private stamp(): void {
    if (!this.parts.settings.aofTimestampEnabled) return;
    const now = unixSeconds(this.parts.clock);
    if (now <= this.stampedAt) return;
    this.stampedAt = now;
    this.put(bytesOf(`#TS:${now}\r\n`));
  }

  private put(bytes: Uint8Array): void {
    copyBytes(this.room(bytes.length), this.length, bytes, 0, bytes.length);
    this.length += bytes.length;
  }

  private room(size: number): Uint8Array {
    const needed = this.length + size;
    if (needed <= this.buffer.length) return this.buffer;
    const buffer = new Uint8Array(Math.max(needed, 2 * this.buffer.length));
    buffer.set(this.buffer.subarray(0, this.length));
    this.buffer = buffer;
    return buffer;
  }

  /** Effects that come outside of a turn that ends with replies (expiry) are written as soon as the event loop is free. */
  private schedule(): void {
    this.scheduled = true;
    this.parts.clock.soon(() => {
      this.scheduled = false;
      this.flush(false);
    });
  }

  /** Within a very large unit of work: what there is goes to the file, its syncing follows with the rest. */
  private spill(): void {
    if (this.file !== null && this.writeFault === null) this.write(this.file, this.file.syncing);
  }

  // The file.

  /** From now on `file` is written to. What has been written to the one before is synced aside. */
  open(file: LogFile): void {
    const before = this.file;
    this.file = file;
    this.database = -1;
    this.waitingSince = 0;
    this.syncedAt = unixSeconds(this.parts.clock);
    // Where the last sync has failed, the next one tells whether writes may be accepted again.
    this.synced = this.syncFault === null;
    if (before === null) return;
    this.retiring++;
    before.retire((error) => {
      this.retiring--;
      if (error !== null) this.retiredBadly(systemError(error));
      if (this.retiring === 0) this.flush(false);
    });
  }

  /** What the file of before holds may not be on the disk: nothing is accepted until the next sync goes well. */
  private retiredBadly(why: string): void {
    const { log, settings, changed } = this.parts;
    if (this.syncFault === null) log.warning(`Fail to fsync the AOF file: ${why}`);
    if (this.file === null || settings.appendfsync !== 'everysec') return;
    this.syncFault = why;
    this.synced = false;
    changed();
  }

  /** Writes and syncs what there is, and lets the file go. */
  close(): void {
    const { file } = this;
    if (file === null) return;
    this.settle();
    file.close();
    this.drop();
  }

  /** Lets the file go with what has not been written to it. */
  drop(): void {
    this.file?.close();
    this.file = null;
    this.length = 0;
    this.within = false;
    this.database = -1;
    this.waitingSince = 0;
    this.synced = true;
    this.shrink();
  }

  /** Forgets what went wrong: the log is begun anew. */
  forgive(): void {
    const { log } = this.parts;
    if (this.syncFault !== null) log.warning('AOF reopen, just ignore the AOF fsync error in bio job');
    if (this.writeFault !== null) log.warning('AOF reopen, just ignore the last error.');
    this.syncFault = null;
    this.writeFault = null;
    this.parts.changed();
  }

  /** Writes and syncs what there is, whatever the policy. */
  settle(): void {
    const { file } = this;
    if (file === null) return;
    this.flush(true);
    try {
      file.sync();
      this.synced = true;
      this.syncedAt = unixSeconds(this.parts.clock);
    } catch (error) {
      this.parts.log.warning(`Fail to fsync the AOF file: ${systemError(error)}`);
    }
  }

  /** Writes what there is and syncs it as the policy wants it; with `force` it doesn't wait for a sync that is under way. */
  flush(force: boolean): void {
    const { file } = this;
    if (file === null) return;
    if (this.length > 0) {
      const { syncing } = file;
      // What lies behind the file of before must not be on the disk without its end: a start would find a hole.
      if ((syncing || this.retiring > 0) && !force && this.waits()) return;
      if (!this.write(file, syncing)) return;
    } else if (this.synced) return;
    this.sync(file);
  }

  /** Whether a write is to wait for the sync that is under way. */
  private waits(): boolean {
    if (this.parts.settings.appendfsync !== 'everysec' || this.length > MOST_BYTES) return false;
    const now = unixSeconds(this.parts.clock);
    if (this.waitingSince === 0) this.waitingSince = now;
    if (now - this.waitingSince < PATIENCE) return true;
    this.delayed++;
    this.parts.log.notice(
      'Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.',
    );
    return false;
  }

  /** Whether all was written. */
  private write(file: LogFile, syncing: boolean): boolean {
    const { latency, clock } = this.parts;
    sleepThread(this.sleep / 1000);
    const begin = latency.threshold > 0 ? clock.monotonic() : 0;
    let taken = 0;
    let error: unknown = null;
    try {
      taken = file.write(this.buffer, this.length);
    } catch (caught) {
      error = caught;
    }
    if (begin > 0) this.observeWrite(clock.monotonic() - begin, syncing);
    this.waitingSince = 0;
    if (taken < this.length) {
      this.failed(file, taken, error);
      return false;
    }
    assert(file === this.file, 'only the file that is open is written to');
    file.length += taken;
    this.size += taken;
    this.length = 0;
    this.synced = false;
    this.shrink();
    if (this.writeFault !== null) {
      this.parts.log.warning('AOF write error looks solved, Redis can write again.');
      this.writeFault = null;
      this.parts.changed();
    }
    return true;
  }

  private observeWrite(micros: number, syncing: boolean): void {
    const { latency, clock, busy } = this.parts;
    const which = syncing ? 'aof-write-pending-fsync' : busy() ? 'aof-write-active-child' : 'aof-write-alone';
    latency.observe(which, micros / 1000, clock.now());
    latency.observe('aof-write', micros / 1000, clock.now());
  }

  /** A write took only `taken` bytes: they are taken back, so that the file doesn't end within an effect. */
  private failed(file: LogFile, taken: number, error: unknown): void {
    const { log, settings, changed, die } = this.parts;
    const now = unixSeconds(this.parts.clock);
    const tells = now - this.complainedAt > COMPLAINT_SECONDS;
    if (tells) this.complainedAt = now;
    const tell = (message: string): void => {
      if (tells) log.warning(message);
    };
    this.writeFault = error === null ? 'No space left on device' : systemError(error);
    if (error !== null) tell(`Error writing to the AOF file: ${this.writeFault}`);
    else {
      tell(`Short write while writing to the AOF file: (nwritten=${taken}, expected=${this.length})`);
      try {
        file.cutBack();
      } catch (why) {
        tell(
          `Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: ${systemError(why)}`,
        );
        this.keep(file, taken);
      }
    }
    if (settings.appendfsync === 'always') {
      log.warning("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...");
      die();
      this.drop();
    }
    changed();
  }

  /** What has been written and can't be taken back counts as written; the rest follows it. */
  private keep(file: LogFile, taken: number): void {
    file.length += taken;
    this.size += taken;
    this.buffer.copyWithin(0, taken, this.length);
    this.length -= taken;
    this.synced = false;
  }

  private sync(file: LogFile): void {
    const { settings, busy } = this.parts;
    if (settings.noAppendfsyncOnRewrite && busy()) return;
    if (settings.appendfsync === 'always') this.syncNow(file);
    else if (
      settings.appendfsync === 'everysec' &&
      !file.syncing &&
      this.retiring === 0 &&
      unixSeconds(this.parts.clock) > this.syncedAt
    )
      this.syncAside(file);
  }

  private syncNow(file: LogFile): void {
    const { latency, clock, log, die } = this.parts;
    const begin = latency.threshold > 0 ? clock.monotonic() : 0;
    try {
      file.sync();
    } catch (error) {
      log.warning(
        `Can't persist AOF for fsync error when the AOF fsync policy is 'always': ${systemError(error)}. Exiting...`,
      );
      die();
      this.drop();
      return;
    }
    if (begin > 0) latency.observe('aof-fsync-always', (clock.monotonic() - begin) / 1000, clock.now());
    this.synced = true;
    this.syncedAt = unixSeconds(this.parts.clock);
  }

  private syncAside(file: LogFile): void {
    const { log, changed } = this.parts;
    this.synced = true;
    this.syncedAt = unixSeconds(this.parts.clock);
    file.syncAside((error) => {
      if (this.file !== file) return;
      const before = this.syncFault;
      this.syncFault = error === null ? null : systemError(error);
      if (error !== null) {
        // It is tried again in a second, whether there is more to write or not.
        this.synced = false;
        if (before === null) log.warning(`Fail to fsync the AOF file: ${this.syncFault}`);
      }
      if (before !== this.syncFault) changed();
    });
  }

  private shrink(): void {
    if (this.buffer.length > KEPT_BYTES) this.buffer = new Uint8Array(INITIAL_BYTES);
  }
}
