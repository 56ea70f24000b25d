/** Where bytes come from and go to: files, or the standard streams under the name `-`. */

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { RealDisk } from '../../base/disk.ts';
import { sleepThread } from '../../base/sleep.ts';
import { codeOf, systemError } from '../../base/system-error.ts';
import { narrow } from '../../base/text.ts';
import { RecordError } from '../../persistence/records/record.ts';

const BUFFER = 1 << 16;
const STANDARD = '-';

/** Nobody reads what is written any more. */
export class BrokenPipe extends Error {
  override name = 'BrokenPipe';
  /** What a shell tells of a program that ends so: 128 and SIGPIPE. */
  static readonly code = 141;
}

/** Opens an input; `size` is 0 where it has none to tell. */
export class Input {
  readonly size: number;
  /** It can be read again from its beginning. */
  readonly isFile: boolean;
  /** Bytes read so far. */
  offset = 0;
  private readonly name: string;
  private readonly file: number;
  /** What was read ahead to see what it is. */
  private ahead: Buffer | null = null;

  constructor(name: string) {
    this.name = name;
    this.file = attempt(name, () => (name === STANDARD ? 0 : fs.openSync(name, 'r')));
    const stat = attempt(this.name, () => fs.fstatSync(this.file));
    if (stat.isDirectory()) throw new RecordError(`${name} is a directory`);
    this.isFile = name !== STANDARD && stat.isFile();
    this.size = stat.isFile() ? stat.size : 0;
  }

  /** The first byte, which stays to be read; -1 where there is none. */
  peek(): number {
    const first = Buffer.alloc(1);
    if (this.read(first, 0, 1) === 0) return -1;
    this.offset = 0;
    this.ahead = first;
    return first[0];
  }

  read(into: Uint8Array, at: number, length: number): number {
    if (this.ahead !== null) {
      into[at] = this.ahead[0];
      this.ahead = null;
      this.offset = 1;
      return 1;
    }
    const got = attempt(this.name, () => this.readOnce(into, at, length));
    this.offset += got;
    return got;
  }

  close(): void {
    if (this.name !== STANDARD) fs.closeSync(this.file);
  }

  private readOnce(into: Uint8Array, at: number, length: number): number {
    for (;;) {
      try {
        return fs.readSync(this.file, into, at, length, null);
      } catch (error) {
        if (codeOf(error) === 'EOF') return 0;
        if (codeOf(error) !== 'EAGAIN') throw error;
        sleepThread(1);
      }
    }
  }
}

/**
 * An output: a file appears under its name when all of it is written and synced, and not before. Where a link leads, there
 * it is put; what is no file (a pipe, a device) is written to as it is.
 */
export class Output {
  private readonly name: string;
  /** The file to be, and what it is called till then; null where there is none. */
  private readonly place: { readonly path: string; readonly temporary: string } | null;
  private readonly file: number;
  private readonly buffer = Buffer.alloc(BUFFER);
  private at = 0;

  constructor(name: string, replace: boolean) {
    this.name = name;
    const there = name === STANDARD ? undefined : attempt(name, () => fs.statSync(name, { throwIfNoEntry: false }));
    if (there?.isDirectory()) throw new RecordError(`${name} is a directory`);
    if (there?.isFile() && !replace) throw new RecordError(`${name} is there already; --force replaces it`);
    if (name === STANDARD || (there !== undefined && !there.isFile())) {
      this.place = null;
      this.file = name === STANDARD ? 1 : attempt(name, () => fs.openSync(name, 'w'));
      return;
    }
    const path = there === undefined ? name : attempt(name, () => fs.realpathSync(name));
    this.place = { path, temporary: `${path}.${process.pid}.part` };
    const { temporary } = this.place;
    this.file = attempt(name, () => fs.openSync(temporary, 'w', 0o644));
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > BUFFER - this.at) this.flush();
    if (bytes.length > BUFFER) this.writeAll(bytes);
    else {
      this.buffer.set(bytes, this.at);
      this.at += bytes.length;
    }
  }

  text(text: string): void {
    this.bytes(Buffer.from(text, 'utf8'));
  }

  finish(): void {
    this.flush();
    const { place } = this;
    if (place === null) return;
    attempt(this.name, () => {
      fs.fsyncSync(this.file);
      fs.closeSync(this.file);
      fs.renameSync(place.temporary, place.path);
      new RealDisk().syncFolder(narrow(dirname(place.path)));
    });
  }

  /** Leaves nothing behind. */
  abandon(): void {
    if (this.place !== null) fs.rmSync(this.place.temporary, { force: true });
  }

  private flush(): void {
    this.writeAll(this.buffer.subarray(0, this.at));
    this.at = 0;
  }

  private writeAll(bytes: Uint8Array): void {
    attempt(this.name, () => {
      for (let at = 0; at < bytes.length; ) {
        try {
          at += fs.writeSync(this.file, bytes, at, bytes.length - at);
        } catch (error) {
          if (codeOf(error) === 'EPIPE') throw new BrokenPipe();
          if (codeOf(error) !== 'EAGAIN') throw error;
          sleepThread(1);
        }
      }
    });
  }
}

/** Says which file it is that the system refuses. */
function attempt<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof BrokenPipe) throw error;
    throw new RecordError(`${name}: ${systemError(error)}`);
  }
}
