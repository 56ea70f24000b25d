/**
 * Numbered units of writing, of several types, some of them transactions or scripts; and whether what a server holds is
 * what the first so many units of each client make, none of them by half.
 */
const LARGE = 9000;
const KINDS = 8;
const SCRIPT = "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1])";

type Place = 'log' | 'twin' | 'set' | 'zset' | 'hash' | 'stream' | 'counter';

/** Where the number of a unit stands, by its kind: in two places where both are written together. */
const PLACES: readonly (readonly Place[])[] = [
  ['log', 'twin'],
  ['log'],
  ['log', 'twin'],
  ['set'],
  ['hash', 'twin'],
  ['zset'],
  ['stream'],
  ['counter', 'log'],
];

/** The commands of unit `n` of a client. */
export function unit(client: number, n: number): string[][] {
  const word = String(n);
  const key = (place: string): string => `${place}:${client}`;
  const together = (...commands: string[][]): string[][] => [['MULTI'], ...commands, ['EXEC']];
  const large = n % (3 * KINDS) === 0 ? [['SET', key('pad'), `${n} `.repeat(LARGE / word.length)]] : [];
  switch (n % KINDS) {
    case 0:
      return together(['RPUSH', key('log'), word], ...large, ['RPUSH', key('twin'), word]);
    case 1:
      return [['RPUSH', key('log'), word]];
    case 2:
      return [['EVAL', SCRIPT, '2', key('log'), key('twin'), word]];
    case 3:
      return [['SADD', key('set'), word]];
    case 4:
      return together(
        ['HSET', key('hash'), word, 'x'],
        ['SET', key('timed'), word, 'PX', '100000'],
        ['RPUSH', key('twin'), word],
      );
    case 5:
      return [['ZADD', key('zset'), word, word]];
    case 6:
      return [['XADD', key('stream'), `${word}-1`, 'n', word]];
    default:
      return together(['INCR', key('counter')], ['RPUSH', key('log'), word]);
  }
}

/** What to ask about a client. */
function questions(client: number): string[][] {
  return [
    ['LRANGE', `log:${client}`, '0', '-1'],
    ['LRANGE', `twin:${client}`, '0', '-1'],
    ['SMEMBERS', `set:${client}`],
    ['ZRANGE', `zset:${client}`, '0', '-1'],
    ['HKEYS', `hash:${client}`],
    ['XRANGE', `stream:${client}`, '-', '+'],
    ['GET', `counter:${client}`],
  ];
}

export function questionsFor(clients: number): string[][] {
  return Array.from({ length: clients }, (_, client) => questions(client)).flat();
}

const QUESTIONS = questions(0).length;

function numbersOf(replies: readonly unknown[]): Map<Place, number[]> {
  const [log, twin, set, zset, hash, stream] = replies.slice(0, 6) as string[][];
  const ids = (stream as unknown as [string, unknown][]).map(([id]) => Number.parseInt(id, 10));
  const sorted = (words: readonly string[]): number[] => words.map(Number).sort((a, b) => a - b);
  return new Map<Place, number[]>([
    ['log', log.map(Number)],
    ['twin', twin.map(Number)],
    ['set', sorted(set)],
    ['zset', zset.map(Number)],
    ['hash', sorted(hash)],
    ['stream', ids],
  ]);
}

/** How many units of each client a server holds, or what is wrong with that. */
export function unitsHeld(replies: readonly unknown[]): number[] | string {
  const held: number[] = [];
  for (let client = 0; client * QUESTIONS < replies.length; client++) {
    const own = replies.slice(client * QUESTIONS, (client + 1) * QUESTIONS);
    const error = own.find((reply) => typeof reply === 'string' && reply.startsWith('-'));
    if (error !== undefined) return `client ${client}: ${error}`;
    const numbers = numbersOf(own);
    const last = Math.max(0, ...[...numbers.values()].map((list) => list.at(-1) ?? 0));
    for (const [place, list] of numbers) {
      const expected = expectedIn(place, last);
      if (String(list) !== String(expected))
        return `client ${client}: of ${last} units, ${place} holds ${list.slice(-5)} of ${expected.slice(-5)}, ${list.length} of ${expected.length}`;
    }
    const count = Number(own[6] ?? 0);
    const counted = expectedIn('counter', last).length;
    if (count !== counted) return `client ${client}: of ${last} units, counter is ${count} and not ${counted}`;
    held.push(last);
  }
  return held;
}

function expectedIn(place: Place, last: number): number[] {
  const all: number[] = [];
  for (let n = 1; n <= last; n++) if (PLACES[n % KINDS].includes(place)) all.push(n);
  return all;
}

/** What is wrong, if anything, with what a server holds, where by client so many units must be there and so many may. */
export function shortfall(
  replies: readonly unknown[],
  promised: readonly number[],
  issued: readonly number[],
): string | null {
  const held = unitsHeld(replies);
  if (typeof held === 'string') return held;
  for (let client = 0; client < held.length; client++) {
    if (held[client] < promised[client])
      return `lost: client ${client} has ${held[client]} of ${promised[client]} promised`;
    if (held[client] > issued[client])
      return `client ${client} has ${held[client]}, more than the ${issued[client]} issued`;
  }
  return null;
}
