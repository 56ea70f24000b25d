/** Links of replication on which something is wrong, or much is owed; the other side is told what to say. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Peer, ScriptedMaster } from './peer.ts';
import { type Client, type Process, type Settings, World } from './world.ts';

let world: World;

beforeEach(() => {
  world = new World(14);
});

const logged = (text: string): number =>
  world.trace.filter((line) => line.includes(' log ') && line.includes(text)).length;

async function info(client: Client, name: string): Promise<string> {
  const text = String(await client.call('INFO', 'everything'));
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
}

async function started(settings: Settings = {}): Promise<[Process, Client]> {
  const process = await world
    .machine('a')
    .start({ 'repl-diskless-sync-delay': 0, 'enable-debug-command': 'yes', ...settings });
  return [process, process.client()];
}

/** An empty snapshot, as one of ours saves it. */
async function emptySnapshot(): Promise<string> {
  const process = await world.machine('source').start();
  const peer = Peer.to(world, 'source');
  peer.command('SYNC');
  await world.pass(10_000);
  const [, length = '0', snapshot = ''] = /\$(\d+)\r\n(.*)$/s.exec(peer.heard) ?? [];
  process.end(false);
  world.trace.length = 0;
  return snapshot.slice(0, Number(length));
}

describe('a replica', () => {
  async function online(): Promise<Peer> {
    const peer = Peer.to(world, 'a');
    peer.command('REPLCONF', 'capa', 'eof', 'capa', 'psync2', 'listening-port', '7000');
    await world.pass(100);
    peer.command('PSYNC', '?', '-1');
    await world.pass(3000);
    peer.command('REPLCONF', 'ACK', '0');
    await world.pass(10);
    return peer;
  }

  test('that is replied to is disconnected: it is out of step', async () => {
    const [, client] = await started();
    const peer = await online();
    expect(await info(client, 'slave0')).toContain('state=online');
    peer.command('PING');
    await world.pass(100);
    expect(peer.closed).toBe(true);
    expect(peer.heard).not.toContain('PONG');
    expect(logged("Replica generated a reply to command 'ping', disconnecting it: id=")).toBe(1);
    expect(logged('Connection with replica peer:7000 lost.')).toBe(1);
    expect(await info(client, 'last_replica_link_end')).toMatch(
      /^peer:7000: its command 'ping' was replied to; it was online and had acknowledged 0 of \d+$/,
    );
  });

  test.each([
    ['CLIENT', 'REPLY', 'ON'],
    ['SUBSCRIBE', 'c'],
    ['REPLCONF', 'listening-port', '1'],
  ])('by %s as well', async (...words) => {
    await started();
    const peer = await online();
    peer.command(...words);
    await world.pass(100);
    expect(peer.closed).toBe(true);
  });

  test('that asks for keys is told of in the log, and counted', async () => {
    const [, client] = await started();
    const peer = await online();
    peer.command('GET', 'k');
    await world.pass(100);
    const error = "'-ERR Replica can't interact with the keyspace' after processing the command 'get'";
    expect(logged(`== CRITICAL == This master is sending an error to its replica: ${error}`)).toBe(1);
    expect(await info(client, 'unexpected_error_replies')).toBe('1');
    expect(await info(client, 'errorstat_ERR')).toBe('count=1');
    expect(peer.closed).toBe(true);
  });

  test('that says nothing but that it is alive stays while it loads', async () => {
    const [, client] = await started({ 'repl-timeout': 5 });
    const peer = Peer.to(world, 'a');
    peer.command('REPLCONF', 'capa', 'eof', 'capa', 'psync2');
    await world.pass(100);
    peer.command('PSYNC', '?', '-1');
    for (let i = 0; i < 20; i++) {
      await world.pass(1000);
      peer.say('\n');
    }
    expect(peer.closed).toBe(false);
    await world.pass(10_000);
    expect(peer.closed).toBe(true);
    expect(await info(client, 'last_replica_link_end')).toContain('nothing was heard of it for ');
  });

  test('makes the traffic of replication', async () => {
    const [, client] = await started();
    await online();
    await client.call('SET', 'k', 'x'.repeat(10_000));
    await world.pass(300);
    expect(Number(await info(client, 'total_net_repl_output_bytes'))).toBeGreaterThan(10_000);
    expect(Number(await info(client, 'instantaneous_output_repl_kbps'))).toBeGreaterThan(0);
    expect(await info(client, 'total_net_repl_input_bytes')).toBe('0');
    await client.call('CONFIG', 'RESETSTAT');
    expect(Number(await info(client, 'total_net_repl_output_bytes'))).toBeLessThan(1000);
  });
});

describe('what a replica is owed while it takes in a snapshot', () => {
  const LIMIT = 'replica 100kb 50kb 1';

  /** A replica that has asked for everything and reads nothing, while 2 MB are written. */
  async function owed(settings: Settings): Promise<[Peer, Client]> {
    const [, client] = await started({
      rdbcompression: 'no',
      'repl-backlog-size': '16kb',
      'client-output-buffer-limit': LIMIT,
      ...settings,
    });
    await client.call('SET', 'large', 'x'.repeat(1_000_000));
    const peer = Peer.to(world, 'a');
    peer.command('REPLCONF', 'capa', 'psync2', 'listening-port', '7000');
    await world.pass(100);
    peer.stream.pause();
    peer.command('PSYNC', '?', '-1');
    for (let i = 0; i < 20; i++) {
      await client.call('SET', 'k', 'x'.repeat(100_000));
      await world.pass(200);
    }
    return [peer, client];
  }

  test('may grow beyond the limits of its class, and is all sent to it', async () => {
    const [peer, client] = await owed({});
    expect(Number(await info(client, 'mem_total_replication_buffers'))).toBeGreaterThan(2_000_000);
    peer.stream.resume();
    await world.pass(10_000);
    expect(peer.closed).toBe(false);
    expect(peer.heard.length).toBeGreaterThan(3_000_000);
    peer.command('REPLCONF', 'ACK', '0');
    expect(await info(client, 'sync_full')).toBe('1');
    // Now that it has caught up its class is as any other.
    peer.stream.pause();
    for (let i = 0; i < 4; i++) await client.call('SET', 'k', 'x'.repeat(100_000));
    await world.pass(1000);
    expect(await info(client, 'connected_slaves')).toBe('0');
    expect(await info(client, 'last_replica_link_end')).toMatch(
      /^peer:7000: it was owed \d+ bytes of the stream, where its class may be owed 102400, or 51200 for 1 s; it was online /,
    );
    expect(Number(await info(client, 'mem_total_replication_buffers'))).toBeLessThan(200_000);
  });

  test('ends the link there where the setting is off', async () => {
    const [, client] = await owed({ 'repl-sync-buffer-to-maxmemory': 'no' });
    expect(await info(client, 'connected_slaves')).toBe('0');
    expect(await info(client, 'last_replica_link_end')).toContain('its class may be owed 102400');
  });

  test('is bounded by maxmemory', async () => {
    const [, client] = await owed({ maxmemory: '3mb' });
    expect(await info(client, 'connected_slaves')).toBe('0');
    expect(await info(client, 'last_replica_link_end')).toContain(
      'bytes of the stream, where memory is bounded by 3145728',
    );
  });

  test('has no bound where its class has none, though the master is at its maxmemory', async () => {
    const limits = { 'client-output-buffer-limit': 'replica 0 0 0', 'maxmemory-policy': 'allkeys-lru' };
    const [peer, client] = await owed({ maxmemory: '3mb', ...limits });
    expect(await info(client, 'connected_slaves')).toBe('1');
    peer.stream.resume();
    await world.pass(10_000);
    expect(peer.closed).toBe(false);
  });
});

describe('a master', () => {
  async function followed(settings: Settings = {}): Promise<[Process, Client, ScriptedMaster]> {
    const master = new ScriptedMaster(await emptySnapshot());
    await master.listen(world);
    const [process, client] = await started({ replicaof: 'peer 6379', ...settings });
    await world.pass(5000);
    expect(await info(client, 'master_link_status')).toBe('up');
    return [process, client, master];
  }

  test('whose command fails is told of in the log, and counted', async () => {
    const [, client, master] = await followed();
    master.link.command('SELECT', '0');
    master.link.command('SET', 'k', 'v');
    master.link.command('LPUSH', 'k', 'v');
    await world.pass(1000);
    const wrong =
      "'-WRONGTYPE Operation against a key holding the wrong kind of value' after processing the command 'lpush'";
    expect(logged(`== CRITICAL == This replica is sending an error to its master: ${wrong}`)).toBe(1);
    expect(logged('Latest backlog is: \'"*2\\r\\n$6\\r\\nSELECT')).toBe(1);
    expect(await info(client, 'unexpected_error_replies')).toBe('1');
    expect(await client.call('GET', 'k')).toBe('v');
    expect(master.links.length).toBe(1);
    expect(Number(await info(client, 'total_net_repl_input_bytes'))).toBeGreaterThan(100);
  });

  test.each([
    [{ 'propagation-error-behavior': 'panic-on-replicas' }, true],
    [{ 'propagation-error-behavior': 'panic' }, true],
    [{ 'propagation-error-behavior': 'panic', 'replica-read-only': 'no' }, false],
    [{}, false],
  ])('%j: whose command fails ends the replica: %s', async (settings, ends) => {
    const [process, , master] = await followed(settings);
    master.link.command('NO-SUCH', 'command');
    await world.pass(100);
    expect(
      logged(
        "Guru Meditation: This replica panicked sending an error to its master after processing the command '<unknown>'",
      ),
    ).toBe(ends ? 1 : 0);
    expect(process.server.listens).toBe(!ends);
  });

  test.each([
    ['PING\r\n', 'Master using the inline protocol. Desync?', "'PING..'"],
    ['*2\r\n$3\r\nDEL\r\n$x\r\n', 'invalid bulk length', "'*2..$3..DEL..$x..'"],
  ])('that sends %j has everything asked of it anew', async (bytes, reason, dump) => {
    const [, client, master] = await followed();
    master.link.say('\n\n');
    await world.pass(1000);
    expect(master.links.length).toBe(1);
    master.link.say(bytes);
    await world.pass(5000);
    expect(logged(`Protocol error (${reason}) from client: id=`)).toBe(1);
    expect(logged(`Query buffer during protocol error: ${dump}`)).toBe(1);
    expect(master.links.length).toBe(2);
    expect(master.link.heard).toContain('PSYNC\r\n$1\r\n?\r\n$2\r\n-1');
    expect(await info(client, 'master_link_last_end')).toContain(reason);
    expect(await info(client, 'master_last_full_sync_reason')).toBe('asked for everything');
  });

  test('whose snapshot ends before its payload does is none: what is behind it is not run', async () => {
    const snapshot = await emptySnapshot();
    const master = new ScriptedMaster(`${snapshot}*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n`);
    await master.listen(world);
    const [, client] = await started({ 'repl-diskless-load': 'swapdb' });
    await client.call('SET', 'k', '1');
    await client.call('REPLICAOF', 'peer', '6379');
    await world.pass(500);
    expect(logged('The snapshot of MASTER ends before its payload does')).toBe(1);
    expect(await info(client, 'master_link_status')).toBe('down');
    await client.call('REPLICAOF', 'NO', 'ONE');
    expect(await client.call('GET', 'k')).toBe('1');
  });

  test('that takes another history tells why all is sent anew', async () => {
    const [, client, master] = await followed();
    master.link.command('PING');
    await world.pass(1000);
    master.link.stream.destroy();
    await world.pass(5000);
    expect(await info(client, 'master_link_last_end')).toMatch(
      /^connection lost \(in state connected, at offset 14\)$/,
    );
    expect(await info(client, 'master_last_full_sync_reason')).toBe(
      `asked for ${master.id}:15, the master gave ${master.id}:0`,
    );
  });

  test.each([
    ['yes', 'Replica is applying a command even though it is unable to write to disk.', true],
    ['no', 'Guru Meditation: Replica was unable to write command to disk.', false],
  ])('replica-ignore-disk-write-errors %s: %s', async (ignore, text, runs) => {
    const [process, client, master] = await followed({ 'replica-ignore-disk-write-errors': ignore });
    process.server.engine.gatekeeper.diskErrors(true, null);
    master.link.command('PING');
    master.link.command('SET', 'k', 'v');
    master.link.command('SET', 'k', 'w');
    await world.pass(100);
    expect(logged(text)).toBe(1);
    expect(process.server.listens).toBe(runs);
    if (runs) expect(await client.call('GET', 'k')).toBe('w');
  });
});

test('DEBUG REPLICATE and CHANGE-REPL-ID', async () => {
  const [, client] = await started();
  const id = await info(client, 'master_replid');
  expect(await client.call('DEBUG', 'REPLICATE', 'SET', 'k', 'v')).toBe('OK');
  expect(await info(client, 'master_repl_offset')).toBe('0');
  const replica = (await world.machine('b').start({ replicaof: 'a 6379' })).client();
  await world.pass(5000);
  await client.call('DEBUG', 'REPLICATE', 'SET', 'k', 'v');
  await world.pass(100);
  expect([await replica.call('GET', 'k'), await client.call('GET', 'k')]).toEqual(['v', null]);
  const before = await info(client, 'master_replid');
  expect(before).not.toBe(id);
  expect(await client.call('DEBUG', 'CHANGE-REPL-ID')).toBe('OK');
  expect(await info(client, 'master_replid')).not.toBe(before);
  await client.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await world.pass(5000);
  expect([await info(client, 'sync_full'), await info(client, 'sync_partial_ok')]).toEqual(['2', '0']);
  expect(await info(client, 'last_full_sync_reason')).toMatch(
    /^other history: asked for [0-9a-f]{40}:\d+, the history here is [0-9a-f]{40}$/,
  );
});

test("a replica's own log holds what came as a snapshot and what came then", async () => {
  const [, client] = await started();
  await client.call('SET', 'before', 'v');
  const b = world.machine('b');
  const logging = { appendonly: 'yes', appendfsync: 'always', 'enable-debug-command': 'yes' };
  await b.start({ ...logging, replicaof: 'a 6379' });
  await world.pass(5000);
  await client.call(
    'EVAL',
    "redis.call('RPUSH', 'l', 'a'); redis.call('SELECT', '3'); return redis.call('INCR', 'n')",
    '0',
  );
  await client.call('SET', 'short', 'v', 'PX', '100');
  await world.pass(5000);
  b.kill();
  const alone = (await b.start(logging)).client();
  await client.call('SELECT', '0');
  expect(await alone.call('DEBUG', 'DIGEST')).toBe(await client.call('DEBUG', 'DIGEST'));
  expect(await alone.call('EXISTS', 'before', 'l', 'short')).toBe(2);
});
