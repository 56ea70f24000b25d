/**
 * What a member of a group knows. Only the rules change it. Times are those of `step`, in milliseconds.
 *
 *   snapshot.index <= applied = commit <= log.last          (between steps)
 *   log.first - 1 <= snapshot.index
 *   leading is there if and only if the role is leader
 *
 * Term, vote and log are the durable part: no message that shows a term or a vote leaves before both are on the disk, and no
 * reply tells of entries that are not. verify() checks all of it.
 */
import { assert } from '../base/assert.ts';
import { type Configuration, isVoter, memberOf, type NodeId } from './configuration.ts';
import type { Mark } from './entry.ts';
import type { Log } from './log.ts';
import type { Asker, Role } from './messages.ts';
import type { Progress } from './progress.ts';

export interface RaftState {
  readonly id: NodeId;
  term: number;
  vote: NodeId;
  readonly log: Log;
  snapshot: Mark;
  role: Role;
  /** NOBODY where it is not known. */
  leader: NodeId;
  commit: number;
  /** What was handed to the state machine. */
  applied: number;
  /** When we want to be elected. */
  electionDue: number;
  /** When a candidate has asked for votes. */
  stoodAt: number;
  /** When a leader was last heard, or we have started: for an election timeout nobody else gets our vote. */
  heard: number;
  /** Of the leader: up to where our log is known to be its, the last round that was heard, and what it was told of. */
  matched: number;
  heardRound: number;
  toldMatch: number;
  toldRound: number;
  /** Somebody whose committed log says so has told us that we were removed, and no leader was heard since. */
  removed: boolean;
  /** A candidate's: who has answered, and how. */
  readonly votes: Map<NodeId, boolean>;
  leading: Leadership | null;
}

export interface Leadership {
  /** Every other member. */
  readonly peers: Map<NodeId, Progress>;
  /** The no-op. Once it is committed, all before it is. */
  readonly first: number;
  /** The last round that was begun, and the last that most have heard, which was begun at `confirmedAt`. */
  round: number;
  confirmed: number;
  confirmedAt: number;
  /** When the rounds after `confirmed` were begun. */
  readonly begun: number[];
  heartbeatDue: number;
  /** Nobody was asked to be elected in spite of us. */
  leases: boolean;
  reads: Read[];
  transfer: Transfer | null;
  /** Bytes of commands that are not committed. */
  uncommitted: number;
}

export interface Read {
  readonly asker: Asker;
  /** What must be committed. */
  readonly index: number;
  /** What most must have heard. */
  readonly round: number;
}

export interface Transfer {
  readonly to: NodeId;
  /** When it is given up. */
  readonly end: number;
  sent: boolean;
}

export function configurationOf(state: RaftState): Configuration {
  return state.log.configuration;
}

/**
 * Voters may lead; and who is to be removed, until that is committed: it may be the only one that has the entry by which it
 * is, and nobody whose log lacks that gets its vote (figure 4.6 of the thesis).
 */
export function mayBeElected({ log, commit, id, removed }: RaftState): boolean {
  if (removed) return false;
  return isVoter(log.configuration, id) || (log.configurationIndex > commit && isVoter(log.formerConfiguration, id));
}

export function verify(state: RaftState): void {
  const { log, snapshot, commit, applied, leading, role, id } = state;
  log.verify();
  assert(
    snapshot.index <= applied && applied === commit && commit <= log.last,
    'what is committed is there and applied',
  );
  assert(log.first - 1 <= snapshot.index, 'what is compacted is in the snapshot');
  assert((leading !== null) === (role === 'leader'), 'only a leader leads');
  assert(log.lastTerm <= state.term, 'no entry comes from a later term');
  if (leading === null) return;
  assert(state.leader === id && state.vote === id, 'a leader has voted for itself');
  assert(leading.begun.length === leading.round - leading.confirmed, 'rounds that are not confirmed have their times');
  for (const [peer, progress] of leading.peers) {
    assert(progress.id === peer && peer !== id, 'others are found by their IDs');
    assert(memberOf(log.configuration, peer) !== undefined, 'only members are sent the log');
    progress.verify(log.last);
  }
}
