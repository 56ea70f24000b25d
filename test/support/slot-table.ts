/** A cluster of two nodes that stands still but where a test changes it: as a table, and in the words of nodes.conf. */
import type { Slice } from '../../src/base/slice.ts';
import type { ClusterNode, ClusterPort, SlotMap } from '../../src/engine/cluster-port.ts';
import { SLOTS } from '../../src/keyspace/slot.ts';

export interface OtherNode extends ClusterNode {
  readonly port: number;
}

export interface Published {
  readonly sharded: boolean;
  readonly channel: string;
  readonly message: string;
}

const OURS = 'a'.repeat(40);
const THEIRS = 'b'.repeat(40);

export class SlotTable implements ClusterPort, SlotMap {
  ok = true;
  readonly myself: { readonly id: string; readonly master: ClusterNode | null };
  readonly other: OtherNode = { id: THEIRS, port: 1 };
  readonly owners: (ClusterNode | null)[];
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  readonly traffic = { connections: 0, bytes: 0 };
  readonly migrating = new Map<number, ClusterNode>();
  readonly importing = new Map<number, ClusterNode>();
  readonly published: Published[] = [];

  /** We serve the lower half of the slots and the other node the upper; or, as a replica of it, none, and it all. */
  constructor(isReplica = false) {
    this.myself = { id: OURS, master: isReplica ? this.other : null };
    this.nodes = new Map([this.myself, this.other].map((node) => [node.id, node]));
    this.owners = Array.from({ length: SLOTS }, (_, slot) =>
      isReplica || slot >= SLOTS / 2 ? this.other : this.myself,
    );
  }

  get map(): SlotMap {
    return this;
  }

  endpoint(): string {
    return `127.0.0.1:${this.other.port}`;
  }

  publish(sharded: boolean, channel: Slice, message: Slice): void {
    this.published.push({ sharded, channel: channel.latin1(), message: message.latin1() });
  }

  endLinks(): void {}

  dropPackets(): void {}

  /** The same as the file of a node that begins with it. */
  get file(): string {
    const [mine, theirs] = this.myself.master === null ? ['0-8191', '8192-16383'] : ['', '0-16383'];
    const role = this.myself.master === null ? 'master -' : `slave ${THEIRS}`;
    return [
      `${OURS} 127.0.0.1:2@10002 myself,${role} 0 0 1 connected ${mine}`,
      `${THEIRS} 127.0.0.1:${this.other.port}@10001 master - 0 0 2 connected ${theirs}`,
      'vars currentEpoch 2 lastVoteEpoch 0',
      '',
    ].join('\n');
  }
}
