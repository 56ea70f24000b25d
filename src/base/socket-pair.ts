/**
 * Two ends of a connection within the process, each a net.Socket as far as anybody can tell, with no port, no descriptor and
 * nothing that keeps the process alive.
 *
 *   one.write ── next tick ──> other 'data'        a write is done once the other end has room (its high-water mark)
 *   one.end   ── next tick ──> other 'end'         one.destroy: 'end' as well, behind what was written
 */
import { Socket } from 'node:net';

export type { Socket };

const HOST = '127.0.0.1';
const ENDS: PropertyDescriptorMap = {
  ...Object.fromEntries(['remoteAddress', 'localAddress'].map((name) => [name, { value: HOST }])),
  ...Object.fromEntries(['remoteFamily', 'localFamily'].map((name) => [name, { value: 'IPv4' }])),
  ...Object.fromEntries(['remotePort', 'localPort'].map((name) => [name, { value: 0 }])),
  pending: {
    get(this: Socket) {
      return this.connecting;
    },
  },
};

type Done = (error?: Error | null) => void;

/** Of what is connected here there is no more than one at each end. */
export class PairedSocket extends Socket {
  private peer: PairedSocket | null = null;
  /** The write of the other end's that waits for room here. */
  private onRoom: (() => void) | null = null;
  private ended = false;

  constructor(allowHalfOpen: boolean) {
    super({ allowHalfOpen });
    // Without a handle node:net says nothing of these.
    Object.defineProperties(this, ENDS);
    this.isConnecting(true);
  }

  private isConnecting(yes: boolean): void {
    Object.assign(this, { connecting: yes });
  }

  /** `near` is told 'connect' in a moment, as one who dials is; `far` is connected. */
  static join(near: PairedSocket, far: PairedSocket): void {
    near.peer = far;
    far.peer = near;
    far.isConnecting(false);
    process.nextTick(() => {
      near.isConnecting(false);
      if (!near.destroyed) near.emit('connect');
      if (!near.destroyed) near.emit('ready');
    });
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    // Whoever has written has his bytes back when the write is done, which may be before the other end has read them.
    this.send(Buffer.from(chunk), done);
  }

  override _writev(chunks: { readonly chunk: Uint8Array }[], done: Done): void {
    this.send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  private send(bytes: Buffer, done: Done): void {
    this.active();
    const { peer } = this;
    if (peer === null || peer.destroyed || peer.ended) {
      done();
      return;
    }
    const hasRoom = peer.readableLength + bytes.length <= peer.readableHighWaterMark;
    process.nextTick(() => {
      if (!peer.destroyed && !peer.ended) {
        peer.active();
        const takesMore = peer.push(bytes);
        if (!hasRoom && !takesMore) {
          peer.onRoom = done;
          return;
        }
      }
      if (!hasRoom) done();
    });
    if (hasRoom) done();
  }

  /** `setTimeout` counts from the last bytes. */
  private active(): void {
    if (this.timeout) this.setTimeout(this.timeout);
  }

  override _read(): void {
    const { onRoom } = this;
    this.onRoom = null;
    onRoom?.();
  }

  override _final(done: Done): void {
    this.tellEnd();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.tellEnd();
    // Nobody reads what the other end still writes.
    this._read();
    super._destroy(error, done);
  }

  private tellEnd(): void {
    const { peer } = this;
    process.nextTick(() => {
      if (peer === null || peer.ended || peer.destroyed) return;
      peer.ended = true;
      peer.push(null);
    });
  }
}

/** What dials, and what is dialled: a connection's two ends. The second stays open when the first has ended. */
export function socketPair(): [near: Socket, far: Socket] {
  const pair = [new PairedSocket(false), new PairedSocket(true)] as const;
  PairedSocket.join(...pair);
  return [...pair];
}
