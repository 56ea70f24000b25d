/** Commands of an administrator about nodes, with Redis's errors. */
import { BUS_PORT_INCREMENT } from '../endpoints.ts';
import { MYSELF } from '../flags.ts';
import type { Answer, Command, FailoverForm } from '../messages.ts';
import { MOST_NODES } from '../state.ts';
import { assign, makeMaster, removeNode } from './changes.ts';
import { bumpEpoch } from './epochs.ts';
import { countReports } from './failures.ts';
import { announce } from './heartbeats.ts';
import { meet } from './introductions.ts';
import { sendTo } from './links.ts';
import { beginManual, resetManual } from './manual.ts';
import { closeSlots, follow, takeOver } from './roles.ts';
import { changeSlots, flushSlots, setSlot } from './slot-commands.ts';
import type { Turn } from './turn.ts';

/** Milliseconds for which gossip does not bring a forgotten node back. */
const FORGOTTEN_FOR = 60_000;
const OK: Answer = { kind: 'ok' };

function error(text: string): Answer {
  return { kind: 'error', text: `ERR ${text}` };
}

export function obey(turn: Turn, command: Command): Answer {
  switch (command.name) {
    case 'meet':
      return meetNode(turn, command);
    case 'forget':
      return forget(turn, command.node);
    case 'replicate':
      return replicate(turn, command.node);
    case 'count-failure-reports': {
      const node = turn.state.nodes.get(command.node);
      return node === undefined ? unknown(command.node) : { kind: 'number', value: countReports(turn, node) };
    }
    case 'addslots':
    case 'delslots':
      return changeSlots(turn, command.name, command.ranges);
    case 'flushslots':
      return flushSlots(turn);
    case 'setslot':
      return setSlot(turn, command);
    case 'bumpepoch': {
      const isBumped = bumpEpoch(turn);
      // Told at once: who takes a slot from us before it knows would choose the same epoch.
      if (isBumped) announce(turn, 'all');
      return { kind: 'status', text: `${isBumped ? 'BUMPED' : 'STILL'} ${turn.state.myself.configEpoch}` };
    }
    case 'set-config-epoch':
      return setConfigEpoch(turn, command.epoch);
    case 'failover':
      return failover(turn, command.form);
    case 'reset':
      return reset(turn, command.kind);
    case 'saveconfig':
      turn.commit();
      return OK;
  }
}

function unknown(id: string): Answer {
  return error(`Unknown node ${id}`);
}

function meetNode(turn: Turn, command: Command & { readonly name: 'meet' }): Answer {
  const port = wholeNumber(command.port);
  if (Number.isNaN(port)) return error(`Invalid TCP base port specified: ${command.port}`);
  const busPort = command.busPort === null ? port + BUS_PORT_INCREMENT : wholeNumber(command.busPort);
  if (Number.isNaN(busPort)) return error(`Invalid TCP bus port specified: ${command.busPort}`);
  switch (meet(turn, { ip: command.ip, port, busPort })) {
    case 'no address':
      return error(`Invalid node address specified: ${command.ip}:${command.port}`);
    case 'no room':
      return error(`No more than ${MOST_NODES} nodes can be known`);
    case null:
      return OK;
  }
}

function wholeNumber(text: string): number {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

function forget(turn: Turn, id: string): Answer {
  const { state, now } = turn;
  const node = state.nodes.get(id);
  if (node === undefined) return unknown(id);
  if (node === state.myself) return error("I tried hard but I can't forget myself...");
  if (node === state.myself.master) return error("Can't forget my master!");
  state.forgotten.set(id, now + FORGOTTEN_FOR);
  removeNode(turn, node);
  turn.persist();
  return OK;
}

function replicate(turn: Turn, id: string): Answer {
  const { state, world } = turn;
  const { myself } = state;
  const node = state.nodes.get(id);
  if (node === undefined) return unknown(id);
  if (node === myself) return error("Can't replicate myself");
  if (node.isReplica) return error('I can only replicate a master, not a replica.');
  if (myself.isMaster && (myself.slots.size > 0 || !world.engine.isEmpty()))
    return error('To set a master the node must be empty and without assigned slots.');
  follow(turn, node);
  return OK;
}

function setConfigEpoch(turn: Turn, epoch: number): Answer {
  const { state } = turn;
  const { myself } = state;
  if (epoch < 0 || !Number.isSafeInteger(epoch)) return error(`Invalid config epoch specified: ${epoch}`);
  if (state.nodes.size > 1)
    return error('The user can assign a config epoch only when the node does not know any other node.');
  if (myself.configEpoch !== 0) return error('Node config epoch is already non-zero');
  myself.configEpoch = epoch;
  state.currentEpoch = Math.max(state.currentEpoch, epoch);
  turn.log('warning', `configEpoch set to ${epoch} via CLUSTER SET-CONFIG-EPOCH`);
  turn.commit();
  return OK;
}

function failover(turn: Turn, form: FailoverForm): Answer {
  const { state } = turn;
  const { myself, manual } = state;
  const { master } = myself;
  if (myself.isMaster) return error('You should send CLUSTER FAILOVER to a replica');
  if (master === null) return error("I'm a replica but my master is unknown to me");
  if (form === 'agreed' && (master.hasFailed || master.link === null))
    return error('Master is down or failed, please use CLUSTER FAILOVER FORCE');
  beginManual(turn);
  switch (form) {
    case 'takeover':
      turn.log('warning', 'Taking over the master (user request).');
      bumpEpoch(turn);
      takeOver(turn);
      break;
    case 'force':
      turn.log('warning', 'Forced failover user request accepted.');
      manual.canStart = true;
      turn.failoverIsDue = true;
      break;
    case 'agreed':
      turn.log('warning', 'Manual failover user request accepted.');
      sendTo(turn, master, { type: 'mfstart' });
      break;
  }
  return OK;
}

/** We know nobody and own nothing; with `hard` we are somebody else. */
function reset(turn: Turn, kind: 'soft' | 'hard'): Answer {
  const { state, world } = turn;
  const { myself, nodes } = state;
  if (myself.isMaster && !world.engine.isEmpty())
    return error("CLUSTER RESET can't be called with master nodes containing keys");
  if (myself.isReplica) {
    makeMaster(turn, myself);
    turn.output({ kind: 'become-master' });
    turn.output({ kind: 'empty' });
  }
  closeSlots(turn);
  resetManual(turn);
  for (let slot = 0; slot < state.owners.length; slot++) assign(turn, slot, null);
  for (const node of [...nodes.values()]) if (!node.is(MYSELF)) removeNode(turn, node);
  if (kind === 'hard') becomeSomebodyElse(turn);
  turn.commit();
  return OK;
}

function becomeSomebodyElse(turn: Turn): void {
  const { state, world } = turn;
  const { myself, nodes } = state;
  state.currentEpoch = 0;
  state.lastVoteEpoch = 0;
  myself.configEpoch = 0;
  turn.log('warning', 'configEpoch set to 0 via CLUSTER RESET HARD');
  nodes.delete(myself.id);
  myself.id = world.newId();
  nodes.set(myself.id, myself);
  turn.log('warning', `Node hard reset, now I'm ${myself.id}`);
}
