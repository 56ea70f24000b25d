/** A thread with one connection that sets random keys, one after another, and says how long each took. */
import { parentPort } from 'node:worker_threads';
import { connectTo, SetCommands } from './sets.ts';

export interface SetterTask {
  readonly port: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Requests after which it ends in any case. */
  readonly most: number;
}

/** Requests that count for nothing: the thread's code is being compiled. */
const WARMING = 2000;

function run({ port, keys, valueBytes, most }: SetterTask): void {
  const commands = new SetCommands(1, valueBytes);
  const taken = new Float64Array(most);
  let count = 0;
  let begun = 0;
  let ended = false;
  const send = (): void => {
    commands.put(0, commands.random() % keys);
    begun = performance.now();
    socket.write(commands.bytes);
  };
  const socket = connectTo(port, () => {
    if (count === WARMING) parentPort?.postMessage('begun');
    taken[count++] = performance.now() - begun;
    if (!ended && count < most) send();
    else {
      socket.destroy();
      parentPort?.postMessage(taken.slice(WARMING, count));
    }
  });
  parentPort?.once('message', () => {
    ended = true;
  });
  send();
}

parentPort?.once('message', run);
