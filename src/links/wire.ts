/**
 * What a connection to another server goes over, whoever has opened it. There are two kinds: streams (node:net's, node:tls's,
 * those of a network in memory), which are here, and where the machine offers them handles below the streams
 * (net/fast-wires.ts), for plain TCP. Both pass the same tests.
 *
 *   opening ──> connected ──begin()──> reading ──> ended        none of these is called before the wire was handed out
 */
import type { Duplex } from 'node:stream';
import type { Listener, Outgoing } from '../base/network.ts';

/** Hears what happens to a wire; nothing after `ended`, nor after the wire's own `close()`. */
export interface WireReceiver {
  /** Of one that we open only. */
  connected?(): void;
  /** The buffer is the receiver's to keep, unless the wire was asked for with `fleeting`. */
  data(bytes: Buffer, from: number, to: number): void;
  /** By the other side where there is no error; otherwise with an error that has `code` and `syscall`. */
  ended(error: Error | null): void;
}

export interface Wire {
  receiver: WireReceiver | null;
  /** Bytes that were written and that the system has not taken yet. */
  readonly unsent: number;
  /** Both ends; '' and 0 where there are none. */
  readonly localIp: string;
  readonly localPort: number;
  readonly peer: string;
  /** Reads from now on. */
  begin(): void;
  /** Sends all of it, in order. `taken` is called later when the system has these bytes, and never when it ends first. */
  write(bytes: Uint8Array, taken?: () => void): void;
  /** Sends the parts one after another, with one call of the system's where it can be. */
  writeAll(parts: readonly Uint8Array[]): void;
  pause(): void;
  resume(): void;
  /** Whether it keeps the process from ending; it does at first. */
  hold(on: boolean): void;
  setNoDelay(on: boolean): void;
  /** Probes a peer that is silent for so many seconds; 0 is never. */
  keepAlive(seconds: number): void;
  /** At once; what is not written is lost. */
  close(): void;
}

/** One that has come: it is taken as what is asked for first. */
export interface Arrival {
  wire(): Wire;
  /** What TLS can go over; half-open use is allowed. */
  stream(): Duplex;
}

export interface WirePlace {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** The IP address to go out from; any where there is none. */
  readonly source?: string;
  readonly fleeting?: boolean;
}

/** Wires without streams, for plain TCP of the machine's own network. */
export interface FastWires {
  /** An error of 'bind' where `source` can't be had, of 'connect' where nobody is there. */
  connect(place: WirePlace): Wire;
  /** Throws an error with the system's code where the place can't be had. */
  listen(place: WirePlace, backlog: number, accept: (arrival: Arrival) => void): Listener;
}

type WireStream = Outgoing & { readonly remoteAddress?: string | undefined };

export class StreamWire implements Wire {
  receiver: WireReceiver | null = null;
  private readonly stream: WireStream;

  constructor(stream: WireStream) {
    this.stream = stream;
    stream.on('error', (error) => this.end(error));
    stream.once('connect', () => this.receiver?.connected?.());
  }

  get unsent(): number {
    return this.stream.writableLength;
  }

  get localIp(): string {
    return this.stream.localAddress ?? '';
  }

  get localPort(): number {
    return this.stream.localPort ?? 0;
  }

  get peer(): string {
    return this.stream.remoteAddress ?? '';
  }

  begin(): void {
    const { stream } = this;
    stream.once('end', () => this.end(null));
    stream.once('close', () => this.end(null));
    stream.on('data', (bytes: Buffer) => this.receiver?.data(bytes, 0, bytes.length));
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.stream.destroyed) return;
    if (taken === undefined) this.stream.write(bytes);
    else {
      this.stream.write(bytes, (error) => {
        if (!error) taken();
      });
    }
  }

  writeAll(parts: readonly Uint8Array[]): void {
    const several = parts.length > 1;
    if (several) this.stream.cork();
    for (const part of parts) this.write(part);
    if (several) this.stream.uncork();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  hold(on: boolean): void {
    if (on) this.stream.ref?.();
    else this.stream.unref?.();
  }

  setNoDelay(on: boolean): void {
    this.stream.setNoDelay?.(on);
  }

  keepAlive(seconds: number): void {
    this.stream.setKeepAlive?.(seconds > 0, seconds * 1000);
  }

  close(): void {
    this.receiver = null;
    this.stream.destroy();
  }

  private end(error: Error | null): void {
    const { receiver } = this;
    this.receiver = null;
    receiver?.ended(error);
  }
}
