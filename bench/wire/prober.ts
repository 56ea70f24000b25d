/** A thread with one connection that sets or gets random keys, one after another, and says how long each took. */
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
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

/** This thread alone, on Linux. */
function goFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Only root may.
  }
}

function run({ port, keys, valueBytes, most, command, warming = WARMING, pause = 0, first }: ProbeTask): void {
  if (first) goFirst();
  const commands = new SetCommands(1, valueBytes);
  const taken = new Float64Array(most);
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
    else send();
  });
  parentPort?.once('message', () => {
    ended = true;
  });
  send();
}

parentPort?.once('message', run);
