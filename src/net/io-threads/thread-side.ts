/**
 * The I/O thread's side: puts what its sockets bring into one ring, and writes what the other brings. It knows sockets and
 * the way to wake the main thread by what it is handed only, so that it runs without threads as well.
 *
 * Where the ring to the main thread is full the thread holds still: it has nothing to do that would not need room there,
 * and what has not been read waits in the kernel.
 */
import { assert } from '../../base/assert.ts';
import * as frames from './frames.ts';
import type { RingReader, RingWriter } from './ring.ts';

export interface ThreadSocket {
  readonly fd: number;
  /** Of this connection's bytes from now on the thread side hears, or (false) no more. */
  read(on: boolean): void;
  /** True when the kernel has taken all; false when `written` or `ended` will tell. The bytes are the caller's again. */
  write(bytes: Uint8Array, from: number, to: number): boolean;
  setNoDelay(on: boolean): void;
  keepAlive(seconds: number): void;
  close(): void;
}

export interface ThreadOutside {
  /** Wakes the main thread. */
  wake(): void;
  /** The ring to the main thread is full: returns when there may be room. */
  hold(): void;
  /** The server is gone. */
  end(): void;
}

/** Bytes that are read in a turn before replies are looked for: half of what a connection's window holds. */
const MOST_UNANSWERED = frames.WINDOW / 2;

class Held {
  readonly socket: ThreadSocket;
  written = 0;
  /** Bytes of writes that the kernel has not finished. */
  pending = 0;
  tell = false;

  constructor(socket: ThreadSocket) {
    this.socket = socket;
  }
}

export class ThreadSide {
  private readonly inbound: RingReader;
  private readonly outbound: RingWriter;
  private readonly outside: ThreadOutside;
  private readonly held = new Map<number, Held>();
  /** The connection whose handle is awaited. */
  private opening = -1;
  /** Bytes that were read since the main thread was last obeyed in a turn of reading. */
  private unanswered = 0;

  constructor(inbound: RingReader, outbound: RingWriter, outside: ThreadOutside) {
    this.inbound = inbound;
    this.outbound = outbound;
    this.outside = outside;
  }

  /** Does all that the main thread has asked for, and shows it what there is; from then on it has to be woken. */
  settle(): void {
    this.unanswered = 0;
    do this.obey();
    while (!this.inbound.sleep());
    this.wakeMain();
  }

  private wakeMain(): void {
    if (this.outbound.claimSleeper()) this.outside.wake();
  }

  private obey(): void {
    const { inbound } = this;
    while (inbound.next()) {
      this.frame(inbound.kind, inbound.id, inbound.extra);
      if (inbound.release()) this.outside.wake();
    }
  }

  private frame(kind: number, id: number, extra: number): void {
    if (kind === frames.OPEN) {
      assert(this.opening === -1 && !this.held.has(id), 'one handle is on its way, of an id that is free');
      this.opening = id;
      return;
    }
    if (kind === frames.END) {
      for (const { socket } of this.held.values()) socket.close();
      this.held.clear();
      this.outside.end();
      return;
    }
    const held = this.held.get(id);
    assert(held !== undefined, 'the main thread speaks of connections that are open');
    if (kind === frames.DATA) this.write(id, held, extra === 1);
    else if (kind === frames.TELL) this.tell(id, held);
    else if (kind === frames.READ) held.socket.read(extra === 1);
    else if (kind === frames.NODELAY) held.socket.setNoDelay(extra === 1);
    else if (kind === frames.KEEPALIVE) held.socket.keepAlive(extra);
    else this.close(id, held, kind);
  }

  private close(id: number, held: Held, kind: number): void {
    assert(kind === frames.CLOSE, 'a frame of a kind that is known');
    this.held.delete(id);
    held.socket.close();
    this.say(frames.CLOSED, id, 0);
  }

  private write(id: number, held: Held, tell: boolean): void {
    const { bytes, from, to } = this.inbound;
    const count = to - from;
    if (held.socket.write(bytes, from, to)) held.written = (held.written + count) | 0;
    else held.pending += count;
    assert(held.pending <= frames.WINDOW, 'no more than the window waits for the kernel');
    if (tell) this.tell(id, held);
  }

  private tell(id: number, held: Held): void {
    held.tell = held.pending > 0;
    if (!held.tell) this.say(frames.WRITTEN, id, held.written);
  }

  private say(kind: number, id: number, extra: number, bytes?: Uint8Array, count = 0): void {
    const { outbound } = this;
    while (!outbound.put(kind, id, extra, bytes, 0, count)) {
      outbound.publish();
      if (!outbound.starve()) continue;
      this.wakeMain();
      this.outside.hold();
    }
    outbound.publish();
  }

  // What sockets bring. Each is followed by `settle()`, at the end of the turn.

  /** The handle that was on its way; answers its id. */
  opened(socket: ThreadSocket): number {
    // The frame was written before the handle was sent.
    if (this.opening === -1) this.obey();
    const id = this.opening;
    assert(id !== -1, 'a handle comes after its frame');
    this.opening = -1;
    this.held.set(id, new Held(socket));
    this.say(frames.OPENED, id, socket.fd);
    socket.read(true);
    return id;
  }

  received(id: number, buffer: Uint8Array, count: number): void {
    const held = this.held.get(id);
    if (held === undefined) return;
    this.say(frames.DATA, id, held.written, buffer, count);
    this.unanswered += count;
    if (this.unanswered < MOST_UNANSWERED) return;
    // One socket may bring megabytes in a turn; what they are answered would wait in the main thread, and count there as owed.
    this.unanswered = 0;
    this.wakeMain();
    this.obey();
  }

  /** The peer sends no more (0), or the connection broke. */
  ended(id: number, status: number): void {
    if (this.held.has(id)) this.say(frames.ENDED, id, status);
  }

  /** A write that the kernel had not taken whole has ended. */
  written(id: number, count: number): void {
    const held = this.held.get(id);
    if (held === undefined) return;
    held.pending -= count;
    held.written = (held.written + count) | 0;
    if (held.tell && held.pending === 0) this.tell(id, held);
  }
}
