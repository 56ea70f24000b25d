/** The shell of each server that is a member of a group; several may live in one process. */
import type { Engine } from '../engine/engine.ts';
import type { Membership } from './membership.ts';

const owners = new WeakMap<Engine, Membership>();

export function attachMembership(engine: Engine, membership: Membership): void {
  owners.set(engine, membership);
}

export function membershipOf(engine: Engine): Membership {
  const found = owners.get(engine);
  if (found === undefined) throw new Error('a member of a group is attached before any command runs');
  return found;
}
