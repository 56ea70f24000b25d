/** Those who wait for one entry to be committed: what stands in its place then may be another leader's. */
import type { Log } from './log.ts';

interface Awaiting {
  readonly index: number;
  readonly term: number;
  readonly done: (committed: boolean) => void;
}

export class Awaited {
  private awaiting: Awaiting[] = [];

  add(awaiting: Awaiting): void {
    this.awaiting.push(awaiting);
  }

  /** Entries up to this one are committed. */
  committed(commit: number, log: Log): void {
    if (this.awaiting.length === 0) return;
    const done = this.awaiting.filter(({ index }) => index <= commit);
    this.awaiting = this.awaiting.filter(({ index }) => index > commit);
    for (const { index, term, done: tell } of done) tell(log.term(index) === term);
  }
}
