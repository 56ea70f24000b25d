/** What the leader takes into its log. No more than a bound of it is not committed, and nothing while it hands over. */
import { command, sizeOf } from '../entry.ts';
import type { Asker } from '../messages.ts';
import type { Turn } from './turn.ts';

/** Why nothing can be proposed; '' where it can. */
export function obstacle({ leading, settings }: Turn): '' | 'not-leader' | 'transferring' | 'full' {
  if (leading === null) return 'not-leader';
  if (leading.transfer !== null) return 'transferring';
  return leading.uncommitted > settings.uncommittedBytes ? 'full' : '';
}

export function propose(turn: Turn, asker: Asker, payloads: readonly Uint8Array[]): void {
  const { leading, state } = turn;
  const reason = obstacle(turn);
  if (leading === null || reason !== '') {
    turn.refuse(asker, reason);
    return;
  }
  const { log, term } = state;
  const first = log.last + 1;
  for (const payload of payloads) {
    const entry = command(log.last + 1, term, payload);
    leading.uncommitted += sizeOf(entry);
    turn.append(entry);
  }
  turn.output({ kind: 'accepted', asker, first, last: log.last, term });
}
