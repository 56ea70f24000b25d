import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Pipeline } from '../../support/pipeline.ts';
import { freePort } from '../../support/ports.ts';
import { MAIN } from '../../support/server-process.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-program-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly output: () => string;
  readonly pid: number;
  readonly exit: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the program and waits until its output holds `text`. */
async function run(args: readonly string[], text: string, input = '', env = process.env): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  const exit = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  child.stdin.end(input);
  await new Promise<void>((done) => {
    const take = (chunk: Buffer): void => {
      output += chunk.toString('latin1');
      if (output.includes(text)) done();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    void exit.then(() => done());
  });
  return { output: () => output, pid: child.pid ?? 0, exit, kill: (signal) => child.kill(signal) };
}

function once(...args: string[]): { text: string; code: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'latin1' });
  return { text: stdout + stderr, code: status };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i++) await new Promise((done) => setTimeout(done, 25));
  expect(condition()).toBe(true);
}

async function supervisedAt(port: number): Promise<string | undefined> {
  const client = new Pipeline(port);
  const info = String(await client.call('INFO', 'server'));
  client.close();
  return /^process_supervised:(\w+)\r?$/m.exec(info)?.[1];
}

describe('supervised', () => {
  test.skipIf(process.platform === 'win32')(
    'systemd is told by systemd-notify that the server is ready, and that it ends',
    async () => {
      const told = join(folder, 'told');
      writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${told}\n`, {
        mode: 0o755,
      });
      const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: '/run/notify' };
      for (const supervised of ['systemd', 'auto']) {
        rmSync(told, { force: true });
        const port = String(await freePort());
        const server = await run(['--port', port, '--supervised', supervised], 'Ready to accept connections', '', env);
        expect(server.output()).toContain('Supervised by systemd. ');
        await until(() => existsSync(told));
        expect(await supervisedAt(Number(port))).toBe('systemd');
        server.kill('SIGTERM');
        expect(await server.exit).toBe(0);
        await until(() => readFileSync(told, 'utf8').split('\n').length > 2);
        expect(readFileSync(told, 'utf8')).toBe(
          `/run/notify --pid=${server.pid} --ready --status=Ready to accept connections\n` +
            `/run/notify --pid=${server.pid} --stopping\n`,
        );
      }
    },
  );

  test('says so where it can not be told', async () => {
    const port = String(await freePort());
    const env = { ...process.env, PATH: folder, NOTIFY_SOCKET: '/run/notify' };
    const server = await run(
      ['--port', port, '--supervised', 'systemd'],
      "systemd is not told: systemd-notify can't be run",
      '',
      env,
    );
    expect(server.output()).toContain("systemd-notify can't be run, or has failed (2)");
    expect(await supervisedAt(Number(port))).toBe('no');
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
  });
});

describe.skipIf(process.platform !== 'linux')('supervised by upstart', () => {
  const stateOf = (pid: number): string | undefined =>
    /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

  test('stands still until it is continued, is no daemon then, and says so', async () => {
    const port = await freePort();
    const env = { ...process.env, UPSTART_JOB: 'cinnabar' };
    const server = await run(
      ['--port', String(port), '--supervised', 'auto', '--daemonize', 'yes'],
      'supervised by upstart, will stop to signal readiness.',
      '',
      env,
    );
    await until(() => stateOf(server.pid) === 'T');
    expect(server.output()).not.toContain('is starting');
    process.kill(server.pid, 'SIGCONT');
    await until(() => server.output().includes('Ready to accept connections'));
    expect(await supervisedAt(port)).toBe('upstart');
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
  });
});

describe('loadmodule', () => {
  const EXAMPLE = join(import.meta.dirname, '../../../examples/commands.js');

  test('loads commands before the users who may run them', async () => {
    const port = await freePort();
    writeFileSync(
      join(folder, 'redis.conf'),
      `port ${port}\nuser ada on nopass ~* +incrcap\nloadmodule ${EXAMPLE} one\nrename-command PING ""\n`,
    );
    const server = await run(['redis.conf'], 'Ready to accept connections');
    expect(server.output()).toContain(`Module 'commands' loaded from ${EXAMPLE}`);
    const client = new Pipeline(port);
    expect(await client.call('AUTH', 'ada', 'x')).toBe('OK');
    expect(await client.call('INCRCAP', 'n', '1')).toBe(1);
    expect(await client.call('NEIGHBOURS', 'z', 'a', '1')).toBeInstanceOf(Error);
    client.close();
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
  });

  test('that can not be done ends the start', () => {
    const { text, code } = once('--port', '0', '--loadmodule', 'none.js');
    expect(text).toContain('Module none.js failed to load: Error: Cannot find module');
    expect(text).toMatch(/# Can't load module from none\.js: server aborting\n$/);
    expect(code).toBe(1);
  });
});

describe('the command line', () => {
  test('answers what starts no server', () => {
    expect(once('--version').text).toMatch(/^Redis server v=7\.0\.15 .*malloc=cinnabar/);
    expect(once('-v').code).toBe(0);
    expect(once('--help').text).toMatch(/^Usage: cinnabar/);
    expect(once('--test-memory', '10')).toMatchObject({ code: 1 });
    expect(once('--sentinel').text).toMatch(/# Sentinel needs config file on disk to save state. Exiting...\n$/);
  });

  test('names the line and the reason of a broken setting', () => {
    const { text, code } = once('--port', '6380', '--loglevel');
    expect(code).toBe(1);
    expect(text).toBe(
      "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 3\n>>> 'loglevel'\nwrong number of arguments\n(the command line: loglevel takes one of debug, verbose, notice, warning)\n",
    );
    expect(once('--rename-command', 'nosuch', 'x').text).toMatch(/No such command in rename-command/);
    expect(once('--syslog-enabled', 'yes').text).toMatch(/syslog is not supported/);
    expect(once('none.conf').text).toContain(
      `# Fatal error, can't open config file '${join(folder, 'none.conf')}': No such file or directory`,
    );
    expect(once('--logfile', 'none/x').text).toMatch(/Can't open the log file: No such file or directory/);
  });
});

describe('a running server', () => {
  test('logs in Redis’s words, and ends on SIGTERM', async () => {
    const port = await freePort();
    const server = await run(['--port', String(port), '--always-show-logo', 'yes'], 'Ready to accept connections');
    expect(server.output()).toContain(` PID: ${server.pid}`);
    expect(server.output()).toMatch(
      new RegExp(
        `${server.pid}:M \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d\\.\\d{3} \\* Ready to accept connections\n`,
      ),
    );
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(server.output()).toMatch(/:signal-handler \(\d+\) Received SIGTERM scheduling shutdown\.\.\.\n/);
    expect(server.output()).toMatch(/# User requested shutdown\.\.\.\n/);
    expect(server.output()).toMatch(/# Redis is now ready to exit, bye bye\.\.\.\n$/);
  });

  test('says that a port is taken', async () => {
    const port = await freePort();
    const first = await run(['--port', String(port), '--bind', '127.0.0.1'], 'Ready to accept');
    const second = await run(['--port', String(port), '--bind', '127.0.0.1'], 'never');
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(`Failed listening on port ${port}`);
    first.kill('SIGINT');
    expect(await first.exit).toBe(0);
  });

  test('goes into the background, with a PID file that it removes', async () => {
    const port = await freePort();
    const pidFile = join(folder, 'server.pid');
    const log = join(folder, 'server.log');
    const settings = `port ${port}\ndaemonize yes\npidfile ${pidFile}\nlogfile ${log}\nlog-format json\n`;
    const parent = await run(['-'], 'never', settings);
    expect(await parent.exit).toBe(0);
    await until(() => existsSync(log) && readFileSync(log, 'latin1').includes('Ready to accept'));
    const pid = Number(readFileSync(pidFile, 'latin1'));
    expect(pid).not.toBe(parent.pid);
    for (const line of readFileSync(log, 'latin1').trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ pid });
    process.kill(pid, 'SIGTERM');
    await until(() => !existsSync(pidFile));
  });

  test('rewrites its configuration file, and starts from it again', async () => {
    const port = await freePort();
    const file = join(folder, 'redis.conf');
    writeFileSync(file, `# mine\nport ${port}\nrename-command FLUSHDB badger\nsave 900 1\n`);
    const first = await run([file], 'Ready to accept');
    const client = new Pipeline(port);
    const replies = await client.send([
      ['FLUSHDB'],
      ['BADGER'],
      ['CONFIG', 'SET', 'maxmemory', '100mb', 'save', ''],
      ['CONFIG', 'REWRITE'],
      ['SHUTDOWN', 'NOSAVE'],
    ]);
    expect(String(replies[0])).toMatch(/unknown command/);
    expect(replies.slice(1, 4)).toEqual(['OK', 'OK', 'OK']);
    expect(await first.exit).toBe(0);
    client.close();
    expect(readFileSync(file, 'latin1')).toMatch(
      /^# mine\nport \d+\nrename-command FLUSHDB badger\nsave ""\n\n# Generated by CONFIG REWRITE\n(.*\n)*maxmemory 100mb\n/,
    );
    const again = await run([file], 'Ready to accept');
    const other = new Pipeline(port);
    expect(
      await other.send([
        ['CONFIG', 'GET', 'maxmemory'],
        ['CONFIG', 'GET', 'save'],
      ]),
    ).toEqual([
      ['maxmemory', '104857600'],
      ['save', ''],
    ]);
    other.close();
    again.kill('SIGTERM');
    expect(await again.exit).toBe(0);
  });
});

test('paths and values may hold any text', async () => {
  const port = await freePort();
  const file = join(folder, 'größe ☃.conf');
  const log = join(folder, 'ü ☃.log');
  writeFileSync(file, `port ${port}\nlogfile "${log}"\n`);
  const child = spawn(process.execPath, [MAIN, file, '--masterauth', 'ß☃'], { cwd: folder, stdio: 'ignore' });
  const exit = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('Ready to accept'));
  const client = new Pipeline(port);
  const [given, rewritten] = await client.send([
    ['CONFIG', 'GET', 'masterauth'],
    ['CONFIG', 'REWRITE'],
  ]);
  client.close();
  expect(given).toEqual(['masterauth', Buffer.from('ß☃').toString('latin1')]);
  expect(rewritten).toBe('OK');
  expect(readFileSync(file, 'latin1')).toContain('masterauth "\\xc3\\x9f\\xe2\\x98\\x83"\n');
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
});
