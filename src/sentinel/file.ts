/**
 * The `sentinel` lines of sentinel.conf, both ways.
 *
 *   sentinel monitor mymaster 127.0.0.1 6379 2
 *   sentinel known-replica mymaster 127.0.0.1 6380
 *   sentinel current-epoch 7
 *
 * Read in three passes, whatever their order: what concerns all masters, the masters, and what is said of each. Numbers are
 * read as C's atoi does: what is none is 0. Written in Redis's order; what nobody has set is left out. How the lines find
 * their places among the others is config/rewrite.ts's.
 */
import { isIP, PORT_MAX } from '../base/network.ts';
import { quoted } from '../base/quoting.ts';
import type { Place } from '../config/file.ts';
import {
  type Configuration,
  defaultSettings,
  type KnownSentinel,
  type MasterSettings,
  unconfigured,
} from './configuration.ts';
import { defaultPeriods } from './periods.ts';

/** A line that makes no sense; where it stands, and why. */
export class SentinelLineError extends Error {
  override name = 'SentinelLineError';
  readonly place: Place;

  constructor(place: Place, text: string) {
    super(text);
    this.place = place;
  }
}

interface Line {
  /** Behind `sentinel`; at least one. */
  readonly words: readonly string[];
  readonly place: Place;
}

const DEFAULTS = defaultPeriods();
const ID = /^.{40}$/s;
const INT_MAX = 2 ** 31 - 1;
const LONG_MAX = Number.MAX_SAFE_INTEGER;
const UNRECOGNIZED = 'Unrecognized sentinel configuration statement.';
const UNRESOLVED = "Can't resolve instance hostname.";
const BAD_PORT = 'Invalid port number.';
const BAD_TIME = 'negative or zero time parameter.';

interface MasterLines {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly settings: MasterSettings;
  configEpoch: number;
  leaderEpoch: number;
  readonly replicas: { readonly host: string; readonly port: number }[];
  readonly sentinels: KnownSentinel[];
}

type Globals = { -readonly [Name in Exclude<keyof Configuration, 'masters'>]: Configuration[Name] };

/** Refuses a line. */
class Refusal extends Error {}

function refuse(text: string): never {
  throw new Refusal(text);
}

/** The digits that a text begins with, signed; 0 where it begins with none. */
function leadingInteger(text: string, most: number): number {
  const value = Number(/^[ \t\n\v\f\r]*([+-]?\d+)/.exec(text)?.[1] ?? 0);
  return Math.max(-most - 1, Math.min(most, value));
}

function yes(text: string, refusal: string): boolean {
  const word = text.toLowerCase();
  return word === 'yes' || (word !== 'no' && refuse(refusal));
}

/** What concerns all masters: each takes the words behind its own. */
const GLOBAL: Readonly<Record<string, (into: Globals, value: string) => void>> = {
  myid: (into, value) => {
    into.myid = ID.test(value) ? value : refuse('Malformed Sentinel id in myid option.');
  },
  'current-epoch': (into, value) => {
    into.currentEpoch = Math.max(into.currentEpoch, leadingInteger(value, LONG_MAX));
  },
  'announce-ip': (into, value) => {
    into.announceIp = value;
  },
  'announce-port': (into, value) => {
    into.announcePort = leadingInteger(value, INT_MAX);
  },
  'deny-scripts-reconfig': (into, value) => {
    into.denyScriptsReconfig = yes(value, 'Please specify yes or no for the deny-scripts-reconfig options.');
  },
  'resolve-hostnames': (into, value) => {
    into.resolveHostnames = yes(value, 'Please specify yes or no for the resolve-hostnames option.');
  },
  'announce-hostnames': (into, value) => {
    into.announceHostnames = yes(value, 'Please specify yes or no for the announce-hostnames option.');
  },
  'sentinel-user': (into, value) => {
    into.sentinelUser = value;
  },
  'sentinel-pass': (into, value) => {
    into.sentinelPass = value;
  },
};

function positive(text: string): number {
  const value = leadingInteger(text, LONG_MAX);
  return value > 0 ? value : refuse(BAD_TIME);
}

function notNegative(text: string): number {
  const value = leadingInteger(text, LONG_MAX);
  return value >= 0 ? value : refuse('negative time parameter.');
}

/** Reads an address; a name is one only where names are resolved. */
function address(host: string, port: string, names: boolean): { host: string; port: number } {
  if (isIP(host) === 0 && (!names || host === '')) refuse(UNRESOLVED);
  const number = leadingInteger(port, INT_MAX);
  return number >= 0 && number <= PORT_MAX ? { host, port: number } : refuse(BAD_PORT);
}

/** What is said of a master: how many words there are behind its name, and what they do. */
interface MasterRule {
  readonly least: number;
  readonly most: number;
  apply(master: MasterLines, words: readonly string[], reader: SentinelLines): void;
}

function one(apply: (master: MasterLines, value: string, reader: SentinelLines) => void): MasterRule {
  return { least: 1, most: 1, apply: (master, [value], reader) => apply(master, value, reader) };
}

function setting<Name extends keyof MasterSettings>(
  name: Name,
  read: (value: string, reader: SentinelLines) => MasterSettings[Name],
): MasterRule {
  return one(({ settings }, value, reader) => {
    settings[name] = read(value, reader);
  });
}

const text = (value: string): string => value;

const KNOWN_REPLICA: MasterRule = {
  least: 2,
  most: 2,
  apply(master, [host, port], { names }) {
    const replica = address(host, port, names);
    if (master.replicas.some((each) => each.host === host && each.port === replica.port))
      refuse('Duplicate hostname and port for replica.');
    master.replicas.push(replica);
  },
};

const KNOWN_SENTINEL: MasterRule = {
  least: 2,
  most: 3,
  apply(master, [host, port, runid], { names }) {
    if (runid === undefined) return;
    const place = address(host, port, names);
    if (master.sentinels.some((each) => each.runid === runid)) refuse('Duplicate runid for sentinel.');
    master.sentinels.push({ ...place, runid });
  },
};

const RENAME: MasterRule = {
  least: 2,
  most: 2,
  apply({ settings: { renamedCommands } }, [name, other]) {
    const key = name.toLowerCase();
    if (renamedCommands.has(key)) refuse('Same command renamed multiple times with rename-command.');
    renamedCommands.set(key, other);
  },
};

const OF_MASTER: Readonly<Record<string, MasterRule>> = {
  'down-after-milliseconds': setting('downAfter', positive),
  'failover-timeout': setting('failoverTimeout', positive),
  'parallel-syncs': setting('parallelSyncs', (value) => leadingInteger(value, INT_MAX)),
  'master-reboot-down-after-period': setting('masterRebootDownAfter', notNegative),
  'forget-after-milliseconds': setting('forgetAfter', notNegative),
  'notification-script': setting('notificationScript', (path, { runnable }) =>
    runnable(path) ? path : refuse('Notification script seems non existing or non executable.'),
  ),
  'client-reconfig-script': setting('clientReconfigScript', (path, { runnable }) =>
    runnable(path) ? path : refuse('Client reconfiguration script seems non existing or non executable.'),
  ),
  'auth-user': setting('authUser', text),
  'auth-pass': setting('authPass', text),
  'config-epoch': one((master, value) => {
    master.configEpoch = leadingInteger(value, LONG_MAX);
  }),
  'leader-epoch': one((master, value) => {
    master.leaderEpoch = leadingInteger(value, LONG_MAX);
  }),
  'known-replica': KNOWN_REPLICA,
  'known-slave': KNOWN_REPLICA,
  'known-sentinel': KNOWN_SENTINEL,
  'rename-command': RENAME,
};

/** Takes the lines while a file is read, and makes of them what a Sentinel starts with. */
export class SentinelLines {
  /** Whether a path is that of a program that can be run. */
  readonly runnable: (path: string) => boolean;
  private readonly lines: Line[] = [];
  private readonly masters = new Map<string, MasterLines>();
  private readonly globals: Globals;

  /** `id` is the Sentinel's where the lines have none. */
  constructor(id: string, runnable: (path: string) => boolean) {
    this.runnable = runnable;
    this.globals = { ...unconfigured(id) };
  }

  /** Whether hosts may be names. */
  get names(): boolean {
    return this.globals.resolveHostnames;
  }

  /** Takes the words of a line behind `sentinel`. */
  add(words: readonly string[], place: Place): void {
    this.lines.push({ words, place });
  }

  /** Throws SentinelLineError. */
  read(): Configuration {
    const isGlobal = ({ words }: Line): boolean => words.length === 2 && Object.hasOwn(GLOBAL, keyword(words));
    const isMaster = ({ words }: Line): boolean => words.length === 5 && keyword(words) === 'monitor';
    const rest = (line: Line): boolean => !isGlobal(line) && !isMaster(line);
    this.each(isGlobal, (words) => GLOBAL[keyword(words)](this.globals, words[1]));
    this.each(isMaster, (words) => this.monitor(words));
    this.each(rest, (words) => this.ofMaster(words));
    const masters = [...this.masters.values()];
    const epochs = masters.map(({ configEpoch }) => configEpoch);
    return { ...this.globals, currentEpoch: Math.max(this.globals.currentEpoch, ...epochs), masters };
  }

  private each(which: (line: Line) => boolean, take: (words: readonly string[]) => void): void {
    for (const { words, place } of this.lines.filter(which)) {
      try {
        take(words);
      } catch (error) {
        if (error instanceof Refusal) throw new SentinelLineError(place, error.message);
        throw error;
      }
    }
  }

  private monitor([, name, host, port, quorum]: readonly string[]): void {
    const agreed = leadingInteger(quorum, INT_MAX);
    if (agreed <= 0) refuse('Quorum must be 1 or greater.');
    const place = address(host, port, this.names);
    if (this.masters.has(name)) refuse('Duplicate master name.');
    const settings = defaultSettings(agreed, DEFAULTS['default-down-after'], DEFAULTS['default-failover-timeout']);
    this.masters.set(name, {
      ...place,
      name,
      settings,
      configEpoch: 0,
      leaderEpoch: 0,
      replicas: [],
      sentinels: [],
    });
  }

  private ofMaster(words: readonly string[]): void {
    const word = keyword(words);
    const rule = Object.hasOwn(OF_MASTER, word) ? OF_MASTER[word] : refuse(UNRECOGNIZED);
    const [, name, ...values] = words;
    if (values.length < rule.least || values.length > rule.most) refuse(UNRECOGNIZED);
    const master = this.masters.get(name) ?? refuse('No such master with specified name.');
    rule.apply(master, values, this);
  }
}

function keyword(words: readonly string[]): string {
  return words[0].toLowerCase();
}

/** A word as a line can hold it; in quotes only where it must be. */
function word(value: string): string {
  const shown = quoted(value);
  const plain = value !== '' && shown.length === value.length + 2 && !value.includes(' ') && !value.includes("'");
  return plain ? value : shown;
}

/** The lines of a configuration. */
export function sentinelLines(configuration: Configuration): string[] {
  const { announceIp, announcePort, sentinelUser, sentinelPass } = configuration;
  return [
    `sentinel myid ${configuration.myid}`,
    ...(configuration.denyScriptsReconfig ? [] : ['sentinel deny-scripts-reconfig no']),
    ...(configuration.resolveHostnames ? ['sentinel resolve-hostnames yes'] : []),
    ...(configuration.announceHostnames ? ['sentinel announce-hostnames yes'] : []),
    ...configuration.masters.flatMap(masterLines),
    `sentinel current-epoch ${configuration.currentEpoch}`,
    ...(announceIp === '' ? [] : [`sentinel announce-ip ${quoted(announceIp)}`]),
    ...(announcePort === 0 ? [] : [`sentinel announce-port ${announcePort}`]),
    ...(sentinelUser === '' ? [] : [`sentinel sentinel-user ${word(sentinelUser)}`]),
    ...(sentinelPass === '' ? [] : [`sentinel sentinel-pass ${word(sentinelPass)}`]),
  ];
}

function masterLines(master: Configuration['masters'][number]): string[] {
  const { name, settings } = master;
  const line = (about: string, ...values: (string | number)[]): string =>
    ['sentinel', about, word(name), ...values.map((value) => word(String(value)))].join(' ');
  const unless = (usual: string | number, about: string, value: string | number): string[] =>
    value === usual ? [] : [line(about, value)];
  return [
    line('monitor', master.host, master.port, settings.quorum),
    ...unless(DEFAULTS['default-down-after'], 'down-after-milliseconds', settings.downAfter),
    ...unless(DEFAULTS['default-failover-timeout'], 'failover-timeout', settings.failoverTimeout),
    ...unless(1, 'parallel-syncs', settings.parallelSyncs),
    ...unless('', 'notification-script', settings.notificationScript),
    ...unless('', 'client-reconfig-script', settings.clientReconfigScript),
    ...unless('', 'auth-pass', settings.authPass),
    ...unless('', 'auth-user', settings.authUser),
    ...unless(0, 'master-reboot-down-after-period', settings.masterRebootDownAfter),
    ...unless(0, 'forget-after-milliseconds', settings.forgetAfter),
    line('config-epoch', master.configEpoch),
    line('leader-epoch', master.leaderEpoch),
    ...master.replicas.map(({ host, port }) => line('known-replica', host, port)),
    ...master.sentinels.map(({ host, port, runid }) => line('known-sentinel', host, port, runid)),
    ...[...settings.renamedCommands].map(([from, to]) => line('rename-command', from, to)),
  ];
}
