/** GEOADD: positions stored as scores of a sorted set. */
import { Cell, STEP_MAX } from '../../base/geohash.ts';
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { bytes, double, key, manyOf, oneOf, optional, token } from '../../engine/grammar.ts';
import { ADD_IF_ABSENT, ADD_IF_PRESENT, ZSET_ADDED, ZSET_UPDATED } from '../../values/zset.ts';
import { position, readPosition } from './common.ts';

const cell = new Cell();

interface Options {
  flags: number;
  changed: boolean;
  /** Argument of the first position. */
  first: number;
}

function readOptions(c: Call): Options {
  const options: Options = { flags: 0, changed: false, first: 2 };
  for (; options.first < c.argc; options.first++) {
    const word = c.arg(options.first);
    if (isWord(word, 'NX')) options.flags |= ADD_IF_ABSENT;
    else if (isWord(word, 'XX')) options.flags |= ADD_IF_PRESENT;
    else if (isWord(word, 'CH')) options.changed = true;
    else break;
  }
  return options;
}

/** What others are told: the same as a ZADD. */
function propagate(c: Call, first: number, scores: readonly number[]): void {
  const parts: (string | number | Slice)[] = ['zadd'];
  for (let i = 1; i < first; i++) parts.push(c.arg(i));
  scores.forEach((score, i) => {
    parts.push(String(score), c.arg(first + i * 3 + 2));
  });
  c.rewrite(...parts);
}

export const geoadd = command({
  name: 'GEOADD',
  group: 'geo',
  since: '3.2.0',
  complexity: 'O(log(N)) for each member.',
  summary: 'Adds members with their positions to a sorted set, creating it when absent.',
  flags: ['write', 'denyoom'],
  history: [['6.2.0', 'Added the `CH`, `NX` and `XX` options.']],
  args: [
    key('key', 'RW UPDATE'),
    { ...optional(oneOf('condition', token('nx', 'NX'), token('xx', 'XX'))), since: '6.2.0' },
    optional(token('change', 'CH', { since: '6.2.0' })),
    manyOf('longitude_latitude_member', double('longitude'), double('latitude'), bytes('member')),
  ],
  run(c) {
    const { flags, changed, first } = readOptions(c);
    const rest = c.argc - first;
    if (rest % 3 !== 0 || flags === (ADD_IF_ABSENT | ADD_IF_PRESENT)) {
      c.syntaxError();
      return;
    }
    const scores: number[] = [];
    for (let i = first; i < c.argc; i += 3) {
      if (!readPosition(c, i)) return;
      scores.push(cell.enclose(position.longitude, position.latitude, STEP_MAX).score);
    }
    if (rest === 0) {
      c.syntaxError();
      return;
    }
    const zset = c.zsetForWrite(1, (flags & ADD_IF_PRESENT) === 0);
    if (zset === undefined) return;
    let added = 0;
    let updated = 0;
    for (let i = 0; zset !== null && i < scores.length; i++) {
      const outcome = zset.add(c.arg(first + i * 3 + 2), scores[i], flags);
      if (outcome === ZSET_ADDED) added++;
      else if (outcome === ZSET_UPDATED) updated++;
    }
    c.reply.int(changed ? added + updated : added);
    if (added + updated === 0) return;
    c.changed(1, 'zadd', added + updated);
    if (c.propagates) propagate(c, first, scores);
  },
});
