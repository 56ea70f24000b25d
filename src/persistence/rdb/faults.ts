/**
 * What can be wrong with a snapshot, in Redis's words.
 *
 * redis-check-rdb prints beside each the line of rdb.c that found it (Debian's 7.0.15), and scripts look for such lines in
 * logs; so the number is part of the message.
 */
import { RdbError } from './format.ts';

export interface Fault {
  readonly line: number;
  readonly text: string;
}

const fault = (line: number, text: string): Fault => ({ line, text });

export const BAD_LENGTH = fault(236, 'Unknown length encoding 2 in rdbLoadLen()');
export const UNKNOWN_FORM = fault(529, 'Unknown RDB string encoding type');
export const BAD_LZF = fault(413, 'Invalid LZF compressed string');
export const TOO_MANY_MEMBERS = fault(1785, 'OOM in dictTryExpand');
export const TOO_MANY_SCORES = fault(1851, 'OOM in dictTryExpand');
export const TOO_MANY_FIELDS = fault(1996, 'OOM in dictTryExpand');
export const SAME_INTEGER = fault(1809, 'Duplicate set members detected');
export const SAME_MEMBER = fault(1829, 'Duplicate set members detected');
export const SCORE_NAN = fault(1882, 'Zset with NAN score detected');
export const SAME_SCORED = fault(1894, 'Duplicate zset fields detected');
export const SAME_FIELD = fault(1951, 'Hash with dup elements');
export const SAME_FIELD_OF_MANY = fault(2019, 'Duplicate hash fields detected');
export const BAD_CONTAINER = fault(2048, 'Quicklist integrity check failed.');
export const BAD_LIST_LISTPACK = fault(2071, 'Listpack integrity check failed.');
export const BAD_LIST_NODE = fault(2081, 'Ziplist integrity check failed.');
export const BAD_ZIPMAP = fault(2130, 'Zipmap integrity check failed.');
export const SAME_ZIPMAP_FIELD = fault(2154, 'Hash zipmap with dup elements, or big length');
export const BAD_LIST_ZIPLIST = fault(2189, 'List ziplist integrity check failed.');
export const BAD_INTSET = fault(2214, 'Intset integrity check failed.');
export const BAD_ZSET_ZIPLIST = fault(2229, 'Zset ziplist integrity check failed.');
export const BAD_ZSET_LISTPACK = fault(2255, 'Zset listpack integrity check failed.');
export const BAD_HASH_ZIPLIST = fault(2275, 'Hash ziplist integrity check failed.');
export const BAD_HASH_LISTPACK = fault(2301, 'Hash listpack integrity check failed.');
/** Of later versions than Redis 7.0's, which has no line for it. */
export const BAD_SET_LISTPACK = fault(0, 'Set listpack integrity check failed.');

export const BAD_NODE_KEY = fault(2343, 'Stream node key entry is not the size of a stream ID');
export const BAD_NODE = fault(2362, 'Stream listpack integrity check failed.');
export const SAME_NODE = fault(2386, 'Listpack re-added with existing key');
export const NO_NODES = fault(2430, 'Stream length inconsistent with rax entries');
export const SAME_GROUP = fault(2480, 'Duplicated consumer group name');
export const SAME_PENDING = fault(2516, 'Duplicated global PEL entry loading stream consumer group');
export const SAME_CONSUMER = fault(2543, 'Duplicate stream consumer detected.');
export const NOT_PENDING = fault(2573, 'Consumer entry not found in group global PEL');
export const OWNED = fault(2583, 'Stream consumer PEL entry already has a consumer assigned');
export const UNOWNED = fault(2611, 'Stream CG PEL entry without consumer');
export const UNKNOWN_MODULE = fault(2636, "The RDB file contains module data I can't load: no matching module type");

export const SHORT_MODULE = fault(2622, 'Short read module id');
export const BAD_MODULE_INTEGER = fault(1540, 'Error reading integer from module');
export const BAD_MODULE_STRING = fault(1546, 'Error reading string from module');
export const BAD_MODULE_FLOAT = fault(1553, 'Error reading float from module');
export const BAD_MODULE_DOUBLE = fault(1559, 'Error reading double from module');

/** What a stream was being read for when its bytes ended. */
export const SHORT_NODES = fault(2327, 'Stream listpacks len loading failed.');
export const SHORT_NODE_KEY = fault(2338, 'Stream master ID loading failed: invalid encoding or I/O error.');
export const SHORT_NODE = fault(2355, 'Stream listpacks loading failed.');
export const SHORT_COUNTERS = fault(2424, 'Stream object metadata loading failed.');
export const SHORT_GROUPS = fault(2438, 'Stream cgroup count loading failed.');
export const SHORT_GROUP = fault(2449, 'Error reading the consumer group name from Stream');
export const SHORT_GROUP_ID = fault(2458, 'Stream cgroup ID loading failed.');
export const SHORT_GROUP_READ = fault(2469, 'Stream cgroup offset loading failed.');
export const SHORT_PENDING = fault(2495, 'Stream PEL size loading failed.');
export const SHORT_PENDING_ID = fault(2502, 'Stream PEL ID loading failed.');
export const SHORT_PENDING_REST = fault(2510, 'Stream PEL NACK loading failed.');
export const SHORT_CONSUMERS = fault(2527, 'Stream consumers num loading failed.');
export const SHORT_CONSUMER = fault(2534, 'Error reading the consumer name from Stream group.');
export const SHORT_SEEN = fault(2549, 'Stream short read reading seen time.');
export const SHORT_OWN = fault(2558, 'Stream consumer PEL num loading failed.');
export const SHORT_OWN_ID = fault(2566, 'Stream short read reading PEL streamID.');

/** Throws for bytes that are not what they should be; `rest` ends the message. */
export function damaged(what: Fault, rest = ''): never {
  throw new RdbError('corrupt', what.text + rest, what.line);
}

/** The error for bytes that ended within a stream. */
export function cutShort(what: Fault): RdbError {
  return new RdbError('short', what.text, what.line);
}
