/** Commands about the connection itself; CLIENT is in client/. */
import { isWord, type Slice, sliceOf } from '../base/slice.ts';
import { DEFAULT_USER } from '../engine/acl/acl.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { after, block, bytes, integer, optional } from '../engine/grammar.ts';
import { client, setName } from './client/client.ts';
import { replyModules } from './server/module.ts';

const HANDSHAKE: readonly CommandFlag[] = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'];
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';

const ping = command({
  name: 'PING',
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers PONG, or the message it was given.',
  flags: ['fast'],
  traits: ['for_subscribers', 'tells_disk_errors'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  args: [optional(bytes('message'))],
  run(c) {
    if (c.argc > 2) return c.wrongArity();
    if (c.session.subscriptions > 0 && c.reply.resp === 2) {
      c.reply.array(2);
      c.reply.bulkText('pong');
      if (c.argc === 2) c.reply.bulk(c.arg(1));
      else c.reply.bulkText('');
    } else if (c.argc === 1) {
      c.reply.status('PONG');
    } else {
      c.reply.bulk(c.arg(1));
    }
  },
});

const echo = command({
  name: 'ECHO',
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers the message it was given.',
  flags: ['loading', 'stale', 'fast'],
  args: [bytes('message')],
  run(c) {
    c.reply.bulk(c.arg(1));
  },
});

const select = command({
  name: 'SELECT',
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Turns the connection to another database.',
  flags: ['loading', 'stale', 'fast'],
  args: [integer('index')],
  run(c) {
    const index = c.integer(1);
    if (index === undefined) return;
    if (index < -2147483648 || index > 2147483647) {
      c.reply.error('ERR value is out of range, value must between -2147483648 and 2147483647');
      return;
    }
    if (index !== 0 && c.engine.membership.joined) {
      c.reply.error('ERR SELECT is not allowed in cluster mode');
      return;
    }
    const db = c.engine.keyspaces.databases[index];
    if (db === undefined) {
      c.reply.error('ERR DB index is out of range');
      return;
    }
    c.session.db = db;
    c.reply.ok();
  },
});

const quit = command({
  name: 'QUIT',
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Closes the connection once all replies are sent.',
  flags: HANDSHAKE,
  traits: ['for_subscribers', 'ends_transaction'],
  arity: -1,
  run(c) {
    c.reply.ok();
    c.session.closeAfterReply();
  },
});

const reset = command({
  name: 'RESET',
  group: 'connection',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Brings the connection back to the state in which it was opened.',
  flags: HANDSHAKE,
  traits: ['for_subscribers', 'ends_transaction'],
  run(c) {
    const { session, engine } = c;
    if (session.role.type !== 'normal') {
      c.reply.error('ERR can only reset normal client connections');
      return;
    }
    engine.release(session);
    session.db = engine.keyspaces.databases[0];
    session.resp = 2;
    session.name = '';
    session.readsReplica = false;
    session.ask('no');
    engine.acl.welcome(session);
    session.replyOff = false;
    // CLIENT REPLY SKIP before it keeps this reply back.
    if (session.replySkip === 'next') session.replySkip = 'no';
    c.reply.suppressed = session.replySkip === 'this';
    c.reply.status('RESET');
  },
});

/** Turns the session into the user's; false when an error has been replied. */
function authenticate(c: Call, user: Slice, password: Slice): boolean {
  const { acl } = c.engine;
  if (acl.authenticate(c.session, user, password)) return true;
  acl.authenticationFailed(c.session, user, c.arg(0));
  c.reply.error(WRONG_PASSWORD);
  return false;
}

const auth = command({
  name: 'AUTH',
  group: 'connection',
  since: '1.0.0',
  complexity: "O(N) in the user's passwords",
  summary: 'Proves who the client is.',
  flags: HANDSHAKE,
  history: [['6.0.0', 'Takes a username.']],
  args: [optional(bytes('username', { since: '6.0.0' })), bytes('password')],
  run(c) {
    if (c.argc > 3) return c.syntaxError();
    if (c.argc === 2 && c.engine.acl.defaultUser.nopass) {
      c.reply.error(
        'ERR AUTH <password> called without any password configured for the default user. ' +
          'Are you sure your configuration is correct?',
      );
      return;
    }
    const user = c.argc === 3 ? c.arg(1) : sliceOf(DEFAULT_USER);
    if (authenticate(c, user, c.arg(c.argc - 1))) c.reply.ok();
  },
});

const hello = command({
  name: 'HELLO',
  group: 'connection',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Chooses the protocol, and tells who is there.',
  flags: HANDSHAKE,
  history: [['6.2.0', 'The version may be left out, to be told only.']],
  args: [
    optional(
      block(
        'arguments',
        integer('protover'),
        optional(after('AUTH', block('username_password', bytes('username'), bytes('password')))),
        optional(after('SETNAME', bytes('clientname'))),
      ),
    ),
  ],
  run(c) {
    let version = 0;
    if (c.argc >= 2) {
      const asked = c.integerOr(1, 'ERR Protocol version is not an integer or out of range');
      if (asked === undefined) return;
      if (asked < 2 || asked > 3) {
        c.reply.error('NOPROTO unsupported protocol version');
        return;
      }
      version = asked;
    }
    if (!helloOptions(c)) return;
    if (!c.session.hasAuthenticated) {
      c.reply.error(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> ' +
          'option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
      return;
    }
    if (version !== 0) c.session.resp = version;
    replyHello(c);
  },
});

/** AUTH and SETNAME of HELLO, each at work as soon as it is read; false when an error has been replied. */
function helloOptions(c: Call): boolean {
  for (let i = 2; i < c.argc; i++) {
    const more = c.argc - 1 - i;
    const option = c.arg(i);
    if (isWord(option, 'AUTH') && more >= 2) {
      if (!authenticate(c, c.arg(i + 1), c.arg(i + 2))) return false;
      i += 2;
    } else if (isWord(option, 'SETNAME') && more >= 1) {
      if (!setName(c, c.arg(i + 1))) return false;
      i++;
    } else {
      c.reply.error(`ERR Syntax error in HELLO option '${option.shown()}'`);
      return false;
    }
  }
  return true;
}

/** Of a group only the leader that serves is a master. */
function isReplica({ membership, replication }: Call['engine']): boolean {
  return membership.group === null ? replication.isReplica : !membership.group.serves;
}

function replyHello(c: Call): void {
  const { reply, session } = c;
  const { version, mode } = c.engine.server;
  reply.map(mode === 'sentinel' ? 6 : 7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(version.text);
  reply.bulkText('proto');
  reply.int(reply.resp);
  reply.bulkText('id');
  reply.int(session.id);
  reply.bulkText('mode');
  reply.bulkText(mode);
  if (mode !== 'sentinel') {
    reply.bulkText('role');
    reply.bulkText(isReplica(c.engine) ? 'replica' : 'master');
  }
  reply.bulkText('modules');
  replyModules(c);
}

export const connectionCommands: readonly Command[] = [ping, echo, select, quit, reset, auth, hello, client];
