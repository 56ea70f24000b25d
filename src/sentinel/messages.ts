/**
 * What goes into the rules of Sentinel and what comes out of them. The shell turns sockets, timers, files, name look-ups and
 * processes into inputs, and does what the outputs say, in their order.
 *
 *   shell ── step(now, input) ──> rules ── outputs ──> shell
 *
 * Texts hold one byte a character.
 */
import type { Reply } from '../links/reply-reader.ts';
import type { Configuration } from './configuration.ts';
import type { Connection, Instance, Script } from './state.ts';

export type Input =
  /** The timer: 1000 / hz milliseconds after the last one, hz drawn anew each time from 10 to 19 by the shell. */
  | { readonly kind: 'tick' }
  /** A connection that was asked for is there; `localIp` is the address of our end. */
  | { readonly kind: 'connected'; readonly connection: Connection; readonly localIp: string }
  /** A connection has failed or ended, other than by a `disconnect` output. */
  | { readonly kind: 'lost'; readonly connection: Connection; readonly reason: string }
  /** The reply to a request's last command. */
  | { readonly kind: 'reply'; readonly connection: Connection; readonly request: Request; readonly reply: Reply }
  /**
   * A message on __sentinel__:hello, by a pubsub connection of ours, or published at us (connection null). The shell tells
   * of other messages (the confirmation of SUBSCRIBE) with '' as the text: they only say that the connection lives.
   */
  | { readonly kind: 'hello'; readonly connection: Connection | null; readonly text: string }
  /** A host name that `resolve` asked for: all of its IP addresses, none where it has none now. */
  | { readonly kind: 'resolved'; readonly host: string; readonly ips: readonly string[] }
  /** The configuration of this version and of all before are on the disk, synced; or this one can't be written. */
  | { readonly kind: 'persisted'; readonly version: number }
  | { readonly kind: 'persist-failed'; readonly version: number; readonly reason: string }
  | { readonly kind: 'script-started'; readonly script: Script; readonly pid: number }
  /** `signal` 0 where it has ended by itself; `exitCode` 99 where it could not be started. */
  | { readonly kind: 'script-ended'; readonly script: Script; readonly exitCode: number; readonly signal: number }
  /** Somebody's command; exactly one `answer` with this `asker` is among the outputs. */
  | { readonly kind: 'command'; readonly asker: Asker; readonly command: Command };

/** Whoever is to get an answer: the shell's, of any shape, and unread by the rules. */
export type Asker = object | null;

/**
 * Names are those of the SENTINEL subcommands. Arity, and numbers where the type says number, are checked before; what
 * remains is checked here.
 */
export type Command =
  /** The address is resolved already. */
  | {
      readonly name: 'monitor';
      readonly master: string;
      readonly host: string;
      readonly ip: string;
      readonly port: number;
      readonly quorum: number;
    }
  | { readonly name: 'remove' | 'failover'; readonly master: string }
  /** Options and values behind one another, as they were given. */
  | {
      readonly name: 'set';
      readonly master: string;
      readonly words: readonly string[];
      readonly executable: (path: string) => boolean;
    }
  /** `matches` says whether a master's name is meant. Answers how many were. */
  | { readonly name: 'reset'; readonly matches: (master: string) => boolean }
  /** One global setting: resolve-hostnames, announce-hostnames, announce-ip, announce-port, sentinel-user, sentinel-pass. */
  | { readonly name: 'config-set'; readonly option: string; readonly value: string }
  /** Pairs of a period's name and milliseconds. */
  | { readonly name: 'debug'; readonly words: readonly string[] }
  /** Failures to simulate. */
  | { readonly name: 'simulate-failure'; readonly words: readonly string[] }
  | { readonly name: 'flushconfig' }
  /** Another Sentinel asks whether this master is down, and, with a `runid` other than '*', for our vote. */
  | {
      readonly name: 'is-master-down-by-addr';
      readonly host: string;
      readonly port: number;
      readonly epoch: number;
      readonly runid: string;
    };

export type Output =
  /** Opens a connection to its address (state.ts says which, and how it greets). Requests may follow before it is there. */
  | { readonly kind: 'connect'; readonly connection: Connection }
  | { readonly kind: 'disconnect'; readonly connection: Connection }
  | { readonly kind: 'send'; readonly connection: Connection; readonly request: Request }
  /**
   * Something happened. It is logged as `<type> <text>`, and, but for the level debug, published: `text` on the channel
   * `type`. What has no type is only logged.
   */
  | { readonly kind: 'event'; readonly level: Level; readonly type: string; readonly text: string }
  /** Makes this configuration durable: written and synced, the file's folder as well. A later one includes it. */
  | { readonly kind: 'persist'; readonly version: number; readonly configuration: Configuration }
  /**
   * The answer to a command. It leaves once the configuration of the version `after` is durable (0: at once); where that
   * can't be written, an administrator gets an error, and another Sentinel nothing before a later version is durable.
   */
  | { readonly kind: 'answer'; readonly asker: Asker; readonly answer: Answer; readonly after: number }
  /** Asks for the IP addresses of a host name; one request a name is under way at most. */
  | { readonly kind: 'resolve'; readonly host: string }
  | { readonly kind: 'run-script'; readonly script: Script }
  | { readonly kind: 'kill-script'; readonly script: Script }
  /** SIMULATE-FAILURE: ends the process, once all outputs before it are done, the configuration written. */
  | { readonly kind: 'exit'; readonly code: number };

export type Level = 'debug' | 'verbose' | 'notice' | 'warning';

export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'number'; readonly value: number }
  /** With its code: 'ERR No such master with that name'. */
  | { readonly kind: 'error'; readonly text: string }
  /** `leader` is '*' and `epoch` 0 where no vote was asked for. */
  | { readonly kind: 'vote'; readonly down: boolean; readonly leader: string; readonly epoch: number };

/** Commands to send in one go. The reply to the last one comes back with it; those before are read and dropped. */
export interface Request {
  readonly purpose: Purpose;
  readonly commands: readonly (readonly string[])[];
  /** For whom: of several masters where a link is shared. */
  readonly instance: Instance;
}

export type Purpose = 'ping' | 'info' | 'hello' | 'is-master-down-by-addr' | 'slaveof' | 'script-kill';
