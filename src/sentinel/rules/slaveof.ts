/** Telling a server whom it replicates from. */
import { sameAddress } from '../address.ts';
import { announced } from '../fields.ts';
import type { Master, Replica } from '../state.ts';
import { send } from './links.ts';
import type { Turn } from './turn.ts';

/**
 * Sends SLAVEOF in a transaction that keeps the change over a restart of the server and disconnects its clients, who
 * then ask for the master anew. Answers false, and sends nothing, where the server would replicate from itself: addresses
 * that are exchanged among servers can make it so.
 */
export function follow(turn: Turn, replica: Replica, leader: Master | Replica): boolean {
  const itself = replica.runid !== '' && replica.runid === leader.runid;
  if (itself || sameAddress(replica.address, leader.address)) {
    turn.log('warning', `${replica.name} is not told to replicate from itself`);
    return false;
  }
  transact(turn, replica, announced(turn.state, leader.address), String(leader.address.port));
  return true;
}

/** SLAVEOF NO ONE. */
export function promote(turn: Turn, replica: Replica): void {
  transact(turn, replica, 'NO', 'ONE');
}

function transact(turn: Turn, replica: Replica, host: string, port: string): void {
  send(
    turn,
    replica,
    'slaveof',
    ['MULTI'],
    ['SLAVEOF', host, port],
    ['CONFIG', 'REWRITE'],
    ['CLIENT', 'KILL', 'TYPE', 'normal'],
    ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
    ['EXEC'],
  );
}
