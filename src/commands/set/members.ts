/** Adding, removing, looking up and listing members. */
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, key, many } from '../../engine/grammar.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { type SetValue, setEntryMember } from '../../values/set.ts';
import { fetchMembers } from '../fetch.ts';
import { replyScan, type ScanOptions, scanArguments, scanEntries, scanValue, stepsOver } from '../scan.ts';

const shown = new Slice();

const sadd = command({
  name: 'SADD',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1) for each member.',
  summary: 'Adds members to a set, creating it when absent.',
  flags: ['write', 'denyoom', 'fast'],
  history: [['2.4.0', 'Takes several members.']],
  args: [key('key', 'RW INSERT'), many(bytes('member'))],
  run(c) {
    const set = c.setForWrite(1);
    if (!set) return;
    let added = 0;
    for (let i = 2, next = 2; i < c.argc; i++) {
      if (i === next) next = fetchMembers(c, set.dict, i);
      if (set.add(c.arg(i))) added++;
    }
    if (added > 0) c.changed(1, 'sadd', added);
    c.reply.int(added);
  },
});

const srem = command({
  name: 'SREM',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1) for each member.',
  summary: 'Removes members from a set, and the key with the last one.',
  flags: ['write', 'fast'],
  history: [['2.4.0', 'Takes several members.']],
  args: [key('key', 'RW DELETE'), many(bytes('member'))],
  run(c) {
    const set = c.setForWrite(1, false);
    if (set === undefined) return;
    let removed = 0;
    if (set !== null) {
      for (let i = 2; i < c.argc && set.length > 0; i++) if (set.remove(c.arg(i))) removed++;
      if (removed > 0) {
        c.changed(1, 'srem', removed);
        c.dropEmpty(1, set);
      }
    }
    c.reply.int(removed);
  },
});

const smove = command({
  name: 'SMOVE',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Moves a member from one set to another.',
  flags: ['write', 'fast'],
  args: [key('source', 'RW ACCESS DELETE'), key('destination', 'RW INSERT'), bytes('member')],
  run(c) {
    // Both keys are used, or go where their time is up, whatever the other holds.
    const from = c.findForWrite(1);
    const to = c.findForWrite(2);
    const source = c.setOf(from);
    if (source === undefined) return;
    if (source === null) {
      c.reply.int(0);
      return;
    }
    const target = c.setOf(to, 1);
    if (target === undefined) return;
    const member = c.arg(3);
    if (target !== null && target.root === source.root) {
      c.reply.int(source.has(member) ? 1 : 0);
      return;
    }
    if (!source.remove(member)) {
      c.reply.int(0);
      return;
    }
    c.changed(1, 'srem');
    c.dropEmpty(1, source);
    const added = target ?? c.setForWrite(2, true, 1);
    if (added?.add(member)) c.changed(2, 'sadd');
    c.reply.int(1);
  },
});

const sismember = command({
  name: 'SISMEMBER',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Tells whether a member is in a set.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO'), bytes('member')],
  run(c) {
    const set = c.setForRead(1);
    if (set === undefined) return;
    c.reply.int(set?.has(c.arg(2)) ? 1 : 0);
  },
});

const smismember = command({
  name: 'SMISMEMBER',
  group: 'set',
  since: '6.2.0',
  complexity: 'O(1) for each member.',
  summary: 'Tells of each of several members whether it is in a set.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), many(bytes('member'))],
  run(c) {
    const set = c.setForRead(1);
    if (set === undefined) return;
    c.reply.array(c.argc - 2);
    const dict = set?.dict ?? NULL;
    for (let i = 2, next = 2; i < c.argc; i++) {
      if (i === next) next = fetchMembers(c, dict, i);
      c.reply.int(set?.has(c.arg(i)) ? 1 : 0);
    }
  },
});

const scard = command({
  name: 'SCARD',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers with the number of members of a set.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const set = c.setForRead(1);
    if (set === undefined) return;
    c.reply.int(set === null ? 0 : set.length);
  },
});

const smembers = command({
  name: 'SMEMBERS',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(N) in members.',
  summary: 'Lists all members of a set.',
  flags: ['readonly'],
  tips: ['nondeterministic_output_order'],
  args: [key('key', 'RO ACCESS')],
  run(c) {
    const set = c.setForRead(1);
    if (set === undefined) return;
    if (set === null) c.reply.set(0);
    else replyAll(c, set);
  },
});

/** All members as a set. */
export function replyAll(c: Call, set: SetValue): void {
  const cursor = set.cursor();
  c.reply.set(set.length);
  while (cursor.next()) c.reply.bulk(cursor.member);
}

const sscan = command({
  name: 'SSCAN',
  group: 'set',
  since: '2.8.0',
  complexity: 'O(1) a call, O(N) for all members.',
  summary: 'Goes through the members of a set in steps.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  args: [key('key', 'RO ACCESS'), ...scanArguments],
  run(c) {
    scanValue(c, () => c.setForRead(1), scanHashtable, scanIntset);
  },
});

function scanHashtable(c: Call, set: SetValue, cursor: number, options: ScanOptions): void {
  const found: Addr[] = [];
  const next = scanEntries(stepsOver(c, set.root), cursor, options.count, found);
  const kept = found.filter((entry) => options.matches(setEntryMember(c.memory, entry, shown)));
  replyScan(c, next, kept.length);
  for (const entry of kept) c.reply.bulk(setEntryMember(c.memory, entry, shown));
}

/** All of it at once: an intset is small. */
function scanIntset(c: Call, set: SetValue, options: ScanOptions): void {
  let kept = 0;
  for (let i = 0; i < set.length; i++) if (options.matches(set.show(i))) kept++;
  replyScan(c, 0, kept);
  for (let i = 0; i < set.length; i++) {
    const member = set.show(i);
    if (options.matches(member)) c.reply.bulk(member);
  }
}

export const MEMBER_COMMANDS: readonly Command[] = [sadd, srem, smove, sismember, smismember, scard, smembers, sscan];
