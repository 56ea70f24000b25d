/**
 * Keyspace events: the class of each, so that whoever reports a change gives its name only.
 *
 * Class letters are those of notify-keyspace-events: g generic, $ string, l list, s set, h hash, z sorted set, x expired,
 * e evicted, t stream, d module, m key miss, n new key; K and E choose the channels, A stands for g$lshzxetd.
 */
export const NOTIFY_KEYSPACE = 1 << 0;
export const NOTIFY_KEYEVENT = 1 << 1;
export const NOTIFY_GENERIC = 1 << 2;
export const NOTIFY_STRING = 1 << 3;
export const NOTIFY_LIST = 1 << 4;
export const NOTIFY_SET = 1 << 5;
export const NOTIFY_HASH = 1 << 6;
export const NOTIFY_ZSET = 1 << 7;
export const NOTIFY_EXPIRED = 1 << 8;
export const NOTIFY_EVICTED = 1 << 9;
export const NOTIFY_STREAM = 1 << 10;
export const NOTIFY_KEY_MISS = 1 << 11;
export const NOTIFY_MODULE = 1 << 13;
export const NOTIFY_NEW = 1 << 14;
const NOTIFY_ALL =
  NOTIFY_GENERIC |
  NOTIFY_STRING |
  NOTIFY_LIST |
  NOTIFY_SET |
  NOTIFY_HASH |
  NOTIFY_ZSET |
  NOTIFY_EXPIRED |
  NOTIFY_EVICTED |
  NOTIFY_STREAM |
  NOTIFY_MODULE;

const LETTERS: readonly (readonly [letter: string, bit: number])[] = [
  ['g', NOTIFY_GENERIC],
  ['$', NOTIFY_STRING],
  ['l', NOTIFY_LIST],
  ['s', NOTIFY_SET],
  ['h', NOTIFY_HASH],
  ['z', NOTIFY_ZSET],
  ['x', NOTIFY_EXPIRED],
  ['e', NOTIFY_EVICTED],
  ['t', NOTIFY_STREAM],
  ['d', NOTIFY_MODULE],
  ['n', NOTIFY_NEW],
];

const CLASSES: readonly (readonly [bit: number, events: string])[] = [
  [NOTIFY_GENERIC, 'del expire persist rename_from rename_to move_from move_to copy_to restore touch'],
  [NOTIFY_STRING, 'set setrange append incrby decrby incrbyfloat setbit'],
  [NOTIFY_LIST, 'lpush rpush lpop rpop linsert lset lrem ltrim sortstore'],
  [NOTIFY_SET, 'sadd srem spop sinterstore sunionstore sdiffstore'],
  [NOTIFY_HASH, 'hset hdel hincrby hincrbyfloat'],
  [
    NOTIFY_ZSET,
    'zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zunionstore zinterstore ' +
      'zdiffstore zrangestore zunion zinter zdiff georadiusstore geosearchstore',
  ],
  [
    NOTIFY_STREAM,
    'xadd xdel xtrim xsetid xgroup-create xgroup-setid xgroup-destroy xgroup-createconsumer xgroup-delconsumer xclaim',
  ],
  [NOTIFY_EXPIRED, 'expired'],
  [NOTIFY_EVICTED, 'evicted'],
  [NOTIFY_KEY_MISS, 'keymiss'],
  [NOTIFY_NEW, 'new'],
];

const CLASS_OF = new Map(CLASSES.flatMap(([bit, events]) => events.split(' ').map((event) => [event, bit] as const)));

/** The class bit of an event. */
export function eventClass(event: string): number {
  return CLASS_OF.get(event) ?? NOTIFY_GENERIC;
}

/** The bits that a setting of notify-keyspace-events stands for, undefined where a letter is none of its. */
export function parseEventClasses(text: string): number | undefined {
  let bits = 0;
  for (const letter of text) {
    if (letter === 'A') bits |= NOTIFY_ALL;
    else if (letter === 'K') bits |= NOTIFY_KEYSPACE;
    else if (letter === 'E') bits |= NOTIFY_KEYEVENT;
    else if (letter === 'm') bits |= NOTIFY_KEY_MISS;
    else {
      const found = LETTERS.find(([l]) => l === letter);
      if (!found) return undefined;
      bits |= found[1];
    }
  }
  return bits;
}

/** The setting in the words of CONFIG GET: 'A' for all classes, then K and E, then m. */
export function eventClassesText(bits: number): string {
  let text = '';
  if ((bits & NOTIFY_ALL) === NOTIFY_ALL) text += 'A';
  else for (const [letter, bit] of LETTERS) if (bits & bit && bit !== NOTIFY_NEW) text += letter;
  if (bits & NOTIFY_NEW) text += 'n';
  if (bits & NOTIFY_KEYSPACE) text += 'K';
  if (bits & NOTIFY_KEYEVENT) text += 'E';
  if (bits & NOTIFY_KEY_MISS) text += 'm';
  return text;
}
