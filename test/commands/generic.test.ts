import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import type { Answer } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

/** Sets of keys come in no order, and a cursor has its own ways. */
function unordered(_: readonly string[], answer: Answer): Answer {
  return Array.isArray(answer) ? [...answer].sort() : answer;
}

describe('beside the real server', () => {
  test('DEL, UNLINK, EXISTS, TOUCH, TYPE', () =>
    both.same(`
      FLUSHALL
      SET a 1
      RPUSH l a b
      SADD s a b
      HSET h a b
      ZADD z 1 a
      TYPE a
      TYPE l
      TYPE s
      TYPE h
      TYPE z
      TYPE none
      EXISTS a a none l
      TOUCH a a none l
      DEL a none l a
      UNLINK s none h z
      DBSIZE
      DEL
      EXISTS
      TYPE a b
      TOUCH
      UNLINK
    `));

  test('KEYS', () =>
    both.same(
      `
      FLUSHALL
      KEYS *
      MSET foo 1 bar 2 foobar 3 "" 4 [x] 5 *star 6 a\\b 7
      KEYS *
      KEYS foo*
      KEYS ???
      KEYS "[fb]*"
      KEYS "[^f]*"
      KEYS \\*star
      KEYS *a*
      KEYS ""
      KEYS "[x"
      PEXPIREAT foo 1
      KEYS *
      KEYS a b
    `,
      unordered,
    ));

  test('SCAN: cursors and options', () =>
    both.same(`
      FLUSHALL
      SET k v
      SCAN 0
      SCAN ""
      SCAN +0
      SCAN -0
      SCAN -
      SCAN " 0"
      SCAN 0x0
      SCAN 18446744073709551616
      SCAN 18446744073709551612
      SCAN 0 COUNT
      SCAN 0 COUNT 0
      SCAN 0 COUNT -1
      SCAN 0 COUNT x
      SCAN 0 COUNT 100 MATCH k* TYPE string
      SCAN 0 MATCH x*
      SCAN 0 TYPE LIST
      SCAN 0 TYPE STRING
      SCAN 0 TYPE nosuch
      SCAN 0 FOO bar
      SCAN 0 MATCH * MATCH
      SCAN
    `));

  test('SCAN finds every key, whatever is added meanwhile', async () => {
    await both.same('FLUSHALL');
    const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
    await both.ours.send(keys.map((key) => ['SET', key, 'v']));
    const seen = new Set<string>();
    let cursor = '0';
    for (let round = 0; round === 0 || cursor !== '0'; round++) {
      const [answer] = await both.ours.send([['SCAN', cursor, 'COUNT', '7']]);
      const [next, some] = answer as [string, string[]];
      for (const key of some) seen.add(key);
      cursor = next;
      await both.ours.send(Array.from({ length: 20 }, (_, i) => ['SET', `more:${round}:${i}`, 'v']));
      expect(round).toBeLessThan(5000);
    }
    expect(keys.filter((key) => !seen.has(key))).toEqual([]);
  });

  test('RANDOMKEY', async () => {
    await both.same('FLUSHALL\nRANDOMKEY\nSET only 1\nRANDOMKEY\nRANDOMKEY x');
    await both.ours.send([['MSET', 'a', '1', 'b', '2', 'c', '3']]);
    const answers = await both.ours.send(Array.from({ length: 200 }, () => ['RANDOMKEY']));
    expect(new Set(answers).size).toBe(4);
  });

  test('RENAME and RENAMENX', () =>
    both.same(`
      FLUSHALL
      RENAME none x
      RENAME none none
      RENAMENX none none
      SET a 1 EX 1000
      RENAME a a
      RENAMENX a a
      RENAME a b
      TTL b
      GET b
      EXISTS a
      RPUSH l 1 2 3
      RENAMENX b l
      RENAME b l
      GET l
      TTL l
      RPUSH l 1
      RPUSH m 1 2
      RENAME m l
      LRANGE l 0 -1
      TTL l
      SET raw xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      RENAMENX raw raw2
      GET raw2
      OBJECT ENCODING raw2
      RENAME a
      RENAMENX a
      SADD s 1 2 3
      RENAME s t
      SMEMBERS t
      DBSIZE
    `));

  test('MOVE', () =>
    both.same(`
      FLUSHALL
      SET a 1 EX 1000
      MOVE a 0
      MOVE a 99
      MOVE a -1
      MOVE a x
      MOVE a 99999999999
      MOVE none 1
      MOVE a 1
      EXISTS a
      SELECT 1
      TTL a
      GET a
      RPUSH l 1
      SELECT 0
      RPUSH l 2
      MOVE l 1
      SELECT 1
      LRANGE l 0 -1
      MOVE l 2
      SELECT 2
      LRANGE l 0 -1
      SELECT 0
    `));

  test('COPY of every type and encoding', () =>
    both.same([
      ['FLUSHALL'],
      ['SET', 'int', '17'],
      ['SET', 'emb', 'hello', 'EX', '1000'],
      ['SET', 'raw', 'x'.repeat(1000)],
      ['RPUSH', 'list', 'a', '1', 'b'.repeat(5000), '2', 'c'.repeat(9000)],
      ['SADD', 'intset', '1', '2', '300000'],
      ['SADD', 'set', 'a', 'b', '1'],
      ['HSET', 'pack', 'a', '1', 'b', '2'],
      ['HSET', 'hash', 'a', 'x'.repeat(100), 'b', 'y'.repeat(1000), 'c', '3'],
      ['ZADD', 'zpack', '1', 'a', '2', 'b'],
      ['ZADD', 'zset', '1', 'a', '2', 'b'.repeat(100), '-inf', 'c'],
      ...['int', 'emb', 'raw', 'list', 'intset', 'set', 'pack', 'hash', 'zpack', 'zset'].flatMap((key) => [
        ['COPY', key, `${key}2`],
        ['COPY', key, `${key}2`],
        ['COPY', key, `${key}2`, 'REPLACE'],
        ['OBJECT', 'ENCODING', `${key}2`],
        ['TTL', `${key}2`],
        ['TYPE', `${key}2`],
        ['DEL', key],
      ]),
      ['GET', 'int2'],
      ['GET', 'emb2'],
      ['GET', 'raw2'],
      ['LRANGE', 'list2', '0', '-1'],
      ['SMISMEMBER', 'intset2', '1', '2', '300000', '4'],
      ['SMISMEMBER', 'set2', 'a', 'b', '1', 'c'],
      ['HMGET', 'pack2', 'a', 'b'],
      ['HMGET', 'hash2', 'a', 'b', 'c', 'd'],
      ['ZRANGE', 'zpack2', '0', '-1', 'WITHSCORES'],
      ['ZRANGE', 'zset2', '0', '-1', 'WITHSCORES'],
      ['DBSIZE'],
    ]));

  test('COPY: options and errors', () =>
    both.same(`
      FLUSHALL
      SET a 1
      COPY a a
      COPY a a DB 0
      COPY a a REPLACE
      COPY a a DB 1
      COPY a b DB
      COPY a b DB 16
      COPY a b DB x
      COPY a b FOO
      COPY a b REPLACE DB 2 replace db 3
      COPY none a
      COPY none none
      COPY a
      SELECT 3
      GET b
      SELECT 0
      EXISTS b
    `));

  test('OBJECT', () =>
    both.same(`
      FLUSHALL
      SET int 5
      SET big 10000
      SET emb abc
      OBJECT ENCODING int
      OBJECT ENCODING emb
      OBJECT ENCODING none
      OBJECT REFCOUNT int
      OBJECT REFCOUNT big
      OBJECT REFCOUNT emb
      OBJECT REFCOUNT none
      OBJECT IDLETIME emb
      OBJECT IDLETIME none
      OBJECT FREQ int
      OBJECT FREQ none
      OBJECT
      OBJECT FOO
      OBJECT ENCODING
      OBJECT ENCODING a b
    `));

  test('OBJECT REFCOUNT of what the transaction itself stores', () =>
    both.same(`
      FLUSHALL
      MULTI
      SET a x
      OBJECT REFCOUNT a
      APPEND a y
      OBJECT REFCOUNT a
      APPEND b y
      OBJECT REFCOUNT b
      EXEC
    `));
});

test('a lazily removed value is given back in the background', async () => {
  const { memory, keyspaces } = both.server.engine;
  const released = async (): Promise<void> => {
    for (let tries = 0; !keyspaces.reclaimer.idle && tries < 200; tries++)
      await new Promise((done) => setTimeout(done, 10));
  };
  await both.ours.send([['FLUSHALL']]);
  await released();
  const before = memory.used;
  const fields = Array.from({ length: 20_000 }, (_, i) => [`field:${i}`, `value:${i}`]).flat();
  await both.ours.send([
    ['HSET', 'h', ...fields],
    ['UNLINK', 'h'],
  ]);
  await released();
  await both.ours.send([['FLUSHALL']]);
  await released();
  expect(memory.used).toBe(before);
});
