import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { sliceOf } from '../../src/base/slice.ts';
import { Beside } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start({ 'enable-debug-command': 'yes' });
});

afterAll(() => both.stop());

async function ours(...command: string[]): Promise<Answer> {
  return (await both.ours.send([command]))[0];
}

/** Fields that only we have. */
const OWN_FIELDS = new Set([
  'node_version',
  'last_full_sync_reason',
  'last_replica_link_end',
  'used_memory_runtime',
  'used_memory_runtime_human',
]);

/** Field names, one a line, of INFO. */
function fields(_: readonly string[], answer: Answer): Answer {
  if (typeof answer !== 'string') return answer;
  return answer
    .split('\r\n')
    .map((line) => line.split(':')[0])
    .filter((name) => !OWN_FIELDS.has(name));
}

function keysOnly(_: readonly string[], answer: Answer): Answer {
  return Array.isArray(answer) ? answer.filter((_each, i) => i % 2 === 0) : answer;
}

describe('CONFIG beside the real server', () => {
  test('SET and GET of every kind of setting', () =>
    both.same(`
      CONFIG SET maxmemory 1gb
      CONFIG GET maxmemory
      CONFIG SET maxmemory 10%
      CONFIG SET maxmemory-clients 50% hz 1000
      CONFIG GET maxmemory-clients
      CONFIG GET hz
      CONFIG SET maxmemory-clients 101%
      CONFIG SET maxmemory-clients x%
      CONFIG SET maxmemory 0 maxmemory-clients 0 hz 10
      CONFIG SET hash-max-ziplist-entries 5
      CONFIG GET HASH-max-listpack-entries
      CONFIG SET hash-max-listpack-entries 512
      CONFIG SET save "10 5 20 6"
      CONFIG GET save
      CONFIG SET save "10"
      CONFIG SET save ""
      CONFIG SET notify-keyspace-events KEg$lshzxetdmn
      CONFIG GET notify-keyspace-events
      CONFIG SET notify-keyspace-events q
      CONFIG SET notify-keyspace-events ""
      CONFIG SET client-output-buffer-limit "slave 1 2 3 normal 5 6 7"
      CONFIG GET client-output-buffer-limit
      CONFIG SET client-output-buffer-limit "normal 1 2 x"
      CONFIG SET client-output-buffer-limit "normal 1 2"
      CONFIG SET client-output-buffer-limit "normal 0 0 0 slave 256mb 64mb 60"
      CONFIG SET shutdown-on-sigterm "nosave force now"
      CONFIG GET shutdown-on-sigterm
      CONFIG SET shutdown-on-sigterm "save nosave"
      CONFIG SET shutdown-on-sigterm default
      CONFIG SET latency-tracking-info-percentiles "0 50.5 100"
      CONFIG GET latency-tracking-info-percentiles
      CONFIG SET latency-tracking-info-percentiles "50 99 99.9"
    `));

  test('errors, and the order in which they are found', () =>
    both.same(`
      CONFIG
      CONFIG NOSUCH
      CONFIG GET
      CONFIG SET a
      CONFIG SET a b c
      CONFIG SET nosuch 1 port x
      CONFIG SET port x nosuch 1
      CONFIG SET port 70000
      CONFIG SET daemonize yes port x
      CONFIG SET dir /tmp
      CONFIG SET maxmemory 1 maxmemory 2
      CONFIG SET appendonly maybe
      CONFIG SET maxmemory-policy x
      CONFIG SET tcp-keepalive -1
      CONFIG SET tcp-keepalive 1.5
      CONFIG SET oom-score-adj-values "1 2"
      CONFIG SET proc-title-template {x}
      CONFIG SET slowlog-max-len 99999999999999999999
      CONFIG RESETSTAT x
      CONFIG REWRITE
      CONFIG HELP
    `));

  test('every setting exists, with the same value', async () => {
    const same = await both.theirs.send([['CONFIG', 'GET', '*']]);
    const pairs = same[0];
    if (!Array.isArray(pairs)) throw new Error('CONFIG GET is an array');
    const own = new Set(['port', 'dir', 'bind', 'enable-debug-command']);
    for (let i = 0; i < pairs.length; i += 2) {
      if (own.has(String(pairs[i]))) continue;
      expect([pairs[i], both.server.config.text(String(pairs[i]))]).toEqual([pairs[i], pairs[i + 1]]);
    }
    // Ours alone: log-format, repl-sync-buffer-to-maxmemory and what begins with raft- or console-.
    const further = both.server.config.get([sliceOf('raft-*'), sliceOf('console-*')]).size;
    expect(both.server.config.get([sliceOf('*')]).size).toBe(pairs.length / 2 + 2 + further);
  });

  test('a port that is taken is refused and everything put back', async () => {
    const taken = String(both.theirsPort);
    expect(String(await ours('CONFIG', 'SET', 'maxmemory', '5gb', 'port', taken))).toContain(
      "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
    );
    expect(await ours('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '0']);
    expect(await ours('PING')).toBe('PONG');
  });
});

describe('INFO', () => {
  test('sections and fields are those of the real server', () =>
    both.same(
      `
      INFO server
      INFO clients
      INFO memory
      INFO persistence
      INFO stats
      INFO replication
      INFO cpu
      INFO modules
      INFO cluster
      INFO keyspace
      INFO nosuch
      INFO CPU keyspace cpu
    `,
      fields,
    ));

  test('figures follow what happens', async () => {
    await both.ours.send([
      ['FLUSHALL'],
      ['CONFIG', 'RESETSTAT'],
      ['SET', 'a', '1'],
      ['GET', 'a'],
      ['GET', 'b'],
      ['GET'],
    ]);
    await both.ours.send([['SET', 'e', '1', 'EX', '100']]);
    const info = String(await ours('INFO', 'everything'));
    for (const line of ['keyspace_hits:1', 'keyspace_misses:1', 'total_error_replies:1', 'errorstat_ERR:count=1'])
      expect(info).toContain(`${line}\r\n`);
    expect(info).toMatch(/cmdstat_get:calls=2,usec=\d+,usec_per_call=[\d.]+,rejected_calls=1,failed_calls=0\r\n/);
    expect(info).toMatch(/latency_percentiles_usec_get:p50=[\d.]+,p99=[\d.]+,p99.9=[\d.]+\r\n/);
    expect(info).toMatch(/db0:keys=2,expires=1,avg_ttl=\d+\r\n/);
  });

  test('used_memory is back at the start after FLUSHALL', async () => {
    await ours('FLUSHALL');
    const used = async () => Number(/used_memory:(\d+)/.exec(String(await ours('INFO', 'memory')))?.[1]);
    const before = await used();
    await ours('DEBUG', 'POPULATE', '10000', 'k', '100');
    expect(await used()).toBeGreaterThan(before + 1_000_000);
    await ours('FLUSHALL');
    await vi.waitFor(async () => expect(await used()).toBe(before));
  });
});

describe('the rest, beside the real server', () => {
  test('DBSIZE, FLUSHDB, FLUSHALL, SWAPDB', () =>
    both.same(`
      FLUSHALL
      SET a 1
      SELECT 1
      SET b 1
      DBSIZE
      SWAPDB 0 1
      KEYS *
      SWAPDB a 1
      SWAPDB 1 b
      SWAPDB 1 99999999999
      SWAPDB 0 16
      SWAPDB 0 -1
      FLUSHDB ASYNC
      FLUSHDB x
      FLUSHALL SYNC x
      FLUSHALL sync
      SELECT 0
      DBSIZE
    `));

  test('digests', () =>
    both.same(`
      FLUSHALL
      DEBUG DIGEST
      MSET a 1 b "hello world" c 1.5
      EXPIRE c 1000
      RPUSH l a b 1 2 -5
      SADD s 1 2 3
      SADD t a 1 2
      HSET h f v 1 2
      ZADD z 1 a 2.5 b inf c -inf d 1e20 e 3.14159265358979 f 1e17 g 0.1 i
      SELECT 3
      SET x y PX 100000
      SELECT 0
      DEBUG POPULATE 100 p 50
      DEBUG POPULATE 10 q
      DEBUG DIGEST
      DEBUG DIGEST-VALUE a b c l s t h z none
      FLUSHALL
    `));

  test('DEBUG', () =>
    both.same(`
      SET s abc
      DEBUG
      DEBUG NOSUCH
      DEBUG HELP
      DEBUG OBJECT none
      DEBUG OBJECT
      DEBUG HTSTATS 99
      DEBUG HTSTATS x
      DEBUG HTSTATS-KEY s
      DEBUG HTSTATS-KEY none
      DEBUG POPULATE -1
      DEBUG POPULATE x
      DEBUG SET-ACTIVE-EXPIRE 0
      DEBUG SET-ACTIVE-EXPIRE 1
      DEBUG QUICKLIST-PACKED-THRESHOLD 100b
      DEBUG QUICKLIST-PACKED-THRESHOLD 5gb
      DEBUG QUICKLIST-PACKED-THRESHOLD 0
      DEBUG PROTOCOL map
      DEBUG PROTOCOL double
      DEBUG PROTOCOL x
      DEBUG LISTPACK s
      DEBUG ERROR "MY error"
      DEBUG SLEEP 0
      DEBUG LOG x
      DEBUG CHANGE-REPL-ID
    `));

  test('SLOWLOG, LATENCY, MEMORY, WAIT, SHUTDOWN: arguments', () =>
    both.same(`
      SLOWLOG GET -2
      SLOWLOG GET x
      SLOWLOG GET 1 2
      SLOWLOG HELP
      LATENCY LATEST
      LATENCY HISTORY x
      LATENCY GRAPH x
      LATENCY RESET x
      LATENCY HELP
      MEMORY USAGE none
      MEMORY USAGE s SAMPLES -1
      MEMORY USAGE s SAMPLES x
      MEMORY USAGE s x 1
      MEMORY PURGE
      MEMORY HELP
      WAIT 0 0
      WAIT 1 5
      WAIT x 0
      WAIT 0 -1
      WAIT 0 x
      SHUTDOWN x
      SHUTDOWN ABORT
      SHUTDOWN ABORT NOW
      SHUTDOWN SAVE NOSAVE
      ROLE x
      TIME x
      LOLWUT VERSION x
      LOLWUT VERSION 9
      LOLWUT VERSION 9 x
      COMMAND NOSUCH
    `));

  test('MEMORY STATS has the same fields', () => both.same('FLUSHALL\nMEMORY STATS', keysOnly));

  test('SLOWLOG keeps what is asked for, without secrets', async () => {
    await ours('CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '3');
    await ours('SLOWLOG', 'RESET');
    await ours('CONFIG', 'SET', 'masterauth', 'secret', 'hz', '10');
    await ours('SET', 'k', 'x'.repeat(200));
    await ours('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
    const entries = await ours('SLOWLOG', 'GET', '-1');
    if (!Array.isArray(entries)) throw new Error('SLOWLOG GET is an array');
    const args = entries.map((entry) => (Array.isArray(entry) ? entry[3] : entry));
    expect(args[1]).toEqual(['CONFIG', 'SET', 'masterauth', '(redacted)', 'hz', '10']);
    expect(args[0]).toEqual(['SET', 'k', `${'x'.repeat(128)}... (72 more bytes)`]);
    expect(await ours('SLOWLOG', 'LEN')).toBe(3);
  });

  test('MONITOR shows commands as they run, quoted', async () => {
    const watcher = new Pipeline(both.server.port);
    expect(await watcher.send([['MONITOR']])).toEqual(['OK']);
    await both.ours.send([['SET', 'a"b', '\x00\xff\n'], ['MULTI'], ['GET', 'x'], ['EXEC'], ['CONFIG', 'GET', 'port']]);
    const shown = (await watcher.send([['PING'], ['PING'], ['PING'], ['PING']])).concat(watcher.unasked());
    const text = shown
      .map((line) => String(line).replace(/^[\d.]+ \[0 [\d.:]+\] /, ''))
      .filter((line) => line !== 'PONG');
    expect(text.slice(0, 4)).toEqual(['"SET" "a\\"b" "\\x00\\xff\\n"', '"MULTI"', '"GET" "x"', '"EXEC"']);
    expect(text.some((line) => line.includes('CONFIG'))).toBe(false);
    watcher.close();
  });

  test('LOLWUT ends with the version', async () => {
    expect(String(await ours('LOLWUT')).trimEnd()).toMatch(/Redis ver\. 7\.0\.15$/);
  });
});
