/**
 * What a fault of ours within a command comes to: before anything has been changed an error reply, afterwards the end of the
 * server. Every command that writes is made to throw, at its start and when it has said that it changed a key.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import type { Call } from '../../../src/engine/call.ts';
import { flagBit } from '../../../src/engine/derive.ts';
import type { Registered } from '../../../src/engine/table.ts';
import { FakeServer } from '../../support/fake-transport.ts';
import { Invocations } from '../../support/invocations.ts';

const INTERNAL = '-ERR internal error, see the log';
const WRITE = flagBit('write');
/** What these change no key's event tells of: they fail when they are done. */
const UNTOLD = ['flushall', 'flushdb', 'swapdb', 'xsetid', 'xreadgroup', 'xack', 'xclaim', 'xautoclaim', 'pfdebug'];
/** Those need a payload, or another server. */
const LEFT_OUT = ['migrate', 'restore', 'restore-asking'];
const ATTEMPTS = 400;
/** Invocations that change something, where random ones seldom do. */
const WITNESSES: Readonly<Record<string, readonly string[]>> = {
  blpop: ['BLPOP', 'list', '0'],
  brpop: ['BRPOP', 'list', '0'],
  blmove: ['BLMOVE', 'list', 'other', 'LEFT', 'LEFT', '0'],
  brpoplpush: ['BRPOPLPUSH', 'list', 'other', '0'],
  xdel: ['XDEL', 'stream', '1-1'],
  xsetid: ['XSETID', 'stream', '5-1'],
  xreadgroup: ['XREADGROUP', 'GROUP', 'a', 'other', 'STREAMS', 'stream', '>'],
  xack: ['XACK', 'stream', 'a', '1-1'],
  xclaim: ['XCLAIM', 'stream', 'a', 'other', '0', '1-1'],
  xautoclaim: ['XAUTOCLAIM', 'stream', 'a', 'other', '0', '0'],
  bitop: ['BITOP', 'NOT', 'other', 'string'],
  bitfield: ['BITFIELD', 'string', 'SET', 'u8', '0', '1'],
  pfdebug: ['PFDEBUG', 'TODENSE', 'log'],
  persist: ['PERSIST', 'mortal'],
  flushall: ['FLUSHALL'],
  flushdb: ['FLUSHDB'],
  swapdb: ['SWAPDB', '0', '1'],
};

let fake: FakeServer;
let logged: string[];
let exits: number[];

async function start(): Promise<FakeServer> {
  logged = [];
  exits = [];
  const log = (line: string): void => void logged.push(line);
  const made = new FakeServer(
    {},
    { log: { debug() {}, verbose() {}, notice() {}, warning: log }, onExit: (code) => exits.push(code) },
  );
  await made.listen();
  const client = made.connect();
  for (const command of [
    ['SET', 'string', '10'],
    ['RPUSH', 'list', 'a', 'b', '1', '2'],
    ['SADD', 'set', 'a', 'b', '1'],
    ['HSET', 'hash', 'a', '1', 'b', '2'],
    ['ZADD', 'zset', '1', 'a', '2', 'b', '0', '1'],
    ['XADD', 'stream', '1-1', 'a', 'b'],
    ['XGROUP', 'CREATE', 'stream', 'a', '0'],
    ['XREADGROUP', 'GROUP', 'a', 'one', 'STREAMS', 'stream', '>'],
    ['XADD', 'stream', '1-2', 'a', 'b'],
    ['SET', 'mortal', '1', 'PX', '100000'],
    ['PFADD', 'log', 'a'],
    ['GEOADD', 'geo', '1', '1', 'a'],
  ])
    await made.ask(client, ...command);
  return made;
}

function writers({ server }: FakeServer): Registered[] {
  return [...server.engine.table.all()].filter((registered) => registered.run !== null && registered.has(WRITE));
}

beforeEach(async () => {
  fake = await start();
});

afterEach(() => fake.close());

test('a fault at the start of any command is an error reply, and nothing has changed', async () => {
  const client = fake.connect();
  const random = new Invocations(new SeededRandom(1), ['string', 'list', 'set', 'hash', 'zset', 'stream']);
  const { memory } = fake.server.engine;
  for (const registered of [...fake.server.engine.table.all()]) {
    if (registered.run === null || !registered.has(WRITE)) continue;
    const { run } = registered;
    Object.assign(registered, {
      run: () => {
        throw new Error('planted');
      },
    });
    const { used } = memory;
    expect([registered.name, await fake.ask(client, ...random.of(registered))]).toEqual([registered.name, INTERNAL]);
    expect(memory.used).toBe(used);
    Object.assign(registered, { run });
  }
  fake.clock.advance(1);
  await fake.turn();
  expect(exits).toEqual([]);
  expect(await fake.ask(client, 'PING')).toBe('+PONG');
});

test('a fault once a key has been looked up, and touched, is an error reply', async () => {
  const client = fake.connect();
  const registered = fake.server.engine.table.named([sliceOf('APPEND')], 1)!;
  Object.assign(registered, {
    run(c: Call) {
      c.findForWrite(1);
      c.reply.array(3);
      c.reply.bulkText('half of a reply');
      c.reply.bulkText('x'.repeat(50_000));
      c.reply.bulkText('x'.repeat(500_000));
      throw new Error('planted');
    },
  });
  client.arrive(
    '*2\r\n$4\r\nECHO\r\n$6\r\nbefore\r\n*3\r\n$6\r\nAPPEND\r\n$6\r\nstring\r\n$1\r\nx\r\n*1\r\n$4\r\nPING\r\n',
  );
  await fake.turn();
  expect(client.sent).toBe(`$6\r\nbefore\r\n${INTERNAL}\r\n+PONG\r\n`);
  expect(exits).toEqual([]);
});

test('a command that has begun to wait and then fails is answered, and waits no more', async () => {
  const client = fake.connect();
  const registered = fake.server.engine.table.named([sliceOf('BLPOP')], 1)!;
  const { run } = registered;
  Object.assign(registered, {
    run(c: Call) {
      run?.(c as never);
      throw new Error('planted');
    },
  });
  expect(await fake.ask(client, 'BLPOP', 'nothing', 0)).toBe(INTERNAL);
  expect(await fake.ask(client, 'PING')).toBe('+PONG');
  expect(fake.server.engine.blocking.count).toBe(0);
});

describe('a fault after the first change ends the server, and its client is answered', () => {
  test('for every command that writes', async () => {
    const names = writers(fake).map(({ name }) => name);
    const never: string[] = [];
    for (const name of names) {
      if (LEFT_OUT.includes(name)) continue;
      await fake.close();
      fake = await start();
      if (!(await endsServer(name))) never.push(name);
    }
    expect(never).toEqual([]);
  });
});

/** Plants a fault at the first change that invocations of a command make; false where none of them makes one. */
async function endsServer(name: string): Promise<boolean> {
  const { engine } = fake.server;
  const client = fake.connect();
  const registered = writers(fake).find((one) => one.name === name)!;
  const invocations = new Invocations(new SeededRandom(7), [
    'string',
    'list',
    'set',
    'hash',
    'zset',
    'stream',
    'geo',
    'none',
  ]);
  let planted = false;
  if (UNTOLD.includes(name)) {
    const { run } = registered;
    Object.assign(registered, {
      run(c: Call) {
        run?.(c as never);
        planted = true;
        throw new Error('planted');
      },
    });
  }
  const touched = engine.touched.bind(engine);
  engine.touched = (db, key, event) => {
    touched(db, key, event);
    engine.touched = touched;
    planted = true;
    throw new Error('planted');
  };
  for (let i = 0; i < ATTEMPTS && !planted; i++) {
    const sent = await fake.ask(client, ...(WITNESSES[name] ?? invocations.of(registered)));
    if (WITNESSES[name] !== undefined) i = ATTEMPTS;
    if (planted) expect([name, sent]).toEqual([name, INTERNAL]);
  }
  if (!planted) return false;
  fake.clock.advance(1);
  for (let i = 0; i < 50 && exits.length === 0; i++) await fake.turn();
  expect([name, exits]).toEqual([name, [1]]);
  return true;
}

test('a flood of internal errors does not flood the log', async () => {
  const client = fake.connect();
  const registered = fake.server.engine.table.named([sliceOf('GET')], 1)!;
  Object.assign(registered, {
    run: () => {
      throw new Error('planted');
    },
  });
  for (let i = 0; i < 1000; i++) client.command('GET', 'string');
  await fake.turn();
  expect(logged.filter((line) => line.includes('planted')).length).toBe(10);
  fake.clock.advance(10_000);
  await fake.ask(client, 'GET', 'string');
  expect(logged).toContain('990 further internal errors of commands have not been logged');
});
