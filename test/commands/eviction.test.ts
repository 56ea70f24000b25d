/** maxmemory as clients see it: what is refused, what goes, and who hears of it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/base/time.ts';
import { NO_REPLICATION } from '../../src/engine/replication-port.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';
import { alignIds, converse } from '../support/conversation.ts';
import { Effects } from '../support/effects.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

describe('beside the real server', () => {
  let both: Beside;

  beforeAll(async () => {
    both = await Beside.start();
  });

  afterAll(() => both.stop());

  afterEach(() => both.same('CONFIG SET maxmemory 0 maxmemory-policy noeviction'));

  test('what is refused when nothing may go', () =>
    both.same(`
      FLUSHALL
      SET k v
      SADD s a b
      CONFIG SET maxmemory 1
      SET k w
      GET k
      DEL none
      SADD s c
      SREM s a
      EXPIRE k 100
      PUBLISH c m
      LPOP none
      MULTI
      GET k
      DISCARD
      MULTI
      PING
      EXEC
      EVAL "return redis.call('get', 'k')" 0
      EVAL "return redis.pcall('set', 'k', 'x')" 0
      EVAL "#!lua flags=allow-oom\\nreturn redis.call('set', 'k', 'x')" 0
      CONFIG SET maxmemory 0
      SET k w
    `));

  test('a transaction whose commands were queued before', () =>
    both.same(`
      FLUSHALL
      MULTI
      SET k v
      CONFIG SET maxmemory 1
      SET k w
      EXEC
      MULTI
      CONFIG SET maxmemory 0
      GET k
      EXEC
      CONFIG SET maxmemory 0
      GET k
    `));

  test('references to small integers, as policies that look at the use of each key leave them', () =>
    both.same(`
      FLUSHALL
      SET a 1
      CONFIG SET maxmemory 1073741824 maxmemory-policy allkeys-random
      SET a 1
      OBJECT REFCOUNT a
      CONFIG SET maxmemory-policy allkeys-lru
      SET a 1
      OBJECT REFCOUNT a
      CONFIG SET maxmemory-policy volatile-lfu
      SET a 1
      OBJECT REFCOUNT a
      CONFIG SET maxmemory 0
      SET a 1
      OBJECT REFCOUNT a
    `));

  test('events, watches and the caches of clients hear of what goes', async () => {
    const ports: [number, number] = [both.server.port, both.theirsPort];
    await alignIds(ports);
    const [ours, theirs] = await Promise.all(
      ports.map((port) =>
        converse(
          port,
          `1 FLUSHALL
           1 CONFIG SET maxmemory-policy volatile-random notify-keyspace-events Ee
           1 SELECT 2
           1 SETEX goes 1000 x
           1 SET stays x
           2 HELLO 3
           2 SELECT 2
           2 CLIENT TRACKING on
           2 GET goes
           2 GET stays
           3 PSUBSCRIBE *
           4 SELECT 2
           4 WATCH goes
           4 MULTI
           4 PING
           1 CONFIG SET maxmemory 1
           wait 20
           2 EXISTS goes
           2 EXISTS stays
           4 EXEC
           1 CONFIG SET maxmemory 0 notify-keyspace-events ''`,
        ),
      ),
    );
    expect(ours).toEqual(theirs);
    expect(JSON.stringify(ours)).toContain('evicted');
  });
});

describe('a server of ours', () => {
  let clock: VirtualClock;
  let server: CinnabarServer;
  let client: Pipeline;
  let effects: Effects;
  const opened: Pipeline[] = [];

  beforeEach(async () => {
    clock = new VirtualClock();
    server = createServer({ port: await freePort(), settings: { save: '' }, clock });
    await server.listen();
    client = open();
    effects = new Effects({ brackets: true });
    server.engine.propagation.attach(effects);
  });

  afterEach(async () => {
    for (const each of opened.splice(0)) each.close();
    await server.close();
  });

  function open(): Pipeline {
    const pipeline = new Pipeline(server.port);
    opened.push(pipeline);
    return pipeline;
  }

  const set = (settings: string) => client.call('CONFIG', 'SET', ...settings.split(' '));

  async function info(field: string): Promise<number> {
    const text = String(await client.call('INFO', 'everything'));
    return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)?.[1]);
  }

  async function fill(count: number, ...options: string[]): Promise<void> {
    await client.send(Array.from({ length: count }, (_, i) => ['SET', `k${i}`, 'v'.repeat(100), ...options]));
  }

  test('a limit below what is used takes effect by itself, effect by effect', async () => {
    await client.send([
      ['SET', 'a', '1'],
      ['SET', 'b', '2'],
      ['SET', 'c', '3'],
      ['CONFIG', 'RESETSTAT'],
    ]);
    await set('maxmemory-policy allkeys-lru maxmemory 1');
    clock.advance(10);
    expect(await client.call('DBSIZE')).toBe(0);
    expect(effects.seen.slice(3).sort()).toEqual(['DEL a', 'DEL b', 'DEL c']);
    expect(await info('evicted_keys')).toBe(3);
    clock.advance(5000);
    expect(await info('current_eviction_exceeded_time')).toBeGreaterThanOrEqual(5000);
    await set('maxmemory 0');
    clock.advance(1000);
    expect(await info('current_eviction_exceeded_time')).toBe(0);
    expect(await info('total_eviction_exceeded_time')).toBeGreaterThanOrEqual(5000);
  });

  test('in a transaction keys go before it or after, not within', async () => {
    await set('maxmemory-policy allkeys-lru');
    const answers = await client.send([
      ['MULTI'],
      ['INCR', 'x'],
      ['CONFIG', 'SET', 'maxmemory', '1'],
      ['INCR', 'x'],
      ['EXEC'],
    ]);
    expect(answers[4]).toEqual([1, 'OK', 2]);
    clock.advance(10);
    expect(effects.seen).toEqual(['(', 'INCR x', 'INCR x', ')', 'DEL x']);
  });

  test('new keys take the place of old ones, whatever their databases', async () => {
    await set('maxmemory-policy allkeys-random lazyfree-lazy-eviction yes');
    await fill(1000);
    const limit = await info('used_memory');
    await set(`maxmemory ${limit}`);
    await client.call('SELECT', '3');
    await fill(500);
    expect(await info('evicted_keys')).toBeGreaterThan(450);
    expect(await info('used_memory')).toBeLessThan(limit + 4096);
    expect(await client.call('DBSIZE')).toBeGreaterThan(100);
    expect(effects.seen.filter((effect) => effect.startsWith('UNLINK')).length).toBeGreaterThan(450);
  });

  test('what can not be evicted makes writes fail, reads go on', async () => {
    await set('maxmemory-policy volatile-ttl');
    await fill(50);
    await client.call('SET', 'goes', 'v', 'EX', '100');
    await set('maxmemory 1');
    const answers = await client.send([
      ['GET', 'k1'],
      ['SET', 'k1', 'w'],
      ['EXISTS', 'goes'],
      ['DEL', 'k1'],
    ]);
    expect(answers.map((answer) => (answer instanceof Error ? answer.message : answer))).toEqual([
      'v'.repeat(100),
      OOM,
      0,
      1,
    ]);
    expect(await client.call('DBSIZE')).toBe(49);
  });

  test('paused writers and replicas keep what they have', async () => {
    await set('maxmemory-policy allkeys-lru');
    await fill(10);
    await client.call('CLIENT', 'PAUSE', '100000', 'WRITE');
    await set('maxmemory 1');
    await client.call('PING');
    expect(await client.call('DBSIZE')).toBe(10);
    await client.call('CLIENT', 'UNPAUSE');
    server.engine.replication = { ...NO_REPLICATION, isReplica: true };
    await client.call('PING');
    expect(await client.call('DBSIZE')).toBe(10);
    await set('replica-ignore-maxmemory no');
    await client.call('PING');
    expect(await client.call('DBSIZE')).toBe(0);
  });
});
