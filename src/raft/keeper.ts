/**
 * The snapshots that a member makes of its own data, so that its log does not grow without end.
 *
 *   idle ──begin──> saving (a frozen view, aside) ──> saved ──its last entry is committed──> kept: the log before it may go
 *                      └──failed──> idle                └──another entry stands there──> dropped
 *
 * A leader's data have what is not committed yet, so that a snapshot may be complete before it counts.
 */
import { join } from 'node:path';
import type { Disk } from '../base/disk.ts';
import type { Mark } from './entry.ts';

/** What is known of the log. */
export interface LogView {
  readonly committed: number;
  /** The last snapshot that counts. */
  readonly snapshot: number;
  /** The term of an entry; -1 where it is not there. */
  term(index: number): number;
  mark(index: number): Mark;
}

export interface KeeperParts {
  readonly disk: Disk;
  readonly folder: string;
  /** Writes the data as they are now to a file of this name in the folder, synced; false where that can't begin now. */
  readonly save: (name: string, done: (good: boolean) => void) => boolean;
  /** The file is complete, and what it holds is committed. */
  readonly kept: (name: string, mark: Mark) => void;
}

interface Snapshot {
  readonly name: string;
  readonly index: number;
  readonly term: number;
  complete: boolean;
}

export class Keeper {
  private readonly parts: KeeperParts;
  private snapshot: Snapshot | null = null;

  constructor(parts: KeeperParts) {
    this.parts = parts;
  }

  get busy(): boolean {
    return this.snapshot !== null;
  }

  /** The data are those of the log up to the entry; whether it has begun. */
  begin(name: string, index: number, term: number): boolean {
    const snapshot: Snapshot = { name, index, term, complete: false };
    this.snapshot = snapshot;
    const begun = this.parts.save(name, (good) => {
      if (this.snapshot !== snapshot || !good) this.drop(snapshot);
      else snapshot.complete = true;
    });
    if (!begun && this.snapshot === snapshot) this.snapshot = null;
    return begun;
  }

  /** Something has changed in the log. */
  look(log: LogView): void {
    const { snapshot } = this;
    if (snapshot === null) return;
    const { index, term, name, complete } = snapshot;
    if (index <= log.snapshot || log.term(index) !== term) {
      this.drop(snapshot);
      return;
    }
    if (!complete || index > log.committed) return;
    this.snapshot = null;
    this.parts.kept(name, log.mark(index));
  }

  private drop(snapshot: Snapshot): void {
    if (this.snapshot === snapshot) this.snapshot = null;
    // One that is still being written is removed when it is complete.
    this.parts.disk.removeAside(join(this.parts.folder, snapshot.name));
  }
}
