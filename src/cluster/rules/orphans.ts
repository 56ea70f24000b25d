/**
 * A master that has lost its last replica gets one of a master that has more than it needs: one of those that have the most,
 * and there the one with the smallest ID, so that only one goes.
 */
import { MIGRATE_TO } from '../flags.ts';
import { countWellReplicas, type Node } from '../state.ts';
import { follow } from './roles.ts';
import type { Turn } from './turn.ts';

/** Milliseconds for which it must be an orphan: a replica of its own may be back. */
const PATIENCE = 5000;

/** As a replica: goes to an orphan if that is up to us. */
export function adoptOrphan(turn: Turn): void {
  const { state, now, settings } = turn;
  const { myself } = state;
  const orphan = findOrphan(turn);
  if (orphan === null || !myself.isReplica || myself.master === null || !state.ok) return;
  if (!settings.allowReplicaMigration || settings.replicaNoFailover) return;
  const most = Math.max(...[...state.nodes.values()].map((node) => (isServing(node) ? countWellReplicas(node) : 0)));
  const own = countWellReplicas(myself.master);
  if (own < 2 || own !== most || own <= settings.migrationBarrier || volunteer(turn, most) !== myself) return;
  if (now - orphan.orphanedSince <= PATIENCE) return;
  turn.log('warning', `Migrating to orphaned master ${orphan.id}`);
  follow(turn, orphan);
}

/** The first master with slots that once had replicas and has none that is well; keeps since when each is one. */
function findOrphan({ state, now }: Turn): Node | null {
  let found: Node | null = null;
  for (const node of state.nodes.values()) {
    const isOrphan = isServing(node) && node.is(MIGRATE_TO) && countWellReplicas(node) === 0;
    if (!isOrphan) node.orphanedSince = 0;
    else if (node.orphanedSince === 0) node.orphanedSince = now;
    if (isOrphan && node.slots.size > 0) found ??= node;
  }
  return found;
}

function isServing(node: Node): boolean {
  return node.isMaster && !node.hasFailed;
}

/** Of all replicas of the masters that have the most, the one with the smallest ID. */
function volunteer({ state }: Turn, most: number): Node {
  let first = state.myself;
  for (const node of state.nodes.values()) {
    if (!isServing(node) || countWellReplicas(node) !== most) continue;
    for (const replica of node.replicas) if (!replica.hasFailed && replica.id < first.id) first = replica;
  }
  return first;
}
