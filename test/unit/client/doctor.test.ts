/** `cinnabar doctor` and `cinnabar bench`. */
import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine, type Facts } from '../../../src/client/findings.ts';
import { MAIN, type ServerProcess, startCinnabar } from '../../support/server-process.ts';

const NOTHING: Facts = { info: new Map(), config: new Map(), slow: [], latency: [], samples: [], open: false };
const GIBIBYTE = String(2 ** 30);

/** A server with nothing to complain of, with these figures in the place of its own. */
function found(
  info: Readonly<Record<string, string>>,
  others: Partial<Facts> = {},
  config: Readonly<Record<string, string>> = {},
): string[] {
  const healthy = {
    role: 'master',
    connected_slaves: '1',
    slave0: 'ip=10.0.0.2,port=6379,state=online,offset=1,lag=0',
    maxmemory: GIBIBYTE,
    maxmemory_policy: 'noeviction',
    total_system_memory: String(4 * 2 ** 30),
    used_memory: '1000000',
    maxclients: '10000',
    connected_clients: '5',
    db0: 'keys=20000,expires=100,avg_ttl=0',
  };
  const settings = { save: '3600 1', 'min-replicas-to-write': '1', 'latency-monitor-threshold': '100' };
  const facts = {
    ...NOTHING,
    ...others,
    info: new Map(Object.entries({ ...healthy, ...info })),
    config: new Map(Object.entries({ ...settings, ...config })),
  };
  return examine(facts).map(({ level, title }) => `${level}: ${title}`);
}

describe('what the figures say', () => {
  test('nothing of a healthy server, nor of one that tells nothing but its memory', () => {
    expect(found({})).toEqual([]);
    expect(examine({ ...NOTHING, info: new Map([['maxmemory', GIBIBYTE]]) })).toEqual([]);
  });

  test.each<[string, Record<string, string>, Record<string, string>?]>([
    ['risk: There is no limit for memory', { maxmemory: '0' }],
    ['risk: The limit for memory leaves the system too little', { total_system_memory: GIBIBYTE }],
    ['risk: Memory is nearly full', { used_memory: GIBIBYTE }],
    ['note: Memory is nearly full', { used_memory: GIBIBYTE, maxmemory_policy: 'allkeys-lru' }],
    ['risk: Nothing can be evicted', { maxmemory_policy: 'volatile-ttl', db0: 'keys=5,expires=0,avg_ttl=0' }],
    ['warning: Keys were evicted', { evicted_keys: '1' }],
    ['risk: Nothing is saved', {}, { save: '' }],
    ['risk: The last snapshot has failed', { rdb_last_bgsave_status: 'err' }],
    ['risk: The append-only file can not be written', { aof_last_write_status: 'err' }],
    ['warning: The append-only file is never synced', { aof_enabled: '1' }, { appendfsync: 'no' }],
    ['warning: The disk is slow', { aof_delayed_fsync: '3' }],
    ['risk: The link to the master is down', { role: 'slave', master_link_status: 'down' }],
    ['warning: This replica takes writes', { role: 'slave', slave_read_only: '0' }],
    ['note: There is no replica', { connected_slaves: '0' }],
    ['warning: Replicas are behind', { slave0: 'ip=10.0.0.2,port=6379,state=online,offset=1,lag=60' }],
    ['note: Writes are acknowledged whether replicas have them or not', {}, { 'min-replicas-to-write': '0' }],
    ['warning: Replicas had to begin anew', { sync_full: '5', sync_partial_err: '4' }],
    ['risk: Connections were refused', { rejected_connections: '1' }],
    ['warning: Nearly as many clients as are allowed', { connected_clients: '9000' }],
    ['warning: KEYS is used', { cmdstat_keys: 'calls=3,usec=1' }],
    ['note: Nobody watches the latency', {}, { 'latency-monitor-threshold': '0' }],
    ['warning: Clients were refused', { errorstat_OOM: 'count=2' }],
    ['warning: Memory is fragmented', { mem_fragmentation_ratio: '2.5', used_memory_rss: GIBIBYTE }],
    ['note: Most reads find nothing', { keyspace_hits: '400', keyspace_misses: '600' }],
  ])('%s', (finding, info, config) => {
    expect(found(info, {}, config)).toEqual([finding]);
  });

  test('open to everybody, slow commands, moments of slowness, large keys', () => {
    expect(found({}, { open: true }, { 'protected-mode': 'no', bind: '* -::*' })).toEqual([
      'risk: Everybody who reaches the port can do everything',
    ]);
    expect(found({}, { open: true }, { 'protected-mode': 'no', bind: '127.0.0.1 -::1' })).toEqual([]);
    const key = { database: 0, key: 'k', type: 'list' };
    const slow = [{ name: 'keys', microseconds: 12_345 }];
    expect(found({}, { slow, latency: [{ name: 'fork', worst: 50 }], samples: [{ ...key, bytes: 2 ** 21 }] })).toEqual([
      'warning: Slow commands',
      'warning: Moments of slowness',
      'note: Large keys',
    ]);
    expect(
      found(
        {},
        {
          samples: [
            { ...key, bytes: 2 ** 27 },
            { ...key, bytes: 100 },
          ],
        },
      ),
    ).toEqual(['warning: Large keys']);
  });
});

describe('against a server', () => {
  let server: ServerProcess;
  let redis: Redis;

  beforeAll(async () => {
    server = await startCinnabar('--slowlog-log-slower-than', '0');
    redis = new Redis(server.port, '127.0.0.1', { db: 3 });
    await redis.setrange('large', 3_000_000, 'x');
    await redis.set('small', 'x');
  });

  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  function run(...args: string[]): { out: string; err: string; code: number | null } {
    const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, ...args, '-p', String(server.port)], {
      encoding: 'utf8',
    });
    return { out: stdout, err: stderr, code: status };
  }

  test('the doctor looks at everything, and says what to do', () => {
    const { out, err, code } = run('doctor');
    expect([err, code]).toEqual(['', 2]);
    expect(out).toContain(`127.0.0.1:${server.port}: Redis 7.0.15, master, up for 0.0 days, 2 keys, `);
    expect(out).toMatch(
      /RISK {5}There is no limit for memory\n {9}It holds .*\n(?: {9}.*\n)*? {9}-> CONFIG SET maxmemory \d+mb/,
    );
    const unwrapped = out.replace(/\s+/g, ' ');
    expect(unwrapped).toMatch(/"large" \(string, [23]\.\d MiB, database 3\)/);
    expect(unwrapped).toContain('SETRANGE (1 times');
    expect(out).toMatch(/\n\d+ risks?, \d+ warnings?, \d+ notes?\n$/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(120);
  });

  test('nobody there', () => {
    const { stderr, status } = spawnSync(process.execPath, [MAIN, 'doctor', '-p', '1'], { encoding: 'utf8' });
    expect([stderr, status]).toEqual([
      'cinnabar doctor: Could not connect to Redis at 127.0.0.1:1: Connection refused\n',
      1,
    ]);
  });

  test('the load generator asks as often as it was told, and tells how fast', async () => {
    await redis.config('RESETSTAT');
    const { out, err, code } = run('bench', '-t', 'set,lrange_100', '-n', '1000', '-c', '10', '-P', '7', '-r', '100');
    expect([err, code]).toEqual(['', 0]);
    expect(out).toMatch(
      /^test +requests\/s +p50 ms +p95 ms +p99 ms +longest\nset( +[\d.]+){5}\nlrange_100( +[\d.]+){5}\n$/,
    );
    const stats = await redis.info('commandstats');
    expect([/cmdstat_set:calls=1000,/.test(stats), /cmdstat_lrange:calls=1000,/.test(stats)]).toEqual([true, true]);
    await redis.select(0);
    expect(await redis.dbsize()).toBeLessThanOrEqual(101);
    expect(run('bench', '-t', 'nosuch')).toMatchObject({
      err: "cinnabar bench: There is no test 'nosuch'.\n",
      code: 1,
    });
  });
});
