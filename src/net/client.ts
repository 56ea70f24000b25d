/**
 * One connection and its session: bytes in, commands to the engine, replies out once a turn.
 *
 *   data ── parse in place ── engine.execute ── reply ── end of turn ── write
 *              └ what is begun but not complete waits in a buffer of the connection's own (input.ts)
 *
 * States beyond "running": `stopped` (the engine takes no command now), `full` (too much is owed, so nothing more is
 * read), `closing` (no further command; ends when all is written), `dead` (ends at the end of the turn).
 */

import { assert } from '../base/assert.ts';
import { quoted } from '../base/quoting.ts';
import { latin1 } from '../base/slice.ts';
import { OUTPUT_REPLICA, type SessionHost, type SessionPort, type TransportSession } from '../engine/ports.ts';
import { type SmallBuffers, Waiting } from '../protocol/input.ts';
import type { ReplyOwner } from '../protocol/reply.ts';
import { BROKEN, MORE, RequestParser } from '../protocol/request.ts';
import type { NetCounters, NetLog, NetSettings } from './parts.ts';
import type { Connection, Receiver } from './transport.ts';

type Bytes = (buffer: Uint8Array, from: number, to: number) => void;

/** Owing more than this, a client of a class without a hard limit is not read from until it has taken its replies. */
const HIGH_WATER = 128 * 1024 * 1024;
const LOW_WATER = 16 * 1024 * 1024;
/** Bytes handed to the kernel in one call, and at most in one turn. */
const WRITE_BATCH = 1024 * 1024;
const WRITES_PER_TURN = 4;
/** A read of this many bytes is taken for a full receive buffer: the rest waits until the others have had their turn. */
const FULL_READ = 64 * 1024;
const CLOSED_EARLY = 64;
/** Arguments of incomplete commands that all clients together may make us mark (a gigabyte of heap). */
const MARKED_MAX = 16 * 1024 * 1024;
/** A client with no more of them is not to blame. */
const MARKED_FREE = 1024 * 1024;

/** What a connection asks of the server that holds it. */
export interface ClientHost<S extends TransportSession> {
  readonly host: SessionHost<S>;
  readonly settings: NetSettings;
  readonly counters: NetCounters;
  readonly log: NetLog;
  readonly buffers: SmallBuffers;
  /** Arguments of incomplete commands, of all clients. */
  marked: number;
  /** Wall time in ms, read once a turn as soon as the turn has work for its end. */
  readonly now: number;
  /** Serves `client` at the end of this turn. */
  enlist(client: Client<S>): void;
  /** `client` goes on at the end of this turn, after those that were resumed before it. */
  resume(client: Client<S>): void;
  /** There is a client that has been ended. */
  ended(): void;
  /** Removes those of this turn that have no more to expect, if one has been ended. */
  removeDone(): void;
}

export class Client<S extends TransportSession> implements SessionPort, Receiver, ReplyOwner {
  readonly server: ClientHost<S>;
  readonly connection: Connection;
  readonly unix: boolean;
  readonly secure: boolean;
  readonly address: string;
  readonly localAddress: string;
  session!: S;
  lastActive: number;
  /** Whether it is in the server's list of those with output, resumed, or done with. */
  listed = false;
  closing = false;
  dead = false;
  private readonly parser: RequestParser;
  private readonly waiting: Waiting;
  private stopped = false;
  private full = false;
  private yielded = false;
  private resumed = false;
  private receiver: Bytes | null = null;
  /** Bytes of the read that is being worked on. */
  private reading = 0;
  /** Arguments of an incomplete command, as the server has counted them. */
  private marked = 0;
  private destroyed = false;
  private readonly parts: Uint8Array[] = [];
  /** Since when the soft limit has been passed, ms; 0 when it is not. */
  private softSince = 0;

  constructor(server: ClientHost<S>, connection: Connection) {
    this.server = server;
    this.connection = connection;
    this.unix = connection.unix;
    this.secure = connection.secure;
    this.address = connection.address;
    this.localAddress = connection.localAddress;
    this.lastActive = server.now;
    this.parser = new RequestParser(server.settings);
    this.waiting = new Waiting(server.buffers, this.parser);
    connection.receiver = this;
  }

  // Figures.

  get fd(): number {
    return this.connection.fd;
  }

  get queryBytes(): number {
    return this.reading > 0 ? this.reading : this.waiting.length - (this.waiting.length > 0 ? this.parser.at : 0);
  }

  get queryFree(): number {
    return this.waiting.free(this.reading);
  }

  get argumentBytes(): number {
    return this.parser.midway || this.reading > 0 ? this.parser.argumentBytes : 0;
  }

  // Bytes in.

  onData(buffer: Uint8Array, from: number, to: number): void {
    const count = to - from;
    // Whether anybody will be owed a reply or not: the turn of every read has an end.
    this.server.enlist(this);
    this.lastActive = this.server.now;
    this.server.counters.netInput += count;
    this.server.counters.totalReads++;
    if (this.closing) return;
    if (this.receiver !== null) {
      this.receiver(buffer, from, to);
      return;
    }
    this.waiting.touched(count);
    this.take(buffer, from, to);
    this.measure();
    // The transport reads on while it gets full buffers, up to its own limit: good for one large argument.
    if (count >= FULL_READ && this.parser.wanted === 0) this.yield();
  }

  /**
   * With a limit on what clients take, each is measured before another's commands run, and at the end of the turn, and who
   * is closed by that is gone for the others at once; and no large buffer is kept for the next large argument.
   */
  private measure(): void {
    const { clientMemory } = this.server.host;
    if (!clientMemory?.active) return;
    if (this.waiting.length === 0) this.waiting.drop();
    if (!this.dead) clientMemory.measure(this.session, true);
    clientMemory.settle();
    this.server.removeDone();
  }

  private take(buffer: Uint8Array, from: number, to: number): void {
    const begin = this.waiting.length > 0 ? this.complete(buffer, from, to) : from;
    if (begin === to || this.closing) return;
    this.reading = to - begin;
    this.parser.start(begin);
    this.run(buffer, to);
    this.reading = 0;
    if (this.parser.begin < to && !this.closing) this.hold(buffer, begin, to);
  }

  /**
   * Runs what waits with no more of the read behind it than that is likely to take, so that what follows is parsed where
   * it lies, and who sends without end holds a small buffer only. Answers where in the read that begins; `to` where it
   * waits as well.
   */
  private complete(buffer: Uint8Array, from: number, to: number): number {
    const { waiting, parser } = this;
    const before = waiting.length;
    const some = Math.min(to, from + waiting.likely);
    if (!this.hold(buffer, from, some)) return to;
    this.runWaiting(before, to - some);
    if (this.closing) return to;
    if (parser.begin >= before && !parser.midway) {
      const begin = from + parser.begin - before;
      waiting.clear();
      return begin;
    }
    waiting.compact();
    if (some < to && this.hold(buffer, some, to)) this.runAllWaiting();
    return to;
  }

  /** Puts what has come, or what of it is left, where it can wait; false when that ended the connection. */
  private hold(buffer: Uint8Array, from: number, to: number): boolean {
    try {
      if (this.waiting.length > 0) this.waiting.append(buffer, from, to);
      else this.waiting.keep(buffer, to);
    } catch {
      this.server.log.warning(`No memory for the query of a client: ${this.session.describe()}`);
      this.close();
      return false;
    }
    const { clientQueryBufferLimit } = this.server.settings;
    this.countMarked();
    const tooMany = this.server.marked > MARKED_MAX && this.marked > MARKED_FREE;
    if (!tooMany && this.queryBytes + this.parser.overhead <= clientQueryBufferLimit) return true;
    const start = quoted(latin1(this.waiting.bytes, 0, Math.min(CLOSED_EARLY, this.waiting.length)));
    this.server.log.warning(
      `Closing client that reached max query buffer length: ${this.session.describe()} (qbuf initial bytes: ${start})`,
    );
    this.server.counters.queryLimitDisconnections++;
    this.uncount();
    this.close();
    return false;
  }

  private countMarked(): void {
    const { marked } = this.parser;
    this.server.marked += marked - this.marked;
    this.marked = marked;
  }

  private uncount(): void {
    this.server.marked -= this.marked;
    this.marked = 0;
  }

  /** Executes what waits, up to a command that ends at `enough` or behind it; `more` bytes of the read are still elsewhere. */
  private runWaiting(enough: number, more: number): void {
    const { waiting } = this;
    this.reading = this.queryBytes + more;
    this.run(waiting.bytes, waiting.length, enough);
    this.reading = 0;
    if (this.closing) waiting.drop();
    else this.countMarked();
  }

  private runAllWaiting(): void {
    this.runWaiting(this.waiting.length, 0);
    if (!this.closing) this.waiting.compact();
  }

  /**
   * Executes what there is before `to`, up to a command that ends at `enough` or behind it; afterwards `parser.begin` is
   * where what remains begins.
   */
  private run(buffer: Uint8Array, to: number, enough = to): void {
    const { parser, session } = this;
    const host = this.server.host;
    host.enter(session);
    let seen = 1;
    while (!this.stopped && !this.full && !this.closing) {
      const outcome = parser.next(buffer, to, session.authenticated);
      if (parser.empties > 0) {
        parser.empties = 0;
        host.executeNothing(session);
      }
      if (outcome === MORE) return;
      if (outcome === BROKEN) {
        this.broken();
        return;
      }
      try {
        if (!host.execute(session, parser.args, parser.argc)) this.stopped = true;
      } catch (error) {
        this.failed(error);
        return;
      }
      parser.start(parser.at);
      if (parser.at >= enough) return;
      if (--seen === 0) seen = host.lookAhead?.fetch(session, buffer, parser.at, to) ?? 0;
    }
  }

  /** The engine answers for its commands; what it throws nevertheless is a bug of ours, and ends this client only. */
  private failed(error: unknown): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.server.log.warning(`Closing client after an internal error: ${this.session.describe()}: ${what}`);
    this.session.reply.error('ERR internal error, see the log');
    this.closeAfterReply();
  }

  private broken(): void {
    this.session.reply.error(this.parser.error);
    this.server.host.protocolError(this.session, this.parser.reason);
    this.closeAfterReply();
  }

  /** Lets others be read before this connection goes on. */
  private yield(): void {
    this.yielded = true;
    this.connection.pause();
    this.server.enlist(this);
  }

  onEnd(error: string | null): void {
    if (this.dead) return;
    if (error === null) this.server.log.verbose('Client closed connection');
    else this.server.log.verbose(`Reading from client: ${error}`);
    // One who only ends its own side still gets what it has asked for.
    if (error === null && !this.closing) this.closeAfterReply();
    else this.close();
  }

  // The session's side.

  close(): void {
    // What it is owed stays as it is until the connection is closed: a write may be under way.
    this.dead = true;
    this.closeAfterReply();
  }

  closeAfterReply(): void {
    this.closing = true;
    this.session.reply.end();
    this.server.ended();
    this.server.enlist(this);
  }

  resume(): void {
    this.resumed = true;
    this.server.resume(this);
  }

  setNoDelay(on: boolean): void {
    this.connection.setNoDelay(on);
  }

  divert(receiver: Bytes | null): void {
    this.receiver = receiver;
  }

  // Bytes out.

  replyPending(): void {
    this.server.enlist(this);
  }

  replyGrew(): void {
    if (this.closing || this.overLimit()) return;
    // What can't be written for now is measured none the less.
    if (this.session.reply.inFlight > 0 && this.server.host.clientMemory?.active) this.server.enlist(this);
    if (this.full || this.session.reply.pending < HIGH_WATER) return;
    if (this.server.settings.clientOutputBufferLimit[this.session.outputClass].hardBytes > 0) return;
    this.full = true;
    this.connection.pause();
  }

  /** Closes the client when what it is owed passes the limits of its class. Replicas are handed what they can take only. */
  overLimit(): boolean {
    const { outputClass } = this.session;
    if (outputClass === OUTPUT_REPLICA) return false;
    const owed = this.session.reply.moreBytes;
    const limit = this.server.settings.clientOutputBufferLimit[outputClass];
    let over = limit.hardBytes > 0 && owed >= limit.hardBytes;
    if (limit.softBytes > 0 && owed >= limit.softBytes) {
      if (this.softSince === 0) this.softSince = this.server.now;
      else if (this.server.now - this.softSince > limit.softSeconds * 1000) over = true;
    } else {
      this.softSince = 0;
    }
    if (!over) return false;
    this.server.log.warning(
      `Client ${this.session.describe()} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    );
    this.server.counters.outputLimitDisconnections++;
    this.close();
    return true;
  }

  /** Writes what is owed; what the kernel doesn't take at once follows when it can. */
  flush(): void {
    const reply = this.session.reply;
    for (let i = 0; i < WRITES_PER_TURN && reply.inFlight === 0 && !this.dead; i++) {
      const one = reply.only();
      if (one !== null) {
        if (one.length === 0) return;
        this.wrote(this.connection.write(one), one.length);
        continue;
      }
      this.parts.length = 0;
      const total = reply.views(this.parts, WRITE_BATCH);
      if (total === 0) return;
      this.wrote(this.connection.writeAll(this.parts.slice()), total);
    }
    if (reply.inFlight === 0 && reply.free > 0) this.server.enlist(this);
  }

  private wrote(done: boolean, count: number): void {
    this.server.counters.netOutput += count;
    if (this.session.outputClass === OUTPUT_REPLICA) this.server.counters.netReplOutput += count;
    this.server.counters.totalWrites++;
    const { reply } = this.session;
    if (!done) {
      reply.lend(count);
      return;
    }
    reply.consumed(count);
    this.written();
  }

  private written(): void {
    this.lastActive = this.server.now;
    const { onDrained, reply } = this.session;
    if (onDrained !== null && reply.pending === 0 && !this.closing) onDrained();
    if (this.full && this.session.reply.pending < LOW_WATER) {
      this.full = false;
      this.yielded = true;
      this.server.enlist(this);
    }
  }

  onWritten(): void {
    assert(!this.destroyed, 'nothing is heard of a connection that is closed');
    this.session.reply.returned();
    this.written();
    this.server.enlist(this);
  }

  // The end of the turn.

  /** Goes on with what waits, if the engine and the writer let it. */
  continue(): void {
    if (this.yielded && !this.full) {
      this.yielded = false;
      this.connection.resume();
    }
    if (this.resumed) {
      this.resumed = false;
      this.session.released = false;
      if (!this.closing) this.stopped = !this.server.host.goOn(this.session);
    }
    if (this.waiting.length > 0 && !this.stopped && !this.full && !this.closing) this.runAllWaiting();
  }

  /** Whether `continue()` has something to do. */
  get eager(): boolean {
    return this.resumed || (this.yielded && !this.full);
  }

  /** Whether there is nothing left to do but to close. */
  get done(): boolean {
    return this.dead || (this.closing && this.session.reply.pending === 0 && this.connection.finish());
  }

  /** Closes the connection, and only then gives back what it was working with; only the server calls it. */
  destroy(): void {
    assert(!this.destroyed, 'a connection is closed once');
    this.destroyed = true;
    this.dead = true;
    this.closing = true;
    this.uncount();
    this.connection.close();
    const { reply } = this.session;
    reply.owner = null;
    this.server.host.leave(this.session);
    reply.abandon();
    // In the midst of a command of its own (SHUTDOWN) its arguments lie there; `runWaiting` ends with this then.
    if (this.reading === 0) this.waiting.drop();
  }

  /** Now and then, at least once a second. */
  tick(now: number): void {
    if (this.dead) return;
    const idle = now - this.lastActive;
    const { timeout } = this.server.settings;
    if (timeout > 0 && idle > timeout * 1000 && this.session.mayIdleOut) {
      this.server.log.verbose('Closing idle client');
      this.close();
      return;
    }
    this.waiting.shrink(idle);
    this.session.reply.adapt(now);
    const { clientMemory } = this.server.host;
    if (clientMemory?.active) clientMemory.measure(this.session);
    if (this.session.reply.moreChunks > 0) this.overLimit();
  }
}
