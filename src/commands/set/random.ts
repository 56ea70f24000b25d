/** SRANDMEMBER and SPOP. */
import { parseInteger } from '../../base/numbers.ts';
import { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { integer, key, optional } from '../../engine/grammar.ts';
import { ENC_HASHTABLE } from '../../values/entry.ts';
import type { SetValue } from '../../values/set.ts';
import { readCount } from '../count.ts';
import { replyAll } from './members.ts';

const NOT_A_COUNT = 'ERR value is out of range, must be positive';

/** Members that one SREM of a propagated SPOP names at most. */
const PROPAGATED_BATCH = 1024;

const srandmember = command({
  name: 'SRANDMEMBER',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1) for one member, O(N) in the count.',
  summary: 'Answers with random members of a set.',
  flags: ['readonly'],
  tips: ['nondeterministic_output'],
  history: [['2.6.0', 'Added the count.']],
  args: [key('key', 'RO ACCESS'), optional(integer('count'), { since: '2.6.0' })],
  run(c) {
    if (c.argc > 3) {
      c.syntaxError();
      return;
    }
    if (c.argc === 3) {
      randomMembers(c);
      return;
    }
    const set = c.setForRead(1);
    if (set === undefined) return;
    if (set === null) c.reply.null();
    else c.reply.bulk(set.random(c.random));
  },
});

/** Negative counts are answered in runs of this many, so that no list of handles grows with the count. */
const RUN = 1000;

/** With a count: different members when it is positive, any as often as it comes up when it is negative. */
function randomMembers(c: Call): void {
  const count = readCount(c, 2);
  if (count === undefined) return;
  const set = c.setForRead(1);
  if (set === undefined) return;
  if (set === null || count === 0) {
    c.reply.array(0);
    return;
  }
  const handles: number[] = [];
  if (count < 0) {
    c.reply.array(-count);
    for (let left = -count; left > 0; left -= RUN) {
      const some = Math.min(left, RUN);
      set.pickAny(some, c.random, handles);
      for (let i = 0; i < some; i++) c.reply.bulk(set.show(handles[i]));
    }
    return;
  }
  if (count >= set.length) {
    c.reply.array(set.length);
    const cursor = set.cursor();
    while (cursor.next()) c.reply.bulk(cursor.member);
    return;
  }
  set.pick(count, c.random, handles);
  c.reply.array(count);
  for (const handle of handles) c.reply.bulk(set.show(handle));
}

const spop = command({
  name: 'SPOP',
  group: 'set',
  since: '1.0.0',
  complexity: 'O(1) for one member, O(N) in the count.',
  summary: 'Removes random members from a set and answers with them.',
  flags: ['write', 'fast'],
  tips: ['nondeterministic_output'],
  history: [['3.2.0', 'Added the count.']],
  args: [key('key', 'RW ACCESS DELETE'), optional(integer('count'), { since: '3.2.0' })],
  run(c) {
    if (c.argc > 3) {
      c.syntaxError();
      return;
    }
    if (c.argc === 3) {
      popMembers(c);
      return;
    }
    const set = c.setForWrite(1, false);
    if (set === undefined) return;
    if (set === null) {
      c.reply.null();
      return;
    }
    popped.like(set.random(c.random));
    // The event comes before the reply, and the member goes only after that: it lies in the set.
    c.changed(1, 'spop');
    c.reply.bulk(popped);
    if (c.propagates) c.rewrite('SREM', c.arg(1), popped);
    set.remove(popped);
    c.dropEmpty(1, set);
  },
});

const popped = new Slice();

function popMembers(c: Call): void {
  const count = parseInteger(c.arg(2));
  if (!(count >= 0)) {
    c.reply.error(NOT_A_COUNT);
    return;
  }
  const set = c.setForWrite(1, false);
  if (set === undefined) return;
  if (set === null || count === 0) {
    c.reply.set(0);
    return;
  }
  const length = set.length;
  if (count >= length) {
    c.changed(1, 'spop', length);
    replyAll(c, set);
    c.remove(1);
    c.changed(1, 'del', 0);
    if (c.propagates) c.rewrite('DEL', c.arg(1));
    return;
  }
  c.reply.set(count);
  popSome(c, set, count);
  c.changed(1, 'spop', count);
}

function popSome(c: Call, set: SetValue, count: number): void {
  const handles: number[] = [];
  set.pick(count, c.random, handles);
  // Handles of an intset are indexes: from the last on, those to come stay where they are.
  if (set.encoding !== ENC_HASHTABLE) handles.sort((a, b) => b - a);
  let batch: (string | Slice)[] = [];
  for (const handle of handles) {
    popped.like(set.show(handle));
    c.reply.bulk(popped);
    if (c.propagates) {
      batch.push(new Slice(popped.copy()));
      if (batch.length === PROPAGATED_BATCH) {
        c.rewrite('SREM', c.arg(1), ...batch);
        batch = [];
      }
    }
    set.remove(popped);
  }
  if (batch.length > 0) c.rewrite('SREM', c.arg(1), ...batch);
}

export const RANDOM_COMMANDS: readonly Command[] = [srandmember, spop];
