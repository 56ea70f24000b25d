/** The count of the commands that answer with random elements: any int64 but the lowest. */
import { INT64_MIN, parseInt64 } from '../base/numbers.ts';
import type { Call } from '../engine/call.ts';

const OUT_OF_RANGE = 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807';

/** Argument `i` as such a count; undefined when the error has been replied. */
export function readCount(c: Call, i: number): number | undefined {
  const count = c.integer(i);
  if (count === undefined || count > Number(INT64_MIN) || parseInt64(c.arg(i)) !== INT64_MIN) return count;
  c.reply.error(OUT_OF_RANGE);
  return undefined;
}
