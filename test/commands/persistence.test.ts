/** Snapshots and payloads beside redis-server 7.0.15: what one writes the other reads, with equal digests. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { type ServerProcess, startRedis } from '../support/server-process.ts';

type Command = string[];

const folder = mkdtempSync(join(tmpdir(), 'cinnabar-rdb-'));
const far = String(Date.now() + 3_600_000);

/** Keys of every type in every encoding, some with a time to live, in several databases. */
function dataset(seed: number): Command[] {
  const random = new SeededRandom(seed);
  const text = (): string =>
    random.below(3) === 0
      ? String(random.below(1_000_000) - 500_000)
      : 'ab\0cÿ'.repeat(random.below(40)) + random.below(99);
  const many = (n: number, make: (i: number) => string[]): string[] =>
    Array.from({ length: n }, (_, i) => make(i)).flat();
  const commands: Command[] = [];
  for (const db of ['0', '7', '15']) {
    commands.push(['SELECT', db]);
    for (const n of [
      '0',
      '-1',
      '127',
      '128',
      '-32769',
      '2147483647',
      '-2147483648',
      '2147483648',
      '9223372036854775807',
      '-9223372036854775808',
      '012',
      '1.5',
      '',
    ])
      commands.push(['SET', `int:${n}`, n]);
    for (let i = 0; i < 60; i++) commands.push(['SET', `string:${i}`, text(), ...(i % 3 === 0 ? ['PXAT', far] : [])]);
    commands.push(['SET', 'large', text().repeat(5000)], ['APPEND', 'raw', 'x'], ['APPEND', 'raw', '123']);
    commands.push(['RPUSH', 'list:small', '1', '-5', 'a', '70000', '5000000000']);
    commands.push(['RPUSH', 'list:nodes', ...many(900, () => [text()])], ['PEXPIREAT', 'list:nodes', far]);
    commands.push(
      ['SADD', 'set:16', ...many(90, (i) => [String(i * 3 - 100)])],
      ['SADD', 'set:32', '100000', '-100000', '5'],
    );
    commands.push(
      ['SADD', 'set:64', '9223372036854775807', '-9223372036854775808', '0'],
      ['SADD', 'set:many', ...many(700, (i) => [String(i)])],
    );
    commands.push(['SADD', 'set:words', ...many(300, (i) => [text() + i])]);
    commands.push(
      ['HSET', 'hash:small', ...many(40, (i) => [`f${i}`, String(i)])],
      ['HSET', 'hash:large', ...many(600, (i) => [`f${i}`, text()])],
    );
    commands.push(['ZADD', 'zset:small', '1', 'a', '-inf', 'b', '+inf', 'c', '1.1', 'd', '3e300', 'e', '1e-7', '17']);
    commands.push(['ZADD', 'zset:large', ...many(300, (i) => [String(i * 1.7), text() + i])]);
    for (let i = 1; i <= 350; i++)
      commands.push(['XADD', 'stream', `${i}-${i % 7}`, 'field', text(), ...(i % 9 === 0 ? [`other${i}`, '5'] : [])]);
    commands.push(['XDEL', 'stream', '17-3', '1-1', '350-0'], ['XTRIM', 'stream', 'MAXLEN', '300']);
    commands.push(['XGROUP', 'CREATE', 'stream', 'one', '0'], ['XGROUP', 'CREATE', 'stream', 'two', '$']);
    commands.push(['XGROUP', 'CREATE', 'stream', 'three', '100-2', 'ENTRIESREAD', '90']);
    for (const name of ['alice', 'bob'])
      commands.push(['XREADGROUP', 'GROUP', 'one', name, 'COUNT', '40', 'STREAMS', 'stream', '>']);
    commands.push(['XACK', 'stream', 'one', '60-4', '61-5'], ['XGROUP', 'CREATECONSUMER', 'stream', 'two', 'idle']);
    commands.push(
      ['XGROUP', 'CREATE', 'stream:none', 'g', '$', 'MKSTREAM'],
      ['XADD', 'stream:max', '18446744073709551615-18446744073709551615', 'a', 'b'],
    );
  }
  return [...commands, ['SELECT', '0']];
}

async function digest(pipeline: Pipeline): Promise<unknown> {
  const [all] = await pipeline.send([['DEBUG', 'DIGEST']]);
  return String(all);
}

async function send(pipeline: Pipeline, commands: Command[]): Promise<void> {
  for (const answer of await pipeline.send(commands)) if (answer instanceof Error) throw answer;
}

describe('snapshots', () => {
  let server: CinnabarServer;
  let ours: Pipeline;
  let redis: ServerProcess;
  let theirs: Pipeline;

  beforeAll(async () => {
    const settings = {
      dir: folder,
      save: '',
      'enable-debug-command': 'yes',
      'enable-protected-configs': 'yes',
    } as const;
    server = createServer({ port: await freePort(), settings });
    await server.listen();
    ours = new Pipeline(server.port);
    redis = await startRedis(
      '--dir',
      folder,
      '--dbfilename',
      'theirs.rdb',
      '--enable-debug-command',
      'yes',
      '--enable-protected-configs',
      'yes',
    );
    theirs = new Pipeline(redis.port);
  });

  afterAll(async () => {
    ours.close();
    theirs.close();
    await server.close();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const settle = async (): Promise<void> => {
    for (let i = 0; i < 400; i++) {
      if (!String(await ours.send([['INFO', 'persistence']])).includes('rdb_bgsave_in_progress:1')) return;
      await new Promise((done) => setTimeout(done, 25));
    }
    throw new Error('the background save does not end');
  };

  for (const settings of [
    { rdbcompression: 'yes', 'list-compress-depth': '1', 'maxmemory-policy': 'noeviction' },
    { rdbcompression: 'no', 'list-compress-depth': '0', 'maxmemory-policy': 'allkeys-lru' },
    { rdbcompression: 'yes', 'list-compress-depth': '0', 'maxmemory-policy': 'allkeys-lfu' },
  ]) {
    const words = Object.entries(settings).flat();

    test(`ours to theirs and back: ${words.join(' ')}`, async () => {
      const commands: Command[] = [['FLUSHALL'], ['CONFIG', 'SET', ...words], ...dataset(7)];
      await send(ours, commands);
      const wanted = await digest(ours);
      await send(ours, [['CONFIG', 'SET', 'dbfilename', 'dump.rdb'], ['BGSAVE']]);
      await settle();
      cpSync(join(folder, 'dump.rdb'), join(folder, 'theirs.rdb'));
      await send(theirs, [
        ['CONFIG', 'SET', ...words],
        ['DEBUG', 'RELOAD', 'NOSAVE'],
      ]);
      expect(await digest(theirs)).toBe(wanted);
      await send(theirs, [['SAVE']]);
      await send(ours, [['FLUSHALL'], ['CONFIG', 'SET', 'dbfilename', 'theirs.rdb'], ['DEBUG', 'RELOAD', 'NOSAVE']]);
      expect(await digest(ours)).toBe(wanted);
      for (const key of [
        'list:nodes',
        'set:16',
        'set:64',
        'set:many',
        'hash:small',
        'hash:large',
        'zset:small',
        'zset:large',
        'raw',
      ])
        expect(await ours.send([['OBJECT', 'ENCODING', key]]), key).toEqual(
          await theirs.send([['OBJECT', 'ENCODING', key]]),
        );
      expect(await ours.send([['PEXPIRETIME', 'string:3']])).toEqual([Number(far)]);
      const streams = ['stream', 'stream:none', 'stream:max'].map((key) => [
        'XINFO',
        'STREAM',
        key,
        'FULL',
        'COUNT',
        '0',
      ]);
      const info = (all: readonly unknown[]): string =>
        JSON.stringify(all)
          .replace(/"radix-tree-(keys|nodes)",\d+/g, '')
          .replace(/"seen-time",\d+/g, '');
      expect(info(await ours.send(streams))).toBe(info(await theirs.send(streams)));
    });
  }

  test('DUMP here is RESTORE there, and the other way round', async () => {
    const commands: Command[] = [['FLUSHALL'], ...dataset(11)];
    await send(ours, commands);
    await send(theirs, [['FLUSHALL']]);
    const [keys] = (await ours.send([['KEYS', '*']])) as unknown as [string[]];
    for (const key of keys) {
      const [payload] = await ours.send([['DUMP', key]]);
      const [restored] = await theirs.send([['RESTORE', key, '0', String(payload)]]);
      expect(restored, key).toBe('OK');
      const [back] = await theirs.send([['DUMP', key]]);
      const [again] = await ours.send([['RESTORE', key, '0', String(back), 'REPLACE']]);
      expect(again, key).toBe('OK');
      expect(await ours.send([['DEBUG', 'DIGEST-VALUE', key]]), key).toEqual(
        await theirs.send([['DEBUG', 'DIGEST-VALUE', key]]),
      );
    }
  });

  test('RESTORE tells what is wrong as redis-server does', async () => {
    await send(ours, [['FLUSHALL'], ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction'], ['SET', 'a', 'b']]);
    await send(theirs, [['FLUSHALL'], ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction'], ['SET', 'a', 'b']]);
    const [payload] = (await ours.send([['DUMP', 'a']])) as [string];
    const cases: Command[] = [
      ['RESTORE', 'a', '0', payload],
      ['RESTORE', 'b', '-1', payload],
      ['RESTORE', 'b', 'x', payload],
      ['RESTORE', 'b', '0', 'short'],
      ['RESTORE', 'b', '0', `${payload}x`],
      ['RESTORE', 'b', '0', payload, 'NOSUCH'],
      ['RESTORE', 'b', '0', payload, 'IDLETIME'],
      ['RESTORE', 'b', '0', payload, 'IDLETIME', '-1'],
      ['RESTORE', 'b', '0', payload, 'FREQ', '256'],
      ['RESTORE', 'b', '0', payload, 'FREQ', '1', 'IDLETIME', '1'],
      ['RESTORE', 'b', '1', payload, 'ABSTTL'],
      ['EXISTS', 'b'],
      ['RESTORE', 'b', '100000', payload, 'IDLETIME', '1000', 'REPLACE'],
      ['OBJECT', 'IDLETIME', 'b'],
      ['RESTORE', 'a', '1', payload, 'ABSTTL', 'REPLACE'],
      ['EXISTS', 'a'],
      ['DUMP', 'nosuchkey'],
    ];
    const shown = (answers: readonly unknown[]): string[] => answers.map(String);
    expect(shown(await ours.send(cases))).toEqual(shown(await theirs.send(cases)));
  });

  test('a snapshot shows the instant at which it was asked for', async () => {
    await send(ours, [['FLUSHALL'], ['CONFIG', 'SET', 'dbfilename', 'instant.rdb'], ...dataset(3)]);
    const wanted = await digest(ours);
    const later = dataset(4);
    const [started] = await ours.send([['BGSAVE'], ...later, ['FLUSHDB'], ['RPUSH', 'list:nodes', 'x']]);
    expect(started).toBe('Background saving started');
    await settle();
    expect(await digest(ours)).not.toBe(wanted);
    await send(ours, [['DEBUG', 'RELOAD', 'NOSAVE']]);
    expect(await digest(ours)).toBe(wanted);
  });

  test('FLUSHALL ends a snapshot under way, and the old file stays', async () => {
    await send(ours, [['FLUSHALL'], ['SET', 'old', '1'], ['CONFIG', 'SET', 'dbfilename', 'kept.rdb'], ['SAVE']]);
    await send(ours, [['DEBUG', 'POPULATE', '1000'], ['CONFIG', 'SET', 'rdb-key-save-delay', '100000'], ['BGSAVE']]);
    expect(String(await ours.send([['INFO', 'persistence']]))).toContain('rdb_bgsave_in_progress:1');
    expect(await ours.send([['BGSAVE'], ['SAVE']])).toSatisfy((all: unknown[]) =>
      all.every((each) => each instanceof Error),
    );
    await send(ours, [['FLUSHALL'], ['CONFIG', 'SET', 'rdb-key-save-delay', '0']]);
    await settle();
    expect(String(await ours.send([['INFO', 'persistence']]))).toContain('rdb_last_bgsave_status:ok');
    await send(ours, [['DEBUG', 'RELOAD', 'NOSAVE']]);
    expect(await ours.send([['GET', 'old'], ['DBSIZE']])).toEqual(['1', 1]);
    await new Promise((done) => setTimeout(done, 50));
    expect(readdirSync(folder).filter((name) => name.startsWith('temp-'))).toEqual([]);
  });

  test('a failed snapshot refuses writes where snapshots are configured', async () => {
    await send(ours, [
      ['FLUSHALL'],
      ['SET', 'x', '1'],
      ['CONFIG', 'SET', 'dbfilename', 'folder.rdb', 'save', '900 100000'],
    ]);
    writeFileSync(join(folder, 'notes'), '');
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(folder, 'folder.rdb', 'within'), { recursive: true });
    await send(ours, [['BGSAVE']]);
    await settle();
    const [write, read, ping] = await ours.send([['SET', 'x', '2'], ['GET', 'x'], ['PING']]);
    expect(String(write)).toContain('MISCONF Redis is configured to save RDB snapshots');
    expect(read).toBe('1');
    expect(String(ping)).toContain('MISCONF');
    rmSync(join(folder, 'folder.rdb'), { recursive: true });
    await send(ours, [['BGSAVE']]);
    await settle();
    await send(ours, [
      ['SET', 'x', '2'],
      ['CONFIG', 'SET', 'save', ''],
    ]);
    expect(existsSync(join(folder, 'folder.rdb'))).toBe(true);
  });
});
