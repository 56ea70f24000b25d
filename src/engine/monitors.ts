/** The sessions that are shown every command (MONITOR). */
import { quoted } from '../base/quoting.ts';
import type { Slice } from '../base/slice.ts';
import type { Clock } from '../base/time.ts';
import { GATE_MONITORED, type Gates } from './gates.ts';
import { isSecret, REDACTED } from './redact.ts';
import { MONITOR, type Role, SCRIPT } from './roles.ts';
import type { ServerPort } from './server-port.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

/** Where a command came from: `127.0.0.1:48186`, `unix:/path/socket`, `lua`. */
function origin({ role, port }: Session, { settings }: ServerPort): string {
  if (role === SCRIPT) return 'lua';
  return port.unix ? `unix:${settings.unixsocket}` : port.address;
}

/** `1795212112.172068 [9 127.0.0.1:48186] "select" "9"` */
function line(engine: Watched, session: Session, registered: Registered, args: readonly Slice[], argc: number): string {
  const micros = engine.clock.micros();
  const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
  let text = `${time} [${session.db.index} ${origin(session, engine.server)}]`;
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
  /** With the role that each had before. */
  private readonly sessions = new Map<Session, Role>();

  constructor(engine: Watched) {
    this.engine = engine;
  }

  add(session: Session): void {
    this.sessions.set(session, session.role);
    session.become(MONITOR);
    this.engine.gates.set(GATE_MONITORED, 'clients', true);
  }

  remove(session: Session): void {
    const before = this.sessions.get(session);
    if (before === undefined) return;
    this.sessions.delete(session);
    session.become(before);
    this.engine.gates.set(GATE_MONITORED, 'clients', this.sessions.size > 0);
  }

  /** Shows a command. */
  show(session: Session, registered: Registered, args: readonly Slice[], argc: number): void {
    const text = line(this.engine, session, registered, args, argc);
    for (const watcher of this.sessions.keys()) watcher.reply.status(text);
  }
}
