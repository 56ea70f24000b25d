/** The sessions that are shown every command (MONITOR). */
import { quoted } from '../base/quoting.ts';
import type { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { GATE_MONITORED, type Gates } from './gates.ts';
import { isSecret, REDACTED } from './redact.ts';
import { SCRIPT } from './roles.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

/** `1795212112.172068 [9 127.0.0.1:48186] "select" "9"` */
function line(engine: Watched, session: Session, registered: Registered, args: readonly Slice[], argc: number): string {
  const micros = engine.clock.micros();
  const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
  let text = `${time} [${session.db.index} ${session.role === SCRIPT ? 'lua' : session.port.address}]`;
  for (let i = 0; i < argc; i++) {
    const secret = isSecret(registered, args, i, engine.server.config);
    text += ` ${quoted(secret ? REDACTED : args[i].latin1())}`;
  }
  return text;
}

/** The engine whose commands are shown. */
interface Watched {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly server: ServerPort;
}

export class Monitors {
  private readonly engine: Watched;
  private readonly sessions = new Set<Session>();

  constructor(engine: Watched) {
    this.engine = engine;
  }

  add(session: Session): void {
    session.monitor = true;
    this.sessions.add(session);
    this.engine.gates.set(GATE_MONITORED, 'clients', true);
  }

  remove(session: Session): void {
    session.monitor = false;
    if (this.sessions.delete(session)) this.engine.gates.set(GATE_MONITORED, 'clients', this.sessions.size > 0);
  }

  /** Shows a command. */
  show(session: Session, registered: Registered, args: readonly Slice[], argc: number): void {
    const text = line(this.engine, session, registered, args, argc);
    for (const watcher of this.sessions) watcher.reply.status(text);
  }
}
