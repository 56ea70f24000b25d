/** Replication between servers of a world: what is followed from the start, and what goes on partially after a restart. */
import { expect, test } from 'vitest';
import { type Client, World } from './world.ts';

const SETTINGS = { 'enable-debug-command': 'yes', save: '3600 1000000', 'repl-diskless-sync-delay': 0 };

async function field(client: Client, name: string): Promise<string> {
  const info = String(await client.call('INFO', 'everything'));
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(info)?.[1] ?? '';
}

async function until(world: World, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await world.pass(100);
  }
  throw new Error(`seed ${world.seed}: what is waited for does not come`);
}

const isUp = async (client: Client): Promise<boolean> => (await field(client, 'master_link_status')) === 'up';

async function sameDigests(world: World, clients: readonly Client[]): Promise<void> {
  await until(world, async () => {
    const digests = await Promise.all(clients.map((client) => client.send('DEBUG', 'DIGEST')).map((d) => world.run(d)));
    return new Set(digests.map(String)).size === 1;
  });
}

test.each(['yes', 'no'])(
  'a master that is configured is followed from the start, and partially after each restart: diskless %s',
  async (diskless) => {
    const world = new World(21);
    const [a, b] = [world.machine('a'), world.machine('b')];
    const asMaster = { ...SETTINGS, 'repl-diskless-sync': diskless };
    const asReplica = { ...SETTINGS, replicaof: 'a 6379' };
    let master = (await a.start(asMaster)).client();
    await master.call('SET', 'k', 'v');
    let replica = (await b.start(asReplica)).client();
    await until(world, () => isUp(replica));
    expect(await replica.call('GET', 'k')).toBe('v');
    expect(await replica.call('CONFIG', 'GET', 'replicaof')).toEqual(['replicaof', 'a 6379']);

    await replica.call('DEBUG', 'RELOAD');
    await until(world, () => isUp(replica));
    await replica.call('SHUTDOWN', 'SAVE').catch(() => {});
    b.kill();
    await master.call('SELECT', '3');
    await master.call('RPUSH', 'l', 'a', 'b');
    replica = (await b.start(asReplica)).client();
    await until(world, () => isUp(replica));
    expect(await field(master, 'sync_partial_ok')).toBe('1');
    await sameDigests(world, [master, replica]);

    await master.call('SET', 'short', 'x', 'PX', '20');
    const [id, offset] = [await field(master, 'master_replid'), await field(master, 'master_repl_offset')];
    await until(world, async () => (await field(replica, 'master_repl_offset')) === offset);
    await master.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await world.pass(1500);
    const end = await field(master, 'master_repl_offset');
    await master.call('SHUTDOWN', 'SAVE').catch(() => {});
    a.kill();
    await world.pass(3000);
    master = (await a.start(asMaster)).client();
    expect(await field(master, 'master_replid2')).toBe(id);
    expect(await field(master, 'second_repl_offset')).toBe(String(Number(end) + 1));
    expect(await field(master, 'rdb_last_load_keys_expired')).toBe('1');
    await until(world, () => isUp(replica));
    expect([await field(master, 'sync_partial_ok'), await field(master, 'sync_full')]).toEqual(['1', '0']);
    expect(await replica.call('GET', 'short')).toBe(null);
    await sameDigests(world, [master, replica]);
    world.end();
  },
);

test('a promotion cuts replicas off, which go on under the new id; a link that is lost is had again at once', async () => {
  const world = new World(22);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => world.machine(name));
  const [first, second] = [
    (await a.start(SETTINGS)).client(),
    (await b.start({ ...SETTINGS, replicaof: 'a 6379' })).client(),
  ];
  const third = (await c.start({ ...SETTINGS, replicaof: 'b 6379' })).client();
  await until(world, () => isUp(third));
  await first.call('SET', 'k', 'v');
  await world.pass(2000);
  expect(await second.call('REPLICAOF', 'NO', 'ONE')).toBe('OK');
  await world.pass(20);
  expect(await field(third, 'master_link_status')).toBe('up');
  expect(await field(third, 'master_replid')).toBe(await field(second, 'master_replid'));
  expect(await field(second, 'sync_partial_ok')).toBe('1');
  await second.call('CONFIG', 'RESETSTAT');
  expect([await field(second, 'sync_partial_ok'), await field(second, 'sync_full')]).toEqual(['0', '0']);
  world.end();
});

test('FAILOVER hands over, and takes back where the target refuses; everybody goes on partially', async () => {
  const world = new World(23);
  const [a, b] = [world.machine('a'), world.machine('b')];
  const first = (await a.start(SETTINGS)).client();
  const second = (await b.start({ ...SETTINGS, replicaof: 'a 6379', bind: 'b' })).client();
  await until(world, () => isUp(second));
  await second.call('ACL', 'SETUSER', 'default', '-psync');
  expect(await first.call('FAILOVER')).toBe('OK');
  await world.pass(3000);
  expect([await field(first, 'role'), await field(first, 'master_failover_state')]).toEqual(['master', 'no-failover']);
  expect(await isUp(second)).toBe(true);
  await second.call('ACL', 'SETUSER', 'default', '+psync');
  expect(await first.call('SET', 'k', 'v')).toBe('OK');
  expect(await first.call('FAILOVER', 'TO', 'b', '6379')).toBe('OK');
  await until(world, async () => (await field(first, 'role')) === 'slave' && (await isUp(first)));
  expect(await field(second, 'role')).toBe('master');
  expect(await field(second, 'sync_full')).toBe('0');
  await sameDigests(world, [first, second]);
  world.end();
});
