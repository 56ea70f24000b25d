/**
 * Redis's snapshot format, as far as its numbers go.
 *
 *   "REDIS0010"                                              magic and version
 *   fa key value ...                                         AUX: what the file says of itself
 *   f5 library                                               a library of functions
 *   fe db, fb keys expires                                   SELECTDB, RESIZEDB
 *   [fc ms-u64] [f8 idle | f9 freq-u8] type key value        a key; expiry and use before it
 *   ff crc64                                                 the end; a sum of 0 was not computed
 *
 * Lengths: 00xxxxxx, 01xxxxxx xxxxxxxx, 80 u32 (big-endian), 81 u64 (big-endian); 11xxxxxx is a string in another form:
 * c0 int8, c1 int16, c2 int32 (little-endian), c3 packed-length length bytes under LZF.
 */
import { REDIS_7_0 } from '../../base/version.ts';

/** The version that is written, and the newest that is read. */
export const VERSION_WRITTEN = REDIS_7_0.rdb;
export const VERSION_READ = 12;

export const STRING = 0;
export const LIST = 1;
export const SET = 2;
export const ZSET = 3;
export const HASH = 4;
export const ZSET_2 = 5;
export const MODULE = 6;
export const MODULE_2 = 7;
export const HASH_ZIPMAP = 9;
export const LIST_ZIPLIST = 10;
export const SET_INTSET = 11;
export const ZSET_ZIPLIST = 12;
export const HASH_ZIPLIST = 13;
export const LIST_QUICKLIST = 14;
export const STREAM_LISTPACKS = 15;
export const HASH_LISTPACK = 16;
export const ZSET_LISTPACK = 17;
export const LIST_QUICKLIST_2 = 18;
export const STREAM_LISTPACKS_2 = 19;
export const SET_LISTPACK = 20;
export const STREAM_LISTPACKS_3 = 21;

/** Whether a type byte names a value. */
export function isValueType(type: number): boolean {
  return type <= MODULE_2 || (type >= HASH_ZIPMAP && type <= STREAM_LISTPACKS_3);
}

export const OP_SLOT_INFO = 244;
export const OP_FUNCTION2 = 245;
export const OP_FUNCTION_PRE = 246;
export const OP_MODULE_AUX = 247;
export const OP_IDLE = 248;
export const OP_FREQ = 249;
export const OP_AUX = 250;
export const OP_RESIZEDB = 251;
export const OP_EXPIRY_MS = 252;
export const OP_EXPIRY = 253;
export const OP_SELECTDB = 254;
export const OP_EOF = 255;

/** Of a node of LIST_QUICKLIST_2. */
export const NODE_PLAIN = 1;
export const NODE_PACKED = 2;

/** The forms of a string that are no length. */
export const FORM_INT8 = 0;
export const FORM_INT16 = 1;
export const FORM_INT32 = 2;
export const FORM_LZF = 3;

/** Why bytes could not be read as a value or a file. */
export type RdbFault =
  /** They end too early. */
  | 'short'
  /** They are not what they should be. */
  | 'corrupt'
  /** A value without elements, which older versions could write: the key is skipped. */
  | 'empty'
  /** Not the beginning of a snapshot, or of a version that is not known. */
  | 'foreign'
  /** Understood, but nothing that this server can hold. */
  | 'refused';

export class RdbError extends Error {
  override name = 'RdbError';
  readonly fault: RdbFault;
  /** The line of Redis's own source that tells of this, which its tools print; 0 where it has none. */
  readonly line: number;
  /** The file that it is in, where it is known. */
  file: string | null = null;

  constructor(fault: RdbFault, message: string, line = 0) {
    super(message);
    this.fault = fault;
    this.line = line;
  }
}

/** Throws when bytes are not what they should be. */
export function corrupt(message: string): never {
  throw new RdbError('corrupt', message);
}
