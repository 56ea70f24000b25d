/** Replication over real sockets: every mix of ours and redis-server, from disk and without. */
import { describe, expect, test } from 'vitest';
import { type Kind, Pair } from '../support/pair.ts';
import { Pipeline } from '../support/pipeline.ts';

const WRITES: string[][] = [
  ['SET', 'string', 'v'],
  ['SET', 'lived', 'v', 'PX', '1000000'],
  ['RPUSH', 'list', 'a', 'b'],
  ['SADD', 'set', 'a', 'b'],
  ['HSET', 'hash', 'f', 'v'],
  ['ZADD', 'zset', '1.5', 'm'],
  ['XADD', 'stream', '1-1', 'f', 'v'],
];

const MIXES: [Kind, Kind, string, string][] = [
  ['redis', 'ours', 'yes', 'disabled'],
  ['redis', 'ours', 'no', 'swapdb'],
  ['ours', 'redis', 'yes', 'disabled'],
  ['ours', 'redis', 'no', 'disabled'],
  ['ours', 'ours', 'yes', 'swapdb'],
  ['ours', 'ours', 'no', 'on-empty-db'],
];

describe.each(MIXES)('%s is the master of %s, diskless %s, loading %s', (master, replica, diskless, load) => {
  test('the data come, and what is written then, and a cut is mended by going on', async () => {
    const pair = await Pair.start(
      [master, replica],
      { 'repl-diskless-sync': diskless },
      { 'repl-diskless-load': load },
    );
    try {
      await pair.master.client.send(WRITES);
      await pair.master.send('SELECT', '2');
      await pair.master.client.send([['MULTI'], ['INCR', 'n'], ['SELECT', '0'], ['INCR', 'n'], ['EXEC']]);
      await pair.caughtUp();
      let [a, b] = await pair.digests();
      expect(a).toEqual(b);
      await pair.master.send('CLIENT', 'KILL', 'TYPE', 'replica');
      await pair.master.send('SPOP', 'set');
      await pair.replica.until('it has gone on', async () => (await pair.master.info('sync_partial_ok')) === '1');
      await pair.caughtUp();
      [a, b] = await pair.digests();
      expect(a).toEqual(b);
    } finally {
      await pair.stop();
    }
  });
});

describe.each<Kind>(['ours', 'redis'])('a replica that clients may write to, %s', (kind) => {
  test('keys of their own go when their time is up, those of the master do not', async () => {
    const pair = await Pair.start(['ours', kind]);
    const { master, replica } = pair;
    try {
      await master.send('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
      await master.client.send([
        ['SET', 'a', '5', 'PX', '10'],
        ['SET', 'b', '5', 'PX', '10'],
      ]);
      await pair.caughtUp();
      await replica.until('they are past their time', async () => (await replica.send('EXISTS', 'a', 'b')) === 0);
      await replica.send('CONFIG', 'SET', 'replica-read-only', 'no');
      expect(
        await replica.client.send([
          ['DBSIZE'],
          ['INCR', 'a'],
          ['TTL', 'a'],
          ['GET', 'b'],
          ['DBSIZE'],
          ['SADD', 'b', 'm'],
        ]),
      ).toEqual([2, 1, -1, null, 2, 1]);
      await replica.client.send([
        ['SET', 'own', 'v', 'PX', '50'],
        ['SET', 'lived', 'v'],
        ['PEXPIRE', 'lived', '60'],
      ]);
      expect(await replica.info('slave_expires_tracked_keys')).toBe('2');
      await replica.until('their own are gone', async () => (await replica.send('DBSIZE')) === 2);
      expect(await replica.info('slave_expires_tracked_keys')).toBe('0');
    } finally {
      await pair.stop();
    }
  });
});

describe('good replicas', () => {
  test('writes are taken while there are enough', async () => {
    const pair = await Pair.start(['ours', 'ours'], { 'min-replicas-to-write': '1' });
    const { master, replica } = pair;
    try {
      await master.until('the replica has acknowledged', async () => (await master.send('SET', 'a', 'v')) === 'OK');
      await replica.send('REPLICAOF', 'NO', 'ONE');
      await master.until('it is missed', async () => (await master.send('SET', 'a', 'v')) instanceof Error);
      expect(String(await master.send('SET', 'a', 'v'))).toContain('NOREPLICAS');
    } finally {
      await pair.stop();
    }
  });
});

test('a replica counts what a group has read as its master does', async () => {
  const pair = await Pair.start(['ours', 'ours']);
  const { master, replica } = pair;
  try {
    await master.client.send([
      ...['1-1', '2-1', '3-1'].map((id) => ['XADD', 's', id, 'f', 'v']),
      ['XGROUP', 'CREATE', 's', 'g', '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '2', 'STREAMS', 's', '>'],
      ['XADD', 's', '4-1', 'f', 'v'],
    ]);
    await pair.caughtUp();
    const group = await master.send('XINFO', 'GROUPS', 's');
    expect(group).toEqual([
      ['name', 'g', 'consumers', 1, 'pending', 2, 'last-delivered-id', '2-1', 'entries-read', 2, 'lag', 2],
    ]);
    expect(await replica.send('XINFO', 'GROUPS', 's')).toEqual(group);
  } finally {
    await pair.stop();
  }
});

test('a replica whose clients are paused has read what it has not run', async () => {
  const pair = await Pair.start(['ours', 'ours']);
  const { master, replica } = pair;
  try {
    await replica.send('CLIENT', 'PAUSE', '100000', 'WRITE');
    const before = await replica.info('slave_repl_offset');
    await master.client.send([['MULTI'], ['SET', 'a', 'v'], ['SET', 'b', 'v'], ['EXEC']]);
    const wanted = await master.info('master_repl_offset');
    await replica.until('it has read', async () => (await replica.info('slave_read_repl_offset')) === wanted);
    expect(await replica.info('slave_repl_offset')).not.toBe(wanted);
    expect(Number(await replica.info('slave_repl_offset'))).toBeGreaterThanOrEqual(Number(before));
    expect(await replica.send('EXISTS', 'a')).toBe(0);
    await replica.send('CLIENT', 'UNPAUSE');
    await pair.caughtUp();
    expect(await replica.send('EXISTS', 'a', 'b')).toBe(2);
  } finally {
    await pair.stop();
  }
});

describe.each<Kind>(['ours', 'redis'])('a command of the master, %s, that fails here', (kind) => {
  test('is told; clients that write see to more of that; and it may end the replica', async () => {
    const pair = await Pair.start([kind, 'ours']);
    const { master, replica } = pair;
    const critical = (): string[] => replica.log.filter((line) => line.startsWith('== CRITICAL =='));
    const sending = '== CRITICAL == This replica is sending an error to its master:';
    try {
      await master.send('DEBUG', 'REPLICATE', 'no-such-command', 'x');
      await pair.caughtUp();
      const unknown = "-ERR unknown command 'no-such-command', with args beginning with: 'x' ";
      expect(critical()).toEqual([`${sending} '${unknown}' after processing the command '<unknown>'`]);

      await replica.send('CONFIG', 'SET', 'replica-read-only', 'no', 'propagation-error-behavior', 'panic-on-replicas');
      await replica.send('SET', 'n', 'word');
      await master.send('INCRBY', 'n', '1');
      await pair.caughtUp();
      const noInteger = '-ERR value is not an integer or out of range';
      expect(critical().at(-1)).toBe(`${sending} '${noInteger}' after processing the command 'incrby'`);
      expect(await replica.info('unexpected_error_replies')).toBe('2');
      expect(replica.exitCode).toBe(null);

      await replica.send('CONFIG', 'SET', 'replica-read-only', 'yes');
      replica.client.close();
      await master.send('INCRBY', 'n', '1');
      await expect.poll(() => replica.exitCode, { timeout: 10_000 }).toBe(1);
      expect(replica.log).toContain(
        "Guru Meditation: This replica panicked sending an error to its master after processing the command 'incrby'",
      );
    } finally {
      await pair.stop();
    }
  });
});

test('DEBUG CHANGE-REPL-ID makes a history that nobody can go on from', async () => {
  const pair = await Pair.start(['ours', 'redis']);
  const { master, replica } = pair;
  try {
    await master.send('SET', 'a', 'v');
    const id = await master.info('master_replid');
    expect(await master.send('DEBUG', 'CHANGE-REPL-ID')).toBe('OK');
    expect(await master.info('master_replid')).not.toBe(id);
    await master.send('CLIENT', 'KILL', 'TYPE', 'replica');
    await master.until('all is sent anew', async () => (await master.info('sync_full')) === '2');
    await replica.until('the link is up', async () => (await replica.info('master_link_status')) === 'up');
    expect(await master.info('sync_partial_ok')).toBe('0');
    expect(await replica.info('master_replid')).toBe(await master.info('master_replid'));
  } finally {
    await pair.stop();
  }
});

test('a diskless transfer is a background save to INFO and BGSAVE, and what replicas are owed beyond the backlog is told', async () => {
  const pair = await Pair.start(['ours', 'ours'], { 'repl-backlog-size': '16384' });
  const { master, replica } = pair;
  try {
    expect(await master.info('rdb_last_bgsave_time_sec')).toBe('0');
    await master.send('DEBUG', 'POPULATE', '1000');
    await master.send('CONFIG', 'SET', 'rdb-key-save-delay', '1000000');
    await replica.send('REPLICAOF', 'NO', 'ONE');
    await master.until('it has left', async () => (await master.info('connected_slaves')) === '0');
    await replica.send('SET', 'other', 'history');
    await replica.send('REPLICAOF', '127.0.0.1', String(master.port));
    await master.until('it begins', async () => (await master.info('rdb_bgsave_in_progress')) === '1');
    expect(await replica.send('ROLE')).toEqual(['slave', '127.0.0.1', master.port, 'sync', expect.any(Number)]);
    expect(String(await master.send('BGSAVE'))).toContain('Background save already in progress');
    for (let i = 0; i < 20; i++) await master.send('SET', 'long', 'x'.repeat(100_000));
    expect(Number(await master.info('mem_clients_slaves'))).toBeGreaterThan(1_900_000);
    await master.send('CLIENT', 'KILL', 'TYPE', 'replica');
    expect(await master.info('mem_clients_slaves')).toBe('0');
    expect(await master.info('mem_total_replication_buffers')).toBe(await master.info('mem_replication_backlog'));
  } finally {
    await pair.stop();
  }
});

test('what comes of the master while a script runs past its time waits, and is not refused', async () => {
  const settings = { 'busy-reply-threshold': '50', 'propagation-error-behavior': 'panic' };
  const pair = await Pair.start(['ours', 'ours'], {}, settings);
  const { master, replica } = pair;
  try {
    const script = replica.send('EVAL', 'while true do end', '0');
    const other = new Pipeline(replica.port);
    await replica.until('it is busy', async () => String(await other.call('PING')).includes('BUSY'));
    await master.client.send([['SET', 'a', '1'], ['MULTI'], ['INCR', 'a'], ['SELECT', '3'], ['INCR', 'b'], ['EXEC']]);
    await master.send('CONFIG', 'SET', 'repl-ping-replica-period', '1');
    const pinged = Number(await master.info('master_repl_offset'));
    await master.until('it has pinged', async () => Number(await master.info('master_repl_offset')) > pinged);
    expect(await other.call('SCRIPT', 'KILL')).toBe('OK');
    expect(String(await script)).toContain('Script killed by user');
    await pair.caughtUp();
    expect(
      await replica.client.send([
        ['GET', 'a'],
        ['SELECT', '3'],
        ['GET', 'b'],
      ]),
    ).toEqual(['2', 'OK', '1']);
    expect(await replica.info('unexpected_error_replies')).toBe('0');
    other.close();
  } finally {
    await pair.stop();
  }
});

test('commands of the stream take as long as they take, however long nothing came before them', async () => {
  const pair = await Pair.start(['ours', 'ours'], {}, { 'slowlog-log-slower-than': '400000' });
  try {
    await pair.caughtUp();
    await new Promise((done) => setTimeout(done, 600));
    await pair.master.send('SET', 'a', 'v');
    await pair.caughtUp();
    expect(await pair.replica.send('SLOWLOG', 'GET')).toEqual([]);
  } finally {
    await pair.stop();
  }
});

test('a replica that is owed less than the backlog holds is not closed, however large the pieces of it are', async () => {
  const settings = { 'repl-backlog-size': '100mb', 'client-output-buffer-limit': 'replica 512kb 0 0' };
  const pair = await Pair.start(['ours', 'ours'], settings);
  const { master } = pair;
  const large = 'x'.repeat(10_000_000);
  try {
    await master.client.send([
      ['MULTI'],
      ['CLIENT', 'KILL', 'TYPE', 'replica'],
      ['SET', 'key', large],
      ['SET', 'key', large],
      ['EXEC'],
    ]);
    await master.until('it goes on', async () => (await master.info('sync_partial_ok')) === '1');
    await master.client.send([['MULTI'], ['SET', 'key', large], ['SET', 'key', large], ['EXEC']]);
    await pair.caughtUp();
    expect([await master.info('sync_partial_ok'), await master.info('sync_full')]).toEqual(['1', '1']);
    expect(master.log.filter((line) => line.includes('output buffer limits'))).toEqual([]);
  } finally {
    await pair.stop();
  }
});
