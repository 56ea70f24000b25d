/**
 * Which history of writes the data is the outcome of, and whether a replica can go on in it.
 *
 *   id       the history that is being written, 40 hexadecimal digits
 *   id2      the one that this server followed before it was promoted, good for positions up to `until`; a replica of the
 *            same old master can go on with that
 *
 * Invariant: one id and one position stand for one content of the data, on whatever server. So a server that begins to
 * write for itself takes a new id (`branch`), and one whose stream is no longer kept (no backlog) takes a new id before
 * it keeps one again (`renew`).
 */
import type { ReplicationBuffer } from './buffer.ts';

export const NO_ID = '0'.repeat(40);

export class History {
  id: string;
  id2 = NO_ID;
  /** Up to which offset `id2` is valid, as PSYNC counts (the position + 1); -1 when there is none. */
  until = -1;

  constructor(id: string) {
    this.id = id;
  }

  /** A new history that nobody can go on from. */
  renew(id: string): void {
    this.id = id;
    this.id2 = NO_ID;
    this.until = -1;
  }

  /** This server writes for itself from position `at` on; up to there it is as its master. */
  branch(id: string, at: number): void {
    this.id2 = this.id;
    this.until = at + 1;
    this.id = id;
  }

  /** The data has been replaced by those of a master. */
  adopt(id: string): void {
    this.renew(id);
  }

  /** Whether an id that a replica or a master names is this history's, in any case of letters. */
  is(id: string): boolean {
    return id.toLowerCase() === this.id;
  }
}

/** How a master answers PSYNC: goes on at a position, or sends all, for a reason that the log and INFO (`told`) tell. */
export type PsyncAnswer =
  | { readonly kind: 'continue'; readonly at: number }
  | { readonly kind: 'full'; readonly reason: FullReason; readonly told: string; readonly log: string };

/** Why a synchronisation was full. */
export type FullReason = 'asked for' | 'other history' | 'too old' | 'no backlog' | 'ahead';

/** `offset` is what the replica asked for (NaN when it was no number), `who` its address as the log names it. */
export function answerPsync(
  history: History,
  buffer: ReplicationBuffer | null,
  id: string,
  offset: number,
  who: string,
): PsyncAnswer {
  const asked = id.toLowerCase();
  if (!history.is(asked) && (asked !== history.id2 || offset > history.until)) return refused(history, id, offset, who);
  if (buffer === null)
    return full(
      'no backlog',
      `asked for offset ${offset}, there is no backlog`,
      `Unable to partial resync with replica ${who} for lack of backlog (Replica request was: ${offset}).`,
    );
  const at = offset - 1;
  if (at >= buffer.start && at <= buffer.end) return { kind: 'continue', at };
  const held = `the backlog holds ${buffer.start + 1} to ${buffer.end}`;
  return full(
    at > buffer.end ? 'ahead' : 'too old',
    `asked for offset ${offset}, ${held}`,
    `Unable to partial resync with replica ${who} for lack of backlog (Replica request was: ${offset}; ${held}).`,
  );
}

function refused(history: History, id: string, offset: number, who: string): PsyncAnswer {
  if (id === '?') return full('asked for', 'asked for everything', `Full resync requested by replica ${who}`);
  const log =
    id.toLowerCase() === history.id2
      ? `Partial resynchronization not accepted: Requested offset for second ID was ${offset}, but I can reply up to ${history.until}`
      : `Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '${id}', my replication IDs are '${history.id}' and '${history.id2}')`;
  const good = history.id2 === NO_ID ? '' : ` and, up to ${history.until}, ${history.id2}`;
  return full('other history', `asked for ${id}:${offset}, the history here is ${history.id}${good}`, log);
}

function full(reason: FullReason, told: string, log: string): PsyncAnswer {
  return { kind: 'full', reason, told, log };
}
