/** A thread that goes before all others for a core, on Linux and where that is allowed. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** Where a thread's stat has its priority, behind its name. */
const NICE = 16;

/** The number of this thread, once it has this priority, by which it is told: Node has no name for it. */
function ownThread(): string | undefined {
  return readdirSync('/proc/self/task').find((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[NICE]) === constants.priority.PRIORITY_HIGHEST;
  });
}

/**
 * This thread alone, on this core where one is named. By its priority it has the larger share of a core, and may still wait
 * for some milliseconds until whoever runs has had his; only in real time it goes before him, and before those of a lower
 * `priority` there. Says whether that was had.
 */
export function goFirst(priority: number, core?: string): boolean {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    const thread = ownThread();
    if (thread === undefined) return false;
    if (core !== undefined) execFileSync('taskset', ['-cp', core, thread], { stdio: 'ignore' });
    execFileSync('chrt', ['--fifo', '--pid', String(priority), thread], { stdio: 'ignore' });
    // Others are told by that priority, too.
    setPriority(0);
    return true;
  } catch {
    // Only root may, or there is no chrt.
    return false;
  }
}
