/** The set-ups for test runners, and that each test begins with the seed. */
import { Redis } from 'ioredis';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { useCinnabar as useInJest } from '../../../src/embed/jest.ts';
import { useCinnabar } from '../../../src/embed/vitest.ts';
import type { CinnabarServer } from '../../../src/server/server.ts';

const redis = useCinnabar({
  settings: { maxmemory: '50mb' },
  seed: async (session) => {
    await session.call('SET', 'user:1', 'Ada');
    await session.call('RPUSH', 'queue', 'a', 'b');
  },
});

test.each([1, 2, 3])('whatever a test before has done, time %i', async () => {
  const client = new Redis(redis.url);
  expect(await client.get('user:1')).toBe('Ada');
  expect(await client.dbsize()).toBe(2);
  await client.flushall();
  await client.set('left', 'behind');
  client.disconnect();
});

test('settings are the server’s, and sessions need no socket', async () => {
  const session = redis.session();
  expect(await session.call('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '52428800']);
  expect(await session.call('LPOP', 'queue')).toBe('a');
});

describe('by hooks that are globals', () => {
  const hooks = { beforeAll: vi.fn(), beforeEach: vi.fn(), afterAll: vi.fn() };
  for (const [name, hook] of Object.entries(hooks)) vi.stubGlobal(name, hook);
  const other = useInJest({ seed: (session) => session.call('SET', 'k', 'v') });
  vi.unstubAllGlobals();
  const run = (hook: keyof typeof hooks): Promise<void> => hooks[hook].mock.calls[0][0]();
  let server: CinnabarServer;
  afterAll(() => server?.close());

  test('it is started, put back and closed', async () => {
    expect(() => other.server).toThrow('The server runs while tests do');
    await run('beforeAll');
    server = other.server;
    for (let i = 0; i < 2; i++) {
      await run('beforeEach');
      expect(await other.session().call('DEL', 'k')).toBe(1);
    }
    await run('afterAll');
    expect(() => server.session()).toThrow('closed');
  });

  test('where there are none that is said', () => {
    expect(() => useInJest()).toThrow('are no globals here');
  });
});
