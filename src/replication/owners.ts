/** The replication of each server. */
import type { Engine } from '../engine/engine.ts';
import { Owners } from '../engine/owners.ts';
import { Replication, type ReplicationParts } from './replication.ts';

const owners = new Owners<Replication>('replication');

/** Hangs replication into a server. */
export function attachReplication(parts: ReplicationParts): Replication {
  const replication = new Replication(parts);
  owners.attach(parts.engine, replication);
  parts.engine.replication = replication;
  return replication;
}

export function replicationOf(engine: Engine): Replication {
  return owners.of(engine);
}
