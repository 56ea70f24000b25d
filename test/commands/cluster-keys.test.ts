/** A server that knows its keys by slots, over everything that goes through all keys. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sliceOf } from '../../src/base/slice.ts';
import { slotOf } from '../../src/keyspace/slot.ts';
import type { LocalSession } from '../../src/server/local.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import type { ReplyValue } from '../../src/server/session/replies.ts';
import { Effects } from '../support/effects.ts';
import { Pipeline } from '../support/pipeline.ts';
import { SlotTable } from '../support/slot-table.ts';

const KEYS = 300;

describe('a node of a cluster', () => {
  let dir: string;
  let server: CinnabarServer;
  let session: LocalSession;
  let table: SlotTable;

  /** As a node of a cluster of its own; where it `listens` it is a real one, which keeps its data. */
  async function start(listens = false): Promise<void> {
    server = createServer({
      settings: { 'cluster-enabled': 'yes', appendonly: 'yes', save: '', dir, 'enable-debug-command': 'yes' },
      persistent: true,
      port: 0,
    });
    table = new SlotTable();
    if (listens) await server.listen();
    else server.engine.membership.join(table);
    session = server.session();
    if (!listens) return;
    await call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383').catch(() => 'they are its own already');
    while (!String(await call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      await new Promise((done) => setTimeout(done, 20));
  }

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cinnabar-slots-'));
  });

  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const call = (...words: string[]): Promise<ReplyValue> => session.call(...words);
  const nameOf = (i: number): string => (i % 3 === 0 ? `{tag}${i}` : `key:${i}`);

  async function fill(): Promise<string[]> {
    const names = Array.from({ length: KEYS }, (_, i) => nameOf(i));
    for (const [i, name] of names.entries()) {
      if (i % 5 === 0) await call('SADD', name, ...Array.from({ length: i }, (_, n) => `m${n}`), 'm');
      else if (i % 5 === 1) await call('SET', name, 'v', 'EX', '100000');
      else await call('SET', name, 'v');
    }
    return names.sort();
  }

  async function scanned(): Promise<string[]> {
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, keys] = (await call('SCAN', cursor, 'COUNT', '7')) as [string, string[]];
      for (const key of keys) seen.add(key);
      cursor = next;
    } while (cursor !== '0');
    return [...seen].sort();
  }

  function verify(): void {
    server.engine.keyspaces.databases[0].verify();
  }

  test('shows the same keys by every way through them, and after every way of keeping them', async () => {
    await start(true);
    const names = await fill();
    const digest = await call('DEBUG', 'DIGEST');
    const same = async (): Promise<void> => {
      expect(((await call('KEYS', '*')) as string[]).sort()).toEqual(names);
      expect(await scanned()).toEqual(names);
      expect(await call('DBSIZE')).toBe(KEYS);
      expect(names).toContain(await call('RANDOMKEY'));
      expect(await call('DEBUG', 'DIGEST')).toBe(digest);
      const slot = slotOf(sliceOf('{tag}'));
      expect(await call('CLUSTER', 'COUNTKEYSINSLOT', String(slot))).toBe(100);
      expect(await call('CLUSTER', 'GETKEYSINSLOT', String(slot), '7')).toHaveLength(7);
      verify();
    };
    await same();
    await call('DEBUG', 'RELOAD');
    await same();
    await call('DEBUG', 'LOADAOF');
    await same();
    await call('BGREWRITEAOF');
    while (!/aof_rewrite_in_progress:0\r/.test(String(await call('INFO', 'persistence'))))
      await new Promise((done) => setTimeout(done, 10));
    await server.close();
    await start(true);
    await same();
    expect(await call('DEBUG', 'HTSTATS', '0')).toMatch(new RegExp(`number of elements: ${KEYS}\n`));
    expect(Number(/keys=(\d+)/.exec(String(await call('INFO', 'keyspace')))?.[1])).toBe(KEYS);
  });

  test('evicts, expires and flushes over all slots', async () => {
    await start();
    await fill();
    await call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '1');
    // What a command has no time for goes in the background.
    while ((await call('DBSIZE')) !== 0)
      await call('SET', 'x', 'y').catch((error: unknown) => expect(String(error)).toContain('OOM'));
    await call('CONFIG', 'SET', 'maxmemory', '0');
    const before = server.engine.memory.used;
    await fill();
    await call('FLUSHALL', 'ASYNC');
    while (server.engine.keyspaces.reclaimer.run(1000));
    expect(server.engine.memory.used).toBeLessThanOrEqual(before);
    await fill();
    for (let i = 0; i < KEYS; i++) await call('PEXPIRE', nameOf(i), '1');
    const end = performance.now() + 10_000;
    while ((await call('DBSIZE')) !== 0 && performance.now() < end) await new Promise((done) => setTimeout(done, 10));
    expect(await call('DBSIZE')).toBe(0);
    verify();
  });

  test('drops the keys of slots, of which log, replicas and watchers are told', async () => {
    await start();
    await fill();
    const { engine } = server;
    const slot = slotOf(sliceOf('{tag}'));
    const effects = new Effects();
    engine.propagation.attach(effects);
    await call('WATCH', '{tag}0');
    const names: string[] = [];
    engine.membership.eachKey(slot, 1000, (key) => names.push(key.latin1()));
    expect(names.length).toBe(100);
    engine.enter();
    expect(engine.membership.dropKeys([slot, 0])).toBe(100);
    engine.beforeWrite();
    engine.propagation.detach(effects);
    const deleted = effects.seen.map((line) => line.split(' ').pop());
    expect(deleted.sort()).toEqual(names.sort());
    await call('MULTI');
    await call('PING');
    expect(await call('EXEC')).toBe(null);
    expect([engine.membership.countKeys(slot), await call('DBSIZE'), engine.membership.isEmpty]).toEqual([
      0,
      200,
      false,
    ]);
    verify();
    await call('FLUSHALL');
    expect(engine.membership.isEmpty).toBe(true);
  });

  test('finds a key whatever the command before it on the connection was', async () => {
    await start(true);
    const client = new Pipeline(server.port);
    await client.call('ZADD', 'scores', '1', 'member');
    expect(await client.call('BITOP', 'NOSUCH', 'elsewhere', 'elsewhere')).toBeInstanceOf(Error);
    expect(await client.call('ZUNION', '1', 'scores')).toEqual(['member']);
    client.close();
  });

  test('hands to the cluster what is published, and shows who reads at replicas', async () => {
    await start();
    await call('PUBLISH', 'c', 'm');
    await call('SPUBLISH', 'd', 'n');
    expect(table.published).toEqual([
      { sharded: false, channel: 'c', message: 'm' },
      { sharded: true, channel: 'd', message: 'n' },
    ]);
    expect(await call('CLIENT', 'LIST')).toMatch(/flags=N /);
    await call('READONLY');
    expect(await call('CLIENT', 'LIST')).toMatch(/flags=r /);
  });
});
