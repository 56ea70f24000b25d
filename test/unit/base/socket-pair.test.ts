/** Two sockets that are connected within the process. */
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { socketPair } from '../../../src/base/socket-pair.ts';

const PIECE = Buffer.alloc(16 * 1024, 'x');

let near: Socket;
let far: Socket;

beforeEach(() => {
  [near, far] = socketPair();
});

afterEach(() => {
  near.destroy();
  far.destroy();
});

function heard(socket: Socket): { readonly bytes: () => string; readonly events: string[] } {
  const chunks: Buffer[] = [];
  const events: string[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const event of ['end', 'close', 'error']) socket.on(event, () => events.push(event));
  return { bytes: () => Buffer.concat(chunks).toString(), events };
}

test('one is told that it is connected, as who dials is', async () => {
  expect([near.connecting, far.connecting]).toEqual([true, false]);
  await new Promise((resolve) => near.once('connect', resolve));
  expect([near.connecting, near.remoteAddress, near.remotePort]).toEqual([false, '127.0.0.1', 0]);
});

test('bytes go both ways, and are the writer’s again at once', async () => {
  const [one, other] = [heard(near), heard(far)];
  const bytes = Buffer.from('hello');
  near.write(bytes);
  near.write(' there');
  far.write('yes');
  await new Promise((resolve) => near.write('', resolve));
  bytes.fill(0);
  await expect.poll(() => [one.bytes(), other.bytes()]).toEqual(['yes', 'hello there']);
});

test('nothing is heard within the write', async () => {
  let writing = true;
  const within: boolean[] = [];
  far.on('data', () => within.push(writing));
  near.write('a');
  writing = false;
  await expect.poll(() => within).toEqual([false]);
});

describe('back-pressure', () => {
  test('who is not read can write no more than the buffers of both ends', async () => {
    far.pause();
    let written = 0;
    while (near.write(PIECE)) {
      written += PIECE.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(written).toBeLessThan(4 * (near.writableHighWaterMark + far.readableHighWaterMark));
    await new Promise((resolve) => setImmediate(resolve));
    expect(near.writableNeedDrain).toBe(true);
    const drained = new Promise((resolve) => near.once('drain', resolve));
    far.resume();
    await drained;
  });

  test('what is large arrives whole', async () => {
    const got = heard(far);
    const large = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => i % 251));
    for (let at = 0; at < large.length; at += 70_000) near.write(large.subarray(at, at + 70_000));
    near.end();
    await expect.poll(() => got.events).toContain('end');
    expect(got.bytes()).toBe(large.toString());
  });
});

describe('an end', () => {
  test('of one side leaves the dialled side open until it ends too', async () => {
    const [one, other] = [heard(near), heard(far)];
    near.end('ask');
    await expect.poll(() => other.events).toEqual(['end']);
    far.end('answer');
    await expect
      .poll(() => [one.events, other.events])
      .toEqual([
        ['end', 'close'],
        ['end', 'close'],
      ]);
    expect([one.bytes(), other.bytes()]).toEqual(['answer', 'ask']);
  });

  test('at once comes behind what was written', async () => {
    const one = heard(near);
    far.write('last');
    far.destroy();
    await expect.poll(() => one.events).toEqual(['end', 'close']);
    expect(one.bytes()).toBe('last');
  });

  test('lets go of a write that waits', async () => {
    far.pause();
    const done = new Promise((resolve) => near.write(Buffer.alloc(1_000_000), resolve));
    await new Promise((resolve) => setImmediate(resolve));
    far.destroy();
    await done;
  });
});

test('a time-out counts from the last bytes', async () => {
  let timeouts = 0;
  near.setTimeout(200, () => timeouts++);
  for (let i = 0; i < 30; i++) {
    far.write('x');
    near.resume();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(timeouts).toBe(0);
  await expect.poll(() => timeouts).toBe(1);
});
