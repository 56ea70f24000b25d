/** The queue of scripts that are to run. */
import { assert } from '../../base/assert.ts';
import type { SentinelState } from '../state.ts';

const MOST_QUEUED = 256;

/** Adds a script with its arguments; where there are too many, the oldest that does not run is dropped for it. */
export function queueScript(state: SentinelState, words: readonly string[]): void {
  const { scripts } = state;
  scripts.push({ words, running: false, time: 0, tries: 0, pid: 0 });
  if (scripts.length <= MOST_QUEUED) return;
  const oldest = scripts.findIndex((script) => !script.running);
  assert(oldest >= 0, 'fewer scripts run than may be queued');
  scripts.splice(oldest, 1);
}
