/** Commands of one's own where several servers meet: what they do is the same there, also where nobody knows the command. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { args, type CinnabarCluster, type CinnabarServer, createCluster, defineCommand } from '../../src/index.ts';
import { localServers } from '../support/local-servers.ts';
import { Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

const start = localServers();
const WAIT = { timeout: 10_000, interval: 50 };

/** Takes from one list, puts into another, with a time to live; keeps a note where it is told to. */
const take = defineCommand({
  name: 'TAKE',
  flags: ['write', 'denyoom'],
  categories: ['list'],
  args: [
    args.key('source', 'RW ACCESS DELETE'),
    args.key('destination', 'RW INSERT'),
    args.optional(args.bytes('note')),
  ],
  run(c) {
    const [source, destination, note] = c.args;
    const taken = c.callBuffer('LPOP', source) as Buffer | null;
    if (taken !== null) {
      c.call('RPUSH', destination, taken);
      c.call('EXPIRE', destination, 1000);
      c.call('SADD', destination.toString() + ':by', c.random(), c.now);
      c.call('SPOP', destination.toString() + ':by');
    }
    if (note !== undefined) c.call('SET', note, 'noted');
    return taken;
  },
});
const peek = defineCommand({
  name: 'PEEK',
  flags: ['readonly'],
  args: [args.key('key', 'RO ACCESS')],
  run: (c) => [c.call('TYPE', c.args[0]), c.call('EXISTS', c.args[0])],
});
const elsewhere = defineCommand({
  name: 'ELSEWHERE',
  flags: ['write'],
  arity: 3,
  run: (c) => c.call('SET', c.args[0], c.args[1]),
});
const commands = [take, peek, elsewhere];

let folder: string;
let cluster: CinnabarCluster | undefined;
let redis: ServerProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modules-'));
});

afterEach(async () => {
  await cluster?.close();
  await redis?.stop();
  [cluster, redis] = [undefined, undefined];
  rmSync(folder, { recursive: true });
});

/** Every key with its time and its value. */
async function contents(at: Pipeline): Promise<unknown> {
  const keys = (await at.call('KEYS', '*')) as string[];
  const all: unknown[] = [];
  for (const key of keys.sort()) {
    // Members of a set lie in an order of the server's own.
    const isSet = (await at.call('TYPE', key)) === 'set';
    const value = isSet ? ((await at.call('SMEMBERS', key)) as string[]).sort() : await at.call('DUMP', key);
    all.push([key, await at.call('PEXPIRETIME', key), value]);
  }
  return all;
}

/** The same data at both, in database `db`, as soon as what is under way has come. */
async function expectSame(port: number, other: number, db = '0'): Promise<void> {
  const [one, two] = [new Pipeline(port), new Pipeline(other)];
  await one.call('SELECT', db);
  await two.call('SELECT', db);
  await vi.waitFor(async () => expect(await contents(two)).toEqual(await contents(one)), WAIT);
  one.close();
  two.close();
}

async function untilLinked(port: number): Promise<void> {
  const client = new Pipeline(port);
  const info = async () => String(await client.call('INFO', 'replication'));
  await vi.waitFor(async () => expect(await info()).toContain('master_link_status:up'), WAIT);
  client.close();
}

/** What is done with the commands by a client of database 3. */
async function traffic(server: CinnabarServer): Promise<void> {
  const session = server.session();
  await session.call('SELECT', 3);
  await session.call('RPUSH', 'a', 1, 2, 3, 4, 5, 6);
  await session.call('TAKE', 'a', 'b');
  await session.transaction([
    ['TAKE', 'a', 'b', 'note'],
    ['TAKE', 'a', 'b'],
  ]);
  await session.call('EVAL', "redis.call('TAKE', 'a', 'c'); return redis.call('TAKE', 'a', 'd')", 0);
  await session.call('SET', 'd', 'no list');
  await expect(session.call('TAKE', 'a', 'd')).rejects.toThrow('WRONGTYPE');
  session.close();
}

describe('in a cluster', () => {
  test('they go where their keys are', async () => {
    cluster = await createCluster({ masters: 2, commands });
    const [low, high] = cluster.nodes.map((node) => node.session());
    // foo lies in slot 12182, bar in 5061.
    expect(await low.call('RPUSH', '{bar}1', 'a')).toBe(1);
    expect(await low.call('TAKE', '{bar}1', '{bar}2')).toBe('a');
    await expect(high.call('TAKE', '{bar}1', '{bar}2')).rejects.toThrow(/^MOVED 5061 127\.0\.0\.1:/);
    await expect(low.call('TAKE', 'bar', 'foo')).rejects.toThrow(
      "CROSSSLOT Keys in request don't hash to the same slot",
    );
    await expect(low.call('PEEK', 'foo')).rejects.toThrow('MOVED 12182');
    // Keys that it has not declared.
    const elsewhere = 'ERR Attempted to access a non local key in a cluster node';
    await expect(low.call('ELSEWHERE', 'foo', 'x')).rejects.toThrow(elsewhere);
    await expect(low.call('TAKE', '{bar}2', '{bar}3', 'foo')).rejects.toThrow(elsewhere);
    expect(await low.call('TAKE', '{bar}3', '{bar}4', 'hello')).toBe('a');
    expect(await low.call('TAKE', '{bar}4', '{bar}3')).toBe('a');
    expect(await high.call('ELSEWHERE', 'foo', 'x')).toBe('OK');
    await low.call('MULTI');
    await expect(low.call('TAKE', 'foo', 'foo')).rejects.toThrow('MOVED 12182');
    await expect(low.call('EXEC')).rejects.toThrow('EXECABORT');
    const script = "return redis.call('TAKE', KEYS[1], KEYS[2])";
    expect(await low.call('EVAL', script, 2, '{bar}3', '{bar}4')).toBe('a');
    await expect(low.call('EVAL', "return redis.call('PEEK', 'foo')", 1, 'bar')).rejects.toThrow('non local key');
  });
});

describe('what they did is what others are told', () => {
  test('a redis-server that replicates has it, without having the commands', async () => {
    const server = start({ port: 0, commands });
    await server.listen();
    redis = await startRedis('--replicaof', `127.0.0.1 ${server.port}`);
    await untilLinked(redis.port);
    await traffic(server);
    await expectSame(server.port, redis.port, '3');
    const replica = new Pipeline(redis.port);
    expect(await replica.call('INFO', 'commandstats')).not.toContain('cmdstat_take');
    await replica.call('SELECT', '3');
    expect(await replica.call('LRANGE', 'b', '0', '-1')).toEqual(['1', '2', '3']);
    replica.close();
  });

  test('a replica of ours has it, reads by its own commands, and does not write', async () => {
    const server = start({ port: 0, commands });
    await server.listen();
    const replica = start({
      port: 0,
      commands: [peek, take],
      settings: { replicaof: ['127.0.0.1', String(server.port)] },
    });
    await replica.listen();
    await untilLinked(replica.port);
    await traffic(server);
    await expectSame(server.port, replica.port, '3');
    const session = replica.session();
    await session.call('SELECT', 3);
    expect(await session.call('PEEK', 'b')).toEqual(['list', 1]);
    await expect(session.call('TAKE', 'a', 'b')).rejects.toThrow(
      "READONLY You can't write against a read only replica.",
    );
  });

  test('an append-only file of it is loaded by who has no such command, and by redis-server', async () => {
    const settings = { dir: folder, appendonly: true, 'aof-use-rdb-preamble': false } as const;
    const server = start({ port: 0, commands, settings, persistent: true });
    await server.listen();
    await traffic(server);
    const before = new Pipeline(server.port);
    await before.call('SELECT', '3');
    const had = await contents(before);
    before.close();
    await server.close();
    for (const begin of [
      async () => {
        const again = start({ port: 0, settings, persistent: true });
        await again.listen();
        return again;
      },
      async () => (redis = await startRedis('--dir', folder, '--appendonly', 'yes')),
    ]) {
      const loaded = await begin();
      const after = new Pipeline(loaded.port);
      await after.call('SELECT', '3');
      expect(await contents(after)).toEqual(had);
      after.close();
      if ('close' in loaded) await loaded.close();
    }
  });
});

describe('in a group of Raft', () => {
  test('they go to the leader, and every member has what they did', async () => {
    cluster = await createCluster({ raft: 3, commands });
    const leads = cluster.nodes.map(async (node) =>
      String(await node.session().call('INFO', 'raft')).includes('raft_role:leader'),
    );
    const leader = (await Promise.all(leads)).indexOf(true);
    await traffic(cluster.nodes[leader]);
    const follower = cluster.nodes[(leader + 1) % 3].session();
    await expect(follower.call('TAKE', 'a', 'b')).rejects.toThrow('MOVED');
    await follower.call('READONLY');
    await follower.call('SELECT', 3);
    await vi.waitFor(async () => expect(await follower.call('PEEK', 'b')).toEqual(['list', 1]), WAIT);
    await expect(follower.call('TAKE', 'a', 'b')).rejects.toThrow('MOVED');
  });
});

describe('among clients', () => {
  test('who waits, watches, listens or caches is told of what they did', async () => {
    const server = start({ commands, settings: { 'notify-keyspace-events': 'KEA' } });
    const [session, other, watcher, cacher] = [1, 2, 3, 4].map(() => server.session({ protocol: 3 }));
    await session.call('RPUSH', 'a', 1, 2, 3);
    const served = other.call('BLPOP', 'b', 0);
    expect(await session.call('TAKE', 'a', 'b')).toBe('1');
    expect(await served).toEqual(['b', '1']);
    await watcher.call('WATCH', 'a');
    const pushes: unknown[] = [];
    cacher.onPush = (push) => pushes.push(push);
    await cacher.call('CLIENT', 'TRACKING', 'ON');
    await cacher.call('PEEK', 'a');
    const events = await other.psubscribe('__keyevent@0__:*');
    await session.call('TAKE', 'a', 'c');
    expect(await watcher.transaction([['PING']])).toBeNull();
    await cacher.call('PING');
    expect(pushes).toEqual([['invalidate', ['a']]]);
    const heard: string[] = [];
    for await (const { channel, message } of events) {
      heard.push(`${channel.slice(15)} ${message}`);
      if (heard.length === 5) break;
    }
    expect(heard).toEqual(['lpop a', 'rpush c', 'expire c', 'sadd c:by', 'spop c:by']);
  });

  test('a database that it selects is that of what follows, and the client keeps its own', async () => {
    const run = defineCommand({
      name: 'HOP',
      flags: ['write'],
      run(c) {
        c.call('SET', 'k', 'here');
        c.call('SELECT', 5);
        return c.call('SET', 'k', 'there');
      },
    });
    const session = start({ commands: [run] }).session();
    expect(await session.call('HOP')).toBe('OK');
    expect(await session.call('GET', 'k')).toBe('here');
    await session.call('SELECT', 5);
    expect(await session.call('GET', 'k')).toBe('there');
    expect(await session.call('HOP')).toBe('OK');
    expect(await session.call('GET', 'k')).toBe('there');
  });

  test('categories, subcommand-like names and key permissions are those of the declaration', async () => {
    const session = start({ commands }).session();
    await session.call('ACL', 'SETUSER', 'ada', 'on', 'nopass', '%R~in:*', '%RW~out:*', '+@list', '-@read');
    await session.call('AUTH', 'ada', 'x');
    expect(await session.call('TAKE', 'out:a', 'out:b')).toBeNull();
    await expect(session.call('TAKE', 'in:a', 'out:b')).rejects.toThrow(
      'NOPERM this user has no permissions to access one of the keys',
    );
    await expect(session.call('PEEK', 'in:a')).rejects.toThrow(
      "NOPERM this user has no permissions to run the 'peek' command",
    );
    await expect(session.call('ELSEWHERE', 'x', 'y')).rejects.toThrow('NOPERM');
  });

  test('paused writes hold them, and MULTI with a watched key', async () => {
    const server = start({ commands });
    const [session, other] = [server.session(), server.session()];
    await other.call('CLIENT', 'PAUSE', 60_000, 'WRITE');
    let done = false;
    const held = session.call('TAKE', 'a', 'b', 'note').then(() => {
      done = true;
    });
    expect(await other.call('PEEK', 'note')).toEqual(['none', 0]);
    expect(done).toBe(false);
    await other.call('CLIENT', 'UNPAUSE');
    await held;
    expect(await other.call('GET', 'note')).toBe('noted');
  });
});
