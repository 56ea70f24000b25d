/**
 * Messages as bytes. Numbers are big-endian.
 *
 *   message   0 length u32, of all of it      4 type u8      5 flags u8      6 version u16 = 1
 *             8 from u64                     16 to u64      24 term u64     32 fields, u64 each, then the rest
 *
 *   type 0 vote           last index, last term                               flags: 1 pre, 2 transfer
 *        1 vote-reply     asked                                               flags: 1 pre, 4 granted
 *        2 append         previous index and term, commit, round;             the rest: entries, as the file has them
 *        3 append-reply   round, match, held, rejected, hint's index and term flags: 8 ok
 *        4 snapshot       round, the mark's index and term;                   the rest: its configuration
 *        5 timeout-now
 *        6 removal        index
 *
 * The entries of an append follow each other. What an entry holds is covered by its own checksum (disk/records.ts).
 */
import type { Message } from '../message.ts';

export const HEADER = { length: 0, type: 4, flags: 5, version: 6, from: 8, to: 16, term: 24 } as const;
export const HEADER_BYTES = 32;
export const FIELD_BYTES = 8;
export const VERSION = 1;
export const TYPES: readonly Message['type'][] = [
  'vote',
  'vote-reply',
  'append',
  'append-reply',
  'snapshot',
  'timeout-now',
  'removal',
];
/** How many fields each type has. */
export const FIELDS: readonly number[] = [2, 1, 4, 6, 3, 0, 1];
export const PRE = 1;
export const TRANSFER = 2;
export const GRANTED = 4;
export const OK = 8;
