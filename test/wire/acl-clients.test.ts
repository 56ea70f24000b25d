/** Client libraries that log in as users. */
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { freePort } from '../support/ports.ts';

let server: CinnabarServer;

beforeAll(async () => {
  server = createServer({ port: await freePort() });
  await server.listen();
  server.engine.acl.setUser('app', ['on', '>secret', '+@all', '-@dangerous', '+info', '~app:*', '&app:*'], null);
});

afterAll(() => server.close());

test('ioredis', async () => {
  const client = new Redis({ port: server.port, username: 'app', password: 'secret' });
  expect(await client.call('ACL', 'WHOAMI')).toBe('app');
  expect(await client.set('app:1', 'x')).toBe('OK');
  await expect(client.set('other', 'x')).rejects.toThrow('NOPERM');
  await expect(client.flushall()).rejects.toThrow("NOPERM this user has no permissions to run the 'flushall' command");
  client.disconnect();
  const stranger = new Redis({ port: server.port, username: 'app', password: 'wrong', lazyConnect: true });
  const refused = new Promise<Error>((done) => stranger.once('error', done));
  await stranger.connect().catch(() => {});
  expect((await refused).message).toContain('WRONGPASS');
  stranger.disconnect();
});

test.each([2, 3] as const)('node-redis, RESP%d', async (RESP) => {
  const client = createClient({ RESP, socket: { port: server.port }, username: 'app', password: 'secret' });
  client.on('error', () => {});
  await client.connect();
  expect(await client.aclWhoAmI()).toBe('app');
  await client.set('app:2', 'y');
  expect(await client.multi().get('app:2').exec()).toEqual(['y']);
  await expect(client.get('other')).rejects.toThrow('NOPERM');
  await expect(client.publish('other', 'x')).rejects.toThrow('channels');
  client.destroy();
  const admin = createClient({ RESP, socket: { port: server.port } });
  admin.on('error', () => {});
  await admin.connect();
  await admin.aclSetUser('made', ['reset', 'on', '>p', '+get', '(+set', '%W~w*)']);
  const user = await admin.aclGetUser('made');
  expect(user?.commands).toBe('-@all +get');
  expect(user?.selectors).toEqual([{ commands: '-@all +set', keys: '%W~w*', channels: '' }]);
  expect((await admin.aclLog())[0]).toMatchObject({ reason: 'channel', object: 'other', username: 'app' });
  admin.destroy();
});
