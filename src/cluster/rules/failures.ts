/**
 * Who is down.
 *
 *   answers ──> PFAIL: not us, for node-timeout ──> FAIL: most masters say so ──> well: it answers, and nobody else has its slots
 *
 * A master's word (a report) counts for twice the node timeout, unless it says otherwise before.
 */
import type { Gossip } from '../bus/packet.ts';
import { FAIL, PFAIL } from '../flags.ts';
import { majority, type Node } from '../state.ts';
import { broadcast } from './links.ts';
import type { Turn } from './turn.ts';

/** Node timeouts for which a report counts, and after which a master whose slots nobody took is well again. */
const REPORT_LIFE = 2;
const UNDO_AFTER = 2;

/** It has not answered us for too long. */
export function suspect(turn: Turn, node: Node): void {
  if (!node.isWell) return;
  turn.log('debug', `*** NODE ${node.id} possibly failing`);
  node.flags |= PFAIL;
  turn.stateIsStale = true;
}

/** What a master says of a third node. */
export function heardReport(turn: Turn, reporter: Node, about: Node, { flags }: Gossip): void {
  if ((flags & (FAIL | PFAIL)) === 0) {
    if (about.reports.delete(reporter))
      turn.log('verbose', `Node ${reporter.id} reported node ${about.id} is back online.`);
    return;
  }
  if (!about.reports.has(reporter))
    turn.log('verbose', `Node ${reporter.id} reported node ${about.id} as not reachable.`);
  about.reports.set(reporter, turn.now);
  condemn(turn, about);
}

/** Masters whose word that it is down still counts. */
export function countReports(turn: Turn, node: Node): number {
  const since = turn.now - turn.settings.nodeTimeout * REPORT_LIFE;
  for (const [reporter, time] of node.reports) if (time < since) node.reports.delete(reporter);
  return node.reports.size;
}

/** Holds a node for down that most masters, we among them where we are one, hold for down; and tells everybody. */
export function condemn(turn: Turn, node: Node): void {
  const { state } = turn;
  if (!node.is(PFAIL) || node.hasFailed) return;
  const failures = countReports(turn, node) + (state.myself.isMaster ? 1 : 0);
  if (failures < majority(state)) return;
  turn.log('notice', `Marking node ${node.id} as failing (quorum reached).`);
  fail(turn, node);
  broadcast(turn, { type: 'fail', node: node.id });
}

/** Somebody has found out that most masters hold a node for down. */
export function heardFail(turn: Turn, sender: Node, id: string): void {
  const node = turn.state.nodes.get(id);
  if (node === undefined || node === turn.state.myself || node.hasFailed) return;
  turn.log('notice', `FAIL message received from ${sender.id} about ${node.id}`);
  fail(turn, node);
}

function fail(turn: Turn, node: Node): void {
  node.flags = (node.flags & ~PFAIL) | FAIL;
  node.failTime = turn.now;
  turn.stateIsStale = true;
  turn.persist();
}

/** It answers. */
export function clearFailure(turn: Turn, node: Node): void {
  if (node.is(PFAIL)) {
    node.flags &= ~PFAIL;
    turn.stateIsStale = true;
    turn.persist();
  }
  if (!node.hasFailed) return;
  if (node.isReplica || node.slots.size === 0) {
    const what = node.isReplica ? 'replica' : 'master without slots';
    turn.log('notice', `Clear FAIL state for node ${node.id}: ${what} is reachable again.`);
  } else {
    if (turn.now - node.failTime <= turn.settings.nodeTimeout * UNDO_AFTER) return;
    const why = 'is reachable again and nobody is serving its slots after some time.';
    turn.log('notice', `Clear FAIL state for node ${node.id}: ${why}`);
  }
  node.flags &= ~FAIL;
  turn.stateIsStale = true;
  turn.persist();
}
