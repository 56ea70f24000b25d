/** The membership of each server that belongs to a group, or may come to. */
import type { Engine } from '../engine/engine.ts';
import { Owners } from '../engine/owners.ts';
import type { Membership } from './membership.ts';

const owners = new Owners<Membership>('a member of a group');

export function attachMembership(engine: Engine, membership: Membership): void {
  owners.attach(engine, membership);
}

export function membershipOf(engine: Engine): Membership {
  return owners.of(engine);
}
