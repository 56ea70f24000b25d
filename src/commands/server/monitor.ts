/** MONITOR: every command, as it is run, to whoever asked. */
import { quoted } from '../../base/quoting.ts';
import type { Slice } from '../../base/slice.ts';
import { command } from '../../engine/command.ts';
import type { Engine } from '../../engine/engine.ts';
import { GATE_MONITORED } from '../../engine/gates.ts';
import { SCRIPT } from '../../engine/roles.ts';
import type { Session } from '../../engine/session.ts';
import type { Registered } from '../../engine/table.ts';
import { isSecret, REDACTED } from './redact.ts';

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
    if (!c.session.monitor) {
      c.session.monitor = true;
      c.engine.monitors.add(c.session);
      c.engine.gates.set(GATE_MONITORED, 'clients', true);
    }
    c.reply.ok();
  },
});

/** `1795212112.172068 [9 127.0.0.1:48186] "select" "9"` */
function line(engine: Engine, session: Session, registered: Registered, args: readonly Slice[], argc: number): string {
  const micros = engine.clock.micros();
  const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
  let text = `${time} [${session.db.index} ${session.role === SCRIPT ? 'lua' : session.port.address}]`;
  for (let i = 0; i < argc; i++) {
    const secret = isSecret(registered, args, i, engine.server.config);
    text += ` ${quoted(secret ? REDACTED : args[i].latin1())}`;
  }
  return text;
}

export function showToMonitors(engine: Engine): void {
  engine.gatekeeper.monitor = (session, registered, args, argc) => {
    const text = line(engine, session, registered, args, argc);
    for (const watcher of engine.monitors) watcher.reply.status(text);
  };
}
