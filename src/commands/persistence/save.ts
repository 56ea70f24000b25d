/** SAVE, BGSAVE, LASTSAVE. */
import { isWord } from '../../base/slice.ts';
import { command } from '../../engine/command.ts';
import { optional, token } from '../../engine/grammar.ts';
import type { BackgroundSave } from '../../engine/persistence-port.ts';

const REPLIES: Readonly<Record<BackgroundSave, string>> = {
  started: '+Background saving started',
  scheduled: '+Background saving scheduled',
  saving: '-ERR Background save already in progress',
  busy: "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
  failed: '-ERR',
};

export const save = command({
  name: 'SAVE',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(N) in all keys',
  summary: 'Saves the data to disk while everything waits.',
  flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
  run(c) {
    const { persistence } = c.engine.server;
    if (persistence.saving) c.reply.error('ERR Background save already in progress');
    else if (persistence.save()) c.reply.ok();
    else c.reply.error('ERR');
  },
});

export const bgsave = command({
  name: 'BGSAVE',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Saves the data to disk in the background.',
  flags: ['admin', 'noscript', 'no_async_loading'],
  history: [['3.2.2', 'Takes SCHEDULE.']],
  args: [optional(token('schedule', 'SCHEDULE', { since: '3.2.2' }))],
  run(c) {
    if (c.argc > 2 || (c.argc === 2 && !isWord(c.arg(1), 'SCHEDULE'))) {
      c.syntaxError();
      return;
    }
    const reply = REPLIES[c.engine.server.persistence.backgroundSave(c.argc === 2, c.denyBlocking)];
    if (reply.startsWith('+')) c.reply.status(reply.slice(1));
    else c.reply.error(reply.slice(1));
  },
});

export const lastsave = command({
  name: 'LASTSAVE',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Tells when the data was last saved; the start, before a first save.',
  flags: ['loading', 'stale', 'fast'],
  categories: ['admin', 'dangerous'],
  tips: ['nondeterministic_output'],
  run(c) {
    c.reply.int(c.engine.server.persistence.lastSave);
  },
});
