/**
 * Where the engine meets its peers of rank 6, so that they never import one another.
 *
 * A transport (net/, or the library's in-process session) calls `SessionHost`; the engine answers through the
 * `SessionPort` that the transport gave it. One connection is one port and one session for as long as it lives:
 *
 *   open(port) -> session      enter()      execute(session, args, argc) -> go on?   ...   beforeWrite()      leave(session)
 *
 * Rules:
 * - Arguments handed to `execute` are good until it returns; what it keeps (MULTI, BLPOP) it copies.
 * - Whatever comes from outside (a read, a timer, a thread's message) calls `enter` before it runs commands, and sees to it
 *   that its turn of the event loop ends with `beforeWrite`, whether anybody is owed a reply or not.
 * - When `execute` returns false the transport hands over no further command of that connection; bytes keep arriving
 *   and wait. `port.resume()` ends that; it never executes anything itself. Before the turn ends, in the order in which
 *   sessions were resumed, the transport calls `goOn` for each, and its waiting commands follow.
 * - Replies are put into `session.reply` at any time; the first byte makes the transport write at the end of the turn.
 * - `session.reply` is the transport's: it alone gives back what is owed, once its connection is closed (`abandon`). The
 *   engine may take a session out of its registers before (CLIENT KILL), and never touches what has been replied.
 * - `port.close()` is not followed by `leave()` in the same call stack: it ends the connection at the end of the turn.
 */
import type { Slice } from '../base/slice.ts';
import type { Reply } from '../protocol/reply.ts';

/** Classes of client-output-buffer-limit, in the order of Redis's configuration. */
export const OUTPUT_NORMAL = 0;
export const OUTPUT_REPLICA = 1;
export const OUTPUT_PUBSUB = 2;

/** What a transport offers to the session that it carries. */
export interface SessionPort {
  /** The file descriptor, or a number of our own where there is none to be had; -1 in-process. */
  readonly fd: number;
  /** As CLIENT LIST's addr: '127.0.0.1:50000', '[::1]:50000', '/path/socket:0'. */
  readonly address: string;
  /** As CLIENT LIST's laddr. */
  readonly localAddress: string;
  readonly unix: boolean;
  /** Whether it is one with TLS. */
  readonly secure: boolean;
  /** Bytes received and not yet executed (qbuf), and room left in the buffer that they lie in (qbuf-free). */
  readonly queryBytes: number;
  readonly queryFree: number;
  /** Bytes that the arguments of an incomplete command take (argv-mem). */
  readonly argumentBytes: number;
  /** When bytes last went in or out, in ms of the server's clock. */
  readonly lastActive: number;
  /** Ends the connection at once; what is owed is dropped. */
  close(): void;
  /** Ends the connection when all that has been replied is written. */
  closeAfterReply(): void;
  /** The session can take commands again. */
  resume(): void;
  /**
   * Hands the connection over: from now on received bytes go to `receiver` as they come and none is parsed, until
   * `null` is given. For links on which we are the receiving end of a stream (a replica's master).
   */
  divert(receiver: ((buffer: Uint8Array, from: number, to: number) => void) | null): void;
  /** Sends what is small at once (as at first), or gathers it; absent where there is no network. */
  setNoDelay?(on: boolean): void;
  /** Writes what is owed now, without waiting for the end of the turn. */
  flush(): void;
}

/** What a transport reads of a session; the engine's own Session has more. */
export interface TransportSession {
  readonly reply: Reply;
  /** Whether the limits of unauthenticated clients on sizes of requests are lifted. */
  readonly authenticated: boolean;
  /** One of OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB. */
  readonly outputClass: number;
  /** Called when everything owed has been written, if it is there: the place of one who hands over bytes at that pace. */
  readonly onDrained: (() => void) | null;
  /** It may take commands again and hasn't gone on yet: the transport clears it. */
  released: boolean;
  /** Whether `timeout` closes this session when it is idle: not a blocked, subscribed, replica or master one. */
  readonly mayIdleOut: boolean;
  /** One line about the client for the log, in the words of CLIENT LIST. */
  describe(): string;
}

/** The limit on the memory of all sessions. A transport measures, while it is active, whomever a turn has served. */
export interface SessionMemory<S extends TransportSession> {
  readonly active: boolean;
  /** Before a turn's replies are written: what can't be done later without being felt by those who have theirs. */
  prepare(): void;
  /** Takes a session's size down anew; `midway` in a turn the first chunk of its replies, about to be written, is left out. */
  measure(session: S, midway?: boolean): void;
  /** Everyone is measured: closes sessions until the limit is kept. */
  settle(): void;
}

/** A look at commands that have arrived and will be run next. */
export interface SessionFuture<S extends TransportSession> {
  /** Bytes of the session's lie from `at` to `to`, the next command first; returns how many are to be run before the next look. */
  fetch(session: S, buffer: Uint8Array, at: number, to: number): number;
}

/** What a transport sees of the engine. */
export interface SessionHost<S extends TransportSession = TransportSession> {
  open(port: SessionPort): S;
  /** Something has come from outside, from this session where it is one's: the clocks that commands see are read. Not within a command. */
  enter(session?: S): void;
  /** Runs one command; false when the session takes no further one for now (blocked, paused, closing). */
  execute(session: S, args: Slice[], argc: number): boolean;
  /** Runs the command of a resumed session that was held back, if one was; false when it takes no further one for now. */
  goOn(session: S): boolean;
  /** Takes an empty request, which is answered by nothing. */
  executeNothing(session: S): void;
  /** The client broke the protocol; the transport replies the error and closes, the engine counts and logs. */
  protocolError(session: S, reason: string): void;
  /** The session is gone, or as good as: it is taken out of every register. A second time is nothing. */
  leave(session: S): void;
  /** Sessions there are now, for maxclients. */
  readonly sessions: { readonly size: number };
  /** Called at the end of each turn in which anything came, before replies are written: the place of group commits. */
  beforeWrite(): void;
  /** Where what commands will want is fetched before they are run one by one. */
  readonly lookAhead?: SessionFuture<S>;
  /** Where the sessions' memory is counted, if it is. */
  readonly clientMemory?: SessionMemory<S>;
  /** Where replies wait, if they do: asked after `beforeWrite`, before a session's replies are written. */
  readonly replyGate?: { readonly active: boolean; settle(session: S): void };
}
