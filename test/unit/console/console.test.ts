/** The console over its port: who is let in, with which rights, and what it does about those who ask for too much. */
import { connect, createServer as createPlainServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryNetwork, Wires } from '../../../src/base/memory-network.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { RealClock } from '../../../src/base/time.ts';
import type { Hello, Pushes, RunReply, Sample } from '../../../src/console/wire.ts';
import { type CinnabarServer, createServer, VirtualClock } from '../../../src/index.ts';
import { type Answer, follow, type Headers, post, send } from '../../support/http.ts';
import { freePort } from '../../support/ports.ts';

const MB = 1024 * 1024;
/** Other work on the machine may keep this process waiting. */
const PATIENT = { timeout: 20_000 };

let server: CinnabarServer;
let port: number;
const clock = new VirtualClock();

beforeEach(async () => {
  port = await freePort();
  server = createServer({ port: 0, clock, settings: { 'console-port': port } });
  await server.listen();
});

afterEach(() => server.close());

function basic(user: string, password: string): Headers {
  return { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

async function run(
  commands: readonly (readonly string[])[],
  headers: Headers = {},
  more: object = {},
): Promise<RunReply['replies']> {
  const { status, text } = await post(port, '/run', { commands, ...more }, headers);
  if (status !== 200) throw new Error(`${status} ${text}`);
  return (JSON.parse(text) as RunReply).replies;
}

function rawRun(body: string, more = ''): string {
  const head = `Host: localhost\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}`;
  return `POST /run HTTP/1.1\r\n${head}\r\n\r\n${body}`;
}

function rawGet(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

async function cookieOf(user: string, password: string): Promise<Headers> {
  const { status, headers } = await post(port, '/login', { user, password });
  expect(status).toBe(204);
  return { Cookie: headers['set-cookie']![0].split(';', 1)[0] };
}

describe('the page', () => {
  test('is served with what keeps others out of it', async () => {
    const { status, headers, text } = await send(port, '/');
    expect(status).toBe(200);
    expect(text).toContain('<script type="module" src="page.js">');
    expect(text).not.toMatch(/https?:\/\//);
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['access-control-allow-origin']).toBeUndefined();
    const { status: again } = await send(port, '/', { headers: { 'If-None-Match': headers.etag! } });
    expect(again).toBe(304);
  });

  test('nothing else is', async () => {
    for (const path of [
      '/../package.json',
      '/page.ts',
      '/constructor',
      '/page/../../package.json',
      '/run',
      '/__proto__',
    ])
      expect((await send(port, path)).status).toBe(404);
    expect((await send(port, '/', { method: 'DELETE' })).status).toBe(405);
    expect((await send(port, '/run', { method: 'OPTIONS' })).status).toBe(404);
  });
});

describe('commands', () => {
  test('run, and bytes come and go without loss', async () => {
    const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    expect(
      await run([['SET', bytes, bytes], ['GET', bytes], ['NO'], ['LPUSH', 'l', '1'], ['LRANGE', 'l', '0', '-1']]),
    ).toEqual([{ status: 'OK' }, bytes, { error: "ERR unknown command 'NO', with args beginning with: " }, 1, ['1']]);
    expect(await server.session().callBuffer('GET', Buffer.from(bytes, 'latin1'))).toEqual(
      Buffer.from(bytes, 'latin1'),
    );
  });

  test('are refused where they are none', async () => {
    const wrong = [
      {},
      { commands: [] },
      { commands: [[]] },
      { commands: ['PING'] },
      { commands: [['☀']] },
      { commands: [[1]] },
    ];
    for (const body of [...wrong, [], null, 1, { commands: [['PING']], lane: 'x' }])
      expect((await post(port, '/run', body)).status).toBe(400);
    const { status } = await send(
      port,
      '/run',
      { method: 'POST', headers: { 'Content-Type': 'application/json' } },
      '{',
    );
    expect(status).toBe(400);
  });

  test('of a page share a session a lane, and the stream brings what the server sends unasked', async () => {
    const events = await follow(port, '/events');
    const { page } = (await events.next('hello')) as Hello;
    await run([['SELECT', '3'], ['SET', 'k', 'v'], ['MULTI']], {}, { page, lane: 'shell' });
    expect(await run([['GET', 'k']], {}, { page, lane: 'shell' })).toEqual([{ status: 'QUEUED' }]);
    expect(await run([['GET', 'k']], {}, { page, lane: 'browse' })).toEqual([null]);
    expect(await run([['SUBSCRIBE', 'news']], {}, { page, lane: 'watch' })).toEqual([['subscribe', 'news', 1]]);
    expect(await server.session().call('PUBLISH', 'news', Buffer.from([0, 255]))).toBe(1);
    const pushed = (await whileTimePasses(events.next('push'))) as Pushes;
    expect(pushed).toEqual({ pushes: [{ lane: 'watch', reply: ['message', 'news', '\0\xff'] }], skipped: 0 });
    events.close();
    await expect.poll(() => server.session().call('PUBSUB', 'CHANNELS'), PATIENT).toEqual([]);
    expect((await post(port, '/run', { page, commands: [['PING']] })).status).toBe(409);
  });

  test('MONITOR shows what others do', async () => {
    const events = await follow(port, '/events');
    const { page } = (await events.next('hello')) as Hello;
    expect(await run([['MONITOR']], {}, { page, lane: 'shell' })).toEqual([{ status: 'OK' }]);
    await server.session().call('SET', 'k', 'v');
    const { pushes } = (await whileTimePasses(events.next('push'))) as Pushes;
    expect(pushes).toEqual([{ lane: 'shell', reply: { status: expect.stringMatching(/ \[0 .*\] "SET" "k" "v"$/) } }]);
    events.close();
  });

  test('that end their session are followed by a new one', async () => {
    const events = await follow(port, '/events');
    const { page } = (await events.next('hello')) as Hello;
    const lane = { page, lane: 'shell' };
    expect(await run([['SELECT', '2'], ['QUIT']], {}, lane)).toEqual([{ status: 'OK' }, { status: 'OK' }]);
    expect(await run([['PING']], {}, lane)).toEqual([{ error: 'The session is closed' }]);
    expect(await run([['SET', 'k', 'v']], {}, lane)).toEqual([{ status: 'OK' }]);
    expect(await server.session().call('GET', 'k')).toBe('v');
    events.close();
  });

  test('that wait end with whoever asked', async () => {
    const events = await follow(port, '/events');
    const { page } = (await events.next('hello')) as Hello;
    const blocked = async (): Promise<string> => /blocked_clients:(\d+)/.exec(await server.session().call('INFO'))![1];
    const socket = connect(port, '127.0.0.1');
    const body = JSON.stringify({ page, lane: 'shell', commands: [['BLPOP', 'none', '0']] });
    socket.write(rawRun(body));
    await expect.poll(blocked, PATIENT).toBe('1');
    socket.destroy();
    await expect.poll(blocked, PATIENT).toBe('0');
    events.close();
  });

  test('of RESP3 have its types', async () => {
    const [, map, set, score] = await run([
      ['HELLO', '3'],
      ['CONFIG', 'GET', 'port'],
      ['SMEMBERS', 'none'],
      ['ZADD', 'z', 'INCR', 'inf', 'm'],
    ]);
    expect([map, set, score]).toEqual([{ map: ['port', String(server.port)] }, { set: [] }, { double: 'Infinity' }]);
  });

  test('that are broken off leave nothing behind, and no line in the log', async () => {
    const lines: string[] = [];
    const log = { debug() {}, verbose() {}, notice() {}, warning: (line: string) => void lines.push(line) };
    const at = await freePort();
    const other = createServer({ port: 0, log, settings: { 'console-port': at } });
    await other.listen();
    lines.length = 0;
    const socket = connect(at, '127.0.0.1');
    socket.write(
      'POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"commands"',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    const hurried = connect(at, '127.0.0.1');
    hurried.write(
      `GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${Buffer.from('default:x').toString('base64')}\r\n\r\n`,
    );
    hurried.end();
    hurried.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(lines).toEqual([]);
    expect(other.engine.sessions.size).toBe(0);
    await other.close();
  });

  test('of which there are many let others come between', async () => {
    const session = server.session();
    const seen = new Set<string | null>();
    let isDone = false;
    const many = run(Array.from({ length: 2000 }, () => ['INCR', 'n'])).finally(() => (isDone = true));
    while (!isDone) {
      seen.add(await session.call('GET', 'n'));
      await turn();
    }
    expect((await many).at(-1)).toBe(2000);
    expect(seen.size).toBeGreaterThan(10);
  });

  test('of one request stay together in their lane', async () => {
    const events = await follow(port, '/events');
    const { page } = (await events.next('hello')) as Hello;
    const fill = (db: string): Promise<RunReply['replies']> =>
      run([['SELECT', db], ...Array.from({ length: 200 }, (_, i) => ['SET', `${db}:${i}`, 'v'])], {}, { page });
    await Promise.all(['1', '2', '3'].map(fill));
    const sizes = await run(['1', '2', '3'].flatMap((db) => [['SELECT', db], ['DBSIZE'], ['EXISTS', `${db}:199`]]));
    expect(sizes.filter((reply) => typeof reply === 'number')).toEqual([200, 1, 200, 1, 200, 1]);
    events.close();
  });

  test('that wait for their turn in a lane are not run when the page has gone, nor the user', async () => {
    await server.session().call('ACL', 'SETUSER', 'ada', 'on', '>lovelace', '+@all', '~*');
    const ada = basic('ada', 'lovelace');
    for (const gone of ['page', 'user']) {
      const events = await follow(port, '/events', ada);
      const { page } = (await events.next('hello')) as Hello;
      const lane = { page, lane: 'shell' };
      const before = post(port, '/run', { ...lane, commands: [['BLPOP', 'none', '0']] }, ada);
      const blocked = async (): Promise<string> => (await server.session().call('INFO', 'clients')) as string;
      await expect.poll(blocked, PATIENT).toContain('blocked_clients:1');
      const after = post(port, '/run', { ...lane, commands: [['INCR', 'n']] }, ada);
      for (let i = 0; i < 50; i++) await turn();
      if (gone === 'page') events.close();
      else await server.session().call('ACL', 'DELUSER', 'ada');
      await before;
      expect([401, 409]).toContain((await after).status);
      events.close();
      expect(await server.session().call('EXISTS', 'n')).toBe(0);
    }
    const list = async (): Promise<unknown> => server.session().call('CLIENT', 'LIST');
    await expect.poll(list, PATIENT).not.toContain('cinnabar-console');
  });

  test('whose replies are long are cut', async () => {
    await server.session().call('SET', 'long', 'x'.repeat(9 * MB));
    const session = server.session();
    for (let i = 0; i < 100; i++) {
      await session.call('RPUSH', 'list', ...Array.from({ length: 1000 }, (_, at) => `item ${i}:${at}`));
      await session.call('SADD', 'set', ...Array.from({ length: 1000 }, (_, at) => `item ${i}:${at}`));
      await session.call('MSET', ...Array.from({ length: 2000 }, (_, at) => `key ${i}:${at}`));
    }
    const rest = expect.objectContaining({ omitted: expect.any(Number) });
    const listed = async (words: string[], length: number): Promise<void> => {
      const [reply, next] = await run([words, ['ECHO', 'next']]);
      expect(next).toBe('next');
      const items = reply as { omitted?: number }[];
      expect(items.at(-1)).toEqual(rest);
      expect(items.length - 1 + items.at(-1)!.omitted!).toBe(length);
      expect(JSON.stringify(items).length).toBeLessThan(MB);
    };
    await listed(['LRANGE', 'list', '0', '-1'], 100_000);
    await listed(['SMEMBERS', 'set'], 100_000);
    await listed(['KEYS', 'key *'], 100_000);
    const [, , , executed, behind] = await run([
      ['MULTI'],
      ['LRANGE', 'list', '0', '-1'],
      ['GET', 'long'],
      ['EXEC'],
      ['ECHO', 'behind'],
    ]);
    expect(executed).toMatchObject([expect.arrayContaining([rest]), { omitted: 1 }]);
    expect(behind).toBe('behind');
    const replies = await run(Array.from({ length: 50 }, () => ['GET', 'long']));
    expect(replies).toHaveLength(50);
    for (const reply of replies) expect(reply).toMatchObject({ length: 9 * MB });
    expect(JSON.stringify(replies).length).toBeLessThan(2 * MB);
  });
});

/** What comes by way of the machine takes turns of the event loop, and the server's clock stands still by itself. */
async function whileTimePasses<T>(promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = promise.finally(() => (isDone = true));
  while (!isDone) {
    await turn();
    clock.advance(50);
  }
  return done;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('who is let in', () => {
  beforeEach(async () => {
    const session = server.session();
    await session.call('ACL', 'SETUSER', 'ada', 'on', '>lovelace', '+get', '+ping', '~a*');
    await session.call('ACL', 'SETUSER', 'root', 'on', '>secret', '+@all', '~*', '&*');
    session.close();
  });

  test('everybody, as the default user, while that one needs no password', async () => {
    expect(await run([['ACL', 'WHOAMI']])).toEqual(['default']);
  });

  test('nobody without a password, once there is one', async () => {
    await server.session().call('CONFIG', 'SET', 'requirepass', 'pw');
    expect((await post(port, '/run', { commands: [['PING']] })).status).toBe(401);
    expect((await send(port, '/events')).status).toBe(401);
    const metrics = await send(port, '/metrics');
    expect([metrics.status, metrics.headers['www-authenticate']]).toEqual([
      401,
      'Basic realm="Cinnabar", charset="UTF-8"',
    ]);
    expect(await run([['PING']], basic('default', 'pw'))).toEqual([{ status: 'PONG' }]);
    expect(await run([['PING']], basic('', 'pw'))).toEqual([{ status: 'PONG' }]);
    for (const headers of [
      basic('default', 'no'),
      basic('nobody', 'pw'),
      basic('default', ''),
      { Authorization: 'Basic !' },
    ])
      expect((await post(port, '/run', { commands: [['PING']] }, headers)).status).toBe(401);
    expect((await send(port, '/')).status).toBe(200);
  });

  test('with the rights of the user, and with his name in the logs', async () => {
    const cookie = await cookieOf('ada', 'lovelace');
    const noPermission = { error: expect.stringContaining('NOPERM') };
    expect(await run([['PING'], ['GET', 'a'], ['GET', 'b'], ['SET', 'a', '1'], ['INFO']], cookie)).toEqual([
      { status: 'PONG' },
      null,
      noPermission,
      noPermission,
      noPermission,
    ]);
    const log = JSON.stringify(await server.session().call('ACL', 'LOG'));
    expect(log).toContain('"ada"');
    expect(log).toMatch(/addr=127\.0\.0\.1:[1-9]\d* .*name=cinnabar-console/);
    const events = await follow(port, '/events', cookie);
    expect(await events.next('hello')).toMatchObject({ user: 'ada', login: true, figures: false });
    events.close();
  });

  test('a page is its user’s', async () => {
    const events = await follow(port, '/events', await cookieOf('ada', 'lovelace'));
    const { page } = (await events.next('hello')) as Hello;
    expect((await post(port, '/run', { page, commands: [['PING']] }, await cookieOf('root', 'secret'))).status).toBe(
      409,
    );
    events.close();
  });

  test('a cookie that scripts and other sites can’t use, until the log out', async () => {
    const { headers } = await post(port, '/login', { user: 'ada', password: 'lovelace' });
    expect(headers['set-cookie']![0]).toMatch(
      /^cinnabar-console-\d+=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const cookie = { Cookie: headers['set-cookie']![0].split(';', 1)[0] };
    await server.session().call('CONFIG', 'SET', 'requirepass', 'pw');
    expect(await run([['PING']], cookie)).toEqual([{ status: 'PONG' }]);
    expect((await post(port, '/logout', {}, cookie)).status).toBe(204);
    expect((await post(port, '/run', { commands: [['PING']] }, cookie)).status).toBe(401);
  });

  test.each([
    ['his password', ['ACL', 'SETUSER', 'ada', 'resetpass', '>other']],
    ['the user', ['ACL', 'DELUSER', 'ada']],
    ['the right to come', ['ACL', 'SETUSER', 'ada', 'off']],
  ])('nobody any more once %s is gone', async (_, command) => {
    const session = server.session();
    await session.call('CONFIG', 'SET', 'requirepass', 'pw');
    const cookie = await cookieOf('ada', 'lovelace');
    await session.call(...command);
    expect((await post(port, '/run', { commands: [['PING']] }, cookie)).status).toBe(401);
  });

  test('nobody who has gone while his body was still coming', async () => {
    const { Cookie } = await cookieOf('root', 'secret');
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => (text += String(bytes)));
    const request = rawRun('{"commands":[["SET","k","v"]]}', `Expect: 100-continue\r\nCookie: ${Cookie}\r\n`);
    socket.write(request.slice(0, -1));
    await expect.poll(() => text, PATIENT).toContain('100 Continue');
    await turn();
    await server.session().call('ACL', 'DELUSER', 'root');
    socket.write(request.slice(-1));
    await expect.poll(() => text, PATIENT).toContain('HTTP/1.1 401 ');
    expect(await server.session().call('EXISTS', 'k')).toBe(0);
    socket.destroy();
  });

  test.each([
    ['his password', ['ACL', 'SETUSER', 'ada', 'resetpass', '>other']],
    ['the user', ['ACL', 'DELUSER', 'ada']],
    ['the right to come', ['ACL', 'SETUSER', 'ada', 'off']],
  ])('a page ends once %s is gone, also of who sees no figures', async (_, command) => {
    const events = await follow(port, '/events', await cookieOf('ada', 'lovelace'));
    expect(await events.next('hello')).toMatchObject({ figures: false });
    await server.session().call(...command);
    clock.advance(1000);
    expect(await events.next('bye')).toBe('The user, or the password, has changed');
    await events.ended;
  });

  test('the log out ends the pages of the login, and no others', async () => {
    const cookie = await cookieOf('root', 'secret');
    const [gone, stays] = [
      await follow(port, '/events', cookie),
      await follow(port, '/events', await cookieOf('root', 'secret')),
    ];
    const { page } = (await gone.next('hello')) as Hello;
    expect(await run([['SUBSCRIBE', 'news']], cookie, { page, lane: 'watch' })).toEqual([['subscribe', 'news', 1]]);
    await stays.next('hello');
    expect((await post(port, '/logout', {}, cookie)).status).toBe(204);
    expect(await gone.next('bye')).toBe('Logged out');
    await gone.ended;
    expect(await server.session().call('PUBSUB', 'CHANNELS')).toEqual([]);
    clock.advance(1000);
    await stays.next('sample');
    stays.close();
  });

  test('a wrong password is in the log of refusals', async () => {
    expect((await post(port, '/login', { user: 'ada', password: 'no' })).status).toBe(401);
    expect(JSON.stringify(await server.session().call('ACL', 'LOG'))).toContain('"reason","auth"');
  });

  test('only the user that the settings name', async () => {
    await server.session().call('CONFIG', 'SET', 'console-user', 'ada');
    expect((await post(port, '/run', { commands: [['PING']] })).status).toBe(401);
    expect((await post(port, '/login', { user: 'root', password: 'secret' })).status).toBe(401);
    expect(await run([['PING']], basic('', 'lovelace'))).toEqual([{ status: 'PONG' }]);
    await server.session().call('ACL', 'SETUSER', 'ada', 'nopass');
    expect(await run([['PING'], ['GET', 'b']])).toEqual([
      { status: 'PONG' },
      { error: expect.stringContaining('NOPERM') },
    ]);
  });

  test('no page of another site', async () => {
    for (const headers of [
      { Host: 'evil.example' },
      { Origin: 'http://evil.example' },
      { 'Sec-Fetch-Site': 'cross-site' },
    ] as Headers[]) {
      expect((await post(port, '/run', { commands: [['PING']] }, headers)).status).toBe(403);
      expect((await send(port, '/metrics', { headers })).status).toBe(403);
      expect((await send(port, '/events', { headers })).status).toBe(403);
    }
    await server.session().call('CONFIG', 'SET', 'console-hosts', 'console.example');
    expect(await run([['PING']], { Host: 'console.example' })).toEqual([{ status: 'PONG' }]);
  });
});

test('figures come once a second to who may run INFO, and end with that right', async () => {
  const events = await follow(port, '/events');
  expect(await events.next('hello')).toMatchObject({ figures: true, samples: [], user: 'default', mode: 'standalone' });
  await server.session().call('SET', 'k', 'v');
  clock.advance(1000);
  const sample = (await events.next('sample')) as Sample;
  expect(sample).toMatchObject({ keys: 1, clients: { blocked: 0 }, commands: [{ name: 'set', calls: 1 }] });
  const { data, tables, clients, buffers, server: own, used } = sample.memory;
  expect(data + tables + clients + buffers + own).toBe(used);
  await server.session().call('ACL', 'SETUSER', 'default', '>pw');
  clock.advance(1000);
  expect(await events.next('bye')).toBe('The user, or the password, has changed');
  await events.ended;
});

test('in protected mode browsers of other machines are turned away, until the user has a password', async () => {
  const wires = new Wires(new RealClock(), new SeededRandom(1));
  const settings = { port: 6379, bind: 'far', 'console-port': 80, 'console-bind': 'far' };
  const far = createServer({ network: new MemoryNetwork(wires, 'far'), settings });
  await far.listen();
  const near = new MemoryNetwork(wires, 'near');
  const ask = (headers: Headers): Promise<Answer> =>
    send(
      0,
      '/run',
      { method: 'POST', headers, createConnection: () => near.connect({ host: 'far', port: 80 }) },
      '{"commands":[["PING"]]}',
    );
  const headers = { Host: '192.0.2.1', 'Content-Type': 'application/json' };
  expect((await ask(headers)).text).toContain('protected-mode is on');
  const session = far.session();
  await session.call('CONFIG', 'SET', 'requirepass', 'pw');
  expect((await ask(headers)).status).toBe(401);
  expect((await ask({ ...headers, ...basic('default', 'pw') })).status).toBe(200);
  await session.call('CONFIG', 'SET', 'requirepass', '', 'protected-mode', 'no');
  expect((await ask(headers)).status).toBe(200);
  await far.close();
});

describe('too much', () => {
  test('a body that is too long', async () => {
    const { status } = await send(
      port,
      '/run',
      { method: 'POST', headers: { 'Content-Type': 'application/json' } },
      'x'.repeat(MB + 1),
    );
    expect(status).toBe(413);
  });

  test('a body that is too long of who has proved nothing', async () => {
    const long = 'x'.repeat(100 * 1024);
    expect((await post(port, '/login', { user: 'default', password: long })).status).toBe(413);
  });

  test('requests sent ahead of answers: one at a time goes on, and few wait', async () => {
    const body = '{"commands":[["BLPOP","none","0"]]}';
    const blocked = async (): Promise<string> => /blocked_clients:(\d+)/.exec(await server.session().call('INFO'))![1];
    const few = connect(port, '127.0.0.1');
    few.write((rawRun(body) + rawGet('/events')).repeat(5));
    await expect.poll(blocked, PATIENT).toBe('1');
    for (let i = 0; i < 20; i++) await turn();
    expect(await blocked()).toBe('1');
    few.destroy();
    await expect.poll(blocked, PATIENT).toBe('0');
    const many = connect(port, '127.0.0.1');
    many.on('error', () => {});
    const ended = new Promise((resolve) => many.once('close', resolve));
    many.write(rawRun(body).repeat(100));
    await ended;
    await expect.poll(blocked, PATIENT).toBe('0');
  });

  test('requests sent ahead are answered in their order', async () => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => (text += String(bytes)));
    socket.write(['a', 'b', 'c'].map((word) => rawRun(`{"commands":[["ECHO","${word}"]]}`)).join(''));
    await expect.poll(() => text.match(/\["[abc]"\]/g), PATIENT).toEqual(['["a"]', '["b"]', '["c"]']);
    socket.write(rawGet('/nothing').repeat(2));
    await expect.poll(() => text.match(/ 404 /g)?.length, PATIENT).toBe(2);
    socket.destroy();
  });

  test('pages', async () => {
    const pages = await Promise.all(Array.from({ length: 32 }, () => follow(port, '/events')));
    expect((await send(port, '/events')).status).toBe(503);
    for (const page of pages) page.close();
    const comes = async (): Promise<boolean> => {
      const page = await follow(port, '/events').catch(() => null);
      page?.close();
      return page !== null;
    };
    await expect.poll(comes, PATIENT).toBe(true);
  });

  test('connections, and the time to say what they want', async () => {
    const sockets: Socket[] = [];
    let closed = 0;
    for (let i = 0; i < 140; i++)
      sockets.push(
        connect(port, '127.0.0.1')
          .on('close', () => closed++)
          .on('error', () => {}),
      );
    await expect.poll(() => closed, PATIENT).toBe(12);
    clock.advance(9000);
    await turn();
    expect(closed).toBe(12);
    clock.advance(3000);
    await expect.poll(() => closed, PATIENT).toBe(140);
  });

  test('time to take an answer', async () => {
    // Each byte is six in JSON: more than the system takes for who does not read.
    await server.session().call('SET', 'long', Buffer.alloc(7 * MB));
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    const body = '{"commands":[["GET","long"],["GET","long"]]}';
    socket.write(rawRun(body).repeat(8));
    const commands = async (): Promise<string> => (await server.session().call('INFO', 'commandstats')) as string;
    await expect.poll(commands, PATIENT).toContain('cmdstat_get:calls=');
    for (let second = 0; second < 120; second++) {
      await turn();
      clock.advance(1000);
    }
    let bytes = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk) => (bytes += chunk.length));
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(bytes).toBeLessThan(40 * MB); // of 48 MB
  });

  test('what is no HTTP', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('*1\r\n$4\r\nPING\r\n');
    const answer = await new Promise((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('the port', () => {
  test('moves with the setting, and goes', async () => {
    const other = await freePort();
    await server.session().call('CONFIG', 'SET', 'console-port', other);
    expect((await send(other, '/')).status).toBe(200);
    await expect(send(port, '/')).rejects.toThrow('ECONNREFUSED');
    await server.session().call('CONFIG', 'SET', 'console-port', 0);
    await expect(send(other, '/')).rejects.toThrow('ECONNREFUSED');
  });

  test('stays where it is when another can’t be had', async () => {
    const taken = createPlainServer();
    const at = await freePort();
    await new Promise<void>((done) => taken.listen(at, '127.0.0.1', done));
    await expect(server.session().call('CONFIG', 'SET', 'console-port', at)).rejects.toThrow(
      'Unable to listen at the port of the console',
    );
    expect(await server.session().call('CONFIG', 'GET', 'console-port')).toEqual(['console-port', String(port)]);
    expect((await send(port, '/')).status).toBe(200);
    taken.close();
  });

  test('closes with the server, whatever is open', async () => {
    const events = await follow(port, '/events');
    await server.close();
    await events.ended;
    await expect(send(port, '/')).rejects.toThrow('ECONNREFUSED');
  });
});
