/** A server under the timers that a test runner puts in place of the real ones. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CinnabarServer, createServer, VirtualClock } from '../../../src/index.ts';

const MINUTE = 60_000;

let server: CinnabarServer;

beforeEach(async () => {
  server = createServer({ port: 0 });
  await server.listen();
  vi.useFakeTimers();
});

afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

test('goes on answering, with a socket and without', async () => {
  expect(await server.session().call('SET', 'k', 'v')).toBe('OK');
  const client = new Redis(server.url);
  expect(await client.get('k')).toBe('v');
  client.disconnect();
});

test('keeps keys for as long as the faked date says', async () => {
  const session = server.session();
  await session.call('SET', 'k', 'v', 'EX', 60);
  vi.advanceTimersByTime(MINUTE - 1);
  expect(await session.call('PTTL', 'k')).toBe(1);
  vi.advanceTimersByTime(2);
  expect(await session.call('GET', 'k')).toBeNull();
});

test('tells the faked time', async () => {
  vi.setSystemTime(new Date('2001-02-03T04:05:06Z'));
  expect(await server.session().call('TIME')).toEqual(['981173106', '0']);
  expect(await server.session().call('XADD', 's', '*', 'f', 'v')).toBe('981173106000-0');
});

test('waits in real time', async () => {
  expect(await server.session().call('BLPOP', 'none', 0.01)).toBeNull();
});

test('lives on when the timers are real again', async () => {
  const session = server.session();
  await session.call('SET', 'brief', 'v', 'PX', 1);
  vi.useRealTimers();
  // Nobody asks for it: the cron removes it.
  await expect.poll(() => session.call('DBSIZE'), { timeout: 20_000 }).toBe(0);
});

test('follows a clock of its own, where it has one', async () => {
  const clock = new VirtualClock();
  const own = createServer({ clock });
  const session = own.session();
  await session.call('SET', 'k', 'v', 'EX', 60);
  vi.advanceTimersByTime(2 * MINUTE);
  expect(await session.call('TTL', 'k')).toBe(60);
  const popped = session.call('BLPOP', 'none', 60);
  clock.advance(MINUTE + 1);
  expect(await popped).toBeNull();
  expect(await session.call('GET', 'k')).toBeNull();
  await own.close();
});
