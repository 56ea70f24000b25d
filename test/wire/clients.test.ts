/** The five types through the clients that people use, against the built server on a real socket. */
import { execFileSync, spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oracle } from '../support/oracle.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';

function available(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** Debian's package belongs to Debian's interpreter, which need not be the first one on the path. */
const python = ['python3', '/usr/bin/python3'].find((program) => available(program, '-c', 'import redis'));

describe('client libraries', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startCinnabar();
  });
  afterAll(() => server?.stop());

  test('ioredis: the five types, a pipeline and a scan', async () => {
    const client = new Redis(server.port, '127.0.0.1');
    await client.flushall();
    expect(await client.set('string', 'value', 'EX', 100)).toBe('OK');
    expect(await client.ttl('string')).toBeGreaterThan(90);
    expect(await client.rpush('list', 'a', 'b', 'c')).toBe(3);
    expect(await client.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    expect(await client.hset('hash', { name: 'Ada', born: '1815' })).toBe(2);
    expect(await client.hgetall('hash')).toEqual({ name: 'Ada', born: '1815' });
    expect(await client.sadd('set', 1, 2, 3)).toBe(3);
    expect((await client.smembers('set')).sort()).toEqual(['1', '2', '3']);
    expect(await client.zadd('zset', 2.5, 'two', 1, 'one')).toBe(2);
    expect(await client.zrange('zset', '0', '-1', 'WITHSCORES')).toEqual(['one', '1', 'two', '2.5']);
    const replies = await client.pipeline().incr('counter').incrby('counter', 41).get('counter').exec();
    expect(replies).toEqual([
      [null, 1],
      [null, 42],
      [null, '42'],
    ]);
    expect((await client.scan('0', 'COUNT', 100))[1].sort()).toEqual(
      ['counter', 'hash', 'list', 'set', 'string', 'zset'].sort(),
    );
    client.disconnect();
  });

  test.each([2, 3] as const)('node-redis over RESP%i: the five types and binary values', async (RESP) => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP });
    await client.connect();
    await client.flushAll();
    expect(await client.set('string', 'a\u0000b\r\n', { PX: 100_000 })).toBe('OK');
    expect(await client.get('string')).toBe('a\u0000b\r\n');
    expect(await client.lPush('list', ['c', 'b', 'a'])).toBe(3);
    expect(await client.lRange('list', 0, -1)).toEqual(['a', 'b', 'c']);
    expect(await client.hSet('hash', { name: 'Ada' })).toBe(1);
    expect({ ...(await client.hGetAll('hash')) }).toEqual({ name: 'Ada' });
    expect(await client.sAdd('set', ['x', 'y'])).toBe(2);
    expect(await client.sIsMember('set', 'x')).toBeTruthy();
    await client.zAdd('zset', [
      { score: 1, value: 'one' },
      { score: Number.POSITIVE_INFINITY, value: 'endless' },
    ]);
    expect(await client.zScore('zset', 'endless')).toBe(Number.POSITIVE_INFINITY);
    expect(await client.zRangeWithScores('zset', 0, 0)).toEqual([{ score: 1, value: 'one' }]);
    client.destroy();
  });

  test.runIf(available('redis-cli', '--version'))('redis-cli: each type, and an error', () => {
    const cli = (...args: string[]): string =>
      execFileSync(oracle('redis-cli'), ['-p', String(server.port), ...args], {
        encoding: 'utf8',
        timeout: 20_000,
      }).trim();
    expect(cli('FLUSHALL')).toBe('OK');
    expect(cli('SET', 'greeting', 'hello')).toBe('OK');
    expect(cli('GET', 'greeting')).toBe('hello');
    expect(cli('LPUSH', 'list', 'b', 'a')).toBe('2');
    expect(cli('LRANGE', 'list', '0', '-1')).toBe('a\nb');
    expect(cli('HSET', 'hash', 'f', 'v')).toBe('1');
    expect(cli('SADD', 'set', 'm')).toBe('1');
    expect(cli('ZADD', 'zset', '1.5', 'm')).toBe('1');
    expect(cli('ZSCORE', 'zset', 'm')).toBe('1.5');
    expect(cli('LPUSH', 'greeting', 'x')).toMatch(/^WRONGTYPE/);
  });

  test.runIf(python !== undefined)('python3-redis: the five types', () => {
    const script = `
import redis, sys
r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
r.flushall()
assert r.set('string', 'value', ex=100) and r.get('string') == 'value'
assert r.rpush('list', 'a', 'b') == 2 and r.lrange('list', 0, -1) == ['a', 'b']
assert r.hset('hash', mapping={'f': 'v'}) == 1 and r.hgetall('hash') == {'f': 'v'}
assert r.sadd('set', 'm') == 1 and r.smembers('set') == {'m'}
assert r.zadd('zset', {'m': 1.5}) == 1 and r.zscore('zset', 'm') == 1.5
assert sorted(r.scan_iter()) == ['hash', 'list', 'set', 'string', 'zset']
assert r.info('server')['redis_version'] == '7.0.15'
print('passed')
`;
    const output = execFileSync(python!, ['-c', script, String(server.port)], { encoding: 'utf8', timeout: 20_000 });
    expect(output.trim()).toBe('passed');
  });
});
