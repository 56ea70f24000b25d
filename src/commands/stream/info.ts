/** XINFO: how a stream, its groups and consumers stand. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, block, bytes, integer, key, optional, token } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { IdCursor, idtSize } from '../../structures/idtree.ts';
import { StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerCount,
  consumerPending,
  consumerSeen,
  consumersOf,
  groupCount,
  groupFind,
  groupLast,
  groupPending,
  groupRead,
  groupsOf,
  nameOf,
} from '../../values/stream-group.ts';
import { Group, Stream } from '../../values/stream-layout.ts';
import { lagOf, replyCounter, replyEntry } from './common.ts';
import { replyId } from './ids.ts';
import { pendingOf } from './read.ts';

const id = new StreamId();
const name = new Slice();

/** The stream at argument 2; null when an error has been replied. */
function open(c: Call): StreamValue | null {
  const stream = c.streamForRead(2);
  if (stream === null) c.reply.error('ERR no such key');
  return stream ?? null;
}

function replyRead(c: Call, stream: StreamValue, group: Addr): void {
  const { reply, memory } = c;
  reply.bulkText('entries-read');
  if (groupRead(memory, group) === -1) reply.null();
  else replyCounter(reply, memory, group, Group.readHigh);
  reply.bulkText('lag');
  const lag = lagOf(stream, group);
  if (lag === null) reply.null();
  else reply.bigint(lag);
}

function groups(c: Call): void {
  const stream = open(c);
  if (stream === null) return;
  const { reply, memory } = c;
  const all = groupsOf(memory, stream.root);
  reply.array(all.length);
  for (const group of all) {
    reply.map(6);
    reply.bulkText('name');
    reply.bulk(nameOf(memory, group, name));
    reply.bulkText('consumers');
    reply.int(consumerCount(memory, group));
    reply.bulkText('pending');
    reply.int(idtSize(memory, groupPending(memory, group)));
    reply.bulkText('last-delivered-id');
    replyId(reply, groupLast(memory, group, id));
    replyRead(c, stream, group);
  }
}

function consumers(c: Call): void {
  const stream = open(c);
  if (stream === null) return;
  const { reply, memory } = c;
  const group = groupFind(memory, stream.root, c.arg(3));
  if (group === NULL) {
    reply.error(`NOGROUP No such consumer group '${c.arg(3).shown()}' for key name '${c.arg(2).shown()}'`);
    return;
  }
  const all = consumersOf(memory, group);
  reply.array(all.length);
  for (const consumer of all) {
    reply.map(3);
    reply.bulkText('name');
    reply.bulk(nameOf(memory, consumer, name));
    reply.bulkText('pending');
    reply.int(idtSize(memory, consumerPending(memory, consumer)));
    reply.bulkText('idle');
    reply.int(Math.max(c.now - consumerSeen(memory, consumer), 0));
  }
}

/** The number of elements that FULL shows of each list (0 for all), -1 without FULL; undefined when an error has been replied. */
function readFull(c: Call): number | undefined {
  if (c.argc === 3) return -1;
  if ((c.argc !== 4 && c.argc !== 6) || !isWord(c.arg(3), 'FULL') || (c.argc === 6 && !isWord(c.arg(4), 'COUNT'))) {
    c.unknownSubcommand(1);
    return undefined;
  }
  if (c.argc === 4) return 10;
  const count = c.integer(5);
  return count !== undefined && count < 0 ? 10 : count;
}

function streamInfo(c: Call): void {
  const stream = open(c);
  if (stream === null) return;
  const count = readFull(c);
  if (count === undefined) return;
  const { reply, memory } = c;
  reply.map(count < 0 ? 10 : 9);
  reply.bulkText('length');
  reply.int(stream.length);
  reply.bulkText('radix-tree-keys');
  reply.int(stream.nodeCount);
  reply.bulkText('radix-tree-nodes');
  reply.int(stream.radixNodes);
  reply.bulkText('last-generated-id');
  replyId(reply, stream.lastId(id));
  reply.bulkText('max-deleted-entry-id');
  replyId(reply, stream.maxDeletedId(id));
  reply.bulkText('entries-added');
  replyCounter(reply, memory, stream.root, Stream.addedHigh);
  reply.bulkText('recorded-first-entry-id');
  replyId(reply, stream.firstId(id));
  if (count < 0) {
    reply.bulkText('groups');
    reply.int(groupCount(memory, stream.root));
    replyEdge(c, stream, 'first-entry', false);
    replyEdge(c, stream, 'last-entry', true);
  } else {
    replyEntries(c, stream, count);
    replyGroups(c, stream, count);
  }
}

function replyEdge(c: Call, stream: StreamValue, label: string, reverse: boolean): void {
  c.reply.bulkText(label);
  const cursor = stream.cursor(null, null, reverse);
  if (cursor.next()) replyEntry(c.reply, cursor);
  else c.reply.null();
}

function replyEntries(c: Call, stream: StreamValue, count: number): void {
  const { reply } = c;
  reply.bulkText('entries');
  const handle = reply.deferArray();
  let shown = 0;
  for (const cursor = stream.cursor(); !(count > 0 && shown === count) && cursor.next(); shown++)
    replyEntry(reply, cursor);
  reply.settleArray(handle, shown);
}

function replyGroups(c: Call, stream: StreamValue, count: number): void {
  const { reply, memory } = c;
  const all = groupsOf(memory, stream.root);
  reply.bulkText('groups');
  reply.array(all.length);
  for (const group of all) {
    reply.map(7);
    reply.bulkText('name');
    reply.bulk(nameOf(memory, group, name));
    reply.bulkText('last-delivered-id');
    replyId(reply, groupLast(memory, group, id));
    replyRead(c, stream, group);
    replyPending(c, group, NULL, count);
    const members = consumersOf(memory, group);
    reply.bulkText('consumers');
    reply.array(members.length);
    for (const consumer of members) {
      reply.map(4);
      reply.bulkText('name');
      reply.bulk(nameOf(memory, consumer, name));
      reply.bulkText('seen-time');
      reply.int(consumerSeen(memory, consumer));
      replyPending(c, group, consumer, count);
    }
  }
}

/** What is pending in a group or, unless NULL, for one of its consumers. */
function replyPending(c: Call, group: Addr, consumer: Addr, count: number): void {
  const { reply, memory } = c;
  const tree = consumer === NULL ? groupPending(memory, group) : consumerPending(memory, consumer);
  reply.bulkText('pel-count');
  reply.int(idtSize(memory, tree));
  reply.bulkText('pending');
  const pending = pendingOf(c);
  const shown = count > 0 ? Math.min(count, idtSize(memory, tree)) : idtSize(memory, tree);
  reply.array(shown);
  const walk = new IdCursor(memory).first(memory, tree);
  for (let left = shown; left > 0; left--, walk.next()) {
    walk.id(id);
    if (consumer === NULL) pending.show(walk);
    else pending.find(group, id);
    reply.array(consumer === NULL ? 4 : 3);
    replyId(reply, id);
    if (consumer === NULL) reply.bulk(nameOf(memory, pending.consumer, name));
    reply.int(pending.time);
    if (Number.isSafeInteger(pending.count)) reply.int(pending.count);
    else reply.bigint(pending.exactCount);
  }
}

export const xinfo = command({
  name: 'XINFO',
  group: 'stream',
  since: '5.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Tells how streams, groups and consumers stand.',
  flags: [],
  subcommands: [
    command({
      name: 'CONSUMERS',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(N) in consumers.',
      summary: 'Lists the consumers of a group.',
      flags: ['readonly'],
      tips: ['nondeterministic_output'],
      args: [key('key', 'RO ACCESS'), bytes('groupname')],
      run: consumers,
    }),
    command({
      name: 'GROUPS',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(N) in groups.',
      summary: 'Lists the groups of a stream.',
      flags: ['readonly'],
      history: [['7.0.0', 'Tells entries-read and lag.']],
      args: [key('key', 'RO ACCESS')],
      run: groups,
    }),
    help(
      'XINFO',
      [
        'CONSUMERS <key> <groupname>',
        '    List the consumers of a group.',
        'GROUPS <key>',
        '    List the groups of a stream.',
        'STREAM <key> [FULL [COUNT <count>]]',
        '    Describe a stream; with FULL also its entries, groups and what is pending.',
      ],
      { group: 'stream', since: '5.0.0', categories: ['stream'] },
    ),
    command({
      name: 'STREAM',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(1) without FULL, else O(N) in what is shown.',
      summary: 'Describes a stream.',
      flags: ['readonly'],
      history: [
        ['6.0.0', 'Added FULL.'],
        ['7.0.0', 'Tells max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag.'],
      ],
      args: [
        key('key', 'RO ACCESS'),
        optional(block('full', token('full', 'FULL'), optional(after('COUNT', integer('count'))))),
      ],
      run: streamInfo,
    }),
  ],
});
