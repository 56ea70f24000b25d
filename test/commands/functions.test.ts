/** FUNCTION and FCALL beside the real server, and libraries on their way through payloads, snapshots and effects. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createServer } from '../../src/server/server.ts';
import { Beside, type Normal } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start({ 'enable-debug-command': 'yes' });
});

afterAll(() => both.stop());

beforeEach(() => both.same('FLUSHALL\nFUNCTION FLUSH'));

/** Redis lists libraries and functions in no order. */
const unordered: Normal = ([name, sub], answer) =>
  name === 'FUNCTION' && sub?.toUpperCase() === 'LIST' ? sorted(answer) : answer;

function sorted(answer: Answer): Answer {
  if (!Array.isArray(answer)) return answer;
  const inner = answer.map(sorted);
  return inner.every(Array.isArray) ? inner.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : inner;
}

function load(body: string, name = 'l'): string[] {
  return ['FUNCTION', 'LOAD', 'REPLACE', `#!lua name=${name}\n${body}`];
}

const f = 'redis.register_function("f", function(keys, args) return {keys[1] or "-", args[1] or "-"} end)';

describe('FUNCTION LOAD', () => {
  test('redis.register_function, with every kind of wrong argument', () =>
    both.same(
      [
        '()',
        '("a")',
        '({})',
        '(1, 2)',
        '(1, function() end)',
        '(nil, function() end)',
        '("a", function() end, 3)',
        '("a", 2)',
        '("a b", function() end)',
        '("a\\0b", function() end)',
        '("", function() end)',
        '{function_name="a"}',
        '{callback=function() end}',
        '{function_name=1, callback=function() end}',
        '{function_name={}, callback=function() end}',
        '{function_name="a", callback=1}',
        '{function_name="a", callback=function() end, description=1}',
        '{function_name="a", callback=function() end, description={}}',
        '{function_name="a", callback=function() end, description="what it does"}',
        '{function_name="a", callback=function() end, flags=1}',
        '{function_name="a", callback=function() end, flags={}}',
        '{function_name="a", callback=function() end, flags={"x"}}',
        '{function_name="a", callback=function() end, flags={1}}',
        '{function_name="a", callback=function() end, flags={"NO-Writes"}}',
        '{function_name="a", callback=function() end, flags={"no-writes", nil, "x"}}',
        '{function_name="a", callback=function() end, flags={"allow-oom", "no-writes", "allow-oom"}}',
        '{function_name="a", callback=function() end, flags={"allow-stale", "no-cluster", "allow-cross-slot-keys"}}',
        '{function_name="a", callback=function() end, zzz=1}',
        '{function_name="a", callback=function() end, [1]=1}',
        '{FUNCTION_NAME="a", CALLBACK=function() end}',
        '{1, 2}',
        '("a", function() end) redis.register_function("a", function() end)',
        '("a", function() end) error("x")',
      ].flatMap((args) => [
        load(`redis.register_function${args}`),
        ['FUNCTION', 'LIST'],
        ['FUNCTION', 'STATS'],
        ['FUNCTION', 'FLUSH'],
      ]),
      unordered,
    ));

  test('a library sees a redis table of its own and nothing else', () =>
    both.same(
      [
        'return 1',
        'error("x")',
        'x = 1',
        'return y',
        'redis.nosuch()',
        'redis.call("ping")',
        'redis.set_repl(1)',
        'redis.setresp(3)',
        'math.random()',
        'local a = pairs',
        'local a = getmetatable(_G)',
        'redis.x = 1',
        'redis.log()',
        'redis.log(1)',
        'redis.log(9, "x")',
        'redis.log(redis.LOG_NOTICE, "x")',
        'return redis.REDIS_VERSION',
        'return redis.REPL_ALL',
        'local a = nil; a()',
        'local a = {} .. "x"',
        'bad code',
        'if true then',
        'redis.register_function("a", function() return ... end)',
        'local function f() redis.register_function() end f()',
        '\n\n redis.register_function(1)',
      ].map((body) => load(body)),
    ));

  test('a library that does not come to its end', () => both.same([load('while true do end'), load(f)]));

  test('the line of metadata', () =>
    both.same(
      [
        '',
        '#!',
        '#!\n',
        '#!lua\n',
        '#!lua name\nx',
        '#!lua name=\nx',
        '#!lua name=a name=b\nx',
        `#!LUA NAME=zz\n${f}`,
        '#!foo name=a\nx',
        '#!lua name=a foo=bar\nx',
        '#! lua name=a\nx',
        '#! name=a\nx',
        '#!lua name="b c"\nx',
        `#!lua name="bc"\n${f}`,
        '#!lua name="bc\nx',
        '#!lua name=a\0b\nx',
        'lua name=a',
        '#!lua name=\xe9\nx',
        '#!foo name=b-d\nx',
        '#!lua foo=bar name=b-d\nx',
      ].flatMap((source) => [
        ['FUNCTION', 'LOAD', source],
        ['FUNCTION', 'LIST', 'WITHCODE'],
        ['FUNCTION', 'FLUSH'],
      ]),
      unordered,
    ));

  test('what is replaced and what stands in the way', () =>
    both.same(
      [
        load(f),
        ['FUNCTION', 'LOAD', `#!lua name=l\n${f}`],
        load(f, 'm'),
        load(f.replace('"f"', '"F"'), 'm'),
        load(f.replace('"f"', '"g"'), 'L'),
        load('bad code'),
        load('return 1'),
        ['FCALL', 'f', '0'],
        load(f.replace('"f"', '"h"')),
        ['FCALL', 'f', '0'],
        ['FCALL', 'h', '0'],
        ['FUNCTION', 'LOAD', 'rep', f],
        ['FUNCTION', 'LOAD', 'replace', 'x', f],
        ['FUNCTION', 'LOAD', 'x', 'replace', f],
        ['FUNCTION', 'LOAD'],
        ['FUNCTION', 'STATS'],
        ['FUNCTION', 'LIST'],
        ['FUNCTION', 'DELETE', 'M'],
        ['FUNCTION', 'DELETE', 'L'],
        ['FUNCTION', 'DELETE'],
        ['FUNCTION', 'LIST'],
      ],
      unordered,
    ));
});

describe('FCALL', () => {
  test('arguments', () =>
    both.same([
      load(f),
      ...['f 0', 'F 0 z', 'f 1 k z', 'f 2 k', 'f -1', 'f x', 'nosuch x', 'f', 'f 99999999999999999999'].flatMap(
        (args) => [
          ['FCALL', ...args.split(' ')],
          ['FCALL_RO', ...args.split(' ')],
        ],
      ),
    ]));

  test('what a running function sees', () =>
    both.same(
      [
        'error("x")',
        'error({err="MY err"})',
        'redis.call("nosuch")',
        'return redis.pcall("nosuch")',
        'local a = nil; a()',
        'return y',
        'x = 1',
        'return redis.register_function',
        'return redis.breakpoint',
        'return redis.debug("x")',
        'return redis.replicate_commands()',
        'local t = {} for k in pairs(redis) do t[#t + 1] = k end return t',
        'return loadstring("return KEYS")()',
        'return loadstring("y = 1")()',
        'redis.register_function()',
        'return {KEYS}',
        'return getmetatable(_G).__index == nil',
        'local t = {} for k in pairs(_G) do t[#t + 1] = k end table.sort(t) return t',
        'return tostring(_G.redis == redis)',
        '_G.x = 1',
        'getmetatable(_G).__index = nil',
        'return math.random and 1',
        'redis.setresp(3) return {double=3.5}',
        'return loadstring("return redis.call(\'ping\')")()',
        'string.x = 1',
        'rawset(_G, "x", 1)',
        'setmetatable(_G, {})',
        'return type(rawget(_G, "redis"))',
      ].flatMap((body) => [load(`redis.register_function("f", function(a, b) ${body} end)`), ['FCALL', 'f', '0']]),
    ));

  test('what the library has kept of its own table stays what it was', () =>
    both.same([
      load(
        [
          'local lib = redis',
          'redis.register_function("f1", function() lib.redis = redis return 1 end)',
          'redis.register_function("f2", function() lib.register_function("z", function() end) end)',
          'redis.register_function("f3", function() return lib.math end)',
          'redis.register_function("f4", function() return lib.REDIS_VERSION end)',
          'redis.register_function("f5", function() lib.log(1, "x") return 5 end)',
        ].join('\n'),
      ),
      ...['f1', 'f2', 'f3', 'f4', 'f5'].map((name) => ['FCALL', name, '0']),
    ]));

  test('the container and its wrong words', () =>
    both.same(`
      FUNCTION
      FUNCTION nosuch
      FUNCTION nosuch x
      FUNCTION HELP
      FUNCTION HELP x
      FUNCTION STATS x
      FUNCTION KILL
      FUNCTION KILL x
      FUNCTION LIST x
      FUNCTION LIST LIBRARYNAME
      FUNCTION LIST withcode withcode
      FUNCTION LIST withcode libraryname a libraryname b
      FUNCTION FLUSH x
      FUNCTION FLUSH sync x
      FUNCTION flush sync x
      FUNCTION FLUSH async
      FUNCTION RESTORE
      FUNCTION RESTORE x
      FUNCTION RESTORE x y
      FUNCTION RESTORE x y z
      FUNCTION DUMP x
    `));

  test('names are found by patterns without regard to capitals', () =>
    both.same(
      [
        load(f, 'Alpha'),
        load(f.replace('"f"', '"g"'), 'beta'),
        ...['a*', 'BETA', '?????', '[ab]*a', 'x', ''].map((pattern) => ['FUNCTION', 'LIST', 'LIBRARYNAME', pattern]),
      ],
      unordered,
    ));
});

test('a library that is loaded again begins anew', () => {
  const counter = load('local n = 0\nredis.register_function("count", function() n = n + 1 return n end)');
  const count = ['FCALL', 'count', '0'];
  return both.same([counter, count, count, counter, count, counter, counter, count, count]);
});

describe('payloads', () => {
  const two = [load(f, 'a'), load(f.replace('"f"', '"g"'), 'b')];

  test('are of the libraries that there are now, packed as the configuration says', async () => {
    const changes = [
      ...two.slice(0, 1),
      ['CONFIG', 'SET', 'rdbcompression', 'no'],
      ...two.slice(1),
      ['FUNCTION', 'DELETE', 'a'],
      load(f, 'b'),
      ['FUNCTION', 'FLUSH'],
      ['CONFIG', 'SET', 'rdbcompression', 'yes'],
    ];
    const [none] = await both.ours.send([['FUNCTION', 'DUMP']]);
    const seen = [String(none)];
    for (const change of changes) {
      await both.ours.send([change]);
      const twice = await both.ours.send([
        ['FUNCTION', 'DUMP'],
        ['FUNCTION', 'DUMP'],
      ]);
      expect(twice[1]).toEqual(twice[0]);
      seen.push(String(twice[0]));
    }
    // All differ, but that of none is the same before and after.
    expect(new Set(seen).size).toBe(seen.length - 2);
    expect(seen.slice(-2)).toEqual([seen[0], seen[0]]);
  });

  /** The payload of what one of the servers holds. */
  async function dumped(from: 'ours' | 'theirs'): Promise<string> {
    return String((await both[from].send([['FUNCTION', 'DUMP']]))[0]);
  }

  test.each(['ours', 'theirs'] as const)('of %s restore on both', async (from) => {
    await both.same(two);
    const payload = await dumped(from);
    await both.same('FUNCTION FLUSH');
    for (const policy of [[], ['replace'], ['FLUSH'], ['REPLACE']]) {
      await both.same(
        [
          ['FUNCTION', 'RESTORE', payload, ...policy],
          ['FUNCTION', 'LIST', 'WITHCODE'],
          ['FUNCTION', 'STATS'],
        ],
        unordered,
      );
    }
    await both.same([
      ['FUNCTION', 'DELETE', 'b'],
      ['FUNCTION', 'RESTORE', payload],
      ['FCALL', 'g', '0'],
    ]);
    await both.same(
      [
        ['FUNCTION', 'DELETE', 'a'],
        load(f.replace('"f"', '"F"'), 'c'),
        ['FUNCTION', 'RESTORE', payload, 'REPLACE'],
        ['FUNCTION', 'LIST'],
        ['FUNCTION', 'RESTORE', payload, 'FLUSH'],
        ['FUNCTION', 'LIST'],
      ],
      unordered,
    );
  });

  test('that are damaged or of something else leave all as it was', async () => {
    await both.same([...two, ['SET', 'k', 'v']]);
    const payload = await dumped('theirs');
    const other = String((await both.theirs.send([['DUMP', 'k']]))[0]);
    const flipped = payload.slice(0, 9) + String.fromCharCode(payload.charCodeAt(9) ^ 1) + payload.slice(10);
    for (const bad of [other, flipped, payload.slice(0, 5), payload.slice(1), ''])
      await both.same([
        ['FUNCTION', 'RESTORE', bad, 'FLUSH'],
        ['FUNCTION', 'STATS'],
      ]);
    await both.same([['RESTORE', 'x', '0', payload]]);
  });
});

test('libraries outlive FLUSHALL and DEBUG RELOAD', () =>
  both.same(
    [
      load(f),
      ['FLUSHALL'],
      ['FUNCTION', 'LIST'],
      ['DEBUG', 'RELOAD'],
      ['FCALL', 'f', '0'],
      load(f.replace('"f"', '"g"'), 'm'),
      ['DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE'],
      ['FUNCTION', 'LIST', 'WITHCODE'],
      ['DEBUG', 'RELOAD', 'NOSAVE'],
      ['FUNCTION', 'LIST'],
    ],
    unordered,
  ));

test('INFO tells how many there are', async () => {
  await both.same([load(`${f} redis.register_function("g", function() end)`), ['EVAL', 'return 1', '0']]);
  const [info] = await both.ours.send([['INFO', 'memory']]);
  expect(info).toMatch(/number_of_functions:2\r\nnumber_of_libraries:1\r\n/);
  expect(info).toMatch(/number_of_cached_scripts:\d+\r\n/);
});

test('libraries come back from the append-only file and from its rewritten form', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-functions-'));
  const settings = {
    dir: folder,
    save: '',
    appendonly: 'yes',
    'aof-use-rdb-preamble': 'no',
    'enable-debug-command': 'yes',
  } as const;
  const server = createServer({ settings, port: await freePort(), persistent: true });
  await server.listen();
  const session = server.session();
  try {
    await session.call('FUNCTION', 'LOAD', `#!lua name=kept\n${f}`);
    await session.call('FUNCTION', 'LOAD', `#!lua name=gone\n${f.replace('"f"', '"g"')}`);
    await session.call('FUNCTION', 'DELETE', 'gone');
    await session.call('DEBUG', 'LOADAOF');
    expect(await session.call('FCALL', 'f', 0)).toEqual(['-', '-']);
    await expect(session.call('FCALL', 'g', 0)).rejects.toThrow('ERR Function not found');
    await session.call('BGREWRITEAOF');
    while (/aof_rewrite_in_progress:1|aof_rewrite_scheduled:1/.test(String(await session.call('INFO', 'persistence'))))
      await new Promise((done) => setTimeout(done, 5));
    await session.call('DEBUG', 'LOADAOF');
    expect(await session.call('FCALL', 'f', 1, 'k', 'a')).toEqual(['k', 'a']);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
