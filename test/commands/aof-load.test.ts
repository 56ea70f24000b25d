/** Loading the append-only file, whatever state it is in: what is in memory then, what the log says, what is left on disk. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogServer, until } from '../support/log-server.ts';
import { Pipeline } from '../support/pipeline.ts';

const state = { folder: '' };

beforeEach(() => {
  state.folder = mkdtempSync(join(tmpdir(), 'cinnabar-aof-load-'));
  mkdirSync(join(state.folder, 'appendonlydir'));
});

afterEach(() => rmSync(state.folder, { recursive: true, force: true }));

function record(...parts: (string | number)[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${String(part).length}\r\n${part}\r\n`).join('')}`;
}

const INCREMENT = 'appendonly.aof.1.incr.aof';
const path = (name: string): string => join(state.folder, 'appendonlydir', name);

/** Puts files of a log into the folder, and a manifest that names them. */
function files(content: Readonly<Record<string, string>>): void {
  let manifest = '';
  for (const [name, text] of Object.entries(content)) {
    writeFileSync(path(name), text, 'latin1');
    const seq = name.split('.')[2];
    manifest += `file ${name} seq ${seq} type ${name.includes('.base.') ? 'b' : 'i'}\n`;
  }
  writeFileSync(path('appendonly.aof.manifest'), manifest);
}

interface Outcome {
  readonly failed: boolean;
  readonly log: string;
}

/** Starts a server over the files; runs `use` with it if it starts. */
async function start(
  settings: Readonly<Record<string, string>> = {},
  use: (server: LogServer) => Promise<void> = async () => {},
): Promise<Outcome> {
  const lines: string[] = [];
  let server: LogServer;
  try {
    server = await LogServer.start(state.folder, settings, lines);
  } catch {
    return { failed: true, log: lines.join('') };
  }
  try {
    await use(server);
  } finally {
    await server.stop();
  }
  return { failed: false, log: lines.join('') };
}

async function expectValues(server: LogServer, wanted: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [key, value] of Object.entries(wanted)) expect(await server.client.call('GET', key), key).toBe(value);
}

describe('what a file holds', () => {
  test('commands, databases, annotations, transactions, scripts and functions', async () => {
    files({
      'appendonly.aof.1.base.aof': `#TS:1\r\n${record('SET', 'a', 1)}${record('SELECT', 3)}${record('SET', 'b', 2)}`,
      [INCREMENT]:
        record('SET', 'c', 3) +
        record('MULTI') +
        record('SET', 'd', 4) +
        record('INCR', 'd') +
        record('EXEC') +
        record('EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", 1, 'e', 6) +
        record(
          'FUNCTION',
          'LOAD',
          "#!lua name=lib\nredis.register_function('f', function(k) return redis.call('SET', k[1], '7') end)",
        ) +
        record('FCALL', 'f', 1, 'f'),
    });
    const { log } = await start({}, async (server) => {
      // Each file begins with database 0.
      await expectValues(server, { a: '1', b: null, c: '3', d: '5', e: '6', f: '7' });
      expect(await server.run('SELECT 3\nGET b\nDBSIZE')).toEqual(['OK', '2', 1]);
      expect(await server.info('total_commands_processed')).not.toBe('');
      expect(await server.info('rdb_changes_since_last_save')).toBe('8');
    });
    expect(log).toMatch(/DB loaded from base file appendonly\.aof\.1\.base\.aof: \d+\.\d{3} seconds/);
    expect(log).toMatch(/DB loaded from incr file appendonly\.aof\.1\.incr\.aof: \d+\.\d{3} seconds/);
    expect(log).toMatch(/DB loaded from append only file: \d+\.\d{3} seconds/);
  });

  test('what is past its time stays until all is loaded, since later commands counted on it or on its absence', async () => {
    files({
      [INCREMENT]:
        record('RPUSH', 'l', 'a') +
        record('PEXPIREAT', 'l', 1000) +
        record('RPUSH', 'l', 'b') +
        record('RPUSH', 'kept', 'a') +
        record('EXPIRE', 'kept', -1) +
        record('PERSIST', 'kept') +
        record('SET', 'k', 'v', 'PXAT', 1000) +
        record('APPEND', 'k', 'w') +
        record('PERSIST', 'k') +
        record('SET', 'x', 'y') +
        record('GETEX', 'x', 'EXAT', 1) +
        record('PERSIST', 'x'),
    });
    await start({}, async (server) => {
      expect(await server.run('EXISTS l\nLLEN kept\nGET k\nGET x')).toEqual([0, 1, 'vw', 'y']);
    });
  });

  test('commands that a client may not send so; those that would wait do not', async () => {
    files({
      [INCREMENT]:
        record('XADD', 's', 'MAXLEN', '=', 5, 'LIMIT', 7, '1-1', 'a', 'b') +
        record('XTRIM', 's', 'MAXLEN', '=', 0, 'LIMIT', 3) +
        record('BLPOP', 'nothing', 0) +
        record('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$') +
        record('SUBSCRIBE', 'channel') +
        record('SET', 'k', 'v'),
    });
    await start({ requirepass: 'secret', maxmemory: '1' }, async (server) => {
      expect(await server.run('AUTH secret\nXLEN s\nGET k\nPUBSUB NUMSUB channel')).toEqual([
        'OK',
        0,
        'v',
        ['channel', 0],
      ]);
      expect(await server.info('blocked_clients')).toBe('0');
    });
  });

  test('transactions that are too large to be kept, and what only looks like one', async () => {
    const value = 'x'.repeat(100_000);
    let large = record('MULTI');
    for (let i = 0; i < 30; i++) large += `#TS:${i}\r\n${record('APPEND', 'large', value)}${record('INCR', 'n')}`;
    const whole = record('SELECT', 2) + large + record('EXEC') + record('INCR', 'n');
    files({ [INCREMENT]: whole + large });
    await start({}, async (server) => {
      expect(await server.run('SELECT 2\nSTRLEN large\nGET n')).toEqual(['OK', 3_000_000, '31']);
      expect(await server.client.call('DEBUG', 'LOADAOF')).toBe('OK');
      expect(await server.run('MULTI\nDEBUG LOADAOF\nSTRLEN large\nGET n\nEXEC')).toEqual([
        ...['OK', 'QUEUED', 'QUEUED', 'QUEUED'],
        ['OK', 3_000_000, '31'],
      ]);
    });
    expect(statSync(path(INCREMENT)).size).toBe(whole.length);
  });

  test('a command that fails is told, and the next ones are run', async () => {
    files({
      [INCREMENT]:
        record('SET', 's', 'x') +
        record('LPUSH', 's', 1) +
        record('MULTI') +
        record('LPUSH', 's', 1) +
        record('EXEC') +
        record('SET', 'k', 'v'),
    });
    const { log } = await start({}, async (server) => {
      await expectValues(server, { k: 'v' });
      expect(await server.info('unexpected_error_replies')).toBe('2');
      expect(await server.info('errorstat_WRONGTYPE')).toBe('count=2');
    });
    for (const name of ['lpush', 'exec'])
      expect(log).toContain(
        `== CRITICAL == This server is sending an error to its AOF-loading-client: '-WRONGTYPE Operation against a key holding the wrong kind of value' after processing the command '${name}'`,
      );
  });

  test('a snapshot with commands behind it, as the one file of before Redis 7', async () => {
    await start({ appendonly: 'no' }, async (server) => {
      await server.run('SET a 1\nSET past x PX 1\nDEBUG SLEEP 0.01\nSAVE');
    });
    const snapshot = readFileSync(join(state.folder, 'dump.rdb'), 'latin1');
    rmSync(path('.'), { recursive: true });
    writeFileSync(
      join(state.folder, 'appendonly.aof'),
      snapshot + record('PERSIST', 'past') + record('INCR', 'a'),
      'latin1',
    );
    const { log } = await start({}, async (server) => expectValues(server, { a: '2', past: 'x' }));
    expect(log).toContain('Reading RDB preamble from AOF file...');
    expect(log).toContain('Reading the remaining AOF tail...');
    expect(existsSync(join(state.folder, 'appendonly.aof'))).toBe(false);
  });
});

describe('a file that is cut off', () => {
  const good = record('SET', 'a', 1) + record('INCR', 'a');
  const told = `!!! Warning: short read while loading the AOF file ${INCREMENT}!!!`;

  test.each([
    ['a record', record('SET', 'b', 2).slice(0, -1)],
    ['an annotation', '#TS:123'],
    ['a transaction', record('MULTI') + record('SET', 'b', 2)],
    ['a record of a transaction', record('MULTI') + record('SET', 'b', 2) + record('SET', 'c', 2).slice(0, -3)],
    ['a length that is too large', '*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$999999999999\r\n2'],
  ])('within %s: it is cut back to what is whole, and goes on', async (_, rest) => {
    files({ [INCREMENT]: good + rest });
    const { log } = await start({}, async (server) => {
      await expectValues(server, { a: '2', b: null });
      await server.run('SET d 4');
    });
    expect(log).toContain(told);
    expect(log).toContain(`!!! Truncating the AOF ${INCREMENT} at offset ${good.length} !!!`);
    expect(log).toContain(`AOF ${INCREMENT} loaded anyway because aof-load-truncated is enabled`);
    expect(log.includes(`Revert incomplete MULTI/EXEC transaction in AOF file ${INCREMENT}`)).toBe(
      _ === 'a transaction',
    );
    const again = await start({ 'aof-load-truncated': 'no' }, (server) =>
      expectValues(server, { a: '2', b: null, d: '4' }),
    );
    expect(again.failed).toBe(false);
  });

  test('aof-load-truncated no: the server does not start, the file stays', async () => {
    files({ [INCREMENT]: `${good}*3\r\n` });
    const { failed, log } = await start({ 'aof-load-truncated': 'no' });
    expect(failed).toBe(true);
    expect(log).toContain(
      `Unexpected end of file reading the append only file ${INCREMENT}. You can: 1) Make a backup`,
    );
    expect(statSync(path(INCREMENT)).size).toBe(good.length + 4);
  });

  test('not the last file: the server does not start, the file stays', async () => {
    files({ [INCREMENT]: `${good}*3\r\n`, 'appendonly.aof.2.incr.aof': good });
    const { failed, log } = await start();
    expect(failed).toBe(true);
    expect(log).toContain('Fatal error: the truncated file is not the last file');
    expect(statSync(path(INCREMENT)).size).toBe(good.length + 4);
  });

  test('behind a snapshot: the snapshot stays', async () => {
    await start({ appendonly: 'no' }, async (server) => {
      await server.run('SET a 1\nSAVE');
    });
    const snapshot = readFileSync(join(state.folder, 'dump.rdb'), 'latin1');
    files({ 'appendonly.aof.1.base.rdb': `${snapshot}*3\r\n$3\r\nSE` });
    await start({}, (server) => expectValues(server, { a: '1' }));
    expect(statSync(path('appendonly.aof.1.base.rdb')).size).toBe(snapshot.length);
  });
});

describe('a file that makes no sense', () => {
  const bad = `Bad file format reading the append only file ${INCREMENT}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>`;

  test.each([
    ['rubbish', '!!!', bad],
    ['zeros, as some file systems leave them', '\0\0\0\0', bad],
    ['a command with too few arguments', record('GET'), bad],
    ['an unknown command', record('bla', 'x'), `Unknown command 'bla' reading the append only file ${INCREMENT}`],
    [
      'an unknown subcommand',
      record('CONFIG', 'x'),
      `Unknown command 'CONFIG' reading the append only file ${INCREMENT}`,
    ],
  ])('%s', async (_, rest, message) => {
    files({ [INCREMENT]: record('SET', 'a', 1) + rest });
    const { failed, log } = await start();
    expect(failed).toBe(true);
    expect(log).toContain(message);
    expect(statSync(path(INCREMENT)).size).toBe(record('SET', 'a', 1).length + rest.length);
  });

  test('a file that is not there', async () => {
    files({ [INCREMENT]: '' });
    rmSync(path(INCREMENT));
    const { failed, log } = await start();
    expect(failed).toBe(true);
    expect(log).toContain(`Unable to obtain the AOF file ${INCREMENT} length. stat: No such file or directory`);
  });

  test('a snapshot that is damaged', async () => {
    files({ 'appendonly.aof.1.base.rdb': 'REDIS0010\x99rubbish', [INCREMENT]: '' });
    const { failed, log } = await start();
    expect(failed).toBe(true);
    expect(log).toContain('Error reading the RDB base file appendonly.aof.1.base.rdb, AOF loading aborted');
  });
});

test('cut off at any byte, a log of every type is loaded up to its last whole command', async () => {
  const commands = [
    record('SET', 'k', 'v'.repeat(40), 'PXAT', 33177117420000),
    record('RPUSH', 'l', 'a', 'b'),
    record('SADD', 's', 1, 2, 'x'),
    record('MULTI') + record('ZADD', 'z', '1.5', 'm') + record('HSET', 'h', 'f', 'v') + record('EXEC'),
    record('XADD', 'x', '1-1', 'f', 'v'),
    record('XGROUP', 'CREATE', 'x', 'g', 0),
  ];
  const ends = [0];
  for (const text of commands) ends.push(ends.at(-1)! + text.length);
  const text = commands.join('');
  const digests: unknown[] = [];
  for (let i = 0; i < ends.length; i++) {
    files({ [INCREMENT]: text.slice(0, ends[i]) });
    await start({}, async (server) => {
      digests.push(await server.digest());
    });
  }
  files({ [INCREMENT]: '' });
  const server = await LogServer.start(state.folder, { 'auto-aof-rewrite-percentage': '0' });
  try {
    for (let cut = 0; cut <= text.length; cut++) {
      writeFileSync(path(INCREMENT), text.slice(0, cut), 'latin1');
      expect(await server.client.call('DEBUG', 'LOADAOF'), `cut at ${cut}`).toBe('OK');
      const whole = ends.filter((end) => end <= cut).length - 1;
      expect(await server.digest(), `cut at ${cut}`).toBe(digests[whole]);
      expect(statSync(path(INCREMENT)).size, `cut at ${cut}`).toBe(ends[whole]);
    }
  } finally {
    await server.stop();
  }
});

describe('DEBUG LOADAOF', () => {
  test('what has just been written is there; waiting clients are served by what comes', async () => {
    await start({}, async (server) => {
      const reader = new Pipeline(server.server.port);
      const waiting = reader.call('BLPOP', 'l', '0');
      await until(async () => (await server.info('blocked_clients')) === '1');
      await server.run('SET a 1\nRPUSH l2 x');
      const before = await server.digest();
      expect(await server.client.call('DEBUG', 'LOADAOF')).toBe('OK');
      expect(await server.digest()).toBe(before);
      await server.run('RPUSH l y');
      expect(await waiting).toEqual(['l', 'y']);
      reader.close();
    });
  });

  test('who waits for a key is not served between slices', async () => {
    files({ [INCREMENT]: record('RPUSH', 'l', 'x') + record('SET', 'a', 1).repeat(100) + record('LPOP', 'l') });
    await start({ appendonly: 'no', 'key-load-delay': '500' }, async (server) => {
      const [reader, other] = [new Pipeline(server.server.port), new Pipeline(server.server.port)];
      const waiting = reader.call('BLPOP', 'l', '0');
      await until(async () => (await server.info('blocked_clients')) === '1');
      const done = server.client.call('DEBUG', 'LOADAOF');
      const state = { loading: true };
      void done.then(() => {
        state.loading = false;
      });
      while (state.loading) await other.call('INFO', 'persistence');
      expect(await done).toBe('OK');
      await server.run('RPUSH l y');
      expect(await waiting).toEqual(['l', 'y']);
      reader.close();
      other.close();
    });
  });

  test('nothing of what is loaded is written again; within a transaction it is done at one go', async () => {
    await start({ appendfsync: 'no' }, async (server) => {
      await server.run('SET a 1\nINCR a\nEVAL redis.call("incr","a") 0');
      const { size } = statSync(path(INCREMENT));
      expect(await server.run('MULTI\nDEBUG LOADAOF\nGET a\nEXEC')).toEqual(['OK', 'QUEUED', 'QUEUED', ['OK', '3']]);
      expect(await server.client.call('DEBUG', 'LOADAOF')).toBe('OK');
      expect(await server.client.call('GET', 'a')).toBe('3');
      expect(statSync(path(INCREMENT)).size).toBe(size);
      expect(await server.info('rdb_changes_since_last_save')).toBe('0');
    });
  });

  test('others are answered meanwhile, also by a script that runs long', async () => {
    files({
      [INCREMENT]:
        record('EVAL', "redis.call('SET', 'x', 'y') for i = 1, 300000 do redis.call('PING') end", 0) +
        record('SET', 'z', 1),
    });
    const settings = { 'busy-reply-threshold': '1', appendonly: 'yes' };
    const { log } = await start({ ...settings, appendonly: 'no' }, async (server) => {
      const other = new Pipeline(server.server.port);
      const done = server.client.call('DEBUG', 'LOADAOF');
      let loading = 0;
      for (let answer: unknown; ; ) {
        answer = await other.call('PING');
        if (!(answer instanceof Error)) break;
        expect(answer.message).toBe('LOADING Redis is loading the dataset in memory');
        loading++;
      }
      expect(await done).toBe('OK');
      expect(loading).toBeGreaterThan(0);
      await expectValues(server, { x: 'y', z: '1' });
      other.close();
    });
    expect(log).toContain('Slow script detected');
  });

  test('without a log nothing is dropped; a log that can not be read ends the server', async () => {
    await start({ appendonly: 'no' }, async (server) => {
      await server.run('SET a 1');
      const [answer] = await server.run('DEBUG LOADAOF');
      expect(String(answer)).toContain('ERR Error trying to load the AOF files, check server logs.');
      await expectValues(server, { a: '1' });
      files({ [INCREMENT]: '!!!' });
      expect(String((await server.run('DEBUG LOADAOF'))[0])).toContain('connection closed');
      expect(server.exits).toEqual([1]);
    });
  });
});

test('what was in use when the base was made is told until the last increment is loaded', async () => {
  await start({}, async (server) => {
    await server.run('SET a 1\nBGREWRITEAOF');
    await until(async () => (await server.info('aof_rewrite_in_progress')) === '0');
    await server.run('SET b 2\n'.repeat(500));
    await server.run('CONFIG SET key-load-delay 500');
    const base = statSync(path('appendonly.aof.2.base.rdb')).size;
    const other = new Pipeline(server.server.port);
    const state = { loading: true };
    const done = server.client.call('DEBUG', 'LOADAOF').finally(() => {
      state.loading = false;
    });
    let within = 0;
    while (state.loading) {
      const info = String(await other.call('INFO', 'persistence'));
      const number = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
      if (number('loading_loaded_bytes') <= base) continue;
      expect(number('loading_rdb_used_mem')).toBeGreaterThan(0);
      within++;
    }
    expect(within).toBeGreaterThan(0);
    expect(await done).toBe('OK');
    other.close();
  });
});

test('progress over all files while it loads', async () => {
  files({
    'appendonly.aof.1.base.aof': record('SET', 'a', 1).repeat(1000),
    [INCREMENT]: record('SET', 'a', 1).repeat(3000),
  });
  await start({ 'key-load-delay': '50', appendonly: 'no' }, async (server) => {
    const other = new Pipeline(server.server.port);
    const done = server.client.call('DEBUG', 'LOADAOF');
    const info = String(await other.call('INFO', 'persistence'));
    expect(info).toContain('loading:1');
    expect(info).toContain(`loading_total_bytes:${4000 * record('SET', 'a', 1).length}`);
    expect(info).toMatch(/loading_loaded_perc:\d+\.\d\d/);
    expect(await done).toBe('OK');
    expect(String(await other.call('INFO', 'persistence'))).toContain('loading:0');
    other.close();
  });
});
