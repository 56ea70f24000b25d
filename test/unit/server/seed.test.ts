/** server.seed(): data to begin with, from what is easy to write down. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import type { SeedData } from '../../../src/persistence/records/seed.ts';
import { localServers } from '../../support/local-servers.ts';

const start = localServers();
const folder = mkdtempSync(join(tmpdir(), 'seed-'));

afterAll(() => rmSync(folder, { recursive: true }));

test('values by their keys, of every type, take the place of all that was there', async () => {
  const clock = new VirtualClock();
  const server = start({ clock });
  const session = server.session();
  await session.call('SET', 'old', 1);
  await server.seed({
    greeting: 'hello',
    count: 5,
    image: new Uint8Array([0xff, 0]),
    queue: ['a', 2, { base64: '/wA=' }],
    tags: { type: 'set', value: ['x', 'y'] },
    'user:1': { type: 'hash', value: { name: 'Ada', age: 36 }, ttl: 60_000 },
    pairs: { type: 'hash', value: [[new Uint8Array([0xfe]), 'v']], expireAt: clock.now() + 5 },
    scores: { type: 'zset', value: { ada: 1.5, bob: '-inf' } },
    events: {
      type: 'stream',
      value: {
        entries: [
          ['1-1', { field: 'value' }],
          ['2-0', ['a', 1, 'b', 2]],
        ],
        groups: [{ name: 'workers', lastId: '1-1', consumers: [{ name: 'one', pending: [['1-1', 1000, 2]] }] }],
      },
    },
    elsewhere: { type: 'string', value: 'y', db: 3 },
  });
  const buffers = server.session({ buffers: true });
  expect(await session.call('EXISTS', 'old')).toBe(0);
  expect(await session.call('MGET', 'greeting', 'count')).toEqual(['hello', '5']);
  expect(await session.call('INCR', 'count')).toBe(6);
  expect(await buffers.call('GET', 'image')).toEqual(Buffer.from([0xff, 0]));
  expect(await buffers.call('LRANGE', 'queue', 0, -1)).toEqual([
    ...['a', '2'].map(Buffer.from),
    Buffer.from([0xff, 0]),
  ]);
  expect(await session.call('SCARD', 'tags')).toBe(2);
  expect(await session.call('HGETALL', 'user:1')).toEqual(['name', 'Ada', 'age', '36']);
  expect(await session.call('PTTL', 'user:1')).toBe(60_000);
  expect(await session.call('PTTL', 'pairs')).toBe(5);
  expect(await buffers.call('HKEYS', 'pairs')).toEqual([Buffer.from([0xfe])]);
  expect(await session.call('ZRANGE', 'scores', 0, -1, 'WITHSCORES')).toEqual(['bob', '-inf', 'ada', '1.5']);
  expect(await session.call('XRANGE', 'events', '-', '+')).toEqual([
    ['1-1', ['field', 'value']],
    ['2-0', ['a', '1', 'b', '2']],
  ]);
  expect(await session.call('XPENDING', 'events', 'workers')).toEqual([1, '1-1', '1-1', [['one', '1']]]);
  expect(await session.call('XADD', 'events', '*', 'f', 'v')).toMatch(/-0$/);
  await session.call('SELECT', 3);
  expect(await session.call('GET', 'elsewhere')).toBe('y');
  clock.advance(60_001);
  await session.call('SELECT', 0);
  expect(await session.call('EXISTS', 'user:1', 'pairs')).toBe(0);
});

test('records, JSON of either form, lines and bytes say the same', async () => {
  const server = start({ settings: { 'enable-debug-command': true } });
  const session = server.session();
  const byKey = { k: 'v', h: { type: 'hash', value: { f: 'v' } } } as const;
  const records = [
    { type: 'string', key: 'k', value: 'v' },
    { type: 'hash', key: 'h', value: [['f', 'v']] },
  ] as const;
  const lines = records.map((record) => JSON.stringify(record)).join('\n');
  await server.seed(byKey);
  const digest = await session.call('DEBUG', 'DIGEST');
  const forms: SeedData[] = [
    records,
    JSON.stringify(byKey, null, 2),
    JSON.stringify(records),
    lines,
    Buffer.from(lines),
  ];
  for (const form of [...forms, await server.toJson(), await server.snapshot()]) {
    await server.seed({});
    expect(await session.call('DBSIZE')).toBe(0);
    await server.seed(form);
    expect(await session.call('DEBUG', 'DIGEST')).toBe(digest);
  }
});

test('what toJson() writes has everything in it', async () => {
  const clock = new VirtualClock();
  const server = start({ clock, settings: { 'enable-debug-command': true } });
  const session = server.session();
  await session.call('SET', Buffer.from([0xff]), Buffer.from([0]), 'PX', 5000);
  await session.call('RPUSH', 'list', 'a', 'b');
  await session.call('ZADD', 'zset', 'inf', 'a');
  await session.call('XADD', 'stream', '1-1', 'f', 'v');
  await session.call('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('one', function() return 1 end)");
  const digest = await session.call('DEBUG', 'DIGEST');
  const json = await server.toJson();
  expect(json).toContain('{"type":"list","db":0,"key":"list","value":["a","b"]}\n');
  expect(json).toContain(`"key":{"base64":"/w=="},"expireAt":${clock.now() + 5000},"value":"\\u0000"}`);
  await server.seed({});
  await server.seed(json);
  expect(await session.call('DEBUG', 'DIGEST')).toBe(digest);
  expect(await session.call('FCALL', 'one', 0)).toBe(1);
});

test('what is wrong is told with its place, and the data stay', async () => {
  const server = start();
  const session = server.session();
  await session.call('SET', 'k', 'v');
  const wrong: [SeedData, string][] = [
    [{ a: 'x', b: { type: 'list', value: [] } }, 'key "b": value should be a list that is not empty'],
    [{ b: { type: 'list', value: ['x', null] } } as never, 'key "b": value[1]: bytes should be a string, a number or'],
    [{ b: { type: 'lst', value: [] } } as never, 'key "b": type should be one of'],
    [{ b: { type: 'string', value: 'x', tll: 5 } } as never, `key "b": there is no 'tll' in it`],
    [{ b: { type: 'string', value: 'x', db: 16 } }, 'key "b": db should be less than 16'],
    [{ b: { type: 'string', value: 'x', ttl: 1, expireAt: 5 } }, 'key "b": ttl should be without expireAt'],
    [{ b: { type: 'zset', value: { a: 'x' } } }, 'key "b": value[0]: a score should be a number'],
    [{ b: { type: 'stream', value: { entries: [['1', ['f', 'v']]] } } }, `key "b": an entry's ID should be an ID`],
    [[{ type: 'string', key: 'a', value: 1 }, { type: 'string' }] as never, 'record 2: key should be a string'],
    [
      [
        { type: 'string', key: 'a', value: 1 },
        { type: 'string', key: 'a', value: 2 },
      ],
      "record 2: key 'a' of database 0 should be there once",
    ],
    ['{\n  "a": 1,\n  "b"; 2\n}', 'line 3, column 6: '],
    ['{"type":"string","key":"a","value":"x"}\n{"type":"set","key":"b"}\n', 'line 2: value should be a list'],
    ['[1, [2, {"a": [true,]}]]', 'line 1, column 21: '],
    ['{"a": "x\\q"}', 'line 1, column 7: '],
    ['{"a": 1}}', 'line 1, column 9: '],
    ['[1', 'line 1, column 3: '],
    ['nonsense', 'line 1, column 1: '],
    ['5', 'what is given should be an object'],
    [Buffer.from('REDIS0010\xfe\x00\x63', 'latin1'), 'offset 12: '],
  ];
  for (const [data, message] of wrong) await expect(server.seed(data)).rejects.toThrow(message);
  const damaged = await server.snapshot();
  damaged[damaged.length - 1] ^= 1;
  await expect(server.seed(damaged)).rejects.toThrow('the checksum is wrong: the snapshot is damaged');
  expect(await session.call('GET', 'k')).toBe('v');
});

test('from files, by path and by URL, and the file is named', async () => {
  const server = start();
  const session = server.session();
  const json = join(folder, 'seed é.json');
  writeFileSync(json, '{"k": "v"}');
  await server.seedFile(json);
  expect(await session.call('GET', 'k')).toBe('v');
  const rdb = join(folder, 'dump.rdb');
  writeFileSync(rdb, await server.snapshot());
  await server.seed({});
  await server.seedFile(pathToFileURL(rdb));
  expect(await session.call('GET', 'k')).toBe('v');
  writeFileSync(json, '{"k": }');
  await expect(server.seedFile(json)).rejects.toThrow(`${json}: line 1, column 7: `);
  await expect(server.seedFile(join(folder, 'none'))).rejects.toThrow('no such file');
});

test.each([
  ['{"a":"x",\n"b":"\xff"}', 'line 2 is not UTF-8'],
  ['[{"type":"string","key":"\xff","value":"x"}]', 'line 1 is not UTF-8'],
  ['{"type":"string","key":"a","value":"x"}\n{"type":"string","key":"\xff","value":"x"}', 'line 2 is not UTF-8'],
])('bytes that are no text are told, and not replaced: %j', async (text, message) => {
  const server = start();
  const session = server.session();
  await session.call('SET', 'old', 1);
  await expect(server.seed(Buffer.from(text, 'latin1'))).rejects.toThrow(message);
  expect(await session.call('GET', 'old')).toBe('1');
});

test.each([
  [new Map([['a', 'b']])],
  [new Set(['a'])],
  [new ArrayBuffer(3)],
  [new Uint16Array([1])],
  [Promise.resolve({ a: 'b' })],
])('what only looks like an object by key is told, and does not empty the server: %o', async (data) => {
  const server = start();
  const session = server.session();
  await session.call('SET', 'old', 1);
  await expect(server.seed(data as unknown as SeedData)).rejects.toThrow('what is given should be an object');
  const inside = { h: { type: 'hash', value: data } } as unknown as SeedData;
  await expect(server.seed(inside)).rejects.toThrow('key "h": value should be a list');
  expect(await session.call('GET', 'old')).toBe('1');
});

const LIBRARY = '#!lua name=mine\nredis.register_function("f", function() return 1 end)';

test.each([
  [['garbage'], 'Missing library metadata'],
  [['#!lua name=mine\nthis is wrong'], 'Error compiling function: user_function:2'],
  [[LIBRARY, LIBRARY], "Library 'mine' already exists"],
  [[LIBRARY, LIBRARY.replace('mine', 'yours')], 'Function f already exists'],
])('a library that can not be had is told with what is wrong with it: %j', async (sources, message) => {
  const server = start();
  const session = server.session();
  await session.call('SET', 'old', 1);
  const records = sources.map((source) => ({ type: 'function', source }) as const);
  await expect(server.seed(records)).rejects.toThrow(message);
  expect(await session.call('GET', 'old')).toBe('1');
  expect(await session.call('FUNCTION', 'LIST')).toEqual([]);
});
