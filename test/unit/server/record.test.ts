/** server.record(): what clients have called. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { ReplyError } from '../../../src/protocol/reply-error.ts';
import { localServers } from '../../support/local-servers.ts';

const start = localServers();

test('commands come with their bytes, their client, their database and their time, until it is stopped', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const session = server.session();
  const bytes = Buffer.from([0, 255, 13]);
  await session.call('PING');
  const calls = server.record();
  await session.call('CLIENT', 'SETNAME', 'web');
  await session.call('SELECT', 3);
  await session.call('Set', bytes, 'v');
  calls.stop();
  await session.call('GET', bytes);
  expect(calls.words).toEqual([
    ['client', 'setname', 'web'],
    ['select', '3'],
    ['set', '\0\ufffd\r', 'v'],
  ]);
  expect(calls.commands[2]).toMatchObject({
    name: 'set',
    args: [bytes, Buffer.from('v')],
    clientId: session.id,
    clientName: 'web',
    db: 3,
    time: clock.now(),
    within: null,
    outcome: 'ran',
  });
  expect(calls.commands[2].reply).toBeUndefined();
  calls.clear();
  expect(calls.commands).toEqual([]);
  expect(server.engine.gates.bits).toBe(0);
});

test('what is recorded stays as it was: arguments are copies', async () => {
  const server = start();
  using calls = server.record();
  const value = Buffer.from('before');
  await server.session().call('SET', 'k', value);
  value.write('after!');
  expect(calls.words).toEqual([['set', 'k', 'before']]);
});

test('by name and by predicate', async () => {
  const server = start();
  const session = server.session();
  const gets = server.record({ commands: ['get', 'config'] });
  const mine = server.record({ when: ({ args }) => args[0]?.toString().startsWith('mine:') });
  await session.call('GET', 'mine:1');
  await session.call('SET', 'mine:2', 1);
  await session.call('CONFIG', 'GET', 'maxmemory');
  await session.call('GET', 'theirs');
  expect(gets.words).toEqual([
    ['get', 'mine:1'],
    ['config', 'get', 'maxmemory'],
    ['get', 'theirs'],
  ]);
  expect(mine.words).toEqual([
    ['get', 'mine:1'],
    ['set', 'mine:2', '1'],
  ]);
  expect(() => server.record({ commands: 'gett' })).toThrow("There is no command 'gett'");
});

test('what transactions and scripts run is told with what runs it', async () => {
  const server = start();
  const session = server.session();
  using calls = server.record({ replies: true });
  await session.transaction([['INCR', 'n']]);
  await session.call('EVAL', "return redis.call('incr', KEYS[1])", 1, 'n');
  expect(calls.commands.map(({ name, within, clientId, reply }) => [name, within, clientId, reply])).toEqual([
    ['multi', null, session.id, 'OK'],
    ['incr', 'transaction', session.id, 1],
    ['exec', null, session.id, [1]],
    ['incr', 'script', session.id, 2],
    ['eval', null, session.id, 2],
  ]);
});

test('replies are those of the client, with bytes as Buffers and errors as errors', async () => {
  const server = start();
  const session = server.session({ protocol: 3 });
  using calls = server.record({ replies: true });
  const long = Buffer.alloc(21_000, 'x');
  await session.pipeline([
    ['SET', 'k', long],
    ['GET', 'k'],
    ['HSET', 'h', 'f', 'v'],
    ['HGETALL', 'h'],
    ['INCR', 'k'],
    ['NOSUCH', 'k'],
    ['GET'],
    ['SUBSCRIBE', 'a', 'b'],
  ]);
  expect(calls.commands.map(({ reply }) => reply)).toEqual([
    'OK',
    long,
    1,
    new Map([[Buffer.from('f'), Buffer.from('v')]]),
    new ReplyError('ERR value is not an integer or out of range'),
    new ReplyError("ERR unknown command 'NOSUCH', with args beginning with: 'k' "),
    new ReplyError("ERR wrong number of arguments for 'get' command"),
    [
      [Buffer.from('subscribe'), Buffer.from('a'), 1],
      [Buffer.from('subscribe'), Buffer.from('b'), 2],
    ],
  ]);
  expect(calls.commands.map(({ outcome }) => outcome)).toEqual([...Array(5).fill('ran'), 'refused', 'refused', 'ran']);
});

test('what waits has its reply when it is served, or when its time is up', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const [one, two, other] = [server.session(), server.session(), server.session()];
  using calls = server.record({ commands: ['blpop', 'brpop'], replies: true });
  const served = one.call('BLPOP', 'list', 0);
  const late = two.call('BRPOP', 'none', 1);
  await other.call('PING');
  expect(calls.commands.map(({ reply }) => reply)).toEqual([undefined, undefined]);
  await other.call('RPUSH', 'list', 'a');
  clock.advance(1000);
  await Promise.all([served, late]);
  expect(calls.commands.map(({ reply }) => reply)).toEqual([[Buffer.from('list'), Buffer.from('a')], null]);
});

test('what a fault has done to a command is seen', async () => {
  const server = start();
  const [one, two] = [server.session(), server.session()];
  using calls = server.record({ replies: true });
  server.faults.error('get', 'ERR no');
  server.faults.drop('set', 'request');
  server.faults.drop('incr', 'reply');
  await expect(one.call('GET', 'k')).rejects.toThrow('ERR no');
  void one.call('SET', 'k', 1).catch(() => {});
  void two.call('INCR', 'n').catch(() => {});
  expect(calls.commands.map(({ name, outcome, reply }) => [name, outcome, reply])).toEqual([
    ['get', 'refused', new ReplyError('ERR no')],
    ['set', 'lost', undefined],
    ['incr', 'ran', undefined],
  ]);
});

test('passwords are not kept', async () => {
  const server = start();
  const session = server.session();
  using calls = server.record();
  await session.call('ACL', 'SETUSER', 'ada', 'on', '>secret');
  await session.call('AUTH', 'nobody', 'secret').catch(() => {});
  await session.call('CONFIG', 'SET', 'maxmemory', '1gb', 'requirepass', 'secret');
  await session.call('HELLO', 3, 'AUTH', 'default', 'secret');
  expect(JSON.stringify(calls.words)).not.toContain('secret');
  expect(calls.words[0]).toEqual(['acl', 'setuser', ...Array(3).fill('(redacted)')]);
});

test('its memory is bounded: the oldest go', async () => {
  const server = start();
  const session = server.session();
  using calls = server.record({ maxBytes: 10_000 });
  for (let i = 0; i < 100; i++) await session.call('SET', `key:${i}`, 'x'.repeat(800));
  const kept = calls.commands.length;
  expect(kept).toBe(9);
  expect(calls.dropped).toBe(100 - kept);
  expect(calls.commands[0].args[0].toString()).toBe(`key:${100 - kept}`);
  await session.call('SET', 'huge', 'x'.repeat(20_000));
  expect(calls.commands).toEqual([]);
  expect(calls.dropped).toBe(101);
});

test('what a record keeps is bounded with its replies, and whatever was forgotten makes room', async () => {
  const server = start();
  const session = server.session();
  await session.call('SET', 'k', 'x'.repeat(1000));
  using calls = server.record({ replies: true, maxBytes: 10_000 });
  for (let i = 0; i < 50; i++) await session.call('GET', 'k');
  expect(calls.commands.length).toBe(8);
  expect(calls.commands[7].reply).toEqual(Buffer.alloc(1000, 'x'));
  expect(calls.dropped).toBe(42);
  // Who is answered after his command was forgotten takes no room.
  for (let i = 0; i < 20; i++) {
    const waiting = server.session().call('BLPOP', 'list', 0);
    calls.clear();
    await session.call('RPUSH', 'list', 'x'.repeat(1000));
    await waiting;
  }
  calls.clear();
  for (let i = 0; i < 5; i++) await session.call('GET', 'k');
  expect(calls.commands.length).toBe(5);
});

test('a predicate may call the server: its calls run in their turn, and each has its own reply', async () => {
  const server = start();
  const [asking, other] = [server.session(), server.session()];
  const replies: Promise<unknown>[] = [];
  using calls = server.record({
    commands: 'get',
    when: () => replies.push(asking.call('PING'), other.call('ECHO', 'a')) > 0,
  });
  expect(await Promise.all([asking.call('GET', 'k'), asking.call('ECHO', 'b')])).toEqual([null, 'b']);
  expect(await Promise.all(replies)).toEqual(['PONG', 'a']);
  expect(await other.call('ECHO', 'c')).toBe('c');
  expect(calls.words).toEqual([['get', 'k']]);
});

test('errors stand in a record as the text that they were', async () => {
  const server = start();
  const session = server.session();
  using calls = server.record({ replies: true });
  const told = await session.call('café' as 'get', 'x').catch((error: Error) => error.message);
  expect((calls.commands[0].reply as Error).message).toBe(told);
  expect(told).toContain("unknown command 'café'");
});
