/** Which key a command that takes from the first of several keys goes to. */
import { sameBytes } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { NULL } from '../memory/address.ts';
import { entryType, type ValueType } from '../values/entry.ts';

/**
 * Where the first key from `from` to `to` (exclusive) stands that holds a value of `type`: 0 when none does, -1 when another
 * type came first and WRONGTYPE has been replied. Who was waiting is served from the key that became ready, whatever has
 * become of the others.
 */
export function firstOfType(c: Call, from: number, to: number, type: ValueType): number {
  for (let i = from; i < to; i++) {
    if (c.resuming && !sameBytes(c.arg(i), c.engine.blocking.serving)) continue;
    const e = c.findForWrite(i);
    if (e === NULL) continue;
    if (entryType(c.memory, e) === type) return i;
    if (c.resuming) return 0;
    c.wrongType();
    return -1;
  }
  return 0;
}
