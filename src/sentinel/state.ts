/**
 * What a Sentinel knows: the masters that it watches, their replicas, the other sentinels, and the links to all of them.
 * Only the rules change it; commands read it. Times are those of `step`, in milliseconds; 0 is never.
 *
 *   SentinelState ─ masters ─> Master ─┬─ replicas ──> Replica
 *                                      └─ sentinels ─> Peer      each of them an Instance with a Link
 *
 * A sentinel that watches several masters with us is a Peer of each of them, with its own record of votes, but one Link.
 */
import type { Address } from './address.ts';
import type { MasterSettings } from './configuration.ts';
import type { Periods } from './periods.ts';

export interface SentinelState {
  readonly myid: string;
  /** The port that we listen at, which others are told where announce-port is not set. */
  readonly port: number;
  currentEpoch: number;
  announceIp: string;
  announcePort: number;
  resolveHostnames: boolean;
  announceHostnames: boolean;
  readonly denyScriptsReconfig: boolean;
  sentinelUser: string;
  sentinelPass: string;
  /** By name, in the order in which they were added. */
  readonly masters: Map<string, Master>;
  /** Host names, and what they stand for. */
  readonly hosts: Map<string, Host>;
  readonly periods: Periods;
  tilt: boolean;
  tiltSince: number;
  /** The time of the last tick. */
  lastTick: number;
  /** Scripts that run or wait, oldest first. */
  readonly scripts: Script[];
  readonly simulatedFailures: Set<SimulatedFailure>;
}

/** Where SENTINEL SIMULATE-FAILURE ends the process. */
export type SimulatedFailure = 'crash-after-election' | 'crash-after-promotion';

/** A notification or client-reconfig script that is to run, or runs. */
export interface Script {
  /** Its path, and its arguments. */
  readonly words: readonly string[];
  running: boolean;
  /** When it was started; while it waits for another try, when that is due (0: at once). */
  time: number;
  /** How often it was started. */
  tries: number;
  pid: number;
}

/** What a host name stands for. */
export interface Host {
  /** '' while it is not known. */
  ip: string;
  /** An answer is still to come. */
  asked: boolean;
  askedAt: number;
}

export type Channel = 'cmd' | 'pubsub';

/**
 * One connection. The shell opens it to `address` (TLS by its own settings), sends AUTH where there is a password (to a
 * sentinel also its own requirepass, where sentinel-pass is not set), CLIENT SETNAME `name`, and on the channel pubsub
 * SUBSCRIBE __sentinel__:hello; then the requests, in order.
 */
export class Connection {
  readonly link: Link;
  readonly channel: Channel;
  readonly address: Address;
  readonly user: string;
  readonly password: string;
  /** sentinel-<8 digits of our id>-cmd or -pubsub. */
  readonly name: string;
  /** The address of our end; '' before it is there. */
  localIp = '';
  readonly since: number;

  constructor(link: Link, channel: Channel, address: Address, greeting: Greeting, since: number) {
    this.link = link;
    this.channel = channel;
    this.address = address;
    this.user = greeting.user;
    this.password = greeting.password;
    this.name = `sentinel-${greeting.myid.slice(0, 8)}-${channel}`;
    this.since = since;
  }
}

export interface Greeting {
  readonly myid: string;
  readonly user: string;
  readonly password: string;
}

/** The connections to an instance, and what they tell of its health. */
export class Link {
  /** Instances that it serves: one, or the Peers of one sentinel. */
  readonly users = new Set<Instance>();
  cmd: Connection | null = null;
  /** Null for good where the instance is a sentinel: those are told by PUBLISH over `cmd`. */
  pubsub: Connection | null = null;
  /** Commands whose replies are still to come. */
  pending = 0;
  lastReconnect = 0;
  /** When the PING was sent that has no good reply yet; 0 where there is none, or a good one came. */
  pingSent = 0;
  /** The last PING that was sent. */
  lastPing: number;
  /** The last good reply to PING: PONG, LOADING or MASTERDOWN. */
  lastAvailable: number;
  /** The last reply to PING of any kind. */
  lastPong: number;
  /** The last message on `pubsub`. */
  lastHeard = 0;

  constructor(now: number) {
    this.lastPing = 0;
    this.pingSent = now;
    this.lastAvailable = now;
    this.lastPong = now;
  }
}

export type Role = 'master' | 'slave' | 'sentinel';

export type Instance = Master | Replica | Peer;

/** What Redis's processes and the other sentinels have in common. */
export abstract class Watched {
  abstract readonly role: Role;
  /** A master's as it was given, a replica's <host>:<port> as we announce it, a sentinel's its runid. */
  name: string;
  /** '' while it is not known. */
  runid = '';
  address: Address;
  link: Link;
  /** It is watched no more: replies that are still to come mean nothing. */
  forgotten = false;
  /** Subjectively down since; 0 while it is not. */
  downSince = 0;
  /** When it last went down, also where it is up again. */
  lastDown = 0;
  /** When we last told it of us; 0: it is to be told at once. */
  lastPublished: number;

  constructor(name: string, address: Address, now: number) {
    this.name = name;
    this.address = address;
    this.link = new Link(now);
    this.lastPublished = now;
  }
}

/** A Redis process: what its INFO has told. */
export abstract class Server extends Watched {
  /** The last INFO, and when it came. */
  info: Uint8Array | null = null;
  infoTime = 0;
  /** INFO was sent, and its reply is still to come. */
  infoAsked = false;
  roleReported: 'master' | 'slave';
  /** Since when it reports that role. */
  roleReportedSince: number;
  /** SCRIPT KILL was sent, and no good reply to PING has come since. */
  scriptKillSent = false;

  constructor(name: string, address: Address, role: 'master' | 'slave', now: number) {
    super(name, address, now);
    this.roleReported = role;
    this.roleReportedSince = now;
  }
}

/** How far a failover has got, by the names that its events have. */
export type FailoverState =
  | 'wait-start'
  | 'select-slave'
  | 'send-slaveof-noone'
  | 'wait-promotion'
  | 'reconf-slaves'
  | 'update-config';

export class Master extends Server {
  readonly role = 'master';
  readonly settings: MasterSettings;
  /** By <host>:<port>, which don't change where the IP address does. */
  readonly replicas = new Map<string, Replica>();
  /** By runid. */
  readonly sentinels = new Map<string, Peer>();
  configEpoch = 0;
  /** Objectively down since; 0 while it is not. */
  objectivelyDownSince = 0;
  /** It was seen to have restarted, and has not said PONG since (master-reboot-down-after-period). */
  rebootSince = 0;
  /** Our vote: whom, and in which epoch; '' where none was given. */
  leader = '';
  leaderEpoch = 0;
  /** The version of the configuration with which that vote is durable: it counts, and is told, no earlier. */
  voteVersion = 0;
  failover: Failover | null = null;
  /** When the last failover was tried, by us or by somebody whom we voted for: none is begun too soon after. */
  failoverStart = 0;
  /** The `failoverStart` for which the log was told when the next may begin. */
  failoverDelayLogged = 0;

  constructor(name: string, address: Address, settings: MasterSettings, now: number) {
    super(name, address, 'master', now);
    this.settings = settings;
  }
}

/** A failover that we try, or lead. */
export interface Failover {
  state: FailoverState;
  /** Since when it is in that state. */
  since: number;
  readonly epoch: number;
  /** The version of the configuration with which its epoch is durable: it changes nothing before. */
  readonly version: number;
  /** By SENTINEL FAILOVER: neither votes nor a master that is down are needed. */
  readonly forced: boolean;
  promoted: Replica | null;
}

/** How far a replica has got in following the promoted one. */
export type Reconfiguration = 'none' | 'sent' | 'inprog' | 'done';

export class Replica extends Server {
  readonly role = 'slave';
  readonly master: Master;
  /** As its INFO tells them. */
  masterHost = '';
  masterPort = 0;
  masterLinkUp = false;
  masterLinkDownTime = 0;
  priority = 100;
  offset = 0;
  /** replica-announced: whether commands show it. */
  announced = true;
  /** When masterHost or masterPort last changed. */
  configChanged: number;
  reconfiguration: Reconfiguration = 'none';
  reconfigurationSent = 0;

  constructor(master: Master, name: string, address: Address, now: number) {
    super(name, address, 'slave', now);
    this.master = master;
    this.configChanged = now;
  }
}

/** Another Sentinel, as one who watches `master` with us. */
export class Peer extends Watched {
  readonly role = 'sentinel';
  readonly master: Master;
  /** When its last hello came. */
  lastHello: number;
  /** It says that the master is down. */
  saysDown = false;
  /** When it was last asked about that, and when it last answered. */
  askedAt = 0;
  saidAt = 0;
  /** Whom it voted for, '' where we know of nobody, and in which epoch. */
  leader = '';
  leaderEpoch = 0;

  constructor(master: Master, runid: string, address: Address, now: number) {
    super(runid, address, now);
    this.runid = runid;
    this.master = master;
    this.lastHello = now;
  }
}

export function* everyInstance(state: SentinelState): Generator<Instance> {
  for (const master of state.masters.values()) {
    yield master;
    yield* master.replicas.values();
    yield* master.sentinels.values();
  }
}

export function isDisconnected(instance: Instance): boolean {
  return instance.link.cmd === null || (instance.role !== 'sentinel' && instance.link.pubsub === null);
}

/** The master to which an instance belongs: itself, where it is one. */
export function masterOf(instance: Instance): Master {
  return instance.role === 'master' ? instance : instance.master;
}
