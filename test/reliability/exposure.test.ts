/**
 * Suite 14: what a server shows to those who have no business with it, beside redis-server.
 *
 * Planted once: the limit of arguments before authentication lifted; the first test failed.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServerProcess, startCinnabar, startRedis } from '../support/server-process.ts';
import { command, Raw, until } from './harness.ts';

const PASSWORD = 'open-sesame-4711';
const OPTIONS = ['--requirepass', PASSWORD, '--loglevel', 'debug', '--slowlog-log-slower-than', '0'];

/**
 * What comes back for these bytes: all of it, and whether the connection was closed. The server has read them, and we
 * its replies, when another connection has been answered several times since.
 */
async function exchange(server: ServerProcess, bytes: string): Promise<string> {
  const raw = new Raw(server.port);
  const other = new Raw(server.port);
  await other.ask('PING');
  raw.send(bytes);
  for (let i = 0; i < 5; i++) await other.ask('PING');
  raw.destroy();
  other.destroy();
  return `${raw.received}${raw.ended || raw.closed ? '<end>' : ''}`;
}

describe('with a password', () => {
  let ours: ServerProcess;
  let theirs: ServerProcess;

  beforeAll(async () => {
    [ours, theirs] = await Promise.all([
      startCinnabar(...OPTIONS, '--unixsocket', 'socket', '--unixsocketperm', '700'),
      startRedis(...OPTIONS),
    ]);
  });
  afterAll(async () => {
    await ours?.stop();
    await theirs?.stop();
  });

  const unknown = [
    '*10\r\n$16384\r\n',
    '*11\r\n$4\r\nPING\r\n',
    '*2147483647\r\n',
    '*10\r\n$16385\r\n',
    '*2\r\n$4\r\nAUTH\r\n$16385\r\n',
    '*2\r\n$4\r\nAUTH\r\n$-1\r\n',
    `AUTH ${'x'.repeat(20_000)}\r\n`,
    `AUTH ${'x'.repeat(70_000)}`,
    'POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a b\r\n',
    'host: x\r\nPING\r\n',
    '*2\r\n$4\r\npOsT\r\n$1\r\nx\r\nPING\r\n',
    `AUTH ${PASSWORD}\r\nPOST / HTTP/1.1\r\n`,
    `AUTH ${PASSWORD}\r\nMULTI\r\nhost: x\r\nPING\r\n`,
    'GET key\r\nNOSUCH\r\nHELLO\r\nHELLO 3\r\nQUIT\r\n',
    'MULTI\r\nEXEC\r\nSUBSCRIBE a\r\nMONITOR\r\nCONFIG GET requirepass\r\nACL WHOAMI\r\nRESET\r\nPING\r\n',
    `HELLO 3 AUTH default wrong\r\nHELLO 2 AUTH nobody ${PASSWORD}\r\nAUTH nobody ${PASSWORD}\r\nGET key\r\n`,
    command('AUTH', ''),
    command('AUTH', 'default', ''),
    command('AUTH', 'a\0b'),
  ];

  test.each(unknown.map((bytes) => [bytes.slice(0, 50), bytes]))(
    'what an unknown client gets: %j',
    async (_, bytes) => {
      const [mine, real] = await Promise.all([exchange(ours, bytes), exchange(theirs, bytes)]);
      expect(mine).toBe(real);
    },
  );

  test('the log warns of cross protocol scripting, once a minute', () => {
    const warned = (server: ServerProcess): number =>
      server.output().split('Possible SECURITY ATTACK detected').length - 1;
    expect([warned(ours), warned(theirs)]).toEqual([1, 1]);
    const line = (server: ServerProcess): string | undefined =>
      /# (Possible SECURITY ATTACK.*)\n/.exec(server.output())?.[1];
    expect(line(ours)).toBe(line(theirs));
  });

  test('after authentication the limits are lifted', async () => {
    const client = new Raw(ours.port);
    expect(await client.ask('AUTH', PASSWORD)).toBe('+OK\r\n');
    expect(await client.ask('SET', 'large', 'x'.repeat(100_000))).toBe('+OK\r\n');
    expect(await client.ask('DEL', ...Array.from({ length: 100 }, (_, i) => `k${i}`))).toBe(':0\r\n');
    client.destroy();
  });

  test('no password in clear in the log, the slow log or MONITOR', async () => {
    const watcher = new Raw(ours.port);
    await watcher.ask('AUTH', PASSWORD);
    await watcher.ask('MONITOR');
    const client = new Raw(ours.port);
    const secret = 'never-to-be-seen';
    await client.ask('AUTH', PASSWORD);
    await client.ask('AUTH', 'default', PASSWORD);
    await client.ask('AUTH', secret);
    await client.ask('HELLO', 3, 'AUTH', 'default', PASSWORD);
    await client.ask('HELLO', 2, 'AUTH', 'default', secret);
    await client.ask('CONFIG', 'SET', 'masterauth', secret, 'maxmemory', '0');
    await client.ask('CONFIG', 'SET', 'maxmemory', '0', 'tls-key-file-pass', secret);
    await client.ask('ACL', 'SETUSER', 'ada', 'on', `>${secret}`, '+@all', '~*');
    await client.ask('CONFIG', 'SET', 'requirepass', PASSWORD);
    await client.ask('MIGRATE', '127.0.0.1', 1, 'k', 0, 10, 'AUTH', secret);
    await client.ask('MIGRATE', '127.0.0.1', 1, 'k', 0, 10, 'AUTH2', 'user', secret);
    await client.ask('ECHO', 'the end');
    await until(() => watcher.received.includes('the end'), 'the last command to be shown');
    const slow = await client.ask('SLOWLOG', 'GET', '-1');
    expect(slow).toContain('(redacted)');
    for (const text of [slow, watcher.received, ours.output()]) {
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(secret);
    }
    expect(await client.ask('ACL', 'LIST')).not.toContain(PASSWORD);
    watcher.destroy();
    client.destroy();
  });

  test("the unix socket's permissions are those that were asked for, and it needs the password too", async () => {
    const path = join(ours.folder, 'socket');
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const socket = connect(path);
    const answer = new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())));
    socket.write('GET key\r\n');
    expect(await answer).toBe('-NOAUTH Authentication required.\r\n');
    socket.destroy();
  });
});

describe('switches', () => {
  const ASKED: readonly (readonly string[])[] = [
    ['DEBUG', 'JMAP'],
    ['DEBUG', 'SLEEP', '0'],
    ['MODULE', 'LIST'],
    ['MODULE', 'LOAD', '/tmp/x.so'],
    ['CONFIG', 'SET', 'dir', '/tmp'],
    ['CONFIG', 'SET', 'dbfilename', 'x'],
    ['CONFIG', 'SET', 'enable-debug-command', 'yes'],
  ];

  test.each(['no', 'local', 'yes'])('enable-debug-command, -protected-configs and -module-command %s', async (word) => {
    const options = ['debug-command', 'protected-configs', 'module-command'].flatMap((name) => [
      `--enable-${name}`,
      word,
    ]);
    const [ours, theirs] = await Promise.all([startCinnabar(...options), startRedis(...options)]);
    try {
      const mine = new Raw(ours.port);
      const real = new Raw(theirs.port);
      for (const words of ASKED) {
        // What a module loader says of a file that isn't there is not ours to repeat.
        if (words[0] === 'MODULE' && word !== 'no') continue;
        if (words[1] === 'JMAP' && word !== 'no') continue;
        expect([words, await mine.ask(...words)]).toEqual([words, await real.ask(...words)]);
      }
      mine.destroy();
      real.destroy();
    } finally {
      await ours.stop();
      await theirs.stop();
    }
  });

  test('renamed commands answer to their new name only', async () => {
    const renames = [
      '--rename-command',
      'FLUSHALL',
      '',
      '--rename-command',
      'CONFIG',
      'hidden',
      '--rename-command',
      'GET',
      'fetch',
      ...['EVAL', 'SCRIPT', 'FCALL'].flatMap((name) => ['--rename-command', name, '']),
      ...['--rename-command', 'FUNCTION', 'lib'],
    ];
    const [ours, theirs] = await Promise.all([startCinnabar(...renames), startRedis(...renames)]);
    try {
      const mine = new Raw(ours.port);
      const real = new Raw(theirs.port);
      for (const words of [
        ['FLUSHALL'],
        ['CONFIG', 'GET', 'port'],
        ['HIDDEN', 'GET', 'maxmemory'],
        ['hidden', 'nosuch'],
        ['GET', 'a'],
        ['FETCH', 'a'],
        ['FETCH'],
        ['EVAL', 'return 1', '0'],
        ['SCRIPT', 'FLUSH'],
        ['FCALL', 'f', '0'],
        ['FUNCTION', 'STATS'],
        ['LIB', 'LIST'],
        ['COMMAND', 'INFO', 'get'],
        ['MULTI'],
        ['flushall'],
        ['EXEC'],
      ])
        expect([words, await mine.ask(...words)]).toEqual([words, await real.ask(...words)]);
      mine.destroy();
      real.destroy();
    } finally {
      await ours.stop();
      await theirs.stop();
    }
  });
});

test('passwords given on the command line or by CONFIG are not written in clear where they need not be', async () => {
  const server = await startCinnabar('--requirepass', PASSWORD, '--logfile', '', '--loglevel', 'debug');
  try {
    expect(server.output()).not.toContain(PASSWORD);
    const title = `/proc/${server.pid}/comm`;
    if (existsSync(title)) expect(readFileSync(title, 'utf8')).not.toContain(PASSWORD);
  } finally {
    await server.stop();
  }
});
