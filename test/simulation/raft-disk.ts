/**
 * The disk of a member of a group: the file of its log, as bytes, and its snapshot. Writes are carried out one after the
 * other; appends that wait are written and synced together. A crash leaves of what was not synced as many bytes as it likes,
 * with anything behind them; of a file that takes the place of another, the one or the other.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { encodeJournal, type Journal, readJournal } from '../../src/raft/disk/journal.ts';
import type { Mark, Saved } from '../../src/raft/entry.ts';
import type { Machine } from './raft-machine.ts';

export interface Snapshot {
  readonly mark: Mark;
  /** Nothing changes it. */
  readonly machine: Machine;
}

type Write = { readonly done: () => void } & (
  | { readonly kind: 'append'; readonly bytes: Uint8Array }
  | { readonly kind: 'replace'; readonly file: Uint8Array }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** First the one, then the other. */
  | { readonly kind: 'install'; readonly snapshot: Snapshot; readonly file: Uint8Array }
);

export class RaftDisk {
  /** Milliseconds that a write takes at most. */
  delay = 2;
  snapshot: Snapshot;
  private readonly random: SeededRandom;
  private readonly after: (ms: number, action: () => void) => void;
  private file: Uint8Array;
  private waiting: Write[] = [];
  /** How many of them are being written. */
  private writing = 0;

  constructor(snapshot: Snapshot, random: SeededRandom, after: (ms: number, action: () => void) => void) {
    this.snapshot = snapshot;
    this.random = random;
    this.after = after;
    this.file = encodeJournal({ base: snapshot.mark, term: 0, vote: 0, entries: [] });
  }

  /** As a start reads it: what is behind the end is cut off. */
  load(): Saved {
    const journal: Journal = readJournal(this.file);
    this.file = this.file.subarray(0, journal.length);
    return { ...journal, snapshot: this.snapshot.mark };
  }

  write(write: Write): void {
    this.waiting.push(write);
    if (this.writing === 0) this.begin();
  }

  crash(): void {
    const { random, writing, waiting } = this;
    const [first] = waiting;
    if (writing > 0) {
      if (first.kind === 'append') this.tear();
      else {
        const { kind } = first;
        const part = random.below(3);
        if (part > 0 && kind !== 'replace') this.keep(first.snapshot);
        if (part > 1 && kind !== 'snapshot') this.file = first.file;
      }
    }
    this.waiting = [];
    this.writing = 0;
  }

  private begin(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    const end = waiting.findIndex(({ kind }) => kind !== 'append');
    this.writing = end === 0 ? 1 : end < 0 ? waiting.length : end;
    this.after(this.random.double01() * this.delay, () => this.finish());
  }

  private finish(): void {
    const done = this.waiting.splice(0, this.writing);
    this.writing = 0;
    for (const write of done) {
      if (write.kind === 'append') this.append(write.bytes);
      if (write.kind === 'snapshot' || write.kind === 'install') this.keep(write.snapshot);
      if (write.kind === 'replace' || write.kind === 'install') this.file = write.file;
    }
    for (const write of done) write.done();
    if (this.writing === 0) this.begin();
  }

  /** A later snapshot stays. */
  private keep(snapshot: Snapshot): void {
    if (snapshot.mark.index > this.snapshot.mark.index) this.snapshot = snapshot;
  }

  private append(bytes: Uint8Array): void {
    const file = new Uint8Array(this.file.length + bytes.length);
    file.set(this.file);
    file.set(bytes, this.file.length);
    this.file = file;
  }

  private tear(): void {
    const { random } = this;
    for (const write of this.waiting) {
      if (write.kind !== 'append') return;
      if (random.below(2) === 0) {
        this.append(write.bytes);
        continue;
      }
      const length = random.below(write.bytes.length + 1);
      this.append(write.bytes.subarray(0, length));
      const behind = write.bytes.slice(length);
      if (random.below(2) === 0 && behind.length > 0) {
        behind[random.below(behind.length)] ^= 255;
        this.append(behind);
      }
      return;
    }
  }
}
