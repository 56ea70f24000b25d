import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import { Effects } from '../support/effects.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

describe('beside the real server', () => {
  test('MULTI, EXEC, DISCARD', () =>
    both.same(`
      FLUSHALL
      EXEC
      DISCARD
      UNWATCH
      MULTI
      EXEC
      MULTI
      SET a 1
      INCR a
      LPUSH a x
      GET a
      EXEC
      MULTI
      MULTI
      WATCH a
      SET a 2
      DISCARD
      GET a
      MULTI
      SET a
      SET a 3
      EXEC
      GET a
      MULTI
      NOSUCH
      EXEC
      EXEC foo
      MULTI
      SET a 4
      EXEC foo
      EXEC
      GET a
      MULTI x
      DISCARD x
      WATCH
      UNWATCH x
    `));

  test('commands that would wait do not', () =>
    both.same(`
      FLUSHALL
      MULTI
      BLPOP none 0
      BLMOVE none other LEFT LEFT 0
      BZPOPMIN none 0
      BLMPOP 0 1 none LEFT
      RPUSH l 1 2 3
      BLPOP none l 0
      EXEC
    `));

  test('SELECT inside goes on behind', () =>
    both.same(`
      SELECT 3
      FLUSHDB
      SELECT 0
      MULTI
      SELECT 3
      SET a 1
      EXEC
      GET a
      SELECT 0
    `));

  test('WATCH and changes of its own session', () =>
    both.same(`
      FLUSHALL
      SET a 1
      WATCH a
      SET a 2
      MULTI
      GET a
      EXEC
      MULTI
      GET a
      EXEC
      WATCH a
      SET a 3
      UNWATCH
      MULTI
      EXEC
      WATCH a b
      SET a 3
      MULTI
      DISCARD
      MULTI
      EXEC
      WATCH none
      DEL none
      MULTI
      EXEC
      WATCH none
      FLUSHALL
      MULTI
      EXEC
      SET a 1
      WATCH a
      FLUSHALL
      MULTI
      EXEC
      SELECT 1
      SET a 5
      SELECT 0
      WATCH a
      SWAPDB 0 1
      MULTI
      EXEC
      WATCH a
      EXPIRE a 100
      MULTI
      EXEC
      WATCH a
      TTL none
      EXISTS a
      MULTI
      EXEC
    `));
});

test('a key that was past its time when it was watched may go', async () => {
  const session = both.server.session();
  both.server.engine.keyspaces.activeExpire = false;
  await session.call('SET', 'gone', 'v', 'PX', 1);
  await new Promise((done) => setTimeout(done, 10));
  await session.call('WATCH', 'gone');
  expect(await session.call('GET', 'gone')).toBeNull();
  await session.call('MULTI');
  expect(await session.call('EXEC')).toEqual([]);
  await session.call('SET', 'going', 'v', 'PX', 500);
  await session.call('WATCH', 'going');
  await new Promise((done) => setTimeout(done, 510));
  await session.call('MULTI');
  expect(await session.call('EXEC')).toBeNull();
  // The effects of the next test are not to have it among them.
  await session.call('DEL', 'going');
  both.server.engine.keyspaces.activeExpire = true;
  session.close();
});

test('effects of a transaction are handed over together', async () => {
  const sink = new Effects({ brackets: true });
  const { propagation } = both.server.engine;
  propagation.attach(sink);
  await both.ours.send([['MULTI'], ['SET', 'a', '1'], ['GET', 'a'], ['INCR', 'a'], ['EXEC']]);
  await both.ours.send([['MULTI'], ['SET', 'a', '1'], ['EXEC']]);
  propagation.detach(sink);
  expect(sink.seen).toEqual(['(', 'SET a 1', 'INCR a', ')', 'SET a 1']);
});
