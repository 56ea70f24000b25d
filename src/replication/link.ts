/** The link to a master, over the network that is handed in. */
import type { Duplex } from 'node:stream';
import type { Network } from '../base/network.ts';
import type { Clock } from '../base/time.ts';
import type { FollowerParts, LinkReceiver, MasterLink } from './follower.ts';
import type { StreamPort } from './stream.ts';

/** Bytes that wait to be written to a master that does not read; it gets signs of life and acknowledgements only. */
const UNSENT_MOST = 1024 * 1024;

class SocketLink implements MasterLink {
  private readonly stream: Duplex;
  private readonly address: string;
  private receiver: LinkReceiver | null;
  private lastActive: number;

  constructor(stream: Duplex, address: string, clock: Clock, receiver: LinkReceiver) {
    this.stream = stream;
    this.address = address;
    this.receiver = receiver;
    this.lastActive = clock.now();
    stream.once('connect', () => this.receiver?.opened());
    stream.on('data', (bytes: Buffer) => {
      this.lastActive = clock.now();
      this.receiver?.data(bytes, 0, bytes.length);
    });
    stream.once('error', (error) => this.ended(error.message));
    stream.once('close', () => this.ended('Connection closed'));
    stream.once('end', () => this.ended('Connection closed by the master'));
  }

  private ended(reason: string): void {
    const { receiver } = this;
    this.receiver = null;
    this.stream.destroy();
    receiver?.closed(reason);
  }

  write(bytes: Uint8Array): void {
    if (this.stream.writableLength > UNSENT_MOST) this.ended('The master takes nothing more');
    else this.stream.write(bytes);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  close(): void {
    this.receiver = null;
    this.stream.on('error', () => {});
    this.stream.destroy();
  }

  session(broken: (reason: string) => void, resume: () => void): StreamPort {
    const link = this;
    return {
      fd: -1,
      address: this.address,
      localAddress: '',
      unix: false,
      queryBytes: 0,
      queryFree: 0,
      argumentBytes: 0,
      get lastActive() {
        return link.lastActive;
      },
      close: () => this.ended('The link to the master is closed'),
      resume,
      divert: () => {},
      flush: () => {},
      broken,
    };
  }
}

/** How masters are reached over `network`. */
export function dialer(network: Network, clock: Clock): FollowerParts['dial'] {
  return (host, port, receiver) => new SocketLink(network.connect({ host, port }), `${host}:${port}`, clock, receiver);
}
