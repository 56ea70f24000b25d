/**
 * A file of the log: one base, then entries and states as they were stored. An entry whose index is not the next replaces
 * what has its index, and all after it; the last state counts. Several files that follow each other are read as one
 * (segments.ts).
 *
 * Whatever a crash leaves of what was not synced, the last file is read up to the first record that is not whole: all that
 * was synced lies before it. What is stored later says how much was synced by then: where that is more, something has been
 * damaged that others rely on, and nothing of the log is believed. Before anything else is written the file is cut there,
 * and that is synced: otherwise what lies behind could come back as if it followed.
 */
import type { Entry, HardState, Mark, Saved } from '../entry.ts';
import {
  decodeRecord,
  encodeBase,
  encodeEntry,
  encodeState,
  encodeSynced,
  recordLength,
  roomForPayload,
  syncedBehind,
} from './records.ts';

/** What the file has, but for the snapshot. */
export interface Journal extends HardState {
  readonly base: Mark;
  readonly entries: readonly Entry[];
  /** Bytes up to where the file is whole. */
  readonly length: number;
}

/** The file is no journal, or what was synced of it has been changed: nothing of it can be trusted. */
export class JournalBroken extends Error {
  override name = 'JournalBroken';
}

/**
 * What is appended for one store, put one after another; `synced` bytes of the file are known to be on the disk, -1 where that
 * has been said.
 */
export function encodeStore(state: HardState | null, entries: readonly Entry[], synced = -1): readonly Uint8Array[] {
  const parts = entries.map(encodeEntry);
  if (state !== null) parts.unshift(encodeState(state));
  if (synced >= 0) parts.unshift(encodeSynced(synced));
  return parts;
}

/** A whole file. */
export function encodeJournal({ base, term, vote, entries }: Omit<Saved, 'snapshot'>): Uint8Array {
  return Buffer.concat([encodeBase(base), encodeState({ term, vote }), ...entries.map(encodeEntry)]);
}

/** Throws JournalBroken. `before` is what the files before have; then this one goes on where they end. */
export function readJournal(bytes: Uint8Array, before: Journal | null = null): Journal {
  const first = decodeRecord(bytes, 0);
  if (first?.kind !== 'base') throw new JournalBroken('the file of the log does not begin as one');
  if (before !== null && first.mark.index !== before.base.index + before.entries.length)
    throw new JournalBroken('a file of the log is missing, or has lost its end');
  const base = before?.base ?? first.mark;
  const entries: Entry[] = before === null ? [] : [...before.entries];
  let state: HardState = before ?? { term: 0, vote: 0 };
  let at = recordLength(bytes, 0);
  for (;;) {
    const record = decodeRecord(bytes, at);
    if (record === undefined) break;
    if (record.kind === 'state') state = record.state;
    else if (record.kind === 'entry') add(base, entries, alone(record.entry));
    else if (record.kind === 'base') throw new JournalBroken('the file of the log has two beginnings');
    at += recordLength(bytes, at);
  }
  if (syncedBehind(bytes, at) > at) throw new JournalBroken(`what was on the disk is damaged at byte ${at}`);
  return { term: state.term, vote: state.vote, base, entries, length: at };
}

function add(base: Mark, entries: Entry[], entry: Entry): void {
  const place = entry.index - base.index - 1;
  if (place < 0 || place > entries.length) throw new JournalBroken(`the entry ${entry.index} follows on nothing`);
  entries.length = place;
  const before = place === 0 ? base.term : entries[place - 1].term;
  if (entry.term < before) throw new JournalBroken(`the term of the entry ${entry.index} falls`);
  entries.push(entry);
}

/** An entry that does not keep the bytes of the whole file. */
function alone(entry: Entry): Entry {
  if (entry.kind !== 'command') return entry;
  const payload = roomForPayload(entry.payload.length);
  payload.set(entry.payload);
  return { ...entry, payload };
}
