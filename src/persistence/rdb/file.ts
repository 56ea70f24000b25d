/**
 * The snapshot's file: written under a temporary name, synced, put in the old one's place, its directory synced. Whatever
 * goes wrong before the last step leaves the old file as it was.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { widen } from '../../base/text.ts';
import { systemError } from '../../config/host.ts';
import type { Reader } from '../../memory/memory.ts';
import { RdbOutput } from './output.ts';
import { type Dataset, type SaveProgress, writeDataset } from './write.ts';

/** Bytes between two syncs of a file that is being written. */
const SYNC_BYTES = 4 * 1024 * 1024;

export interface SaveTarget {
  readonly folder: string;
  readonly name: string;
  readonly compress: boolean;
  readonly checksum: boolean;
  /** rdb-save-incremental-fsync */
  readonly syncOnTheWay: boolean;
  /** What distinguishes the temporary file: the process, and who in it writes. */
  readonly writer: string;
}

/** Why a snapshot could not be saved, in the words for the log. */
export class SaveError extends Error {
  override name = 'SaveError';
}

export function temporaryFile(target: Pick<SaveTarget, 'folder' | 'writer'>): string {
  return widen(join(target.folder, `temp-${target.writer}.rdb`));
}

/** Saves the dataset; throws SaveError. */
export function saveFile(r: Reader, set: Dataset, target: SaveTarget, progress: SaveProgress): void {
  const temporary = temporaryFile(target);
  const { folder, name } = target;
  const fd = attempt(
    () => fs.openSync(temporary, 'w', 0o644),
    (why) =>
      `Failed opening the temp RDB file temp-${target.writer}.rdb (in server root dir ${folder}) for saving: ${why}`,
  );
  try {
    attempt(
      () => writeAll(fd, r, set, target, progress),
      (why) => `Write error saving DB on disk: ${why}`,
    );
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  try {
    attempt(
      () => fs.renameSync(temporary, widen(join(folder, name))),
      (why) =>
        `Error moving temp DB file temp-${target.writer}.rdb on the final destination ${name} (in server root dir ${folder}): ${why}`,
    );
    attempt(
      () => syncFolder(widen(folder)),
      (why) => `Failed to fsync directory while saving DB: ${why}`,
    );
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

function writeAll(fd: number, r: Reader, set: Dataset, target: SaveTarget, progress: SaveProgress): void {
  let unsynced = 0;
  const sink = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at, bytes.length - at);
    unsynced += bytes.length;
    if (!target.syncOnTheWay || unsynced < SYNC_BYTES) return;
    fs.fdatasyncSync(fd);
    unsynced = 0;
  };
  try {
    const { compress, checksum } = target;
    writeDataset(r, set, new RdbOutput({ compress, checksum, sink }), progress);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** What the system refuses becomes a SaveError; a fault of our own goes on as it is. */
function attempt<T>(action: () => T, message: (why: string) => string): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new SaveError(message(systemError(error)));
    throw error;
  }
}

export function removeQuietly(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch {
    // It is left behind, as a crash would have left it.
  }
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
