/**
 * Keyspace events: the class of each, so that whoever reports a change gives its name only. The bits are those that
 * notify-keyspace-events is parsed to.
 */
import { NOTIFY } from '../config/special.ts';

const CLASSES: readonly (readonly [bit: number, events: string])[] = [
  [NOTIFY.GENERIC, 'del expire persist rename_from rename_to move_from move_to copy_to restore touch'],
  [NOTIFY.STRING, 'set setrange append incrby decrby incrbyfloat setbit pfadd'],
  [NOTIFY.LIST, 'lpush rpush lpop rpop linsert lset lrem ltrim sortstore'],
  [NOTIFY.SET, 'sadd srem spop sinterstore sunionstore sdiffstore'],
  [NOTIFY.HASH, 'hset hdel hincrby hincrbyfloat'],
  [
    NOTIFY.ZSET,
    'zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zunionstore zinterstore ' +
      'zdiffstore zrangestore zunion zinter zdiff georadiusstore geosearchstore',
  ],
  [
    NOTIFY.STREAM,
    'xadd xdel xtrim xsetid xgroup-create xgroup-setid xgroup-destroy xgroup-createconsumer xgroup-delconsumer xclaim',
  ],
  [NOTIFY.EXPIRED, 'expired'],
  [NOTIFY.EVICTED, 'evicted'],
  [NOTIFY.KEY_MISS, 'keymiss'],
  [NOTIFY.NEW, 'new'],
  // A change that has no event: of no class, so never published.
  [0, ''],
];

const CLASS_OF = new Map(CLASSES.flatMap(([bit, events]) => events.split(' ').map((event) => [event, bit] as const)));

/** The class bit of an event. */
export function eventClass(event: string): number {
  return CLASS_OF.get(event) ?? NOTIFY.GENERIC;
}

/** Events of streams that leave less than there was: nobody who waits for more looks up. */
const TAKING_AWAY = new Set(['xdel', 'xtrim']);

export function isTakingAway(event: string): boolean {
  return TAKING_AWAY.has(event);
}

/** Events of keys that go without a client's doing. */
export const BY_NOBODY: ReadonlySet<string> = new Set(['expired', 'evicted']);
