/** Which replica is promoted. */
import { isDisconnected, type Master, type Replica } from '../state.ts';
import type { Turn } from './turn.ts';

/** Periods for which a replica may have been silent. */
const PINGS_MISSED = 5;
const INFOS_MISSED = 3;
/** In down-after-milliseconds: how long the link to the master may have been down before the master was. */
const LINK_DOWN_FACTOR = 10;

/** The best of the replicas that are fit for it: lowest priority, largest offset, smallest runid. Null where none is fit. */
export function selectReplica(turn: Turn, master: Master): Replica | null {
  let best: Replica | null = null;
  for (const replica of master.replicas.values())
    if (isFit(turn, replica) && (best === null || isBetter(replica, best))) best = replica;
  return best;
}

/** Whether its data are as fresh as can be asked for, and it was seen to live just now. */
export function isFit(turn: Turn, replica: Replica): boolean {
  const { now, state } = turn;
  const { master } = replica;
  const { periods } = state;
  const infoAge =
    master.downSince !== 0 ? periods['ping-period'] * PINGS_MISSED : periods['info-period'] * INFOS_MISSED;
  const masterDown = master.downSince === 0 ? 0 : now - master.downSince;
  return (
    replica.downSince === 0 &&
    !isDisconnected(replica) &&
    now - replica.link.lastAvailable <= periods['ping-period'] * PINGS_MISSED &&
    replica.priority !== 0 &&
    replica.infoTime !== 0 &&
    now - replica.infoTime <= infoAge &&
    replica.masterLinkDownTime <= masterDown + master.settings.downAfter * LINK_DOWN_FACTOR
  );
}

function isBetter(a: Replica, b: Replica): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  if (a.offset !== b.offset) return a.offset > b.offset;
  // One whose runid is not known comes last.
  if (a.runid === '' || b.runid === '') return b.runid === '' && a.runid !== '';
  return a.runid.toLowerCase() < b.runid.toLowerCase();
}
