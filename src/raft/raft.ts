/**
 * The rules of a group as one machine, without sockets, timers, files, clocks or randomness of their own: `step` takes what
 * has happened and says what is to be done. messages.ts has both, state.ts what is known in between, rules/ the rules: Raft,
 * as Ongaro's thesis has it, with pre-votes, leases, learners and transfers.
 */
import { assert, verifies } from '../base/assert.ts';
import { type Change, NOBODY, type NodeId } from './configuration.ts';
import type { Mark, Saved } from './entry.ts';
import type { Message } from './message.ts';
import type { Input, Output } from './messages.ts';
import { restoredState } from './restored.ts';
import { advanceCommit } from './rules/commit.ts';
import { campaign, countOwnVote, electionIsDue, heardVote } from './rules/election.ts';
import { acceptStored, takeEntries, tellTerm } from './rules/follow.ts';
import {
  changeGroup,
  followConfiguration,
  heardRemoval,
  leaveWhenRemoved,
  objectionTo,
  tellRemoval,
} from './rules/membership.ts';
import { obstacle, propose } from './rules/proposals.ts';
import { askRead, releaseReads } from './rules/reads.ts';
import { heardReply, sendTo, snapshotEnded } from './rules/replicate.ts';
import { becomeFollower, delayElection } from './rules/roles.ts';
import { beginRound, checkQuorum, confirmRounds, quorumIsDue } from './rules/rounds.ts';
import { receiveSnapshot, takeSnapshot } from './rules/snapshots.ts';
import { goOnWithTransfer, takeOver, transfer } from './rules/transfer.ts';
import { Turn, type World } from './rules/turn.ts';
import { answerRequest, isUnheard } from './rules/votes.ts';
import { type RaftState, verify } from './state.ts';

export class Raft {
  readonly state: RaftState;
  private readonly turn: Turn;
  private readonly verified = verifies();

  /**
   * Starts from what was kept, or from `newSaved`. `now` as `step` has it; the state machine is to be at the snapshot of
   * what was kept. Where `saved` then has another base, the file of the log is to be written whole before it goes on.
   */
  constructor(id: NodeId, saved: Saved, world: World, now: number) {
    assert(Number.isSafeInteger(id) && id > NOBODY, 'IDs are positive safe integers');
    this.state = restoredState(id, saved, now);
    this.turn = new Turn(this.state, world, now);
    delayElection(this.turn);
  }

  /** When the next tick is due. */
  get due(): number {
    const { leading, electionDue } = this.state;
    if (leading === null) return electionDue;
    const due = Math.min(leading.heartbeatDue, quorumIsDue(this.turn, leading));
    return leading.transfer === null ? due : Math.min(due, leading.transfer.end);
  }

  /** Whether proposals are taken; where not, why. */
  get obstacle(): ReturnType<typeof obstacle> {
    return obstacle(this.turn);
  }

  /** Why a change of the group would be refused now; '' where it would not. */
  objectionTo(change: Change): string {
    return objectionTo(this.turn, change);
  }

  /** What a snapshot of what was applied up to `index` says of itself. */
  mark(index: number): Mark {
    assert(index <= this.state.applied, 'a snapshot has what was applied');
    return this.state.log.mark(index);
  }

  /** What a file of the log has that is written whole, after what was stored before. */
  get saved(): Saved {
    const { term, vote, snapshot, log } = this.state;
    return { term, vote, snapshot, base: log.base, entries: log.from(log.first) };
  }

  /**
   * `now` in milliseconds, by a clock that never goes back. Others' clocks are never compared with it, but for leases they
   * must run alike.
   */
  step(now: number, input: Input): readonly Output[] {
    const { turn } = this;
    turn.begin(now);
    this.take(input);
    this.lead();
    const outputs = turn.end();
    if (this.verified) verify(this.state);
    return outputs;
  }

  private take(input: Input): void {
    const { turn } = this;
    switch (input.kind) {
      case 'tick':
        this.tick();
        break;
      case 'message':
        this.receive(input.message);
        break;
      case 'stored':
        turn.stored(input.version);
        countOwnVote(turn);
        acceptStored(turn);
        break;
      case 'propose':
        propose(turn, input.asker, input.payloads);
        break;
      case 'read':
        askRead(turn, input.asker, input.seen);
        break;
      case 'change':
        changeGroup(turn, input.asker, input.change);
        break;
      case 'transfer':
        transfer(turn, input.asker, input.to);
        break;
      case 'campaign':
        campaign(turn);
        break;
      case 'snapshotted':
        takeSnapshot(turn, input.index);
        break;
      case 'snapshot-sent':
        snapshotEnded(turn, input.to, input.ok);
        break;
    }
  }

  private tick(): void {
    const { turn, state } = this;
    const { leading } = state;
    if (leading !== null) checkQuorum(turn, leading);
    else if (turn.now >= state.electionDue) electionIsDue(turn);
  }

  /** A later term is entered before anything else; what is of an earlier one is not listened to. */
  private receive(message: Message): void {
    const { turn, state } = this;
    const { type, term, from } = message;
    assert(message.to === state.id, 'messages reach those they are for');
    if (type === 'removal') {
      heardRemoval(turn, message);
      return;
    }
    if (type === 'vote') {
      tellRemoval(turn, message);
      if (isUnheard(turn, message)) return;
    }
    if (term > state.term) becomeFollower(turn, term, NOBODY);
    if (type === 'vote') answerRequest(turn, message);
    else if (term < state.term) {
      if (type === 'append') tellTerm(turn, message);
    } else if (type === 'vote-reply') heardVote(turn, message);
    else if (type === 'append-reply') heardReply(turn, message);
    else {
      assert(state.role !== 'leader' && [NOBODY, from].includes(state.leader), 'a term has one leader');
      if (type === 'append') takeEntries(turn, message);
      else if (type === 'snapshot') receiveSnapshot(turn, message);
      else takeOver(turn, message);
    }
  }

  /** What a leader does whenever something has happened. */
  private lead(): void {
    const { turn } = this;
    const { leading } = turn;
    if (leading === null) return;
    followConfiguration(turn, leading);
    advanceCommit(turn, leading);
    leaveWhenRemoved(turn, leading);
    if (turn.leading === null) return;
    if (turn.now >= leading.heartbeatDue) beginRound(turn, leading);
    confirmRounds(turn, leading);
    releaseReads(turn, leading);
    goOnWithTransfer(turn, leading);
    for (const peer of leading.peers.values()) sendTo(turn, peer, false);
  }
}
