/**
 * A connection that we open: bytes in and out, over TCP or TLS, as the network that is handed in has it (wire.ts).
 *
 *   opening ──> open ──> closed        `opened` and `closed` are each called once at most, never before `open()` returns
 *      └────────────────────^
 *
 * `close()` by its owner is silent; every other end comes as `closed(error)`, and nothing comes after it. The address that
 * it goes out from (bind-source-addr) is a wish: where it can't be had, the system chooses.
 */
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { assert } from '../base/assert.ts';
import { addressText, isIP, type Network, type Outgoing } from '../base/network.ts';
import { codeOf, systemError } from '../base/system-error.ts';
import type { Clock, Timer } from '../base/time.ts';
import { type TlsContextOptions, tlsReason, UNVERIFIED } from '../config/tls-options.ts';
import { type FastWires, StreamWire, type Wire } from './wire.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  /** Over TLS, with the certificates of the settings. */
  readonly secure: boolean;
  /** Milliseconds until it must be open, the handshake of TLS included; null where its owner watches over that. */
  readonly timeout: number | null;
  /** Where it goes out from, if that can be had: an address or a name, empty for any. */
  readonly source?: string;
  /** Its receiver keeps no buffer that it is handed. */
  readonly fleeting?: boolean;
}

/** Bytes that whoever sends with a time limit hands over at a time: they must be taken within it. */
export const PIECE = 64 * 1024;

/** Why a link has ended: no such host, nobody there or no TLS with him, out of time, by the other side, by what it sent. */
export type LinkFailure = 'unresolved' | 'refused' | 'late' | 'lost' | 'protocol';

export class LinkError extends Error {
  override name = 'LinkError';
  readonly failure: LinkFailure;

  /** `words` are the system's, or OpenSSL's. */
  constructor(failure: LinkFailure, words: string) {
    super(words);
    this.failure = failure;
  }
}

export interface LinkReceiver {
  opened(): void;
  /** Bytes from `from` to `to`; the buffer is the receiver's to keep, unless the target says that it keeps none. */
  data(bytes: Buffer, from: number, to: number): void;
  closed(error: LinkError): void;
}

export interface DialerParts {
  readonly network: Network;
  /** Null where there are streams only. */
  readonly fast: FastWires | null;
  readonly clock: Clock;
  /** What the settings say of TLS; null where nothing was configured. The same value is the same context. */
  readonly tls: () => TlsContextOptions | null;
}

/** Opens the links of one server. */
export class Dialer {
  readonly clock: Clock;
  private readonly parts: DialerParts;
  private context: { readonly options: TlsContextOptions; readonly made: SecureContext } | null = null;

  constructor(parts: DialerParts) {
    this.parts = parts;
    this.clock = parts.clock;
  }

  open(target: Target, receiver: LinkReceiver): Link {
    return new Link(this.parts, target, target.secure ? this.secureContext() : null, receiver);
  }

  /** What a thread needs to open such links itself. */
  get tls(): TlsContextOptions | null {
    return this.parts.tls();
  }

  private secureContext(): SecureContext | undefined {
    const options = this.parts.tls();
    if (options === null) return undefined;
    if (this.context?.options !== options) this.context = { options, made: createSecureContext(options) };
    return this.context.made;
  }
}

export class Link {
  state: 'opening' | 'open' | 'closed' = 'opening';
  /** When bytes were last read, ms; the time of the dialling before. */
  lastRead: number;
  readonly target: Target;
  private readonly parts: DialerParts;
  private readonly clock: Clock;
  private readonly context: SecureContext | null | undefined;
  private readonly late: Timer | null;
  private receiver: LinkReceiver | null;
  private wire: Wire | null = null;
  /** What TLS goes over. */
  private raw: Wire | null = null;

  /** `context`: null for no TLS, undefined where there is none to be had. */
  constructor(parts: DialerParts, target: Target, context: SecureContext | null | undefined, receiver: LinkReceiver) {
    const { clock } = parts;
    this.parts = parts;
    this.clock = clock;
    this.target = target;
    this.context = context;
    this.receiver = receiver;
    this.lastRead = clock.now();
    const late = (): void => this.fail(new LinkError('late', 'Connection timed out'));
    this.late = target.timeout === null ? null : clock.after(target.timeout, late);
    const { host, port, source = '' } = target;
    if (host === '' || !(port >= 0 && port < 65536)) this.failSoon('unresolved', 'Name or service not known');
    else if (context === undefined) this.failSoon('refused', 'TLS is not configured');
    else if (source === '' || isIP(source) !== 0) this.connect(source);
    else void this.connectFrom(source);
  }

  /** Bytes that were written and that the system has not taken yet. */
  get unsent(): number {
    return this.wire?.unsent ?? 0;
  }

  /** '127.0.0.1:6379' on our side; empty before it is open. */
  get localAddress(): string {
    const { localIp } = this;
    return localIp === '' ? '' : addressText(localIp, this.wire?.localPort ?? 0);
  }

  /** The IP address on our side; empty before it is open. */
  get localIp(): string {
    return this.state === 'opening' ? '' : (this.wire?.localIp ?? '');
  }

  /** Sends all of it, in order; `taken` is called when the system has these bytes, and never when the link ends first. */
  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.state === 'closed') return;
    assert(this.wire !== null && this.state === 'open', 'a link is written to once it is open');
    this.wire.write(bytes, taken);
  }

  /** Sends the parts one after another, with one call of the system's where it can be. */
  writeAll(parts: readonly Uint8Array[]): void {
    if (this.state === 'closed') return;
    assert(this.wire !== null && this.state === 'open', 'a link is written to once it is open');
    this.wire.writeAll(parts);
  }

  /** Nothing more is read until `resume`. */
  pause(): void {
    this.wire?.pause();
  }

  resume(): void {
    this.wire?.resume();
  }

  /** Whether it keeps the process from ending; it does at first. */
  hold(on: boolean): void {
    this.wire?.hold(on);
  }

  /** Sends what is small at once (as at first), or gathers it. */
  setNoDelay(on: boolean): void {
    this.wire?.setNoDelay(on);
  }

  /** Probes a peer that is silent for so many seconds; 0 is never. */
  keepAlive(seconds: number): void {
    this.wire?.keepAlive(seconds);
  }

  /** Ends it; the receiver hears nothing more. */
  close(): void {
    this.receiver = null;
    this.state = 'closed';
    this.late?.cancel();
    this.wire?.close();
    this.raw?.close();
  }

  /** Ends it for a reason, which the receiver is told. */
  fail(error: LinkError): void {
    const { receiver } = this;
    this.close();
    receiver?.closed(error);
  }

  private failSoon(failure: LinkFailure, words: string): void {
    this.clock.soon(() => this.fail(new LinkError(failure, words)));
  }

  /** Where the name of the source is unknown, it is as if none was given. */
  private async connectFrom(source: string): Promise<void> {
    const address = await this.parts.network.lookup(source, 0).catch(() => '');
    if (this.state === 'opening') this.connect(address);
  }

  private connect(source: string): void {
    const { host, port, fleeting = false } = this.target;
    const { network, fast } = this.parts;
    const place = { host, port, ...(source !== '' && { source }) };
    const context = this.context ?? null;
    if (context !== null) {
      const stream = network.connect(place);
      this.dial(new StreamWire(stream), source, () => this.secure(stream, context));
      return;
    }
    // Of the addresses of a name Node's own streams try one after another.
    const direct = fast !== null && isIP(host) !== 0;
    const wire = direct
      ? fast.connect({ ...place, fleeting })
      : new StreamWire(network.connect({ ...place, fleeting }));
    this.dial(wire, source, () => this.established(wire));
  }

  private dial(wire: Wire, source: string, connected: () => void): void {
    this.wire = wire;
    wire.setNoDelay(true);
    wire.receiver = {
      connected,
      data: (bytes, from, to) => this.read(bytes, from, to),
      ended: (error) => {
        if (this.wire !== wire) return;
        if (this.state === 'opening' && source !== '' && isAboutSource(error)) this.connect('');
        else if (error === null) this.lost();
        else this.fail(failureOf(error, this.state === 'open' ? 'lost' : 'refused'));
      },
    };
  }

  private secure(raw: Outgoing, context: SecureContext): void {
    const stream = connectTls({
      socket: raw,
      secureContext: context,
      // Redis asks for a certificate of the authorities, not for the name of a host in it.
      checkServerIdentity: () => undefined,
    });
    const wire = new StreamWire(stream);
    this.raw = this.wire;
    this.wire = wire;
    wire.receiver = {
      data: (bytes, from, to) => this.read(bytes, from, to),
      ended: (error) => {
        if (error === null) this.lost();
        else if (this.state === 'open') this.fail(failureOf(error, 'lost'));
        else this.fail(new LinkError('refused', stream.authorizationError ? UNVERIFIED : tlsReason(error)));
      },
    };
    raw.once('close', () => this.lost());
    stream.once('secureConnect', () => this.established(wire));
  }

  private established(wire: Wire): void {
    if (this.state !== 'opening') return;
    this.state = 'open';
    this.late?.cancel();
    wire.begin();
    this.receiver?.opened();
  }

  private read(bytes: Buffer, from: number, to: number): void {
    this.lastRead = this.clock.now();
    this.receiver?.data(bytes, from, to);
  }

  private lost(): void {
    this.fail(new LinkError('lost', 'connection lost'));
  }
}

function isAboutSource(error: Error | null): boolean {
  return error !== null && 'syscall' in error && error.syscall === 'bind';
}

function failureOf(error: Error, otherwise: LinkFailure): LinkError {
  if ('syscall' in error && error.syscall === 'getaddrinfo')
    return new LinkError('unresolved', 'Name or service not known');
  // Of the addresses of a name none was willing.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? error.errors.at(-1) : error;
  if (codeOf(cause) === 'ETIMEDOUT') return new LinkError('late', systemError(cause));
  return new LinkError(otherwise, codeOf(cause).startsWith('ERR_SSL') ? tlsReason(cause) : systemError(cause));
}
