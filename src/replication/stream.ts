/**
 * The stream of our master: its commands are run as they come, and handed on to our own replicas as the same bytes.
 *
 *   bytes ── parse in place ── engine.execute (role: master) ── relay of the command's bytes
 *              └ what is begun and not complete waits in a buffer of its own
 *
 * `offset` grows when a command has been run, by its bytes, so that offset and data always agree: what has been received
 * and not run is asked for again after a cut. Between MULTI and EXEC nothing is done yet, so nothing is counted: the bytes
 * of a transaction are kept, and counted and handed on with its EXEC.
 *
 * What a client would be refused has to wait: while a script or another unit is left half way, and while commands are
 * paused, nothing of the stream is run.
 */

import { lengthOf } from '../base/copy.ts';
import { flagBit } from '../engine/derive.ts';
import { tellDivergence } from '../engine/divergence.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_MISCONF } from '../engine/gates.ts';
import type { SessionPort } from '../engine/ports.ts';
import { MASTER } from '../engine/roles.ts';
import type { Session } from '../engine/session.ts';
import { UnowedTurn } from '../engine/unowed-turn.ts';
import { SmallBuffers, Waiting } from '../protocol/input.ts';
import type { ErrorListener } from '../protocol/reply.ts';
import { BROKEN, MORE, RequestParser } from '../protocol/request.ts';

const STAR = 42;
const WRITE = flagBit('write');
/** The log is not told more often that the master is obeyed though the disk fails, ms. */
const UNSAVED_TOLD_MS = 10_000;
/** Bytes of a stream that waits for something else than the rest of a command, beyond which no more are read. */
const WAITING_MOST = 16 * 1024 * 1024;
/** As much of the bytes at fault as the log gets. */
const DUMPED = 128;

export interface StreamPort extends SessionPort {
  /** No more of the stream is to be read, or it is again; what has been read may still come. */
  pace(more: boolean): void;
  /** The stream can't be read on: the master is no master. `dump` shows some of what has come. */
  broken(reason: string, dump: string): void;
}

export interface StreamEvents {
  /** Bytes of commands that have been run, good until it returns. */
  applied(bytes: Uint8Array, from: number, to: number): void;
  /** A command that the master has done has failed here; before that is told. */
  failed(): void;
}

export class MasterStream implements ErrorListener {
  readonly session: Session;
  private readonly engine: Engine;
  private readonly port: StreamPort;
  private readonly events: StreamEvents;
  private readonly parser: RequestParser;
  private readonly waiting: Waiting;
  /** The commands of a transaction that has begun and not been executed. */
  private readonly queued: Uint8Array[] = [];
  /** A command that a pause holds: it counts once it has been run. */
  private held: Uint8Array | null = null;
  private stopped = false;
  /** When the log was last told that commands run though the disk fails, ms. */
  private unsavedToldAt = Number.NEGATIVE_INFINITY;
  private running = false;
  /** The rest of the stream waits for the end of a unit that is left half way. */
  private behindUnit = false;
  /** So much waits that nothing is read. */
  private full = false;
  private readonly turn: UnowedTurn;

  constructor(engine: Engine, port: StreamPort, events: StreamEvents, db: number) {
    this.engine = engine;
    this.turn = new UnowedTurn(engine);
    this.port = port;
    this.events = events;
    this.session = engine.open(port, MASTER);
    this.session.db = engine.keyspaces.databases[Math.max(0, db)];
    // Nobody listens for replies on the other side.
    this.session.reply.suppressed = true;
    this.session.reply.errors = this;
    this.parser = new RequestParser(engine.server.settings);
    this.waiting = new Waiting(new SmallBuffers(), this.parser);
  }

  /** Bytes that have been received and not run. */
  get pending(): number {
    const begun = lengthOf(this.queued) + (this.held?.length ?? 0);
    return this.waiting.length + begun;
  }

  /** Whether the master can't be heard, since what it has sent waits. */
  get isFull(): boolean {
    return this.full;
  }

  /** A command that the master has done fails here. */
  errorReplied(text: string, counted: boolean): void {
    const { engine, session } = this;
    const { propagationErrorBehavior, replicaReadOnly } = engine.server.settings;
    engine.stats.errorReplied(text, counted);
    this.events.failed();
    tellDivergence(engine, engine.server.log, {
      from: 'replica',
      to: 'master',
      error: text,
      command: session.lastCommand?.name ?? null,
      // Where clients write as well, that the data differ is to be expected.
      fatal: replicaReadOnly && propagationErrorBehavior !== 'ignore',
    });
  }

  take(buffer: Uint8Array, from: number, to: number): void {
    this.turn.begin();
    if (this.waiting.length > 0 || this.stopped) {
      this.waiting.append(buffer, from, to);
      this.runWaiting();
      return;
    }
    this.parser.start(from);
    const done = this.run(buffer, from, to);
    if (done < to && !this.session.closing) this.waiting.keep(buffer, to);
  }

  /** No unit is left half way any more. */
  unitEnded(): void {
    if (!this.behindUnit) return;
    this.behindUnit = false;
    this.engine.clock.soon(() => {
      if (this.session.closed) return;
      this.turn.begin();
      this.runWaiting();
    });
  }

  /** The engine takes commands again. */
  resume(): void {
    this.engine.clock.soon(() => this.goOn());
  }

  private goOn(): void {
    const { session, held } = this;
    if (session.closed) return;
    session.released = false;
    this.turn.begin();
    if (!this.engine.goOn(session)) return;
    this.held = null;
    if (held !== null) this.done(held, 0, held.length);
    this.stopped = false;
    this.runWaiting();
  }

  close(): void {
    this.waiting.drop();
    this.session.close();
    this.engine.leave(this.session);
    this.session.reply.abandon();
  }

  private runWaiting(): void {
    if (!this.stopped && !this.running && this.waiting.length > 0) {
      this.run(this.waiting.bytes, 0, this.waiting.length);
      if (!this.session.closing) this.waiting.compact();
    }
    this.pace();
  }

  /** A command is waited for however long it is: only what can't be run yet is bounded. */
  private pace(): void {
    const full = (this.stopped || this.behindUnit) && this.waiting.length > WAITING_MOST && !this.session.closing;
    if (full === this.full) return;
    this.full = full;
    this.port.pace(!full);
  }

  /** Runs what there is before `to`; answers where what remains begins. */
  private run(buffer: Uint8Array, from: number, to: number): number {
    const { parser, session, engine } = this;
    let begin = from;
    this.running = true;
    let seen = 1;
    while (!this.stopped && !session.closing) {
      this.behindUnit = engine.suspended !== null;
      if (this.behindUnit) break;
      const outcome = parser.next(buffer, to, true);
      if (outcome === MORE) break;
      if (outcome === BROKEN || isInline(buffer, parser)) {
        this.broken(buffer, begin, to, outcome === BROKEN);
        break;
      }
      const end = parser.at;
      if (engine.gates.any(GATE_MISCONF)) this.unsaved();
      if (session.closing) break;
      if (!engine.execute(session, parser.args, parser.argc)) this.stopped = true;
      parser.start(end);
      if (session.postponed || session.waiter !== null) this.held = buffer.slice(begin, end);
      else if (!session.closing) this.done(buffer, begin, end);
      begin = end;
      if (--seen === 0) seen = engine.lookAhead.fetch(session, buffer, end, to);
    }
    this.running = false;
    return parser.begin;
  }

  private broken(buffer: Uint8Array, from: number, to: number, told: boolean): void {
    const { parser, session, engine } = this;
    if (told) session.reply.error(parser.error);
    else
      engine.server.log.warning(
        'WARNING: Receiving inline protocol from master, master stream corruption? Closing the master connection and discarding the cached master.',
      );
    this.stopped = true;
    this.port.broken(told ? parser.reason : 'Master using the inline protocol. Desync?', dumpOf(buffer, from, to));
  }

  /** Nothing can be written to disk: the command runs all the same, or the server ends by a write. */
  private unsaved(): void {
    const { engine, parser } = this;
    const { server, clock } = engine;
    const writes = engine.table.named(parser.args, parser.argc)?.has(WRITE) === true;
    if (writes && !server.settings.replicaIgnoreDiskWriteErrors) {
      server.panic('Replica was unable to write command to disk.');
    } else if (clock.now() - this.unsavedToldAt > UNSAVED_TOLD_MS) {
      this.unsavedToldAt = clock.now();
      server.log.warning('Replica is applying a command even though it is unable to write to disk.');
    }
  }

  /** A command has been run, or queued. */
  private done(buffer: Uint8Array, from: number, to: number): void {
    if (this.session.transaction !== null) {
      this.queued.push(buffer.slice(from, to));
      return;
    }
    for (const bytes of this.queued) this.events.applied(bytes, 0, bytes.length);
    this.queued.length = 0;
    this.events.applied(buffer, from, to);
  }
}

/** A master sends commands as arrays only, and empty lines at most. */
function isInline(buffer: Uint8Array, { begin }: RequestParser): boolean {
  return buffer[begin] !== STAR;
}

/** `Query buffer during protocol error: '...'`. */
function dumpOf(buffer: Uint8Array, from: number, to: number): string {
  const more = to - from - DUMPED;
  const text =
    more <= 0
      ? `'${printable(buffer, from, to)}'`
      : `'${printable(buffer, from, from + DUMPED / 2)}' (... more ${more} bytes ...) '${printable(buffer, to - DUMPED / 2, to)}'`;
  return `Query buffer during protocol error: ${text}`;
}

/** Bytes as text, with a point for what can't be printed. */
function printable(buffer: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += buffer[i] >= 32 && buffer[i] < 127 ? String.fromCharCode(buffer[i]) : '.';
  return text;
}
