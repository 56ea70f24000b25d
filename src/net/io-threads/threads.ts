/**
 * The transport of `io-threads N`: the main thread accepts, and N - 1 threads read and write what it has accepted.
 *
 *   listener -> main thread: address, limits  -- the handle itself, by a pipe (SCM_RIGHTS) -->  I/O thread: reads, writes
 *                                             <== frames in two rings of shared memory ==>
 *
 * Each thread has a pipe to the main one, which carries handles, and a byte for who has to be woken. Its end here has two
 * handles over one descriptor, as only one that was opened can carry others and only one that was accepted has a peer. If
 * either were closed the other would close the number again, whosesoever it is then: so neither ever is, and the number
 * stays with the process.
 */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { isMainThread, type Worker } from 'node:worker_threads';
import type { Environment } from '../../base/environment.ts';
import { EXTENSION } from '../../base/thread.ts';
import type { FastTransport } from '../fast.ts';
import type { NetLog } from '../parts.ts';
import {
  type Bindings,
  listenRaw,
  type RawHandle,
  type RawOwner,
  RawSocket,
  RawWrites,
  readInto,
  UNDER_WAY,
} from '../raw.ts';
import type { Connection, ListenEndpoint, Listening, Transport } from '../transport.ts';
import type { IoThreadData } from './io-thread.ts';
import { type Accepted, type IoCounters, MainSide } from './main-side.ts';
import { makeRing, RingReader, RingWriter } from './ring.ts';

const SECRET_BYTES = 32;
const PIPE_BYTES = 4096;
const WAKE = Uint8Array.of(46);
/** How long a thread may take to begin, and to end. */
const BEGIN_MS = 10_000;
const END_MS = 2000;

export interface IoThreadsParts {
  readonly environment: Environment;
  /** How many threads beside the main one. */
  readonly count: number;
  readonly log: NetLog;
  readonly counters: IoCounters;
}

/** Why there can be none here, if so. */
export function noIoThreads({ threads }: Environment, fast: boolean): string | undefined {
  if (process.platform === 'win32') return 'this system passes no sockets between threads';
  if (threads === null || !fast) return "they need the system's own network, and handles inside of Node";
  if (!isMainThread) return 'the server runs in a thread itself';
  return undefined;
}

export class IoThreads implements Transport {
  readonly name = 'threads';
  private readonly fast: FastTransport;
  private readonly parts: IoThreadsParts;
  private links: IoLink[] | null = null;
  private beginning: Promise<void> | null = null;
  private next = 0;

  constructor(fast: FastTransport, parts: IoThreadsParts) {
    this.fast = fast;
    this.parts = parts;
  }

  async listen(endpoint: ListenEndpoint, backlog: number, accept: (c: Connection) => void): Promise<Listening> {
    this.beginning ??= this.begin();
    await this.beginning;
    return listenRaw(this.fast.bindings, endpoint, backlog, (handle, path) => this.accepted(handle, path, accept));
  }

  private async begin(): Promise<void> {
    const { count, log, counters } = this.parts;
    try {
      const links = Array.from(
        { length: count },
        () => new IoLink(this.fast.bindings, this.parts, (link) => this.lost(link)),
      );
      this.links = links;
      await Promise.all(links.map((link) => link.ready));
      counters.ioThreads = links.length;
    } catch (error) {
      log.warning(`I/O threads can't be had, the main thread reads and writes: ${String(error)}`);
      for (const link of this.links ?? []) void link.close();
      this.links = [];
    }
  }

  private accepted(handle: RawHandle, path: string | null, accept: (c: Connection) => void): void {
    const { links } = this;
    if (links === null || links.length === 0) {
      accept(this.fast.connection(handle, path));
      return;
    }
    const { side } = links[this.next++ % links.length];
    accept(side.adopt(new RawSocket(handle, path)));
    side.passNext();
  }

  private lost(link: IoLink): void {
    this.parts.log.warning('An I/O thread has ended, and its connections with it.');
    this.links = this.links?.filter((other) => other !== link) ?? null;
    this.parts.counters.ioThreads = this.links?.length ?? 0;
  }

  async close(): Promise<void> {
    const links = this.links ?? [];
    this.links = null;
    this.beginning = null;
    this.parts.counters.ioThreads = 0;
    await Promise.all(links.map((link) => link.close()));
  }
}

/** One thread, and the ways to it. */
class IoLink implements RawOwner {
  readonly side: MainSide;
  readonly ready: Promise<void>;
  private readonly bindings: Bindings;
  private readonly parts: IoThreadsParts;
  private readonly writes: RawWrites;
  private readonly buffer = new Uint8Array(PIPE_BYTES);
  private readonly secret: Buffer;
  private readonly listening: Listening;
  private readonly worker: Worker;
  private readonly ended: Promise<void>;
  private readonly lost: (link: IoLink) => void;
  private pipe: RawHandle | null = null;
  private known = false;
  private closing = false;
  private admitted = (): void => {};

  constructor(bindings: Bindings, parts: IoThreadsParts, lost: (link: IoLink) => void) {
    this.bindings = bindings;
    this.parts = parts;
    this.lost = lost;
    this.writes = new RawWrites(bindings);
    const { clock, ids, threads } = parts.environment;
    this.secret = ids.secret(SECRET_BYTES);
    const path = join(tmpdir(), `cinnabar-${ids.process}-${ids.secret(8).toString('hex')}`);
    const toThread = makeRing();
    const toMain = makeRing();
    this.listening = listenRaw(bindings, { path }, 1, (handle) => {
      this.listening.close();
      this.joined(handle);
    });
    this.side = this.makeSide(toThread, toMain);
    const data: IoThreadData = { path, secret: this.secret, toThread, toMain };
    const file = new URL(`./io-thread.${EXTENSION}`, import.meta.url);
    if (threads === null) throw new Error('there are no threads');
    this.worker = threads.start(file, { workerData: data });
    this.ended = new Promise((resolve) => this.worker.once('exit', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      const late = clock.after(BEGIN_MS, () => reject(new Error('the thread does not begin')));
      this.admitted = () => {
        late.cancel();
        resolve();
      };
      this.worker.on('error', (error) => {
        parts.log.warning(`An I/O thread has failed: ${error.stack ?? error.message}`);
        reject(error);
      });
      this.worker.once('exit', () => {
        reject(new Error('the thread has ended'));
        this.gone();
      });
    });
    this.ready.catch(() => {});
  }

  private makeSide(toThread: SharedArrayBuffer, toMain: SharedArrayBuffer): MainSide {
    const { clock } = this.parts.environment;
    const settle = (): void => side.settle();
    const look = (): void => side.lookAgain();
    const side = new MainSide(
      new RingReader(toMain),
      new RingWriter(toThread),
      {
        wake: () => this.wake(),
        pass: (socket) => this.pass(socket),
        soon: () => queueMicrotask(settle),
        later: () => clock.soon(look),
        words: getSystemErrorName,
      },
      this.parts.counters,
    );
    return side;
  }

  /** Somebody has come to the pipe; who knows the secret is our thread. */
  private joined(handle: RawHandle): void {
    const pipe = new this.bindings.Pipe(this.bindings.pipeIpc);
    pipe.open(handle.fd);
    this.pipe = pipe;
    readInto(this, pipe, this.buffer);
    pipe.readStart();
  }

  received(): void {
    const { state, readBytes } = this.bindings;
    const count = state[readBytes];
    if (count < 0) {
      this.pipe?.readStop();
      return;
    }
    if (this.known) this.side.look();
    else if (this.secret.equals(this.buffer.subarray(0, count).subarray(0, SECRET_BYTES))) {
      this.known = true;
      this.admitted();
      this.side.look();
    } else this.pipe?.readStop();
  }

  /** A handle has been sent: what is sent lives on in the other thread. */
  completed(status: number, bytes: unknown): void {
    if (bytes === WAKE) return;
    (bytes as RawHandle).close();
    if (status < 0) void this.worker.terminate();
  }

  private wake(): void {
    if (this.pipe !== null) this.writes.write(this, this.pipe, WAKE);
  }

  private pass(socket: Accepted): void {
    const { handle } = socket as RawSocket;
    const outcome = this.pipe === null ? -1 : this.writes.pass(this, this.pipe, handle);
    if (outcome !== UNDER_WAY) this.completed(outcome, handle);
  }

  private gone(): void {
    this.pipe?.readStop();
    this.pipe?.unref();
    if (this.closing) return;
    this.lost(this);
    this.side.lost();
  }

  /** What its connections were sent goes out, and it ends. */
  async close(): Promise<void> {
    this.closing = true;
    this.listening.close();
    this.side.end();
    const late = this.parts.environment.clock.after(END_MS, () => void this.worker.terminate());
    await this.ended;
    late.cancel();
  }
}
