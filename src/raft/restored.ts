/**
 * What a member knows when it starts. A snapshot that was installed may be on the disk without the log that was to begin
 * after it: then the log that is there ends before it, or differs from it, and counts for nothing.
 */
import { assert } from '../base/assert.ts';
import { NOBODY, type NodeId } from './configuration.ts';
import type { Saved } from './entry.ts';
import { Log } from './log.ts';
import type { RaftState } from './state.ts';

export function restoredState(id: NodeId, saved: Saved, now: number): RaftState {
  const { term, vote, snapshot, base, entries } = saved;
  assert(base.index <= snapshot.index, 'what is compacted is in the snapshot');
  let log = new Log(base, entries);
  if (log.term(snapshot.index) !== snapshot.term) log = new Log(snapshot, []);
  return {
    id,
    term: Math.max(term, log.lastTerm),
    vote: term >= log.lastTerm ? vote : NOBODY,
    log,
    snapshot,
    role: 'follower',
    leader: NOBODY,
    commit: snapshot.index,
    applied: snapshot.index,
    electionDue: now,
    stoodAt: now,
    heard: now,
    matched: 0,
    heardRound: 0,
    toldMatch: 0,
    toldRound: 0,
    removed: false,
    votes: new Map(),
    leading: null,
  };
}
