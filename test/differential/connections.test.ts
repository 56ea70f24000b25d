/** A slice of several connections at once; `npm run test:differential -- --connections --steps 1000000` plays more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { type ServerProcess, startCinnabar, startRedis } from '../support/server-process.ts';
import { compareConnections } from './connections/compare.ts';
import { Pair, read } from './connections/game.ts';
import { OWN_EVENTS } from './connections/own-events.ts';

const STEPS = LONG ? 4000 : 1000;

test(`${STEPS} steps of several connections from seed 1 bring each the same bytes`, async () => {
  const { differences } = await compareConnections({ steps: STEPS, seed: 1, pairs: 1, failures: 3 });
  expect(differences).toEqual([]);
});

describe('sequences that differed once', () => {
  const servers: ServerProcess[] = [];
  let pair: Pair;

  beforeAll(async () => {
    const debug = ['--enable-debug-command', 'yes'];
    servers.push(...(await Promise.all([startCinnabar(...debug), startRedis(...debug)])));
    pair = new Pair(servers[0].port, servers[1].port);
    await pair.prepare();
  });

  afterAll(async () => {
    pair.end();
    for (const server of servers) await server.stop();
  });

  async function same(script: string, events = ''): Promise<void> {
    const game = pair.gameOf({ connections: 4, events, steps: read(script) });
    expect(await game.play(game.steps)).toBeUndefined();
  }

  test.each(OWN_EVENTS)('events that reach who causes them: %s', (commands) =>
    same(`0: HELLO 3\n0: PSUBSCRIBE __key*\n${commands.replace(/^|\|/g, '\n0: ')}`, 'KEA'),
  );

  test('keys leave the table of tracking also while nobody tracks', () =>
    same(`
      1: HELLO 3
      1: CLIENT TRACKING ON
      1: GET b
      1: CLIENT TRACKING OFF
      0: SET b 1
      1: CLIENT TRACKING ON
      0: SET b 2
    `));

  test('who makes the change hears of it before the reply where another redirects to it', () =>
    same(`
      1: HELLO 3
      0: CLIENT TRACKING ON REDIRECT @1
      0: GET a
      1: SET a 1
      0: GET a
      1: MULTI
      1: SET b 1
      1: SET a 2
      1: SET b 2
      1: EXEC
    `));

  test("a dropped database is told of in the tracker's protocol to a receiver of RESP3", () =>
    same(`
      1: HELLO 3
      0: CLIENT TRACKING ON REDIRECT @1
      0: GET a
      2: FLUSHALL
      0: HELLO 3
      0: GET a
      2: FLUSHALL
    `));

  test('a session that monitors is refused the keyspace, and MONITOR again is answered by nothing', () =>
    same(`
      0: MONITOR
      0: MONITOR
      0: GET a
      0: PING
      0: PUBLISH ch x
      0: MULTI
      0: GET a
      0: EXEC
      0: RESET
      0: GET a
    `));

  test('an EXEC that is refused is shown to who monitors, and a pause of writes holds nobody who does', () =>
    same(`
      0: MONITOR
      1: MULTI
      1: NOSUCH
      1: EXEC
      1: EXEC 1
      1: MULTI
      1: EXEC 1
      2: CLIENT PAUSE 100000 WRITE
      0: PUBLISH ch x
      0: ECHO x
      1: CLIENT LIST ID @0
      2: CLIENT UNPAUSE
    `));

  test('XREAD looks each key up twice', () =>
    same(
      `
      0: PSUBSCRIBE __key*
      1: XREAD STREAMS a b $ $
      1: XREAD BLOCK 0 STREAMS a b $ $
    `,
      'KEAm',
    ));

  test('CLIENT REPLY SKIP skips an empty request, and what follows a transaction that turned replies on again', () =>
    same(`
      0: CLIENT REPLY SKIP
      0:+ (raw) *0\\r\\n
      0:+ PING
      0: CLIENT REPLY SKIP
      0:+ (raw) \\r\\n
      0:+ PING
      1: MULTI
      1: CLIENT REPLY SKIP
      1: CLIENT REPLY ON
      1: EXEC
      1: PING
      1: PING
      2: CLIENT REPLY SKIP
      2: RESET
      2: PING
    `));

  test('CLIENT LIST: the last command that was asked for, the length of the queue, who has not gone on yet', () =>
    same(`
      0: NOSUCH
      3: CLIENT LIST ID @0
      0: GET
      3: CLIENT LIST ID @0
      0: MULTI
      0: GET a
      3: CLIENT LIST ID @0
      0: NOSUCH
      0: GET a
      3: CLIENT LIST ID @0
      0: DISCARD
      1: BLPOP l 0
      2: BLPOP m 0
      3: RPUSH l x
      3:+ CLIENT LIST ID @1 @2
      3: CLIENT LIST ID @1 @2
      3: CLIENT PAUSE 100000 WRITE
      0: SET a 1
      1: SET b 1
      3: CLIENT LIST ID @0 @1
      3: CLIENT UNPAUSE
      3:+ CLIENT LIST ID @0 @1
    `));

  test('OBJECT REFCOUNT counts the transaction that has stored the value', () =>
    same(`
      0: MULTI
      0: SET a x
      0: OBJECT REFCOUNT a
      0: SET a 7
      0: OBJECT REFCOUNT a
      0: SET a 123456
      0: OBJECT REFCOUNT a
      0: APPEND a x
      0: OBJECT REFCOUNT a
      0: MSET b hello
      0: OBJECT REFCOUNT b
      0: EXEC
      0: OBJECT REFCOUNT b
    `));

  test('held clients go on one after the other, each with all that it has sent', () =>
    same(`
      2: CLIENT PAUSE 100000 WRITE
      1: LPUSH c 1
      1:+ DEL b a
      2: SET b x
      2:+ GET b
      0: CLIENT UNPAUSE
      0: GET b
    `));

  test('NOLOOP of broadcasts does not cover what a script of the same client changes', () =>
    same(`
      1: HELLO 3
      1: CLIENT TRACKING ON BCAST NOLOOP
      1: EVAL return(redis.call('set',KEYS[1],1)) 1 a
      1: CLIENT TRACKING OFF
      1: CLIENT TRACKING ON NOLOOP
      1: GET a
      1: EVAL return(redis.call('set',KEYS[1],2)) 1 a
    `));

  test('broadcasts come after what clients that go on have still to say', () =>
    same(`
      2: CLIENT PAUSE 100000 WRITE
      1: CLIENT TRACKING ON BCAST NOLOOP
      1:+ UNLINK b
      1: HELLO 3
      0: CLIENT UNPAUSE
      0:+ SET s 1
    `));

  test('classes of events that are shown alike are told apart', async () => {
    const script = '0: PSUBSCRIBE __key*\n1: SET a 1';
    await same(script, 'AKEn');
    await same(script, 'KEA');
  });
});
