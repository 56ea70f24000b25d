/** RAFT, and what other commands do at a member of a group. */
import { parseInteger } from '../base/numbers.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { bytes, integer, optional } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import type { Session } from '../engine/session.ts';
import { Suspension } from '../engine/suspension.ts';
import { idOf } from './address.ts';
import { NOBODY } from './configuration.ts';
import { type Membership, membersSeen, memberText } from './membership.ts';
import { membershipOf } from './owners.ts';

const SINCE = '7.0.0';
const CHANGES: readonly CommandFlag[] = ['admin', 'noscript', 'no_multi', 'stale'];
const INQUIRES: readonly CommandFlag[] = ['admin', 'loading', 'stale'];

/** What those who wait will be told. */
const outcomes = new WeakMap<Session, (c: Call) => void>();

/** Lets the client wait for what `work` comes to, which says how it is told. */
function whenDone(c: Call, work: Promise<(c: Call) => void>): void {
  const { session } = c;
  const suspension = Suspension.waiting(c);
  void work.then((tell) => {
    if (!suspension.waits) return;
    outcomes.set(session, tell);
    suspension.goOn();
  });
}

function replyOutcome(c: Call, reason: string): void {
  if (reason === '') c.reply.ok();
  else c.reply.error(isCoded(reason) ? reason : `ERR ${reason}`);
}

/** Whether an error has a code of its own. */
function isCoded(reason: string): boolean {
  return /^[A-Z]+ /.test(reason);
}

type About = Omit<Command, 'group' | 'run' | 'since' | 'complexity'>;

function subcommand(about: About, run: (c: Call, membership: Membership) => void): Command {
  return command({
    complexity: 'O(1)',
    ...about,
    since: SINCE,
    group: 'cluster',
    run(c) {
      const tell = c.resuming ? outcomes.get(c.session) : undefined;
      if (tell !== undefined) tell(c);
      else run(c, membershipOf(c.engine));
    },
  });
}

/** Sends whoever asks a member that does not lead to the one that does; whether it was replied. */
function isElsewhere(c: Call, { shell, group }: Membership): boolean {
  if (shell.state?.leading != null) return false;
  c.reply.error(group.elsewhere(0, c.session));
  return true;
}

function replyNodes(c: Call, membership: Membership): void {
  const seen = membersSeen(membership, c.engine.server.settings);
  const last = membership.shell.state?.log.last ?? 0;
  c.reply.array(seen.length);
  for (const { id, address, leads, votes, alive, index } of seen) {
    const role = leads ? 'leader' : votes ? 'follower' : 'learner';
    c.reply.map(8);
    text(c, 'id', String(id));
    text(c, 'host', address.host);
    number(c, 'port', address.port);
    number(c, 'tls-port', address.tlsPort);
    number(c, 'bus-port', address.busPort);
    text(c, 'role', role);
    text(c, 'state', alive ? 'connected' : 'silent');
    number(c, 'lag', Math.max(0, last - index));
  }
}

function text(c: Call, name: string, value: string): void {
  c.reply.bulkText(name);
  c.reply.bulkText(value);
}

function number(c: Call, name: string, value: number): void {
  c.reply.bulkText(name);
  c.reply.int(value);
}

const HELP_LINES: readonly string[] = [
  'INIT',
  '    Begin a group with this server as its only member.',
  'JOIN <host> <port>',
  '    Enter the group of the server at <host> and <port>. This server must have no keys.',
  'ADMIT <id> <address>',
  '    Let a server in; those who JOIN ask for it.',
  'NODES',
  '    Return the members, each as a map.',
  'REMOVE <id>',
  '    Remove a member from the group.',
  'TRANSFER [<id>]',
  '    Let another member lead: this one, or that which has most of the log.',
];

const subcommands: readonly Command[] = [
  subcommand({ name: 'INIT', summary: 'Begins a group with this server as its only member.', flags: CHANGES }, (c, m) =>
    replyOutcome(c, m.init(c.session)),
  ),
  subcommand(
    {
      name: 'JOIN',
      summary: 'Enters the group of another server.',
      flags: CHANGES,
      args: [bytes('host'), integer('port')],
    },
    (c, m) => {
      const port = parseInteger(c.arg(3));
      if (!(port > 0 && port <= 65535)) return c.reply.error('ERR Invalid port');
      whenDone(
        c,
        m.join(c.arg(2).beginning(255), port).then((reason) => (d) => replyOutcome(d, reason)),
      );
    },
  ),
  subcommand(
    { name: 'ADMIT', summary: 'Lets a server into the group.', flags: CHANGES, args: [bytes('id'), bytes('address')] },
    (c, m) => {
      if (isElsewhere(c, m)) return;
      const admitted = m.admit(idOf(c.arg(2).shown()), c.arg(3).beginning(300));
      const tell = (d: Call, outcome: Awaited<typeof admitted>): void => {
        if (typeof outcome === 'string') {
          replyOutcome(d, outcome);
          return;
        }
        d.reply.array(outcome.length);
        for (const member of outcome) d.reply.bulkText(memberText(member));
      };
      whenDone(
        c,
        admitted.then((outcome) => (d) => tell(d, outcome)),
      );
    },
  ),
  subcommand({ name: 'NODES', summary: 'Lists the members of the group.', flags: INQUIRES }, replyNodes),
  subcommand(
    { name: 'REMOVE', summary: 'Removes a member from the group.', flags: CHANGES, args: [bytes('id')] },
    (c, m) => {
      if (isElsewhere(c, m)) return;
      const id = idOf(c.arg(2).shown());
      if (Number.isNaN(id)) return c.reply.error('ERR Invalid id');
      whenDone(
        c,
        m.shell.change({ kind: 'remove', id }).then((reason) => (d) => replyOutcome(d, reason)),
      );
    },
  ),
  subcommand(
    { name: 'TRANSFER', summary: 'Lets another member lead.', flags: CHANGES, args: [optional(bytes('id'))] },
    (c, m) => {
      if (c.argc > 3) return c.unknownSubcommand(1);
      if (isElsewhere(c, m)) return;
      const id = c.argc === 3 ? idOf(c.arg(2).shown()) : NOBODY;
      if (Number.isNaN(id)) return c.reply.error('ERR Invalid id');
      replyOutcome(c, m.shell.transfer(id));
    },
  ),
  help('RAFT', HELP_LINES, { group: 'cluster', since: SINCE }),
];

export const raftCommand: Command = command({
  name: 'RAFT',
  group: 'cluster',
  since: SINCE,
  complexity: 'Depends on the subcommand.',
  summary: 'Commands about the group that this server is a member of.',
  flags: [],
  subcommands,
});

/** What makes no sense here, as the group has all data from its log. */
export function refuseInGroup(c: Call): void {
  c.reply.error(`ERR ${c.registered.name.toUpperCase()} not allowed in a group of Raft.`);
}

/** WAIT: whatever was replied is on the disks of most members. */
export function waitInGroup(c: Call): void {
  if (c.integer(1) === undefined) return;
  const timeout = c.integerOr(2, 'ERR timeout is not an integer or out of range');
  if (timeout === undefined) return;
  if (timeout < 0) {
    c.reply.error('ERR timeout is negative');
    return;
  }
  const voters = membershipOf(c.engine).shell.configuration.filter(({ kind }) => kind === 'voter').length;
  c.reply.int(voters >> 1);
}
