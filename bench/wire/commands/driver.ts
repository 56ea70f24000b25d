/** One connection that sends batches of commands and waits for the last reply, without reading the others. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Words } from './row.ts';

/** Behind each batch stands an ECHO of it; no reply ends in it but that one's. */
const MARK = 'end of the batch, of which nothing was read';
const MARK_REPLY = Buffer.from(`$${MARK.length}\r\n${MARK}\r\n`, 'latin1');

/** Commands as one array of bytes, an ECHO behind them; strings are one character a byte. */
export function encodeBatch(commands: readonly Words[]): Buffer {
  const parts = [...commands, ['ECHO', MARK]].map(
    (words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
  );
  return Buffer.from(parts.join(''), 'latin1');
}

export class Driver {
  private readonly socket: Socket;
  /** The last bytes that have come, as many as the mark's reply has. */
  private readonly tail = Buffer.alloc(MARK_REPLY.length);
  private done: () => void = () => {};
  private failed: (error: Error) => void = () => {};

  constructor(port: number) {
    const callback = (count: number, bytes: Uint8Array): boolean => {
      this.arrived(bytes, count);
      return true;
    };
    this.socket = connect({ port, host: '127.0.0.1', onread: { buffer: Buffer.alloc(1 << 18), callback } });
    this.socket.setNoDelay(true);
    this.socket.on('error', (error) => this.failed(error));
    this.socket.on('close', () => this.failed(new Error('the server has closed the connection')));
  }

  private arrived(bytes: Uint8Array, count: number): void {
    const { tail } = this;
    if (count < tail.length) {
      tail.copyWithin(0, count);
      tail.set(bytes.subarray(0, count), tail.length - count);
    } else tail.set(bytes.subarray(count - tail.length, count));
    if (tail.equals(MARK_REPLY)) this.done();
  }

  /** Resolves when all commands of a batch (`encodeBatch`) have been replied to. */
  run(batch: Uint8Array): Promise<void> {
    return new Promise((done, failed) => {
      this.tail.fill(0);
      this.done = done;
      this.failed = failed;
      this.socket.write(batch);
    });
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }
}

/** Processor seconds of all threads of a process so far, in steps of nanoseconds. */
export function threadSecondsOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return nanoseconds / 1e9;
}
