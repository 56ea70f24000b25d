/** XGROUP and XACK: groups, consumers, and the end of what is pending. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, bytes, integer, key, many, oneOf, optional, token } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { StreamId } from '../../structures/stream-id.ts';
import type { StreamValue } from '../../values/stream.ts';
import {
  consumerCreate,
  consumerDelete,
  consumerFind,
  groupCreate,
  groupDestroy,
  groupFind,
  groupSetLast,
  groupSetRead,
} from '../../values/stream-group.ts';
import { told } from './common.ts';
import { idAt, isDollar, parseId } from './ids.ts';
import { pendingOf } from './read.ts';

const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM ' +
  'option to create an empty stream automatically.';

const id = new StreamId();
const given = { makes: false, read: -1n };

/** Options of CREATE and SETID from argument 5 on; false when an error has been replied. */
function readOptions(c: Call, creates: boolean): boolean {
  given.makes = false;
  given.read = -1n;
  for (let i = 5; i < c.argc; i++) {
    if (creates && isWord(c.arg(i), 'MKSTREAM')) given.makes = true;
    else if (i + 1 < c.argc && isWord(c.arg(i), 'ENTRIESREAD')) {
      const read = c.int64(++i);
      if (read === undefined) return false;
      given.read = read;
      if (read < -1n) {
        c.reply.error('ERR value for ENTRIESREAD must be positive or -1');
        return false;
      }
    } else {
      c.unknownSubcommand(1);
      return false;
    }
  }
  return true;
}

/** The stream at argument 2; undefined when an error has been replied, null where it may be absent and is. */
function open(c: Call, mayBeAbsent = false): StreamValue | null | undefined {
  const stream = c.streamForWrite(2, false);
  if (stream !== null || mayBeAbsent) return stream;
  c.reply.error(NO_KEY);
  return undefined;
}

/** The group at argument 3 of a stream; NULL when an error has been replied. */
function groupAt(c: Call, stream: StreamValue): Addr {
  const group = groupFind(c.memory, stream.root, c.arg(3));
  if (group === NULL)
    c.reply.error(`NOGROUP No such consumer group '${c.arg(3).shown()}' for key name '${c.arg(2).shown()}'`);
  return group;
}

function create(c: Call): void {
  if (!readOptions(c, true)) return;
  let stream = open(c, given.makes);
  if (stream === undefined) return;
  if (c.argc > 8) {
    c.unknownSubcommand(1);
    return;
  }
  if (isDollar(c, 4)) {
    if (stream === null) id.toLowest();
    else stream.lastId(id);
  } else if (!idAt(c, 4, id)) return;
  const absent = stream === null;
  stream ??= c.streamForWrite(2) ?? null;
  if (stream === null) return;
  if (groupCreate(c.memory, stream.root, c.arg(3), id, given.read) === NULL) {
    c.reply.error('BUSYGROUP Consumer Group name already exists');
    return;
  }
  c.reply.ok();
  if (absent) c.changed(2, 'xgroup-create');
  else told(c, 2, 'xgroup-create');
}

function setId(c: Call): void {
  if (!readOptions(c, false)) return;
  const stream = open(c);
  if (!stream) return;
  const group = groupAt(c, stream);
  if (group === NULL) return;
  if (c.argc !== 5 && c.argc !== 7) {
    c.unknownSubcommand(1);
    return;
  }
  if (isDollar(c, 4)) stream.lastId(id);
  else if (!idAt(c, 4, id, false)) return;
  groupSetLast(c.memory, group, id);
  groupSetRead(c.memory, group, given.read);
  c.reply.ok();
  told(c, 2, 'xgroup-setid');
}

function destroy(c: Call): void {
  const stream = open(c);
  if (!stream) return;
  if (!groupDestroy(c.memory, stream.root, c.arg(3))) {
    c.reply.int(0);
    return;
  }
  c.reply.int(1);
  told(c, 2, 'xgroup-destroy');
  // Who waits for the group is to hear of its end.
  c.engine.blocking.signal(c.db, c.arg(2), c.hashOf(2));
}

function createConsumer(c: Call): void {
  const stream = open(c);
  if (!stream) return;
  const group = groupAt(c, stream);
  if (group === NULL) return;
  const fresh = consumerFind(c.memory, group, c.arg(4)) === NULL;
  if (fresh) {
    consumerCreate(c.memory, group, c.arg(4), c.now);
    told(c, 2, 'xgroup-createconsumer');
  }
  c.reply.int(fresh ? 1 : 0);
}

function deleteConsumer(c: Call): void {
  const stream = open(c);
  if (!stream) return;
  const group = groupAt(c, stream);
  if (group === NULL) return;
  const consumer = consumerFind(c.memory, group, c.arg(4));
  if (consumer === NULL) {
    c.reply.int(0);
    return;
  }
  const pending = consumerDelete(c.memory, group, consumer);
  told(c, 2, 'xgroup-delconsumer');
  c.reply.int(pending);
}

const idOrNew = oneOf('id', bytes('id'), token('new_id', '$'));
const entriesRead = optional(after('ENTRIESREAD', integer('entries_read')), { since: '7.0.0' });

function subcommand(
  name: string,
  access: string,
  summary: string,
  run: (c: Call) => void,
  more: Partial<Command> = {},
): Command {
  return command({
    name,
    group: 'stream',
    since: '5.0.0',
    complexity: 'O(1)',
    summary,
    flags: ['write'],
    run,
    ...more,
    args: [key('key', access), bytes('groupname'), ...(more.args ?? [])],
  });
}

export const xgroup = command({
  name: 'XGROUP',
  group: 'stream',
  since: '5.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Makes, changes and removes consumer groups.',
  flags: [],
  subcommands: [
    subcommand('CREATE', 'RW INSERT', 'Makes a consumer group.', create, {
      flags: ['write', 'denyoom'],
      history: [['7.0.0', 'Added ENTRIESREAD.']],
      args: [idOrNew, optional(token('mkstream', 'MKSTREAM')), entriesRead],
    }),
    subcommand('CREATECONSUMER', 'RW INSERT', 'Makes a consumer of a group.', createConsumer, {
      since: '6.2.0',
      flags: ['write', 'denyoom'],
      args: [bytes('consumername')],
    }),
    subcommand('DELCONSUMER', 'RW DELETE', 'Removes a consumer and what is pending for it.', deleteConsumer, {
      args: [bytes('consumername')],
    }),
    subcommand('DESTROY', 'RW DELETE', 'Removes a consumer group.', destroy, {
      complexity: 'O(N) in the entries that are pending.',
    }),
    help(
      'XGROUP',
      [
        'CREATE <key> <groupname> <id|$> [MKSTREAM] [ENTRIESREAD <n>]',
        '    Make a group that begins behind <id>, or behind the last entry with $.',
        'CREATECONSUMER <key> <groupname> <consumer>',
        '    Make a consumer of a group.',
        'DELCONSUMER <key> <groupname> <consumer>',
        '    Remove a consumer; tells how many entries were pending for it.',
        'DESTROY <key> <groupname>',
        '    Remove a group.',
        'SETID <key> <groupname> <id|$> [ENTRIESREAD <n>]',
        '    Let a group go on behind <id>.',
      ],
      { group: 'stream', since: '5.0.0', categories: ['stream'] },
    ),
    subcommand('SETID', 'RW UPDATE', 'Sets the ID behind which a group goes on.', setId, {
      history: [['7.0.0', 'Added ENTRIESREAD.']],
      args: [idOrNew, entriesRead],
    }),
  ],
});

export const xack = command({
  name: 'XACK',
  group: 'stream',
  since: '5.0.0',
  complexity: 'O(1) for each ID.',
  summary: 'Says that entries have been dealt with: they are pending no more.',
  flags: ['write', 'fast'],
  args: [key('key', 'RW UPDATE'), bytes('group'), many(bytes('id'))],
  run(c) {
    const stream = c.streamForRead(1);
    if (stream === undefined) return;
    const { memory } = c;
    const group = stream === null ? NULL : groupFind(memory, stream.root, c.arg(2));
    if (group === NULL) {
      c.reply.int(0);
      return;
    }
    for (let i = 3; i < c.argc; i++) if (!idAt(c, i, id)) return;
    const pending = pendingOf(c);
    let done = 0;
    for (let i = 3; i < c.argc; i++) {
      parseId(c.arg(i), id, false, true);
      if (!pending.find(group, id)) continue;
      pending.drop(group, id);
      done++;
    }
    c.dirty += done;
    c.reply.int(done);
  },
});
