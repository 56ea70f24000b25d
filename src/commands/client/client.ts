/** CLIENT and its small subcommands. */
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type CommandFlag, command } from '../../engine/command.ts';
import { bytes, integer, oneOf, optional, token } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { replyTimeout } from '../../engine/session.ts';
import { kill } from './kill.ts';
import { info, list } from './list.ts';
import { pause, unpause } from './pause.ts';
import { TRACKING_HELP, trackingCommands } from './tracking.ts';

const PLAIN: readonly CommandFlag[] = ['noscript', 'loading', 'stale'];
const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale'];

/** Names the connection; false when an error has been replied. An empty name is none. */
export function setName(c: Call, name: Slice): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = name.at(i);
    if (byte >= 33 && byte <= 126) continue;
    c.reply.error('ERR Client names cannot contain spaces, newlines or special characters.');
    return false;
  }
  c.session.name = name.latin1();
  return true;
}

const id = command({
  name: 'ID',
  group: 'connection',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Tells the id of this connection.',
  flags: PLAIN,
  categories: ['connection'],
  run(c) {
    c.reply.int(c.session.id);
  },
});

const getname = command({
  name: 'GETNAME',
  group: 'connection',
  since: '2.6.9',
  complexity: 'O(1)',
  summary: 'Tells the name of this connection.',
  flags: PLAIN,
  categories: ['connection'],
  run(c) {
    if (c.session.name === '') c.reply.null();
    else c.reply.bulkText(c.session.name);
  },
});

const setname = command({
  name: 'SETNAME',
  group: 'connection',
  since: '2.6.9',
  complexity: 'O(1)',
  summary: 'Names this connection.',
  flags: PLAIN,
  categories: ['connection'],
  args: [bytes('connection-name')],
  run(c) {
    if (setName(c, c.arg(2))) c.reply.ok();
  },
});

const reply = command({
  name: 'REPLY',
  group: 'connection',
  since: '3.2.0',
  complexity: 'O(1)',
  summary: 'Turns replies to this connection off, or skips that to the next command.',
  flags: PLAIN,
  categories: ['connection'],
  args: [oneOf('on_off_skip', token('on', 'ON'), token('off', 'OFF'), token('skip', 'SKIP'))],
  run(c) {
    const { session } = c;
    if (isWord(c.arg(2), 'ON')) {
      session.replyOff = false;
      // Of SKIP before it in the same transaction it takes nothing back.
      if (session.replySkip === 'this') session.replySkip = 'no';
      c.reply.suppressed = false;
      c.reply.ok();
    } else if (isWord(c.arg(2), 'OFF')) {
      session.replyOff = true;
      c.reply.suppressed = true;
    } else if (isWord(c.arg(2), 'SKIP')) {
      if (!session.replyOff && session.replySkip !== 'refused') session.replySkip = 'next';
    } else {
      c.syntaxError();
    }
  },
});

const noEvict = command({
  name: 'NO-EVICT',
  group: 'connection',
  since: '7.0.0',
  complexity: 'O(1)',
  summary: 'Exempts this connection from the eviction of clients.',
  flags: ADMIN,
  categories: ['connection'],
  args: [oneOf('enabled', token('on', 'ON'), token('off', 'OFF'))],
  run(c) {
    const on = isWord(c.arg(2), 'ON');
    if (!on && !isWord(c.arg(2), 'OFF')) return c.syntaxError();
    c.session.noEvict = on;
    if (c.engine.clientMemory.active) c.engine.clientMemory.measure(c.session);
    c.reply.ok();
  },
});

const unblock = command({
  name: 'UNBLOCK',
  group: 'connection',
  since: '5.0.0',
  complexity: 'O(1)',
  summary: 'Ends the wait of a connection in a blocking command.',
  flags: ADMIN,
  categories: ['connection'],
  args: [integer('client-id'), optional(oneOf('timeout_error', token('timeout', 'TIMEOUT'), token('error', 'ERROR')))],
  run(c) {
    let error = false;
    if (c.argc === 4) {
      error = isWord(c.arg(3), 'ERROR');
      if (!error && !isWord(c.arg(3), 'TIMEOUT')) {
        c.reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
        return;
      }
    } else if (c.argc > 4) {
      c.unknownSubcommand(1);
      return;
    }
    const target = c.integer(2);
    if (target === undefined) return;
    const session = c.engine.sessions.get(target);
    const waiter = session?.waiter;
    if (!session || !waiter || waiter.firm) {
      c.reply.int(0);
      return;
    }
    if (error) session.reply.error('UNBLOCKED client unblocked via CLIENT UNBLOCK');
    else replyTimeout(session, waiter.onTimeout);
    c.engine.interruptWait(session, error);
    c.reply.int(1);
  },
});

/** What the subcommands of CLIENT say of themselves. */
const HELP = [
  ...TRACKING_HELP,
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
];

export const client = command({
  name: 'CLIENT',
  group: 'connection',
  since: '2.4.0',
  complexity: 'Depends on subcommand.',
  summary: 'Connections: who they are, and what is done to them.',
  flags: [],
  arity: -2,
  subcommands: [
    id,
    getname,
    setname,
    list,
    info,
    kill,
    reply,
    noEvict,
    unblock,
    pause,
    unpause,
    ...trackingCommands,
    help('CLIENT', HELP, { since: '5.0.0', group: 'connection' }),
  ],
});
