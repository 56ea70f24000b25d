/** TIME, SHUTDOWN. */
import { isWord } from '../../base/slice.ts';
import { command } from '../../engine/command.ts';
import { oneOf, optional, token } from '../../engine/grammar.ts';

export const time = command({
  name: 'TIME',
  group: 'server',
  since: '2.6.0',
  complexity: 'O(1)',
  summary: "Tells the server's time in seconds and microseconds.",
  flags: ['loading', 'stale', 'fast'],
  tips: ['nondeterministic_output'],
  run(c) {
    const micros = c.engine.clock.micros();
    c.reply.array(2);
    c.reply.bulkText(String(Math.floor(micros / 1e6)));
    c.reply.bulkText(String(micros % 1e6));
  },
});

export const shutdown = command({
  name: 'SHUTDOWN',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(N) in all keys when they are saved',
  summary: 'Ends the server.',
  flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
  history: [['7.0.0', 'Takes NOW, FORCE and ABORT.']],
  args: [
    optional(oneOf('nosave_save', token('nosave', 'NOSAVE'), token('save', 'SAVE'))),
    optional(token('now', 'NOW', { since: '7.0.0' })),
    optional(token('force', 'FORCE', { since: '7.0.0' })),
    optional(token('abort', 'ABORT', { since: '7.0.0' })),
  ],
  run(c) {
    const given = new Set<string>();
    for (let i = 1; i < c.argc; i++) {
      const option = ['SAVE', 'NOSAVE', 'NOW', 'FORCE', 'ABORT'].find((each) => isWord(c.arg(i), each));
      if (option === undefined) {
        c.syntaxError();
        return;
      }
      given.add(option);
    }
    const abort = given.has('ABORT');
    if ((abort && c.argc > 2) || (given.has('SAVE') && given.has('NOSAVE'))) {
      c.syntaxError();
      return;
    }
    if (abort) {
      if (c.engine.server.abortShutdown()) c.reply.ok();
      else c.reply.error('ERR No shutdown in progress.');
      return;
    }
    if (c.engine.propagation.held && !given.has('NOSAVE')) {
      c.reply.error(c.engine.gatekeeper.busy);
      return;
    }
    const request = {
      save: given.has('SAVE'),
      noSave: given.has('NOSAVE'),
      now: given.has('NOW'),
      force: given.has('FORCE'),
    };
    const answer = c.engine.server.shutdown(request, c.session);
    if (answer === 'failed') c.reply.error('ERR Errors trying to SHUTDOWN. Check logs.');
    else if (answer === 'waiting') c.block({ type: -1, keys: [], timeout: 0, onTimeout: 'null', firm: true });
  },
});
