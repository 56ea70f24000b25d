/** An I/O thread: libuv's handles on one side, ThreadSide on the other. Started by threads.ts. */
import { setImmediate } from 'node:timers';
import { workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { copyBytes } from '../../base/copy.ts';
import {
  type Bindings,
  findBindings,
  type RawHandle,
  type RawOwner,
  RawRoom,
  readInto,
  UV_EOF,
  WRITTEN,
} from '../raw.ts';
import { FRAME_MAX, RingReader, RingWriter } from './ring.ts';
import { ThreadSide, type ThreadSocket } from './thread-side.ts';

export interface IoThreadData {
  /** Where the pipe to the main thread is to be opened, and what has to be said there first. */
  readonly path: string;
  readonly secret: Uint8Array;
  readonly toThread: SharedArrayBuffer;
  readonly toMain: SharedArrayBuffer;
}

const WAKE = Uint8Array.of(46);

class IoThread extends RawRoom implements RawOwner {
  readonly side: ThreadSide;
  /** Where the bytes lie that are being written. */
  scratch = new Uint8Array(FRAME_MAX);
  private readonly pipe: RawHandle;
  private readonly pipeBuffer = new Uint8Array(4096);
  private settling = false;
  private readonly settle = (): void => {
    this.settling = false;
    this.side.settle();
  };

  constructor(bindings: Bindings, data: IoThreadData) {
    super(bindings);
    assert(this.buffer.length <= FRAME_MAX, 'what one read brings fits into a frame');
    this.pipe = new bindings.Pipe(bindings.pipeIpc);
    const outbound = new RingWriter(data.toMain);
    this.side = new ThreadSide(new RingReader(data.toThread), outbound, {
      wake: () => void this.writes.write(this, this.pipe, WAKE),
      hold: () => outbound.waitForRoom(),
      end: () => this.pipe.close(),
    });
    const request = new bindings.PipeConnectWrap();
    request.oncomplete = (status) => {
      if (status === 0) this.begin(data.secret);
    };
    this.pipe.connect(request, data.path);
  }

  private begin(secret: Uint8Array): void {
    this.pipe.pendingHandle = null;
    readInto(this, this.pipe, this.pipeBuffer);
    this.pipe.readStart();
    this.writes.write(this, this.pipe, secret);
    this.settle();
  }

  /** The main thread wakes us, or sends a handle. */
  received(): void {
    const { pendingHandle } = this.pipe;
    if (this.count < 0) {
      this.pipe.close();
      return;
    }
    if (pendingHandle) {
      this.pipe.pendingHandle = null;
      new IoSocket(this, pendingHandle);
    }
    this.side.settle();
  }

  completed(): void {}

  /** After all that the system has told in this turn of the event loop, it is shown to the main thread. */
  soon(): void {
    if (this.settling) return;
    this.settling = true;
    setImmediate(this.settle);
  }
}

class IoSocket implements ThreadSocket, RawOwner {
  private readonly thread: IoThread;
  private readonly handle: RawHandle;
  private readonly id: number;
  private open = true;

  constructor(thread: IoThread, handle: RawHandle) {
    this.thread = thread;
    this.handle = handle;
    readInto(this, handle, thread.buffer);
    this.id = thread.side.opened(this);
  }

  get fd(): number {
    return this.handle.fd;
  }

  read(on: boolean): void {
    if (on) this.handle.readStart();
    else this.handle.readStop();
  }

  received(): void {
    if (!this.open) return;
    const { side, buffer, count } = this.thread;
    if (count > 0) side.received(this.id, buffer, count);
    else if (count < 0) side.ended(this.id, count === UV_EOF ? 0 : count);
    this.thread.soon();
  }

  write(bytes: Uint8Array, from: number, to: number): boolean {
    const { thread } = this;
    const { scratch } = thread;
    copyBytes(scratch, 0, bytes, from, to - from);
    const outcome = thread.writes.write(this, this.handle, scratch.subarray(0, to - from));
    if (outcome === WRITTEN) return true;
    // The bytes are the write's until it is over.
    thread.scratch = new Uint8Array(FRAME_MAX);
    if (outcome < 0) setImmediate(() => this.completed(outcome, null));
    return false;
  }

  completed(status: number, bytes: unknown): void {
    if (!this.open) return;
    const { side } = this.thread;
    if (status === 0 && bytes instanceof Uint8Array) side.written(this.id, bytes.length);
    else side.ended(this.id, status);
    this.thread.soon();
  }

  setNoDelay(on: boolean): void {
    this.handle.setNoDelay?.(on);
  }

  keepAlive(seconds: number): void {
    this.handle.setKeepAlive?.(seconds > 0, seconds);
  }

  close(): void {
    this.open = false;
    this.handle.close();
  }
}

const bindings = findBindings();
assert(bindings !== undefined, 'a thread has the handles that the main thread has');
new IoThread(bindings, workerData as IoThreadData);
