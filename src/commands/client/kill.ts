/** CLIENT KILL, in its old and its new form. */
import { isText, isWord, type Slice } from '../../base/slice.ts';
import type { User } from '../../engine/acl/user.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { after, bytes, integer, many, oneOf, optional, token } from '../../engine/grammar.ts';
import type { SessionType } from '../../engine/roles.ts';
import type { Session } from '../../engine/session.ts';
import { typeNamed } from './list.ts';

/** What a session must be to be killed; a filter that wasn't given is null. */
interface Filters {
  id: number | null;
  type: SessionType | null;
  address: Slice | null;
  localAddress: Slice | null;
  user: User | null;
  skipMe: boolean;
}

function fits(session: Session, filters: Filters): boolean {
  return (
    (filters.address === null || isText(filters.address, session.port.address)) &&
    (filters.localAddress === null || isText(filters.localAddress, session.port.localAddress)) &&
    (filters.type === null || session.type === filters.type) &&
    (filters.id === null || session.id === filters.id) &&
    (filters.user === null || session.user === filters.user)
  );
}

/** Reads one filter and its value at `i`; false when an error has been replied. */
function readFilter(c: Call, i: number, filters: Filters): boolean {
  const option = c.arg(i);
  if (i + 1 >= c.argc) {
    c.syntaxError();
    return false;
  }
  const value = c.arg(i + 1);
  if (isWord(option, 'ID')) {
    const id = c.integerOr(i + 1, 'ERR client-id should be greater than 0');
    if (id !== undefined && id < 1) c.reply.error('ERR client-id should be greater than 0');
    filters.id = id ?? 0;
    return filters.id >= 1;
  }
  if (isWord(option, 'TYPE')) {
    filters.type = typeNamed(value) ?? null;
    if (filters.type === null) c.reply.error(`ERR Unknown client type '${value.shown()}'`);
    return filters.type !== null;
  }
  if (isWord(option, 'USER')) {
    filters.user = c.engine.acl.find(value) ?? null;
    if (filters.user === null) c.reply.error(`ERR No such user '${value.shown()}'`);
    return filters.user !== null;
  }
  if (isWord(option, 'ADDR')) filters.address = value;
  else if (isWord(option, 'LADDR')) filters.localAddress = value;
  else if (isWord(option, 'SKIPME') && (isWord(value, 'YES') || isWord(value, 'NO')))
    filters.skipMe = isWord(value, 'YES');
  else {
    c.syntaxError();
    return false;
  }
  return true;
}

export const kill = command({
  name: 'KILL',
  group: 'connection',
  since: '2.4.0',
  complexity: 'O(N) in the connections',
  summary: 'Closes connections.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  arity: -3,
  history: [
    ['2.8.12', 'Takes filters.'],
    ['2.8.12', 'Takes ID.'],
    ['3.2.0', 'TYPE knows masters.'],
    ['5.0.0', 'TYPE knows replicas by that name.'],
    ['6.2.0', 'Takes LADDR.'],
  ],
  args: [
    oneOf(
      'filter',
      bytes('ip:port', { deprecatedSince: '2.8.12' }),
      many(
        oneOf(
          'new-format',
          optional(after('ID', integer('client-id')), { since: '2.8.12' }),
          optional(
            after(
              'TYPE',
              oneOf(
                'normal_master_slave_pubsub',
                token('normal', 'NORMAL'),
                token('master', 'MASTER', { since: '3.2.0' }),
                token('slave', 'SLAVE'),
                token('replica', 'REPLICA', { since: '5.0.0' }),
                token('pubsub', 'PUBSUB'),
              ),
            ),
            { since: '2.8.12' },
          ),
          optional(after('USER', bytes('username'))),
          optional(after('ADDR', bytes('ip:port'))),
          optional(after('LADDR', bytes('ip:port')), { since: '6.2.0' }),
          optional(after('SKIPME', bytes('yes/no'))),
        ),
      ),
    ),
  ],
  run(c) {
    const filters: Filters = { id: null, type: null, address: null, localAddress: null, user: null, skipMe: true };
    const old = c.argc === 3;
    if (old) {
      filters.address = c.arg(2);
      filters.skipMe = false;
    } else {
      for (let i = 2; i < c.argc; i += 2) if (!readFilter(c, i, filters)) return;
    }
    let killed = 0;
    let self = false;
    for (const session of c.engine.sessions.values()) {
      if (session.closing || !fits(session, filters)) continue;
      if (session === c.session) {
        if (filters.skipMe) continue;
        self = true;
      } else {
        c.engine.kill(session);
      }
      killed++;
    }
    if (!old) c.reply.int(killed);
    else if (killed > 0) c.reply.ok();
    else c.reply.error('ERR No such client');
    if (self) c.session.closeAfterReply();
  },
});
