/** MONITOR: every command, as it is run, to whoever asked. */
import { command } from '../../engine/command.ts';

export const monitor = command({
  name: 'MONITOR',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Shows this client every command that the server runs.',
  flags: ['admin', 'noscript', 'loading', 'stale'],
  run(c) {
    if (c.denyBlocking) {
      c.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
      return;
    }
    // Who is shown every command, to us or as a replica, is told no more.
    if (!c.session.role.readsKeys) return;
    c.engine.monitors.add(c.session);
    c.reply.ok();
  },
});
