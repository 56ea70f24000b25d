/** What is left half way and goes on later: its reply, its effects, and its session that may be gone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeConnection, FakeServer } from '../../support/fake-transport.ts';
import { freePort } from '../../support/ports.ts';

let folder: string;
let fake: FakeServer;
let a: FakeConnection;
let b: FakeConnection;
let closedPort: number;

beforeEach(async () => {
  closedPort = await freePort();
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-suspension-'));
  fake = new FakeServer({ dir: folder, 'enable-debug-command': 'yes' });
  await fake.listen();
  a = fake.connect();
  b = fake.connect();
  await fake.ask(b, 'SET', 'key', 'value');
});

afterEach(async () => {
  await fake.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Until the session of `a` takes commands again. */
async function over(): Promise<void> {
  const session = [...fake.server.engine.sessions.values()].find(({ port }) => port.address === a.address);
  while (session?.waiter || session?.postponed) await fake.turn();
  await fake.turn();
}

/** Ways in which a command waits, and how its wait ends. */
const WAITS: Readonly<Record<string, [command: (string | number)[], end: () => unknown]>> = {
  'BLPOP that is served': [['BLPOP', 'l', 0], () => fake.ask(b, 'RPUSH', 'l', 'v')],
  'BLPOP whose time is up': [['BLPOP', 'l', 1], () => fake.clock.advance(1100)],
  'BLPOP that is unblocked': [['BLPOP', 'l', 0], () => fake.ask(b, 'CLIENT', 'UNBLOCK', 1)],
  'BLPOP that is unblocked with an error': [['BLPOP', 'l', 0], () => fake.ask(b, 'CLIENT', 'UNBLOCK', 1, 'ERROR')],
  'BLMOVE that is served': [['BLMOVE', 'l', 'm', 'LEFT', 'LEFT', 0], () => fake.ask(b, 'RPUSH', 'l', 'v')],
  'BZPOPMIN that is served': [['BZPOPMIN', 'z', 0], () => fake.ask(b, 'ZADD', 'z', 1, 'v')],
  'XREAD BLOCK that is served': [
    ['XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'],
    () => fake.ask(b, 'XADD', 's', '*', 'f', 'v'),
  ],
  'a paused command': [
    ['GET', 'key'],
    () => {
      fake.clock.advance(101);
      fake.clock.advance(0);
    },
  ],
  'MIGRATE that finds nobody': [['MIGRATE', '127.0.0.1', 0, 'key', 0, 1000], () => {}],
  'DEBUG LOADAOF': [['DEBUG', 'LOADAOF'], () => {}],
  'CONFIG SET port': [['CONFIG', 'SET', 'port', 0], () => {}],
};

describe('CLIENT REPLY SKIP covers', () => {
  for (const [name, [command, end]] of Object.entries(WAITS)) {
    test(name, async () => {
      const words = command.map((word, i) => (command[0] === 'MIGRATE' && i === 2 ? closedPort : word));
      if (name === 'DEBUG LOADAOF') await fake.ask(b, 'CONFIG', 'SET', 'appendonly', 'yes');
      a.command('CLIENT', 'REPLY', 'SKIP');
      if (name === 'a paused command') await fake.ask(b, 'CLIENT', 'PAUSE', 100);
      a.command(...words);
      await fake.turn();
      await end();
      await over();
      expect(a.sent).toBe('');
      expect(await fake.ask(a, 'ECHO', 'hi')).toBe('$2\r\nhi');
    });
  }

  test('a transaction that MIGRATE leaves half way', async () => {
    await fake.ask(a, 'MULTI');
    await fake.ask(a, 'SET', 'other', 1);
    await fake.ask(a, 'MIGRATE', '127.0.0.1', closedPort, 'key', 0, 1000);
    a.sent = '';
    a.command('CLIENT', 'REPLY', 'SKIP');
    a.command('EXEC');
    await fake.turn();
    await over();
    // CLIENT REPLY SKIP was queued itself.
    expect(a.sent).toMatch(/^\+QUEUED\r\n\*3\r\n\+OK\r\n-IOERR/);
    expect(await fake.ask(a, 'ECHO', 'hi')).toBe('');
    expect(await fake.ask(a, 'ECHO', 'hi')).toBe('$2\r\nhi');
  });
});

test('a transaction that MIGRATE leaves half way is one unit, though its client is gone', async () => {
  await fake.ask(a, 'MULTI');
  await fake.ask(a, 'SET', 'first', 1);
  await fake.ask(a, 'MIGRATE', '127.0.0.1', closedPort, 'key', 0, 1000);
  await fake.ask(a, 'BLPOP', 'l', 0);
  await fake.ask(a, 'SET', 'last', 1);
  a.command('EXEC');
  const { engine } = fake.server;
  expect(engine.suspended).not.toBe(null);
  engine.suspended?.verify();
  a.receiver?.onEnd('ECONNRESET');
  while (engine.suspended !== null) await fake.turn();
  expect(engine.propagation.held).toBe(false);
  expect(await fake.ask(b, 'GET', 'last')).toBe('$1\r\n1');
  expect(engine.sessions.size).toBe(1);
});
