/**
 * The main thread's side of one I/O thread: its connections, served as those of any transport, whose sockets another
 * thread reads and writes.
 *
 * What can't be sent for lack of room, or of window, is remembered by its connection (`owes`) and sent in order later:
 * replies first, then what was asked of the connection, and its end last.
 */
import { assert } from '../../base/assert.ts';
import type { Connection, Receiver } from '../transport.ts';
import * as frames from './frames.ts';
import { FRAME_MAX, type RingReader, type RingWriter } from './ring.ts';

/** A socket that was accepted and that the main thread still holds. */
export interface Accepted {
  readonly address: string;
  readonly localAddress: string;
  readonly peer: string;
  readonly unix: boolean;
  readonly fd: number;
  setNoDelay(on: boolean): void;
  keepAlive(seconds: number): void;
  close(): void;
}

export interface MainOutside {
  /** Wakes the thread. */
  wake(): void;
  /** Sends the socket itself to the thread, and lets go of it. */
  pass(socket: Accepted): void;
  /** Calls `settle()` when what runs now has ended. */
  soon(): void;
  /** Calls `lookAgain()` after the end of this turn. */
  later(): void;
  /** The words of the system for a status. */
  words(status: number): string;
}

/** Figures for INFO. */
export interface IoCounters {
  /** Threads that are at work. */
  ioThreads: number;
  /** Reads that brought bytes, and writes, that they have done. */
  ioThreadedReads: number;
  ioThreadedWrites: number;
}

const NOTHING = -1;

export class MainSide {
  readonly outside: MainOutside;
  readonly counters: IoCounters;
  readonly outbound: RingWriter;
  private readonly inbound: RingReader;
  private readonly connections: (ThreadedConnection | null)[] = [];
  private readonly freeIds: number[] = [];
  /** Connections whose sockets are still to be passed, the first of them perhaps on its way. */
  private readonly passing: ThreadedConnection[] = [];
  private underWay = false;
  /** Connections that have something to send for which there was no room. */
  private starved = new Set<ThreadedConnection>();
  private readonly asking = new Set<ThreadedConnection>();
  private lookIsDue = false;
  private unsettled = false;
  private ending = false;
  private gone = false;

  constructor(inbound: RingReader, outbound: RingWriter, outside: MainOutside, counters: IoCounters) {
    this.inbound = inbound;
    this.outbound = outbound;
    this.outside = outside;
    this.counters = counters;
  }

  /** Connections that it serves. */
  get size(): number {
    return this.connections.length - this.freeIds.length;
  }

  /** A connection over `socket`, which goes to the thread as soon as that has taken those before it. */
  adopt(socket: Accepted): ThreadedConnection {
    const id = this.freeIds.pop() ?? this.connections.length;
    const connection = new ThreadedConnection(this, id, socket);
    this.connections[id] = connection;
    this.passing.push(connection);
    return connection;
  }

  /** Passes the next socket on, if none is on its way. */
  passNext(): void {
    while (!this.underWay && this.passing.length > 0) {
      const [connection] = this.passing;
      const { socket } = connection;
      if (socket === null) {
        // It was closed before.
        this.passing.shift();
        this.free(connection);
        continue;
      }
      if (!this.outbound.put(frames.OPEN, connection.id, 0)) {
        this.starve(connection);
        return;
      }
      this.outbound.publish();
      this.underWay = true;
      connection.passed();
      this.outside.pass(socket);
    }
  }

  /** Frames have been written: the thread hears of them when what runs now has ended. */
  touched(): void {
    if (this.unsettled) return;
    this.unsettled = true;
    this.outside.soon();
  }

  /** `connection` goes on when there is room. */
  starve(connection: ThreadedConnection): void {
    this.starved.add(connection);
    this.touched();
  }

  /** What is asked of `connection`'s socket is sent after this turn: much of it is taken back before. */
  asks(connection: ThreadedConnection): void {
    this.asking.add(connection);
    this.lookLater();
  }

  private lookLater(): void {
    if (this.lookIsDue) return;
    this.lookIsDue = true;
    this.outside.later();
  }

  private get lacksRoom(): boolean {
    return this.starved.size > 0 || this.ending;
  }

  /** Shows the thread what has been written, and wakes it if it sleeps. */
  settle(): void {
    this.unsettled = false;
    const { outbound } = this;
    outbound.publish();
    while (this.lacksRoom && !outbound.starve()) {
      this.feed();
      outbound.publish();
    }
    if (outbound.claimSleeper()) this.outside.wake();
  }

  /** Lets those go on that had no room. */
  private feed(): void {
    const { starved } = this;
    this.starved = new Set();
    for (const connection of starved) connection.goOn();
    this.passNext();
    if (this.ending) this.end();
  }

  /** After the end of a turn. */
  lookAgain(): void {
    this.lookIsDue = false;
    for (const connection of this.asking) connection.goOn();
    this.asking.clear();
    this.look();
  }

  /** The thread has put frames into its ring, or made room in ours. */
  look(): void {
    if (this.gone) return;
    if (this.lacksRoom) {
      this.feed();
      this.touched();
    }
    const { inbound } = this;
    // As much as one read brings where there are no threads: then replies are written.
    let left = FRAME_MAX;
    let some = false;
    while (left > 0 && inbound.next()) {
      some = true;
      left -= inbound.to - inbound.from + 1;
      this.frame(inbound.kind, inbound.id, inbound.extra);
      if (inbound.release()) inbound.notify();
    }
    // Only when nothing was found after a turn does it have to be woken.
    if (some || !inbound.sleep()) this.lookLater();
  }

  private frame(kind: number, id: number, extra: number): void {
    const connection = this.connections[id];
    assert(connection !== null && connection !== undefined, 'the thread speaks of connections that are open');
    if (kind === frames.DATA) {
      this.counters.ioThreadedReads++;
      connection.received(this.inbound, extra);
    } else if (kind === frames.WRITTEN) connection.told(extra);
    else if (kind === frames.ENDED) connection.ended(extra);
    else if (kind === frames.OPENED) {
      assert(this.passing[0] === connection, 'handles arrive in order');
      this.passing.shift();
      this.underWay = false;
      connection.opened(extra);
      this.passNext();
    } else {
      assert(kind === frames.CLOSED, 'a frame of a kind that is known');
      this.free(connection);
    }
  }

  private free(connection: ThreadedConnection): void {
    this.connections[connection.id] = null;
    this.freeIds.push(connection.id);
  }

  /** The thread closes what is left, and ends. */
  end(): void {
    this.ending = this.starved.size > 0 || !this.outbound.put(frames.END, 0, 0);
    this.touched();
  }

  /** The thread is gone, and all of its connections with it. */
  lost(): void {
    this.gone = true;
    for (const connection of this.connections) connection?.lost();
    this.connections.length = 0;
    this.freeIds.length = 0;
    this.passing.length = 0;
    this.starved.clear();
    this.asking.clear();
  }
}

type Phase = 'here' | 'passing' | 'open' | 'closing' | 'closed';

export class ThreadedConnection implements Connection {
  receiver: Receiver | null = null;
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly peer: string;
  readonly unix: boolean;
  readonly secure = false;
  /** As long as it is the main thread's. */
  socket: Accepted | null;
  fd: number;
  private readonly side: MainSide;
  private phase: Phase = 'here';
  /** Bytes that were sent to the thread, and those that it has said to be written, modulo 2^32. */
  private sent = 0;
  private written = 0;
  /** Whether the thread will tell when all that was sent is written. */
  private asked = false;
  /** Who wrote is told when that has happened. */
  private finishing = false;
  /** The write under way: its parts, and where in the first of them it goes on. */
  private parts: readonly Uint8Array[] | null = null;
  private part = 0;
  private at = 0;
  private reading = true;
  private readsThere = true;
  /** What was asked of the socket and is still to be sent. */
  private noDelay = NOTHING;
  private keepAliveSeconds = NOTHING;

  constructor(side: MainSide, id: number, socket: Accepted) {
    this.side = side;
    this.id = id;
    this.socket = socket;
    this.fd = socket.fd;
    this.address = socket.address;
    this.localAddress = socket.localAddress;
    this.peer = socket.peer;
    this.unix = socket.unix;
  }

  // What the thread says.

  passed(): void {
    this.socket = null;
    if (this.phase === 'here') this.phase = 'passing';
  }

  opened(fd: number): void {
    this.fd = fd;
    if (this.phase === 'passing') this.phase = 'open';
    this.goOn();
  }

  received(inbound: RingReader, written: number): void {
    this.written = written;
    if (this.parts !== null) this.goOn();
    this.receiver?.onData(inbound.bytes, inbound.from, inbound.to);
  }

  told(written: number): void {
    this.written = written;
    this.asked = false;
    if (this.phase === 'open') this.goOn();
  }

  ended(status: number): void {
    this.receiver?.onEnd(status === 0 ? null : this.side.outside.words(status));
  }

  lost(): void {
    const { receiver } = this;
    this.phase = 'closed';
    this.socket?.close();
    this.socket = null;
    this.fd = -1;
    receiver?.onEnd('ECONNRESET');
  }

  // What is sent.

  write(bytes: Uint8Array): boolean {
    if (this.phase === 'open' && this.parts === null) {
      const sent = this.send(bytes, 0);
      if (sent === bytes.length) return true;
      this.at = sent;
    } else this.at = 0;
    return this.hold([bytes]);
  }

  writeAll(parts: readonly Uint8Array[]): boolean {
    this.at = 0;
    this.hold(parts);
    if (this.phase === 'open') this.sendParts();
    return this.parts === null;
  }

  private hold(parts: readonly Uint8Array[]): false {
    assert(this.parts === null, 'one write is under way at a time');
    this.parts = parts;
    this.part = 0;
    return false;
  }

  /** Sends from `at` on what the window and the ring have room for; answers up to where. */
  private send(bytes: Uint8Array, at: number): number {
    const { outbound, counters } = this.side;
    while (at < bytes.length) {
      const room = frames.WINDOW - ((this.sent - this.written) | 0);
      if (room <= 0) {
        this.ask();
        break;
      }
      const some = Math.min(bytes.length - at, room, outbound.longest);
      const fills = some === room && !this.asked;
      if (!outbound.put(frames.DATA, this.id, fills ? 1 : 0, bytes, at, some)) {
        this.side.starve(this);
        break;
      }
      if (fills) this.asked = true;
      this.sent = (this.sent + some) | 0;
      at += some;
      counters.ioThreadedWrites++;
    }
    this.side.touched();
    return at;
  }

  private sendParts(): void {
    const { parts } = this;
    while (parts !== null && this.part < parts.length) {
      this.at = this.send(parts[this.part], this.at);
      if (this.at < parts[this.part].length) return;
      this.part++;
      this.at = 0;
    }
    this.parts = null;
  }

  /** Sends what is left to send, as far as there is room, and tells who wrote. */
  goOn(): void {
    if (this.phase === 'closing') this.sendClose();
    if (this.phase !== 'open') return;
    const { receiver } = this;
    if (this.parts !== null) {
      this.sendParts();
      if (this.parts !== null) return;
      receiver?.onWritten();
    }
    if (this.phase === 'open') this.sendAsked();
    if (!this.finishing) return;
    if (this.sent === this.written) {
      this.finishing = false;
      receiver?.onWritten();
    } else this.ask();
  }

  /** Asks to be told when all is written. */
  private ask(): void {
    if (this.asked) return;
    if (this.side.outbound.put(frames.TELL, this.id, 0)) this.asked = true;
    else this.side.starve(this);
    this.side.touched();
  }

  /** Sends what is asked of the socket, if there is room. */
  private sendAsked(): void {
    if (this.noDelay !== NOTHING && this.put(frames.NODELAY, this.noDelay)) this.noDelay = NOTHING;
    if (this.keepAliveSeconds !== NOTHING && this.put(frames.KEEPALIVE, this.keepAliveSeconds))
      this.keepAliveSeconds = NOTHING;
    if (this.readsThere !== this.reading && this.put(frames.READ, this.reading ? 1 : 0)) this.readsThere = this.reading;
  }

  private put(kind: number, extra: number): boolean {
    const done = this.side.outbound.put(kind, this.id, extra);
    if (!done) this.side.starve(this);
    this.side.touched();
    return done;
  }

  private sendClose(): void {
    if (this.put(frames.CLOSE, 0)) this.phase = 'closed';
  }

  // What is asked of it.

  finish(): boolean {
    if (this.phase === 'closed' || (this.parts === null && this.sent === this.written)) return true;
    if (this.finishing) return false;
    this.finishing = true;
    if (this.phase === 'open') this.ask();
    return false;
  }

  pause(): void {
    this.reading = false;
    this.side.asks(this);
  }

  resume(): void {
    this.reading = true;
    this.side.asks(this);
  }

  setNoDelay(on: boolean): void {
    if (this.socket !== null) this.socket.setNoDelay(on);
    else this.noDelay = on ? 1 : 0;
    this.side.asks(this);
  }

  keepAlive(seconds: number): void {
    if (this.socket !== null) this.socket.keepAlive(seconds);
    else this.keepAliveSeconds = seconds;
    this.side.asks(this);
  }

  close(): void {
    if (this.phase === 'closing' || this.phase === 'closed') return;
    const before = this.phase;
    this.receiver = null;
    this.parts = null;
    this.fd = -1;
    this.phase = 'closing';
    if (before === 'open') this.sendClose();
    if (before !== 'here') return;
    this.socket?.close();
    this.socket = null;
    this.phase = 'closed';
  }
}
