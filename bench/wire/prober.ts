/** A thread with one connection that sets or gets random keys, one after another, and says how long each took. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { sleepThread } from '../../src/base/sleep.ts';
import { connectTo, getCommand, SetCommands } from './sets.ts';

export interface ProbeTask {
  readonly port: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Requests after which it ends in any case. */
  readonly most: number;
  readonly command: 'SET' | 'GET';
  /** Requests that count for nothing, since the thread's code is being compiled: 2,000 where nothing is said. */
  readonly warming?: number;
  /** Milliseconds between a reply and the next request. */
  readonly pause?: number;
  /** Whether it goes before all others for a core, where that is allowed, so that it waits for the server and for nobody else. */
  readonly first?: boolean;
}

const WARMING = 2000;
/** Milliseconds of sleep after each reply for one that goes first: Linux stops him for the rest of a second of which he has 95 %. */
const NAP = 0.05;
/** Where a thread's stat has its priority, behind its name. */
const NICE = 16;

/** Of this thread, which is told by its priority: Node has no name for it. */
function ownThread(): string | undefined {
  return readdirSync('/proc/self/task').find((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[NICE]) === constants.priority.PRIORITY_HIGHEST;
  });
}

/**
 * This thread alone, on Linux. By its priority it has the larger share of a core, and may still wait for some milliseconds
 * until whoever runs has had his; only in real time it goes before him.
 */
function goFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    const thread = ownThread();
    if (thread !== undefined) execFileSync('chrt', ['--fifo', '--pid', '1', thread], { stdio: 'ignore' });
  } catch {
    // Only root may, or there is no chrt.
  }
}

function run({ port, keys, valueBytes, most, command, warming = WARMING, pause = 0, first }: ProbeTask): void {
  if (first) goFirst();
  const commands = new SetCommands(1, valueBytes);
  // Written once, so that no page of it is new to the system while it counts.
  const taken = new Float64Array(most).fill(0);
  let count = 0;
  let begun = 0;
  let ended = false;
  const send = (): void => {
    const key = commands.random() % keys;
    commands.put(0, key);
    const bytes = command === 'SET' ? commands.bytes : getCommand(key);
    begun = performance.now();
    socket.write(bytes);
  };
  const socket = connectTo(port, () => {
    if (count === warming) parentPort?.postMessage('begun');
    taken[count++] = performance.now() - begun;
    if (ended || count === most) {
      socket.destroy();
      parentPort?.postMessage(taken.slice(warming, count));
    } else if (pause > 0) setTimeout(send, pause);
    else {
      if (first) sleepThread(NAP);
      send();
    }
  });
  parentPort?.once('message', () => {
    ended = true;
  });
  send();
}

parentPort?.once('message', run);
