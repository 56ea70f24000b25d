/** A turn has an end whether anybody is owed a reply or not, and what comes from outside is judged by the clock of its time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FakeConnection, FakeServer } from '../../support/fake-transport.ts';

let fake: FakeServer;
let a: FakeConnection;
let b: FakeConnection;

beforeEach(async () => {
  fake = new FakeServer({ 'slowlog-log-slower-than': 1000, 'latency-monitor-threshold': 1 });
  await fake.listen();
  a = fake.connect();
  b = fake.connect();
});

afterEach(() => fake.close());

/** Reads that owe no reply. */
const SILENT: Readonly<Record<string, () => void>> = {
  BLPOP: () => a.command('BLPOP', 'queue', 0),
  'BLPOP with a limit': () => a.command('BLPOP', 'queue', 1000),
  'XREAD BLOCK': () => a.command('XREAD', 'BLOCK', 0, 'STREAMS', 'log', '$'),
  'CLIENT REPLY OFF': () => {
    a.command('CLIENT', 'REPLY', 'OFF');
    a.command('SET', 'unheard', 1);
  },
  'CLIENT REPLY SKIP': () => {
    a.command('CLIENT', 'REPLY', 'SKIP');
    a.command('SET', 'unheard', 1);
  },
  'a part of a command': () => a.arrive('*2\r\n$3\r\nGE'),
  'a paused command': () => {
    b.command('CLIENT', 'PAUSE', 100_000, 'WRITE');
    a.command('SET', 'held', 1);
  },
};

describe.each(Object.entries(SILENT))('after %s', (_, silent) => {
  beforeEach(async () => {
    await fake.ask(b, 'SET', 'mortal', 1, 'PX', 1040);
    silent();
    await fake.turn();
    fake.clock.advance(1000);
  });

  test('nobody is charged for idle time', async () => {
    await fake.ask(b, 'GET', 'mortal');
    expect(await fake.ask(b, 'SLOWLOG', 'LEN')).toBe(':0');
    expect(await fake.ask(b, 'LATENCY', 'LATEST')).toBe('*0');
    expect(await fake.ask(b, 'INFO', 'commandstats')).toContain('cmdstat_get:calls=1,usec=0,');
  });

  test('a key lives as long as it was told to', async () => {
    await fake.ask(b, 'CLIENT', 'UNPAUSE');
    fake.clock.advance(77);
    await fake.ask(b, 'SET', 'short', 1, 'PX', 50);
    expect(await fake.ask(b, 'GET', 'short')).toBe('$1\r\n1');
    expect(await fake.ask(b, 'PTTL', 'short')).toBe(':50');
    silent();
    await fake.turn();
    fake.clock.advance(51);
    expect(await fake.ask(b, 'GET', 'short')).toBe('$-1');
  });

  test('a dead key is served to nobody, scripts included', async () => {
    await fake.ask(b, 'CLIENT', 'UNPAUSE');
    fake.clock.advance(41);
    expect(await fake.ask(b, 'EVAL', "return redis.call('GET', KEYS[1])", 1, 'mortal')).toBe('$-1');
    silent();
    await fake.turn();
    expect(await fake.ask(b, 'GET', 'mortal')).toBe('$-1');
  });

  test('the IDs of a stream are of their time', async () => {
    await fake.ask(b, 'CLIENT', 'UNPAUSE');
    fake.clock.advance(81);
    expect(await fake.ask(b, 'XADD', 'other', '*', 'f', 'v')).toContain(`\r\n${fake.clock.now()}-0`);
    expect(await fake.ask(b, 'EVAL', "return redis.call('XADD', KEYS[1], '*', 'f', 'v')", 1, 'third')).toContain(
      `${fake.clock.now()}-0`,
    );
  });
});

test('a command that a pause held sees the time at which it runs', async () => {
  await fake.ask(b, 'CLIENT', 'PAUSE', 500, 'WRITE');
  a.command('XADD', 'log', '*', 'f', 'v');
  await fake.turn();
  fake.clock.advance(500);
  fake.clock.advance(0);
  await fake.turn();
  expect(a.sent).toContain(`\r\n${fake.clock.now()}-0`);
});

test('commands of one read see the time that those before them took', async () => {
  await fake.ask(b, 'SET', 'short', 1, 'PX', 50);
  await fake.ask(b, 'MULTI');
  fake.clock.advance(51);
  expect(await fake.ask(b, 'GET', 'short')).toBe('+QUEUED');
  expect(await fake.ask(b, 'EXEC')).toBe('*1\r\n$-1');
});

describe('what the end of a turn brings, though nobody is owed a reply', () => {
  test('the log is written and synced', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cinnabar-turn-'));
    const logging = new FakeServer({ dir: folder, appendfsync: 'always' });
    try {
      await logging.listen();
      const silent = logging.connect();
      expect(await logging.ask(silent, 'CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK');
      silent.command('CLIENT', 'REPLY', 'OFF');
      silent.command('SET', 'unheard', 'of');
      await logging.turn();
      const increments = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((n) => n.includes('incr'));
      expect(increments.map((name) => readFileSync(join(folder, name), 'latin1')).join('')).toContain('unheard');
    } finally {
      await logging.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('those who track prefixes are told', async () => {
    await fake.ask(b, 'HELLO', 3);
    await fake.ask(b, 'CLIENT', 'TRACKING', 'ON', 'BCAST');
    b.sent = '';
    a.command('CLIENT', 'REPLY', 'OFF');
    a.command('SET', 'unheard', 1);
    await fake.turn();
    expect(b.sent).toContain('invalidate');
    expect(b.sent).toContain('unheard');
  });

  test('the memory of clients is bounded', async () => {
    await fake.ask(b, 'CLIENT', 'NO-EVICT', 'ON');
    await fake.ask(b, 'CONFIG', 'SET', 'maxmemory-clients', 200_000);
    a.command('CLIENT', 'REPLY', 'OFF');
    a.command('MULTI');
    for (let i = 0; i < 30; i++) a.command('SET', 'k', 'v'.repeat(10_000));
    await fake.turn();
    await fake.turn();
    expect(a.closed).toBe(true);
  });
});

test('reads and writes are counted', async () => {
  await fake.ask(b, 'CONFIG', 'RESETSTAT');
  await fake.ask(b, 'PING');
  const stats = await fake.ask(b, 'INFO', 'stats');
  expect(stats).toContain('total_reads_processed:2\r');
  expect(stats).toMatch(/total_writes_processed:2\r/);
});
