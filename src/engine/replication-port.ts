/**
 * What commands, the cron and the composition root ask of replication/, and what replication/ asks of persistence/: the
 * two are peers, and meet here.
 */
import type { Reply } from '../protocol/reply.ts';

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
  saveForReplicas(context: StreamContext, end: (file: SnapshotFile | null) => void): { abort(): void } | null;
  /** In pieces; `end` is told whether all has been handed over. Null where it can't begin. */
  stream(
    context: StreamContext,
    parts: SnapshotParts,
    take: TakePiece,
    end: (good: boolean) => void,
  ): SnapshotStream | null;
}

export interface ReplicationPort {
  /** 40 hexadecimal digits: the history that the data belong to. */
  readonly id: string;
  /** master_repl_offset. */
  readonly offset: number;
  /** Whether this server follows a master. */
  readonly isReplica: boolean;
  /** Bytes that the buffers of the stream take: all, and those beyond the backlog, which maxmemory does not bound. */
  readonly bufferBytes: number;
  readonly unboundedBytes: number;
  /** INFO's section. */
  figures(): Readonly<Record<string, string | number>>;
  /** ROLE's reply. */
  role(reply: Reply): void;
  /** At the end of each turn, before replies are written. */
  beforeWrite(): void;
}

/** A server that replicates nothing. */
export const NO_REPLICATION: ReplicationPort = {
  id: '0'.repeat(40),
  offset: 0,
  isReplica: false,
  bufferBytes: 0,
  unboundedBytes: 0,
  figures: () => ({}),
  role: (reply) => {
    reply.array(3);
    reply.bulkText('master');
    reply.int(0);
    reply.array(0);
  },
  beforeWrite: () => {},
};
