/** CLIENT PAUSE and UNPAUSE. */
import { isWord } from '../../base/slice.ts';
import { command } from '../../engine/command.ts';
import { integer, oneOf, optional, token } from '../../engine/grammar.ts';

export const pause = command({
  name: 'PAUSE',
  group: 'connection',
  since: '2.9.50',
  complexity: 'O(1)',
  summary: 'Holds the commands of clients, or only those that write, for a time.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  history: [['6.2.0', 'Takes WRITE and ALL.']],
  args: [integer('timeout'), optional(oneOf('mode', token('write', 'WRITE'), token('all', 'ALL')), { since: '6.2.0' })],
  run(c) {
    let all = true;
    if (c.argc === 4) {
      if (isWord(c.arg(3), 'WRITE')) {
        all = false;
      } else if (!isWord(c.arg(3), 'ALL')) {
        c.reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
        return;
      }
    }
    const timeout = c.integerOr(2, 'ERR timeout is not an integer or out of range');
    if (timeout === undefined) return;
    if (timeout < 0) {
      c.reply.error('ERR timeout is negative');
      return;
    }
    c.engine.pause.begin(c.engine.clock.now() + timeout, all);
    c.reply.ok();
  },
});

export const unpause = command({
  name: 'UNPAUSE',
  group: 'connection',
  since: '6.2.0',
  complexity: 'O(N) in the clients held',
  summary: 'Ends a pause.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  run(c) {
    c.engine.pause.end();
    c.reply.ok();
  },
});
