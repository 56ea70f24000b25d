/** The commands of administrators, and what other sentinels ask of us. */
import { defaultSettings } from '../configuration.ts';
import { currentAddress } from '../fields.ts';
import type { Asker, Command } from '../messages.ts';
import type { SimulatedFailure } from '../state.ts';
import { startFailover } from './failover.ts';
import { addMaster, removeMaster, resetMaster, switchAddress } from './masters.ts';
import { selectReplica } from './selection.ts';
import { setGlobal, setMaster, setPeriods } from './settings.ts';
import type { Turn } from './turn.ts';
import { answerQuestion } from './votes.ts';

const NO_SUCH_MASTER = 'ERR No such master with that name';
const FAILURES: ReadonlyMap<string, readonly [SimulatedFailure, string]> = new Map([
  ['crash-after-election', ['crash-after-election', 'after being successfully elected as failover leader']],
  ['crash-after-promotion', ['crash-after-promotion', 'after promoting the selected replica to master']],
]);

/** Those whose OK promises nothing about the file. */
const NOT_SAVED: ReadonlySet<Command['name']> = new Set(['failover', 'debug', 'simulate-failure']);

type Administration = Exclude<Command, { readonly name: 'is-master-down-by-addr' | 'reset' }>;

export function obey(turn: Turn, asker: Asker, command: Command): void {
  if (command.name === 'is-master-down-by-addr') answerQuestion(turn, asker, command);
  else if (command.name === 'reset') reset(turn, asker, command.matches);
  else {
    const error = administer(turn, command);
    if (error !== null) turn.answer(asker, { kind: 'error', text: error });
    else turn.answer(asker, { kind: 'ok' }, NOT_SAVED.has(command.name) ? 0 : turn.persist());
  }
}

/** An error's text, or null where it was done. */
function administer(turn: Turn, command: Administration): string | null {
  switch (command.name) {
    case 'monitor':
      return monitor(turn, command);
    case 'remove':
      return remove(turn, command.master);
    case 'failover':
      return failover(turn, command.master);
    case 'set':
      return set(turn, command);
    case 'config-set':
      return setGlobal(turn, command.option, command.value);
    case 'debug':
      return setPeriods(turn, command.words);
    case 'simulate-failure':
      return simulate(turn, command.words);
    case 'flushconfig':
      return null;
  }
}

function monitor(turn: Turn, command: Command & { name: 'monitor' }): string | null {
  const { state } = turn;
  const { master: name, host, ip, port, quorum } = command;
  if (quorum < 1) return 'ERR Quorum must be 1 or greater.';
  if (state.masters.has(name)) return 'ERR Duplicate master name.';
  const { periods } = state;
  const settings = defaultSettings(quorum, periods['default-down-after'], periods['default-failover-timeout']);
  if (host !== ip) state.hosts.set(host, { ip, asked: false, askedAt: turn.now });
  const master = addMaster(turn, name, { host, ip, port }, settings);
  turn.tell('warning', '+monitor', master, ` quorum ${quorum}`);
  return null;
}

function remove(turn: Turn, name: string): string | null {
  const master = turn.state.masters.get(name);
  if (master === undefined) return NO_SUCH_MASTER;
  turn.tell('warning', '-monitor', master);
  removeMaster(turn, master);
  return null;
}

function failover(turn: Turn, name: string): string | null {
  const master = turn.state.masters.get(name);
  if (master === undefined) return NO_SUCH_MASTER;
  if (master.failover !== null) return 'INPROG Failover already in progress';
  if (selectReplica(turn, master) === null) return 'NOGOODSLAVE No suitable replica to promote';
  turn.log('warning', `Executing user requested FAILOVER of '${name}'`);
  startFailover(turn, master, 'forced');
  return null;
}

function set(turn: Turn, command: Command & { name: 'set' }): string | null {
  const master = turn.state.masters.get(command.master);
  return master === undefined ? NO_SUCH_MASTER : setMaster(turn, master, command.words, command.executable);
}

/** A promotion that is done already is not forgotten: its epoch stands for the new master. */
function reset(turn: Turn, asker: Asker, matches: (name: string) => boolean): void {
  let value = 0;
  for (const master of turn.state.masters.values()) {
    if (!matches(master.name)) continue;
    value++;
    const current = currentAddress(master);
    if (current !== master.address) switchAddress(turn, master, master.address, current);
    resetMaster(turn, master, 'nothing');
    turn.tell('warning', '+reset-master', master);
    turn.persist();
  }
  turn.answer(asker, { kind: 'number', value });
}

function simulate(turn: Turn, words: readonly string[]): string | null {
  for (const word of words) {
    const failure = FAILURES.get(word.toLowerCase());
    if (failure === undefined) return 'ERR Unknown failure simulation specified';
    turn.state.simulatedFailures.add(failure[0]);
    turn.log('warning', `Failure simulation: this Sentinel will crash ${failure[1]}`);
  }
  return null;
}
