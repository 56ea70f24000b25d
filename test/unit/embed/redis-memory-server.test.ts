import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import RedisMemoryServerDefault, { RedisMemoryServer } from '../../../src/embed/redis-memory-server.ts';
import { freePort } from '../../support/ports.ts';

const servers: RedisMemoryServer[] = [];
const kept = (server: RedisMemoryServer): RedisMemoryServer => {
  servers.push(server);
  return server;
};

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function ping(server: RedisMemoryServer): Promise<string> {
  const client = new Redis(await server.getPort(), await server.getHost());
  try {
    return await client.ping();
  } finally {
    client.disconnect();
  }
}

test('create, and a client', async () => {
  const server = kept(await RedisMemoryServer.create());
  expect(await server.getHost()).toBe('127.0.0.1');
  expect(await server.getIp()).toBe('127.0.0.1');
  expect(await ping(server)).toBe('PONG');
  expect(server.getInstanceInfo()).toMatchObject({ ip: '127.0.0.1', port: await server.getPort() });
  expect(RedisMemoryServerDefault).toBe(RedisMemoryServer);
});

test('new starts it by itself, or when it is asked for', async () => {
  expect(await ping(kept(new RedisMemoryServer()))).toBe('PONG');
  const lazy = kept(new RedisMemoryServer({ autoStart: false }));
  expect(lazy.getInstanceInfo()).toBe(false);
  expect(await lazy.stop()).toBe(false);
  expect(await ping(lazy)).toBe('PONG');
  await expect(lazy.start()).rejects.toThrow('runs already');
});

test('options of the instance', async () => {
  const port = await freePort();
  const args = ['--maxmemory', '20mb', '--save', '900', '1'];
  const server = kept(await RedisMemoryServer.create({ instance: { port, ip: '127.0.0.1', args } }));
  expect(await server.getPort()).toBe(port);
  const { instance } = await server.ensureInstance();
  expect(await instance.session().call('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '20971520']);
  expect(await instance.session().call('CONFIG', 'GET', 'save')).toEqual(['save', '900 1']);
  await expect(RedisMemoryServer.create({ instance: { args: ['20mb'] } })).rejects.toThrow('belongs to no setting');
});

test('stopped and started it is empty, at the same port', async () => {
  const server = kept(await RedisMemoryServer.create());
  const port = await server.getPort();
  const { instance } = await server.ensureInstance();
  await instance.session().call('SET', 'k', 'v');
  expect(await server.stop()).toBe(true);
  expect(server.getInstanceInfo()).toBe(false);
  await server.start();
  expect(await server.getPort()).toBe(port);
  const again = await server.ensureInstance();
  expect(await again.instance.session().call('DBSIZE')).toBe(0);
});

test('a port that is taken', async () => {
  const holder = createServer();
  const port = await freePort();
  await new Promise<void>((done) => holder.listen(port, '127.0.0.1', done));
  await expect(RedisMemoryServer.create({ instance: { port } })).rejects.toThrow();
  const late = new RedisMemoryServer({ instance: { port }, autoStart: false });
  await expect(late.getPort()).rejects.toThrow();
  await new Promise((done) => holder.close(done));
  expect(await kept(late).getPort()).toBe(port);
});
