/**
 * What there is to declare of a command; everything but what it runs in is known here (command.ts), so that tables, gates
 * and permissions are about declarations only.
 */
import type { Slice } from '../base/slice.ts';
import type { Argument } from './grammar.ts';

/** Redis's own names of the flags of a command, as COMMAND INFO lists them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'asking'
  | 'fast'
  | 'no_auth'
  | 'may_replicate'
  | 'sentinel'
  | 'only_sentinel'
  | 'no_mandatory_keys'
  | 'protected'
  | 'touches_arbitrary_keys'
  | 'no_async_loading'
  | 'no_multi'
  | 'movablekeys'
  | 'allow_busy'
  | 'module';

/** What the dispatcher does otherwise for a command than for all others. */
export type CommandTrait =
  /** Runs the queue of MULTI: what concerns the queued commands concerns it. */
  | 'runs_queue'
  /** Ends a transaction: it is not queued, and not refused for want of memory. */
  | 'ends_transaction'
  /** Is not queued between MULTI and EXEC, but runs. */
  | 'immediate'
  /** May be run by RESP2 clients that listen to channels. */
  | 'for_subscribers'
  /** Is refused, like a write, while nothing can be written to disk. */
  | 'tells_disk_errors'
  /** Moves keys between nodes of a cluster: it runs wherever their slot is on its way. */
  | 'moves_keys'
  /** Comes across expired keys of no concern to it: their removals are no unit with it. */
  | 'expires_apart';

/** The groups of Redis's documentation. */
export type CommandGroup =
  | 'generic'
  | 'string'
  | 'list'
  | 'set'
  | 'sorted-set'
  | 'hash'
  | 'pubsub'
  | 'transactions'
  | 'connection'
  | 'server'
  | 'scripting'
  | 'hyperloglog'
  | 'cluster'
  | 'sentinel'
  | 'geo'
  | 'stream'
  | 'bitmap'
  /** Of commands that came with a module. */
  | 'module';

/** Where keys are found, in the terms of COMMAND INFO's key specifications. */
export interface KeySpec {
  /** What is done to the keys: RW RO OW RM, ACCESS UPDATE INSERT DELETE, NOT_KEY INCOMPLETE VARIABLE_FLAGS. */
  readonly access: string;
  readonly notes?: string;
  readonly begin:
    | { readonly type: 'index'; readonly index: number }
    | { readonly type: 'keyword'; readonly keyword: string; readonly startFrom: number }
    | { readonly type: 'unknown' };
  readonly find:
    | { readonly type: 'range'; readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly type: 'keynum'; readonly keyNumIndex: number; readonly firstKey: number; readonly step: number }
    | { readonly type: 'unknown' };
}

/** The positions of the keys of `c`; an escape for what no specification can say (SORT, MIGRATE). */
export type KeyFinder = (c: KeyFinderInput) => number[] | undefined;

export interface KeyFinderInput {
  readonly argc: number;
  arg(i: number): Slice;
}

export interface Declaration {
  /** The module that it came with. */
  readonly module?: string;
  /** In capitals; of a subcommand, its own name alone. */
  readonly name: string;
  readonly group: CommandGroup;
  readonly since: string;
  readonly complexity: string;
  /** Our own words, one sentence. */
  readonly summary: string;
  readonly flags: readonly CommandFlag[];
  readonly traits?: readonly CommandTrait[];
  readonly args?: readonly Argument[];
  /** Where Redis's arity disagrees with the grammar: exact when positive, at least when negative, the name counted. */
  readonly arity?: number;
  /** Where the grammar can't say where the keys are. */
  readonly keySpecs?: readonly KeySpec[];
  readonly keyFinder?: KeyFinder;
  /** What is done to the keys with these arguments, where that is not what the specifications say (VARIABLE_FLAGS). */
  readonly keyAccess?: (c: KeyFinderInput) => string;
  /** The bits of its flags with these arguments, where they depend on them: those of EVAL on what the script declares. */
  readonly flagsWith?: (engine: never, args: readonly Slice[], argc: number) => number;
  /** ACL categories beyond those that flags and group imply ('dangerous', 'keyspace' ...). */
  readonly categories?: readonly string[];
  readonly tips?: readonly string[];
  readonly history?: readonly (readonly [version: string, change: string])[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly docFlags?: readonly string[];
  readonly subcommands?: readonly Declaration[];
  /** Absent only where subcommands do the work. */
  readonly run?: (c: never) => void;
}
