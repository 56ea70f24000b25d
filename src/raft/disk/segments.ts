/**
 * The folder of a member: its log, in files that follow each other, and its snapshot.
 *
 *   id                         who it is
 *   base-00000007              the log (journal.ts): one file that begins it
 *   log-00000008               each file goes on where the one before it ends
 *   snapshot-3-1200.rdb        the data up to entry 1200, of term 3
 *   temp-*                     what is not finished, and goes with the next start
 *
 * A file of the log is begun with each snapshot, so that what the snapshot stands for can go by whole files. A snapshot has
 * its place only once the entry that it ends with is committed. The one that counts is the last whose entry is in the log, or
 * is what the log begins after. Files before the last that begins the log count no more: so a snapshot of the leader's, and the
 * log behind it, take the place of all that there was with one name.
 *
 * Stores are written at once, and synced when `sync` is called, all together that have come. While the disk needs no longer for
 * that than another thread to be asked for it, the event loop waits for it; otherwise it goes on meanwhile, and one sync
 * follows the other. A store that fails ends the server.
 */
import { dirname, join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { lengthOf } from '../../base/copy.ts';
import { type Disk, type DiskFile, exists, removeQuietly } from '../../base/disk.ts';
import { systemError } from '../../base/system-error.ts';
import type { Clock } from '../../base/time.ts';
import type { NodeId } from '../configuration.ts';
import type { Entry, HardState, Mark, Saved } from '../entry.ts';
import { encodeJournal, encodeStore, type Journal, JournalBroken, readJournal } from './journal.ts';

export interface SegmentsParts {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Where it lies; made where there is none. */
  readonly folder: string;
  /** Draws the ID of a new member. */
  readonly newId: () => NodeId;
  /** Stores up to this version are on the disk. */
  readonly stored: (version: number) => void;
  /** Something that was promised can't be kept. */
  readonly failed: (reason: string) => void;
}

/** What a start finds. */
export interface Found {
  readonly id: NodeId;
  /** Null where there is no log yet. */
  readonly saved: Saved | null;
  /** The file of the snapshot; null where the log begins with the first entry. */
  readonly snapshot: string | null;
}

interface Segment {
  readonly path: string;
  /** After what it begins. */
  readonly mark: Mark;
  /** Entries before it have been replaced by what it holds: it can't be the first. */
  reachesBack: boolean;
}

/** The event loop waits for syncs after so many in a row that took no longer than so many microseconds, until one does. */
const QUICK_SYNCS = 16;
const QUICK_MICROS = 1000;
/** The most that is put together for a store in bytes that are kept. */
const TOGETHER_BYTES = 256 * 1024;
const LOG_NAME = /^(base|log)-(\d{8})$/;
const SNAPSHOT_NAME = /^snapshot-(\d{1,16})-(\d{1,16})\.rdb$/;
const ID_TEXT = /^(\d{1,16})\n$/;

export class Segments {
  private readonly parts: SegmentsParts;
  private segments: Segment[] = [];
  private number = 0;
  private file: DiskFile | null = null;
  /** Bytes of the file, those that are known to be on the disk, and those that it has been told to be. */
  private length = 0;
  private synced = 0;
  private told = 0;
  private written = 0;
  private durable = 0;
  private syncing = false;
  /** Syncs in a row that were quick. */
  private quick = 0;
  private snapshot: string | null = null;
  private temporary = 0;
  /** What is stored at once is put together here: an array of its own for each would be what is collected most often. */
  private joined: Uint8Array | null = null;

  constructor(parts: SegmentsParts) {
    this.parts = parts;
  }

  /** Reads what there is; throws JournalBroken, or what the system says. */
  open(): Found {
    const { disk, folder } = this.parts;
    if (!exists(disk, folder)) {
      disk.makeFolder(folder);
      disk.syncFolder(dirname(folder));
    }
    for (const name of disk.list(folder)) if (name.startsWith('temp-')) removeQuietly(disk, join(folder, name));
    const id = this.identity();
    const names = this.logNames();
    let journal: Journal | null = null;
    for (const [i, name] of names.entries()) {
      const bytes = disk.read(join(folder, name));
      const last = i === names.length - 1;
      const next: Journal = readJournal(bytes, journal);
      if (!last && next.length !== bytes.length) throw new JournalBroken(`${name} is damaged at byte ${next.length}`);
      const mark = journal === null ? next.base : markAt(journal);
      this.segments.push({ path: join(folder, name), mark, reachesBack: journal !== null });
      this.number = numberOf(name);
      journal = next;
    }
    if (journal === null) return { id, saved: null, snapshot: null };
    this.goOn(journal.length);
    return { id, ...this.withSnapshot(journal) };
  }

  /** The first start as a member: the log begins. */
  create(saved: Saved): void {
    assert(this.segments.length === 0, 'a log begins once');
    this.begin('base', saved.base, encodeJournal(saved));
  }

  get path(): string {
    return this.parts.folder;
  }

  /** A name in the folder for what is not finished. */
  temporaryName(): string {
    return `temp-${++this.temporary}.rdb`;
  }

  /** Where the snapshot lies that ends so. */
  snapshotName({ term, index }: Mark): string {
    return `snapshot-${term}-${index}.rdb`;
  }

  store(version: number, state: HardState | null, entries: readonly Entry[]): void {
    const { file } = this;
    if (file === null) return;
    const [first] = entries;
    if (first !== undefined)
      for (const segment of this.segments) segment.reachesBack ||= first.index <= segment.mark.index;
    const bytes = this.together(encodeStore(state, entries, this.synced > this.told ? this.synced : -1));
    this.told = this.synced;
    try {
      file.writeAll(bytes);
      this.length += bytes.length;
      this.written = version;
    } catch (error) {
      this.parts.failed(systemError(error));
    }
  }

  /** What was stored is to be on the disk; `stored` tells when it is, maybe at once. */
  sync(): void {
    const { file, written, length } = this;
    if (file === null || this.syncing || written === this.durable) return;
    const begun = this.parts.clock.monotonic();
    if (this.quick >= QUICK_SYNCS) {
      try {
        file.syncData();
      } catch (error) {
        this.parts.failed(systemError(error));
        return;
      }
      this.syncIsOver(begun, length, written);
      return;
    }
    this.syncing = true;
    file.syncDataAside((error) => {
      this.syncing = false;
      if (file !== this.file) file.close();
      else if (error !== null) this.parts.failed(systemError(error));
      else this.syncIsOver(begun, length, written);
      this.sync();
    });
  }

  private syncIsOver(begun: number, length: number, version: number): void {
    const isQuick = this.parts.clock.monotonic() - begun <= QUICK_MICROS;
    this.quick = isQuick ? this.quick + 1 : 0;
    this.synced = Math.max(this.synced, length);
    this.reached(version);
  }

  /** A new file goes on behind the entry that the mark tells of, the last one stored. What was stored before is synced first. */
  cut(mark: Mark, state: HardState): void {
    const { file } = this;
    if (file === null) return;
    this.guarded(() => {
      file.syncData();
      this.begin('log', mark, encodeJournal({ base: mark, ...state, entries: [] }));
      this.reached(this.written);
    });
  }

  /** The finished file `temporary`, synced, is the snapshot of what is committed up to the mark. */
  keepSnapshot(temporary: string, mark: Mark): string {
    const { disk, folder } = this.parts;
    const path = join(folder, this.snapshotName(mark));
    this.guarded(() => {
      disk.rename(join(folder, temporary), path);
      disk.syncFolder(folder);
      this.dropSnapshot(path);
    });
    return path;
  }

  /** The leader's snapshot `temporary`, synced, and a log that begins after it, take the place of all that there is. */
  install(version: number, temporary: string, saved: Saved): string {
    const { disk, folder } = this.parts;
    const path = join(folder, this.snapshotName(saved.base));
    this.guarded(() => {
      disk.rename(join(folder, temporary), path);
      disk.syncFolder(folder);
      const before = this.segments;
      this.segments = [];
      this.begin('base', saved.base, encodeJournal(saved));
      for (const { path: old } of before) disk.removeAside(old);
      this.dropSnapshot(path);
      this.written = version;
      this.reached(version);
    });
    return path;
  }

  /** What was begun under a temporary name comes to nothing. */
  drop(temporary: string): void {
    this.parts.disk.removeAside(join(this.parts.folder, temporary));
  }

  /** Files of which all entries are up to this one go. */
  compact(index: number): void {
    const { disk } = this.parts;
    let keep = 0;
    this.segments.forEach(({ mark, reachesBack }, i) => {
      if (!reachesBack && mark.index <= index) keep = i;
    });
    for (const { path } of this.segments.splice(0, keep)) disk.removeAside(path);
  }

  close(): void {
    if (!this.syncing) this.file?.close();
    this.file = null;
  }

  // Within.

  /** The parts one after another, until this is called again. */
  private together(parts: readonly Uint8Array[]): Uint8Array {
    if (parts.length === 1) return parts[0];
    if (lengthOf(parts) > TOGETHER_BYTES) return Buffer.concat(parts);
    this.joined ??= new Uint8Array(TOGETHER_BYTES);
    let at = 0;
    for (const part of parts) {
      this.joined.set(part, at);
      at += part.length;
    }
    return this.joined.subarray(0, at);
  }

  /** The files of the log that count, in their order; the others go. */
  private logNames(): string[] {
    const { disk, folder } = this.parts;
    const names = disk.list(folder).filter((name) => LOG_NAME.test(name));
    names.sort((a, b) => numberOf(a) - numberOf(b));
    const from = names.findLastIndex((name) => name.startsWith('base'));
    for (const name of names.splice(0, Math.max(from, 0))) removeQuietly(disk, join(folder, name));
    return names;
  }

  private identity(): NodeId {
    const { disk, folder, newId } = this.parts;
    const path = join(folder, 'id');
    if (exists(disk, path)) {
      const found = ID_TEXT.exec(disk.read(path).toString('latin1'));
      if (found === null) throw new JournalBroken('the file of the ID is damaged');
      return Number(found[1]);
    }
    const id = newId();
    this.replace('id', Buffer.from(`${id}\n`));
    return id;
  }

  /** A file is there whole or not at all. */
  private replace(name: string, bytes: Uint8Array): string {
    const { disk, folder } = this.parts;
    const temporary = join(folder, `temp-${name}`);
    const path = join(folder, name);
    const file = disk.open(temporary, 'w');
    try {
      file.writeAll(bytes);
      file.sync();
    } finally {
      file.close();
    }
    disk.rename(temporary, path);
    disk.syncFolder(folder);
    return path;
  }

  private begin(kind: 'base' | 'log', mark: Mark, bytes: Uint8Array): void {
    const name = `${kind}-${String(++this.number).padStart(8, '0')}`;
    const path = this.replace(name, bytes);
    // One that is being synced is closed when that is over.
    if (!this.syncing) this.file?.close();
    this.file = this.parts.disk.open(path, 'a');
    this.length = bytes.length;
    this.synced = bytes.length;
    this.told = bytes.length;
    this.segments.push({ path, mark, reachesBack: false });
  }

  /** Goes on in the last file, which is whole up to `length`. */
  private goOn(length: number): void {
    const { path } = this.segments.at(-1)!;
    const file = this.parts.disk.open(path, 'r+');
    if (file.size > length) file.truncate(length);
    file.sync();
    file.close();
    this.file = this.parts.disk.open(path, 'a');
    this.length = length;
    this.synced = length;
    this.told = 0;
  }

  private withSnapshot(journal: Journal): Omit<Found, 'id'> {
    const { disk, folder } = this.parts;
    const { base, entries } = journal;
    let mark: Mark | null = base.index === 0 ? base : null;
    for (const name of disk.list(folder)) {
      const found = SNAPSHOT_NAME.exec(name);
      if (found === null) continue;
      const [term, index] = [Number(found[1]), Number(found[2])];
      const isKnown = index === base.index ? term === base.term : entries[index - base.index - 1]?.term === term;
      if (isKnown && (mark === null || index > mark.index)) mark = markIn(journal, index);
    }
    if (mark === null) throw new JournalBroken('the snapshot is missing that the log begins after');
    this.snapshot = mark.index === 0 ? null : join(folder, this.snapshotName(mark));
    for (const name of disk.list(folder))
      if (SNAPSHOT_NAME.test(name) && join(folder, name) !== this.snapshot) disk.removeAside(join(folder, name));
    const { term, vote } = journal;
    return { saved: { term, vote, snapshot: mark, base, entries }, snapshot: this.snapshot };
  }

  private dropSnapshot(next: string): void {
    if (this.snapshot !== null && this.snapshot !== next) this.parts.disk.removeAside(this.snapshot);
    this.snapshot = next;
  }

  private reached(version: number): void {
    if (version <= this.durable) return;
    this.durable = version;
    this.parts.stored(version);
  }

  private guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.parts.failed(systemError(error));
    }
  }
}

function numberOf(name: string): number {
  return Number(LOG_NAME.exec(name)![2]);
}

function markAt(journal: Journal): Mark {
  return markIn(journal, journal.base.index + journal.entries.length);
}

function markIn({ base, entries }: Journal, index: number): Mark {
  if (index === base.index) return base;
  const upTo = entries.slice(0, index - base.index);
  const configuration = upTo.findLast((entry) => entry.configuration !== null)?.configuration ?? base.configuration;
  return { index, term: upTo[upTo.length - 1].term, configuration };
}
