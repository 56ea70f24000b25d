/**
 * Hazards of this platform, as far as connections are concerned (the last table of the reliability document), beside
 * redis-server: names of JavaScript's own objects, every byte value, timers beyond 2^31 ms, throws in handlers.
 *
 * Planted once each, and found: names read as UTF-8, a timer that doesn't divide its wait, nobody to catch what the engine
 * throws.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sliceOf } from '../../src/base/slice.ts';
import type { Command } from '../../src/engine/command.ts';
import { ServerLog } from '../../src/server/log.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Beside, type Commands } from '../support/beside.ts';
import { freePort } from '../support/ports.ts';
import { command, pause, Raw, until } from './harness.ts';

const NAMES = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf', 'prototype', '__defineGetter__'];

describe('beside redis-server', () => {
  let both: Beside;
  beforeAll(async () => {
    both = await Beside.start({ 'enable-debug-command': 'yes' });
  });
  afterAll(() => both?.stop());

  test.each(NAMES)('%s as a name of everything', async (name) => {
    const commands: Commands = [
      ['FLUSHALL'],
      ['GET', name],
      ['SET', name, name],
      ['GET', name],
      ['TYPE', name],
      ['EXISTS', name, 'x'],
      ['WATCH', name],
      ['MULTI'],
      ['APPEND', name, '!'],
      ['EXEC'],
      ['DEL', name],
      ['HSET', name, name, '1', 'other', '2'],
      ['HGET', name, name],
      ['HINCRBY', name, name, '5'],
      ['HMGET', name, ...NAMES],
      ['HDEL', name, name],
      ['DEL', name],
      ['SADD', name, ...NAMES],
      ['SISMEMBER', name, name],
      ['SMISMEMBER', name, ...NAMES, 'nosuch'],
      ['SREM', name, name],
      ['DEL', name],
      ['ZADD', name, '1', name],
      ['ZSCORE', name, name],
      ['ZSCORE', name, 'toString2'],
      ['DEL', name],
      ['LPUSH', name, name],
      ['LPOS', name, name],
      ['RENAME', name, `${name}2`],
      ['OBJECT', 'ENCODING', name],
      [name],
      [name, 'x'],
      ['CONFIG', name],
      ['CONFIG', 'GET', name],
      ['CONFIG', 'SET', name, '1'],
      ['CLIENT', name],
      ['CLIENT', 'SETNAME', name],
      ['CLIENT', 'GETNAME'],
      ['CLIENT', 'LIST', 'TYPE', name],
      ['COMMAND', 'INFO', name],
      ['COMMAND', 'DOCS', name],
      ['COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', name],
      ['COMMAND', 'GETKEYS', name, 'x'],
      ['AUTH', name, 'x'],
      ['HELLO', name],
      ['INFO', name],
      ['PUBLISH', name, name],
      ['PUBSUB', 'NUMSUB', name],
      ['SUBSCRIBE', name],
      ['UNSUBSCRIBE', name],
      ['PSUBSCRIBE', name],
      ['PUNSUBSCRIBE'],
      ['SSUBSCRIBE', name],
      ['SUNSUBSCRIBE'],
      ['LATENCY', 'HISTOGRAM', name],
      ['LATENCY', 'HISTORY', name],
      ['ACL', 'GETUSER', name],
      ['ACL', 'SETUSER', name, 'on', 'nopass', '+@all', '~*', '&*'],
      ['ACL', 'GETUSER', name],
      ['ACL', 'DRYRUN', name, 'GET', name],
      ['ACL', 'SETUSER', 'x', `+${name}`],
      ['ACL', 'SETUSER', 'x', `+config|${name}`],
      ['ACL', 'SETUSER', 'x', `+@${name}`],
      ['ACL', 'CAT', name],
      ['AUTH', name, 'x'],
      ['ACL', 'WHOAMI'],
      ['AUTH', 'default', 'x'],
      ['ACL', 'DELUSER', name, 'x'],
      ['SORT', name, 'BY', `${name}*`, 'GET', name],
      ['OBJECT', name],
      ['DEBUG', name],
      ['MEMORY', name],
      ['FLUSHALL', name],
      ['SET', 'k', 'v', name, '1'],
    ];
    await both.same(commands);
  });

  test('INFO commandstats and errorstats under such names', async () => {
    await both.same(NAMES.flatMap((name) => [[name], ['CONFIG', name, 'x', 'y']]));
  });

  test('all 256 byte values, and sequences that are not UTF-8, in every kind of argument', async () => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const odd = [
      '\xff\xfe',
      '\xc3',
      '\xc3\xa9',
      '\xed\xa0\x80',
      '\xf0\x9f\x92',
      '\0',
      '\r\n',
      '\x80\x81',
      '\xef\xbb\xbf',
      all,
    ];
    const singles = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i));
    await both.same([
      ['FLUSHALL'],
      ...singles.flatMap((byte) => [
        ['SET', byte, byte],
        ['GET', byte],
        ['HSET', `h${byte}`, byte, byte],
        ['HGETALL', `h${byte}`],
        ['ECHO', byte],
        [`no${byte}such`, byte],
        ['OBJECT', byte],
        ['CONFIG', 'GET', `x${byte}`],
        ['CONFIG', 'SET', `x${byte}`, 'y'],
        ['CLIENT', 'SETNAME', `n${byte}`],
        ['CLIENT', 'GETNAME'],
        ['SET', 'k', 'v', byte],
        ['PUBSUB', 'NUMSUB', byte],
      ]),
      ...odd.flatMap((bytes) => [
        ['SET', bytes, bytes],
        ['GET', bytes],
        ['APPEND', bytes, bytes],
        ['GETRANGE', bytes, '0', '-1'],
        ['SADD', `s${bytes}`, bytes],
        ['SMEMBERS', `s${bytes}`],
        ['ZADD', `z${bytes}`, '1', bytes],
        ['ZRANGE', `z${bytes}`, '0', '-1'],
        ['ZRANGEBYLEX', `z${bytes}`, `[${bytes}`, '+'],
        ['RPUSH', `l${bytes}`, bytes],
        ['LRANGE', `l${bytes}`, '0', '-1'],
        ['XADD', `x${bytes}`, '1-1', bytes, bytes],
        ['XRANGE', `x${bytes}`, '-', '+'],
        ['PFADD', `p${bytes}`, bytes],
        ['RENAME', `l${bytes}`, `m${bytes}`],
        ['SUBSCRIBE', bytes],
        ['UNSUBSCRIBE', bytes],
        ['PSUBSCRIBE', bytes],
        ['PUNSUBSCRIBE'],
        ['ACL', 'SETUSER', 'odd', `~${bytes}`],
        ['ACL', 'SETUSER', bytes, 'on'],
        ['ACL', 'DELUSER', bytes],
        ['AUTH', bytes, bytes],
        ['HELLO', bytes],
        ['INCR', bytes],
        [bytes],
        [bytes, bytes, bytes],
      ]),
      ['DBSIZE'],
    ]);
  });

  test('times at and beyond 2^31 ms are never early', async () => {
    const edge = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40];
    await both.same(
      edge.flatMap((ms) => [
        ['SET', 'k', 'v', 'PX', String(ms)],
        ['GET', 'k'],
        ['EXISTS', 'k'],
        ['CONFIG', 'SET', 'timeout', String(Math.min(2 ** 31 - 1, ms))],
        ['CONFIG', 'SET', 'timeout', '0'],
      ]),
    );
    const waiting = edge.map((ms) => {
      const raw = new Raw(both.server.port);
      raw.call('BLPOP', 'never', ms / 1000);
      return raw;
    });
    const pausing = new Raw(both.server.port);
    expect(await pausing.ask('CLIENT', 'PAUSE', 2 ** 31 + 5, 'WRITE')).toBe('+OK\r\n');
    const writer = new Raw(both.server.port);
    writer.call('SET', 'paused', '1');
    await pause(300);
    expect(waiting.map((raw) => raw.received)).toEqual(edge.map(() => ''));
    expect(writer.received).toBe('');
    expect(await pausing.ask('CLIENT', 'UNPAUSE')).toBe('+OK\r\n');
    await until(() => writer.received === '+OK\r\n', 'the paused write');
    await both.ours.send([['RPUSH', 'never', ...edge.map(String)]]);
    await until(() => waiting.every((raw) => raw.received !== ''), 'all of them to be served');
    for (const raw of [...waiting, pausing, writer]) raw.destroy();
  });
});

describe('handlers that throw', () => {
  const lines: string[] = [];
  let server: CinnabarServer;
  let name = '';

  beforeAll(async () => {
    const log = new ServerLog({ file: '', level: 'verbose', format: 'redis', sink: (line) => lines.push(line) });
    server = createServer({ settings: { port: await freePort(), bind: '127.0.0.1', save: '' }, log });
    await server.listen();
  });
  afterAll(() => server?.close());

  /** Lets a command throw `error` for as long as `act` takes. */
  async function throwing(command: string, error: unknown, act: () => Promise<void>): Promise<void> {
    const registered = server.engine.table.find(sliceOf(command));
    if (!registered) throw new Error(`no ${command}`);
    name = command;
    const run = registered.run;
    const replaced: Command['run'] = () => {
      throw error;
    };
    Reflect.set(registered, 'run', replaced);
    try {
      await act();
    } finally {
      Reflect.set(registered, 'run', run);
    }
  }

  test.each([new Error('planted'), 'a string', undefined, new RangeError('Invalid array length')])(
    '%s',
    async (error) => {
      const client = new Raw(server.port);
      const other = new Raw(server.port);
      await throwing('echo', error, async () => {
        expect(await client.ask('ECHO', 'x')).toBe('-ERR internal error, see the log\r\n');
        client.received = '';
        client.send(command('MULTI') + command('ECHO', 'x') + command('PING') + command('EXEC'));
        await client.expect('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR internal error, see the log\r\n+PONG\r\n');
        expect(await other.ask('PING')).toBe('+PONG\r\n');
      });
      expect(lines.some((line) => line.includes(`Command '${name}' failed`))).toBe(true);
      expect(await client.ask('ECHO', 'x')).toBe('$1\r\nx\r\n');
      client.destroy();
      other.destroy();
    },
  );

  test('a throw outside of any command ends that client, and no other', async () => {
    const client = new Raw(server.port);
    const other = new Raw(server.port);
    expect([await client.ask('PING'), await other.ask('PING')]).toEqual(['+PONG\r\n', '+PONG\r\n']);
    const { table } = server.engine;
    Reflect.set(table, 'find', () => {
      Reflect.deleteProperty(table, 'find');
      throw new Error('planted in the table');
    });
    client.send(command('PING') + command('SET', 'never', 'x'));
    await until(() => client.ended, 'the end of the client');
    expect(client.received.slice('+PONG\r\n'.length)).toBe('-ERR internal error, see the log\r\n');
    expect(lines.some((line) => line.includes('planted in the table'))).toBe(true);
    expect(await other.ask('EXISTS', 'never')).toBe(':0\r\n');
    expect(server.engine.sessions.size).toBe(1);
    other.destroy();
  });
});
