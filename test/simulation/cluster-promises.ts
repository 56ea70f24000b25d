/** What nodes of a simulated cluster have told of votes and epochs, and kept of them: none of it may be taken back. */
import type { Header, Packet } from '../../src/cluster/bus/packet.ts';
import type { NodesFile } from '../../src/cluster/nodes-file.ts';
import { Broken, same } from './rules-world.ts';

interface Epochs {
  readonly currentEpoch: number;
  readonly other: number;
}

export class ClusterPromises {
  votes = 0;
  /** By voter and epoch: for whom. By config epoch and master: what it claims. */
  private readonly voted = new Map<string, string>();
  private readonly claims = new Map<number, Map<string, Uint8Array>>();
  /** Masters with an epoch that nobody has voted for. */
  private readonly alone = new Set<string>();
  private readonly told = new Map<string, Epochs>();
  private readonly kept = new Map<string, Epochs>();

  /** A master has given itself an epoch: another may have the same one, also by votes, until they hear of each other. */
  tookAlone(name: string, epoch: number): void {
    this.alone.add(`${name} ${epoch}`);
  }

  /** A packet leaves a node. Throws Broken; true where it promised something new. */
  left(name: string, { header, body }: Packet, to: string): boolean {
    const { currentEpoch, master } = header;
    this.grow(this.told, name, { currentEpoch, other: master === '' ? header.configEpoch : 0 });
    if (master === '') this.claim(name, header);
    if (body.type !== 'auth-ack') return false;
    same(this.voted, `${name} ${currentEpoch}`, to, `votes of ${name} in epoch ${currentEpoch}`);
    this.votes++;
    return true;
  }

  /** Something is on the disk. */
  written(name: string, { currentEpoch, lastVoteEpoch }: NodesFile): void {
    this.grow(this.kept, name, { currentEpoch, other: lastVoteEpoch });
  }

  /** Claims with one epoch, each once. */
  private claim(name: string, { configEpoch, slots }: Header): void {
    if (this.alone.has(`${name} ${configEpoch}`)) return;
    const claims = this.claims.get(configEpoch) ?? new Map<string, Uint8Array>();
    this.claims.set(configEpoch, claims);
    if (claims.get(name) === slots) return;
    claims.set(name, slots);
    for (const [other, theirs] of claims)
      if (other !== name && slots.some((bits, i) => (bits & theirs[i]) !== 0))
        throw new Broken(`${name} and ${other} claim one slot with epoch ${configEpoch}`);
  }

  /** The config epoch of a replica, which is its master's, is 0 here. */
  private grow(known: Map<string, Epochs>, name: string, epochs: Epochs): void {
    const before = known.get(name) ?? { currentEpoch: 0, other: 0 };
    if (epochs.currentEpoch < before.currentEpoch || (epochs.other !== 0 && epochs.other < before.other))
      throw new Broken(`epochs of ${name} shrink from ${JSON.stringify(before)} to ${JSON.stringify(epochs)}`);
    known.set(name, { currentEpoch: epochs.currentEpoch, other: Math.max(before.other, epochs.other) });
  }
}
