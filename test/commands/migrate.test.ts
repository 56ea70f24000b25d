/**
 * MIGRATE between two servers of ours, from ours to redis-server and back; what it replies, what it leaves on both sides,
 * and what others see of it meanwhile.
 */
import { type AddressInfo, createServer as createListener, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CinnabarServer } from '../../src/server/server.ts';
import { createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

/** Other work may hold the machine. */
const PATIENCE = { timeout: 30_000 };

/** What a test needs of a server, whoever's it is. */
interface Place {
  readonly port: string;
  readonly client: Pipeline;
}

let beside: Beside;
let second: CinnabarServer;
let own: Place;
let other: Place;
let real: Place;

const text = (answers: Answer | Answer[]): string[] =>
  [answers].flat().map((answer) => (answer instanceof Error ? answer.message : String(answer)));

beforeAll(async () => {
  beside = await Beside.start({ 'enable-debug-command': 'yes' });
  second = createServer({ port: await freePort(), settings: { save: '', 'enable-debug-command': 'yes' } });
  await second.listen();
  own = { port: String(beside.server.port), client: beside.ours };
  other = { port: String(second.port), client: new Pipeline(second.port) };
  real = { port: String(beside.theirsPort), client: beside.theirs };
});

afterAll(async () => {
  other.client.close();
  await second.close();
  await beside.stop();
});

beforeEach(async () => {
  for (const { client } of [own, other, real]) await client.call('FLUSHALL');
});

/** Keys of every type and encoding, with and without a time to live. */
const DATA: readonly (readonly string[])[] = [
  ['SET', 'string', 'value'],
  ['SET', 'int', '12345', 'PX', '10000000'],
  ['SET', 'bytes\xff\x00', '\x00\xff'],
  ['SET', 'long', 'x'.repeat(200_000)],
  ['RPUSH', 'list', 'a', '1', 'x'.repeat(100)],
  ['SADD', 'ints', '1', '2', '3'],
  ['SADD', 'set', 'a', 'b'],
  ['HSET', 'hash', 'f', 'v'],
  ['HSET', 'large', ...Array.from({ length: 400 }, (_, i) => [`f${i}`, 'x'.repeat(70)]).flat()],
  ['ZADD', 'zset', '1.5', 'a', '-inf', 'b'],
  ['XADD', 'stream', '1-1', 'f', 'v'],
  ['XGROUP', 'CREATE', 'stream', 'g', '0'],
  ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'stream', '>'],
];
const NAMES = [...new Set(DATA.filter(([word]) => !word.startsWith('X') || word === 'XADD').map((words) => words[1]))];

async function digests({ client }: Place, db: string): Promise<Answer[]> {
  await client.call('SELECT', db);
  const answers = await client.send(NAMES.map((name) => ['DEBUG', 'DIGEST-VALUE', name]));
  await client.call('SELECT', '0');
  return answers;
}

describe('keys move', () => {
  const pairs: readonly (readonly [name: string, from: () => Place, to: () => Place])[] = [
    ['from ours to ours', () => own, () => other],
    ['from ours to redis-server', () => own, () => real],
    ['from redis-server to ours', () => real, () => own],
  ];
  for (const [name, from, to] of pairs)
    test(`${name}, and come back as they were`, async () => {
      await from().client.send(DATA);
      const before = await digests(from(), '0');
      const there = ['MIGRATE', '127.0.0.1', to().port, '', '9', '5000', 'KEYS', ...NAMES];
      expect(await from().client.call(...there)).toBe('OK');
      expect(await from().client.call('DBSIZE')).toBe(0);
      expect(await digests(to(), '9')).toEqual(before);
      const left = await to().client.send([
        ['SELECT', '9'],
        ['PTTL', 'int'],
        ['PTTL', 'string'],
        ['SELECT', '0'],
      ]);
      expect(Number(left[1])).toBeGreaterThan(9_000_000);
      expect(left[2]).toBe(-1);
    });

  test('by COPY they stay, and by REPLACE they go over what is there', async () => {
    await own.client.call('SET', 'key', 'new');
    await other.client.call('SET', 'key', 'old');
    const migrate = ['MIGRATE', '127.0.0.1', other.port, 'key', '0', '1000'];
    expect(text(await own.client.call(...migrate))).toEqual([
      'ERR Target instance replied with error: BUSYKEY Target key name already exists.',
    ]);
    expect(await own.client.call(...migrate, 'COPY', 'REPLACE')).toBe('OK');
    expect(await own.client.call('GET', 'key')).toBe('new');
    expect(await other.client.call('GET', 'key')).toBe('new');
  });

  test('only those that were acknowledged go, with a DEL of them as the effect', async () => {
    await own.client.call('MSET', 'a', '1', 'b', '2', 'c', '3');
    await other.client.call('SET', 'b', 'busy');
    const command = `MIGRATE 127.0.0.1 ${other.port} "" 0 1000 KEYS a nothing b c`;
    expect(await beside.propagated(command)).toEqual(['DEL a c']);
    expect(await own.client.call('KEYS', '*')).toEqual(['b']);
    expect(await other.client.call('MGET', 'a', 'b', 'c')).toEqual(['1', 'busy', '3']);
    expect(await beside.propagated(`MIGRATE 127.0.0.1 ${other.port} b 0 1000 COPY REPLACE`)).toEqual([]);
    expect(await beside.propagated(`MIGRATE 127.0.0.1 ${other.port} none 0 1000`)).toEqual([]);
  });

  test('and whoever watches one or caches one hears of it', async () => {
    const watcher = new Pipeline(beside.server.port);
    await own.client.send([
      ['SET', 'key', '1'],
      ['CONFIG', 'SET', 'notify-keyspace-events', 'Kg'],
    ]);
    await watcher.send([['WATCH', 'key'], ['MULTI'], ['PING']]);
    const listener = new Pipeline(beside.server.port);
    await listener.call('SUBSCRIBE', '__keyspace@0__:key');
    expect(await own.client.call('MIGRATE', '127.0.0.1', other.port, 'key', '0', '1000')).toBe('OK');
    expect(await watcher.call('EXEC')).toBe(null);
    await own.client.call('CONFIG', 'SET', 'notify-keyspace-events', '');
    await expect.poll(() => listener.unasked(), PATIENCE).toEqual([['message', '__keyspace@0__:key', 'del']]);
    watcher.close();
    listener.close();
  });
});

test('MONITOR and the slow log show it once, without its password', async () => {
  const monitor = new Pipeline(beside.server.port);
  await monitor.call('MONITOR');
  await own.client.send([
    ['SET', 'key', '1'],
    ['SLOWLOG', 'RESET'],
    ['CONFIG', 'SET', 'slowlog-log-slower-than', '0'],
  ]);
  await own.client.call('MIGRATE', '127.0.0.1', other.port, 'key', '0', '1000', 'AUTH2', 'user', 'secret');
  const log = JSON.stringify(await own.client.call('SLOWLOG', 'GET', '2'));
  await own.client.call('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
  expect(log).toContain('"AUTH2","(redacted)","(redacted)"');
  const shown = text(monitor.unasked()).filter((line) => line.includes('MIGRATE'));
  expect(shown).toEqual([expect.stringContaining('"AUTH2" "(redacted)" "(redacted)"')]);
  monitor.close();
});

describe('where nothing may come between', () => {
  test('a transaction has the reply in its place', async () => {
    await own.client.call('SET', 'key', 'value');
    const replies = await own.client.send([
      ['MULTI'],
      ['SET', 'more', '1'],
      ['MIGRATE', '127.0.0.1', real.port, '', '0', '1000', 'KEYS', 'key', 'more'],
      ['EXISTS', 'key', 'more'],
      ['EXEC'],
    ]);
    expect(replies[4]).toEqual(['OK', 'OK', 0]);
    expect(await real.client.call('MGET', 'key', 'more')).toEqual(['value', '1']);
  });

  test('a transaction can move a key to redis-server and again, over the link that is kept', async () => {
    for (const value of ['1', '2', '3']) {
      const [, , , done] = await own.client.send([
        ['MULTI'],
        ['SET', 'key', value],
        ['MIGRATE', '127.0.0.1', real.port, 'key', '0', '1000', 'REPLACE'],
        ['EXEC'],
      ]);
      expect(done).toEqual(['OK', 'OK']);
      expect(await real.client.call('GET', 'key')).toBe(value);
    }
  });

  test('a transaction moves keys between servers of one process, and others see all of it or nothing', async () => {
    const others = new Pipeline(beside.server.port);
    let done = false;
    const replies = own.client
      .send([
        ['MULTI'],
        ['SET', 'key', '1'],
        ['MIGRATE', '127.0.0.1', other.port, 'key', '0', '1000'],
        ['SET', 'key', '2'],
        ['MIGRATE', '127.0.0.1', other.port, 'key', '3', '1000'],
        ['INCR', 'count'],
        ['EXEC'],
      ])
      .finally(() => {
        done = true;
      });
    const seen = new Set<string>();
    while (!done) seen.add(String(await others.call('MGET', 'key', 'count')));
    expect((await replies)[6]).toEqual(['OK', 'OK', 'OK', 'OK', 1]);
    expect([...seen].every((values) => [',', ',1'].includes(values))).toBe(true);
    expect(
      await other.client.send([
        ['GET', 'key'],
        ['SELECT', '3'],
        ['GET', 'key'],
        ['SELECT', '0'],
      ]),
    ).toEqual(['1', 'OK', '2', 'OK']);
    others.close();
  });

  test('its effects are one transaction', async () => {
    const commands = ['MULTI', 'SET key 1', `MIGRATE 127.0.0.1 ${other.port} key 0 1000`, 'SET key 2', 'EXEC'];
    expect(await beside.propagated(commands.join('\n'))).toEqual(['SET key 1', 'DEL key', 'SET key 2']);
  });

  test('a script waits for it', async () => {
    await own.client.call('SET', 'key', 'value');
    const script = "return {redis.call('MIGRATE', ARGV[1], ARGV[2], KEYS[1], 0, 1000), redis.call('EXISTS', KEYS[1])}";
    for (const place of [real, real]) {
      expect(await own.client.call('EVAL', script, '1', 'key', '127.0.0.1', place.port)).toEqual(['OK', 0]);
      expect(await place.client.call('GET', 'key')).toBe('value');
      await own.client.call('SET', 'key', 'value');
      await place.client.call('DEL', 'key');
    }
    const nobody = String(await freePort());
    const failed = await own.client.call('EVAL', script, '1', 'key', '127.0.0.1', nobody);
    expect(text(failed)[0]).toMatch(/^IOERR error or timeout writing to target instance/);
  });

  test('a place that is not there fails in its time', async () => {
    const nobody = String(await freePort());
    const [, , , done] = await own.client.send([
      ['MULTI'],
      ['SET', 'key', '1'],
      ['MIGRATE', '127.0.0.1', nobody, 'key', '0', '100'],
      ['EXEC'],
    ]);
    expect(text(done)).toEqual(['OK', 'IOERR error or timeout writing to target instance']);
    expect(await own.client.call('GET', 'key')).toBe('1');
  });
});

describe('the same replies as redis-server', () => {
  /** A command with `there` for the port of a server that both ask. */
  const same = async (...words: string[]): Promise<void> => {
    const command = words.map((word) => (word === 'there' ? other.port : word));
    const [mine, theirs] = [await own.client.call(...command), await real.client.call(...command)];
    expect(text(mine), command.join(' ')).toEqual(text(theirs));
  };

  beforeEach(async () => {
    for (const { client } of [own, real])
      await client.send([
        ['SET', 'k', 'v'],
        ['SET', 'l', 'v'],
      ]);
  });

  for (const words of [
    ['MIGRATE'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', 'soon'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', 'zero', '10'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', 'zero', 'soon'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'NOSUCH'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH2', 'user'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'KEYS', 'k'],
    ['MIGRATE', '127.0.0.1', 'there', '', '0', '1000', 'KEYS'],
    ['MIGRATE', '127.0.0.1', 'there', '', '0', '1000', 'KEYS', 'none', 'nobody'],
    ['MIGRATE', '127.0.0.1', 'there', 'none', '0', '1000'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '99', '1000'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '-1', '1000', 'REPLACE'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH', 'secret'],
    ['MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH2', 'user', 'secret'],
    ['MIGRATE', '127.0.0.1', '1', 'k', '0', '1000'],
    ['MIGRATE', '127.0.0.1', 'port', 'k', '0', '1000'],
    ['MIGRATE', '127.0.0.1', 'there', '', '0', '1000', 'COPY', 'REPLACE', 'KEYS', 'k', 'l', 'none'],
    ['COMMAND', 'GETKEYS', 'MIGRATE', 'h', '1', '', '0', '0', 'KEYS', 'a', 'b'],
    ['COMMAND', 'GETKEYSANDFLAGS', 'MIGRATE', 'h', '1', '', '0', '0', 'KEYS', 'a', 'b'],
    ['COMMAND', 'GETKEYS', 'MIGRATE', 'h', '1', 'k', '0', '0', 'AUTH', 'keys'],
    ['COMMAND', 'GETKEYS', 'MIGRATE', 'h', '1', '', '0', '0', 'AUTH2', 'keys', 'b', 'keys', 'keys'],
    ['COMMAND', 'GETKEYS', 'MIGRATE', 'h', '1', 'k', '0', '0', 'KEYS', 'a'],
  ])
    test(words.join(' '), () => same(...words));

  test('where a password is asked for', async () => {
    await other.client.send([
      ['CONFIG', 'SET', 'requirepass', 'secret'],
      ['AUTH', 'secret'],
    ]);
    try {
      await same('MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH', 'wrong');
      await same('MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH2', 'nobody', 'wrong', 'AUTH', 'secret');
      await same('MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH', 'secret', 'AUTH2', 'nobody', 'wrong');
      await same('MIGRATE', '127.0.0.1', 'there', 'k', '0', '1000', 'AUTH2', 'default', 'secret', 'COPY', 'REPLACE');
      await same('MIGRATE', '127.0.0.1', 'there', 'l', '0', '1000', 'AUTH', 'secret', 'REPLACE');
      await same('EXISTS', 'k', 'l');
    } finally {
      await other.client.call('CONFIG', 'SET', 'requirepass', '');
    }
  });
});

describe('a target that does not do its part', () => {
  let listener: Server;
  let port: string;
  let connections: Socket[];
  /** What it does with what it receives. */
  let answer: (socket: Socket, bytes: Buffer) => void;

  beforeEach(async () => {
    connections = [];
    listener = createListener((socket) => {
      connections.push(socket);
      socket.on('error', () => {});
      socket.on('data', (bytes) => answer(socket, bytes));
    });
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    port = String((listener.address() as AddressInfo).port);
    await own.client.send([
      ['SET', 'a', '1'],
      ['SET', 'b', '2'],
      ['CONFIG', 'RESETSTAT'],
    ]);
  });

  afterEach(async () => {
    for (const socket of connections) socket.destroy();
    await new Promise((done) => listener.close(done));
  });

  test('is waited for no longer than asked, while reads go on and writes wait', async () => {
    answer = () => {};
    const reader = new Pipeline(beside.server.port);
    const writer = new Pipeline(beside.server.port);
    own.client.post(['MIGRATE', '127.0.0.1', port, 'a', '0', '300']);
    await expect.poll(() => connections.length, PATIENCE).toBe(1);
    expect(await reader.send([['GET', 'a'], ['PING'], ['CLIENT', 'UNPAUSE']])).toEqual(['1', 'PONG', 'OK']);
    let written = false;
    const write = writer.call('SET', 'a', 'changed').then((reply) => {
      written = true;
      return reply;
    });
    expect(
      await reader.send([
        ['GET', 'a'],
        ['CLIENT', 'UNBLOCK', '0'],
      ]),
    ).toEqual(['1', 0]);
    expect(written).toBe(false);
    expect(await write).toBe('OK');
    const told: string[] = [];
    await expect
      .poll(() => {
        told.push(...text(own.client.unasked()));
        return told;
      }, PATIENCE)
      .toEqual(['IOERR error or timeout reading to target instance']);
    expect(await reader.call('GET', 'a')).toBe('changed');
    reader.close();
    writer.close();
  });

  test('and hangs up is asked once more over a new connection', async () => {
    answer = (socket) => socket.destroy();
    const reply = await own.client.call('MIGRATE', '127.0.0.1', port, 'a', '0', '1000');
    expect(text(reply)[0]).toMatch(/^IOERR error or timeout (reading|writing) to target instance$/);
    expect(connections.length).toBe(2);
    expect(await own.client.call('EXISTS', 'a')).toBe(1);
  });

  test('and acknowledges the first of two keys: that one is gone, the other stays', async () => {
    answer = (socket) => socket.end('+OK\r\n+OK\r\n');
    const reply = await own.client.call('MIGRATE', '127.0.0.1', port, '', '0', '1000', 'KEYS', 'a', 'b');
    expect(text(reply)).toEqual(['IOERR error or timeout reading to target instance']);
    expect(connections.length).toBe(1);
    expect(await own.client.call('MGET', 'a', 'b')).toEqual([null, '2']);
  });

  test('and says what is no reply', async () => {
    answer = (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    const reply = await own.client.call('MIGRATE', '127.0.0.1', port, 'a', '0', '1000');
    expect(text(reply)[0]).toMatch(/^IOERR/);
    expect(await own.client.call('EXISTS', 'a')).toBe(1);
  });

  test('a client that leaves meanwhile does not keep its keys', async () => {
    let received: Socket | undefined;
    answer = (socket) => {
      received = socket;
    };
    const leaving = new Pipeline(beside.server.port);
    leaving.post(['MIGRATE', '127.0.0.1', port, 'a', '0', '5000']);
    await expect.poll(() => received, PATIENCE).toBeDefined();
    leaving.close();
    await expect
      .poll(async () => String(await own.client.call('CLIENT', 'LIST')), PATIENCE)
      .not.toContain('cmd=migrate');
    received?.write('+OK\r\n+OK\r\n');
    await expect.poll(() => own.client.call('EXISTS', 'a'), PATIENCE).toBe(0);
    expect(await own.client.call('SET', 'after', '1')).toBe('OK');
  });

  test('a link is kept, and what it selected is not selected again', async () => {
    const heard: string[] = [];
    answer = (socket, bytes) => {
      const words = bytes.toString('latin1');
      heard.push(...['SELECT', 'RESTORE'].filter((word) => words.includes(`${word}\r\n`)));
      for (const _ of words.match(/\*\d+\r\n/g) ?? []) socket.write('+OK\r\n');
    };
    for (const db of ['3', '3', '4'])
      expect(await own.client.call('MIGRATE', '127.0.0.1', port, 'a', db, '1000', 'COPY')).toBe('OK');
    expect(heard).toEqual(['SELECT', 'RESTORE', 'RESTORE', 'SELECT', 'RESTORE']);
    expect(connections.length).toBe(1);
    expect(String(await own.client.call('INFO', 'stats'))).toMatch(/migrate_cached_sockets:[1-9]/);
  });
});

test('keys keep their values when many are moved while others write', async () => {
  const redis: ServerProcess = await startRedis();
  const writer = new Pipeline(beside.server.port);
  const target = new Pipeline(redis.port);
  try {
    const count = 200;
    let moved = 0;
    const writes: Promise<Answer>[] = [];
    for (let i = 0; i < count; i++) await own.client.call('SET', `key:${i}`, '0');
    for (let from = 0; from < count; from += 20) {
      const names = Array.from({ length: 20 }, (_, i) => `key:${from + i}`);
      // Every key is counted up before and behind its move: no count may be lost, whichever side has it.
      const before = writer.send(names.map((name) => ['INCR', name]));
      const reply = await own.client.call(
        'MIGRATE',
        '127.0.0.1',
        String(redis.port),
        '',
        '0',
        '5000',
        'KEYS',
        ...names,
      );
      expect(reply).toBe('OK');
      moved += 20;
      writes.push(...(await before).map((answer) => Promise.resolve(answer)));
    }
    const here = await own.client.send(Array.from({ length: count }, (_, i) => ['GET', `key:${i}`]));
    const there = await target.send(Array.from({ length: count }, (_, i) => ['GET', `key:${i}`]));
    const sums = here.map((value, i) => Number(value ?? 0) + Number(there[i] ?? 0));
    expect(sums.every((sum) => sum === 1)).toBe(true);
    expect(writes.length).toBe(moved);
  } finally {
    writer.close();
    target.close();
    await redis.stop();
  }
});
