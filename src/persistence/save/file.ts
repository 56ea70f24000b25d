/**
 * The file of a snapshot, or of a base of the append-only file: written under a temporary name, synced, put in the old
 * one's place, its directory synced. Whatever goes wrong before the last step leaves the old file as it was.
 */
import { join } from 'node:path';
import { type Disk, type DiskFile, removeQuietly } from '../../base/disk.ts';
import { isRefusal, systemError } from '../../base/system-error.ts';
import type { Reader } from '../../memory/memory.ts';
import type { Dataset, DatasetWriter, SaveProgress } from './dataset.ts';
import { datasetWriter, type SaveFormat } from './format.ts';

/** Bytes between two syncs of a file that is being written. */
const SYNC_BYTES = 4 * 1024 * 1024;

export interface SaveTarget {
  readonly folder: string;
  readonly name: string;
  readonly compress: boolean;
  readonly checksum: boolean;
  /** rdb-save-incremental-fsync, aof-rewrite-incremental-fsync */
  readonly syncOnTheWay: boolean;
  /** What distinguishes the temporary file from those of all other writers. */
  readonly writer: string;
  /** Of a base of the append-only file: whether it is a snapshot or commands. */
  readonly base?: 'rdb' | 'aof';
  /** Commands begin with the time (aof-timestamp-enabled). */
  readonly stamped?: boolean;
}

/** Why a file could not be saved, in the words for the log. */
export class SaveError extends Error {
  override name = 'SaveError';
}

export function temporaryFile(target: Pick<SaveTarget, 'folder' | 'writer' | 'base'>): string {
  return join(target.folder, temporaryName(target));
}

function temporaryName({ writer, base }: Pick<SaveTarget, 'writer' | 'base'>): string {
  return `temp-${writer}.${base === undefined ? 'rdb' : 'aof'}`;
}

/** Saves the dataset; throws SaveError. Answers what it was written by. */
export function saveFile(
  disk: Disk,
  r: Reader,
  set: Dataset,
  target: SaveTarget,
  progress: SaveProgress,
): DatasetWriter {
  const temporary = temporaryFile(target);
  const { folder, name } = target;
  const words = target.base === undefined ? snapshotWords(target) : BASE_WORDS;
  const file = attempt(() => disk.open(temporary, 'w'), words.open);
  try {
    const writer = attempt(() => writeFile(file, r, set, target, progress), words.write);
    attempt(() => disk.rename(temporary, join(folder, name)), words.move);
    attempt(() => disk.syncFolder(folder), words.syncFolder);
    return writer;
  } catch (error) {
    removeQuietly(disk, temporary);
    throw error;
  }
}

/** What the log tells of each step that can fail. */
interface Words {
  open(why: string): string;
  write(why: string): string;
  move(why: string): string;
  syncFolder(why: string): string;
}

function snapshotWords(target: SaveTarget): Words {
  const { folder, name } = target;
  const temporary = temporaryName(target);
  return {
    open: (why) => `Failed opening the temp RDB file ${temporary} (in server root dir ${folder}) for saving: ${why}`,
    write: (why) => `Write error saving DB on disk: ${why}`,
    move: (why) =>
      `Error moving temp DB file ${temporary} on the final destination ${name} (in server root dir ${folder}): ${why}`,
    syncFolder: (why) => `Failed to fsync directory while saving DB: ${why}`,
  };
}

const BASE_WORDS: Words = {
  open: (why) => `Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): ${why}`,
  write: (why) => `Write error writing append only file on disk: ${why}`,
  move: (why) => `Error moving temp append only file on the final destination: ${why}`,
  syncFolder: (why) => `Write error writing append only file on disk: ${why}`,
};

function writeFile(file: DiskFile, r: Reader, set: Dataset, target: SaveTarget, progress: SaveProgress): DatasetWriter {
  const { compress, checksum, base, stamped = false, syncOnTheWay } = target;
  let unsynced = 0;
  const sink = (bytes: Uint8Array): void => {
    file.writeAll(bytes);
    unsynced += bytes.length;
    if (!syncOnTheWay || unsynced < SYNC_BYTES) return;
    file.syncData();
    unsynced = 0;
  };
  try {
    const format: SaveFormat = base === 'aof' ? { kind: 'aof', stamped } : { kind: 'rdb', compress, checksum };
    const writer = datasetWriter(r, set, format, sink);
    // The first step is what the file says of itself.
    writer.step();
    while (writer.step()) progress.key();
    file.sync();
    return writer;
  } finally {
    file.close();
  }
}

/** What the system refuses becomes a SaveError; a fault of our own goes on as it is. */
function attempt<T>(action: () => T, message: (why: string) => string): T {
  try {
    return action();
  } catch (error) {
    if (isRefusal(error)) throw new SaveError(message(systemError(error)));
    throw error;
  }
}
