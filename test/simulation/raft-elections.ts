/**
 * How long a group is without a leader: 3 or 5 members over a virtual clock, network and disk, of whom the one that leads is
 * killed, or cut off, at some moment; everything from one seed.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { newSaved } from '../../src/raft/entry.ts';
import type { Message } from '../../src/raft/message.ts';
import type { RaftSettings } from '../../src/raft/messages.ts';
import { Network } from './network.ts';
import type { Snapshot } from './raft-disk.ts';
import type { Act } from './raft-machine.ts';
import { RaftProcess, type Surroundings } from './raft-process.ts';
import { Timeline } from './timeline.ts';

export const ELECTION_TIMEOUT = 1000;
const HEARTBEAT = 100;
/** Milliseconds between two looks at who serves. */
const STEP_MS = 10;
/** Milliseconds for which a group lives before its leader fails, at least and at most. */
const BEFORE = [3000, 4000] as const;
const PATIENCE = 60_000;
const NOTHING: Act = { kind: 'register', key: '', input: { kind: 'read' } };

export interface ElectionOptions {
  readonly members: 3 | 5;
  /** Milliseconds that a write to a disk takes at most, and that a message takes besides what the network has it take. */
  readonly disk: number;
  readonly wire: number;
}

/** Milliseconds from the failure of the leader until another has committed an entry of its own term. */
export function leaderless(seed: number, options: ElectionOptions): number {
  return new ElectionWorld(seed, options).play();
}

class ElectionWorld implements Surroundings {
  readonly network: Network;
  readonly bug = 'none';
  readonly snapshotEvery = 100;
  readonly known = 0;
  readonly settings: RaftSettings = {
    electionTimeout: ELECTION_TIMEOUT,
    heartbeat: HEARTBEAT,
    leases: true,
    clockDrift: 0.1,
    batchBytes: 4000,
    inflight: 4,
    uncommittedBytes: 2000,
    kept: 8,
    promotionLag: 5,
  };
  private readonly timeline = new Timeline();
  private readonly random: SeededRandom;
  private readonly processes: RaftProcess[];
  private readonly wire: number;

  constructor(seed: number, { members, disk, wire }: ElectionOptions) {
    this.random = new SeededRandom(seed);
    this.network = new Network(this.timeline, this.random);
    this.wire = wire;
    const group = Array.from({ length: members }, (_, i) => ({ id: i + 1, address: '', kind: 'voter' }) as const);
    this.processes = group.map((_, i) => {
      const random = new SeededRandom(this.random.bits32(), i);
      const process = new RaftProcess(this, i, random, newSaved(group).base);
      process.disk.delay = disk;
      process.start();
      return process;
    });
  }

  play(): number {
    const { random, timeline, network, processes } = this;
    this.untilServed(processes);
    timeline.run(BEFORE[0] + random.double01() * (BEFORE[1] - BEFORE[0]));
    const leader = this.untilServed(processes);
    const begin = timeline.now;
    if (random.below(2) === 0) leader.kill();
    else network.split(processes, new Set([leader]));
    this.untilServed(processes.filter((each) => each !== leader));
    return timeline.now - begin;
  }

  /** Lets time pass until one of these serves. */
  private untilServed(among: readonly RaftProcess[]): RaftProcess {
    for (const end = this.timeline.now + PATIENCE; this.timeline.now < end; this.timeline.run(STEP_MS)) {
      const found = among.find((process) => {
        const { leading, applied } = process.raft.state;
        return process.up && leading !== null && applied >= leading.first;
      });
      if (found !== undefined) return found;
    }
    throw new Error('nobody comes to lead');
  }

  transmit(from: RaftProcess, message: Message, snapshot: Snapshot | null): void {
    const to = this.processes[message.to - 1];
    this.timeline.after(this.network.latency() + this.random.double01() * this.wire, () => {
      if (to.up && this.network.isFree(from, to)) to.receive(message, snapshot);
    });
  }

  act(): Act {
    return NOTHING;
  }

  observe(): void {}

  applied(): void {}

  read(): void {}
}
