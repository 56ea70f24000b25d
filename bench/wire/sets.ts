/** SETs of many keys for the benches: filling a server, and a client that goes on while it saves or loads. */
import { connect, type Socket } from 'node:net';
import { startWorker } from '../../test/support/worker.ts';
import type { ProbeTask } from './prober.ts';

/** Digits of a key after `key:`, so that a key has 16 bytes. */
const DIGITS = 12;
const SET_HEAD = '*3\r\n$3\r\nSET\r\n$16\r\nkey:';
const GET_HEAD = '*2\r\n$3\r\nGET\r\n$16\r\nkey:';
/** Commands written at once while filling. */
const BATCH = 5000;
/** Of a reply to SET. */
export const OK_BYTES = 5;
const LETTERS = Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_', 'latin1');

/** SET commands of one size, side by side in one buffer, whose keys and values are written anew for each use. */
export class SetCommands {
  readonly bytes: Buffer;
  private readonly size: number;
  private readonly valueAt: number;
  private readonly valueBytes: number;
  private state = 0x9e3779b9;

  constructor(count: number, valueBytes: number) {
    const middle = `\r\n$${valueBytes}\r\n`;
    this.valueBytes = valueBytes;
    this.valueAt = SET_HEAD.length + DIGITS + middle.length;
    this.size = this.valueAt + valueBytes + 2;
    const one = `${SET_HEAD}${'0'.repeat(DIGITS)}${middle}${'x'.repeat(valueBytes)}\r\n`;
    this.bytes = Buffer.from(one.repeat(count), 'latin1');
  }

  /** Makes command `index` a SET of key number `key` to a random value, which no compression makes shorter. */
  put(index: number, key: number): void {
    const start = index * this.size;
    for (let i = DIGITS - 1, rest = key; i >= 0; i--, rest = Math.floor(rest / 10))
      this.bytes[start + SET_HEAD.length + i] = 48 + (rest % 10);
    for (let i = 0; i < this.valueBytes; i++) this.bytes[start + this.valueAt + i] = LETTERS[this.random() & 63];
  }

  /** The first `count` commands. */
  take(count: number): Buffer {
    return this.bytes.subarray(0, count * this.size);
  }

  /** 32 random bits. */
  random(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }
}

/** GET of key number `key`. */
export function getCommand(key: number): Buffer {
  return Buffer.from(`${GET_HEAD}${String(key).padStart(DIGITS, '0')}\r\n`, 'latin1');
}

/** Calls back with the number of bytes of each arrival; they are not kept. */
export function connectTo(port: number, arrived: (bytes: number) => void): Socket {
  const callback = (count: number): boolean => {
    arrived(count);
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer: Buffer.alloc(1 << 16), callback } });
  socket.setNoDelay(true);
  return socket;
}

/** Sets the keys 0 to count - 1. */
export async function fill(port: number, count: number, valueBytes: number): Promise<void> {
  const commands = new SetCommands(BATCH, valueBytes);
  let left = 0;
  let done: () => void = () => {};
  const socket = connectTo(port, (bytes) => {
    left -= bytes;
    if (left === 0) done();
  });
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    for (let i = 0; i < size; i++) commands.put(i, from + i);
    left = size * OK_BYTES;
    const answered = new Promise<void>((resolve) => {
      done = resolve;
    });
    socket.write(commands.take(size));
    await answered;
  }
  socket.destroy();
}

/** Milliseconds of each command of a client that goes on while `during` runs, in rising order. */
export async function probeWhile(task: ProbeTask, during: () => Promise<void>): Promise<Float64Array> {
  const worker = startWorker(new URL('./prober.ts', import.meta.url));
  worker.postMessage(task);
  await new Promise((begun) => worker.once('message', begun));
  const taken = new Promise<Float64Array>((resolve) => worker.once('message', resolve));
  await during();
  worker.postMessage('end');
  const samples = await taken;
  await worker.terminate();
  return samples.sort();
}
