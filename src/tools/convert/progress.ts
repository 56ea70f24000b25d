/** A bar on a terminal: how much of the input has been read, and how fast. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD_ERROR = 2;
const WIDTH = 30;
/** Milliseconds between two drawings. */
const PAUSE = 100;
const MEGABYTE = 1 << 20;

export class Progress {
  private readonly total: number;
  private readonly begin = performance.now();
  private drawnAt = 0;
  private drawn = false;
  private readonly shown: boolean;

  constructor(total: number) {
    this.total = total;
    this.shown = total > 0 && isatty(STANDARD_ERROR);
  }

  /** `done` bytes have been read, with so many keys. */
  update(done: number, keys: number): void {
    if (!this.shown) return;
    const now = performance.now();
    if (now - this.drawnAt < PAUSE) return;
    this.drawnAt = now;
    this.draw(done, keys, now);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.drawn) writeSync(STANDARD_ERROR, '\r\x1b[K');
  }

  private draw(done: number, keys: number, now: number): void {
    const part = Math.min(1, done / this.total);
    const full = Math.floor(part * WIDTH);
    const bar = '#'.repeat(full) + '.'.repeat(WIDTH - full);
    const speed = done / MEGABYTE / ((now - this.begin) / 1000);
    const percent = String(Math.floor(part * 100)).padStart(3);
    writeSync(STANDARD_ERROR, `\r[${bar}] ${percent} %  ${speed.toFixed(1)} MB/s  ${keys} keys\x1b[K`);
    this.drawn = true;
  }
}
