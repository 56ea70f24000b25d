/**
 * The durable steps, on which the promise of a saved write rests: whatever must be on the disk before
 * something else goes through here. Built on `node:fs` by its namespace, so that a test can stand between.
 */
import * as fs from 'node:fs';

/** A signal came before anything was done: the step is repeated. */
function interrupted(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EINTR';
}

function again<T>(step: () => T): T {
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (!interrupted(error)) throw error;
    }
  }
}

/** Opens a file for writing: from its beginning with 'w', at its end with 'a'; created where there is none. */
export function openFile(file: string, how: 'w' | 'a'): number {
  return again(() => fs.openSync(file, how, 0o644));
}

export function closeFile(fd: number): void {
  fs.closeSync(fd);
}

/**
 * Writes from `from` to `to`, as far as the system goes; answers how many bytes it took. Fewer than there are come with a
 * disk that is full; an error is thrown only where not a single byte was taken.
 */
export function writeSome(fd: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    try {
      const taken = fs.writeSync(fd, bytes, at, to - at);
      if (taken === 0) break;
      at += taken;
    } catch (error) {
      if (interrupted(error)) continue;
      if (at === from) throw error;
      break;
    }
  }
  return at - from;
}

/** Writes all of it, or throws. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    at += again(() => fs.writeSync(fd, bytes, from, bytes.length - from));
  }
}

/** Returns once the bytes, and the size of the file, would survive a loss of power. */
export function syncData(fd: number): void {
  again(() => fs.fdatasyncSync(fd));
}

/** The same off the event loop. What can't be synced at all (a pipe, a device) needn't be. */
export function syncDataAside(fd: number, done: (error: NodeJS.ErrnoException | null) => void): void {
  fs.fdatasync(fd, (error) => {
    if (error !== null && interrupted(error)) syncDataAside(fd, done);
    else done(error?.code === 'EINVAL' ? null : error);
  });
}

export function syncFile(fd: number): void {
  again(() => fs.fsyncSync(fd));
}

export function truncateTo(fd: number, length: number): void {
  again(() => fs.ftruncateSync(fd, length));
}

export function renameFile(from: string, to: string): void {
  again(() => fs.renameSync(from, to));
}

/** A new or renamed file survives a crash once its folder is synced; where a folder can't be opened (Windows) it needn't be. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = again(() => fs.openSync(folder, 'r'));
  try {
    syncFile(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a folder unless there is one. */
export function ensureFolder(folder: string): void {
  again(() => fs.mkdirSync(folder, { recursive: true, mode: 0o755 }));
}

export function removeQuietly(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch {
    // It is left behind, as a crash would have left it.
  }
}

/** Removes a name at once and what lies under it off the event loop, which for a large file takes long. */
export function removeAside(file: string): void {
  try {
    const fd = fs.openSync(file, 'r');
    fs.rmSync(file, { force: true });
    // The bytes are freed when nobody has the file open any more.
    fs.close(fd, () => {});
  } catch {
    removeQuietly(file);
  }
}

/** Size in bytes; undefined where there is no such file. Throws where that can't be told. */
export function sizeOf(file: string): number | undefined {
  return fs.statSync(file, { throwIfNoEntry: false })?.size;
}
