/** Lines of text out of bytes, one at a time. */
import { isUtf8 } from 'node:buffer';
import type { ByteSource } from '../chunks.ts';
import { RecordError } from './record.ts';

const WINDOW = 1 << 16;
const NEWLINE = 10;
/** A longer line can't become a string. */
const LONGEST = 500 * 1024 * 1024;

export class Lines {
  /** Of the line given last, from 1 on. */
  number = 0;
  private readonly source: ByteSource;
  private buffer = Buffer.alloc(WINDOW);
  private at = 0;
  private end = 0;
  private ended = false;

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** The next line without its end, null behind the last. */
  next(): string | null {
    let seen = this.at;
    for (;;) {
      const stop = this.buffer.subarray(0, this.end).indexOf(NEWLINE, seen);
      if (stop >= 0) return this.take(stop, stop + 1);
      if (this.ended) return this.at === this.end ? null : this.take(this.end, this.end);
      const kept = this.end - this.at;
      this.fill();
      seen = this.at + kept;
    }
  }

  private take(stop: number, next: number): string {
    const line = this.buffer.subarray(this.at, stop);
    this.at = next;
    this.number++;
    if (!isUtf8(line)) throw new RecordError(`line ${this.number} is not UTF-8`);
    return line.toString('utf8');
  }

  private fill(): void {
    this.buffer.copyWithin(0, this.at, this.end);
    this.end -= this.at;
    this.at = 0;
    if (this.end === this.buffer.length) {
      if (this.end >= LONGEST) throw new RecordError(`line ${this.number + 1} is too long`);
      const larger = Buffer.alloc(this.end * 2);
      this.buffer.copy(larger);
      this.buffer = larger;
    }
    const got = this.source(this.buffer, this.end, this.buffer.length - this.end);
    this.end += got;
    this.ended = got === 0;
  }
}
