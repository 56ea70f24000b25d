/** ACL: users, what they may do, and what they were denied. */
import { isWord, shownText } from '../../base/slice.ts';
import { DEFAULT_USER } from '../../engine/acl/acl.ts';
import { faultText, hasSpaces, joinSelectors } from '../../engine/acl/fault.ts';
import { type AclLogEntry, reasonOf } from '../../engine/acl/log.ts';
import { ALLOWED, DENIED_COMMAND, DENIED_KEY, type Selector } from '../../engine/acl/selector.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, type CommandFlag, command } from '../../engine/command.ts';
import { CATEGORIES } from '../../engine/derive.ts';
import { bytes, integer, many, oneOf, optional, token } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import type { Registered } from '../../engine/table.ts';
import { load, save } from './file.ts';

const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale'];
const PLAIN: readonly CommandFlag[] = ['noscript', 'loading', 'stale'];
const LOG_COUNT = 10;
const PASSWORD_BITS = 256;
const PASSWORD_BITS_MAX = 4096;

function words(c: Call, from: number): string[] {
  const found: string[] = [];
  for (let i = from; i < c.argc; i++) found.push(c.arg(i).latin1());
  return found;
}

function replyTexts(c: Call, texts: readonly string[]): void {
  c.reply.array(texts.length);
  for (const text of texts) c.reply.bulkText(text);
}

const cat = command({
  name: 'CAT',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Lists the categories of commands, or the commands of one.',
  flags: PLAIN,
  args: [optional(bytes('categoryname'))],
  run(c) {
    if (c.argc > 3) return c.unknownSubcommand(1);
    if (c.argc === 2) return replyTexts(c, CATEGORIES);
    const members = c.engine.acl.commands.ofCategory(c.arg(2).keyword());
    if (!members) c.reply.error(`ERR Unknown category '${c.arg(2).shown()}'`);
    else
      replyTexts(
        c,
        members.map((registered) => registered.name),
      );
  },
});

const deluser = command({
  name: 'DELUSER',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(1) for each user, and O(N) in the connections',
  summary: 'Removes users and closes their connections.',
  flags: ADMIN,
  args: [many(bytes('username'))],
  run(c) {
    const names = words(c, 2);
    if (names.includes(DEFAULT_USER)) {
      c.reply.error("ERR The 'default' user cannot be removed");
      return;
    }
    c.reply.int(names.filter((name) => c.engine.acl.deleteUser(name, c.session)).length);
  },
});

/** The command that the arguments from `from` on name. */
function commandAt(c: Call, from: number): Registered | undefined {
  const registered = c.engine.table.find(c.arg(from));
  if (!registered?.subcommands || from + 1 >= c.argc) return registered;
  return registered.subcommands.find(c.arg(from + 1));
}

const dryrun = command({
  name: 'DRYRUN',
  group: 'server',
  since: '7.0.0',
  complexity: 'O(1)',
  summary: 'Tells whether a user may run a command, without running it.',
  flags: ADMIN,
  args: [bytes('username'), bytes('command'), optional(many(bytes('arg')))],
  run(c) {
    const { acl } = c.engine;
    const user = acl.find(c.arg(2));
    if (!user) {
      c.reply.error(`ERR User '${c.arg(2).shown()}' not found`);
      return;
    }
    const registered = commandAt(c, 3);
    if (!registered) {
      c.reply.error(`ERR Command '${c.arg(3).shown()}' not found`);
      return;
    }
    const args = c.args.slice(3, c.argc);
    const { arity } = registered;
    if (arity > 0 ? arity !== args.length : args.length < -arity) {
      c.reply.error(`ERR wrong number of arguments for '${registered.name}' command`);
      return;
    }
    const verdict = acl.checkUser(user, registered, args, args.length);
    if (verdict === ALLOWED) c.reply.ok();
    else if (verdict === DENIED_COMMAND)
      c.reply.bulkText(`This user has no permissions to run the '${registered.name}' command`);
    else {
      const kind = verdict === DENIED_KEY ? 'key' : 'channel';
      c.reply.bulkText(`This user has no permissions to access the '${args[acl.deniedAt].shown()}' ${kind}`);
    }
  },
});

const genpass = command({
  name: 'GENPASS',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Makes a password that nobody can guess.',
  flags: PLAIN,
  args: [optional(integer('bits'))],
  run(c) {
    if (c.argc > 3) return c.unknownSubcommand(1);
    const bits = c.argc === 3 ? c.integer(2) : PASSWORD_BITS;
    if (bits === undefined) return;
    if (bits <= 0 || bits > PASSWORD_BITS_MAX) {
      c.reply.error(
        'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ' +
          PASSWORD_BITS_MAX,
      );
      return;
    }
    const digits = Math.ceil(bits / 4);
    c.reply.bulkText(
      c.engine.server.environment.ids
        .secret(Math.ceil(digits / 2))
        .toString('hex')
        .slice(0, digits),
    );
  },
});

function replySelector(c: Call, selector: Selector): void {
  c.reply.bulkText('commands');
  c.reply.bulkText(selector.describeCommands());
  c.reply.bulkText('keys');
  c.reply.bulkText(selector.describeKeys());
  c.reply.bulkText('channels');
  c.reply.bulkText(selector.describeChannels());
}

const getuser = command({
  name: 'GETUSER',
  group: 'server',
  since: '6.0.0',
  complexity: "O(N) in the user's passwords and rules",
  summary: 'Describes a user.',
  flags: ADMIN,
  history: [
    ['6.2.0', 'Shows channel patterns.'],
    ['7.0.0', 'Shows selectors, and patterns in the form of rules.'],
  ],
  args: [bytes('username')],
  run(c) {
    const user = c.engine.acl.find(c.arg(2));
    if (!user) {
      c.reply.null();
      return;
    }
    const [own, ...others] = user.selectors;
    c.reply.map(6);
    c.reply.bulkText('flags');
    const flags = user.flags();
    c.reply.set(flags.length);
    for (const flag of flags) c.reply.bulkText(flag);
    c.reply.bulkText('passwords');
    replyTexts(c, user.passwords);
    replySelector(c, own);
    c.reply.bulkText('selectors');
    c.reply.array(others.length);
    for (const selector of others) {
      c.reply.map(3);
      replySelector(c, selector);
    }
  },
});

const list = command({
  name: 'LIST',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the users',
  summary: 'Lists all users as a configuration file would.',
  flags: ADMIN,
  run(c) {
    replyTexts(
      c,
      c.engine.acl.list().map((user) => `user ${user.name} ${user.describe()}`),
    );
  },
});

function replyEntry(c: Call, entry: AclLogEntry, now: number): void {
  const { reply } = c;
  reply.map(7);
  reply.bulkText('count');
  reply.int(entry.count);
  reply.bulkText('reason');
  reply.bulkText(reasonOf(entry));
  reply.bulkText('context');
  reply.bulkText(entry.context);
  reply.bulkText('object');
  reply.bulkText(entry.object);
  reply.bulkText('username');
  reply.bulkText(entry.user);
  reply.bulkText('age-seconds');
  reply.double((now - entry.time) / 1000);
  reply.bulkText('client-info');
  reply.bulkText(entry.client);
}

const log = command({
  name: 'LOG',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the entries shown',
  summary: 'Shows what users were denied of late.',
  flags: ADMIN,
  args: [optional(oneOf('operation', integer('count'), token('reset', 'RESET')))],
  run(c) {
    if (c.argc > 3) return c.unknownSubcommand(1);
    const denials = c.engine.acl.log;
    if (c.argc === 3 && isWord(c.arg(2), 'RESET')) {
      denials.reset();
      c.reply.ok();
      return;
    }
    const count = c.argc === 3 ? c.integer(2) : LOG_COUNT;
    if (count === undefined) return;
    const entries = denials.latest(count);
    const now = c.engine.clock.now();
    c.reply.array(entries.length);
    for (const entry of entries) replyEntry(c, entry, now);
  },
});

const setuser = command({
  name: 'SETUSER',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the rules',
  summary: 'Creates a user, or changes what it may do.',
  flags: ADMIN,
  history: [
    ['6.2.0', 'Takes channel patterns.'],
    ['7.0.0', 'Takes selectors, and key patterns for reading or writing alone.'],
  ],
  args: [bytes('username'), optional(many(bytes('rule')))],
  run(c) {
    const [name, ...rules] = words(c, 2);
    if (hasSpaces(name)) {
      c.reply.error("ERR Usernames can't contain spaces or null characters");
      return;
    }
    const joined = joinSelectors(rules);
    if (typeof joined === 'number') {
      c.reply.error(`ERR Unmatched parenthesis in acl selector starting at '${rules[joined]}'.`);
      return;
    }
    const refused = c.engine.acl.setUser(name, joined, c.session);
    if (refused)
      c.reply.error(`ERR Error in ACL SETUSER modifier '${shownText(refused.rule)}': ${faultText(refused.fault)}`);
    else c.reply.ok();
  },
});

const users = command({
  name: 'USERS',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(N) in the users',
  summary: 'Lists the names of all users.',
  flags: ADMIN,
  run(c) {
    replyTexts(
      c,
      c.engine.acl.list().map((user) => user.name),
    );
  },
});

const whoami = command({
  name: 'WHOAMI',
  group: 'server',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Tells the name of the user that this connection is.',
  flags: PLAIN,
  run(c) {
    if (c.session.user) c.reply.bulkText(c.session.user.name);
    else c.reply.null();
  },
});

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
];

export const aclCommands: readonly Command[] = [
  command({
    name: 'ACL',
    group: 'server',
    since: '6.0.0',
    complexity: 'Depends on the subcommand.',
    summary: 'Users and their permissions.',
    flags: [],
    subcommands: [
      cat,
      deluser,
      dryrun,
      genpass,
      getuser,
      list,
      load,
      log,
      save,
      setuser,
      users,
      whoami,
      help('ACL', HELP, { since: '6.0.0' }),
    ],
  }),
];
