/**
 * How nodes come to know one another, and each other's addresses.
 *
 *   CLUSTER MEET ──> node in handshake, its ID made up ──> MEET ──> the other does the same with us ──> PONG: its ID is known
 *
 * Whoever does not answer in time is forgotten. Others hear of a new node by gossip, from somebody whom they know.
 */
import { isIP, PORT_MAX } from '../../base/network.ts';
import type { Header } from '../bus/packet.ts';
import { HANDSHAKE, MASTER, MEET, NOADDR, SLAVE } from '../flags.ts';
import { type Connection, MOST_NODES, Node } from '../state.ts';
import { pointEngineAtMaster, removeNode, renameNode } from './changes.ts';
import { closeLink } from './links.ts';
import { addNode, hasRoomForHearsay } from './table.ts';
import type { Turn } from './turn.ts';

const LEAST_HANDSHAKE = 1000;

/** Ports as they are, so that none is none. */
export interface BusAddress {
  readonly ip: string;
  readonly port: number;
  readonly busPort: number;
}

/** Why it can't be; with a node with whom we shake hands already there is nothing to do. */
export function meet(turn: Turn, { ip, port, busPort }: BusAddress): 'no address' | 'no room' | null {
  if (isIP(ip) === 0 || !isPort(port) || !isPort(busPort)) return 'no address';
  if (isGreeted(turn, ip, busPort)) return null;
  if (turn.state.nodes.size >= MOST_NODES) return 'no room';
  greet(turn, { ip, port, busPort }, HANDSHAKE | MEET);
  return null;
}

function isGreeted({ state }: Turn, ip: string, busPort: number): boolean {
  for (const node of state.nodes.values())
    if (node.inHandshake && node.ip === ip && node.busPort === busPort) return true;
  return false;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= PORT_MAX;
}

/**
 * Somebody whom we don't know has sent MEET: a node of our administrator's. Anybody can say so, and each makes us open a
 * connection: to an address only, to each once, and to so many that have not answered.
 */
export function admit(turn: Turn, connection: Connection, header: Header): void {
  const { port, busPort } = header;
  const ip = isIP(header.ip) === 0 ? connection.ip : header.ip;
  if (!isPort(port) || !isPort(busPort)) return;
  if (isGreeted(turn, ip, busPort) || !hasRoomForHearsay(turn.state)) return;
  const node = greet(turn, { ip, port, busPort }, HANDSHAKE);
  turn.state.hearsay.add(node);
  node.plainPort = header.plainPort;
  turn.persist();
}

function greet(turn: Turn, address: BusAddress, flags: number): Node {
  const node = new Node(turn.world.newId(), flags, turn.now);
  Object.assign(node, address);
  addNode(turn.state, node);
  return node;
}

/** Whether a node has had its time to answer a MEET. */
export function isOverdue(turn: Turn, node: Node): boolean {
  return node.inHandshake && turn.now - node.created > Math.max(turn.settings.nodeTimeout, LEAST_HANDSHAKE);
}

/**
 * Somebody has answered where we connected to. Says whether it is a node that goes on being known there: one in handshake
 * gets its ID, one that we knew by another address ends it, and where somebody else answers, the address is no longer its.
 */
export function recognize(turn: Turn, connection: Connection, sender: Node | null, header: Header): boolean {
  const node = connection.node!;
  if (node.inHandshake) {
    if (sender !== null || header.sender === turn.state.myself.id) {
      if (sender !== null) {
        turn.log('verbose', `Handshake: we already know node ${sender.id}, updating the address if needed.`);
        updateAddress(turn, sender, connection, header);
      }
      removeNode(turn, node);
      return false;
    }
    renameNode(turn, node, header.sender);
    turn.log('debug', `Handshake with node ${node.id} completed.`);
    node.flags = (node.flags & ~(HANDSHAKE | MEET)) | roleOf(header);
    turn.persist();
    return true;
  }
  if (node.id === header.sender) return true;
  const age = turn.now - node.created;
  turn.log(
    'debug',
    `PONG contains mismatching sender ID. About node ${node.id} added ${age} ms ago, having flags ${node.flags}`,
  );
  node.flags |= NOADDR;
  node.formerPort = node.port;
  node.formerBusPort = node.busPort;
  Object.assign(node, { ip: '', port: 0, plainPort: 0, busPort: 0 });
  closeLink(turn, node);
  turn.persist();
  return false;
}

function roleOf(header: Header): number {
  return (header.flags & SLAVE) !== 0 ? SLAVE : MASTER;
}

/** A node speaks from elsewhere than it is known to be. */
export function updateAddress(turn: Turn, node: Node, connection: Connection, header: Header): void {
  if (connection === node.link) return;
  const ip = header.ip || connection.ip;
  const { port, plainPort, busPort } = header;
  if (node.ip === ip && node.port === port && node.plainPort === plainPort && node.busPort === busPort) return;
  moveTo(turn, node, { ip, port, busPort });
  node.plainPort = plainPort;
  turn.log('warning', `Address updated for node ${node.id}, now ${ip}:${port}`);
}

/** A node is elsewhere now. Its replica follows it there. */
export function moveTo(turn: Turn, node: Node, address: BusAddress): void {
  closeLink(turn, node);
  Object.assign(node, address);
  node.flags &= ~NOADDR;
  turn.persist();
  if (turn.state.myself.master === node) pointEngineAtMaster(turn);
}

/** We are where others reach us, unless we are told to announce something else. */
export function learnOwnIp(turn: Turn, connection: Connection): void {
  const { state, settings } = turn;
  const { myself } = state;
  if (settings.announceIp !== '' || connection.localIp === '' || myself.ip === connection.localIp) return;
  myself.ip = connection.localIp;
  turn.log('warning', `IP address for this node updated to ${myself.ip}`);
  turn.persist();
}
