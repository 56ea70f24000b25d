/** BGREWRITEAOF. */
import { command } from '../../engine/command.ts';
import type { BackgroundRewrite } from '../../engine/persistence-port.ts';

const REPLIES: Readonly<Record<BackgroundRewrite, string>> = {
  started: '+Background append only file rewriting started',
  scheduled: '+Background append only file rewriting scheduled',
  rewriting: '-ERR Background append only file rewriting already in progress',
  failed: "-ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
};

export const bgrewriteaof = command({
  name: 'BGREWRITEAOF',
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Rewrites the append-only file in the background.',
  flags: ['admin', 'noscript', 'no_async_loading'],
  args: [],
  run(c) {
    const reply = REPLIES[c.engine.server.persistence.backgroundRewrite(c.denyBlocking)];
    if (reply.startsWith('+')) c.reply.status(reply.slice(1));
    else c.reply.error(reply.slice(1));
  },
});
