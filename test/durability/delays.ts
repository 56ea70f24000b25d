/**
 * A preload that measures how late the event loop of a server's main thread is. SIGUSR2 begins anew; each time, what was
 * measured so far is appended as a line of JSON to the file that CINNABAR_DELAYS names.
 */
import { appendFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const file = process.env['CINNABAR_DELAYS'];
const NANOSECONDS = 1e6;

if (file !== undefined && isMainThread) {
  // A tick of the timer more often than every millisecond would be load by itself; its own period is taken off.
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - 1);
  delays.enable();
  process.on('SIGUSR2', () => {
    const { max, count } = delays;
    const line = { count, max: late(max), p999: late(delays.percentile(99.9)), median: late(delays.percentile(50)) };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
    delays.reset();
  });
}
