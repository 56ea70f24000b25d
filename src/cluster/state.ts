/**
 * What a node knows of its cluster. Only the rules change it; commands and the routing of keys read it. Times are those of
 * `step`, in milliseconds; 0 is never.
 *
 *   ClusterState ─┬─ nodes ───> Node ── link (ours to it), inbound (its to us): a Connection each
 *                 ├─ owners ──> the node that serves a slot, or null
 *                 └─ myself
 *
 * owners[s] is a node if and only if that node's `slots` have s. A replica owns none. A node is its master's `replicas` if
 * and only if that is its `master`. verify() checks both.
 *
 * The bus has no passwords: whatever others can make grow has a bound, which verify() checks as well. `nodes` have MOST_NODES,
 * those of them that are known by hearsay only MOST_BY_HEARSAY, and all that is kept by node (`reports`, `voters`, `replicas`)
 * has one entry a node.
 */
import { assert } from '../base/assert.ts';
import type { PacketType } from './bus/packet.ts';
import { FAIL, HANDSHAKE, MASTER, MYSELF, NOADDR, PFAIL, SLAVE } from './flags.ts';
import { SLOTS, SlotSet } from './slots.ts';

/** More nodes than have slots to serve are no cluster. */
export const MOST_NODES = SLOTS;
/** As many as a large cluster has. */
export const MOST_BY_HEARSAY = 1000;

export interface ClusterState {
  myself: Node;
  /** By ID. */
  readonly nodes: Map<string, Node>;
  /** Those that others have told of, or that have introduced themselves, and that have never answered us. */
  readonly hearsay: Set<Node>;
  readonly owners: (Node | null)[];
  /** Slots whose owner has itself told us that it does not claim them: they are free for whoever does. */
  readonly unclaimed: Set<number>;
  /** Slots of ours that go to another node, and slots that come to us, with the other node. */
  readonly migrating: Map<number, Node>;
  readonly importing: Map<number, Node>;
  currentEpoch: number;
  lastVoteEpoch: number;
  /** Whether keys are served. */
  ok: boolean;
  /** Masters with slots. */
  size: number;
  /** When the state was first looked at; 0 before. */
  begun: number;
  /** When most masters were last not reachable. */
  minoritySince: number;
  /** Nodes that were forgotten, by ID, and until when gossip does not bring them back. */
  readonly forgotten: Map<string, number>;
  readonly election: Election;
  readonly manual: ManualFailover;
  readonly sent: Map<PacketType, number>;
  readonly received: Map<PacketType, number>;
}

/** Why a replica does not take over, as the log has it. */
export type CannotFailover = 'none' | 'data-age' | 'delay' | 'expired' | 'votes';

/** Of a replica that wants to take over from its master. */
export interface Election {
  /** When votes are, or were, asked for; 0 before the first time. */
  time: number;
  rank: number;
  /** Votes were asked for, in this epoch. */
  asked: boolean;
  epoch: number;
  /** Who has voted for us in it. */
  readonly voters: Set<Node>;
  /** What the log was told last, and when. */
  reason: CannotFailover;
  reasonTime: number;
}

/** A failover that somebody has asked for. */
export interface ManualFailover {
  /** When it is given up; 0 while there is none. */
  end: number;
  /** At the master: the replica that takes over. */
  replica: Node | null;
  /** At the replica: the last offset of the master, which has stopped its clients; -1 while it is not known. */
  masterOffset: number;
  /** At the replica: it has all that the master had, or need not have it. */
  canStart: boolean;
}

/** One connection, which the shell opens or has accepted. */
export class Connection {
  readonly direction: 'out' | 'in';
  /** The address of the other side: that which is connected to, or from which it came. */
  readonly ip: string;
  /** Of the bus; 0 where it is an inbound one. */
  readonly port: number;
  readonly since: number;
  /** Whose it is; null for an inbound one until it is known. */
  node: Node | null;
  /** The address of our end; '' before it is there. */
  localIp = '';
  open: boolean;

  private constructor(direction: 'out' | 'in', node: Node | null, ip: string, port: number, since: number) {
    this.direction = direction;
    this.node = node;
    this.ip = ip;
    this.port = port;
    this.since = since;
    this.open = direction === 'in';
  }

  static to(node: Node, now: number): Connection {
    return new Connection('out', node, node.ip, node.busPort, now);
  }

  static from(ip: string, localIp: string, now: number): Connection {
    const connection = new Connection('in', null, ip, 0, now);
    connection.localIp = localIp;
    return connection;
  }
}

export class Node {
  /** 40 hexadecimal digits; made up while it is in handshake. */
  id: string;
  flags: number;
  /** '' where it is not known. */
  ip = '';
  port = 0;
  plainPort = 0;
  busPort = 0;
  hostname = '';
  /** The ports of the address that is no longer its; 0 where there is none. */
  formerPort = 0;
  formerBusPort = 0;
  /** When a connection to it was last begun. */
  dialled = 0;
  /** When its host name was last looked up. */
  lookedUp = 0;
  master: Node | null = null;
  readonly replicas = new Set<Node>();
  configEpoch = 0;
  readonly slots = new SlotSet();
  readonly created: number;
  /** When a PING was sent that has no PONG yet; 0 where there is none. */
  pingSent = 0;
  /** The last PONG, to us or, as gossip has it, to others. */
  pongReceived = 0;
  /** When anything was last received from it. */
  dataReceived = 0;
  failTime = 0;
  /** When we last voted for a replica of it. */
  votedTime = 0;
  /** Since when it is a master without a replica that once had one. */
  orphanedSince = 0;
  offset = 0;
  /** Masters that say that it does not answer, and when they last did. */
  readonly reports = new Map<Node, number>();
  link: Connection | null = null;
  inbound: Connection | null = null;

  constructor(id: string, flags: number, now: number) {
    this.id = id;
    this.flags = flags;
    this.created = now;
  }

  is(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }

  get isMaster(): boolean {
    return this.is(MASTER);
  }

  get isReplica(): boolean {
    return this.is(SLAVE);
  }

  get hasFailed(): boolean {
    return this.is(FAIL);
  }

  get inHandshake(): boolean {
    return this.is(HANDSHAKE);
  }

  get hasAddress(): boolean {
    return !this.is(NOADDR);
  }

  /** Neither we nor the others hold it for down. */
  get isWell(): boolean {
    return !this.is(FAIL | PFAIL);
  }

  /** The node whose slots it serves or copies: itself where it is a master, or its master is not known. */
  get shard(): Node {
    return this.isReplica && this.master !== null ? this.master : this;
  }
}

export function countWellReplicas(node: Node): number {
  let count = 0;
  for (const replica of node.replicas) if (!replica.hasFailed) count++;
  return count;
}

/** How many masters must agree. */
export function majority(state: ClusterState): number {
  return Math.floor(state.size / 2) + 1;
}

/** The greatest epoch that is known. */
export function greatestEpoch(state: ClusterState): number {
  let greatest = state.currentEpoch;
  for (const node of state.nodes.values()) greatest = Math.max(greatest, node.configEpoch);
  return greatest;
}

/** Slots that have an owner, each of which knows it. */
function countOwned({ nodes, owners }: ClusterState): number {
  let known: Node | null = null;
  let count = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const owner = owners[slot];
    if (owner === null) continue;
    if (owner !== known) assert(nodes.get(owner.id) === owner, 'owners are known');
    known = owner;
    assert(owner.slots.has(slot), 'owners know their slots');
    count++;
  }
  return count;
}

export function verify(state: ClusterState): void {
  const { nodes, hearsay, owners, unclaimed, myself } = state;
  assert(nodes.get(myself.id) === myself && myself.is(MYSELF), 'we are one of the nodes');
  assert(owners.length === SLOTS, 'every slot has an owner or null');
  assert(nodes.size <= MOST_NODES && hearsay.size <= MOST_BY_HEARSAY, 'what others tell has a bound');
  for (const node of hearsay) assert(nodes.get(node.id) === node, 'who is known by hearsay is known');
  let owned = 0;
  for (const [id, node] of nodes) {
    assert(node.id === id, 'nodes are found by their IDs');
    assert(node === myself || !node.is(MYSELF), 'nobody else is we');
    assert(!(node.isMaster && node.isReplica), 'a node is a master or a replica');
    assert(!node.isReplica || node.slots.size === 0, 'a replica owns no slots');
    assert(node.master === null || (node.isReplica && node.master.replicas.has(node)), 'masters know their replicas');
    for (const replica of node.replicas) assert(replica.master === node, 'replicas know their masters');
    for (const reporter of node.reports.keys()) assert(nodes.get(reporter.id) === reporter, 'reporters are known');
    node.slots.verify();
    owned += node.slots.size;
  }
  for (const slot of unclaimed)
    assert(owners[slot] !== null && owners[slot] !== myself, 'another is to claim what is his');
  // Each owner has its slot, and there are as many of the ones as of the others: whoever has a slot is its owner.
  assert(owned === countOwned(state), 'slots know their owners');
  for (const node of [...state.migrating.values(), ...state.importing.values()])
    assert(nodes.get(node.id) === node, 'slots are moved between nodes that are known');
}
