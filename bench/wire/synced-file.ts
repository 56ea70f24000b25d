/** A file that grows by the bytes of a small entry and is synced. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const ENTRY = Buffer.alloc(100, 'x');

export class SyncedFile {
  private readonly file: number;

  constructor(folder: string) {
    this.file = openSync(join(folder, 'syncs'), 'a');
  }

  /** Milliseconds that it took. */
  sync(): number {
    const begun = performance.now();
    writeSync(this.file, ENTRY);
    fdatasyncSync(this.file);
    return performance.now() - begun;
  }

  close(): void {
    closeSync(this.file);
  }
}
