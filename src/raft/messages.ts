/**
 * What goes into the rules of a group and what comes out of them. The shell turns links, timers and files into inputs, and
 * does what the outputs say, in their order.
 *
 *   shell ── step(now, input) ──> rules ── outputs ──> shell
 *
 * A store that fails ends the process: what a member has promised can't be taken back.
 */
import type { Change, NodeId } from './configuration.ts';
import type { Entry, HardState, Mark } from './entry.ts';
import type { Message } from './message.ts';

/** A pre-candidate asks whether it would be elected, and has not changed its term for that. */
export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Whoever is to get an answer: the shell's, of any shape, and unread by the rules. */
export type Asker = object | number;

export type Input =
  /** It is time: `Raft.due` says when. Earlier or more often does no harm. */
  | { readonly kind: 'tick' }
  /** For `us`; a snapshot once all its bytes are there. Lost, doubled and late ones do no harm. */
  | { readonly kind: 'message'; readonly message: Message }
  /** What was to be stored with this version, and all before, is on the disk. */
  | { readonly kind: 'stored'; readonly version: number }
  /** Effects of commands, each an entry, in this order and next to each other. */
  | { readonly kind: 'propose'; readonly asker: Asker; readonly payloads: readonly Uint8Array[] }
  /**
   * What was read, or will be when this is answered, may show the entries up to `seen` (0: those that are applied): it may be
   * told once they are committed and nobody else was the leader after this was asked.
   */
  | { readonly kind: 'read'; readonly asker: Asker; readonly seen: number }
  | { readonly kind: 'change'; readonly asker: Asker; readonly change: Change }
  /** Another voter is to lead, NOBODY for the one that has most of the log. */
  | { readonly kind: 'transfer'; readonly asker: Asker; readonly to: NodeId }
  /** Lets us be elected now, unless there may be a leader. */
  | { readonly kind: 'campaign' }
  /** A snapshot of what was applied up to this entry is on the disk, with what `Raft.mark` says of it. */
  | { readonly kind: 'snapshotted'; readonly index: number }
  /** The transfer that `send-snapshot` began has ended, whether or not it was received. */
  | { readonly kind: 'snapshot-sent'; readonly to: NodeId; readonly ok: boolean };

export type Output =
  /**
   * Appends to the file of the log, in the order of the versions. Where the first of the entries is not the one that follows
   * the last, it replaces that which has its index, and all after it. `state` where it has changed.
   */
  | {
      readonly kind: 'store';
      readonly version: number;
      readonly state: HardState | null;
      readonly entries: readonly Entry[];
    }
  /**
   * The snapshot of the message that is being handled replaces the state machine, and the log, which begins after it;
   * durable as one version among those of the stores.
   */
  | { readonly kind: 'install'; readonly version: number; readonly mark: Mark }
  /** Leaves once the version `after` is durable (0: at once). It may overtake others, be doubled or be lost. */
  | { readonly kind: 'send'; readonly message: Message; readonly after: number }
  /** Sends the last snapshot, with the message; what has come of it is an input. */
  | {
      readonly kind: 'send-snapshot';
      readonly message: Message & { readonly type: 'snapshot' };
      readonly after: number;
    }
  /** These are committed: the state machine takes them, in this order. */
  | { readonly kind: 'apply'; readonly entries: readonly Entry[] }
  /** What was proposed, or the change, has these entries; it is committed when they are applied with this term. */
  | {
      readonly kind: 'accepted';
      readonly asker: Asker;
      readonly first: number;
      readonly last: number;
      readonly term: number;
    }
  /** A proposal, read, change or transfer comes to nothing here. `leader` as far as it is known. */
  | { readonly kind: 'refused'; readonly asker: Asker; readonly reason: Reason; readonly leader: NodeId }
  /** Reads may be told, or made, now. */
  | { readonly kind: 'readable'; readonly askers: readonly Asker[] }
  /** The transfer has begun. */
  | { readonly kind: 'transferring'; readonly asker: Asker; readonly to: NodeId }
  /** Entries up to this one are no longer needed in the file. */
  | { readonly kind: 'compacted'; readonly index: number }
  | { readonly kind: 'role'; readonly role: Role; readonly term: number; readonly leader: NodeId };

/** 'full': too much is not committed yet. The others are sentences for an error. */
export type Reason = 'not-leader' | 'transferring' | 'full' | Text;
type Text = string & {};

/** The settings that the rules follow, as they are now. Milliseconds where it is a time. */
export interface RaftSettings {
  /** A follower that hears nothing for one to one and a half of these wants to be elected. */
  readonly electionTimeout: number;
  /** Much less than that. */
  readonly heartbeat: number;
  /** Whether a leader that most have heard lately answers reads without asking again. */
  readonly leases: boolean;
  /** By what part the clocks of two members may run faster or slower than time: 0.1 is a tenth. Leases rest on it. */
  readonly clockDrift: number;
  /** Bytes of entries in one message; one entry may be larger. */
  readonly batchBytes: number;
  /** Messages with entries on their way to one follower. */
  readonly inflight: number;
  /** Bytes of entries that are not committed, before proposals are refused. */
  readonly uncommittedBytes: number;
  /** Entries that are kept before a snapshot for followers who are not far behind. */
  readonly kept: number;
  /** Entries that a learner may lack when it becomes a voter. */
  readonly promotionLag: number;
}
