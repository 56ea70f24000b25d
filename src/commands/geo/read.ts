/** GEOPOS, GEODIST, GEOHASH: what is known of single members. */
import { Cell, distance, GEOHASH_LENGTH, writeGeohash } from '../../base/geohash.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { bytes, key, many, optional } from '../../engine/grammar.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { metresIn, replyDistance, replyPosition, unitArgument } from './common.ts';

const cell = new Cell();
const other = new Cell();
const text = new Uint8Array(GEOHASH_LENGTH);

/** Sends one reply for each member; `reply` gets its cell, or null for a member that is absent. */
function forMembers(c: Call, reply: (cell: Cell | null) => void): void {
  const zset = c.zsetForRead(1);
  if (zset === undefined) return;
  c.reply.array(c.argc - 2);
  for (let i = 2; i < c.argc; i++) {
    const score = zset === null ? Number.NaN : zset.score(c.arg(i));
    reply(Number.isNaN(score) ? null : cell.decode(score));
  }
}

export const geopos = command({
  name: 'GEOPOS',
  group: 'geo',
  since: '3.2.0',
  complexity: 'O(N) in the number of members asked for.',
  summary: 'Answers the positions of members.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), many(bytes('member'))],
  arity: -2,
  run(c) {
    forMembers(c, (found) => {
      if (found === null) c.reply.nullArray();
      else replyPosition(c.reply, found.centerLongitude, found.centerLatitude);
    });
  },
});

export const geohash = command({
  name: 'GEOHASH',
  group: 'geo',
  since: '3.2.0',
  complexity: 'O(log(N)) for each member asked for.',
  summary: 'Answers the positions of members as standard geohash texts.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), many(bytes('member'))],
  arity: -2,
  run(c) {
    forMembers(c, (found) => {
      if (found === null) {
        c.reply.null();
        return;
      }
      writeGeohash(text, found.centerLongitude, found.centerLatitude);
      c.reply.bulkBytes(text, 0, GEOHASH_LENGTH);
    });
  },
});

function replyDistanceOf(c: Call, zset: ZsetValue, metres: number): void {
  const from = zset.score(c.arg(2));
  const to = zset.score(c.arg(3));
  if (Number.isNaN(from) || Number.isNaN(to)) {
    c.reply.null();
    return;
  }
  cell.decode(from);
  other.decode(to);
  const apart = distance(cell.centerLongitude, cell.centerLatitude, other.centerLongitude, other.centerLatitude);
  replyDistance(c.reply, apart / metres);
}

export const geodist = command({
  name: 'GEODIST',
  group: 'geo',
  since: '3.2.0',
  complexity: 'O(log(N)).',
  summary: 'Answers how far two members are from each other.',
  flags: ['readonly'],
  args: [key('key', 'RO ACCESS'), bytes('member1'), bytes('member2'), optional(unitArgument)],
  run(c) {
    if (c.argc > 5) {
      c.syntaxError();
      return;
    }
    const metres = c.argc === 5 ? metresIn(c, 4) : 1;
    if (metres === undefined) return;
    const zset = c.zsetForRead(1);
    if (zset === undefined) return;
    if (zset === null) c.reply.null();
    else replyDistanceOf(c, zset, metres);
  },
});
