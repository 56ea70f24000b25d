/** One file of the log that is being appended to. A sync that is under way keeps it open until it is done. */
import type { Disk, DiskFile } from '../../base/disk.ts';

export class LogFile {
  private readonly file: DiskFile;
  /** Bytes up to the end of the last write that was whole. */
  length: number;
  syncing = false;
  private leaving = false;

  private constructor(file: DiskFile) {
    this.file = file;
    this.length = file.size;
  }

  /** Opens a file to go on with, made where there is none. */
  static append(disk: Disk, path: string): LogFile {
    return new LogFile(disk.open(path, 'a'));
  }

  /** Opens a file that begins empty. */
  static create(disk: Disk, path: string): LogFile {
    const log = LogFile.append(disk, path);
    if (log.length > 0) {
      log.length = 0;
      log.cutBack();
    }
    return log;
  }

  /** Writes what there is room for; how many bytes that were. */
  write(bytes: Uint8Array, length: number): number {
    return this.file.writeSome(bytes, 0, length);
  }

  /** Takes back what lies behind the last write that was whole. */
  cutBack(): void {
    this.file.truncate(this.length);
  }

  sync(): void {
    this.file.syncData();
  }

  syncAside(done: (error: Error | null) => void): void {
    this.syncing = true;
    this.file.syncDataAside((error) => {
      this.syncing = false;
      done(error);
      if (this.leaving) this.file.close();
    });
  }

  close(): void {
    if (this.leaving) return;
    this.leaving = true;
    if (!this.syncing) this.file.close();
  }

  /** Syncs what was written last, off the event loop, and closes. */
  retire(done: (error: Error | null) => void): void {
    if (this.syncing) {
      // What was written since that one began needs a sync of its own.
      this.file.syncDataAside((error) => {
        done(error);
        this.close();
      });
      return;
    }
    this.syncAside(done);
    this.close();
  }
}
