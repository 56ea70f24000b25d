/**
 * A replica whose synchronisation lasts, while its master writes more than the class of replicas may be owed: it is cut off
 * before it is done, and begins anew for ever. That is so with redis-server, and must not be with ours.
 */
import { expect, test } from 'vitest';
import { type Kind, Node } from '../support/pair.ts';

const SETTINGS = {
  'client-output-buffer-limit': 'replica 1mb 0 0',
  'repl-backlog-size': '16kb',
  'repl-diskless-sync': 'no',
  'rdb-key-save-delay': '2000',
};
const KEYS = 500;
const PIECE = 'x'.repeat(100_000);
const LONGEST_MS = 40_000;

/** Writes while the replica synchronizes, until its link is up or it has had to begin for the third time. */
async function synchronized(kind: Kind): Promise<{ up: boolean; full: number; owed: number }> {
  const [master, replica] = [await Node.start(kind, SETTINGS), await Node.start('redis')];
  try {
    await master.client.send(Array.from({ length: KEYS }, (_, i) => ['SET', `key:${i}`, 'v']));
    await replica.send('REPLICAOF', '127.0.0.1', String(master.port));
    const end = performance.now() + LONGEST_MS;
    let [up, full, owed] = [false, 0, 0];
    while (!up && full < 3 && performance.now() < end) {
      for (let i = 0; i < 10; i++) {
        await master.send('SET', 'k', PIECE);
        await new Promise((done) => setTimeout(done, 10));
      }
      up = (await replica.info('master_link_status')) === 'up';
      full = Number(await master.info('sync_full'));
      owed = Math.max(owed, Number(await master.info('mem_total_replication_buffers')));
    }
    return { up, full, owed };
  } finally {
    await replica.stop();
    await master.stop();
  }
}

test('redis-server begins anew', async () => {
  expect(await synchronized('redis')).toMatchObject({ up: false, full: 3 });
}, 90_000);

test('ours goes on to the end, with more owed than the class may be', async () => {
  const { up, full, owed } = await synchronized('ours');
  expect([up, full]).toEqual([true, 1]);
  expect(owed).toBeGreaterThan(2_000_000);
}, 90_000);
