/** What held the event loop is logged when it was held for `watchdog-period`. */
import { afterEach, expect, test } from 'vitest';
import type { Log } from '../../../src/engine/server-port.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';

let server: CinnabarServer;

afterEach(() => server.close());

function start(period: number): string[] {
  const logged: string[] = [];
  const log: Log = { debug() {}, verbose() {}, notice() {}, warning: (line) => void logged.push(line) };
  const settings = { save: '', 'enable-debug-command': true, 'watchdog-period': period };
  server = createServer({ port: 0, settings, log });
  return logged;
}

async function reports(logged: readonly string[]): Promise<string[]> {
  const found = (): string[] => logged.filter((line) => line.startsWith('WATCHDOG'));
  for (let i = 0; i < 30 && found().length === 0; i++) await new Promise((done) => setTimeout(done, 10));
  return found();
}

test('a long command is named with its client', async () => {
  const logged = start(50);
  await server.listen();
  await server.session().call('DEBUG', 'SLEEP', '0.2');
  const [line] = await reports(logged);
  expect(line).toMatch(/the event loop was held for \d+ ms, \d+ ms of them by the command 'debug' of client id=/);
});

test('what is no command is told as well', async () => {
  const logged = start(50);
  await server.listen();
  const end = performance.now() + 200;
  while (performance.now() < end);
  expect((await reports(logged))[0]).toMatch(/held for \d+ ms, by many short commands, background work/);
});

test('there is none when it is off, and CONFIG SET turns it on', async () => {
  const logged = start(0);
  await server.listen();
  const session = server.session();
  await session.call('DEBUG', 'SLEEP', '0.2');
  expect(await reports(logged)).toEqual([]);
  await session.call('CONFIG', 'SET', 'watchdog-period', '50');
  await session.call('DEBUG', 'SLEEP', '0.2');
  expect((await reports(logged)).length).toBe(1);
});
