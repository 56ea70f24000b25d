/**
 * Versions of a file that is written whole again and again: which was handed out last, and which is on the disk. A version
 * that could not be written is tried again after RETRY milliseconds, unless a later one has been handed out since.
 */
import { assert } from './assert.ts';

const RETRY = 1000;

export class Versions {
  /** The last that was handed out. */
  last = 0;
  /** The last that is on the disk, and with it all before. */
  durable = 0;
  private retryAt = 0;

  /** Hands out the next. */
  next(): number {
    this.retryAt = 0;
    return ++this.last;
  }

  written(version: number): void {
    assert(version <= this.last, 'only what was handed out can be on the disk');
    this.durable = Math.max(this.durable, version);
  }

  failed(version: number, now: number): void {
    if (version === this.last) this.retryAt = now + RETRY;
  }

  /** Whether what could not be written is to be tried again now. */
  isRetryDue(now: number): boolean {
    return this.retryAt !== 0 && now >= this.retryAt;
  }
}
