/** Client-side caching beside the real server: what each connection hears, in its order. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { Beside } from '../support/beside.ts';
import { alignIds, converse } from '../support/conversation.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start({ 'enable-debug-command': 'yes' });
});

afterAll(() => both.stop());

/** Plays a script with both servers, on empty data. */
async function same(script: string): Promise<void> {
  const prologue = '1 FLUSHALL\n1 DEBUG SET-ACTIVE-EXPIRE 0\n';
  await alignIds([both.server.port, both.theirsPort]);
  const [ours, theirs] = await Promise.all(
    [both.server.port, both.theirsPort].map((port) => converse(port, prologue + script)),
  );
  expect(ours).toEqual(theirs);
}

describe('CLIENT TRACKING beside the real server', () => {
  test('options that make no sense', () =>
    same(`
      1 CLIENT TRACKING
      1 CLIENT TRACKING foo
      1 CLIENT TRACKING off foo
      1 CLIENT TRACKING on optin optout
      1 CLIENT TRACKING on bcast optin
      1 CLIENT TRACKING on prefix a
      1 CLIENT TRACKING on redirect
      1 CLIENT TRACKING on redirect 999999
      1 CLIENT TRACKING on redirect x
      1 CLIENT TRACKING on redirect @1 redirect @1
      1 CLIENT TRACKING on bcast prefix FOOBAR prefix FOO
      1 CLIENT TRACKING on bcast prefix FOO prefix BAR
      1 CLIENT TRACKING on bcast prefix FO
      1 CLIENT TRACKING on bcast prefix BARB
      1 CLIENT TRACKING on bcast prefix BAR
      1 CLIENT TRACKING on
      1 CLIENT TRACKING off
      1 CLIENT TRACKING on optin
      1 CLIENT TRACKING on optout
      1 CLIENT CACHING no
      1 CLIENT CACHING maybe
      1 CLIENT TRACKING off
      1 CLIENT CACHING yes
      1 CLIENT TRACKING on optout
      1 CLIENT CACHING yes
    `));

  test('a read that waits is remembered when it begins to wait, and not again when it is served', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on
      1! XREAD BLOCK 0 STREAMS s $
      2 XADD s 4-1 f hello
      2 XADD s 5-1 f hello
      1 PING
    `));

  test('a waiter that is served is told, with NOLOOP, of what another moved to its list', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on BCAST NOLOOP
      2! BLMOVE b c LEFT RIGHT 0
      1! BRPOP c 0
      3 RPUSH b 1 1
      1 PING
    `));

  test('a RENAME invalidates both keys before it tells of either', () =>
    same(`
      2 SET a y
      1 CLIENT TRACKING on REDIRECT @1
      1 GET b
      1 PSUBSCRIBE __key*
      2 CONFIG SET notify-keyspace-events KEA
      2 RENAME a b
      2 CONFIG SET notify-keyspace-events ""
    `));

  test('GETREDIR, TRACKINGINFO and the modes they tell', () =>
    same(`
      1 CLIENT GETREDIR
      1 CLIENT TRACKINGINFO
      1 HELLO 3
      1 CLIENT TRACKINGINFO
      1 CLIENT TRACKING on noloop redirect @2
      1 CLIENT GETREDIR
      1 CLIENT TRACKINGINFO
      1 CLIENT TRACKING off
      1 CLIENT TRACKING on bcast prefix b prefix a
      1 CLIENT TRACKINGINFO
      1 CLIENT TRACKING on bcast
      1 CLIENT TRACKINGINFO
      1 CLIENT TRACKING off
      1 CLIENT TRACKING on optin
      1 CLIENT CACHING yes
      1 CLIENT TRACKINGINFO
      1 PING
      1 CLIENT TRACKINGINFO
      1 RESET
      1 CLIENT TRACKINGINFO
      2 PING
    `));

  test('an invalidation comes once for each key read, behind the reply of the own command', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on
      2 MSET a 1 b 2 c 3
      1 MGET a b
      2 SET a 2
      2 SET a 3
      1 GET a
      1 SET a 4
      1 GET c
      1 MULTI
      1 INCR c
      1 GET b
      1 EXEC
      1 GET a
      1 GET missing
      2 SET missing x
      2 DEL a
    `));

  test('what counts as reading, and what as a change', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on
      2 RPUSH l 1 2 3
      2 SADD s 1 2 3
      2 ZADD z 1 a 2 b
      2 HSET h f v g w
      2 SET x 1
      2 SET y 2
      1 LRANGE l 0 -1
      2 LPOP l
      1 LINDEX l 0
      2 LMOVE l l2 LEFT LEFT
      1 SMEMBERS s
      2 SREM s 1
      1 SINTER s s2
      2 SADD s2 9
      1 ZRANGE z 0 -1
      2 ZADD z 5 c
      1 ZUNION 2 z z2
      2 ZADD z2 5 c
      2 ZADD z 9 a
      1 HGETALL h
      2 HDEL h f
      1 HGET h g
      2 HINCRBY h n 1
      1 SORT_RO l
      2 DEL l
      1 EXISTS x y
      2 RENAME x y
      1 TYPE y
      2 EXPIRE y 100
      1 TTL y
      2 PERSIST y
      1 STRLEN y
      2 SETRANGE y 3 abc
      1 GETRANGE y 0 -1
      2 GETDEL y
      1 OBJECT ENCODING s
      2 SREM s 1 2 3
      1 SET w 1
      2 SET w 2
      1 GET w
      2 COPY z w REPLACE
      1 ZCARD w
      2 MOVE w 3
    `));

  test('redirection to a subscriber of RESP2, and to a client of RESP3', () =>
    same(`
      2 SUBSCRIBE __redis__:invalidate
      3 HELLO 3
      1 CLIENT TRACKING on redirect @2
      4 HELLO 3
      4 CLIENT TRACKING on redirect @3
      1 GET a
      4 GET a
      5 SET a 1
      1 MGET a b
      4 GET b
      5 FLUSHDB
      1 CLIENT TRACKING off
      1 GET a
      5 SET a 1
    `));

  test('a redirection that ends at nobody', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on redirect @2
      1 GET a
      2 QUIT
      wait 20
      3 SET a 1
      1 CLIENT TRACKINGINFO
      1 CLIENT TRACKING on
      1 CLIENT TRACKINGINFO
      1 GET a
      3 SET a 2
    `));

  test('RESP2 without a redirection hears nothing', () =>
    same(`
      1 CLIENT TRACKING on
      1 GET a
      2 SET a 1
      1 PING
    `));

  test('broadcasts by prefix, with and without the own changes', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on bcast prefix a: prefix b:
      2 HELLO 3
      2 CLIENT TRACKING on bcast noloop
      3 MSET a:1 1 b:1 1 c:1 1 a:2 2
      2 MSET a:1 1 d 1
      1 MULTI
      1 INCR a:1
      1 INCR b:1
      1 INCR c:1
      1 EXEC
      1 CLIENT TRACKING on bcast prefix c:
      3 SET c:9 1
      1 CLIENT TRACKING off
      3 SET c:9 1
    `));

  test('OPTIN, OPTOUT and what CLIENT CACHING changes', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on optin
      1 GET a
      2 SET a 1
      1 CLIENT CACHING yes
      1 GET a
      1 GET b
      2 MSET a 1 b 1
      1 CLIENT CACHING yes
      1 CLIENT ID
      1 GET a
      2 SET a 1
      1 CLIENT CACHING yes
      1 MULTI
      1 GET a
      1 GET b
      1 EXEC
      2 MSET a 1 b 1
      1 CLIENT CACHING yes
      1 NOSUCH
      1 GET a
      2 SET a 1
      1 CLIENT TRACKING off
      1 CLIENT TRACKING on optout
      1 GET a
      1 CLIENT CACHING no
      1 GET b
      2 MSET a 1 b 1
    `));

  test('keys that expire, and flushes', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on
      2 SET a 1 PX 20
      2 SET b 1 PX 20
      1 MGET a b
      wait 40
      1 GET a
      2 GET b
      1 GET c
      2 FLUSHALL
      1 GET c
      1 MULTI
      1 FLUSHDB
      1 GET c
      1 EXEC
      2 SET c 1
    `));

  test('NOLOOP spares the client its own changes', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on noloop
      1 MGET a b
      1 SET a 1
      2 SET a 2
      2 SET b 2
    `));

  test('invalidations pass CLIENT REPLY OFF', () =>
    same(`
      1 HELLO 3
      1 CLIENT TRACKING on
      1 GET a
      1! CLIENT REPLY OFF
      2 SET a 1
      1! GET b
      2 SET b 1
      1 CLIENT REPLY ON
      1 PING
    `));
});

describe('the table', () => {
  const info = async (): Promise<Record<string, number>> => {
    const text = String((await both.ours.send([['INFO', 'everything']]))[0]);
    return Object.fromEntries([...text.matchAll(/^(tracking_\w+):(\d+)/gm)].map(([, name, value]) => [name, +value]));
  };

  test('holds no more keys than tracking-table-max-keys, and says which it forgets', async () => {
    const { tracking } = both.server.engine;
    await both.ours.send([['FLUSHALL'], ['CONFIG', 'SET', 'tracking-table-max-keys', '10']]);
    const reads = Array.from({ length: 50 }, (_, i) => `1 GET key:${i}`).join('\n');
    const [heard] = await converse(both.server.port, `1 HELLO 3\n1 CLIENT TRACKING on\n${reads}\n1 PING`);
    const pushes = heard.filter((value) => typeof value === 'object' && value !== null && value.kind === 'push');
    expect(pushes.length).toBe(50 - 10);
    expect(tracking.keys).toBe(10);
    await both.ours.send([['FLUSHALL'], ['CONFIG', 'SET', 'tracking-table-max-keys', '1000000']]);
    expect(tracking.keys).toBe(0);
  });

  // Redis tells of some overlaps and replies OK to the same command as well.
  test('prefixes that overlap, with each other and with those there are, from seed 5', async () => {
    const random = new SeededRandom(5);
    const word = () => Array.from({ length: 1 + random.below(5) }, () => 'ab'[random.below(2)]).join('');
    const meet = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
    const reason = (existing: readonly string[], given: readonly string[]): string | undefined => {
      for (const [i, prefix] of given.entries()) {
        const old = existing.find((other) => meet(prefix, other));
        if (old !== undefined) return `Prefix '${prefix}' overlaps with an existing prefix '${old}'.`;
        const other = given.slice(i + 1).find((next) => meet(prefix, next));
        if (other !== undefined) return `Prefix '${prefix}' overlaps with another provided prefix '${other}'.`;
      }
      return undefined;
    };
    for (let i = 0; i < 300; i++) {
      const [before, given] = [[word()], Array.from({ length: 1 + random.below(4) }, word)];
      if (random.below(2) > 0) before.push(`${before[0][0] === 'a' ? 'b' : 'a'}${word()}`);
      const [, , answer] = await both.ours.send([
        ['CLIENT', 'TRACKING', 'off'],
        ['CLIENT', 'TRACKING', 'on', 'bcast', ...before.flatMap((prefix) => ['PREFIX', prefix])],
        ['CLIENT', 'TRACKING', 'on', 'bcast', ...given.flatMap((prefix) => ['PREFIX', prefix])],
      ]);
      const expected = reason(before.sort(), given);
      if (expected === undefined) expect(answer).toBe('OK');
      else expect(String(answer)).toContain(expected);
    }
    await both.ours.send([['CLIENT', 'TRACKING', 'off']]);
  });

  test('100,000 prefixes at once are no square', async () => {
    const prefixes = Array.from({ length: 100_000 }, (_, i) => ['PREFIX', `${i}:`]).flat();
    const [done] = await both.ours.send([['CLIENT', 'TRACKING', 'on', 'bcast', ...prefixes]]);
    expect(done).toBe('OK');
    expect(await info()).toMatchObject({ tracking_total_prefixes: 100_000 });
    await both.ours.send([['CLIENT', 'TRACKING', 'off']]);
  });

  test('is told of in INFO, and its clients in CLIENT LIST', async () => {
    await both.ours.send([['FLUSHALL'], ['CLIENT', 'TRACKING', 'on'], ['MGET', 'a', 'b']]);
    expect(await info()).toEqual({
      tracking_clients: 1,
      tracking_total_keys: 2,
      tracking_total_items: 2,
      tracking_total_prefixes: 0,
    });
    expect(String((await both.ours.send([['CLIENT', 'INFO']]))[0])).toMatch(/ flags=t .* redir=0 /);
    await both.ours.send([
      ['CLIENT', 'TRACKING', 'off'],
      ['CLIENT', 'TRACKING', 'on', 'bcast', 'prefix', 'p:'],
    ]);
    expect(await info()).toMatchObject({ tracking_clients: 1, tracking_total_prefixes: 1 });
    expect(String((await both.ours.send([['CLIENT', 'INFO']]))[0])).toMatch(/ flags=tB /);
    await both.ours.send([['CLIENT', 'TRACKING', 'off']]);
    expect(await info()).toMatchObject({ tracking_clients: 0, tracking_total_prefixes: 0 });
    expect(String((await both.ours.send([['CLIENT', 'INFO']]))[0])).toMatch(/ flags=N .* redir=-1 /);
  });
});
