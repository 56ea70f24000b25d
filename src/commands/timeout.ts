/** The timeout of a blocking command. */
import { parseLongDouble } from '../base/long-double.ts';
import { parseDouble } from '../base/numbers.ts';
import type { Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';

const LONGEST = 2 ** 63;

/**
 * Argument `i`, in seconds, as whole milliseconds (0 waits for ever); undefined when its error has been replied. What is
 * beyond an int64 of milliseconds turns negative in Redis 7.0, and so it does here.
 */
export function timeoutOf(c: Call, i: number): number | undefined {
  const seconds = parseDouble(c.arg(i)) ?? extremeOf(c.arg(i));
  if (seconds === undefined) {
    c.reply.error('ERR timeout is not a float or out of range');
    return undefined;
  }
  const milliseconds = Math.ceil(seconds * 1000);
  if (milliseconds < 0 || milliseconds >= LONGEST) {
    c.reply.error('ERR timeout is negative');
    return undefined;
  }
  return milliseconds;
}

/** The nearest double of a number beyond the doubles but not beyond the long doubles, in which Redis reads timeouts. */
function extremeOf(text: Slice): number | undefined {
  const exact = parseLongDouble(text);
  if (exact === undefined || exact.isNaN()) return undefined;
  const size = exact.isInfinite() || exact.exponent > 0 ? Number.POSITIVE_INFINITY : Number.MIN_VALUE;
  return exact.negative ? -size : size;
}
