/**
 * Hostile packets at the bus of a cluster (suite 8), through real sockets: a node of ours and one that it knows, and peers who
 * say whatever they like.
 *
 *   strangers   bear names that nobody knows: nothing of what the node knows may change by what they say
 *   impostors   bear the name of the node that is known, or the target's own: the bus has no passwords, so that they are
 *               believed; the server must live on all the same
 *
 * A packet is one that Redis has sent or one made up, of any type and with any numbers, then often damaged: bytes changed, cut,
 * lengths and counts that are not so, said again. After each round the server answers its client within 100 ms, not
 * counting those in which others had the processor (a round that was late is played again: the machine may have been), and takes no more memory than before. Where what a stranger makes us
 * hold has no bound (connections.ts), the packet without an end finds it.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { SeededRandom } from '../../src/base/random.ts';
import { decode, isRefused } from '../../src/cluster/bus/decode.ts';
import { encode } from '../../src/cluster/bus/encode.ts';
import { HEADER, HEADER_BYTES, TYPES } from '../../src/cluster/bus/layout.ts';
import type { Body, Gossip, Header, Packet, PacketType } from '../../src/cluster/bus/packet.ts';
import { BITMAP } from '../../src/cluster/slots.ts';
import { TestCluster } from '../support/clusters.ts';
import { recordedPackets } from '../unit/cluster/recorded.ts';
import { info, MIB, pause, Raw, resident, until } from './harness.ts';

const PEERS = 6;
const ROUND = 200;
const ROUNDS_TO_WARM_UP = 10;
const LATE_MS = 100;
const TRIES = 4;
const GROWTH = 96 * MIB;
const BUS_DISTANCE = 10_000;
/** Nobody listens there, and whoever is believed to makes nobody talk to a stranger's server. */
const DEAD_PORTS = 9;
const HEX = '0123456789abcdef';

export interface BusReport {
  packets: number;
  connections: number;
  /** Milliseconds of the longest answer of a round that was late each time. */
  longest: number;
  /** MiB. */
  growth: number;
  readonly failures: string[];
}

/** Draws packets. */
class Packets {
  private readonly random: SeededRandom;
  private readonly recorded = recordedPackets();
  private readonly names: readonly string[];
  private readonly known: readonly string[];

  /** `names` are the senders'; empty for strangers, who make theirs up. `known` is who may be spoken of. */
  constructor(random: SeededRandom, names: readonly string[], known: readonly string[]) {
    this.random = random;
    this.names = names;
    this.known = known;
  }

  next(): Buffer {
    const bytes = this.below(3) === 0 ? this.copied() : Buffer.from(encode(this.packet()));
    return this.below(2) === 0 ? this.damaged(bytes) : bytes;
  }

  below(most: number): number {
    return this.random.below(most);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  private bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  private id(): string {
    return Array.from({ length: 40 }, () => HEX[this.below(16)]).join('');
  }

  private sender(): string {
    return this.names.length === 0 ? this.id() : this.pick(this.names);
  }

  private spokenOf(): string {
    return this.below(2) === 0 ? this.pick(this.known) : this.id();
  }

  private number(): number {
    return this.pick([0, 1, 2, 7, 1000, 2 ** 31, 2 ** 32, 2 ** 40 + 1, 2 ** 51, this.below(2 ** 31)]);
  }

  private port(): number {
    return this.pick([0, 1 + this.below(DEAD_PORTS)]);
  }

  private ip(): string {
    return this.pick(['', '127.0.0.1', '::1', 'a.invalid', '0.0.0.0', '%', '999.1.1.1']);
  }

  private bitmap(): Uint8Array {
    return this.pick([() => Buffer.alloc(BITMAP), () => Buffer.alloc(BITMAP, 255), () => this.bytes(BITMAP)])();
  }

  private header(): Header {
    return {
      sender: this.sender(),
      currentEpoch: this.number(),
      configEpoch: this.number(),
      offset: this.number(),
      slots: this.bitmap(),
      master: this.pick(['', this.spokenOf()]),
      ip: this.ip(),
      port: this.port(),
      plainPort: this.port(),
      busPort: this.port(),
      flags: this.below(65536),
      state: this.pick(['ok', 'fail']),
      paused: this.below(2) === 0,
      forceAck: this.below(2) === 0,
    };
  }

  private gossip(): Gossip {
    return {
      id: this.spokenOf(),
      pingSent: this.below(2 ** 31),
      pongReceived: this.below(2 ** 31),
      ip: this.ip(),
      port: this.port(),
      busPort: this.port(),
      plainPort: this.port(),
      flags: this.below(65536),
    };
  }

  private packet(): Packet {
    return { header: this.header(), body: this.body(this.pick(TYPES)) };
  }

  private body(type: PacketType): Body {
    switch (type) {
      case 'ping':
      case 'pong':
      case 'meet': {
        const gossips = Array.from({ length: this.below(8) }, () => this.gossip());
        return { type, gossips, hostname: this.pick(['', 'a', 'x'.repeat(255)]), unknownExtensions: [] };
      }
      case 'fail':
        return { type, node: this.spokenOf() };
      case 'publish':
      case 'publishshard':
        return { type, channel: this.bytes(this.below(20)), message: this.bytes(this.below(200)) };
      case 'update':
        return { type, node: this.spokenOf(), configEpoch: this.number(), slots: this.bitmap() };
      case 'module':
        return { type, module: this.bytes(8), messageType: this.below(256), payload: this.bytes(this.below(100)) };
      default:
        return { type };
    }
  }

  /** What Redis has sent, from somebody else. */
  private copied(): Buffer {
    const bytes = Buffer.from(this.pick(this.recorded));
    bytes.write(this.sender(), HEADER.sender, 'latin1');
    bytes.writeUInt16BE(this.port(), HEADER.busPort);
    bytes.writeUInt16BE(this.port(), HEADER.port);
    if (this.below(4) === 0) bytes.writeUInt16BE(this.below(TYPES.length + 2), HEADER.type);
    return bytes;
  }

  private damaged(bytes: Buffer): Buffer {
    const how = this.below(9);
    switch (how) {
      case 0:
        for (let left = 1 + this.below(8); left > 0; left--) bytes[this.below(bytes.length)] = this.below(256);
        return bytes;
      case 1:
        for (let left = 1 + this.below(8); left > 0; left--) {
          const at = this.below(HEADER_BYTES);
          if (at < HEADER.slots || at >= HEADER.master) bytes[at] = this.below(256);
        }
        return bytes;
      case 2:
        return bytes.subarray(0, this.below(bytes.length));
      case 3:
        bytes.writeUInt32BE(
          this.pick([
            0,
            1,
            15,
            16,
            HEADER_BYTES - 1,
            HEADER_BYTES,
            bytes.length - 1,
            bytes.length + 1,
            2 ** 30,
            2 ** 32 - 1,
          ]),
          HEADER.length,
        );
        return bytes;
      case 4:
        bytes.writeUInt16BE(this.pick([1, 255, 65535, this.below(65536)]), HEADER.count);
        return bytes;
      case 5:
        bytes.writeUInt16BE(this.pick([1, 2, 65535]), HEADER.extensions);
        bytes[HEADER.messageFlags] |= 4;
        return bytes;
      case 6:
        // Lengths of what is published, and of extensions, lie there.
        if (bytes.length >= HEADER_BYTES + 8) this.bytes(8).copy(bytes, HEADER_BYTES);
        return bytes;
      case 7:
        return this.bytes(1 + this.below(3000));
      default:
        return Buffer.concat([bytes, bytes, bytes]);
    }
  }
}

/** The peers' connections: one that the server has ended is opened anew. */
class Peers {
  opened = 0;
  private readonly port: number;
  private readonly sockets: (Socket | null)[] = new Array<Socket | null>(PEERS).fill(null);

  constructor(port: number) {
    this.port = port;
  }

  /** Says it in one piece or in two. */
  say(who: number, bytes: Buffer, cut: number): void {
    const socket = (this.sockets[who] ??= this.open(who));
    if (cut > 0 && cut < bytes.length) {
      socket.write(bytes.subarray(0, cut));
      socket.write(bytes.subarray(cut));
    } else socket.write(bytes);
  }

  /** Waits until the system has taken all; what a node does not read for long is given up. */
  async drained(): Promise<void> {
    const end = Date.now() + 5000;
    while (Date.now() < end && this.sockets.some((socket) => (socket?.writableLength ?? 0) > 0)) await pause(1);
  }

  /** Leaves, so that what is half said by one says nothing of the next. */
  leave(who: number): void {
    this.sockets[who]?.destroy();
    this.sockets[who] = null;
  }

  close(): void {
    for (let who = 0; who < PEERS; who++) this.leave(who);
  }

  private open(who: number): Socket {
    this.opened++;
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.sockets[who] === socket) this.sockets[who] = null;
    });
    return socket;
  }
}

/** What a node knows of those that are not in handshake, but for times and links; and the epoch. */
async function knowledge(client: Raw): Promise<string> {
  const nodes = await client.ask('CLUSTER', 'NODES');
  const epoch = /cluster_current_epoch:\d+/.exec(await client.ask('CLUSTER', 'INFO'))?.[0] ?? '';
  const lines = nodes
    .split('\n')
    .filter((line) => / (myself,)?(master|slave)/.test(line) && !line.includes('handshake'));
  return [...lines.map((line) => line.replace(/ \d+ \d+ (\d+) (dis)?connected/, ' $1').trim()).sort(), epoch].join(
    '\n',
  );
}

function waitedForProcessor(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
}

interface Said {
  readonly who: number;
  readonly bytes: Buffer;
  readonly cut: number;
}

class Siege {
  readonly report: BusReport = { packets: 0, connections: 0, longest: 0, growth: 0, failures: [] };
  private readonly client: Raw;
  private readonly peers: Peers;
  private readonly pid: number;
  private before = 0;

  constructor(port: number, pid: number) {
    this.client = new Raw(port);
    this.peers = new Peers(port + BUS_DISTANCE);
    this.pid = pid;
  }

  async play(packets: Packets, count: number): Promise<void> {
    for (let round = 0; round * ROUND < count && this.report.failures.length === 0; round++) {
      const said = Array.from({ length: ROUND }, () => {
        const bytes = packets.next();
        return { who: packets.below(PEERS), bytes, cut: packets.below(4) === 0 ? packets.below(bytes.length) : 0 };
      });
      await this.round(said);
      if (packets.below(4) === 0) this.peers.leave(packets.below(PEERS));
      if (round === ROUNDS_TO_WARM_UP) this.before = resident(this.pid);
    }
    this.report.connections = this.peers.opened;
    if (this.before === 0) return;
    this.report.growth = Math.max(0, Math.round((resident(this.pid) - this.before) / MIB));
    if (this.report.growth * MIB > GROWTH) this.report.failures.push(`${this.report.growth} MiB more than before`);
  }

  /** Milliseconds for which the server and we were ready to run and others had the processor. */
  private waited(): number {
    return waitedForProcessor(this.pid) + waitedForProcessor(process.pid);
  }

  private async round(said: readonly Said[]): Promise<void> {
    let shortest = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && shortest > LATE_MS; tries++) {
      for (const { who, bytes, cut } of said) this.peers.say(who, bytes, cut);
      this.report.packets += said.length;
      const begin = performance.now() - this.waited();
      const answer = await this.client.ask('PING').catch(() => '');
      shortest = Math.min(shortest, performance.now() - this.waited() - begin);
      if (answer === '+PONG\r\n') {
        await this.peers.drained();
        continue;
      }
      this.report.failures.push(`PING was answered with ${JSON.stringify(answer)}`);
      return;
    }
    this.report.longest = Math.max(this.report.longest, Math.round(shortest));
    if (shortest > LATE_MS) this.report.failures.push(`an answer took ${Math.round(shortest)} ms`);
  }

  end(): void {
    this.client.destroy();
    this.peers.close();
  }

  /** What one who begins with a packet that never ends makes the node hold. */
  async endless(): Promise<void> {
    const { header } = recordedPackets()
      .map(decode)
      .filter((packet): packet is Packet => !isRefused(packet))[0];
    const message = Buffer.alloc(64 * MIB);
    this.peers.leave(0);
    const bytes = encode({ header, body: { type: 'publish', channel: Buffer.from('c'), message } });
    this.peers.say(0, Buffer.from(bytes.buffer, 0, bytes.length - 1), 0);
    await pause(500);
    const held = Number(await info(this.client, 'mem_cluster_links'));
    if (held > 8 * MIB) this.report.failures.push(`a stranger makes the node hold ${held} bytes`);
    this.peers.leave(0);
  }
}

/** So many packets of strangers, and as many of impostors. */
export async function hostileBus(count: number, seed: number): Promise<Record<'strangers' | 'impostors', BusReport>> {
  const cluster = await TestCluster.start({ kinds: ['cinnabar', 'cinnabar', 'cinnabar'], replicas: 0 });
  const [target, other] = cluster.nodes;
  const ids = (await cluster.table()).map(({ id }) => id);
  const watchers = cluster.ports.map((port) => new Raw(port));
  const random = new SeededRandom(seed);
  try {
    const before = await Promise.all(watchers.map(knowledge));
    const strangers = new Siege(target.port, target.pid);
    await strangers.play(new Packets(random, [], ids), count);
    await strangers.endless();
    strangers.end();
    const same = async (): Promise<boolean> => String(await Promise.all(watchers.map(knowledge))) === String(before);
    await until(same, 'all know what they knew before', 10_000).catch(async () => {
      const after = await Promise.all(watchers.map(knowledge));
      strangers.report.failures.push(
        `strangers have changed what nodes know:\n${before.join('\n')}\n--\n${after.join('\n')}`,
      );
    });

    const self = (await cluster.self(target.port)).id;
    const impostors = new Siege(target.port, target.pid);
    await impostors.play(new Packets(random, [self, (await cluster.self(other.port)).id], ids), count);
    impostors.end();
    return { strangers: strangers.report, impostors: impostors.report };
  } finally {
    for (const watcher of watchers) watcher.destroy();
    await cluster.stop();
  }
}
