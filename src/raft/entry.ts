/** What a log consists of. Entries are never changed: what two logs have in common they may share. */
import type { Configuration, NodeId } from './configuration.ts';

/** `noop` is the first entry of each leader, by which it learns what is committed. */
export type EntryKind = 'command' | 'noop' | 'configuration';

export interface Entry {
  /** From 1. */
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /** Of a command: its effect, unread by the rules. Otherwise empty. */
  readonly payload: Uint8Array;
  /** Of a configuration. */
  readonly configuration: Configuration | null;
}

/** A place in the log, and who belonged to the group there: what a snapshot replaces ends so, and so does what is compacted. */
export interface Mark {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

/** What a node must find again after a crash before anybody hears of it. */
export interface HardState {
  readonly term: number;
  /** For whom it has voted in the term; NOBODY where it has not. */
  readonly vote: NodeId;
}

/** What a node starts from: all empty where it is new. */
export interface Saved extends HardState {
  /** The last snapshot, which the state machine is restored from. */
  readonly snapshot: Mark;
  /** After what the log begins. It may lie before the snapshot. */
  readonly base: Mark;
  /** Without gaps. */
  readonly entries: readonly Entry[];
}

const NO_BYTES = new Uint8Array(0);
/** Bytes that an entry counts beside its payload, where bytes are counted. */
export const ENTRY_BYTES = 32;
const MEMBER_BYTES = 64;

export function command(index: number, term: number, payload: Uint8Array): Entry {
  return { index, term, kind: 'command', payload, configuration: null };
}

export function noop(index: number, term: number): Entry {
  return { index, term, kind: 'noop', payload: NO_BYTES, configuration: null };
}

export function configurationEntry(index: number, term: number, configuration: Configuration): Entry {
  return { index, term, kind: 'configuration', payload: NO_BYTES, configuration };
}

export function sizeOf({ payload, configuration }: Entry): number {
  return ENTRY_BYTES + payload.length + (configuration === null ? 0 : configuration.length * MEMBER_BYTES);
}

/** A new member, or, with a configuration, one of those that begin a group: all of them start from the same. */
export function newSaved(configuration: Configuration): Saved {
  const mark: Mark = { index: 0, term: 0, configuration };
  return { term: 0, vote: 0, snapshot: mark, base: mark, entries: [] };
}
