/** What members of a group say to each other. wire/ has them as bytes. */
import type { NodeId } from './configuration.ts';
import type { Entry, Mark } from './entry.ts';

interface Header {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's. */
  readonly term: number;
}

/**
 * Asks for a vote: in the sender's term or, where it is only asked whether there would be one (`pre`), in the next. With
 * `transfer` the leader has asked for the election: then nobody holds back because of it.
 */
export interface VoteRequest extends Header {
  readonly type: 'vote';
  readonly pre: boolean;
  readonly transfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface VoteReply extends Header {
  readonly type: 'vote-reply';
  readonly pre: boolean;
  /** The term of the request. */
  readonly asked: number;
  readonly granted: boolean;
}

/** Entries that follow `prevIndex`, none for a heartbeat. */
export interface Append extends Header {
  readonly type: 'append';
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly commit: number;
  /** The leader counts rounds: whoever repeats one has heard it after it was begun. */
  readonly round: number;
  readonly entries: readonly Entry[];
}

export interface AppendReply extends Header {
  readonly type: 'append-reply';
  readonly round: number;
  /** Whether the log had the entry before. If not: the index that was asked for, and where to look next. */
  readonly ok: boolean;
  /** Up to here the log is the leader's, and on the disk. */
  readonly match: number;
  /** Up to here it is in memory. */
  readonly held: number;
  readonly rejected: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/**
 * A snapshot stands for the log up to its mark. Its bytes go beside, as the shells agree; the message is handed to the rules
 * when all of them are there.
 */
export interface SnapshotMessage extends Header {
  readonly type: 'snapshot';
  readonly round: number;
  readonly mark: Mark;
}

/** The receiver is to be elected at once. */
export interface TimeoutNow extends Header {
  readonly type: 'timeout-now';
}

/**
 * Tells one who asks for votes that the group has decided to do without it: the committed log of the sender has no place for
 * it as of this entry. It says so whatever the terms of the two are.
 */
export interface Removal extends Header {
  readonly type: 'removal';
  readonly index: number;
}

export type Message = VoteRequest | VoteReply | Append | AppendReply | SnapshotMessage | TimeoutNow | Removal;
