/** The append-only file: what is in it, when it is rewritten, and what becomes of it when something goes wrong. */
import fs, { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandsOf, LogServer, until } from '../support/log-server.ts';

const SLOW = '10000000';
let folder: string;
let servers: LogServer[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(settings: Readonly<Record<string, string>> = {}, lines: string[] = []): Promise<LogServer> {
  const server = await LogServer.start(folder, { 'auto-aof-rewrite-percentage': '0', ...settings }, lines);
  servers.push(server);
  return server;
}

async function restart(server: LogServer, settings: Readonly<Record<string, string>> = {}): Promise<LogServer> {
  await server.stop();
  servers.splice(servers.indexOf(server), 1);
  return start(settings);
}

const inside = (name: string): string => join(folder, 'appendonlydir', name);

describe('what is written', () => {
  test.each(['yes', 'no'])(
    'a first start makes a base and an increment (aof-use-rdb-preamble %s)',
    async (preamble) => {
      const server = await start({ 'aof-use-rdb-preamble': preamble });
      const kind = preamble === 'yes' ? 'rdb' : 'aof';
      expect(server.manifest).toEqual([
        `file appendonly.aof.1.base.${kind} seq 1 type b`,
        'file appendonly.aof.1.incr.aof seq 1 type i',
      ]);
      expect(server.files).toEqual([
        `appendonly.aof.1.base.${kind}`,
        'appendonly.aof.1.incr.aof',
        'appendonly.aof.manifest',
      ]);
    },
  );

  test('each turn before its replies, with the database where it changes, transactions in brackets', async () => {
    const server = await start();
    const file = inside('appendonly.aof.1.incr.aof');
    expect(await server.run('SET a 1\nGET a\nSELECT 3\nINCR b')).toEqual(['OK', '1', 'OK', 1]);
    expect(commandsOf(file)).toEqual(['SELECT 0', 'SET a 1', 'SELECT 3', 'INCR b']);
    await server.run('MULTI\nSET c 1\nSELECT 0\nSET d 1\nEXEC\nMULTI\nSET e 1\nEXEC\nMULTI\nGET e\nEXEC');
    expect(commandsOf(file).slice(4)).toEqual(['MULTI', 'SET c 1', 'SELECT 0', 'SET d 1', 'EXEC', 'SET e 1']);
    await server.run('EVAL redis.call("incr",KEYS[1]);redis.call("get",KEYS[1]);redis.call("incr",KEYS[1]) 1 f');
    expect(commandsOf(file).slice(10)).toEqual(['MULTI', 'incr f', 'incr f', 'EXEC']);
    expect(Number(await server.info('aof_current_size'))).toBe(readFileSync(file).length);
  });

  test('keys that expire, without a client', async () => {
    const server = await start();
    await server.run('SET a 1 PX 1\nSET b 1');
    const file = inside('appendonly.aof.1.incr.aof');
    await until(() => commandsOf(file).includes('DEL a'));
  });

  test('times, once a second', async () => {
    const server = await start({ 'aof-timestamp-enabled': 'yes' });
    await server.run('MULTI\nSET a 1\nSET b 1\nEXEC\nSET c 1');
    const text = readFileSync(inside('appendonly.aof.1.incr.aof'), 'latin1');
    expect(text).toMatch(/^#TS:\d+\r\n\*2\r\n\$6\r\nSELECT\r\n/);
    expect((await restart(server)).said('DB loaded from append only file')).toBe(1);
  });

  test('bytes of every kind, large values, and units that are too large to be held', async () => {
    const server = await start();
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    await server.client.send([
      ['SET', all, all.repeat(20_000)],
      ['MULTI'],
      ...Array.from({ length: 40 }, (_, i) => ['SET', `k${i}`, 'x'.repeat(100_000)]),
      ['EXEC'],
    ]);
    const names = commandsOf(inside('appendonly.aof.1.incr.aof')).map((text) => text.slice(0, 5));
    expect(names[2]).toBe('MULTI');
    expect(names.at(-1)).toBe('EXEC');
    expect(names.filter((name) => name === 'MULTI')).toHaveLength(1);
    const before = await server.digest();
    expect(await (await restart(server)).digest()).toEqual(before);
  });
});

describe('rewriting', () => {
  test('what the new base holds is removed', async () => {
    const server = await start();
    await server.run('SET a 1\nLPUSH l 1 2 3');
    await server.rewrite();
    await server.run('SET b 1');
    expect(server.manifest).toEqual([
      'file appendonly.aof.2.base.rdb seq 2 type b',
      'file appendonly.aof.2.incr.aof seq 2 type i',
    ]);
    await until(() => server.files.length === 3);
    const file = inside('appendonly.aof.2.incr.aof');
    await until(() => commandsOf(file).join() === 'SELECT 0,SET b 1');
    const before = await server.digest();
    expect(await (await restart(server)).digest()).toEqual(before);
  });

  test('rewrites that are killed leave increments, the next good one takes them all; then without the log', async () => {
    const server = await start();
    await server.run(`SET a 1\nCONFIG SET rdb-key-save-delay ${SLOW}`);
    for (let i = 0; i < 3; i++) {
      await server.run(`BGREWRITEAOF\nINCR a`);
      await server.killWorker();
      await server.settled();
      expect(await server.info('aof_last_bgrewrite_status')).toBe('err');
      expect(fs.readdirSync(folder)).toEqual(['appendonlydir']);
    }
    expect(server.said('Background AOF rewrite terminated by signal 9')).toBe(3);
    expect(server.manifest).toEqual([
      'file appendonly.aof.1.base.rdb seq 1 type b',
      ...[1, 2, 3, 4].map((n) => `file appendonly.aof.${n}.incr.aof seq ${n} type i`),
    ]);
    const before = await server.digest();
    expect(await server.run('DEBUG LOADAOF')).toEqual(['OK']);
    expect(await server.digest()).toEqual(before);
    await server.run('CONFIG SET rdb-key-save-delay 0');
    await server.rewrite();
    expect(server.manifest).toEqual([
      'file appendonly.aof.2.base.rdb seq 2 type b',
      'file appendonly.aof.5.incr.aof seq 5 type i',
    ]);
    await until(() => server.files.length === 3);

    await server.run('CONFIG SET appendonly no');
    await server.rewrite();
    expect(server.manifest).toEqual(['file appendonly.aof.3.base.rdb seq 3 type b']);
    await until(() => server.files.length === 2);
    await server.run('DEBUG LOADAOF\nCONFIG SET appendonly yes');
    expect(await server.digest()).toEqual(before);
    await server.settled();
    expect(server.manifest).toEqual([
      'file appendonly.aof.4.base.rdb seq 4 type b',
      'file appendonly.aof.1.incr.aof seq 1 type i',
    ]);
  });

  test('history stays while aof-disable-auto-gc is set', async () => {
    const server = await start({ 'aof-disable-auto-gc': 'yes' });
    await server.rewrite();
    await server.rewrite();
    expect(server.manifest).toEqual([
      'file appendonly.aof.3.base.rdb seq 3 type b',
      'file appendonly.aof.2.incr.aof seq 2 type h',
      'file appendonly.aof.2.base.rdb seq 2 type h',
      'file appendonly.aof.1.incr.aof seq 1 type h',
      'file appendonly.aof.1.base.rdb seq 1 type h',
      'file appendonly.aof.3.incr.aof seq 3 type i',
    ]);
    expect(server.files).toHaveLength(7);
    await server.run('CONFIG SET aof-disable-auto-gc no');
    expect(server.manifest).toHaveLength(2);
    await until(() => server.files.length === 3);
    await server.run('DEBUG LOADAOF');
    await server.rewrite();
    expect(server.manifest[0]).toBe('file appendonly.aof.4.base.rdb seq 4 type b');
  });

  test('after three failures growth starts no further one for a while, a client does', async () => {
    const server = await start();
    await server.run(`SET k v\nCONFIG SET rdb-key-save-delay ${SLOW} auto-aof-rewrite-min-size 1kb`);
    for (let i = 0; i < 3; i++) {
      await server.run('BGREWRITEAOF');
      await server.killWorker();
      await server.settled();
    }
    expect(await server.info('aof_rewrites_consecutive_failures')).toBe('3');
    await server.run(`CONFIG SET auto-aof-rewrite-percentage 1\nSET x ${'x'.repeat(1024)}`);
    await until(() => server.said('triggered the limit') === 1);
    expect(await server.info('aof_rewrite_in_progress')).toBe('0');
    expect(server.manifest).toHaveLength(5);
    await server.run('CONFIG SET auto-aof-rewrite-percentage 0 rdb-key-save-delay 0');
    await server.rewrite();
    expect(await server.info('aof_rewrites_consecutive_failures')).toBe('0');
    expect(server.manifest).toHaveLength(2);
  });

  test('growth starts one', async () => {
    const server = await start({ 'auto-aof-rewrite-percentage': '100', 'auto-aof-rewrite-min-size': '1kb' });
    await server.run(`SET x ${'x'.repeat(2048)}`);
    await until(() => server.said('Background AOF rewrite finished successfully') === 1);
    expect(server.said('Starting automatic rewriting of AOF on ')).toBe(1);
  });

  test('one view at a time: a rewrite waits for a snapshot, a snapshot for a rewrite', async () => {
    const server = await start();
    await server.run(`SET k v\nCONFIG SET rdb-key-save-delay ${SLOW}`);
    expect(await server.run('BGSAVE\nBGREWRITEAOF')).toEqual([
      'Background saving started',
      'Background append only file rewriting scheduled',
    ]);
    expect(await server.info('aof_rewrite_scheduled')).toBe('1');
    await server.killWorker();
    await until(async () => (await server.info('aof_rewrite_in_progress')) === '1');
    const replies = await server.run('BGREWRITEAOF\nBGSAVE\nBGSAVE SCHEDULE');
    expect(replies.map(String)).toEqual([
      'ReplyError: ERR Background append only file rewriting already in progress',
      "ReplyError: ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
      'Background saving scheduled',
    ]);
    await server.run('CONFIG SET rdb-key-save-delay 0');
    await server.settled();
    expect(await server.run('MULTI\nBGREWRITEAOF\nEXEC')).toEqual([
      'OK',
      'QUEUED',
      ['Background append only file rewriting scheduled'],
    ]);
    await server.settled();
  });
});

test('increments that come while it is rewritten count once', async () => {
  const server = await start({ 'aof-use-rdb-preamble': 'no' });
  for (let round = 0; round < 6; round++) {
    await server.client.send(Array.from({ length: 500 }, () => ['INCR', 'n']));
    if (round % 2 === 0) await server.client.call('BGREWRITEAOF');
  }
  await server.settled();
  expect(await (await restart(server)).run('GET n')).toEqual(['3000']);
});

test('DEBUG RELOAD leaves the log as it is', async () => {
  const server = await start({ appendfsync: 'always' });
  await server.run('SET a 1\nSADD s a b c\nEXPIRE s 1000\nSET gone 1 PX 1');
  const file = inside('appendonly.aof.1.incr.aof');
  await until(() => commandsOf(file).includes('DEL gone'));
  const before = [await server.digest(), commandsOf(file).length];
  expect(await server.run('DEBUG RELOAD')).toEqual(['OK']);
  expect([await server.digest(), commandsOf(file).length]).toEqual(before);
  await server.run('DEBUG LOADAOF');
  expect([await server.digest(), commandsOf(file).length]).toEqual(before);
});

describe('turning it on and off', () => {
  test('a first base that is killed leaves nothing and is tried again', async () => {
    const server = await start({ appendonly: 'no' });
    await server.run(`SET k 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nCONFIG SET appendonly yes\nINCR k`);
    expect(server.files).toEqual(['temp-appendonly.aof.incr']);
    await server.killWorker();
    await until(() => server.said('Removing the temp incr aof file') === 1);
    expect(existsSync(inside('appendonly.aof.manifest'))).toBe(false);
    await until(async () => (await server.info('aof_rewrite_in_progress')) === '1');
    await server.run('INCR k\nCONFIG SET rdb-key-save-delay 0');
    await server.settled();
    expect(server.manifest).toEqual([
      'file appendonly.aof.1.base.rdb seq 1 type b',
      'file appendonly.aof.1.incr.aof seq 1 type i',
    ]);
    const file = inside('appendonly.aof.1.incr.aof');
    await until(() => commandsOf(file).join() === 'SELECT 0,INCR k');
    await server.run('INCR k');
    const before = await server.digest();
    expect(await (await restart(server)).digest()).toEqual(before);
  });

  test('while a snapshot is being saved nothing is written until the first base', async () => {
    const server = await start();
    await server.run(`SET k 1\nCONFIG SET appendonly no\nCONFIG SET rdb-key-save-delay ${SLOW}\nBGSAVE`);
    await server.run('CONFIG SET appendonly yes\nSET lost 1');
    expect(await server.info('aof_rewrite_scheduled')).toBe('1');
    await server.run('DEBUG LOADAOF');
    expect(await server.run('EXISTS k lost')).toEqual([1]);
    await server.run('CONFIG SET rdb-key-save-delay 0');
    await server.killWorker();
    await server.settled();
    await server.run('SET kept 1\nDEBUG LOADAOF');
    expect(await server.run('EXISTS k kept')).toEqual([2]);
  });

  test('turning it off ends a rewrite; within EXEC turning it on is put off', async () => {
    const server = await start();
    await server.run(`SET k 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nBGREWRITEAOF\nCONFIG SET appendonly no`);
    expect(server.said('Killing running AOF rewrite child')).toBe(1);
    expect(await server.info('aof_enabled')).toBe('0');
    await server.run('CONFIG SET rdb-key-save-delay 0\nMULTI\nCONFIG SET appendonly yes\nSET k 2\nEXEC');
    await server.settled();
    await server.run('INCR k\nDEBUG LOADAOF');
    expect(await server.run('GET k')).toEqual(['3']);
  });
});

describe('starting', () => {
  test('the one file of before Redis 7 becomes the base, also where its move was interrupted', async () => {
    const old = '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n';
    for (const interrupted of [false, true]) {
      rmSync(join(folder, 'appendonlydir'), { recursive: true, force: true });
      writeFileSync(join(folder, 'appendonly.aof'), old);
      if (interrupted) {
        mkdirSync(join(folder, 'appendonlydir'));
        writeFileSync(inside('appendonly.aof.manifest'), 'file appendonly.aof seq 1 type b\n');
      }
      const server = await start();
      expect(await server.run('GET a\nINCR a')).toEqual(['1', 2]);
      expect(existsSync(join(folder, 'appendonly.aof'))).toBe(false);
      expect(server.manifest).toEqual([
        'file appendonly.aof seq 1 type b',
        'file appendonly.aof.1.incr.aof seq 1 type i',
      ]);
      expect(readFileSync(inside('appendonly.aof'), 'latin1')).toBe(old);
      const again = await restart(server);
      expect(await again.run('GET a')).toEqual(['2']);
      await again.stop();
      servers.length = 0;
    }
  });

  test('an end that a crash has cut off, before an increment that was begun and got nothing', async () => {
    const server = await start();
    await server.run('SET a 1\nSET b 2');
    await server.stop();
    servers.length = 0;
    const file = inside('appendonly.aof.1.incr.aof');
    fs.truncateSync(file, readFileSync(file).length - 3);
    fs.appendFileSync(inside('appendonly.aof.manifest'), 'file appendonly.aof.2.incr.aof seq 2 type i\n');
    writeFileSync(inside('appendonly.aof.2.incr.aof'), '');
    const again = await start();
    expect(await again.run('MGET a b\nSET c 3')).toEqual([['1', null], 'OK']);
    expect(await (await restart(again)).run('MGET a b c')).toEqual([['1', null, '3']]);
  });

  test.each([
    ['a manifest that is wrong', 'file a seq 1 type x\n', 'Unknown AOF file type'],
    ['a file that is missing', 'file a seq 1 type i\n', 'Unable to obtain the AOF file a length. stat: No such file'],
  ])('%s ends it with a reason', async (_, manifest, reason) => {
    mkdirSync(join(folder, 'appendonlydir'));
    writeFileSync(inside('appendonly.aof.manifest'), manifest);
    const lines: string[] = [];
    await expect(start({}, lines)).rejects.toThrow();
    expect(lines.join('')).toContain(reason);
  });

  test('a folder that can not be made ends it', async () => {
    writeFileSync(join(folder, 'appendonlydir'), 'in the way');
    const lines: string[] = [];
    await expect(start({}, lines)).rejects.toThrow();
    expect(lines.join('')).toContain("Can't open or create append-only dir appendonlydir: ");
  });
});

describe('a disk that fails', () => {
  const real = { writeSync: fs.writeSync, fdatasyncSync: fs.fdatasyncSync, fdatasync: fs.fdatasync };
  const failure = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'write' });

  function stand(between: Readonly<Record<string, unknown>>): void {
    Object.assign(fs, real, between);
    syncBuiltinESMExports();
  }

  afterEach(() => stand({}));

  /** Takes `bytes` of a write, and nothing more. */
  function full(bytes: number): unknown {
    let left = bytes;
    return (fd: number, buffer: Uint8Array, at: number, length: number): number => {
      const taken = Math.min(left, length);
      left -= taken;
      if (taken === 0) throw failure('ENOSPC');
      return real.writeSync(fd, buffer, at, taken);
    };
  }

  test.each([0, 5, 20])(
    '%i bytes of a write fit: writes are refused until it recovers, nothing is lost',
    async (fit) => {
      const server = await start();
      await server.run('SELECT 4\nSET a 1');
      const file = inside('appendonly.aof.1.incr.aof');
      const before = readFileSync(file).length;
      stand({ writeSync: full(fit) });
      expect(await server.run('INCR a')).toEqual([2]);
      expect(readFileSync(file).length).toBe(before);
      expect(server.said(fit === 0 ? 'Error writing to the AOF file: No space' : 'Short write while writing')).toBe(1);
      const refused = 'ReplyError: MISCONF Errors writing to the AOF file: No space left on device';
      expect((await server.run('SET a 3\nPING\nGET a')).map(String)).toEqual([refused, refused, '2']);
      expect(await server.info('aof_last_write_status')).toBe('err');
      expect(String(await server.client.call('BGREWRITEAOF'))).toContain(
        "ERR Can't execute an AOF background rewriting",
      );
      stand({});
      await until(async () => (await server.info('aof_last_write_status')) === 'ok');
      expect(server.said('AOF write error looks solved, Redis can write again.')).toBe(1);
      expect(await server.run('INCR a')).toEqual([3]);
      const digest = await server.digest();
      expect(await (await restart(server)).digest()).toEqual(digest);
    },
  );

  test('everysec, a sync that fails: writes are refused until one succeeds', async () => {
    const server = await start({ appendfsync: 'everysec' });
    stand({ fdatasync: (_: number, done: (error: Error) => void) => setImmediate(() => done(failure('EIO'))) });
    await until(async () => String(await server.client.call('SET', 'a', '1')).includes('Input/output error'));
    expect(server.said('Fail to fsync the AOF file: Input/output error')).toBe(1);
    stand({});
    await until(async () => (await server.client.call('SET', 'a', '1')) === 'OK');
  });

  test('everysec, the last sync of an increment that has ended fails: the same', async () => {
    const server = await start({ appendfsync: 'everysec' });
    await server.run('SET a 1');
    await until(async () => (await server.info('aof_pending_bio_fsync')) === '0');
    const { fd } = Reflect.get(server.server.engine.server.persistence, 'aof').writer.file.file;
    const held: ((error: null) => void)[] = [];
    stand({
      fdatasync: (which: number, done: (error: Error | null) => void) => {
        if (which === fd) setImmediate(() => done(failure('EIO')));
        else held.push(done);
      },
    });
    await server.client.send([['SET', 'a', '2'], ['BGREWRITEAOF']]);
    await until(async () => String(await server.client.call('SET', 'a', '1')).includes('Input/output error'));
    expect(server.said('Fail to fsync the AOF file: Input/output error')).toBe(1);
    stand({});
    for (const done of held) done(null);
    await until(async () => (await server.client.call('SET', 'a', '1')) === 'OK');
  });

  test('everysec, a sync that takes long: writes wait for two seconds and then go on', async () => {
    const server = await start({ appendfsync: 'everysec' });
    const file = inside('appendonly.aof.1.incr.aof');
    let finish = (): void => {};
    stand({
      fdatasync: (_: number, done: (error: null) => void) => {
        finish = () => done(null);
      },
    });
    await until(async () => {
      await server.run('INCR a');
      return (await server.info('aof_pending_bio_fsync')) === '1';
    });
    const size = readFileSync(file).length;
    await server.run('INCR a');
    expect(readFileSync(file).length).toBe(size);
    expect(Number(await server.info('aof_buffer_length'))).toBeGreaterThan(0);
    await until(() => readFileSync(file).length > size);
    expect(server.said('Asynchronous AOF fsync is taking too long (disk is busy?).')).toBe(1);
    expect(await server.info('aof_delayed_fsync')).toBe('1');
    stand({});
    finish();
  });

  test.each([
    [
      'a write',
      {
        writeSync: () => {
          throw failure('EIO');
        },
      },
      "Can't recover from AOF write error when the AOF fsync",
    ],
    [
      'a sync',
      {
        fdatasyncSync: () => {
          throw failure('EIO');
        },
      },
      "Can't persist AOF for fsync error when the AOF fsync",
    ],
  ])('always, %s fails: no reply is sent, and the server ends', async (_, between, line) => {
    const server = await start({ appendfsync: 'always' });
    expect(await server.run('SET a 0')).toEqual(['OK']);
    stand(between);
    const reply = await server.client.call('SET', 'a', '1');
    stand({});
    expect(String(reply)).toBe('Error: connection closed');
    expect(server.exits).toEqual([1]);
    expect(server.said(line)).toBe(1);
  });

  test('no-appendfsync-on-rewrite: nothing is synced while a view is written, all of it afterwards', async () => {
    const server = await start({ appendfsync: 'always', 'no-appendfsync-on-rewrite': 'yes' });
    let syncs = 0;
    stand({
      fdatasyncSync: (fd: number) => {
        syncs++;
        real.fdatasyncSync(fd);
      },
    });
    await server.run(`SET a 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nBGSAVE`);
    syncs = 0;
    await server.run('SET a 2\nSET a 3');
    expect(syncs).toBe(0);
    await server.killWorker();
    await until(() => syncs > 0);
  });

  test('LATENCY knows of slow writes and syncs', async () => {
    const server = await start({ appendfsync: 'always', 'latency-monitor-threshold': '1' });
    const slowly =
      (step: (...args: never[]) => unknown) =>
      (...args: never[]): unknown => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        return step(...args);
      };
    stand({ writeSync: slowly(real.writeSync), fdatasyncSync: slowly(real.fdatasyncSync) });
    await server.run('SET a 1');
    stand({});
    const latest = String(await server.client.call('LATENCY', 'LATEST'));
    for (const event of ['aof-write', 'aof-write-alone', 'aof-fsync-always']) expect(latest).toContain(event);
  });

  test('always: one sync for all that a turn has written', async () => {
    const server = await start({ appendfsync: 'always' });
    let syncs = 0;
    stand({
      fdatasyncSync: (fd: number) => {
        syncs++;
        real.fdatasyncSync(fd);
      },
    });
    await server.client.send(Array.from({ length: 100 }, (_, i) => ['SET', `k${i}`, '1']));
    expect(syncs).toBe(1);
    await server.run('GET k1');
    expect(syncs).toBe(1);
  });
});

describe('ending', () => {
  test('all is synced, a rewrite is given up', async () => {
    const server = await start({ appendfsync: 'no' });
    await server.run(`SET a 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nBGREWRITEAOF`);
    server.client.post(['SHUTDOWN']);
    await until(() => server.exits.length > 0);
    expect(server.exits).toEqual([0]);
    expect(server.said('There is a child rewriting the AOF. Killing it!')).toBe(1);
    expect(server.said('Calling fsync() on the AOF file.')).toBe(1);
    expect(await (await restart(server)).run('GET a')).toEqual(['1']);
  });

  test('not before there is a first base, unless forced', async () => {
    const server = await start({ appendonly: 'no' });
    await server.run(`SET a 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nCONFIG SET appendonly yes`);
    const refused = await server.client.call('SHUTDOWN', 'NOW');
    expect(String(refused)).toBe('ReplyError: ERR Errors trying to SHUTDOWN. Check logs.');
    expect(server.said("Writing initial AOF, can't exit.")).toBe(1);
    server.client.post(['SHUTDOWN', 'FORCE']);
    await until(() => server.exits.length > 0);
    expect(server.said('Writing initial AOF. Exit anyway.')).toBe(1);
  });

  test('a rewrite with the log turned off gives way to the final snapshot', async () => {
    const server = await start({ appendonly: 'no' });
    await server.run(`SET a 1\nCONFIG SET rdb-key-save-delay ${SLOW}\nBGREWRITEAOF\nCONFIG SET rdb-key-save-delay 0`);
    let failed = false;
    const request = { save: true, noSave: false, now: false, force: false };
    server.server.shutdownBySignal(request, () => {
      failed = true;
    });
    await until(() => server.exits.length > 0 || failed);
    expect(server.exits).toEqual([0]);
    expect(fs.readdirSync(folder).sort()).toEqual(['appendonlydir', 'dump.rdb']);
  });

  test('a copy of the folder at any moment is a whole log', async () => {
    const server = await start({ appendfsync: 'always' });
    const copy = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'));
    try {
      for (let round = 0; round < 5; round++) {
        await server.run(`INCR n\nBGREWRITEAOF\nINCR n`);
        rmSync(join(copy, 'appendonlydir'), { recursive: true, force: true });
        mkdirSync(join(copy, 'appendonlydir'));
        // Nothing happens meanwhile: it is one turn of the event loop.
        for (const name of server.files) copyFileSync(inside(name), join(copy, 'appendonlydir', name));
        const other = await LogServer.start(copy);
        const [value] = await other.run('GET n');
        await other.stop();
        expect(value).toBe(String((round + 1) * 2));
        await server.settled();
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
