/**
 * How far the leader has come with one member.
 *
 *   probe ──(its log has the entry before)──> replicate ──(it lacks what was sent)──> probe
 *     └──(what it needs is compacted)──> snapshot ──(installed, or the transfer has ended)──> probe
 *
 * match < next, always. `probe`: one message a heartbeat, until it is known where the logs part. `replicate`: messages follow
 * each other without waiting, up to a number. `snapshot`: only heartbeats.
 */
import { assert } from '../base/assert.ts';
import type { NodeId } from './configuration.ts';

export class Progress {
  readonly id: NodeId;
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** Up to here it has our log, on its disk. */
  match = 0;
  /** What is sent next. */
  next: number;
  /** `probe`: a message is on its way. */
  paused = false;
  /** `replicate`: the last entries of the messages on their way, in their order. */
  inflight: number[] = [];
  /** `snapshot`: where it ends. */
  snapshot = 0;
  /** The last round that it has heard. */
  round = 0;

  constructor(id: NodeId, next: number) {
    this.id = id;
    this.next = next;
  }

  /** Its log is ours up to `match`, on its disk, and up to `held` in memory. */
  advance(match: number, held: number): void {
    this.match = Math.max(this.match, match);
    if (this.state === 'snapshot') {
      this.next = Math.max(this.next, this.match + 1);
      if (this.match >= this.snapshot) this.probe();
      return;
    }
    if (held >= this.next - 1) {
      this.next = held + 1;
      this.state = 'replicate';
    }
    let done = 0;
    while (done < this.inflight.length && this.inflight[done] <= held) done++;
    if (done > 0) this.inflight.splice(0, done);
  }

  /** It does not have the entry at `rejected`; `hint` is the next to try. Whether that is news. */
  retreat(rejected: number, hint: number): boolean {
    if (this.state === 'snapshot' || rejected <= this.match) return false;
    if (this.state === 'probe' && rejected !== this.next - 1) return false;
    this.probe();
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    return true;
  }

  /** Entries up to `last` are on their way. */
  sent(last: number): void {
    if (this.state === 'probe') {
      this.paused = true;
      return;
    }
    this.next = last + 1;
    this.inflight.push(last);
  }

  probe(): void {
    this.state = 'probe';
    this.paused = false;
    this.inflight = [];
    this.next = this.match + 1;
  }

  awaitSnapshot(index: number): void {
    this.state = 'snapshot';
    this.inflight = [];
    this.snapshot = index;
  }

  verify(last: number): void {
    assert(this.match < this.next && this.next <= last + 1, 'what is sent next follows what is there');
    assert(
      this.inflight.every((each, i) => i === 0 || this.inflight[i - 1] < each),
      'messages follow each other',
    );
  }
}
