/** server.faults: what clients are to bear, over sockets and without. */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { connectorTo } from '../../../src/embed/ioredis.ts';
import type { CinnabarServer } from '../../../src/server/server.ts';
import { localServers } from '../../support/local-servers.ts';

const start = localServers();
const clients: Redis[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

function connect(server: CinnabarServer): Redis {
  const client = new Redis({ Connector: connectorTo(server), retryStrategy: null });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

/** Whether a promise is settled once the event loop has gone round some times. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done));
  return settled;
}

test('a delay holds a command, and what its client sent behind it, by the clock of the server', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const [slow, other] = [server.session(), server.session()];
  using fault = server.faults.delay('GET', 200);
  const replies = slow.pipeline([
    ['SET', 'k', 1],
    ['GET', 'k'],
    ['INCR', 'k'],
  ]);
  clock.advance(199);
  expect(await isSettled(replies)).toBe(false);
  expect(await other.call('SET', 'k', 5)).toBe('OK');
  clock.advance(1);
  expect(await replies).toEqual(['OK', '5', 6]);
  expect(fault.met).toBe(1);
  fault.dispose();
  expect(await slow.call('GET', 'k')).toBe('6');
});

test('delays add up, and what follows them is met after', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  server.faults.delay('get', 100);
  server.faults.error('get', 'ERR out of order');
  server.faults.delay('*', 50);
  const session = server.session();
  const reply = session.call('GET', 'k');
  clock.advance(149);
  expect(await isSettled(reply)).toBe(false);
  clock.advance(1);
  await expect(reply).rejects.toThrow('ERR out of order');
});

test('a delayed command is held by a pause as well, and meets nothing twice', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const [slow, other] = [server.session(), server.session()];
  const fault = server.faults.delay('get', 100, { times: 2 });
  const reply = slow.call('GET', 'k');
  await other.call('CLIENT', 'PAUSE', 1000, 'ALL');
  clock.advance(500);
  expect(await isSettled(reply)).toBe(false);
  clock.advance(500);
  expect(await reply).toBeNull();
  expect(fault.met).toBe(1);
});

test('what a state refuses when its delay is over leaves nothing behind for the next command', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const session = server.session();
  server.faults.delay('set', 100, { times: 1 });
  server.faults.error('set', 'ERR met', { times: 1 });
  const reply = session.call('SET', 'k', 1);
  const readonly = server.faults.readonly();
  clock.advance(100);
  await expect(reply).rejects.toThrow('READONLY');
  readonly.dispose();
  expect(await session.call('SET', 'k', 1)).toBe('OK');
});

test('an error is replied to those that a predicate picks, so many times', async () => {
  const server = start();
  const session = server.session();
  const key = Buffer.from([0xff, 0x00]);
  const fault = server.faults.error('set', 'TRYAGAIN later', {
    when: ({ args }) => args[0].equals(key),
    times: 2,
  });
  expect(await session.call('SET', 'other', 1)).toBe('OK');
  await expect(session.call('SET', key, 1)).rejects.toThrow('TRYAGAIN later');
  await expect(session.call('set', key, 1)).rejects.toThrow('TRYAGAIN later');
  expect(await session.call('SET', key, 1)).toBe('OK');
  expect(fault.met).toBe(2);
});

test('in a transaction a fault is met where a command is queued, and EXEC is told', async () => {
  const server = start();
  const session = server.session();
  using _ = server.faults.error('incr', 'ERR no');
  await session.call('MULTI');
  await expect(session.call('INCR', 'k')).rejects.toThrow('ERR no');
  await expect(session.call('EXEC')).rejects.toThrow('EXECABORT');
  using __ = server.faults.error('exec', 'ERR neither');
  await session.call('MULTI');
  await session.call('SET', 'k', 1);
  await expect(session.call('EXEC')).rejects.toThrow('EXECABORT Transaction discarded because of: neither');
  expect(await session.call('SET', 'k', 2)).toBe('OK');
});

test('what is permitted to nobody meets no fault, nor does what a script runs', async () => {
  const server = start();
  const session = server.session();
  const fault = server.faults.error('get', 'ERR met');
  await expect(session.call('GET')).rejects.toThrow('wrong number');
  expect(await session.call('EVAL', "return redis.call('get', 'k')", 0)).toBeNull();
  expect(fault.met).toBe(0);
});

test('a predicate that throws tells so in the reply', async () => {
  const server = start();
  const session = server.session();
  using _ = server.faults.error('get', 'ERR met', {
    when: () => {
      throw new Error('oh dear');
    },
  });
  await expect(session.call('GET', 'k')).rejects.toThrow('ERR the predicate of a fault threw: oh dear');
});

test('subcommands go by their own names and by that of all, and a name that is none throws', async () => {
  const server = start();
  const session = server.session();
  const one = server.faults.error('client|getname', 'ERR one');
  const all = server.faults.error('object', 'ERR all');
  await expect(session.call('CLIENT', 'GETNAME')).rejects.toThrow('ERR one');
  expect(await session.call('CLIENT', 'ID')).toBe(session.id);
  await expect(session.call('OBJECT', 'ENCODING', 'k')).rejects.toThrow('ERR all');
  expect([one.met, all.met]).toEqual([1, 1]);
  expect(() => server.faults.error('gett', 'ERR')).toThrow("There is no command 'gett'");
});

test('of a lost request nothing is done, of a lost reply all; either way the connection is silent from then on', async () => {
  const server = start();
  const watcher = server.session();
  for (const part of ['request', 'reply'] as const) {
    await watcher.call('FLUSHALL');
    const client = connect(server);
    await client.ping();
    server.faults.drop('incr', part, { times: 1 });
    const before = client.get('n');
    const lost = client.incr('n');
    const behind = client.set('m', 1);
    expect(await before).toBeNull();
    expect(await isSettled(Promise.race([lost, behind]))).toBe(false);
    expect(await watcher.call('MGET', 'n', 'm')).toEqual([part === 'reply' ? '1' : null, null]);
    client.disconnect();
    await expect(lost).rejects.toThrow('closed');
    await expect(behind).rejects.toThrow('closed');
  }
});

test('the reply of what waits for a key is lost when it comes', async () => {
  const server = start();
  const [waiter, other] = [server.session(), server.session()];
  using _ = server.faults.drop('blpop', 'reply');
  const popped = waiter.call('BLPOP', 'list', 0);
  const behind = waiter.call('SET', 'behind', 1);
  await other.call('RPUSH', 'list', 'a');
  expect(await isSettled(popped)).toBe(false);
  expect(await other.call('EXISTS', 'list', 'behind')).toBe(0);
  waiter.close();
  await expect(popped).rejects.toThrow('closed');
  await expect(behind).rejects.toThrow('closed');
});

test('a connection is cut where a command should run, or where it has run', async () => {
  const server = start();
  const session = server.session();
  for (const part of ['request', 'reply'] as const) {
    await session.call('FLUSHALL');
    const client = connect(server);
    await client.ping();
    using _ = server.faults.cutAt('incr', part);
    await expect(client.incr('n')).rejects.toThrow('closed');
    expect(await session.call('GET', 'n')).toBe(part === 'reply' ? '1' : null);
    const local = server.session();
    await expect(local.call('INCR', 'n')).rejects.toThrow('closed');
    await expect(local.call('PING')).rejects.toThrow('closed');
  }
});

test('connections are cut by name, by number, or all', async () => {
  const server = start();
  const session = server.session();
  const [one, two] = [connect(server), connect(server)];
  await Promise.all([one.client('SETNAME', 'worker'), two.ping()]);
  const closed = once(one, 'close');
  expect(server.faults.cut({ name: 'worker' })).toBe(1);
  await closed;
  expect(await two.ping()).toBe('PONG');
  const all = once(two, 'close');
  expect(server.faults.cut()).toBe(1);
  await all;
  expect(await session.call('PING')).toBe('PONG');
  expect(server.faults.cut({ id: session.id })).toBe(1);
  await expect(session.call('PING')).rejects.toThrow('closed');
});

test('READONLY and LOADING are what Redis says, and end', async () => {
  const server = start();
  const session = server.session();
  const waiter = server.session();
  const popped = waiter.call('BLPOP', 'list', 0);
  {
    using _ = server.faults.readonly();
    await expect(session.call('SET', 'k', 1)).rejects.toThrow("READONLY You can't write against a read only replica.");
    expect(await session.call('GET', 'k')).toBeNull();
    await expect(session.call('EVAL', "return redis.call('set', 'k', 1)", 0)).rejects.toThrow('READONLY');
  }
  const one = server.faults.loading();
  const two = server.faults.loading();
  await expect(session.call('GET', 'k')).rejects.toThrow('LOADING Redis is loading the dataset in memory');
  expect(await session.call('INFO', 'server')).toContain('redis_version');
  one.dispose();
  one.dispose();
  await expect(session.call('GET', 'k')).rejects.toThrow('LOADING');
  two.dispose();
  await session.call('RPUSH', 'list', 'a');
  expect(await popped).toEqual(['list', 'a']);
});

test('clear() ends all, and none is left at the gate', async () => {
  const server = start();
  const session = server.session();
  const { gates } = server.engine;
  const before = gates.bits;
  server.faults.error('get', 'ERR');
  server.faults.drop('set', 'request');
  server.faults.readonly();
  server.faults.loading();
  expect(gates.bits).not.toBe(before);
  server.faults.clear();
  expect(gates.bits).toBe(before);
  expect(await session.call('SET', 'k', 1)).toBe('OK');
});

test('a server closes while commands are delayed and connections silent', async () => {
  const server = start();
  const [one, two] = [server.session(), server.session()];
  server.faults.delay('get', 1e6);
  server.faults.drop('set', 'request');
  const [delayed, lost] = [one.call('GET', 'k'), two.call('SET', 'k', 1)];
  const ends = [expect(delayed).rejects.toThrow('closed'), expect(lost).rejects.toThrow('closed')];
  await server.close();
  await Promise.all(ends);
});

test('the text of an error may have any characters, and the predicate call the same session', async () => {
  const server = start();
  const session = server.session();
  let asked: Promise<unknown> | undefined;
  const when = (): boolean => {
    asked = session.call('PING');
    return true;
  };
  using _fault = server.faults.error('get', 'ERR é€\r\n+OK', { when });
  await expect(session.call('GET', 'k')).rejects.toThrow('ERR é€  +OK');
  expect(await asked).toBe('PONG');
  using _thrower = server.faults.error('set', 'ERR', {
    when: () => {
      throw new Error('né');
    },
  });
  await expect(session.call('SET', 'k', 'v')).rejects.toThrow('ERR the predicate of a fault threw: né');
});
