/**
 * What goes into the rules of the cluster and what comes out of them. The shell turns sockets, timers and files into inputs,
 * and does what the outputs say, in their order.
 *
 *   shell ── step(now, input) ──> rules ── outputs ──> shell
 */
import type { Body, Packet } from './bus/packet.ts';
import type { NodesFile } from './nodes-file.ts';
import type { SlotRange } from './slots.ts';
import type { Connection } from './state.ts';

export type Input =
  /** The timer, every 100 ms. */
  | { readonly kind: 'tick' }
  /** What is announced of this node may be another by now. */
  | { readonly kind: 'settings' }
  /** A peer has connected to the port of the bus. */
  | { readonly kind: 'accepted'; readonly connection: Connection }
  /** A connection that was asked for is there. */
  | { readonly kind: 'connected'; readonly connection: Connection }
  /** A connection could not be opened, or has ended, other than by a `disconnect` output. */
  | { readonly kind: 'lost'; readonly connection: Connection; readonly reason: string }
  | { readonly kind: 'packet'; readonly connection: Connection; readonly packet: Packet }
  /** What the file holds is this version, and all before, synced; or this one can't be written. */
  | { readonly kind: 'persisted'; readonly version: number }
  | { readonly kind: 'persist-failed'; readonly version: number; readonly reason: string }
  /** A host name that `resolve` asked for: all of its IP addresses, none where it has none now. */
  | { readonly kind: 'resolved'; readonly host: string; readonly ips: readonly string[] }
  /** The data of a start are loaded: slots and keys are compared. */
  | { readonly kind: 'loaded' }
  /** Something was published here, and is to reach the others: all of them, or those that share our slots. */
  | { readonly kind: 'publish'; readonly sharded: boolean; readonly channel: Uint8Array; readonly message: Uint8Array }
  /** Somebody's command; exactly one `answer` with this `asker` is among the outputs. */
  | { readonly kind: 'command'; readonly asker: Asker; readonly command: Command };

/** Whoever is to get an answer: the shell's, of any shape, and unread by the rules. */
export type Asker = object | null;

/**
 * Names are those of the CLUSTER subcommands. Arity and the syntax of numbers and words are checked before, where the type
 * says so; what remains is checked here. IDs are words as they were given.
 */
export type Command =
  /** Texts as they were given, for the errors; the bus's port null where none was. */
  | { readonly name: 'meet'; readonly ip: string; readonly port: string; readonly busPort: string | null }
  | { readonly name: 'forget' | 'replicate' | 'count-failure-reports'; readonly node: string }
  /** ADDSLOTS and DELSLOTS have ranges of one slot; numbers of any size. */
  | { readonly name: 'addslots' | 'delslots'; readonly ranges: readonly SlotRange[] }
  | { readonly name: 'setslot'; readonly slot: number; readonly action: SlotAction }
  | { readonly name: 'set-config-epoch'; readonly epoch: number }
  | { readonly name: 'failover'; readonly form: FailoverForm }
  | { readonly name: 'reset'; readonly kind: 'soft' | 'hard' }
  | { readonly name: 'flushslots' | 'bumpepoch' | 'saveconfig' };

export type SlotAction =
  | { readonly kind: 'migrating' | 'importing' | 'node'; readonly node: string }
  | { readonly kind: 'stable' };

/** By agreement with the master; without it, but by votes; without either. */
export type FailoverForm = 'agreed' | 'force' | 'takeover';

export type Output =
  /** Opens a connection to the ip and port that it has. Packets may follow before it is there; they may be dropped. */
  | { readonly kind: 'connect'; readonly connection: Connection }
  | { readonly kind: 'disconnect'; readonly connection: Connection }
  /** A packet leaves once what was persisted with the version `after` is durable (0: at once); it may overtake others. */
  | { readonly kind: 'send'; readonly connection: Connection; readonly packet: Packet; readonly after: number }
  /**
   * Writes nodes.conf whole. A later version includes it.
   *
   * when needed   nothing waits for it, but an answer perhaps
   * soon          packets wait for it
   * synced        the same, and it is durable only once it would survive a loss of power: others decide by it
   */
  | { readonly kind: 'persist'; readonly version: number; readonly file: NodesFile; readonly need: PersistNeed }
  /**
   * The answer to a command. It leaves once the version `after` is durable (0: at once); where that can't be written, it is
   * an error.
   */
  | { readonly kind: 'answer'; readonly asker: Asker; readonly answer: Answer; readonly after: number }
  /** Asks for the IP addresses of a host name. */
  | { readonly kind: 'resolve'; readonly host: string }
  | { readonly kind: 'log'; readonly level: Level; readonly text: string }
  | EngineChange;

export type PersistNeed = 'when needed' | 'soon' | 'synced';

/** What the engine is to do. */
export type EngineChange =
  /** Follows this master, or the same at another address. */
  | { readonly kind: 'replicate'; readonly ip: string; readonly port: number }
  | { readonly kind: 'become-master' }
  /** Forgets all data. */
  | { readonly kind: 'empty' }
  /** These slots are not served here any more: subscriptions of their channels end. */
  | { readonly kind: 'slots-lost'; readonly slots: readonly number[] }
  /** Somebody else owns these slots by a later configuration: their keys here mean nothing. */
  | { readonly kind: 'drop-keys'; readonly slots: readonly number[] }
  | { readonly kind: 'state'; readonly ok: boolean }
  /** Stops clients that write until the time, of `step`'s clock, or until `unpause`. */
  | { readonly kind: 'pause'; readonly until: number }
  | { readonly kind: 'unpause' }
  /** Delivers what was published at another node to subscribers here. */
  | { readonly kind: 'deliver'; readonly sharded: boolean; readonly channel: Uint8Array; readonly message: Uint8Array }
  /** Gives it to the module that it is for. */
  | { readonly kind: 'module'; readonly sender: string; readonly body: Body & { readonly type: 'module' } };

export type Level = 'debug' | 'verbose' | 'notice' | 'warning';

export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'number'; readonly value: number }
  /** A status: `BUMPED 7`. */
  | { readonly kind: 'status'; readonly text: string }
  /** With its code: 'ERR Unknown node abc'. */
  | { readonly kind: 'error'; readonly text: string };

/** The settings that the rules follow, as they are now. Milliseconds where it is a time. */
export interface ClusterSettings {
  readonly nodeTimeout: number;
  /** 0: replicas may always take over, however old their data. */
  readonly replicaValidityFactor: number;
  readonly replPingPeriod: number;
  readonly migrationBarrier: number;
  readonly allowReplicaMigration: boolean;
  readonly requireFullCoverage: boolean;
  readonly replicaNoFailover: boolean;
  /** '' where peers are to find it out. */
  readonly announceIp: string;
  /** As they are announced: ports for clients (with TLS where the cluster has it), without TLS beside that or 0, of the bus. */
  readonly port: number;
  readonly plainPort: number;
  readonly busPort: number;
  readonly hostname: string;
}

/** What the rules ask of the engine. */
export interface EngineView {
  /** As a master, or as far as the master's stream was read. */
  replicationOffset(): number;
  /** Milliseconds since the master was last heard, as a replica; Infinity where it never was. */
  dataAge(): number;
  /** As a replica: the master's stream comes in, so that offsets of both can be compared. */
  isStreaming(): boolean;
  keysIn(slot: number): number;
  isEmpty(): boolean;
}
