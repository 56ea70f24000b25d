/** What administrators set: SENTINEL SET of one master, SENTINEL CONFIG SET of all, SENTINEL DEBUG. */
import type { MasterSettings } from '../configuration.ts';
import type { Periods } from '../periods.ts';
import type { Master } from '../state.ts';
import { disconnect } from './links.ts';
import type { Turn } from './turn.ts';

/** An error's text, or null where all is well. */
type Refusal = string | null;

/** What the +set event shows in place of a password. */
const HIDDEN = '******';
const SCRIPTS_DENIED =
  'ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig configuration directive in your Sentinel configuration';

/** A setting of a master: takes a value, or refuses it. */
type Setter = (turn: Turn, master: Master, value: string, executable: (path: string) => boolean) => Refusal | undefined;

type NumericSetting =
  | 'downAfter'
  | 'failoverTimeout'
  | 'parallelSyncs'
  | 'quorum'
  | 'masterRebootDownAfter'
  | 'forgetAfter';

function number(setting: NumericSetting, least: number): Setter {
  return (_turn, { settings }, value) => {
    const parsed = wholeNumber(value);
    if (parsed < least) return undefined;
    settings[setting] = parsed;
    return null;
  };
}

function secret(setting: 'authUser' | 'authPass'): Setter {
  return (turn, master, value) => {
    master.settings[setting] = value;
    for (const server of [master, ...master.replicas.values()]) {
      disconnect(turn, server.link, 'cmd');
      disconnect(turn, server.link, 'pubsub');
    }
    return null;
  };
}

function script(setting: 'notificationScript' | 'clientReconfigScript', what: string): Setter {
  return (turn, { settings }, value, executable) => {
    if (turn.state.denyScriptsReconfig) return SCRIPTS_DENIED;
    if (value !== '' && !executable(value)) return `ERR ${what} script seems non existing or non executable`;
    settings[setting] = value;
    return null;
  };
}

/** A setter answers undefined where the value is not one of its kind. */
const SETTERS = new Map<string, Setter>([
  ['down-after-milliseconds', number('downAfter', 1)],
  ['failover-timeout', number('failoverTimeout', 1)],
  ['parallel-syncs', number('parallelSyncs', 1)],
  ['quorum', number('quorum', 1)],
  ['master-reboot-down-after-period', number('masterRebootDownAfter', 0)],
  ['forget-after-milliseconds', number('forgetAfter', 0)],
  ['auth-user', secret('authUser')],
  ['auth-pass', secret('authPass')],
  ['notification-script', script('notificationScript', 'Notification')],
  ['client-reconfig-script', script('clientReconfigScript', 'Client reconfiguration')],
]);

/** SENTINEL SET: options in their order; what was set before a wrong one stays set. */
export function setMaster(
  turn: Turn,
  master: Master,
  words: readonly string[],
  executable: (path: string) => boolean,
): Refusal {
  for (let at = 0; at < words.length; ) {
    const option = words[at];
    const name = option.toLowerCase();
    const values = words.slice(at + 1, at + 1 + (name === 'rename-command' ? 2 : 1));
    const setter = SETTERS.get(name);
    if (name === 'rename-command' ? values.length < 2 : setter === undefined || values.length < 1)
      return `ERR Unknown option or number of arguments for SENTINEL SET '${option}'`;
    const refusal =
      setter === undefined ? rename(master.settings, values) : setter(turn, master, values[0], executable);
    if (refusal === undefined)
      return `ERR Invalid argument '${values.find((value) => value === '') ?? values[0]}' for SENTINEL SET '${option}'`;
    if (refusal !== null) return refusal;
    turn.persist();
    turn.tell('warning', '+set', master, ` ${option} ${name === 'auth-pass' ? HIDDEN : values.join(' ')}`);
    at += 1 + values.length;
  }
  return null;
}

function rename({ renamedCommands }: MasterSettings, [from, to]: readonly string[]): null | undefined {
  if (from === '' || to === '') return undefined;
  const name = from.toLowerCase();
  if (to.toLowerCase() === name) renamedCommands.delete(name);
  else renamedCommands.set(name, to);
  return null;
}

/** SENTINEL CONFIG SET. */
export function setGlobal(turn: Turn, option: string, value: string): Refusal {
  const { state } = turn;
  const invalid = `ERR Invalid value '${value}' to SENTINEL CONFIG SET '${option}'`;
  switch (option.toLowerCase()) {
    case 'resolve-hostnames':
    case 'announce-hostnames': {
      const on = yesNo(value);
      if (on === undefined) return invalid;
      state[option.toLowerCase() === 'resolve-hostnames' ? 'resolveHostnames' : 'announceHostnames'] = on;
      break;
    }
    case 'announce-ip':
      state.announceIp = value;
      break;
    case 'announce-port': {
      const port = wholeNumber(value);
      if (port < 0 || port > 65535) return invalid;
      state.announcePort = port;
      break;
    }
    case 'sentinel-user':
      state.sentinelUser = value;
      dropSentinels(turn);
      break;
    case 'sentinel-pass':
      state.sentinelPass = value;
      dropSentinels(turn);
      break;
    default:
      return `ERR Invalid argument '${option}' to SENTINEL CONFIG SET`;
  }
  turn.persist();
  return null;
}

/** They are greeted anew, in another way. */
function dropSentinels(turn: Turn): void {
  for (const master of turn.state.masters.values())
    for (const peer of master.sentinels.values()) disconnect(turn, peer.link, 'cmd');
}

/** SENTINEL DEBUG with pairs of a period and its milliseconds. */
export function setPeriods(turn: Turn, words: readonly string[]): Refusal {
  const { periods } = turn.state;
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].toLowerCase();
    if (!isPeriod(periods, name) || at + 1 === words.length)
      return `ERR Unknown option or number of arguments for SENTINEL DEBUG '${words[at]}'`;
    const value = wholeNumber(words[at + 1]);
    if (value < 1) return `ERR Invalid argument '${words[at + 1]}' for SENTINEL DEBUG '${words[at]}'`;
    periods[name] = value;
  }
  return null;
}

function isPeriod(periods: Periods, name: string): name is keyof Periods {
  return Object.hasOwn(periods, name);
}

function yesNo(value: string): boolean | undefined {
  const text = value.toLowerCase();
  return text === 'yes' ? true : text === 'no' ? false : undefined;
}

/** -1 where it is none from 0 to 2^53 - 1, written without anything needless. */
function wholeNumber(text: string): number {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : -1;
  return Number.isSafeInteger(value) ? value : -1;
}
