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
