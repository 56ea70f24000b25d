/** Whether a client is on this machine, for settings whose value is 'local'. */
import type { Session } from '../../engine/session.ts';

export function isLocal(session: Session): boolean {
  const { unix, address } = session.port;
  return unix || address.startsWith('127.') || address.startsWith('[::1]') || address.startsWith('[::ffff:127.');
}
