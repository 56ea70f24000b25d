/** COMMAND and its subcommands: what the command table says of itself. */
import { globMatch } from '../../base/glob.ts';
import { isWord, type Slice, sliceOf } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { categoryBit } from '../../engine/derive.ts';
import { bytes, many, oneOf, optional, pattern } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { findKeys, hasKeys } from '../../engine/keys.ts';
import type { Registered } from '../../engine/table.ts';
import { replyDocs } from './docs.ts';
import { accessWords, replyInfo } from './info.ts';
import { Remembered } from './remembered.ts';

const infos = new Remembered(replyInfo);
const documents = new Remembered(replyDocs);

function replyAll(c: Call): void {
  const all = c.engine.table.all();
  c.reply.array(all.length);
  for (const registered of all) infos.reply(c.reply, registered);
}

const count = command({
  name: 'COUNT',
  group: 'server',
  since: '2.8.13',
  complexity: 'O(1)',
  summary: 'Counts the commands.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  run(c) {
    c.reply.int(c.engine.table.size);
  },
});

const info = command({
  name: 'INFO',
  group: 'server',
  since: '2.8.13',
  complexity: 'O(N) when N is the number of commands to look up',
  summary: 'Describes commands: arity, flags, key positions, categories.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  tips: ['nondeterministic_output_order'],
  history: [['7.0.0', 'Allowed to be called with no argument to get info on all commands.']],
  args: [optional(many(bytes('command-name')))],
  run(c) {
    if (c.argc === 2) {
      replyAll(c);
      return;
    }
    c.reply.array(c.argc - 2);
    for (let i = 2; i < c.argc; i++) {
      const registered = c.engine.table.findByName(c.arg(i));
      if (registered) infos.reply(c.reply, registered);
      else c.reply.null();
    }
  },
});

const docs = command({
  name: 'DOCS',
  group: 'server',
  since: '7.0.0',
  complexity: 'O(N) when N is the number of commands to look up',
  summary: 'Documents commands: summary, history and arguments.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  tips: ['nondeterministic_output_order'],
  args: [optional(many(bytes('command-name')))],
  run(c) {
    const named: Registered[] = [];
    if (c.argc === 2) named.push(...c.engine.table.all());
    for (let i = 2; i < c.argc; i++) {
      const registered = c.engine.table.findByName(c.arg(i));
      if (registered) named.push(registered);
    }
    c.reply.map(named.length);
    for (const registered of named) {
      c.reply.bulkText(registered.name);
      documents.reply(c.reply, registered);
    }
  },
});

/** No module has a longer name. */
const LONGEST_NAME = 64;

type Filter = (registered: Registered) => boolean;

/** The filter that the arguments ask for; undefined when an error has been replied. */
function readFilter(c: Call): Filter | undefined {
  if (c.argc === 2) return () => true;
  if (c.argc !== 5 || !isWord(c.arg(2), 'FILTERBY')) {
    c.syntaxError();
    return undefined;
  }
  const by = c.arg(3);
  const value = c.arg(4);
  if (isWord(by, 'MODULE')) {
    const module = value.beginning(LONGEST_NAME);
    return (r) => r.command.module === module;
  }
  if (isWord(by, 'ACLCAT')) {
    const category = categoryBit(value.keyword().toLowerCase());
    return (r) => r.isOf(category);
  }
  if (isWord(by, 'PATTERN')) {
    return (r) => globMatch(value, sliceOf(r.name), true);
  }
  c.syntaxError();
  return undefined;
}

const list = command({
  name: 'LIST',
  group: 'server',
  since: '7.0.0',
  complexity: 'O(N) where N is the number of commands',
  summary: 'Lists the names of commands.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  tips: ['nondeterministic_output_order'],
  args: [
    optional({
      ...oneOf(
        'filterby',
        bytes('module-name', { token: 'MODULE' }),
        bytes('category', { token: 'ACLCAT' }),
        pattern('pattern', { token: 'PATTERN' }),
      ),
      token: 'FILTERBY',
    }),
  ],
  run(c) {
    const filter = readFilter(c);
    if (!filter) return;
    const names: string[] = [];
    for (const registered of c.engine.table.all()) {
      if (filter(registered)) names.push(registered.name);
      for (const sub of registered.subcommands?.all() ?? []) if (filter(sub)) names.push(sub.name);
    }
    c.reply.array(names.length);
    for (const name of names) c.reply.bulkText(name);
  },
});

function replyKeys(c: Call, withFlags: boolean): void {
  const args: Slice[] = [];
  for (let i = 2; i < c.argc; i++) args.push(c.arg(i));
  let registered = c.engine.table.find(args[0]);
  if (registered?.subcommands && args.length > 1) registered = registered.subcommands.find(args[1]);
  if (!registered) {
    c.reply.error('ERR Invalid command specified');
    return;
  }
  if (!hasKeys(registered)) {
    c.reply.error('ERR The command has no key arguments');
    return;
  }
  const { arity } = registered;
  if (arity > 0 ? arity !== args.length : args.length < -arity) {
    c.reply.error('ERR Invalid number of arguments specified for command');
    return;
  }
  const keys = findKeys(registered, args, args.length) ?? [];
  if (keys.length === 0 && !registered.command.flags.includes('no_mandatory_keys')) {
    c.reply.error('ERR Invalid arguments specified for command');
    return;
  }
  c.reply.array(keys.length);
  for (const { at, access } of keys) {
    if (!withFlags) {
      c.reply.bulk(args[at]);
      continue;
    }
    c.reply.array(2);
    c.reply.bulk(args[at]);
    const words = accessWords(access);
    c.reply.set(words.length);
    for (const word of words) c.reply.status(word);
  }
}

const getKeys = command({
  name: 'GETKEYS',
  group: 'server',
  since: '2.8.13',
  complexity: 'O(N) where N is the number of arguments to the command',
  summary: 'Picks the keys out of a whole command.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  args: [bytes('command'), optional(many(bytes('arg')))],
  arity: -4,
  run(c) {
    replyKeys(c, false);
  },
});

const getKeysAndFlags = command({
  name: 'GETKEYSANDFLAGS',
  group: 'server',
  since: '7.0.0',
  complexity: 'O(N) where N is the number of arguments to the command',
  summary: 'Picks the keys out of a whole command and tells what it does to each.',
  flags: ['loading', 'stale'],
  categories: ['connection'],
  args: [bytes('command'), optional(many(bytes('arg')))],
  arity: -4,
  run(c) {
    replyKeys(c, true);
  },
});

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
];

export const commandCommands: readonly Command[] = [
  command({
    name: 'COMMAND',
    group: 'server',
    since: '2.8.13',
    complexity: 'O(N) where N is the total number of Redis commands',
    summary: 'Describes all commands.',
    flags: ['loading', 'stale', 'sentinel'],
    categories: ['connection'],
    tips: ['nondeterministic_output_order'],
    arity: -1,
    subcommands: [
      count,
      info,
      docs,
      list,
      getKeys,
      getKeysAndFlags,
      help('COMMAND', HELP, { since: '5.0.0', categories: ['connection'] }),
    ],
    run(c) {
      if (c.argc === 1) replyAll(c);
      else c.reply.error(`ERR unknown subcommand '${c.arg(1).beginning(128)}'. Try COMMAND HELP.`);
    },
  }),
];
