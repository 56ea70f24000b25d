/** What is otherwise on other systems than the one that the tests run on, as far as it can be told here. */
import { afterEach, expect, test, vi } from 'vitest';
import { RealDisk } from '../../../src/base/disk.ts';
import { Config } from '../../../src/config/config.ts';
import type { Manager } from '../../../src/engine/server-port.ts';
import { createServer } from '../../../src/server/server.ts';
import { Supervisor } from '../../../src/server/supervised.ts';
import { checkSupported } from '../../../src/server/unsupported.ts';

const real = process.platform;

function pretend(platform: NodeJS.Platform): void {
  Object.defineProperty(process, 'platform', { value: platform });
}

afterEach(() => pretend(real));

test.each(['win32', 'darwin'] as const)(
  'on %s a server saves, rewrites its configuration and answers',
  async (platform) => {
    pretend(platform);
    const server = createServer({ port: 0 });
    await server.listen();
    const session = server.session();
    await session.call('SET', 'k', 'v');
    expect(await session.call('EVAL', "return redis.call('get', 'k')", 0)).toBe('v');
    expect(await session.call('INFO', 'memory')).toContain('used_memory:');
    await server.restore(await server.snapshot());
    expect(await session.call('GET', 'k')).toBe('v');
    await server.close();
  },
);

test('a folder is not synced on Windows, which has no way to', () => {
  pretend('win32');
  new RealDisk().syncFolder('there is none');
  pretend('darwin');
  expect(() => new RealDisk().syncFolder('there is none')).toThrow('ENOENT');
});

test('a unix socket is refused on Windows only, and syslog everywhere', () => {
  const config = new Config();
  expect(checkSupported(config.settings, 'win32')).toBeUndefined();
  config.load('unixsocket', ['server.sock']);
  expect(checkSupported(config.settings, 'win32')).toContain('leave unixsocket out');
  expect(checkSupported(config.settings, 'darwin')).toBeUndefined();
  config.load('syslog-enabled', ['yes']);
  expect(checkSupported(config.settings, 'linux')).toContain('syslog is not supported');
});

test('a manager is told only where there is one', () => {
  let stops = 0;
  const start = vi.fn((_folder: string, _words: readonly string[]) => ({ pid: 1, kill() {} }));
  type Supervised = 'no' | 'auto' | 'systemd' | 'upstart';
  const told = (supervised: Supervised, environment: Record<string, string>, by: Manager = 'no'): string[] => {
    const logged: string[] = [];
    const log = (text: string): void => void logged.push(text);
    const supervisor = new Supervisor({
      supervised,
      environment,
      programs: { start },
      pid: 5,
      folder: '/',
      log: { debug: log, verbose: log, notice: log, warning: log },
      standStill: () => void stops++,
    });
    expect(supervisor.by).toBe(by);
    if (by === 'upstart') expect(environment).not.toHaveProperty('UPSTART_JOB');
    start.mockClear();
    supervisor.ready();
    supervisor.stopping();
    return [...start.mock.calls.map(([, words]) => words.join(' ')), ...logged];
  };
  const both = [
    'systemd-notify --pid=5 --ready --status=Ready to accept connections',
    'systemd-notify --pid=5 --stopping',
  ];
  expect(told('no', { NOTIFY_SOCKET: 'x' })).toEqual([]);
  expect(told('auto', {})).toEqual([]);
  expect(told('auto', { NOTIFY_SOCKET: 'x' }, 'systemd').slice(0, 2)).toEqual(both);
  expect(told('systemd', {})).toEqual(['systemd supervision error: NOTIFY_SOCKET not found!']);
  expect(told('upstart', {})).toEqual(['upstart supervision requested, but UPSTART_JOB not found!']);
  expect(stops).toBe(0);
  const stopping = ['supervised by upstart, will stop to signal readiness.'];
  expect(told('upstart', { UPSTART_JOB: '' }, 'upstart')).toEqual(stopping);
  expect(told('auto', { UPSTART_JOB: 'x', NOTIFY_SOCKET: 'x' }, 'upstart')).toEqual(stopping);
  expect(told('no', { UPSTART_JOB: 'x' })).toEqual([]);
  expect(stops).toBe(2);
});
