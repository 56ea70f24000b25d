import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/base/time.ts';
import { createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

describe('beside the real server', () => {
  test('setting and asking', () =>
    both.same(`
      FLUSHALL
      TTL none
      PTTL none
      EXPIRETIME none
      PEXPIRETIME none
      PERSIST none
      EXPIRE none 100
      SET k v
      TTL k
      PTTL k
      EXPIRETIME k
      PERSIST k
      EXPIRE k 100
      TTL k
      PERSIST k
      TTL k
      EXPIREAT k 33177117420
      TTL none
      EXPIRETIME k
      PEXPIRETIME k
      PEXPIREAT k 33177117420123
      EXPIRETIME k
      PEXPIREAT k 33177117420500
      EXPIRETIME k
      PEXPIRETIME k
      EXPIRE k 0
      EXISTS k
      SET k v
      EXPIRE k -1
      EXISTS k
      SET k v
      PEXPIREAT k 1
      EXISTS k
      SET k v
      EXPIREAT k -5
      EXISTS k
    `));

  test('numbers that are none, and times beyond the end', () =>
    both.same(`
      SET k v
      EXPIRE k x
      EXPIRE k ""
      EXPIRE k 1.5
      EXPIRE k 9223372036854775808
      EXPIRE k 9223372036854775807
      EXPIRE k 9223370399119966
      EXPIRE k 9223372036854776
      EXPIRE k -9223372036854776
      PEXPIRE k 9223372036854775807
      PEXPIRE k 9223372036854770000
      EXPIREAT k 9223372036854776
      EXPIRE none 9223372036854776
      TTL k
      EXPIREAT k 9223372036854775
      TTL none
      PEXPIREAT k 9223372036854770000
      PEXPIRE k -9223372036854775808
      EXISTS k
      EXPIRE k
      TTL
    `));

  test('conditions', () =>
    both.same(`
      FLUSHALL
      SET k v
      EXPIRE k 100 XX
      EXPIRE k 100 GT
      EXPIRE k 100 LT
      TTL k
      EXPIRE k 200 NX
      TTL k
      EXPIRE k 200 xx
      EXPIRE k 100 GT
      EXPIRE k 300 GT
      TTL k
      EXPIRE k 400 LT
      EXPIRE k 100 LT XX
      TTL k
      EXPIRE k 100 NX XX
      EXPIRE k 100 NX GT
      EXPIRE k 100 GT LT
      EXPIRE k 100 NX GT LT
      EXPIRE k 100 FOO
      EXPIRE k x FOO
      EXPIRE k x NX XX
      EXPIRE k 1 NX NX
      EXPIRE none 100 GT
      EXPIRE k -1 GT
      EXPIRE k -1 LT
      EXISTS k
    `));
});

test('what is propagated', async () => {
  await both.ours.send([['SET', 'k', 'v']]);
  const [effect] = await both.propagated('EXPIRE k 100 NX');
  expect(effect.replace(/\d+/, 'T')).toBe('PEXPIREAT k T NX');
  expect(await both.propagated('PEXPIREAT k 33177117420123')).toEqual(['PEXPIREAT k 33177117420123']);
  expect(await both.propagated('PERSIST k')).toEqual(['PERSIST k']);
  expect(await both.propagated('EXPIRE k 100 XX')).toEqual([]);
  expect(await both.propagated('EXPIRE k -1')).toEqual(['DEL k']);
  expect(await both.propagated('EXPIRE k -1')).toEqual([]);
});

describe('with a clock of its own', () => {
  test('a key is gone when its time is up, and not before', async () => {
    const clock = new VirtualClock();
    const server = createServer({ clock, port: 0 });
    const session = server.session();
    await session.call('SET', 'k', 'v', 'PX', 1000);
    server.engine.keyspaces.activeExpire = false;
    clock.advance(1000);
    expect(await session.call('GET', 'k')).toBe('v');
    expect(await session.call('PTTL', 'k')).toBe(0);
    clock.advance(1);
    expect(await session.call('DBSIZE')).toBe(1);
    expect(await session.call('GET', 'k')).toBeNull();
    expect(await session.call('DBSIZE')).toBe(0);
    await server.close();
  });

  test('keys that nobody asks for go all the same', async () => {
    const clock = new VirtualClock();
    const server = createServer({ clock, port: 0 });
    const session = server.session();
    for (let i = 0; i < 3000; i++) await session.call('SET', `short:${i}`, 'v', 'PX', 500 + i);
    for (let i = 0; i < 1000; i++) await session.call('SET', `long:${i}`, 'v', 'EX', 1000);
    clock.advance(400);
    expect(await session.call('DBSIZE')).toBe(4000);
    clock.advance(9000);
    expect(await session.call('DBSIZE')).toBeLessThan(1100);
    expect(server.engine.stats.expired).toBeGreaterThan(2900);
    server.engine.keyspaces.databases[0].verify();
    await server.close();
  });
});
