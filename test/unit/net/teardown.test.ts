/** Bytes that a transport is still writing stay as they are, however the session ends; commands and clients are real ones. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sliceOf } from '../../../src/base/slice.ts';
import type { Session } from '../../../src/engine/session.ts';
import { type FakeConnection, FakeServer } from '../../support/fake-transport.ts';

let fake: FakeServer;

beforeEach(async () => {
  fake = new FakeServer({ timeout: 10 });
  await fake.listen();
});

afterEach(() => fake.close());

/** One with several unfinished writes' worth of replies: small ones, and some with chunks of their own. */
function victim(): FakeConnection {
  const connection = fake.connect();
  connection.command('SET', 'big', 'v'.repeat(300_000));
  connection.command('SET', 'small', 'w'.repeat(9000));
  fake.net.endTurn();
  connection.sent = '';
  connection.stuck = true;
  for (let i = 0; i < 8; i++) {
    connection.command('GET', 'small');
    connection.command('GET', 'big');
  }
  fake.net.endTurn();
  expect(connection.flights.length).toBe(1);
  return connection;
}

/** Replies of another client, enough to use every free chunk again. */
function others(connection: FakeConnection): void {
  for (let i = 0; i < 8; i++) {
    connection.command('GET', 'big');
    connection.command('GET', 'small');
  }
  fake.net.endTurn();
}

const ENDS: Readonly<Record<string, (victim: Session, killer: FakeConnection) => void>> = {
  'CLIENT KILL': ({ id }, killer) => killer.command('CLIENT', 'KILL', 'ID', id),
  'CLIENT KILL of an address': ({ port }, killer) => killer.command('CLIENT', 'KILL', port.address),
  'ACL DELUSER': (session, killer) => {
    killer.command('ACL', 'SETUSER', 'gone', 'on', 'nopass', '+@all', '~*');
    session.user = fake.server.engine.acl.find(sliceOf('gone'))!;
    killer.command('ACL', 'DELUSER', 'gone');
  },
  'client eviction': (_, killer) => {
    killer.command('CLIENT', 'NO-EVICT', 'ON');
    killer.command('CONFIG', 'SET', 'maxmemory-clients', '1000000');
  },
  'the output limit': ({ port }, killer) => {
    killer.command('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 100 0 0');
    port.flush();
    fake.net.tick();
  },
  'an idle timeout': () => {
    fake.clock.advance(11_000);
    fake.net.tick();
  },
  'a failed sync under appendfsync always': () => {
    for (const { reply, port } of fake.server.engine.sessions.values()) {
      reply.abandon();
      port.close();
    }
  },
  'the end of the server': () => fake.net.stop(),
};

describe.each(Object.entries(ENDS))('%s', (_, end) => {
  test('with a write pending', () => {
    const killer = fake.connect();
    const connection = victim();
    const [session] = [...fake.server.engine.sessions.values()].slice(-1);
    end(session, killer);
    others(killer);
    others(fake.connect());
    expect(connection.closed).toBe(true);
    expect(connection.intact).toBe(true);
  });
});

test('the pool knows how much sessions hold, also after writes that never finished', () => {
  const killer = fake.connect();
  victim();
  const [session] = [...fake.server.engine.sessions.values()].slice(-1);
  killer.command('CLIENT', 'KILL', 'ID', session.id);
  fake.net.endTurn();
  expect(fake.server.engine.pool.held).toBe(0);
});

test('a session that has gone while its script was suspended loses nothing that is being written', async () => {
  const killer = fake.connect();
  const connection = victim();
  const [session] = [...fake.server.engine.sessions.values()].slice(-1);
  killer.command('CONFIG', 'SET', 'busy-reply-threshold', '1');
  connection.stuck = true;
  connection.command('EVAL', 'for i = 1, 2000000 do end return 1', 0);
  killer.command('CLIENT', 'KILL', 'ID', session.id);
  others(killer);
  expect(connection.intact).toBe(true);
});

test('who is closed by a limit on memory is gone for who is heard next, in the same turn', async () => {
  const server = new FakeServer({ 'maxmemory-clients': '1mb', 'client-output-buffer-limit': 'normal 200000 0 0' });
  await server.listen();
  const [much, slow, other] = [server.connect(), server.connect(), server.connect()];
  await server.ask(other, 'SET', 'k', 'v'.repeat(300_000));
  for (const [connection, name] of [
    [much, 'much'],
    [slow, 'slow'],
  ] as const)
    await server.ask(connection, 'CLIENT', 'SETNAME', name);
  slow.stuck = true;
  other.sent = '';
  for (let i = 0; i < 20; i++) much.arrive(i === 0 ? `*1\r\n$2000000\r\n` : 'v'.repeat(64_000));
  slow.command('GET', 'k');
  slow.command('GET', 'k');
  other.command('CLIENT', 'LIST');
  await server.turn();
  expect(other.sent).toContain('cmd=client|list');
  expect(other.sent).not.toContain('name=much');
  expect(other.sent).not.toContain('name=slow');
  expect([much.closed, slow.closed]).toEqual([true, true]);
  await server.close();
});
