/** Replication over real sockets: every mix of ours and redis-server, from disk and without. */
import { describe, expect, test } from 'vitest';
import { type Kind, Pair } from '../support/pair.ts';

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
