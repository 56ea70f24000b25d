/**
 * The system's memory runs out (an address space of 2 GB): writes are refused with -OOM before they begin, reads go on,
 * the data is as it was, and once some of it is deleted writes go on as well.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { MAIN } from '../support/server-process.ts';

const LIMIT_KIB = 2_000_000;
const VALUE_BYTES = 100_000;
const BATCH = 100;

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function startLimited(): Promise<number> {
  const port = await freePort();
  const command = `ulimit -v ${LIMIT_KIB}; exec "$0" "$@"`;
  const args = [MAIN, '--port', String(port), '--bind', '127.0.0.1', '--save', ''];
  const child = spawn('sh', ['-c', command, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise<void>((done, failed) => {
    child.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Ready to accept connections')) done();
    });
  });
  return port;
}

test('an address space that is used up refuses writes and nothing else', async () => {
  const client = new Pipeline(await startLimited());
  const value = (key: number): string => String(key % 10).repeat(VALUE_BYTES);
  const stored: number[] = [];
  let refused = 0;
  for (let from = 0; refused === 0; from += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, i) => from + i);
    const replies = await client.send(keys.map((key) => ['SET', 'k' + key, value(key)]));
    replies.forEach((reply, i) => {
      if (reply === 'OK') stored.push(keys[i]);
      else refused++;
      if (reply instanceof Error) expect(reply.message).toMatch(/^OOM /);
    });
  }
  expect(stored.length * VALUE_BYTES).toBeGreaterThan(200_000_000);
  expect(await client.call('HSET', 'h', 'f', 'v')).toBeInstanceOf(Error);
  for (const key of stored.filter((_, i) => i % 50 === 0))
    expect((await client.call('GET', 'k' + key)) === value(key)).toBe(true);
  const known = new Set(stored.map((key) => 'k' + key));
  const keys = (await client.call('KEYS', '*')) as string[];
  expect(keys.filter((key) => !known.has(key))).toEqual([]);
  expect(keys.length).toBe(stored.length);
  expect(await client.call('DBSIZE')).toBe(stored.length);
  await client.send(stored.filter((_, i) => i % 2 === 0).map((key) => ['DEL', 'k' + key]));
  await expect.poll(() => client.call('HSET', 'h', 'f', 'v'), { timeout: 5000 }).not.toBeInstanceOf(Error);
  client.close();
});
