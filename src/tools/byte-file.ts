/** A file read forwards through a small window: lines as C's fgets gives them, runs of bytes, and where one is. */
import * as fs from 'node:fs';

const WINDOW = 1 << 16;
const LF = 10;

export class ByteFile {
  readonly size: number;
  private readonly fd: number;
  private readonly buffer = new Uint8Array(WINDOW);
  private at = 0;
  private end = 0;
  /** Offset of the window's first byte. */
  private before: number;

  constructor(fd: number, from = 0) {
    this.fd = fd;
    this.size = fs.fstatSync(fd).size;
    this.before = from;
  }

  get offset(): number {
    return this.before + this.at;
  }

  /** The next byte, which stays; -1 at the end. */
  peek(): number {
    return this.have(1) > 0 ? this.buffer[this.at] : -1;
  }

  /** The bytes up to and with the next line feed, but no more than `limit`, which are good until the next call; null at the end. */
  line(limit: number): Uint8Array | null {
    const there = Math.min(this.have(limit), limit);
    if (there === 0) return null;
    const from = this.at;
    const lf = this.buffer.indexOf(LF, from);
    this.at = lf < 0 || lf >= from + there ? from + there : lf + 1;
    return this.buffer.subarray(from, this.at);
  }

  /** The next `count` bytes, or what there is of them: no more than a window. */
  bytes(count: number): Uint8Array {
    const there = Math.min(this.have(count), count);
    this.at += there;
    return this.buffer.subarray(this.at - there, this.at);
  }

  /** Passes over `count` bytes; how many there were. */
  skip(count: number): number {
    const there = Math.min(count, this.size - this.offset);
    const inWindow = Math.min(there, this.end - this.at);
    this.at += inWindow;
    if (inWindow < there) {
      this.before += this.at + there - inWindow;
      this.at = 0;
      this.end = 0;
    }
    return there;
  }

  /** Sees to it that `count` bytes lie in the window, as far as the file goes; how many there are. */
  private have(count: number): number {
    const left = this.end - this.at;
    if (left >= count) return left;
    this.buffer.copyWithin(0, this.at, this.end);
    this.before += this.at;
    this.at = 0;
    this.end = left;
    for (;;) {
      const got = fs.readSync(this.fd, this.buffer, this.end, WINDOW - this.end, this.before + this.end);
      this.end += got;
      if (got === 0 || this.end >= count) return this.end;
    }
  }
}
