/**
 * Roles of sessions: on whose behalf a session's commands run, and what follows from that, in one table.
 *
 *   client   a connection of a client's, which may listen to channels (CLIENT LIST's type is then pubsub)
 *   local    a caller within the process (server.session()); the server treats it as a client
 *   master   the link to our master: its commands are its master's writes, which are never judged again; so are those of
 *            a group's log
 *   replica  a replica's link, which takes our writes
 *   monitor  a client that is shown every command (MONITOR)
 *   script   runs the commands of scripts, as the user who runs the script
 *   module   runs what the command of a module calls
 *   replay   plays the append-only file again
 *
 * A session of the master's stream may be handed no command while a script is suspended or clients are paused.
 */
import {
  GATE_ACL,
  GATE_AUTH,
  GATE_CLUSTER,
  GATE_FAULTS,
  GATE_GROUP,
  GATE_MISCONF,
  GATE_OOM,
  GATE_PAUSED_ALL,
  GATE_PAUSED_WRITE,
  GATE_READONLY,
  GATE_REPLICAS,
  GATE_STALE,
} from './gates.ts';
import { OUTPUT_NORMAL, OUTPUT_REPLICA } from './ports.ts';

/** The types of CLIENT LIST and CLIENT KILL. */
export type SessionType = 'normal' | 'master' | 'replica' | 'pubsub';

export interface Role {
  readonly name: 'client' | 'local' | 'master' | 'replica' | 'monitor' | 'script' | 'module' | 'replay';
  /** Its type while it listens to no channel. */
  readonly type: SessionType;
  /** What stands for it among CLIENT LIST's flags. */
  readonly letter: string;
  /** Gates that do not concern it. */
  readonly exempt: number;
  /** Its commands have been accepted before, by the master or before they were logged: they are done and not judged. */
  readonly mustObey: boolean;
  /** Keys past their time are there for its commands: whoever sends them says when a key goes. */
  readonly seesExpired: boolean;
  /** Whether it may work with the keyspace at all. */
  readonly readsKeys: boolean;
  /** Its class of client-output-buffer-limit while it listens to no channel. */
  readonly outputClass: number;
  /** Whether `timeout` may close it. */
  readonly mayIdleOut: boolean;
  /** Whether maxmemory-clients counts its memory, and may close it. */
  readonly evictable: boolean;
  /** Whether it is one of connected_clients. */
  readonly counted: boolean;
}

/** What was accepted before is refused by no state of ours. */
const ACCEPTED =
  GATE_AUTH |
  GATE_ACL |
  GATE_CLUSTER |
  GATE_GROUP |
  GATE_FAULTS |
  GATE_OOM |
  GATE_MISCONF |
  GATE_REPLICAS |
  GATE_READONLY |
  GATE_STALE;

export const CLIENT: Role = {
  name: 'client',
  type: 'normal',
  letter: '',
  exempt: 0,
  mustObey: false,
  seesExpired: false,
  readsKeys: true,
  outputClass: OUTPUT_NORMAL,
  mayIdleOut: true,
  evictable: true,
  counted: true,
};

export const LOCAL: Role = { ...CLIENT, name: 'local' };

export const MASTER: Role = {
  ...CLIENT,
  name: 'master',
  type: 'master',
  letter: 'M',
  exempt: ACCEPTED,
  mustObey: true,
  seesExpired: true,
  mayIdleOut: false,
  evictable: false,
};

/** Does what the log of a group says once it is committed: no pause of clients holds that. */
export const COMMITTED: Role = { ...MASTER, exempt: ACCEPTED | GATE_PAUSED_ALL | GATE_PAUSED_WRITE };

export const REPLICA: Role = {
  ...CLIENT,
  name: 'replica',
  type: 'replica',
  letter: 'S',
  exempt: GATE_PAUSED_ALL | GATE_PAUSED_WRITE | GATE_FAULTS,
  readsKeys: false,
  outputClass: OUTPUT_REPLICA,
  mayIdleOut: false,
  evictable: false,
  counted: false,
};

/** To Redis it is a replica in most respects. */
export const MONITOR: Role = {
  ...CLIENT,
  name: 'monitor',
  letter: 'O',
  exempt: GATE_PAUSED_ALL | GATE_PAUSED_WRITE,
  readsKeys: false,
  mayIdleOut: false,
};

export const SCRIPT: Role = { ...CLIENT, name: 'script', mayIdleOut: false, evictable: false, counted: false };

export const MODULE: Role = { ...SCRIPT, name: 'module' };

/** Whether it sees expired keys is the loader's to say, for the snapshot before the log as well. */
export const REPLAY: Role = { ...SCRIPT, name: 'replay', exempt: ACCEPTED, mustObey: true };
