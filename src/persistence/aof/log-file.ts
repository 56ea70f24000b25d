/** One file of the log that is being appended to. A sync that is under way keeps it open until it is done. */
import { closeFile, openFile, sizeOf, syncDataAside, truncateTo } from '../../base/disk.ts';

export class LogFile {
  readonly fd: number;
  /** Bytes up to the end of the last write that was whole. */
  length: number;
  syncing = false;
  private leaving = false;

  private constructor(fd: number, length: number) {
    this.fd = fd;
    this.length = length;
  }

  /** Opens a file to go on with, made where there is none. */
  static append(path: string): LogFile {
    const fd = openFile(path, 'a');
    return new LogFile(fd, sizeOf(path) ?? 0);
  }

  /** Opens a file that begins empty. */
  static create(path: string): LogFile {
    const file = LogFile.append(path);
    if (file.length > 0) {
      truncateTo(file.fd, 0);
      file.length = 0;
    }
    return file;
  }

  syncAside(done: (error: Error | null) => void): void {
    this.syncing = true;
    syncDataAside(this.fd, (error) => {
      this.syncing = false;
      done(error);
      if (this.leaving) closeFile(this.fd);
    });
  }

  close(): void {
    if (this.leaving) return;
    this.leaving = true;
    if (!this.syncing) closeFile(this.fd);
  }

  /** Syncs what was written last, off the event loop, and closes. */
  retire(done: (error: Error | null) => void): void {
    if (this.syncing) {
      // What was written since that one began needs a sync of its own.
      syncDataAside(this.fd, (error) => {
        done(error);
        this.close();
      });
      return;
    }
    this.syncAside(done);
    this.close();
  }
}
