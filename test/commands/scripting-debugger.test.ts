/** SCRIPT DEBUG SYNC: sessions of the debugger beside the real server's, line by line. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import { Pipeline } from '../support/pipeline.ts';
import { Incomplete, RespReader, type RespValue } from '../support/resp.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start({ 'busy-reply-threshold': '50' });
});

afterAll(() => both.stop());

/** Sends commands one after the other, each when the one before has been answered; what came until the server closed. */
function play(port: number, commands: readonly (readonly string[])[]): Promise<RespValue[]> {
  const socket = connect(port, '127.0.0.1');
  const left = [...commands];
  const heard: RespValue[] = [];
  let bytes = Buffer.alloc(0);
  const next = (): void => {
    const command = left.shift();
    if (command === undefined) return;
    const parts = command.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
    socket.write(Buffer.from(`*${command.length}\r\n${parts}`, 'latin1'));
  };
  const read = (): void => {
    while (bytes.length > 0) {
      const reader = new RespReader(bytes);
      try {
        heard.push(reader.value());
      } catch (error) {
        if (error instanceof Incomplete) return;
        throw error;
      }
      bytes = bytes.subarray(reader.at);
      next();
    }
  };
  return new Promise((done) => {
    socket.on('connect', next);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      read();
    });
    socket.on('error', () => {});
    socket.on('close', () => done(heard));
  });
}

async function same(source: string, commands: readonly string[], ...args: string[]): Promise<void> {
  const all = [
    ['SCRIPT', 'DEBUG', 'SYNC'],
    ['EVAL', source, ...(args.length > 0 ? args : ['0'])],
    ...commands.map((line) => line.split(' ')),
  ];
  const [ours, theirs] = await Promise.all([both.server.port, both.theirsPort].map((port) => play(port, all)));
  expect(ours).toEqual(theirs);
}

const SCRIPT = `local a = 1
local b = {1,2,"x",{k="v"}}
a = a + #b
redis.call('set', 'k', a)
if a > 3 then
  redis.breakpoint()
end
local n, f, s, t = nil, 1.5, "q\\"uo\\n", true
redis.debug("dbg", a, {1}, nil)
local r = redis.call('get', 'k')
return {a, b, r}
`;

test('looking around', () =>
  same(
    SCRIPT,
    [
      ...['help', 's', 'p', 'n', 'print', 'p b', 'p nosuch', 'p KEYS', 'p ARGV', 'l', 'l 3', 'l 8 1', 'l 0 1', 'l 100'],
      ...[
        'list x',
        'w',
        't',
        'b',
        'b 4',
        'b 4',
        'b',
        'b 99',
        'b x',
        'b -3',
        'c',
        't',
        'b -4',
        'b 5',
        'b 9',
        'b 0',
        's',
      ],
      ...['e 1+1', 'e KEYS[1]', 'e return {1,2}', 'e bad code', 'e error("x")', 'e redis.call("get","k")'],
      ...[
        'r get k',
        'r nosuch',
        'redis lrange k 0 1',
        'r mget k none',
        'r del 1 2 3 4 5 6 7 8 9 10 11',
        'r',
        'm',
        'm 10',
        'maxlen 70',
      ],
      ...[`r echo ${'x'.repeat(100)}`, 'm 0', `r echo ${'y'.repeat(100)}`, 'm x', 'zzz', 'c', 'p', 's', 's', 's'],
      'c',
    ],
    '1',
    'key',
    'arg1',
    'arg2',
  ));

const LOOPS = `local t = {}
for i = 1, 2 do
  t[i] = i
end
local function f(
    a,
    b)
  local c = a
  return c
end
for k, v in pairs(t) do
  f(k,
    v)
end
local n = 0
while n < 2 do
  n = n + 1
end
repeat
  n = n - 1
until n == 0
function t.g(x)
  if x then
    return 1
  else
    x = 2
  end
end
t.g(true)
t.g(false)
return {
  f(1),
  2,
  t = 3
}
`;

test('the lines of functions and loops', () =>
  same(LOOPS, [...Array.from({ length: 90 }, (_, i) => (i < 12 && i % 3 === 0 ? 'p' : 's')), 'c']));

test('loops and branches on one line', () =>
  same('for i = 1, 3 do redis.debug(i) end\nlocal x = 1 if x then x = 2 end\nreturn x', [
    ...['s', 's', 's', 'p', 's', 's', 's', 'c'],
  ]));

test('to its end', () => same(SCRIPT, ['c', 'c']));

test('abort', () => same(SCRIPT, ['s', 'abort']));

test('what it shows of commands and errors', async () => {
  await same('error("x")', ['s']);
  await same('\n\nlocal a = 1\n\nreturn redis.call("nosuch")\n\n', ['s', 's']);
  await same('redis.call("set","k",1) redis.call("lpush","k",1)', ['s']);
  await same('return {1,"a",redis.call("mget","k","n"),redis.pcall("nosuch")}', ['s']);
  await same(
    'redis.call("hset","h","a",1)\nredis.setresp(3)\nredis.call("hgetall","h")\nredis.call("smembers","none")\nreturn redis.call("get","none")',
    ['s', 's', 's', 's', 's'],
  );
});

test('what can not be run ends the session', async () => {
  await same('bad code', []);
  await same('#!lua flags=what\nreturn 1', []);
  await same('return 1', [], 'x');
  await same('return 1', [], '2', 'key');
});

test('only EVAL of this client, and only where it is wished', async () => {
  const line = new Pipeline(both.server.port);
  const [on] = await line.send([['SCRIPT', 'DEBUG', 'SYNC']]);
  const [bySha] = await line.send([['EVALSHA', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '0']]);
  const [off] = await line.send([['SCRIPT', 'DEBUG', 'NO']]);
  const [reply] = await line.send([['EVAL', 'return 1', '0']]);
  const [copy] = await line.send([['SCRIPT', 'DEBUG', 'YES']]);
  line.close();
  expect([on, (bySha as Error).message, off, reply]).toEqual([
    'OK',
    'ERR Please use EVAL instead of EVALSHA for debugging',
    'OK',
    1,
  ]);
  expect((copy as Error).message).toMatch(/not supported: use SCRIPT DEBUG SYNC/);
});

test('others wait meanwhile; when the client goes away the script runs to its end', async () => {
  const other = new Pipeline(both.server.port);
  const socket = connect(both.server.port, '127.0.0.1');
  const first = new Promise((done) => socket.once('data', done));
  socket.write('*3\r\n$6\r\nSCRIPT\r\n$5\r\nDEBUG\r\n$4\r\nSYNC\r\n');
  await first;
  const stopped = new Promise((done) => socket.once('data', done));
  const script = "redis.call('set', 'gone', 1)\nredis.call('incr', 'gone')";
  socket.write(`*3\r\n$4\r\nEVAL\r\n$${script.length}\r\n${script}\r\n$1\r\n0\r\n`);
  await stopped;
  const reply = other.send([['GET', 'gone']]);
  while (both.server.engine.blocking.count === 0) await new Promise((done) => setTimeout(done, 1));
  socket.destroy();
  expect(await reply).toEqual(['2']);
  other.close();
});
