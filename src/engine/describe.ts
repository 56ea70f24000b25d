/**
 * Sessions in the words of CLIENT LIST, which the log uses as well. Of a name as much is shown as SHOWN_NAME says: Redis
 * shows all, 512 MB for each client where they like it so; CLIENT GETNAME tells the whole.
 */
import { memoryOf } from './client-memory.ts';
import type { Session } from './session.ts';

const SHOWN_NAME = 1024;

function flagsOf(session: Session): string {
  let flags = session.role.letter;
  if (session.subscriptions > 0) flags += 'P';
  if (session.transaction) flags += 'x';
  if (session.waiter || session.postponed) flags += 'b';
  if (session.tracking) flags += 't';
  if (session.tracking?.broken) flags += 'R';
  if (session.tracking?.broadcast) flags += 'B';
  if (session.engine.watches.isTouched(session)) flags += 'd';
  if (session.closing) flags += 'c';
  if (session.released) flags += 'u';
  if (session.port.unix) flags += 'U';
  if (session.readsReplica) flags += 'r';
  if (session.noEvict) flags += 'e';
  return flags === '' ? 'N' : flags;
}

/** One line of CLIENT LIST, without its end. */
export function describe(session: Session, now: number): string {
  const { port, reply, transaction } = session;
  const age = Math.floor((now - session.created) / 1000);
  const idle = Math.max(0, Math.floor((now - port.lastActive) / 1000));
  const queued = transaction ? transaction.queue.length : -1;
  // In one text after another: joining an array of them takes three times as long.
  let text = `id=${session.id} addr=${port.address} laddr=${port.localAddress} fd=${port.fd}`;
  text += ` name=${session.name.slice(0, SHOWN_NAME)} age=${age} idle=${idle} flags=${flagsOf(session)}`;
  text += ` db=${session.db.index} sub=${session.channels?.size ?? 0} psub=${session.patterns?.size ?? 0}`;
  text += ` ssub=${session.shardChannels?.size ?? 0} multi=${queued} qbuf=${port.queryBytes}`;
  text += ` qbuf-free=${port.queryFree} argv-mem=${port.argumentBytes} multi-mem=${transaction?.bytes ?? 0}`;
  text += ` rbs=${reply.nominal} rbp=${reply.firstPeak} obl=${reply.firstBytes} oll=${reply.moreChunks}`;
  text += ` omem=${reply.moreBytes} tot-mem=${memoryOf(session)} events=${reply.moreChunks > 0 ? 'rw' : 'r'}`;
  text += ` cmd=${session.lastCommand?.name ?? 'NULL'} user=${session.userName.slice(0, SHOWN_NAME)}`;
  text += ` redir=${session.tracking?.redirect ?? -1} resp=${reply.resp}`;
  return text;
}
