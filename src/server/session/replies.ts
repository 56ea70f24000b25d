/**
 * What the replies of commands are in TypeScript: by protocol (RESP2 or RESP3) and by what strings come as (text or Buffers).
 *
 *   RESP                      in TypeScript
 *   bulk, verbatim string     string (UTF-8: bytes that are none are replaced) or, in a session with `buffers`, Buffer
 *   status (+OK)              string
 *   integer                   number; bigint beyond what a number holds exactly
 *   double                    number
 *   big number                bigint
 *   boolean                   boolean
 *   null                      null
 *   array                     Array
 *   map                       Map, in the order in which it came
 *   set                       Set, likewise
 *   push                      no reply: goes to subscriptions and `onPush`
 *   error                     ReplyError: rejects a call, and is an element of what a pipeline or a transaction gives
 */
import type { ReplyError } from '../../protocol/reply-error.ts';

/** What bulk strings come as. */
export type Text = string | Buffer;

/** RESP2 or RESP3. */
export type Protocol = 2 | 3;

/** An argument: text is taken as UTF-8, numbers as their decimal form, bytes as they are. */
export type Argument = string | number | bigint | Uint8Array;

/** A command with its arguments: `['SET', 'k', 1]`. */
export type CommandWords = readonly Argument[];

/** Any reply. */
export type ReplyValue<T extends Text = Text> =
  | T
  | string
  | number
  | bigint
  | boolean
  | null
  | Error
  | ReplyValue<T>[]
  | Map<ReplyValue<T>, ReplyValue<T>>
  | Set<ReplyValue<T>>;

/** The forms of replies that follow from a command's name alone. */
interface Forms<T extends Text, P extends Protocol> {
  OK: 'OK';
  integer: number;
  /** What may grow beyond what a number holds exactly. */
  large: number | bigint;
  'integer?': number | null;
  integers: number[];
  text: T;
  'text?': T | null;
  texts: T[];
  'text?s': (T | null)[];
  status: string;
  /** SET: OK, null (NX, XX), or with GET what was there. */
  set: 'OK' | T | null;
  double: P extends 3 ? number : T;
  'double?': (P extends 3 ? number : T) | null;
  /** ZADD: how many were added, or with INCR the score, null (NX, XX ...). */
  'count or score': number | (P extends 3 ? number : T) | null;
  'double?s': ((P extends 3 ? number : T) | null)[];
  'texts of a set': P extends 3 ? Set<T> : T[];
  'map of texts': P extends 3 ? Map<T, T> : T[];
  scan: [cursor: T, elements: T[]];
  'one or many': T | T[] | null;
}

export type Form = keyof Forms<Text, Protocol>;

/**
 * The commands whose replies have one of these forms, whatever their arguments. Subcommands, and what options change further
 * (ZRANGE WITHSCORES in RESP3, SORT STORE), are left to the caller, who gets a ReplyValue.
 */
export const FORMS = {
  APPEND: 'integer',
  BITCOUNT: 'integer',
  BITOP: 'integer',
  BITPOS: 'integer',
  COPY: 'integer',
  DBSIZE: 'integer',
  DECR: 'large',
  DECRBY: 'large',
  DEL: 'integer',
  ECHO: 'text',
  EXISTS: 'integer',
  EXPIRE: 'integer',
  EXPIREAT: 'integer',
  EXPIRETIME: 'integer',
  FLUSHALL: 'OK',
  FLUSHDB: 'OK',
  GEOADD: 'integer',
  GET: 'text?',
  GETBIT: 'integer',
  GETDEL: 'text?',
  GETEX: 'text?',
  GETRANGE: 'text',
  GETSET: 'text?',
  HDEL: 'integer',
  HEXISTS: 'integer',
  HGET: 'text?',
  HGETALL: 'map of texts',
  HINCRBY: 'large',
  HINCRBYFLOAT: 'text',
  HKEYS: 'texts',
  HLEN: 'integer',
  HMGET: 'text?s',
  HMSET: 'OK',
  HSCAN: 'scan',
  HSET: 'integer',
  HSETNX: 'integer',
  HSTRLEN: 'integer',
  HVALS: 'texts',
  INCR: 'large',
  INCRBY: 'large',
  INCRBYFLOAT: 'text',
  INFO: 'text',
  KEYS: 'texts',
  LINDEX: 'text?',
  LINSERT: 'integer',
  LLEN: 'integer',
  LMOVE: 'text?',
  LPOP: 'one or many',
  LPUSH: 'integer',
  LPUSHX: 'integer',
  LRANGE: 'texts',
  LREM: 'integer',
  LSET: 'OK',
  LTRIM: 'OK',
  MGET: 'text?s',
  MSET: 'OK',
  MSETNX: 'integer',
  MULTI: 'OK',
  PERSIST: 'integer',
  PEXPIRE: 'integer',
  PEXPIREAT: 'integer',
  PEXPIRETIME: 'integer',
  PFADD: 'integer',
  PFCOUNT: 'integer',
  PFMERGE: 'OK',
  PSETEX: 'OK',
  PTTL: 'integer',
  PUBLISH: 'integer',
  RANDOMKEY: 'text?',
  RENAME: 'OK',
  RENAMENX: 'integer',
  RPOP: 'one or many',
  RPOPLPUSH: 'text?',
  RPUSH: 'integer',
  RPUSHX: 'integer',
  SADD: 'integer',
  SCAN: 'scan',
  SCARD: 'integer',
  SDIFF: 'texts of a set',
  SDIFFSTORE: 'integer',
  SELECT: 'OK',
  SET: 'set',
  SETBIT: 'integer',
  SETEX: 'OK',
  SETNX: 'integer',
  SETRANGE: 'integer',
  SINTER: 'texts of a set',
  SINTERCARD: 'integer',
  SINTERSTORE: 'integer',
  SISMEMBER: 'integer',
  SMEMBERS: 'texts of a set',
  SMISMEMBER: 'integers',
  SMOVE: 'integer',
  SPUBLISH: 'integer',
  SREM: 'integer',
  SSCAN: 'scan',
  STRLEN: 'integer',
  SUNION: 'texts of a set',
  SUNIONSTORE: 'integer',
  TIME: 'texts',
  TOUCH: 'integer',
  TTL: 'integer',
  TYPE: 'status',
  UNLINK: 'integer',
  UNWATCH: 'OK',
  WATCH: 'OK',
  XACK: 'integer',
  XADD: 'text?',
  XDEL: 'integer',
  XLEN: 'integer',
  XTRIM: 'integer',
  ZADD: 'count or score',
  ZCARD: 'integer',
  ZCOUNT: 'integer',
  ZDIFFSTORE: 'integer',
  ZINCRBY: 'double',
  ZINTERCARD: 'integer',
  ZINTERSTORE: 'integer',
  ZLEXCOUNT: 'integer',
  ZMSCORE: 'double?s',
  ZRANGESTORE: 'integer',
  ZRANK: 'integer?',
  ZREM: 'integer',
  ZREMRANGEBYLEX: 'integer',
  ZREMRANGEBYRANK: 'integer',
  ZREMRANGEBYSCORE: 'integer',
  ZREVRANK: 'integer?',
  ZSCAN: 'scan',
  ZSCORE: 'double?',
  ZUNIONSTORE: 'integer',
} as const satisfies Readonly<Record<string, Form>>;

type FormOf<Name extends string> = Uppercase<Name> extends keyof typeof FORMS ? (typeof FORMS)[Uppercase<Name>] : null;

/** What a command of this name replies; any reply where that hangs on more than its name. */
export type ReplyOf<Name extends string, T extends Text, P extends Protocol> = string extends Name
  ? ReplyValue<T>
  : FormOf<Name> extends keyof Forms<T, P>
    ? Forms<T, P>[FormOf<Name>]
    : ReplyValue<T>;

/** The reply to a command that is given with its arguments. */
type ReplyTo<Words extends CommandWords, T extends Text, P extends Protocol> = Words extends readonly [
  infer Name extends string,
  ...Argument[],
]
  ? ReplyOf<Name, T, P>
  : ReplyValue<T>;

/** What several commands reply, one after another; an error is an element as others are. */
export type RepliesTo<Commands extends readonly CommandWords[], T extends Text, P extends Protocol> = {
  -readonly [I in keyof Commands]: ReplyTo<Commands[I], T, P> | ReplyError;
};

/** What was published. */
export interface Message<T extends Text = string> {
  readonly channel: T;
  readonly message: T;
  /** The pattern that the channel matches, of a subscription to patterns. */
  readonly pattern?: T;
}
