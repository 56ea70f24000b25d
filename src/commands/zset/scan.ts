/** ZSCAN. */
import { formatDouble } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { key } from '../../engine/grammar.ts';
import type { Addr } from '../../memory/address.ts';
import { slMember, slScore } from '../../structures/skiplist.ts';
import type { ZsetValue } from '../../values/zset.ts';
import { zlScoreText } from '../../values/zset-listpack.ts';
import { replyScan, type ScanOptions, scanArguments, scanEntries, scanValue, stepsOver } from '../scan.ts';

const member = new Slice();

export const zscan = command({
  name: 'ZSCAN',
  group: 'sorted-set',
  since: '2.8.0',
  complexity: 'O(1) a call, O(N) for all N members.',
  summary: 'Goes through the members and scores of a sorted set, some a call.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  args: [key('key', 'RO ACCESS'), ...scanArguments],
  run(c) {
    scanValue(c, () => c.zsetForRead(1), scanNodes, scanPacked);
  },
});

function scanNodes(c: Call, zset: ZsetValue, cursor: number, options: ScanOptions): void {
  const found: Addr[] = [];
  const next = scanEntries(stepsOver(c, zset.dict), cursor, options.count, found);
  const m = c.memory;
  const nodes = options.pattern === null ? found : found.filter((node) => options.matches(slMember(m, node, member)));
  replyScan(c, next, nodes.length * 2);
  for (const node of nodes) {
    c.reply.bulk(slMember(m, node, member));
    c.reply.bulkText(formatDouble(slScore(m, node)));
  }
}

/** All of a listpack at once, with scores in the form in which it holds them. */
function scanPacked(c: Call, zset: ZsetValue, options: ScanOptions): void {
  let length = 0;
  for (const cursor = zset.cursor(); cursor.next(); ) if (options.matches(cursor.member)) length++;
  replyScan(c, 0, length * 2);
  for (const cursor = zset.cursor(); cursor.next(); ) {
    if (!options.matches(cursor.member)) continue;
    c.reply.bulk(cursor.member);
    c.reply.bulk(zlScoreText(cursor.score));
  }
}
