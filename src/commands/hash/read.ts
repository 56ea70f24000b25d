/** Reading single fields, and counting. */
import { Slice } from '../../base/slice.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, key, many } from '../../engine/grammar.ts';
import { NULL } from '../../memory/address.ts';
import { fetchMembers } from '../fetch.ts';

const value = new Slice();

const hget = command({
  name: 'HGET',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: "Answers with a field's value.",
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), bytes('field')],
  run(c) {
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    if (hash?.get(c.arg(2), value)) c.reply.bulk(value);
    else c.reply.null();
  },
});

const hmget = command({
  name: 'HMGET',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1) for each field.',
  summary: 'Answers with the values of several fields.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO ACCESS'), many(bytes('field'))],
  run(c) {
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    c.reply.array(c.argc - 2);
    const dict = hash?.dict ?? NULL;
    for (let i = 2, next = 2; i < c.argc; i++) {
      if (i === next) next = fetchMembers(c, dict, i);
      if (hash?.get(c.arg(i), value)) c.reply.bulk(value);
      else c.reply.null();
    }
  },
});

const hexists = command({
  name: 'HEXISTS',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Tells whether a hash has a field.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO'), bytes('field')],
  run(c) {
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    c.reply.int(hash?.has(c.arg(2)) ? 1 : 0);
  },
});

const hlen = command({
  name: 'HLEN',
  group: 'hash',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Answers with the number of fields of a hash.',
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO')],
  run(c) {
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    c.reply.int(hash === null ? 0 : hash.length);
  },
});

const hstrlen = command({
  name: 'HSTRLEN',
  group: 'hash',
  since: '3.2.0',
  complexity: 'O(1)',
  summary: "Answers with the length in bytes of a field's value.",
  flags: ['readonly', 'fast'],
  args: [key('key', 'RO'), bytes('field')],
  run(c) {
    const hash = c.hashForRead(1);
    if (hash === undefined) return;
    c.reply.int(hash?.get(c.arg(2), value) ? value.length : 0);
  },
});

export const READ_COMMANDS: readonly Command[] = [hget, hmget, hexists, hlen, hstrlen];
