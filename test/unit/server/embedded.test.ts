/** The library inside somebody's own process, through its public face. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type CinnabarServer,
  createServer,
  SeededRandom,
  type ServerOptions,
  type ServerSettings,
  VirtualClock,
} from '../../../src/index.ts';
import { Pipeline } from '../../support/pipeline.ts';
import { MAIN } from '../../support/server-process.ts';

const servers: CinnabarServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function make(options: ServerOptions = {}): CinnabarServer {
  const server = createServer(options);
  servers.push(server);
  return server;
}

describe('ports', () => {
  test('0 is any that is free, the same at every address', async () => {
    const [a, b] = [make({ port: 0 }), make({ port: 0, settings: { bind: '127.0.0.1' } })];
    await Promise.all([a.listen(), b.listen()]);
    expect(a.port).toBeGreaterThan(0);
    expect(b.port).not.toBe(a.port);
    await a.session().call('SET', 'k', 'of a');
    for (const server of [a, b]) {
      const client = new Pipeline(server.port);
      const [port, value] = await client.send([
        ['CONFIG', 'GET', 'port'],
        ['GET', 'k'],
      ]);
      expect([port, value]).toEqual([['port', String(server.port)], server === a ? 'of a' : null]);
      client.close();
    }
  });

  test('as a setting 0 is none, as in redis.conf', async () => {
    const server = make({ settings: { port: 0 } });
    await server.listen();
    expect(server.port).toBe(0);
  });

  test('one that is taken is told, and can be had later', async () => {
    const first = make({ port: 0, settings: { bind: '127.0.0.1' } });
    await first.listen();
    const { port } = first;
    const second = make({ port, settings: { bind: '127.0.0.1' } });
    await expect(second.listen()).rejects.toThrow(`127.0.0.1:${port}: bind: Address already in use`);
    await first.close();
    await second.listen();
    expect(second.port).toBe(port);
  });
});

describe('an end', () => {
  test('refuses what is under way in sessions, and what comes after', async () => {
    const server = make({ port: 0 });
    const session = server.session();
    const calls = [session.call('BLPOP', 'nothing', 0), session.call('PING')];
    await server.close();
    for (const call of calls) await expect(call).rejects.toThrow('The session is closed');
    await expect(session.call('PING')).rejects.toThrow('The session is closed');
    expect(() => server.session()).toThrow('The server is closed');
    await expect(server.listen()).rejects.toThrow('The server is closed');
    await server.close();
  });

  test('comes by SHUTDOWN, too', async () => {
    const session = make().session();
    await expect(session.call('SHUTDOWN', 'NOSAVE')).rejects.toThrow('The session is closed');
  });

  test('while it begins to listen leaves nothing open', async () => {
    const server = make({ port: 0 });
    const listening = server.listen();
    await server.close();
    await listening;
    expect(server.port).toBe(0);
  });

  test('lets the process go', () => {
    const index = pathToFileURL(join(dirname(MAIN), 'index.js')).href;
    const script = `
      import { createServer } from ${JSON.stringify(index)};
      const server = createServer({ port: 0 });
      await Promise.all([server.listen(), server.listen()]);
      console.log(await server.session().call('ECHO', 'here'));
      await server.close();`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script]);
    expect({ said: stdout.toString(), status }).toEqual({ said: 'here\n', status: 0 });
  });
});

describe('mistakes', () => {
  test('in settings are told by their names, in the words of Redis', () => {
    // As from a program in JavaScript, or out of a file.
    const untyped: [settings: Record<string, never>, error: string][] = JSON.parse(`[
      [{ "maxmemory": "much" }, "'maxmemory': argument must be a memory value"],
      [{ "appendonly": "perhaps" }, "'appendonly': argument must be 'yes' or 'no'"],
      [{ "nosuch": 1 }, "'nosuch': Bad directive or wrong number of arguments"]]`);
    for (const [settings, error] of untyped) expect(() => createServer({ settings })).toThrow(error);
    expect(() => createServer({ port: 70_000 })).toThrow("'port': ");
  });

  test('in arguments reject the call and leave the session in order', async () => {
    const session = make().session();
    const wrong = [[], ['SET', 'k', undefined], ['SET', 'k', null], ['SET', 'k', ['v']], ['SET', 'k', true]];
    for (const args of wrong) await expect(session.call(...(args as string[]))).rejects.toThrow(TypeError);
    expect(await session.call('SET', 'k', 2n ** 60n)).toBe('OK');
    expect(await session.callBuffer('GET', 'k')).toEqual(Buffer.from('1152921504606846976'));
  });
});

describe('settings', () => {
  test('are given as the compiler checks them', async () => {
    const settings: ServerSettings = {
      maxmemory: '100mb',
      'maxmemory-policy': 'allkeys-lru',
      appendonly: false,
      bind: ['127.0.0.1', '-::1'],
      save: ['900', 1],
      'hash-max-ziplist-entries': 7,
      'latency-tracking-info-percentiles': [50, 99],
      'enable-debug-command': true,
      timeout: undefined,
    };
    const session = make({ settings }).session();
    const first = ['maxmemory', 'maxmemory-policy', 'appendonly'];
    expect(await session.call('CONFIG', 'GET', ...first)).toEqual(
      expect.arrayContaining(['maxmemory', '104857600', 'maxmemory-policy', 'allkeys-lru', 'appendonly', 'no']),
    );
    for (const [name, value] of [
      ['bind', '127.0.0.1 -::1'],
      ['save', '900 1'],
      ['hash-max-listpack-entries', '7'],
      ['latency-tracking-info-percentiles', '50 99'],
      ['enable-debug-command', 'yes'],
      ['timeout', '0'],
    ])
      expect(await session.call('CONFIG', 'GET', name)).toEqual([name, value]);
  });

  test('of wrong names and kinds do not compile', () => {
    expectTypeOf<'nosuch'>().not.toExtend<keyof ServerSettings>();
    expectTypeOf<'slaveof'>().toExtend<keyof ServerSettings>();
    expectTypeOf<{ maxmemory: '1gb' }>().toExtend<ServerSettings>();
    expectTypeOf<{ maxmemory: '1 gigabyte' }>().not.toExtend<ServerSettings>();
    expectTypeOf<{ maxmemory: true }>().not.toExtend<ServerSettings>();
    expectTypeOf<{ port: 'http' }>().not.toExtend<ServerSettings>();
    expectTypeOf<{ appendonly: 1 }>().not.toExtend<ServerSettings>();
    expectTypeOf<{ 'maxmemory-policy': 'all-keys' }>().not.toExtend<ServerSettings>();
    expectTypeOf<{ 'enable-debug-command': false }>().toExtend<ServerSettings>();
  });
});

test('a reply may nest as deep as scripts make it', async () => {
  const session = make().session();
  let value = await session.call('EVAL', 'local t = {} for i = 1, 7900 do t = {t} end return t', '0');
  let depth = 0;
  for (; Array.isArray(value); [value] = value) depth++;
  expect(depth).toBe(7901);
});

test('time passes as the clock that is handed in says', async () => {
  const clock = new VirtualClock();
  const session = make({ clock }).session();
  await session.call('SET', 'k', 'v', 'EX', 60);
  clock.advance(59_000);
  expect(await session.call('EXISTS', 'k')).toBe(1);
  clock.advance(1001);
  expect(await session.call('EXISTS', 'k')).toBe(0);
});

test('the same randomness makes the same choices', async () => {
  const clock = new VirtualClock();
  const choices = [1, 2].map(async () => {
    const session = make({ clock, random: new SeededRandom(7) }).session();
    await session.call('SADD', 's', ...Array.from({ length: 200 }, (_, i) => `member ${i}`));
    return session.call('SRANDMEMBER', 's', 10);
  });
  const [one, other] = await Promise.all(choices);
  expect(one).toHaveLength(10);
  expect(other).toEqual(one);
});
