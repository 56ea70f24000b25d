/** CLIENT LIST and CLIENT INFO: sessions in Redis's words. */
import { isWord, type Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { command } from '../../engine/command.ts';
import { describe } from '../../engine/describe.ts';
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
    c.reply.error(`ERR Unknown client type '${c.arg(3).shown()}'`);
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
