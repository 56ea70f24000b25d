/**
 * What the bus of a large cluster costs: nodes of the simulation, their rules and codec without sockets, that do nothing but
 * hear of each other, beside what Redis documents: each node asks each other once in half a node timeout, is answered, and
 * each of these packets tells of a tenth of all nodes.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { decode } from '../../src/cluster/bus/decode.ts';
import { encode } from '../../src/cluster/bus/encode.ts';
import { GOSSIP_BYTES, HEADER_BYTES } from '../../src/cluster/bus/layout.ts';
import type { Packet } from '../../src/cluster/bus/packet.ts';
import { parseNodesFile } from '../../src/cluster/nodes-file.ts';
import { nodesFile, type Seat } from '../../src/server/local-cluster.ts';
import {
  BUS_PORT,
  ClusterProcess,
  PORT,
  type Surroundings,
  settingsOf,
} from '../../test/simulation/cluster-process.ts';
import { Network } from '../../test/simulation/network.ts';
import { Timeline } from '../../test/simulation/timeline.ts';

const NODE_TIMEOUT = 15_000;
const SETTINGS = settingsOf({ nodeTimeout: NODE_TIMEOUT, replPingPeriod: 10_000 });
const WARM_SECONDS = 30;
const [LEAST_GOSSIPS, GOSSIP_SHARE] = [3, 10];

/** Of each node in a second. */
export interface BusCost {
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds of the processor. */
  readonly cpu: number;
  /** What Redis documents. */
  readonly documentedPackets: number;
  readonly documentedBytes: number;
}

class Bus implements Surroundings {
  readonly settings = SETTINGS;
  readonly tellsVotesEarly = false;
  readonly timeline = new Timeline();
  readonly network: Network;
  packets = 0;
  bytes = 0;
  private readonly nodes: readonly ClusterProcess[];
  private readonly byIp: ReadonlyMap<string, ClusterProcess>;

  /** Half of them are masters. */
  constructor(count: number) {
    this.network = new Network(this.timeline, new SeededRandom(1));
    const masters = Math.ceil(count / 2);
    const seats = Array.from(
      { length: count },
      (_, i): Seat => ({
        id: i.toString(16).padStart(40, '0'),
        ip: `10.0.0.${i}`,
        port: PORT,
        busPort: BUS_PORT,
        master: i < masters ? null : i - masters,
      }),
    );
    this.nodes = seats.map(
      (_, i) => new ClusterProcess(this, i, new SeededRandom(i + 2), parseNodesFile(nodesFile(seats, i))),
    );
    this.byIp = new Map(this.nodes.map((node) => [node.name, node]));
    for (const node of this.nodes) node.start();
  }

  process(ip: string): ClusterProcess {
    return this.byIp.get(ip)!;
  }

  newId(): string {
    return 'f'.repeat(40);
  }

  observe(): void {}

  left(_from: ClusterProcess, packet: Packet): void {
    const bytes = encode(packet);
    decode(bytes);
    this.packets++;
    this.bytes += bytes.length;
  }

  written(): void {}

  /** Lets time pass; replicas read what their masters write. */
  run(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      for (const node of this.nodes) node.replicate();
      this.timeline.run(1000);
    }
  }
}

export function busCost(count: number, seconds: number): BusCost {
  const bus = new Bus(count);
  bus.run(WARM_SECONDS);
  bus.packets = 0;
  bus.bytes = 0;
  const before = process.cpuUsage();
  bus.run(seconds);
  const { user, system } = process.cpuUsage(before);
  const share = count * seconds;
  const documentedPackets = (2 * (count - 1)) / (NODE_TIMEOUT / 2000);
  const gossips = Math.max(LEAST_GOSSIPS, Math.floor(count / GOSSIP_SHARE));
  return {
    packets: bus.packets / share,
    bytes: bus.bytes / share,
    cpu: (user + system) / 1000 / share,
    documentedPackets,
    documentedBytes: documentedPackets * (HEADER_BYTES + gossips * GOSSIP_BYTES),
  };
}

export function printBusCost(count: number, seconds: number): void {
  const { packets, bytes, cpu, documentedPackets, documentedBytes } = busCost(count, seconds);
  const figures = (rate: number, size: number): string =>
    `${rate.toFixed(1)} packets/s, ${(size / 1024).toFixed(1)} KiB/s`;
  console.log(`bus of ${count} nodes, sent by each, of a node timeout of ${NODE_TIMEOUT / 1000} s:`);
  console.log(`  ours        ${figures(packets, bytes)}, ${cpu.toFixed(2)} ms of the processor a second`);
  console.log(`  documented  ${figures(documentedPackets, documentedBytes)}`);
}
