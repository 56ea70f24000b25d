/** A client without a socket, through the library's public face. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Argument,
  type CinnabarServer,
  createServer,
  type LocalSession,
  type Message,
  ReplyError,
  type ReplyValue,
  type Subscription,
} from '../../../src/index.ts';
import { FORMS, type Form, type Protocol, type Text } from '../../../src/server/session/replies.ts';
import { freePort } from '../../support/ports.ts';

const BYTES = Buffer.from([0xff, 0, 0xfe, 13, 10]);

let server: CinnabarServer;
let session: LocalSession;

beforeEach(() => {
  server = createServer();
  session = server.session();
});

afterEach(() => server.close());

/** The messages that a subscription gives until it ends. */
async function all<T extends Text>(subscription: Subscription<T>): Promise<Message<T>[]> {
  const messages: Message<T>[] = [];
  for await (const message of subscription) messages.push(message);
  return messages;
}

describe('bytes', () => {
  test('go in and out without loss', async () => {
    const exact = server.session({ buffers: true });
    expect(await exact.call('SET', BYTES, BYTES)).toBe('OK');
    expect(await exact.call('GET', BYTES)).toEqual(BYTES);
    expect(await session.callBuffer('GET', BYTES)).toEqual(BYTES);
    expect(await session.callBuffer('MGET', BYTES, 'none')).toEqual([BYTES, null]);
    expect(await session.call('GET', BYTES)).toBe('\ufffd\0\ufffd\r\n');
    expectTypeOf(exact.call('GET', 'k')).resolves.toEqualTypeOf<Buffer | null>();
    expectTypeOf(session.callBuffer('GET', 'k')).resolves.toEqualTypeOf<Buffer | null>();
    expectTypeOf(session.call('GET', 'k')).resolves.toEqualTypeOf<string | null>();
  });

  test('are the caller’s again when the call returns', async () => {
    const waits = session.call('BLPOP', 'list', 0);
    const bytes = Uint8Array.from([1, 2, 3]);
    const set = session.call('SET', 'k', bytes);
    bytes.fill(0);
    await server.session().call('RPUSH', 'list', 'x');
    expect(await waits).toEqual(['list', 'x']);
    await set;
    expect(await session.callBuffer('GET', 'k')).toEqual(Buffer.from([1, 2, 3]));
  });

  test('integers beyond what a number holds come as bigint', async () => {
    await session.call('SET', 'n', 2n ** 62n);
    expect(await session.call('INCR', 'n')).toBe(2n ** 62n + 1n);
    expectTypeOf(session.call('incr', 'n')).resolves.toEqualTypeOf<number | bigint>();
  });
});

describe('RESP3', () => {
  const SCRIPT = `redis.setresp(3)
    return {redis.call('HGETALL', 'h'), redis.call('SMEMBERS', 's'), {double = 1.5}, true, false,
      {big_number = '123456789012345678901'}, {verbatim_string = {format = 'mkd', string = 'text'}}}`;

  test('has maps, sets, doubles, booleans, big numbers and verbatim strings', async () => {
    const third = server.session({ protocol: 3 });
    await session.pipeline([
      ['HSET', 'h', 'a', 1],
      ['SADD', 's', 'x'],
      ['ZADD', 'z', 1.5, 'm'],
    ]);
    const [map, set, ...rest] = (await third.call('EVAL', SCRIPT, 0)) as ReplyValue[];
    expect(map).toEqual(new Map([['a', '1']]));
    expect(set).toEqual(new Set(['x']));
    expect(rest).toEqual([1.5, true, false, 123456789012345678901n, 'text']);
    expect(await third.call('ZSCORE', 'z', 'm')).toBe(1.5);
    expect(await third.callBuffer('SMEMBERS', 's')).toEqual(new Set([Buffer.from('x')]));
    expect(await session.call('HGETALL', 'h')).toEqual(['a', '1']);
    expectTypeOf(third.call('HGETALL', 'h')).resolves.toEqualTypeOf<Map<string, string>>();
    expectTypeOf(third.call('ZSCORE', 'z', 'm')).resolves.toEqualTypeOf<number | null>();
    expectTypeOf(session.call('HGETALL', 'h')).resolves.toEqualTypeOf<string[]>();
  });

  test('can be asked for by HELLO as well', async () => {
    expect(await session.call('HELLO', 3)).toBeInstanceOf(Map);
    expect(await session.call('CONFIG', 'GET', 'port')).toEqual(new Map([['port', '6379']]));
    expect(await session.call('HELLO', 2)).toBeInstanceOf(Array);
  });

  test('pushes what tracking tells, and commands go on', async () => {
    const third = server.session({ protocol: 3 });
    const pushes: ReplyValue[] = [];
    third.onPush = (push) => pushes.push(push);
    await third.call('CLIENT', 'TRACKING', 'ON');
    const [, , value] = await Promise.all([
      third.call('GET', 'k'),
      session.call('SET', 'k', 1),
      third.call('GET', 'k'),
    ]);
    expect(value).toBe('1');
    expect(pushes).toEqual([['invalidate', ['k']]]);
  });
});

describe('the types of replies', () => {
  /** Whether a value has a form, in a session of text or of Buffers. */
  function has(form: Form, value: unknown, buffers: boolean, protocol: Protocol): boolean {
    const isText = (one: unknown): boolean => (buffers ? Buffer.isBuffer(one) : typeof one === 'string');
    const isScore = (one: unknown): boolean => (protocol === 3 ? typeof one === 'number' : isText(one));
    const every = (of: unknown, test: (one: unknown) => boolean): boolean => Array.isArray(of) && of.every(test);
    const orNull = (test: (one: unknown) => boolean) => (one: unknown) => one === null || test(one);
    const isCount = (one: unknown): boolean => typeof one === 'number';
    const isMap = value instanceof Map && [...value].flat().every(isText);
    const forms: Readonly<Record<Form, boolean>> = {
      OK: value === 'OK',
      integer: isCount(value),
      large: isCount(value) || typeof value === 'bigint',
      'integer?': orNull(isCount)(value),
      integers: every(value, isCount),
      text: isText(value),
      'text?': orNull(isText)(value),
      texts: every(value, isText),
      'text?s': every(value, orNull(isText)),
      status: typeof value === 'string',
      set: value === 'OK' || orNull(isText)(value),
      double: isScore(value),
      'double?': orNull(isScore)(value),
      'count or score': isCount(value) || orNull(isScore)(value),
      'double?s': every(value, orNull(isScore)),
      'texts of a set': protocol === 3 ? value instanceof Set && [...value].every(isText) : every(value, isText),
      'map of texts': protocol === 3 ? isMap : every(value, isText),
      scan: Array.isArray(value) && value.length === 2 && isText(value[0]) && every(value[1], isText),
      'one or many': orNull(isText)(value) || every(value, isText),
    };
    return forms[form];
  }

  const FILL: Argument[][] = [
    ['SET', 'n', 10],
    ['SET', 'o', 10],
    ['HSET', 'h', 'f', 1, 'g', 2],
    ['RPUSH', 'l', 'a', 'b', 'c', 'd', 'e'],
    ['SADD', 's', 'a', 'b'],
    ['ZADD', 'z', 1, 'a', 2.5, 'b'],
    ['PFADD', 'p', 'a'],
    ['XADD', 'x', '1-1', 'f', 'v'],
    ['GEOADD', 'g', 1, 1, 'here'],
  ];
  /** Calls that are replied to by something; a command that isn't here is called as it stands in `FORMS`, with the key `n`. */
  const CALLS: Readonly<Record<string, readonly string[]>> = {
    BITOP: ['NOT d n'],
    COPY: ['n d'],
    DBSIZE: [''],
    DECRBY: ['n 1'],
    APPEND: ['n x'],
    EXPIRE: ['n 9'],
    EXPIREAT: ['n 9999999999'],
    FLUSHALL: [''],
    FLUSHDB: [''],
    GEOADD: ['g 1 1 there'],
    GET: ['n', 'none'],
    GETBIT: ['n 1'],
    BITPOS: ['n 1'],
    GETRANGE: ['n 0 1'],
    GETSET: ['n 1', 'none 1'],
    HDEL: ['h f'],
    HEXISTS: ['h f'],
    HGET: ['h f', 'h none'],
    HGETALL: ['h', 'none'],
    HINCRBY: ['h f 9007199254740992'],
    HINCRBYFLOAT: ['h f 1.5'],
    HKEYS: ['h'],
    HLEN: ['h'],
    HMGET: ['h f none'],
    HMSET: ['h f 1'],
    HSCAN: ['h 0'],
    HSET: ['h f 1'],
    HSETNX: ['h f 1'],
    HSTRLEN: ['h f'],
    HVALS: ['h'],
    INCRBY: ['n 9007199254740992'],
    INCRBYFLOAT: ['n 1.5'],
    INFO: ['', 'server'],
    KEYS: ['*'],
    LINDEX: ['l 0', 'l 9'],
    LINSERT: ['l BEFORE a x'],
    LLEN: ['l'],
    LMOVE: ['l d LEFT LEFT', 'none d LEFT LEFT'],
    LPOP: ['l', 'l 2', 'none', 'none 2'],
    LPUSH: ['l x'],
    LPUSHX: ['l x'],
    LRANGE: ['l 0 -1'],
    LREM: ['l 0 x'],
    LSET: ['l 0 x'],
    LTRIM: ['l 0 2'],
    MGET: ['n none'],
    MSET: ['n 1'],
    MSETNX: ['n 1'],
    MULTI: [''],
    PEXPIRE: ['n 9999'],
    PEXPIREAT: ['n 9999999999999'],
    PFADD: ['p b'],
    PFCOUNT: ['p'],
    PFMERGE: ['p p'],
    PSETEX: ['n 9999 1'],
    PUBLISH: ['c m'],
    RANDOMKEY: [''],
    RENAME: ['n d'],
    RENAMENX: ['n d'],
    RPOP: ['l', 'l 2', 'none', 'none 2'],
    RPOPLPUSH: ['l d', 'none d'],
    RPUSH: ['l x'],
    RPUSHX: ['l x'],
    SADD: ['s c'],
    SCAN: ['0'],
    SCARD: ['s'],
    SDIFF: ['s'],
    SDIFFSTORE: ['d s'],
    SELECT: ['1'],
    SET: ['n 1', 'n 1 NX', 'n 1 GET', 'none 1 GET'],
    SETBIT: ['n 1 1'],
    SETEX: ['n 9 1'],
    SETNX: ['n 1'],
    SETRANGE: ['n 0 1'],
    SINTER: ['s'],
    SINTERCARD: ['1 s'],
    SINTERSTORE: ['d s'],
    SISMEMBER: ['s a'],
    SMEMBERS: ['s'],
    SMISMEMBER: ['s a x'],
    SMOVE: ['s d a'],
    SPUBLISH: ['c m'],
    SREM: ['s a'],
    SSCAN: ['s 0'],
    SUNION: ['s'],
    SUNIONSTORE: ['d s'],
    TIME: [''],
    UNWATCH: [''],
    XACK: ['x g 1-1'],
    XADD: ['x * f v', 'none NOMKSTREAM * f v'],
    XDEL: ['x 1-1'],
    XLEN: ['x'],
    XTRIM: ['x MAXLEN 0'],
    ZADD: ['z 1 c', 'z INCR 1 a', 'z XX INCR 1 none'],
    ZCARD: ['z'],
    ZCOUNT: ['z 0 9'],
    ZDIFFSTORE: ['d 1 z'],
    ZINCRBY: ['z 1.5 a'],
    ZINTERCARD: ['1 z'],
    ZINTERSTORE: ['d 1 z'],
    ZLEXCOUNT: ['z - +'],
    ZMSCORE: ['z a none'],
    ZRANGESTORE: ['d z 0 -1'],
    ZRANK: ['z a', 'z none'],
    ZREM: ['z a'],
    ZREMRANGEBYLEX: ['z - +'],
    ZREMRANGEBYRANK: ['z 0 0'],
    ZREMRANGEBYSCORE: ['z 0 9'],
    ZREVRANK: ['z a', 'z none'],
    ZSCAN: ['z 0'],
    ZSCORE: ['z a', 'z none'],
    ZUNIONSTORE: ['d 1 z'],
  };

  test.each([2, 3] as const)('are true in RESP%d', async (protocol) => {
    for (const [name, form] of Object.entries(FORMS))
      for (const words of CALLS[name] ?? ['n'])
        for (const buffers of [false, true]) {
          await session.pipeline([['FLUSHALL'], ...FILL]);
          const client = server.session({ protocol, buffers });
          const value: unknown = await client.call(...[name, ...words.split(' ').filter((word) => word !== '')]);
          expect(has(form, value, buffers, protocol), `${name} ${words}: ${form}, not ${String(value)}`).toBe(true);
          client.close();
        }
  });
});

describe('a pipeline', () => {
  test('gives all replies, errors in their places', async () => {
    const replies = await session.pipeline([
      ['SET', 'k', 'x'],
      ['INCR', 'k'],
      ['STRLEN', 'k'],
    ]);
    expect(replies).toEqual(['OK', expect.any(ReplyError), 1]);
    expect((replies[1] as ReplyError).message).toBe('ERR value is not an integer or out of range');
    expect((replies[1] as ReplyError).code).toBe('ERR');
    expectTypeOf(replies[2]).toEqualTypeOf<number | ReplyError>();
    expect(await session.pipeline([])).toEqual([]);
  });

  test('runs nothing where an argument is none', async () => {
    const wrong = [
      ['SET', 'k', 1],
      ['SET', 'k'],
    ].map((words, i) => (i === 1 ? [...words, undefined] : words));
    await expect(session.pipeline(wrong as Argument[][])).rejects.toThrow(TypeError);
    expect(await session.call('EXISTS', 'k')).toBe(0);
  });

  test('of many thousand calls keeps their order', async () => {
    const calls = Array.from({ length: 20_000 }, (_, i) => session.call('ECHO', i));
    expect((await Promise.all(calls)).every((text, i) => text === String(i))).toBe(true);
  });
});

describe('a transaction', () => {
  test('gives the replies of its commands', async () => {
    const replies = await session.transaction([
      ['SET', 'k', 1],
      ['INCR', 'k'],
      ['LPUSH', 'k', 'x'],
    ]);
    expect(replies).toEqual(['OK', 2, expect.any(ReplyError)]);
    if (replies !== null) expectTypeOf(replies[1]).toEqualTypeOf<number | bigint | ReplyError>();
  });

  test('is discarded where a command can’t be queued, and says why', async () => {
    const done = session.transaction([['SET', 'k', 1], ['NOSUCH'], ['SET', 'k', 2]]);
    await expect(done).rejects.toThrow("ERR unknown command 'NOSUCH'");
    expect(await session.call('EXISTS', 'k')).toBe(0);
    expect(await session.transaction([['SET', 'k', 3]])).toEqual(['OK']);
  });

  test('comes to nothing where a watched key has changed', async () => {
    await session.call('WATCH', 'k');
    await server.session().call('SET', 'k', 'other');
    expect(await session.transaction([['SET', 'k', 'mine']])).toBeNull();
    expect(await session.call('GET', 'k')).toBe('other');
  });

  test('within another one is refused, and adds nothing to it', async () => {
    await session.call('MULTI');
    await expect(session.transaction([['SET', 'k', 1]])).rejects.toThrow('ERR MULTI calls can not be nested');
    await session.call('PING');
    expect(await session.call('EXEC')).toEqual(['PONG']);
  });

  test('that may not begin runs nothing', async () => {
    await session.call('ACL', 'SETUSER', 'poor', 'on', 'nopass', '~*', '+@all', '-multi');
    const poor = server.session();
    await poor.call('AUTH', 'poor', 'x');
    await expect(poor.transaction([['SET', 'k', 1]])).rejects.toThrow('NOPERM');
    expect(await session.call('EXISTS', 'k')).toBe(0);
  });

  test('waits behind a command that waits', async () => {
    const waits = session.call('BLPOP', 'list', 0);
    const done = session.transaction([
      ['SET', 'k', 1],
      ['GET', 'k'],
    ]);
    await server.session().call('RPUSH', 'list', 'x');
    expect(await waits).toEqual(['list', 'x']);
    expect(await done).toEqual(['OK', '1']);
  });
});

describe.each([2, 3] as const)('a subscription in RESP%d', (protocol) => {
  let listener: LocalSession<string, 2 | 3>;

  beforeEach(() => {
    listener = server.session({ protocol });
  });

  const publish = (channel: string, message: Argument): Promise<unknown> => session.call('PUBLISH', channel, message);

  test('gives what is published from then on', async () => {
    const news = await listener.subscribe('news', 'more');
    for (const message of ['a', 'b']) await publish('news', message);
    await publish('other', 'x');
    await publish('more', 'c');
    const got: string[] = [];
    for await (const { channel, message } of news) {
      got.push(`${channel}: ${message}`);
      if (got.length === 3) break;
    }
    expect(got).toEqual(['news: a', 'news: b', 'more: c']);
    expect(await session.call('PUBSUB', 'CHANNELS')).toEqual([]);
    expect(await listener.call('GET', 'k')).toBeNull();
  });

  test('to patterns tells which, and one to shard channels hears those', async () => {
    const [patterns, shard] = [await listener.psubscribe('n*'), await listener.ssubscribe('s')];
    await publish('news', 'a');
    await session.call('SPUBLISH', 's', 'b');
    expect((await patterns.next()).value).toEqual({ pattern: 'n*', channel: 'news', message: 'a' });
    expect((await shard.next()).value).toEqual({ channel: 's', message: 'b' });
  });

  test('waits for the next message', async () => {
    const news = await listener.subscribe('news');
    const both = Promise.all([news.next(), news.next()]);
    await publish('news', 1);
    await publish('news', 2);
    expect((await both).map(({ value }) => value?.message)).toEqual(['1', '2']);
  });

  test('of bytes loses none', async () => {
    const exact = server.session({ protocol, buffers: true });
    const subscription = await exact.subscribe(BYTES);
    await session.call('PUBLISH', BYTES, BYTES);
    expect((await subscription.next()).value).toEqual({ channel: BYTES, message: BYTES });
    expectTypeOf(subscription).toEqualTypeOf<Subscription<Buffer>>();
  });

  test('and another to the same channel end apart', async () => {
    const [one, other] = [await listener.subscribe('a', 'b'), await listener.subscribe('b')];
    await publish('b', 1);
    await one.close();
    await publish('b', 2);
    await publish('a', 3);
    expect([(await other.next()).value?.message, (await other.next()).value?.message]).toEqual(['1', '2']);
    expect(await all(one)).toEqual([]);
    await other.close();
    expect(await session.call('PUBSUB', 'CHANNELS')).toEqual([]);
  });

  test('can follow at once on one that ends', async () => {
    const one = await listener.subscribe('a');
    const closed = one.close();
    const other = await listener.subscribe('a');
    await closed;
    await publish('a', 1);
    expect((await other.next()).value?.message).toBe('1');
  });

  test('hears nothing of what comes while it ends', async () => {
    const pushes: unknown[] = [];
    listener.onPush = (push) => pushes.push(push);
    const one = await listener.subscribe('a');
    void publish('a', 1);
    await one.close();
    expect([pushes, await all(one)]).toEqual([[], []]);
  });

  test('ends with its session, with UNSUBSCRIBE and with RESET', async () => {
    for (const end of [
      () => listener.call('UNSUBSCRIBE'),
      () => listener.call('RESET'),
      () => session.call('CLIENT', 'KILL', 'ID', listener.id),
    ]) {
      const news = await listener.subscribe('news');
      await publish('news', 'last');
      const got = all(news);
      await end();
      expect(await got).toEqual([{ channel: 'news', message: 'last' }]);
    }
  });

  test('keeps no more than 32 MiB unread', async () => {
    const news = await listener.subscribe('news');
    const large = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 40; i++) await publish('news', large);
    await expect(news.next()).rejects.toThrow('More than 33554432 bytes of messages were not read');
    expect(await news.next()).toEqual({ done: true, value: undefined });
    expect(await session.call('PUBSUB', 'NUMSUB', 'news')).toEqual(['news', 0]);
  });

  test('that is refused rejects, and leaves the session in order', async () => {
    await session.call('ACL', 'SETUSER', 'deaf', 'on', 'nopass', '~*', '+@all', 'resetchannels');
    await listener.call('AUTH', 'deaf', 'x');
    await expect(listener.subscribe('news')).rejects.toThrow('NOPERM');
    await expect(listener.subscribe(undefined as unknown as string)).rejects.toThrow(TypeError);
    expect(await listener.call('PING')).toBe('PONG');
  });

  test('takes no reply for a message, and no message for a reply', async () => {
    await session.call('RPUSH', 'l', 'message', 'news', 'no message');
    const pushes: unknown[] = [];
    listener.onPush = (push) => pushes.push(push);
    const range = listener.call('LRANGE', 'l', 0, -1);
    const subscribed = listener.subscribe('news');
    void publish('news', 'one');
    const pong = listener.call('PING');
    void publish('news', 'two');
    expect(await range).toEqual(['message', 'news', 'no message']);
    expect(await pong).toEqual(protocol === 2 ? ['pong', ''] : 'PONG');
    const news = await subscribed;
    expect([(await news.next()).value?.message, (await news.next()).value?.message]).toEqual(['one', 'two']);
    expect(pushes).toEqual([]);
  });

  test('by call() is told by onPush', async () => {
    const pushes: unknown[] = [];
    listener.onPush = (push) => pushes.push(push);
    expect(await listener.call('SUBSCRIBE', 'a', 'b')).toEqual(['subscribe', 'b', 2]);
    await publish('b', 'x');
    await expect.poll(() => pushes).toEqual([['message', 'b', 'x']]);
    expect(await listener.call('UNSUBSCRIBE')).toEqual(['unsubscribe', expect.any(String), 0]);
  });
});

describe('replies that are not given', () => {
  test('resolve with null', async () => {
    expect(await session.call('CLIENT', 'REPLY', 'OFF')).toBeNull();
    expect(await session.call('SET', 'k', 1)).toBeNull();
    expect(await session.call('CLIENT', 'REPLY', 'ON')).toBe('OK');
    expect(
      await Promise.all([session.call('CLIENT', 'REPLY', 'SKIP'), session.call('GET', 'k'), session.call('PING')]),
    ).toEqual([null, null, 'PONG']);
  });

  test('while clients are paused come later', async () => {
    await session.call('CLIENT', 'PAUSE', 100_000, 'WRITE');
    const calls = Promise.all([session.call('SET', 'k', 1), session.call('GET', 'k')]);
    await server.session().call('CLIENT', 'UNPAUSE');
    expect(await calls).toEqual(['OK', '1']);
  });

  test('of a script that is left half way again and again come when it is done', async () => {
    await session.call('CONFIG', 'SET', 'busy-reply-threshold', 1);
    const script = 'local sum = 0 for i = 1, 2e7 do sum = sum + i % 2 end return sum';
    const calls = Promise.all([session.call('EVAL', script, 0), session.call('PING')]);
    expect(await calls).toEqual([10_000_000, 'PONG']);
  });

  test('that wait for the system come when it has answered', async () => {
    await server.listen();
    const calls = Promise.all([session.call('CONFIG', 'SET', 'port', await freePort()), session.call('PING')]);
    expect(await calls).toEqual(['OK', 'PONG']);
  });
});

test('a session is disposed of at the end of its block', async () => {
  let call: Promise<unknown>;
  {
    using short = server.session();
    call = short.call('BLPOP', 'nothing', 0);
    expect(await session.call('CLIENT', 'LIST', 'ID', short.id)).toContain('cmd=blpop');
  }
  await expect(call).rejects.toThrow('The session is closed');
  await using other = server.session();
  expect(await other.call('PING')).toBe('PONG');
});
