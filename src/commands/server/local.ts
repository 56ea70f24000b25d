/** Whether a client is on this machine, for settings whose value is 'local'. */
import { isLoopback } from '../../base/loopback.ts';
import type { Session } from '../../engine/session.ts';

export function isLocal(session: Session): boolean {
  const { unix, address } = session.port;
  return unix || isLoopback(address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
}
