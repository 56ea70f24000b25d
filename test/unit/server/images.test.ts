/** snapshot() and restore(): all data in memory, and back. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';
import { localServers } from '../../support/local-servers.ts';
import { Pipeline } from '../../support/pipeline.ts';

const start = localServers();

/** Every type, several databases, a time to live and a library. */
async function seed(server: CinnabarServer): Promise<void> {
  const session = server.session();
  await session.call('SET', 'text', new Uint8Array([0, 255, 13, 10]));
  await session.call('SET', 'brief', 'x', 'PX', 5000);
  await session.call('RPUSH', 'list', ...Array.from({ length: 500 }, (_, i) => 'x'.repeat(i)));
  await session.call('SADD', 'set', 1, 2, 'three');
  await session.call('ZADD', 'zset', 1.5, 'a', '-inf', 'b');
  await session.call('HSET', 'hash', 'field', 'value');
  await session.call('XADD', 'stream', '5-1', 'k', 'v');
  await session.call('XGROUP', 'CREATE', 'stream', 'group', '0');
  await session.call('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('one', function() return 1 end)");
  await session.call('SELECT', 3);
  await session.call('SET', 'elsewhere', 'y');
  session.close();
}

const digest = (server: CinnabarServer): Promise<unknown> => server.session().call('DEBUG', 'DIGEST');
const DEBUG = { 'enable-debug-command': true };

test('what was changed since is undone, in every database, and time goes on as it was', async () => {
  const clock = new VirtualClock();
  const server = start({ clock, settings: DEBUG });
  await seed(server);
  const before = await digest(server);
  const image = await server.snapshot();
  const session = server.session();
  await session.call('DEL', 'list');
  await session.call('HSET', 'hash', 'field', 'other');
  await session.call('FUNCTION', 'FLUSH');
  await session.call('SELECT', 7);
  await session.call('SET', 'new', 'z');
  await server.restore(image);
  expect(await digest(server)).toBe(before);
  expect(await session.call('DBSIZE')).toBe(0);
  expect(await session.call('FCALL', 'one', 0)).toBe(1);
  await session.call('SELECT', 0);
  expect(await session.call('PTTL', 'brief')).toBe(5000);
  clock.advance(5001);
  expect(await session.call('GET', 'brief')).toBeNull();
});

test('an image is of the moment of the call, and another server takes it', async () => {
  const one = start({ settings: DEBUG });
  await seed(one);
  const before = await digest(one);
  const coming = one.snapshot();
  const session = one.session();
  const changed = session.call('SET', 'text', 'changed');
  const image = await coming;
  await changed;
  const other = start({ settings: DEBUG });
  await other.restore(image);
  expect(await digest(other)).toBe(before);
  expect(await session.call('GET', 'text')).toBe('changed');
});

test('many at once come one after the other', async () => {
  const server = start({ settings: DEBUG });
  await seed(server);
  const image = await server.snapshot();
  const before = await digest(server);
  const images = await Promise.all([
    server.snapshot(),
    server.restore(image),
    server.snapshot(),
    server.restore(image),
  ]);
  expect(images[2]).toBeInstanceOf(Buffer);
  expect(await digest(server)).toBe(before);
});

test('a damaged image changes nothing', async () => {
  const server = start({ settings: DEBUG });
  await seed(server);
  const image = await server.snapshot();
  const before = await digest(server);
  const damaged = [image.subarray(0, image.length - 1), image.subarray(0, image.length >> 1), Buffer.alloc(0)];
  damaged.push(Buffer.from('no snapshot at all'), Buffer.concat([image, Buffer.from('more')]));
  for (const at of [3, 40, image.length >> 1, image.length - 2]) {
    const copy = Buffer.from(image);
    copy[at] ^= 0xff;
    damaged.push(copy);
  }
  for (const bytes of damaged) {
    await expect(server.restore(bytes)).rejects.toThrow('The snapshot is damaged');
    expect(await digest(server)).toBe(before);
  }
  await server.restore(image);
});

test('who watches and who waits learns of it', async () => {
  const server = start();
  const session = server.session();
  await session.call('RPUSH', 'queue', 'job');
  const image = await server.snapshot();
  await session.call('DEL', 'queue');
  const waiting = server.session().call('BLPOP', 'queue', 0);
  await session.call('WATCH', 'other');
  await session.call('WATCH', 'queue');
  await session.call('MULTI');
  await session.call('PING');
  await server.restore(image);
  expect(await session.call('EXEC')).toBeNull();
  expect(await waiting).toEqual(['queue', 'job']);
});

test('replicas are given all of it, and take none themselves', async () => {
  const settings = { ...DEBUG, 'repl-diskless-sync-delay': 0 };
  const [master, replica] = [start({ port: 0, settings }), start({ port: 0, settings })];
  await Promise.all([master.listen(), replica.listen()]);
  await seed(master);
  const image = await master.snapshot();
  const client = new Pipeline(replica.port);
  await client.call('REPLICAOF', '127.0.0.1', String(master.port));
  const session = master.session();
  await expect.poll(() => client.call('LLEN', 'list'), { timeout: 15_000 }).toBe(500);
  await session.call('FLUSHALL');
  await master.restore(image);
  await session.call('SET', 'later', '1');
  await expect.poll(() => client.call('GET', 'later'), { timeout: 15_000 }).toBe('1');
  expect(await client.call('DEBUG', 'DIGEST')).toBe(await digest(master));
  await expect(replica.restore(image)).rejects.toThrow("A replica's data are its master's");
  client.close();
});

test('a server that closes ends what is under way', async () => {
  const server = start();
  const session = server.session();
  for (let i = 0; i < 20_000; i++) session.call('SET', `key ${i}`, i);
  const image = await server.snapshot();
  const [taken, put] = [server.snapshot(), server.restore(image)];
  const ends = Promise.allSettled([taken, put]);
  await server.close();
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(server.snapshot()).rejects.toThrow('The server is closed');
});

test('its address, and its end', async () => {
  let url = '';
  {
    await using server = createServer({ port: 0 });
    expect(server.url).toBe('');
    await server.listen();
    url = server.url;
    const { port, hostname, protocol } = new URL(url);
    expect([protocol, hostname, port]).toEqual(['redis:', '127.0.0.1', String(server.port)]);
  }
  await expect(
    new Promise((done, failed) =>
      connect(Number(new URL(url).port))
        .on('connect', done)
        .on('error', failed),
    ),
  ).rejects.toThrow();
});

test('the log tells of a restore, and of no master', async () => {
  const lines: string[] = [];
  const take = (line: string): void => void lines.push(line);
  const server = start({ log: { debug: take, verbose: take, notice: take, warning: take } });
  await seed(server);
  const image = await server.snapshot();
  await server.restore(image);
  await expect(server.restore(image.subarray(0, image.length >> 1))).rejects.toThrow('The snapshot is damaged');
  const closed = server.restore(image).catch(String);
  await server.close();
  expect(await closed).toContain('The server is closed');
  expect(lines.filter((line) => /MASTER|REPLICA|connection/.test(line))).toEqual([]);
  expect(lines).toContain('Restore: putting the loaded data in place of the old');
  expect(lines.filter((line) => line.endsWith('function at rdb -> the server closes'))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith('Restore: the snapshot was not loaded'))).toHaveLength(1);
});
