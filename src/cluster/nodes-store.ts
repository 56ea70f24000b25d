/**
 * nodes.conf on the disk: read at the start, taken for this process alone, written whole by way of a file beside it.
 *
 *   write, no sync     one record more in nodes.conf.changes, and nodes.conf once no   survives the end of the process
 *                      more come for a second, or there are many
 *   write, sync        the same, synced, where there are records already;
 *                      otherwise nodes.conf in full, synced and renamed               survives a loss of power
 *
 *   a record   follows <CRC-64 of nodes.conf> holds <bytes> <their CRC-64>\n<nodes.conf as it should be>\n
 *
 * So that slots can be moved by the thousand: to replace a file costs milliseconds, to append to one microseconds, and one
 * sync where it must last. The last record that is whole and follows the nodes.conf that is there counts; the others are of
 * before it was written. Behind a record that could not be written or synced, or what another run has left, none is appended:
 * it might not be found.
 *
 * Each write puts another file in the place of nodes.conf, so the lock is held on nodes.conf.lock; nodes.conf itself is tried
 * as well, which a Redis that runs keeps locked.
 */
import { dirname, resolve } from 'node:path';
import { Crc64 } from '../base/crc.ts';
import { type Disk, type DiskFile, type FileLock, type FileNames, removeQuietly, replaceFile } from '../base/disk.ts';
import { codeOf, systemError } from '../base/system-error.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { Log } from '../engine/server-port.ts';
import { MYSELF } from './flags.ts';
import { formatNodesFile, type NodesFile, NodesFileError, parseNodesFile } from './nodes-file.ts';
import { newNode } from './rules/saved.ts';

export interface StoreParts {
  readonly disk: Disk;
  readonly fileNames: FileNames;
  /** Of cluster-config-file, where relative paths begin. */
  readonly folder: string;
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
}

/**
 * nodes.conf is brought up to date when nothing was appended for so long; at the latest so long after the first record, or when
 * there are so many bytes of them. While slots are moved by the thousand it would else be replaced again and again.
 */
const SETTLE_MS = 1000;
const SETTLE_LATEST_MS = 10_000;
const SETTLE_BYTES = 4 * 1024 * 1024;
/** Bytes of a record's first line, at most. */
const HEADING_MOST = 64;
const LINE_END = 10;
const HEADING = /^follows ([0-9a-f]+) holds (\d{1,9}) ([0-9a-f]+)$/;

/** The server can't be a node with this file; the log has been told why. */
export class NodesStoreError extends Error {
  override name = 'NodesStoreError';
}

const crc = new Crc64();

export class NodesStore {
  private readonly parts: StoreParts;
  private readonly path: string;
  private lock: FileLock | null = null;
  /** The digest of nodes.conf as it is. */
  private digest = '';
  /** Records since then, and the newest text of them. */
  private changes: DiskFile | null = null;
  /** Its name would survive a loss of power. */
  private named = false;
  /** The last record is not whole, or may not be, as what was left by a run that lost its power. */
  private torn = false;
  private newest: string | null = null;
  /** Bytes of the records, and when the first and the last was appended, in whole microseconds. */
  private appended = 0;
  private firstAt = 0;
  private lastAt = 0;
  private timer: Timer | null = null;

  constructor(parts: StoreParts) {
    this.parts = parts;
    this.path = resolve(parts.folder, parts.name);
  }

  /** Takes the file and reads it; a new node's where there is none. Throws NodesStoreError. */
  open(): NodesFile {
    const { log, newId } = this.parts;
    this.take();
    const text = this.latest(this.read(this.path));
    if (text === '') {
      const id = newId();
      log.notice(`No cluster configuration found, I'm ${id}`);
      return newNode(id);
    }
    try {
      const file = parseNodesFile(text);
      log.notice(`Node configuration loaded, I'm ${idOf(file)}`);
      return file;
    } catch (error) {
      if (!(error instanceof NodesFileError)) throw error;
      return this.refuse(`Unrecoverable error: corrupted cluster config file. ${this.parts.name}, ${error.message}`);
    }
  }

  /** Keeps it; throws what the system says. */
  write(file: NodesFile, sync: boolean): void {
    const text = formatNodesFile(file);
    if (this.torn || (sync && this.changes === null)) this.replace(text);
    else this.append(text, sync);
  }

  close(): void {
    this.settle();
    this.timer?.cancel();
    this.changes?.close();
    this.changes = null;
    this.lock?.release();
    this.lock = null;
  }

  private replace(text: string): void {
    const { disk, fileNames } = this.parts;
    const hasRecords = this.changes !== null || this.torn;
    replaceFile(disk, this.path, `${this.path}-${fileNames.next()}.tmp`, text);
    this.digest = digestOf(text);
    this.newest = null;
    this.torn = false;
    this.appended = 0;
    this.timer?.cancel();
    this.timer = null;
    if (!hasRecords) return;
    this.changes?.close();
    this.changes = null;
    removeQuietly(disk, this.changesPath);
  }

  private append(text: string, sync: boolean): void {
    const { disk, clock } = this.parts;
    if (this.changes === null) {
      this.changes = disk.open(this.changesPath, 'a');
      this.named = false;
    }
    this.torn = true;
    const record = recordOf(this.digest, text);
    this.changes.writeAll(record);
    if (sync) this.sync(this.changes);
    this.torn = false;
    this.newest = text;
    this.lastAt = clock.monotonic();
    if (this.timer === null) {
      this.firstAt = this.lastAt;
      this.timer = clock.after(SETTLE_MS, () => this.settleInTime());
    }
    this.appended += record.length;
    if (this.appended > SETTLE_BYTES) this.settle();
  }

  private settleInTime(): void {
    const { clock } = this.parts;
    const now = clock.monotonic();
    const left = Math.min(this.lastAt + SETTLE_MS * 1000, this.firstAt + SETTLE_LATEST_MS * 1000) - now;
    if (left <= 0) this.settle();
    else this.timer = clock.after(left / 1000, () => this.settleInTime());
  }

  private sync(changes: DiskFile): void {
    changes.syncData();
    if (!this.named) this.parts.disk.syncFolder(dirname(this.path));
    this.named = true;
  }

  /** Brings nodes.conf up to date. */
  private settle(): void {
    if (this.newest === null) return;
    try {
      this.replace(this.newest);
    } catch (error) {
      this.parts.log.warning(`Can't update cluster config file: ${systemError(error)}`);
      this.appended = 0;
      this.timer?.cancel();
      this.timer = this.parts.clock.after(SETTLE_MS, () => this.settle());
    }
  }

  private get changesPath(): string {
    return `${this.path}.changes`;
  }

  /** What the last record that follows `text` holds; `text` where there is none. */
  private latest(text: string): string {
    this.digest = digestOf(text);
    const records = this.read(this.changesPath);
    this.torn = records !== '';
    let found = text;
    for (let at = 0; at < records.length; ) {
      const end = records.indexOf('\n', at);
      const match = HEADING.exec(records.slice(at, end < 0 ? records.length : end));
      if (match === null) break;
      const [, follows, length, digest] = match;
      const held = records.slice(end + 1, end + 1 + Number(length));
      if (digestOf(held) !== digest) break;
      if (follows === this.digest) found = held;
      at = end + 2 + Number(length);
    }
    return found;
  }

  private read(path: string): string {
    const { disk, name } = this.parts;
    try {
      return disk.read(path).toString('latin1');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return '';
      return this.refuse(`Loading the cluster node config from ${name}: ${systemError(error)}`);
    }
  }

  private take(): void {
    const { disk, name, log } = this.parts;
    try {
      const own = disk.lock(`${this.path}.lock`);
      const theirs = disk.lock(this.path);
      if (typeof theirs === 'object') theirs.release();
      if (typeof own === 'object') this.lock = own;
      if (own === 'unknown')
        log.warning(`Nothing keeps another node from using ${name} as well: this machine has no program flock.`);
      if (own !== 'taken' && theirs !== 'taken') return;
    } catch (error) {
      this.refuse(`Can't open ${name} in order to acquire a lock: ${systemError(error)}`);
    }
    this.close();
    const remedy = 'Please make sure that different nodes use different cluster configuration files.';
    this.refuse(
      `Sorry, the cluster configuration file ${name} is already used by a different Redis Cluster node. ${remedy}`,
    );
  }

  private refuse(reason: string): never {
    this.close();
    this.parts.log.warning(reason);
    throw new NodesStoreError(reason);
  }
}

function idOf(file: NodesFile): string {
  return file.nodes.find(({ flags }) => (flags & MYSELF) !== 0)!.id;
}

/** The CRC-64 as hexadecimal digits, without zeros in front. */
function digestOf(text: string): string {
  return crc.reset().update(Buffer.from(text, 'latin1')).digits();
}

function recordOf(follows: string, text: string): Buffer {
  const record = Buffer.allocUnsafe(HEADING_MOST + text.length + 1);
  record.write(text, HEADING_MOST, 'latin1');
  record[record.length - 1] = LINE_END;
  const digest = crc.reset().update(record, HEADING_MOST, text.length).digits();
  const heading = `follows ${follows} holds ${text.length} ${digest}\n`;
  const start = HEADING_MOST - heading.length;
  record.write(heading, start, 'latin1');
  return record.subarray(start);
}
