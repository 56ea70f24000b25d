/** What comes from other nodes. Whoever we don't know changes nothing but by MEET, and by its answer to ours. */
import type { Header, Heartbeat, Packet, Publish } from '../bus/packet.ts';
import { HANDSHAKE, MEET, NOFAILOVER } from '../flags.ts';
import type { Connection, Node } from '../state.ts';
import { heardRole, heardSlots, heardUpdate } from './claims.ts';
import { heardVote } from './election.ts';
import { learnConfigEpoch, learnEpoch, resolveCollision } from './epochs.ts';
import { clearFailure, heardFail } from './failures.ts';
import { heardGossip } from './gossip.ts';
import { beat } from './heartbeats.ts';
import { admit, learnOwnIp, recognize, updateAddress } from './introductions.ts';
import { claimInbound } from './links.ts';
import { heardManualStart, heardPaused } from './manual.ts';
import type { Turn } from './turn.ts';
import { answerRequest } from './votes.ts';

export function receive(turn: Turn, connection: Connection, packet: Packet): void {
  const { state } = turn;
  if (!connection.open) return;
  const { header, body } = packet;
  const sender = senderOf(turn, header);
  state.received.set(body.type, (state.received.get(body.type) ?? 0) + 1);
  if (sender !== null) {
    claimInbound(turn, connection, sender);
    hear(turn, sender, header);
  }
  switch (body.type) {
    case 'ping':
    case 'pong':
    case 'meet':
      heartbeat(turn, connection, sender, header, body);
      break;
    case 'fail':
      if (sender !== null) heardFail(turn, sender, body.node);
      else turn.log('notice', `Ignoring FAIL message from unknown node ${header.sender} about ${body.node}`);
      break;
    default:
      if (sender !== null) obey(turn, sender, packet);
  }
}

/** Null where it is a node that we don't know. Who bears our own name is nobody. */
function senderOf({ state }: Turn, { sender }: Header): Node | null {
  const node = state.nodes.get(sender);
  return node === undefined || node === state.myself ? null : node;
}

function hear(turn: Turn, sender: Node, header: Header): void {
  sender.dataReceived = turn.now;
  sender.offset = header.offset;
  learnEpoch(turn, header.currentEpoch);
  if (header.paused) heardPaused(turn, sender, header.offset);
}

/** What is neither heartbeat nor FAIL, from a node that we know. */
function obey(turn: Turn, sender: Node, { header, body }: Packet): void {
  switch (body.type) {
    case 'publish':
    case 'publishshard':
      deliver(turn, body);
      break;
    case 'auth-req':
      answerRequest(turn, sender, header);
      break;
    case 'auth-ack':
      heardVote(turn, sender, header.currentEpoch);
      break;
    case 'mfstart':
      heardManualStart(turn, sender);
      break;
    case 'update':
      heardUpdate(turn, body);
      break;
    case 'module':
      turn.output({ kind: 'module', sender: sender.id, body });
      break;
  }
}

function deliver(turn: Turn, { type, channel, message }: Publish): void {
  turn.output({ kind: 'deliver', sharded: type === 'publishshard', channel, message });
}

function heartbeat(turn: Turn, connection: Connection, sender: Node | null, header: Header, body: Heartbeat): void {
  if (body.type !== 'pong') {
    if (body.type === 'meet' || turn.state.myself.ip === '') learnOwnIp(turn, connection);
    if (body.type === 'meet' && sender === null) admit(turn, connection, header);
    beat(turn, connection, 'pong');
  }
  if (connection.direction === 'out' && !recognize(turn, connection, sender, header)) return;
  if (connection.direction === 'out' && body.type === 'pong') answered(turn, connection.node!);
  if (sender === null) return;
  if (body.type === 'ping') updateAddress(turn, sender, connection, header);
  sender.flags = (sender.flags & ~NOFAILOVER) | (header.flags & NOFAILOVER);
  for (const type of body.unknownExtensions) turn.log('warning', `Received unknown extension type ${type}`);
  if (sender.hostname !== body.hostname) {
    sender.hostname = body.hostname;
    turn.persist();
  }
  learnConfigEpoch(turn, sender, header.configEpoch);
  heardRole(turn, sender, header);
  heardSlots(turn, sender, header);
  resolveCollision(turn, sender, header.configEpoch);
  heardGossip(turn, sender, body);
}

function answered(turn: Turn, node: Node): void {
  turn.state.hearsay.delete(node);
  node.pongReceived = turn.now;
  node.dataReceived = turn.now;
  node.pingSent = 0;
  clearFailure(turn, node);
}

/** A connection of ours is there: the node hears of us, with MEET where it may not know us. */
export function connected(turn: Turn, connection: Connection): void {
  const { node } = connection;
  if (node === null || node.link !== connection) return;
  connection.open = true;
  turn.log('debug', `Connecting with Node ${node.id} at ${node.ip}:${node.busPort}`);
  const isMeeting = node.is(MEET);
  // An older PING is still unanswered: the wait for it goes on.
  if (node.pingSent === 0 && !node.is(HANDSHAKE)) node.pingSent = turn.now;
  beat(turn, connection, isMeeting ? 'meet' : 'ping');
  node.flags &= ~MEET;
}
