/**
 * A thread that sets random keys over many connections at a given rate, whatever the server does, and says how long each took
 * from when it was due: a server that stands still for a moment is late for all that was due meanwhile.
 */
import { parentPort } from 'node:worker_threads';
import { connectTo, OK_BYTES, SetCommands } from './sets.ts';

export interface PacedTask {
  readonly port: number;
  readonly connections: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Requests a second, and altogether. */
  readonly rate: number;
  readonly requests: number;
  /** The first so many count for nothing. */
  readonly warming: number;
}

function run({ port, connections, keys, valueBytes, rate, requests, warming }: PacedTask): void {
  const commands = new SetCommands(1, valueBytes);
  const taken = new Float64Array(requests);
  let begun = 0;
  let sent = 0;
  let answered = 0;
  const dueAt = (request: number): number => begun + (request * 1000) / rate;
  // Request i goes to connection i % connections, and replies come in the order of requests.
  const sockets = Array.from({ length: connections }, (_, i) => {
    let next = i;
    return connectTo(port, (bytes) => {
      for (let left = bytes; left > 0; left -= OK_BYTES, next += connections) {
        taken[next] = performance.now() - dueAt(next);
        answered++;
      }
      if (answered < requests) return;
      for (const socket of sockets) socket.destroy();
      parentPort?.postMessage(taken.slice(warming).sort());
    });
  });
  const send = (): void => {
    for (const now = performance.now(); sent < requests && dueAt(sent) <= now; sent++) {
      commands.put(0, commands.random() % keys);
      sockets[sent % connections].write(Uint8Array.from(commands.bytes));
    }
    if (sent < requests) setImmediate(send);
  };
  let open = 0;
  for (const socket of sockets)
    socket.once('connect', () => {
      if (++open < connections) return;
      begun = performance.now();
      send();
    });
}

parentPort?.once('message', run);
