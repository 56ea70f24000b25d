/** Groups of Raft through real sockets: what a client of a cluster sees, and what survives. */
import { Redis } from 'ioredis';
import { createCluster as createNodeRedisCluster } from 'redis';
import { afterEach, describe, expect, test } from 'vitest';
import { createCluster } from '../../src/server/local-cluster.ts';
import { Connection, callOnce, type GroupClient, TestGroup, TestMember } from '../support/groups.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/sentinels.ts';

let group: TestGroup;

afterEach(async () => {
  await group.stop();
}, 30_000);

/** Tries again where nobody knows whether it was done. */
async function surely(client: GroupClient, ...args: readonly string[]): ReturnType<GroupClient['call']> {
  for (;;) {
    try {
      return await client.call(...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('the connection')) throw error;
    }
  }
}

describe('three members', () => {
  test('commands of every kind are served by the leader, and reach the others', async () => {
    group = await TestGroup.start(3);
    const { port } = await group.leader();
    const client = new Connection(port);
    expect(await client.send('SET', 'a', '1')).toBe('OK');
    expect(await client.send('INCR', 'a')).toBe(2);
    expect(await client.send('MULTI')).toBe('OK');
    await client.send('RPUSH', 'list', 'x', 'y');
    await client.send('LPOP', 'list');
    expect(await client.send('EXEC')).toEqual([2, 'x']);
    expect(
      await client.send('EVAL', "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])", '1', 's', 'v'),
    ).toBe('v');
    expect(
      await client.send('FUNCTION', 'LOAD', "#!lua name=l\nredis.register_function('f', function() return 7 end)"),
    ).toBe('l');
    expect(await client.send('FCALL', 'f', '0')).toBe(7);
    expect(await client.send('XADD', 'stream', '1-1', 'f', 'v')).toBe('1-1');
    expect(await client.send('SPOP', 'none')).toBe(null);
    expect(await client.send('SELECT', '3')).toBe('OK');
    expect(await client.send('SET', 'b', '3')).toBe('OK');
    expect(await client.send('WAIT', '1', '0')).toBe(1);
    const other = await group.follower();
    await waitFor('the follower has it', async () => {
      const reader = new Connection(other.port);
      await reader.send('READONLY');
      const found = [
        await reader.send('GET', 'a'),
        await reader.send('LRANGE', 'list', '0', '-1'),
        await reader.send('GET', 's'),
        await reader.send('XLEN', 'stream'),
        await reader.send('SELECT', '3'),
        await reader.send('GET', 'b'),
      ];
      reader.close();
      return JSON.stringify(found) === JSON.stringify(['2', ['y'], 'v', 1, 'OK', '3']);
    });
    client.close();
  });

  test('who blocks is served by what another has pushed, and messages reach subscribers of every member', async () => {
    group = await TestGroup.start(3);
    const leader = await group.leader();
    const other = await group.follower();
    const [waiter, writer, listener] = [leader.port, leader.port, other.port].map((port) => new Connection(port));
    expect(await listener.send('SUBSCRIBE', 'news')).toEqual(['subscribe', 'news', 1]);
    const popped = waiter.send('BLPOP', 'queue', '0');
    expect(await writer.send('RPUSH', 'queue', 'job')).toBe(1);
    expect(await popped).toEqual(['queue', 'job']);
    expect(await writer.send('LLEN', 'queue')).toBe(0);
    const message = listener.send('PING');
    expect(await writer.send('PUBLISH', 'news', 'hello')).toBe(0);
    // The next that comes, in whatever order.
    expect([
      ['message', 'news', 'hello'],
      ['pong', ''],
    ]).toContainEqual(await message);
    for (const each of [waiter, writer, listener]) each.close();
  });

  test('a key expires by the leader alone, and on all', async () => {
    group = await TestGroup.start(3);
    const client = group.client();
    await client.call('SET', 'short', 'x', 'PX', '80');
    await client.call('SET', 'long', 'x');
    await waitFor('it is gone', async () => (await client.call('EXISTS', 'short')) === 0);
    for (const member of group.members) {
      await waitFor('it is gone everywhere', async () => {
        const [db] = member.server!.engine.keyspaces.databases;
        return db.size === 1;
      });
    }
    client.close();
  });

  test('clients of clusters find the leader by themselves', async () => {
    group = await TestGroup.start(3);
    const other = await group.follower();
    const leader = await group.leader();
    await expect(callOnce(other.port, 'SET', 'foo', 'bar')).rejects.toThrow(`MOVED 12182 127.0.0.1:${leader.port}`);
    await expect(callOnce(other.port, 'DBSIZE')).rejects.toThrow(`MOVED 0 127.0.0.1:${leader.port}`);
    const client = new Redis.Cluster([{ host: '127.0.0.1', port: other.port }], { scaleReads: 'slave' });
    expect(await client.set('foo', 'bar')).toBe('OK');
    await waitFor('a follower has it', async () => (await client.get('foo')) === 'bar');
    client.disconnect();
    const slots = (await callOnce(other.port, 'CLUSTER', 'SLOTS')) as unknown[][];
    expect(slots).toHaveLength(1);
    expect([slots[0][0], slots[0][1], (slots[0][2] as unknown[])[1]]).toEqual([0, 16383, leader.port]);
    expect(String(await callOnce(other.port, 'CLUSTER', 'NODES'))).toMatch(/myself,slave/);
    expect(String(await callOnce(leader.port, 'CLUSTER', 'INFO'))).toContain('cluster_state:ok');
    expect(await callOnce(leader.port, 'CLUSTER', 'KEYSLOT', 'foo')).toBe(12182);
  });

  test('ROLE, INFO replication and HELLO agree on who is a master and who is its replica', async () => {
    group = await TestGroup.start(3);
    const leader = await group.leader();
    const other = await group.follower();
    const hello = async (port: number): Promise<string> => {
      const reply = (await callOnce(port, 'HELLO', '2')) as string[];
      return reply[reply.indexOf('role') + 1];
    };
    const info = async (port: number): Promise<string> => String(await callOnce(port, 'INFO', 'replication'));
    expect((await callOnce(leader.port, 'ROLE')) as unknown[]).toEqual([
      'master',
      expect.any(Number),
      expect.objectContaining({ length: 2 }),
    ]);
    expect(await hello(leader.port)).toBe('master');
    expect(await info(leader.port)).toMatch(
      /role:master\r\nconnected_slaves:2\r\nslave0:ip=127\.0\.0\.1,port=\d+,state=online,offset=\d+,lag=0\r\n/,
    );
    await waitFor('it knows the leader', async () => {
      const role = (await callOnce(other.port, 'ROLE')) as unknown[];
      return role.slice(0, 4).join(' ') === `slave 127.0.0.1 ${leader.port} connected`;
    });
    expect(await hello(other.port)).toBe('replica');
    const told = await info(other.port);
    expect(told).toContain(
      `role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:${leader.port}\r\nmaster_link_status:up\r\n`,
    );
    expect(told).toMatch(/\r\nmaster_replid:\w{40}\r\n/);
    for (const member of group.members) if (member !== other) await member.kill();
    await waitFor('it misses the leader', async () => (await info(other.port)).includes('master_link_status:down\r\n'));
    expect(((await callOnce(other.port, 'ROLE')) as unknown[]).slice(0, 4)).toEqual(['slave', '', 0, 'connect']);
    expect(await hello(other.port)).toBe('replica');
    expect(await info(other.port)).toMatch(/role:slave\r\nmaster_host:\r\n.*master_link_down_since_seconds:\d+\r\n/s);
  });

  test('client libraries read from followers and write to the leader', async () => {
    // A machine that is busy must not make them change the leader.
    group = await TestGroup.start(3, { 'raft-election-timeout': 10_000 });
    const other = await group.follower();
    const at = { host: '127.0.0.1', port: other.port };
    const single = new Redis({ ...at, readOnly: true, lazyConnect: true });
    await single.connect();
    const cluster = createNodeRedisCluster({ rootNodes: [{ socket: at }], useReplicas: true });
    await cluster.connect();
    expect(await cluster.set('foo', 'bar')).toBe('OK');
    await waitFor('a follower has it', async () => (await single.get('foo')) === 'bar');
    await waitFor('replicas have it', async () => (await cluster.get('foo')) === 'bar');
    single.disconnect();
    cluster.destroy();
  });

  test('when the leader is lost, another goes on with all that was acknowledged', async () => {
    group = await TestGroup.start(3);
    const client = group.client();
    for (let i = 0; i < 50; i++) await client.call('RPUSH', 'log', String(i));
    await (await group.leader()).kill();
    for (let i = 50; i < 60; i++) await surely(client, 'SADD', 'after', String(i));
    const expected = Array.from({ length: 50 }, (_, i) => String(i));
    expect(await client.call('LRANGE', 'log', '0', '-1')).toEqual(expected);
    expect(await client.call('SCARD', 'after')).toBe(10);
    client.close();
  });

  test('one that comes back catches up, and all of them find their data after a restart', async () => {
    group = await TestGroup.start(3);
    const client = group.client();
    await client.call('SET', 'before', '1');
    const behind = await group.follower();
    await behind.kill();
    await client.call('SET', 'meanwhile', '2');
    await behind.start();
    await waitFor('it has caught up', async () => behind.server!.engine.keyspaces.databases[0].size === 2);
    client.close();
    for (const member of group.members) await member.kill();
    for (const member of group.members) await member.start();
    const again = group.client();
    expect(await again.call('MGET', 'before', 'meanwhile')).toEqual(['1', '2']);
    again.close();
  });

  test('without most of them nobody serves', async () => {
    group = await TestGroup.start(3);
    const leader = await group.leader();
    const client = new Connection(leader.port);
    expect(await client.send('SET', 'a', '1')).toBe('OK');
    for (const member of group.members) if (member !== leader) await member.kill();
    // It may have been done, for all that anybody knows: the connection ends without a word.
    await expect(client.send('SET', 'a', '2')).rejects.toThrow('lost');
    await expect(callOnce(leader.port, 'GET', 'a')).rejects.toThrow('CLUSTERDOWN No leader');
    expect(String(await callOnce(leader.port, 'INFO', 'raft'))).toContain('raft_serving:0');
    const [one] = group.members.filter(({ up }) => !up);
    await one.start();
    const again = group.client();
    expect(['1', '2']).toContain(await again.call('GET', 'a'));
    again.close();
  });
});

describe('snapshots', () => {
  test('take the place of the log, and bring one that was away up to date', async () => {
    group = await TestGroup.start(3, { 'raft-log-size': '2mb' });
    const client = group.client();
    const behind = await group.follower();
    await behind.kill();
    const value = 'v'.repeat(10_000);
    for (let i = 0; i < 600; i++) await surely(client, 'SET', `key${i % 100}`, `${i}${value}`);
    const leader = await group.leader();
    await waitFor('the log is cut', async () => Number(await leader.figure('raft_log_entries')) < 500);
    await behind.start();
    await waitFor('it has all keys', async () => behind.server!.engine.keyspaces.databases[0].size === 100);
    expect(behind.lines.some((line) => line.startsWith('Receiving the snapshot'))).toBe(true);
    await surely(client, 'SET', 'last', 'x');
    client.close();
    for (const member of group.members) await member.kill();
    for (const member of group.members) await member.start();
    const again = group.client();
    expect(await again.call('DBSIZE')).toBe(101);
    expect(await again.call('GET', 'key99')).toBe(`599${value}`);
    again.close();
  }, 60_000);
});

describe('members', () => {
  test('come and go while writes go on, and the lead is handed over', async () => {
    group = await TestGroup.start(3);
    const client = group.client();
    await client.call('SET', 'a', '1');
    const fourth = await group.add();
    await waitFor('the fourth has it', async () => fourth.server!.engine.keyspaces.databases[0].size === 1);
    const leader = await group.leader();
    const id = await fourth.figure('raft_id');
    expect(await callOnce(leader.port, 'RAFT', 'TRANSFER', id)).toBe('OK');
    await waitFor('the fourth leads', async () => fourth.serves);
    await surely(client, 'SET', 'b', '2');
    expect(await callOnce(fourth.port, 'RAFT', 'REMOVE', await leader.figure('raft_id'))).toBe('OK');
    expect(await callOnce(fourth.port, 'RAFT', 'NODES')).toHaveLength(3);
    await leader.kill();
    expect(await surely(client, 'MGET', 'a', 'b')).toEqual(['1', '2']);
    await expect(callOnce(fourth.port, 'RAFT', 'REMOVE', '12')).rejects.toThrow('ERR the node is not a member');
    await expect(callOnce(fourth.port, 'RAFT', 'INIT')).rejects.toThrow('ERR it belongs to a group already');
    await expect(callOnce(fourth.port, 'REPLICAOF', 'NO', 'ONE')).rejects.toThrow('not allowed in a group of Raft');
    client.close();
  });

  test('one that is removed while it is away learns that, and asks for no votes', async () => {
    group = await TestGroup.start(4);
    const leader = await group.leader();
    const away = await group.follower();
    const id = await away.figure('raft_id');
    await away.kill();
    expect(await callOnce(leader.port, 'RAFT', 'REMOVE', id)).toBe('OK');
    await away.start();
    await waitFor('it knows', async () => (await away.figure('raft_removed')) === '1');
    await expect(callOnce(away.port, 'GET', 'a')).rejects.toThrow('CLUSTERDOWN The server was removed from its group');
    expect(await away.figure('raft_role')).toBe('follower');
    const client = group.client();
    expect(await client.call('SET', 'a', '1')).toBe('OK');
    client.close();
  });

  test('a server of no group serves nobody', async () => {
    group = await TestGroup.start(1);
    const alone = group.members[0];
    expect(await callOnce(alone.port, 'SET', 'a', '1')).toBe('OK');
    await alone.kill();
    await alone.start();
    await waitFor('it leads', async () => alone.serves);
    expect(await callOnce(alone.port, 'GET', 'a')).toBe('1');
  });

  test('whoever joins must know the password', async () => {
    group = await TestGroup.start(1);
    const [first] = group.members;
    const ask = new Connection(first.port);
    await ask.send('CONFIG', 'SET', 'requirepass', 'secret');
    await ask.send('SET', 'a', '1');
    const other = new TestMember(await freePort(), {});
    group.members.push(other);
    await other.start();
    await expect(callOnce(other.port, 'RAFT', 'JOIN', '127.0.0.1', String(first.port))).rejects.toThrow('NOAUTH');
    await callOnce(other.port, 'CONFIG', 'SET', 'masterauth', 'secret');
    expect(await callOnce(other.port, 'RAFT', 'JOIN', '127.0.0.1', String(first.port))).toBe('OK');
    await waitFor('it has the key', async () => other.server!.engine.keyspaces.databases[0].size === 1);
    ask.close();
  });
});

test('createCluster makes a group', async () => {
  group = await TestGroup.start(0);
  const cluster = await createCluster({ raft: 3 });
  const client = new Redis.Cluster(cluster.addresses.map((address) => ({ ...address })));
  expect(await client.set('a', '1')).toBe('OK');
  expect(await client.get('a')).toBe('1');
  client.disconnect();
  await cluster.close();
});
