/** A thread with one connection that sets or gets random keys, one after another, and says how long each took. */
import { hrtime } from 'node:process';
import { parentPort } from 'node:worker_threads';
import { goFirst } from './first.ts';
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

/** Requests as they came, in milliseconds: when each was sent, by the machine's clock, and how long it took. */
export interface Probed {
  readonly begun: Float64Array;
  readonly taken: Float64Array;
}

const WARMING = 2000;

function run({ port, keys, valueBytes, most, command, warming = WARMING, pause = 0, first }: ProbeTask): void {
  if (first) goFirst(1);
  const commands = new SetCommands(1, valueBytes);
  const begun = new Float64Array(most);
  const taken = new Float64Array(most);
  let count = 0;
  let ended = false;
  const send = (): void => {
    const key = commands.random() % keys;
    commands.put(0, key);
    const bytes = command === 'SET' ? commands.bytes : getCommand(key);
    begun[count] = Number(hrtime.bigint()) / 1e6;
    socket.write(bytes);
  };
  const socket = connectTo(port, () => {
    if (count === warming) parentPort?.postMessage('begun');
    taken[count] = Number(hrtime.bigint()) / 1e6 - begun[count];
    count++;
    if (ended || count === most) {
      socket.destroy();
      const probed: Probed = { begun: begun.slice(warming, count), taken: taken.slice(warming, count) };
      parentPort?.postMessage(probed);
    } else if (pause > 0) setTimeout(send, pause);
    else send();
  });
  parentPort?.once('message', () => {
    ended = true;
  });
  send();
}

parentPort?.once('message', run);
