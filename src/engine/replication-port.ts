/**
 * What commands, the cron and the composition root ask of replication/, and what replication/ asks of persistence/: the
 * two are peers, and meet here.
 */
import type { Slice } from '../base/slice.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Session } from './session.ts';

/** Where in which history a snapshot stands; its AUX fields carry it. */
export interface StreamContext {
  /** The database that the stream has selected at that position; -1 for none. */
  readonly db: number;
  readonly id: string;
  /** Position in the stream: the number of bytes before it. */
  readonly offset: number;
}

export interface SnapshotParts {
  readonly withoutData: boolean;
  readonly withoutFunctions: boolean;
}

/** A snapshot that is on its way out. */
export interface SnapshotStream {
  /** Goes on after `take` has asked it to stop. */
  resume(): void;
  /** Ends it early; `end` is not called. */
  abort(): void;
}

/** Gets a piece, whose bytes stay as they are; says whether it wants more now (`SnapshotStream.resume` asks for more later). */
export type TakePiece = (bytes: Uint8Array) => boolean;

/** A snapshot in a file, open so that it can be read whatever becomes of its name. */
export interface SnapshotFile {
  readonly length: number;
  /** Reads it from its beginning; any number of readers may at a time. */
  read(take: TakePiece, end: (good: boolean) => void): SnapshotStream;
  close(): void;
}

/** What persistence/ does for a full synchronisation. Both begin with the data as they are when they are called. */
export interface SnapshotPort {
  /** Whether no snapshot can begin now: there is a frozen view already. */
  readonly busy: boolean;
  /** Into the file that SAVE writes; `end` is told null where it failed. Null where it can't begin. */
  saveForReplicas(end: (file: SnapshotFile | null) => void): { abort(): void } | null;
  /** In pieces; `end` is told whether all has been handed over. Null where it can't begin. */
  stream(parts: SnapshotParts, take: TakePiece, end: (good: boolean) => void): SnapshotStream | null;
}

/** A snapshot that comes in from a master. */
export interface Incoming {
  /** Bytes of it, good until this returns. */
  piece(bytes: Uint8Array, from: number, to: number): void;
  /** All has come. */
  finish(): void;
  /** It will not be finished; `done` is not called. */
  abort(): void;
}

export interface IncomingOptions {
  /** Bytes; -1 where nobody has said. */
  readonly length: number;
  /** The data there are belong to the history of the data that come: old answers are right ones meanwhile. */
  readonly sameHistory: boolean;
  /** Whether more is wanted now; false is followed by true. */
  readonly pace: (more: boolean) => void;
  /** The data are being loaded, and the master may wonder; about once a second. */
  readonly alive: () => void;
  /** The old data are about to go. */
  readonly emptied: () => void;
  /** The new data are here, with what the snapshot says of its place in a stream; or why they are not. */
  readonly done: (result: IncomingResult) => void;
}

export type IncomingResult = { readonly context: StreamContext | null } | { readonly error: string };

/** Synchronisations that replicas have asked for, since the start or CONFIG RESETSTAT. */
export interface SyncCounts {
  full: number;
  partialOk: number;
  partialRefused: number;
}

/** How far a replica is behind this server. */
export interface ReplicaLag {
  /** Address and port. */
  readonly name: string;
  /** Bytes of the stream that it has not acknowledged, and for how long, in seconds. */
  readonly bytes: number;
  readonly seconds: number;
  readonly state: string;
}

export interface ReplicationPort {
  readonly syncs: SyncCounts;
  /** 40 hexadecimal digits: the history that the data belong to. */
  readonly id: string;
  /** master_repl_offset. */
  readonly offset: number;
  /** Where the data stand, for whoever loads a snapshot of them; null where no stream is kept. */
  readonly context: StreamContext | null;
  /** Whether this server follows a master. */
  readonly isReplica: boolean;
  /** How far the data go in the history of their master, or our own; 0 while a replica has none of it. */
  readonly dataOffset: number;
  /** Milliseconds since the master was last heard, as a replica; Infinity where it never was. */
  readonly dataAge: number;
  /** As a replica: the master's stream comes in, so that `dataOffset` stands in the history that the master has now. */
  readonly isStreaming: boolean;
  /** Follows a master from now on, if it does not already; before anything is loaded, once it is. */
  follow(host: string, port: number): void;
  /** Follows nobody any more. */
  promote(): void;
  /** Bytes that the buffers of the stream take: all, and those beyond the backlog, which maxmemory does not bound. */
  readonly bufferBytes: number;
  readonly unboundedBytes: number;
  /** A replica has said something, if only that it is alive. */
  heard(session: Session): void;
  /** Of each replica. */
  lags(): readonly ReplicaLag[];
  /** The snapshot that is loaded at the start stands there; before anything else of it is told. */
  restored(context: StreamContext): void;
  /** A key was left out of a snapshot that is loaded, since its time is up. */
  expiredInSnapshot(db: number, key: Slice): void;
  /** INFO's section. */
  figures(): Readonly<Record<string, string | number>>;
  /** ROLE's reply. */
  role(reply: Reply): void;
  /** Replicas get this command, whatever it is; nothing is done here. */
  feed(words: readonly Slice[]): void;
  /** All data were replaced, by other means than commands: replicas have to be given all of them. */
  replaced(): void;
  /** The history has another id from here on, and no older one. */
  renewId(): void;
  /** No unit is left half way any more: the master's stream, which is never refused anything, may go on. */
  unitEnded(): void;
  /** At the end of each turn, before replies are written. */
  beforeWrite(): void;
}

/** A server that replicates nothing. */
export const NO_REPLICATION: ReplicationPort = {
  syncs: { full: 0, partialOk: 0, partialRefused: 0 },
  id: '0'.repeat(40),
  offset: 0,
  context: null,
  isReplica: false,
  dataOffset: 0,
  dataAge: Number.POSITIVE_INFINITY,
  isStreaming: false,
  follow: () => {},
  promote: () => {},
  bufferBytes: 0,
  unboundedBytes: 0,
  heard: () => {},
  lags: () => [],
  restored: () => {},
  expiredInSnapshot: () => {},
  figures: () => ({}),
  role: (reply) => {
    reply.array(3);
    reply.bulkText('master');
    reply.int(0);
    reply.array(0);
  },
  feed: () => {},
  replaced: () => {},
  renewId: () => {},
  unitEnded: () => {},
  beforeWrite: () => {},
};
