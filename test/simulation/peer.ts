/** The other side of a replication link, told what to say: a replica, or a master that answers a handshake. */
import type { Duplex } from 'node:stream';
import { MemoryNetwork } from '../../src/base/memory-network.ts';
import { request } from '../../src/replication/sink.ts';
import type { World } from './world.ts';

const PORT = 6379;

/** A peer that keeps all that it hears, one character a byte. */
export class Peer {
  heard = '';
  closed = false;
  readonly stream: Duplex;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (bytes: Buffer) => {
      this.heard += bytes.toString('latin1');
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      this.closed = true;
    });
    stream.on('end', () => {
      this.closed = true;
    });
  }

  /** A connection to a server, of which nothing is known yet. */
  static to(world: World, host: string): Peer {
    return new Peer(new MemoryNetwork(world.wires, 'peer').connect({ host, port: PORT }));
  }

  say(text: string): void {
    if (!this.closed) this.stream.write(Buffer.from(text, 'latin1'));
  }

  command(...words: readonly string[]): void {
    if (!this.closed) this.stream.write(request(...words));
  }
}

/** A master of the name 'peer' that gives an empty snapshot and then says what a test wants it to. */
export class ScriptedMaster {
  readonly id: string;
  /** The links that there have been, the last one last. */
  readonly links: Peer[] = [];
  private readonly snapshot: string;

  /** `snapshot`: bytes of a file, one character each. */
  constructor(snapshot: string, id = 'f'.repeat(40)) {
    this.snapshot = snapshot;
    this.id = id;
  }

  async listen(world: World): Promise<void> {
    await new MemoryNetwork(world.wires, 'peer').listen({ host: 'peer', port: PORT }, 1, (stream) => {
      const peer = new Peer(stream);
      this.links.push(peer);
      stream.on('data', (bytes: Buffer) => this.answer(peer, bytes.toString('latin1')));
    });
  }

  get link(): Peer {
    return this.links[this.links.length - 1];
  }

  private answer(peer: Peer, text: string): void {
    for (const [, word] of text.matchAll(/\*\d+\r\n\$\d+\r\n(PING|AUTH|PSYNC|REPLCONF\r\n\$\d+\r\n(?!ACK)[\w-]+)/g)) {
      if (word === 'PING') peer.say('+PONG\r\n');
      else if (word !== 'PSYNC') peer.say('+OK\r\n');
      else peer.say(`+FULLRESYNC ${this.id} 0\r\n$${this.snapshot.length}\r\n${this.snapshot}`);
    }
  }
}
