/**
 * Where the engine and cluster/ meet. A server that is a node of a cluster joins it once, when it is put together:
 *
 *   engine.membership.join(port)      the engine asks `port` for each command with keys (routing.ts)
 *   engine.membership                 the cluster asks it for keys, subscriptions and waiting clients by slot (SlotKeeper)
 */
import type { Slice } from '../base/slice.ts';

/** A node of the cluster; the same node is the same object. */
export interface ClusterNode {
  /** 40 hexadecimal digits. */
  readonly id: string;
}

/** What is known of the slots. The engine reads it at each command with keys, and keeps nothing of it. */
export interface SlotMap {
  /** All nodes, by ID. */
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  /** Whether the cluster is up. */
  readonly ok: boolean;
  /** We, with the slots that are ours, and the master whose data we copy; null where we are a master. */
  readonly myself: ClusterNode & {
    readonly master: ClusterNode | null;
    readonly slots: { has(slot: number): boolean };
  };
  /** Who serves each slot, or null. */
  readonly owners: readonly (ClusterNode | null)[];
  /** Slots of ours that go to another node, and slots that come to us, with the other node. */
  readonly migrating: ReadonlyMap<number, ClusterNode>;
  readonly importing: ReadonlyMap<number, ClusterNode>;
}

/** What the engine asks of the cluster. */
export interface ClusterPort {
  readonly map: SlotMap;
  /**
   * Where a client finds a node: the `host:port` of MOVED and ASK, a byte a character, of the preferred kind of endpoint.
   * `secure` says whether the client's own connection is one with TLS.
   */
  endpoint(node: ClusterNode, secure: boolean): string;
  /** A client has published a message here, which is to reach the other nodes, or those of our shard. The bytes are the caller's. */
  publish(sharded: boolean, channel: Slice, message: Slice): void;
  /** Connections of the bus, and the bytes that wait in them. */
  readonly traffic: { readonly connections: number; readonly bytes: number };
  /** For tests: ends the connections of the bus to or from a node that is known. */
  endLinks(id: string, direction: LinkDirection): void;
  /** For tests: packets of a type, by its number, are thrown away; -1 for none. */
  dropPackets(type: number): void;
}

/** Which connections with a node: those that we have opened, those that it has. */
export type LinkDirection = 'to' | 'from' | 'all';

/**
 * What the cluster asks of the engine. None of it is called within a command but by CLUSTER's own subcommands; what is called
 * between commands comes after `engine.enter()`, and the turn ends with `engine.beforeWrite()`.
 */
export interface SlotKeeper {
  /** Whether there is no key at all. */
  readonly isEmpty: boolean;
  /** Keys of a slot; O(1). */
  countKeys(slot: number): number;
  /** Shows `take` the first so many keys of a slot, of which there are as many; O(keys). */
  eachKey(slot: number, count: number, take: (key: Slice) => void): void;
  /** Keys of slots that are another node's mean nothing here: they go, which the log and the replicas are told. How many. */
  dropKeys(slots: readonly number[]): number;
  /** Subscriptions of these slots' channels end: they are not served here any more. */
  endSubscriptions(slots: readonly number[]): void;
  /** Owners of slots or the state of the cluster have changed: clients that wait in vain are told where to go. */
  redirectWaiters(): void;
}
