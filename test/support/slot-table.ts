/** Stands for a cluster of one node that serves all slots, for servers that listen nowhere. */
import type { Slice } from '../../src/base/slice.ts';
import type { ClusterNode, ClusterPort, SlotMap } from '../../src/engine/cluster-port.ts';
import { SLOTS } from '../../src/keyspace/slot.ts';

export interface Published {
  readonly sharded: boolean;
  readonly channel: string;
  readonly message: string;
}

export class SlotTable implements ClusterPort {
  readonly map: SlotMap;
  readonly traffic = { connections: 0, bytes: 0 };
  readonly published: Published[] = [];

  constructor() {
    const myself = { id: 'a'.repeat(40), master: null, slots: { has: () => true } };
    this.map = {
      ok: true,
      myself,
      nodes: new Map([[myself.id, myself]]),
      owners: new Array<ClusterNode>(SLOTS).fill(myself),
      migrating: new Map(),
      importing: new Map(),
    };
  }

  endpoint(): string {
    return '127.0.0.1:6379';
  }

  publish(sharded: boolean, channel: Slice, message: Slice): void {
    this.published.push({ sharded, channel: channel.latin1(), message: message.latin1() });
  }

  endLinks(): void {}

  dropPackets(): void {}
}
