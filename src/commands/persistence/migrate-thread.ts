/**
 * MIGRATE where the server has to wait for it: a thread that holds the conversation while the main one sleeps. It is told
 * tasks through a port and answers each with its outcome.
 */
import { type MessagePort, workerData } from 'node:worker_threads';
import { RealNetwork } from '../../base/network.ts';
import { RealClock } from '../../base/time.ts';
import type { TlsContextOptions } from '../../config/tls-options.ts';
import { Dialer } from '../../links/link.ts';
import { DONE, LINKS, Links, type Outcome, type ThreadTask } from './migration.ts';

export interface ThreadData {
  readonly port: MessagePort;
  readonly shared: SharedArrayBuffer;
}

const { port, shared } = workerData as ThreadData;
const words = new Int32Array(shared);
const current: { tls: TlsContextOptions | null } = { tls: null };
const dialer = new Dialer({
  network: new RealNetwork(),
  fast: null,
  clock: new RealClock(),
  tls: () => current.tls,
});
const links = new Links(dialer, (count) => Atomics.store(words, LINKS, count));

port.on('message', ({ migration, requests, tls }: ThreadTask) => {
  current.tls = tls;
  const over = (outcome: Outcome): void => {
    port.postMessage(outcome);
    Atomics.store(words, DONE, 1);
    Atomics.notify(words, DONE);
  };
  links.run(migration, () => requests, over);
});
