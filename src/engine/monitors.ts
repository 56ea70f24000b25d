/** The sessions that are shown every command (MONITOR). */
import { quotedBytes } from '../base/quoted-bytes.ts';
import { quoted } from '../base/quoting.ts';
import { bytesOf, type Slice } from '../base/slice.ts';
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

/** Arguments of more bytes in all are not made a string. */
const LONG = 64 * 1024;

/** `1795212112.172068 [9 127.0.0.1:48186] "select" "9"` */
function line(
  engine: Watched,
  session: Session,
  registered: Registered,
  args: readonly Slice[],
  argc: number,
): string | Uint8Array {
  const micros = engine.clock.micros();
  const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
  const head = `${time} [${session.db.index} ${origin(session, engine.server)}]`;
  const isHidden = (i: number): boolean => isSecret(registered, args, i, engine.server.config);
  let length = 0;
  for (let i = 0; i < argc; i++) length += args[i].length;
  if (length > LONG) return longLine(head, args, argc, isHidden);
  let text = head;
  for (let i = 0; i < argc; i++) text += ` ${quoted(isHidden(i) ? REDACTED : args[i].beginning(LONG))}`;
  return text;
}

/** The same line of words that may be longer than any string, as the reply that a watcher gets. */
function longLine(head: string, args: readonly Slice[], argc: number, isHidden: (i: number) => boolean): Uint8Array {
  const parts = [bytesOf(`+${head}`)];
  for (let i = 0; i < argc; i++) {
    parts.push(bytesOf(' '), isHidden(i) ? bytesOf(quoted(REDACTED)) : quotedBytes(args[i]));
  }
  parts.push(bytesOf('\r\n'));
  return Buffer.concat(parts);
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
    const shown = line(this.engine, session, registered, args, argc);
    for (const { reply } of this.sessions.keys()) {
      if (typeof shown === 'string') reply.status(shown);
      else reply.rawShared(shown);
    }
  }
}
