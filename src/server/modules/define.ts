/**
 * Commands of one's own: declared as the built-in ones are, and run over a small face of the engine that stays as it is.
 *
 *   export default defineCommand({
 *     name: 'INCRCAP',
 *     summary: 'Increments a number, and stops at a cap.',
 *     flags: ['write', 'denyoom', 'fast'],
 *     args: [args.key('key', 'RW ACCESS UPDATE'), args.integer('cap')],
 *     run(c) {
 *       const next = Math.min(Number(c.call('GET', c.args[0]) ?? 0) + 1, c.integer(1));
 *       c.call('SET', c.args[0], next, 'KEEPTTL');
 *       return next;
 *     },
 *   });
 */
import type { CommandFlag, KeySpec } from '../../engine/declaration.ts';
import * as grammar from '../../engine/grammar.ts';
import type { CommandWords, ReplyOf, ReplyValue, Argument as Word } from '../session/replies.ts';

/** What arguments are declared with: `args.key('key', 'RW UPDATE')`, `args.optional(args.token('nx', 'NX'))` ... */
export const args = grammar;

/** The flags that such a command may have; see COMMAND INFO. What writes must say so, or its writes are refused. */
export type CustomFlag = Extract<
  CommandFlag,
  'write' | 'readonly' | 'denyoom' | 'admin' | 'fast' | 'noscript' | 'loading' | 'stale' | 'no_multi' | 'allow_busy'
>;

/**
 * What a command replies. Text and bytes are bulk strings, whole numbers integers, other numbers doubles; arrays, maps, sets,
 * booleans and null what they are in RESP3, and what Redis makes of them in RESP2. `c.status('OK')` is a simple string, an
 * error within a list an error in its place.
 */
export type CustomReply =
  | string
  | Uint8Array
  | number
  | bigint
  | boolean
  | null
  | undefined
  | StatusReply
  | Error
  | readonly CustomReply[]
  | ReadonlyMap<CustomReply, CustomReply>
  | ReadonlySet<CustomReply>;

/** A simple string; made by `c.status()`. */
export class StatusReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** One execution, good until `run` returns. */
export interface CustomCall {
  /** What follows the command's name: bytes, which are the command's to keep. */
  readonly args: readonly Buffer[];
  /** The client's number, as CLIENT ID tells it. */
  readonly clientId: number;
  /** The database that is selected. */
  readonly db: number;
  /** Unix ms; the same throughout a command, as keys expire by it. */
  readonly now: number;
  /** Argument `i` as text (UTF-8). */
  text(i: number): string;
  /** Argument `i` as a whole number that a number holds exactly; otherwise the command ends with Redis's error. */
  integer(i: number): number;
  /** Argument `i` as a double; otherwise the command ends with Redis's error. */
  double(i: number): number;
  /** From 0 up to 1, by the server's randomness. */
  random(): number;
  /**
   * Runs a command of Redis's, and gives its reply as a session of RESP3 would have it; what it refuses is thrown, a ReplyError. It
   * never waits: XREAD BLOCK answers as if its time were up. What scripts may not run is refused, and so are commands of modules.
   */
  call<const Name extends string>(name: Name, ...words: Word[]): ReplyOf<Name, string, 3>;
  call(...words: CommandWords): ReplyValue<string>;
  /** The same with strings as Buffers, which lose nothing. */
  callBuffer<const Name extends string>(name: Name, ...words: Word[]): ReplyOf<Name, Buffer, 3>;
  callBuffer(...words: CommandWords): ReplyValue<Buffer>;
  /** A reply that is a simple string. */
  status(text: string): StatusReply;
  /** Ends the command with an error, its code first: `c.error('ERR there is no such user')`. */
  error(text: string): never;
}

export interface CustomCommand {
  /** Letters, digits, `.`, `-` and `_`, in any case. */
  readonly name: string;
  /** One sentence, for COMMAND DOCS. */
  readonly summary?: string;
  /** The version of the module in which it came; 1.0.0, when absent. */
  readonly since?: string;
  readonly complexity?: string;
  readonly flags?: readonly CustomFlag[];
  /** Its arguments in order, from which arity and positions of keys follow. */
  readonly args?: readonly grammar.Argument[];
  /** Where the arguments can't say it: how many words there are with the name; below zero, at least so many. */
  readonly arity?: number;
  /** Where the arguments can't say where the keys are. */
  readonly keySpecs?: readonly KeySpec[];
  /** ACL categories beyond those that follow from the flags. */
  readonly categories?: readonly string[];
  /**
   * Runs at once and by itself, as all commands do; what it throws is replied as an error. What it has changed by then stays,
   * as with scripts. What it changes goes to the log and to replicas as the commands that it called, and as one unit.
   */
  run(c: CustomCall): CustomReply;
}

/** What a file hands to a default export that is a function. */
export interface ModuleContext {
  readonly args: typeof grammar;
  /** What follows the path: `loadmodule FILE.js one two`. */
  readonly argv: readonly string[];
  /** Writes into the server's log. */
  log(text: string): void;
}

/** What a file that `loadmodule` takes exports: as its default a command, several, or who makes them; and its name and version. */
export interface ModuleFile {
  readonly default:
    | CustomCommand
    | readonly CustomCommand[]
    | ((context: ModuleContext) => CustomCommand | readonly CustomCommand[]);
  /** The file's name without its ending, when absent. */
  readonly name?: string;
  /** A whole number; 1, when absent. */
  readonly version?: number;
}

/** Declares a command: the compiler checks it. */
export function defineCommand(command: CustomCommand): CustomCommand {
  return command;
}
