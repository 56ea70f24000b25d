/**
 * A node of the simulation: the shell around the rules, and as much of an engine as they look at.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { decode, isRefused } from '../../src/cluster/bus/decode.ts';
import { encode } from '../../src/cluster/bus/encode.ts';
import type { Packet } from '../../src/cluster/bus/packet.ts';
import { Cluster } from '../../src/cluster/cluster.ts';
import type { ClusterSettings, Command, EngineView, Input, Output } from '../../src/cluster/messages.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { Connection } from '../../src/cluster/state.ts';
import { Cable, type Network } from './network.ts';
import { RulesProcess } from './rules-process.ts';

export const PORT = 6379;
export const BUS_PORT = 16379;
/** What nodes are set to; times in ms, others as they are by default. */
export function settingsOf(times: Pick<ClusterSettings, 'nodeTimeout' | 'replPingPeriod'>): ClusterSettings {
  return {
    ...times,
    replicaValidityFactor: 10,
    migrationBarrier: 1,
    allowReplicaMigration: true,
    requireFullCoverage: true,
    replicaNoFailover: false,
    announceIp: '',
    port: PORT,
    plainPort: 0,
    busPort: BUS_PORT,
    hostname: '',
  };
}

const TICK = 100;
/** Milliseconds that a full synchronization takes. */
const SYNC = 300;
/** One of so many packets goes through the codec. */
const ENCODED = 50;

/** What the world wants to know of a node, and what it finds for it. */
export interface Surroundings {
  readonly network: Network;
  readonly settings: ClusterSettings;
  /** Votes leave before they are synced: a bug that is to be found. */
  readonly tellsVotesEarly: boolean;
  process(ip: string): ClusterProcess;
  newId(): string;
  /** Everything that the rules put out, before it is done. */
  observe(process: ClusterProcess, output: Output): void;
  /** A packet that leaves a node, and to whom. */
  left(process: ClusterProcess, packet: Packet, to: ClusterProcess): void;
  written(process: ClusterProcess, file: NodesFile): void;
}

interface Write {
  readonly version: number;
  readonly file: NodesFile;
}

type Sent = Output & { readonly kind: 'send' };

export class ClusterProcess extends RulesProcess<Write, Sent> implements EngineView {
  cluster!: Cluster;
  private readonly surroundings: Surroundings;
  private saved: NodesFile;
  private readonly cables = new Map<Connection, Cable<ClusterProcess>>();
  /** Our ends of the connections that others have made. */
  private readonly inbound = new Map<Cable<ClusterProcess>, Connection>();
  /** Where it replicates from; '' where it is a master. */
  private master = '';
  private offset = 0;
  private synced = 0;
  private heard = Number.NEGATIVE_INFINITY;
  private paused = 0;

  constructor(surroundings: Surroundings, number: number, random: SeededRandom, file: NodesFile) {
    super(surroundings.network, `10.0.0.${number}`, number, random);
    this.surroundings = surroundings;
    this.saved = file;
  }

  get now(): number {
    return this.network.timeline.now;
  }

  protected begin(): void {
    this.master = '';
    this.heard = Number.NEGATIVE_INFINITY;
    const { random, surroundings } = this;
    const world = { random, settings: surroundings.settings, engine: this, newId: () => surroundings.newId() };
    this.cluster = new Cluster(this.saved, world, this.now);
    this.tick();
  }

  protected hangUp(): void {
    for (const cable of this.cables.values()) cable.toCallee(() => cable.callee.hungUp(cable));
    this.cables.clear();
    this.inbound.clear();
  }

  command(command: Command): void {
    this.step({ kind: 'command', asker: null, command });
  }

  private tick(): void {
    this.step({ kind: 'tick' });
    this.after(TICK, () => this.tick());
  }

  step(input: Input): void {
    if (!this.up) return;
    for (const output of this.cluster.step(this.now, input)) {
      this.surroundings.observe(this, output);
      this.perform(output);
    }
  }

  private perform(output: Output): void {
    switch (output.kind) {
      case 'connect':
        this.connect(output.connection);
        break;
      case 'disconnect':
        this.disconnect(output.connection);
        break;
      case 'send':
        this.releaseInTime(output, this.isEarly(output.packet));
        break;
      case 'persist':
        this.persist(output);
        break;
      case 'replicate':
        this.master = output.ip;
        this.synced = this.now + SYNC;
        break;
      case 'become-master':
        this.master = '';
        break;
      case 'pause':
        this.paused = output.until;
        break;
      case 'unpause':
        this.paused = 0;
        break;
      default:
    }
  }

  private isEarly({ body }: Packet): boolean {
    return this.surroundings.tellsVotesEarly && body.type === 'auth-ack';
  }

  // Connections.

  private connect(connection: Connection): void {
    const peer = this.surroundings.process(connection.ip);
    const cable = new Cable<ClusterProcess>(this.network, this, peer);
    this.cables.set(connection, cable);
    cable.toCallee(() => peer.welcome(cable, () => this.lose(connection, cable)));
    cable.toCallee(() => {
      peer.accept(cable, this.name);
      cable.toCaller(() => {
        if (this.cables.get(connection) !== cable) return;
        connection.localIp = this.name;
        this.step({ kind: 'connected', connection });
      });
    });
  }

  private accept(cable: Cable<ClusterProcess>, from: string): void {
    if (!this.up) return;
    const connection = Connection.from(from, this.name, this.now);
    this.inbound.set(cable, connection);
    this.cables.set(connection, cable);
    this.step({ kind: 'accepted', connection });
  }

  private lose(connection: Connection, cable: Cable<ClusterProcess>): void {
    if (this.cables.get(connection) !== cable) return;
    this.cables.delete(connection);
    this.step({ kind: 'lost', connection, reason: 'Connection reset by peer' });
  }

  private disconnect(connection: Connection): void {
    const cable = this.cables.get(connection);
    this.cables.delete(connection);
    if (cable === undefined) return;
    if (connection.direction === 'out') cable.toCallee(() => cable.callee.hungUp(cable));
    else {
      this.inbound.delete(cable);
      cable.toCaller(() => cable.caller.hungUp(cable));
    }
  }

  /** The other side has ended a connection. */
  private hungUp(cable: Cable<ClusterProcess>): void {
    this.inbound.delete(cable);
    for (const [connection, other] of this.cables) if (other === cable) this.lose(connection, cable);
  }

  protected release({ connection, packet }: Sent): void {
    const cable = this.cables.get(connection);
    if (cable === undefined) return;
    const out = connection.direction === 'out';
    const peer = out ? cable.callee : cable.caller;
    this.surroundings.left(this, packet, peer);
    const sent = this.random.below(ENCODED) === 0 ? recoded(packet) : packet;
    if (out) cable.toCallee(() => peer.receive(cable, sent));
    else cable.toCaller(() => peer.receive(cable, sent));
  }

  private receive(cable: Cable<ClusterProcess>, packet: Packet): void {
    for (const [connection, other] of this.cables)
      if (other === cable) {
        this.step({ kind: 'packet', connection, packet });
        return;
      }
  }

  protected save({ file }: Write): void {
    this.saved = file;
    this.surroundings.written(this, file);
  }

  // The engine.

  /** What of replication happens in a moment. */
  replicate(): void {
    if (!this.up || this.frozen) return;
    if (this.master === '') {
      if (this.now >= this.paused) this.offset += 10;
      return;
    }
    if (!this.isServed) this.synced = this.now + SYNC;
    else if (this.now >= this.synced) {
      this.offset = this.surroundings.process(this.master).offset;
      this.heard = this.now;
    }
  }

  private get isServed(): boolean {
    const master = this.surroundings.process(this.master);
    return master.up && master !== this && master.master === '' && this.network.isFree(this, master);
  }

  replicationOffset(): number {
    return this.offset;
  }

  dataAge(): number {
    return this.now - this.heard;
  }

  isStreaming(): boolean {
    return this.master !== '' && this.isServed && this.now >= this.synced;
  }

  keysIn(): number {
    return 0;
  }

  isEmpty(): boolean {
    return true;
  }
}

function recoded(packet: Packet): Packet {
  const decoded = decode(encode(packet));
  if (isRefused(decoded)) throw new Error(`a packet of ours is refused: ${decoded.refused}`);
  return decoded;
}
