/** The replication of each server; several servers may live in one process. */
import type { Engine } from '../engine/engine.ts';
import { Replication, type ReplicationParts } from './replication.ts';

const owners = new WeakMap<Engine, Replication>();

/** Hangs replication into a server. */
export function attachReplication(parts: ReplicationParts): Replication {
  const replication = new Replication(parts);
  owners.set(parts.engine, replication);
  parts.engine.replication = replication;
  return replication;
}

export function replicationOf(engine: Engine): Replication {
  const found = owners.get(engine);
  if (found === undefined) throw new Error('replication is attached before any command runs');
  return found;
}
