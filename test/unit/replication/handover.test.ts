/** A connection becomes a replica's link: what is still being written to it then, and what it is owed. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeServer } from '../../support/fake-transport.ts';

let fake: FakeServer;

beforeEach(async () => {
  fake = new FakeServer({ save: '', 'repl-diskless-sync-delay': 0 });
  await fake.listen();
});

afterEach(() => fake.close());

describe.each([
  [['PSYNC', '?', '-1'], /^\+FULLRESYNC [0-9a-f]{40} 0\r\n/],
  [['SYNC'], /^$/],
])('%j', (words, answer) => {
  test('is taken of a peer who has read its replies before the system tells that they are written', async () => {
    const replica = fake.connect();
    replica.stuck = true;
    expect(await fake.ask(replica, 'PING')).toBe('+PONG');
    replica.sent = '';
    replica.command(...words);
    await fake.turn();
    expect(replica.sent).toBe('');
    replica.stuck = false;
    replica.receiver?.onWritten();
    await fake.turn();
    expect(replica.sent).toMatch(answer);
    expect(fake.server.engine.replication.syncs.full).toBe(1);
  });

  test('is refused behind replies that have not been sent', async () => {
    const replica = fake.connect();
    replica.command('PING');
    expect(await fake.ask(replica, ...words)).toBe('+PONG\r\n-ERR SYNC and PSYNC are invalid with pending output');
  });
});

test('SCRIPT DEBUG begins while the reply before it is being written', async () => {
  const client = fake.connect();
  client.stuck = true;
  expect(await fake.ask(client, 'PING')).toBe('+PONG');
  client.command('SCRIPT', 'DEBUG', 'SYNC');
  client.stuck = false;
  client.sent = '';
  client.receiver?.onWritten();
  await fake.turn();
  expect(client.sent).toBe('+OK\r\n');
});

test.each([
  ['yes', false],
  ['no', true],
] as const)('repl-disable-tcp-nodelay %s: small packets go out at once: %s', async (setting, noDelay) => {
  const server = new FakeServer({ save: '', 'repl-disable-tcp-nodelay': setting });
  await server.listen();
  const replica = server.connect();
  replica.command('PSYNC', '?', '-1');
  await server.turn();
  expect(replica.noDelay).toBe(noDelay);
  await server.close();
});

test('what a replica has not read is counted once, and bounded by no maxmemory', async () => {
  const first = fake.connect();
  const [, history] = (await fake.ask(first, 'PSYNC', '?', '-1')).split(' ');
  expect(await fake.ask(fake.connect(), 'CONFIG', 'SET', 'repl-backlog-size', 16384)).toBe('+OK');
  const replica = fake.connect();
  expect(await fake.ask(replica, 'PSYNC', history, '1')).toBe('+CONTINUE');
  replica.stuck = true;
  const { usedMemory, memory } = fake.server.engine;
  const client = fake.connect();
  const set = async () => expect(await fake.ask(client, 'SET', 'key', 'x'.repeat(400_000))).toBe('+OK');
  const bounded = usedMemory.forMaxmemory - memory.used;
  for (let i = 0; i < 5; i++) await set();
  expect(usedMemory.notBounded).toBeGreaterThan(1_000_000);
  expect(usedMemory.forMaxmemory - memory.used).toBeLessThan(bounded + 100_000);
  expect(replica.intact).toBe(true);
});
