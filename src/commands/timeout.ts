/** The timeout of a blocking command. */
import { parseDouble } from '../base/numbers.ts';
import type { Call } from '../engine/call.ts';

const LONGEST = 2 ** 63;

/** Argument `i`, in seconds, as whole milliseconds (0 waits for ever); undefined when its error has been replied. */
export function timeoutOf(c: Call, i: number): number | undefined {
  const seconds = parseDouble(c.arg(i));
  if (seconds === undefined) {
    c.reply.error('ERR timeout is not a float or out of range');
    return undefined;
  }
  const milliseconds = Math.ceil(seconds * 1000);
  if (milliseconds < 0) {
    c.reply.error('ERR timeout is negative');
    return undefined;
  }
  if (milliseconds + c.now >= LONGEST) {
    c.reply.error('ERR timeout is out of range');
    return undefined;
  }
  return milliseconds;
}
