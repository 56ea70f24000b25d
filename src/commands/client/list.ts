/** CLIENT LIST and CLIENT INFO: sessions in Redis's words. */
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { memoryOf } from '../../engine/client-memory.ts';
import { command } from '../../engine/command.ts';
import { after, block, integer, many, oneOf, optional, token } from '../../engine/grammar.ts';
import type { SessionType } from '../../engine/roles.ts';
import type { Session } from '../../engine/session.ts';

/** The type that a word names, if it names one. */
export function typeNamed(word: Slice): SessionType | undefined {
  if (isWord(word, 'NORMAL')) return 'normal';
  if (isWord(word, 'SLAVE') || isWord(word, 'REPLICA')) return 'replica';
  if (isWord(word, 'PUBSUB')) return 'pubsub';
  return isWord(word, 'MASTER') ? 'master' : undefined;
}

function flagsOf(session: Session): string {
  let flags = session.monitor ? 'O' : session.role.letter;
  if (session.subscriptions > 0) flags += 'P';
  if (session.transaction) flags += 'x';
  if (session.waiter || session.postponed) flags += 'b';
  if (session.tracking) flags += 't';
  if (session.tracking?.broken) flags += 'R';
  if (session.tracking?.broadcast) flags += 'B';
  if (session.engine.watches.isTouched(session)) flags += 'd';
  if (session.closing) flags += 'c';
  if (session.port.unix) flags += 'U';
  if (session.noEvict) flags += 'e';
  return flags === '' ? 'N' : flags;
}

/** One line of CLIENT LIST, without its end. */
export function describe(session: Session, now: number): string {
  const { port, reply, transaction } = session;
  return [
    `id=${session.id}`,
    `addr=${port.address}`,
    `laddr=${port.localAddress}`,
    `fd=${port.fd}`,
    `name=${session.name}`,
    `age=${Math.floor((now - session.created) / 1000)}`,
    `idle=${Math.max(0, Math.floor((now - port.lastActive) / 1000))}`,
    `flags=${flagsOf(session)}`,
    `db=${session.db.index}`,
    `sub=${session.channels?.size ?? 0}`,
    `psub=${session.patterns?.size ?? 0}`,
    `ssub=${session.shardChannels?.size ?? 0}`,
    `multi=${transaction ? transaction.queue.length : -1}`,
    `qbuf=${port.queryBytes}`,
    `qbuf-free=${port.queryFree}`,
    `argv-mem=${port.argumentBytes}`,
    `multi-mem=${transaction?.bytes ?? 0}`,
    `rbs=${reply.nominal}`,
    `rbp=${reply.firstPeak}`,
    `obl=${reply.firstBytes}`,
    `oll=${reply.moreChunks}`,
    `omem=${reply.moreBytes}`,
    `tot-mem=${memoryOf(session)}`,
    `events=${reply.moreChunks > 0 ? 'rw' : 'r'}`,
    `cmd=${session.lastCommand?.name ?? 'NULL'}`,
    `user=${session.user}`,
    `redir=${session.tracking?.redirect ?? -1}`,
    `resp=${reply.resp}`,
  ].join(' ');
}

export const list = command({
  name: 'LIST',
  group: 'connection',
  since: '2.4.0',
  complexity: 'O(N) in the connections',
  summary: 'Lists the connections.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  tips: ['nondeterministic_output'],
  history: [
    ['2.8.12', 'Shows ids.'],
    ['5.0.0', 'Takes TYPE.'],
    ['6.0.0', 'Shows users.'],
    ['6.2.0', 'Shows argv-mem, tot-mem, laddr and redir; takes ID.'],
    ['7.0.0', 'Shows resp, multi-mem, rbs and rbp.'],
    ['7.0.3', 'Shows ssub.'],
  ],
  args: [
    optional(
      after(
        'TYPE',
        oneOf(
          'normal_master_replica_pubsub',
          token('normal', 'NORMAL'),
          token('master', 'MASTER'),
          token('replica', 'REPLICA'),
          token('pubsub', 'PUBSUB'),
        ),
      ),
      { since: '5.0.0' },
    ),
    optional(after('ID', block('id', many(integer('client-id')))), { since: '6.2.0' }),
  ],
  run(c) {
    const chosen = choose(c);
    if (chosen === undefined) return;
    const now = c.engine.clock.now();
    let text = '';
    for (const session of chosen) text += `${describe(session, now)}\n`;
    c.reply.verbatim(text);
  },
});

/** The sessions that the arguments ask for; undefined when an error has been replied. */
function choose(c: Call): Iterable<Session> | undefined {
  const { sessions } = c.engine;
  if (c.argc === 2) return sessions.values();
  if (c.argc === 4 && isWord(c.arg(2), 'TYPE')) {
    const type = typeNamed(c.arg(3));
    if (type !== undefined) return [...sessions.values()].filter((session) => session.type === type);
    c.reply.error(`ERR Unknown client type '${c.arg(3).latin1()}'`);
    return undefined;
  }
  if (c.argc > 3 && isWord(c.arg(2), 'ID')) {
    const chosen: Session[] = [];
    for (let i = 3; i < c.argc; i++) {
      const id = c.integerOr(i, 'ERR Invalid client ID');
      if (id === undefined) return undefined;
      const session = sessions.get(id);
      if (session) chosen.push(session);
    }
    return chosen;
  }
  c.syntaxError();
  return undefined;
}

export const info = command({
  name: 'INFO',
  group: 'connection',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Tells what CLIENT LIST would of this connection.',
  flags: ['noscript', 'loading', 'stale'],
  categories: ['connection'],
  tips: ['nondeterministic_output'],
  run(c) {
    c.reply.verbatim(`${describe(c.session, c.engine.clock.now())}\n`);
  },
});
