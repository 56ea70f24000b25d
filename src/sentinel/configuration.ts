/**
 * What a Sentinel keeps over a restart: the lines of sentinel.conf as values. The codec of that file reads and writes these;
 * the rules start from one, and hand out a new one whenever something of it has changed. Texts hold one byte a character.
 */
import type { Address } from './address.ts';

export interface Configuration {
  /** 40 hexadecimal digits, which the shell draws where the file has none. */
  readonly myid: string;
  readonly currentEpoch: number;
  /** '' where it is not set. */
  readonly announceIp: string;
  /** 0 where it is not set. */
  readonly announcePort: number;
  readonly resolveHostnames: boolean;
  readonly announceHostnames: boolean;
  /** SENTINEL SET may change no scripts. */
  readonly denyScriptsReconfig: boolean;
  /** With what other Sentinels are greeted; '' where it is not set. */
  readonly sentinelUser: string;
  readonly sentinelPass: string;
  readonly masters: readonly MasterConfiguration[];
}

/** The settings of a master: those that SENTINEL SET changes. Milliseconds where it is a time. */
export interface MasterSettings {
  quorum: number;
  downAfter: number;
  failoverTimeout: number;
  parallelSyncs: number;
  /** 0: a master that has restarted is up at once. */
  masterRebootDownAfter: number;
  /** Replicas and sentinels that were not seen for so long are forgotten; 0: none is. Not in Redis; written when set. */
  forgetAfter: number;
  /** Paths; '' where none is set. */
  notificationScript: string;
  clientReconfigScript: string;
  authUser: string;
  authPass: string;
  /** By the lower-case name of a command that we send: how this master and its replicas call it. */
  readonly renamedCommands: Map<string, string>;
}

export interface MasterConfiguration {
  readonly name: string;
  /** Of the promoted replica while a failover has got so far, so that a restart finds the new master. */
  readonly host: string;
  readonly port: number;
  readonly settings: Readonly<MasterSettings>;
  readonly configEpoch: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly Pick<Address, 'host' | 'port'>[];
  readonly sentinels: readonly KnownSentinel[];
}

export interface KnownSentinel {
  readonly host: string;
  readonly port: number;
  readonly runid: string;
}

/** What a Sentinel is told of by nobody. */
export function unconfigured(myid: string): Configuration {
  return {
    myid,
    currentEpoch: 0,
    announceIp: '',
    announcePort: 0,
    resolveHostnames: false,
    announceHostnames: false,
    denyScriptsReconfig: true,
    sentinelUser: '',
    sentinelPass: '',
    masters: [],
  };
}

/** What a master has that nobody has set. */
export function defaultSettings(quorum: number, downAfter: number, failoverTimeout: number): MasterSettings {
  return {
    quorum,
    downAfter,
    failoverTimeout,
    parallelSyncs: 1,
    masterRebootDownAfter: 0,
    forgetAfter: 0,
    notificationScript: '',
    clientReconfigScript: '',
    authUser: '',
    authPass: '',
    renamedCommands: new Map(),
  };
}
