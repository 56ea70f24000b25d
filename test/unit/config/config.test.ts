import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../../src/base/memory-disk.ts';
import { bytesOf, Slice, sliceOf } from '../../../src/base/slice.ts';
import { Config, LOADING } from '../../../src/config/config.ts';
import { ConfigReader, FatalConfigError, readCommandLine } from '../../../src/config/file.ts';
import { rewriteConfig } from '../../../src/config/rewrite.ts';

const RULES = { loading: false, mayProtected: false };

/** A disk with a folder /srv, in which the server is started. */
function host(files: Record<string, string> = {}): MemoryDisk {
  const disk = new MemoryDisk(undefined, undefined, '/srv');
  for (const [path, text] of Object.entries(files)) {
    const file = disk.open(path, 'w');
    file.writeAll(bytesOf(text));
    file.close();
  }
  return disk;
}

function load(text: string, files: Record<string, string> = {}): Config {
  const config = new Config(host(files));
  new ConfigReader(config, {
    renameCommand: () => undefined,
    user: () => undefined,
    loadModule: () => undefined,
    sentinel: () => undefined,
  }).readText(text);
  return config;
}

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof FatalConfigError) return error.message;
    throw error;
  }
  return '';
}

function lines(args: string[]): string {
  return readCommandLine(args).lines;
}

describe('CONFIG SET', () => {
  test('reads every kind of value as Redis does', () => {
    const config = new Config(host());
    for (const [name, given, shown] of [
      ['maxmemory', '1GB', '1073741824'],
      ['maxmemory', '99999999999999999999', '18446744073709551615'],
      ['maxmemory-clients', '50%', '50%'],
      ['hz', '1000', '500'],
      ['appendfsync', 'ALWAYS', 'always'],
      ['slowlog-max-len', '9223372036854775807', '9223372036854775807'],
      ['shutdown-on-sigterm', 'NOW SAVE force', 'save now force'],
      ['notify-keyspace-events', 'KEg$lshzxetdmn', 'AKEm'],
      ['latency-tracking-info-percentiles', '0.0 50.123456789 100.0', '0 50.123457 100'],
      [
        'client-output-buffer-limit',
        'normal 1 2 3',
        'normal 1 2 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
      ],
      ['save', '10 5 20 6', '10 5 20 6'],
      ['repl-backlog-size', '100', '16384'],
    ]) {
      expect(config.set([name, given], RULES)).toBeUndefined();
      expect(config.text(name)).toBe(shown);
    }
    expect(config.settings.maxmemoryClients).toBe(-50);
    expect(config.settings.hz).toBe(500);
  });

  test('refuses with Redis’s words', () => {
    const config = new Config(host());
    for (const [words, reason] of [
      [['port', '70000'], 'argument must be between 0 and 65535 inclusive'],
      [['port', 'abc'], "argument couldn't be parsed into an integer"],
      [['maxmemory', '10%'], 'argument must be a memory value'],
      [['maxmemory-clients', '101%'], 'percentage argument must be less or equal to 100'],
      [['appendonly', 'x'], "argument must be 'yes' or 'no'"],
      [['daemonize', 'yes'], "can't set immutable config"],
      [['dbfilename', 'x'], "can't set protected config"],
      [['maxmemory', '1', 'maxmemory', '2'], 'duplicate parameter'],
      [['save', '0 1'], 'Invalid save parameters'],
      [['client-output-buffer-limit', 'master 1 1 1'], 'Invalid client class specified in buffer limit configuration.'],
      [['proc-title-template', '{foo}'], 'template format is invalid or contains unknown variables'],
    ] as const) {
      const name = words[0];
      const expected = `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
      expect(config.set(words, RULES)).toBe(expected);
    }
    expect(config.set(['nosuch', '1', 'port', 'x'], RULES)).toBe(
      "Unknown option or number of arguments for CONFIG SET - 'nosuch'",
    );
    expect(config.set(['dir', '/srv'], { loading: true, mayProtected: true })).toBe(LOADING);
  });

  test('names of Object’s own members are unknown settings', () => {
    const config = new Config(host());
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty'])
      expect(config.set([name, '1'], RULES)).toMatch(/^Unknown option/);
    expect(config.get([sliceOf('__proto__')]).size).toBe(0);
  });

  test('puts everything back when one value or one listener refuses', async () => {
    const config = new Config(host());
    expect(config.set(['maxmemory', '5', 'maxmemory-clients', '200%', 'hz', 'x'], RULES)).toMatch(/maxmemory-clients/);
    expect(config.text('maxmemory')).toBe('0');
    const seen: number[] = [];
    config.on('maxmemory', (settings) => {
      seen.push(settings.maxmemory);
      return undefined;
    });
    config.on(['port', 'bind'], (settings) => Promise.resolve(settings.port === 1 ? 'taken' : undefined));
    expect(await config.set(['maxmemory', '5', 'port', '1', 'hz', '20'], RULES)).toBe(
      "CONFIG SET failed (possibly related to argument 'port') - taken",
    );
    expect(seen).toEqual([5, 0]);
    expect([config.settings.port, config.settings.maxmemory, config.settings.hz]).toEqual([6379, 0, 10]);
    expect(await config.set(['maxmemory', '5', 'port', '2', 'bind', '::1'], RULES)).toBeUndefined();
  });

  test('dir is taken relative to the present one', () => {
    const disk = host();
    disk.makeFolder('/srv/data');
    const config = new Config(disk);
    expect(config.set(['dir', 'data'], { loading: false, mayProtected: true })).toBeUndefined();
    expect(config.settings.dir).toBe('/srv/data');
    expect(config.set(['dir', '/none'], { loading: false, mayProtected: true })).toMatch(/No such file or directory$/);
    expect(config.path).toBe('/srv/data');
  });
});

describe('CONFIG GET', () => {
  test('matches patterns without case, answers names as they were spelled, and nothing twice', () => {
    const config = new Config(host());
    expect([...config.get([sliceOf('MAXMEMORY')])]).toEqual([['MAXMEMORY', '0']]);
    const found = [...config.get([sliceOf('Maxmemory*'), sliceOf('maxmemory'), sliceOf('*of')]).keys()];
    expect(found).toContain('maxmemory-samples');
    expect(found).toContain('slaveof');
    expect(new Set(found).size).toBe(found.length);
    expect(config.get([sliceOf('*')]).has('key-load-delay')).toBe(false);
    expect(config.get([sliceOf('key-load-delay')]).get('key-load-delay')).toBe('0');
  });

  test('any bytes are a pattern', () => {
    const all = new Uint8Array(256).map((_, i) => i);
    expect(new Config(host()).get([new Slice(all), new Slice(bytesOf('\xff*'))]).size).toBe(0);
  });
});

describe('the configuration file', () => {
  test('is read with quotes, comments and includes', () => {
    const config = load('# c\n\n  port "7000"\r\ninclude /srv/x*\nrequirepass "a\\x41 b"\n', {
      '/srv/x1': 'maxmemory 1kb\n',
    });
    expect(config.settings.port).toBe(7000);
    expect(config.settings.maxmemory).toBe(1024);
    expect(config.settings.requirepass).toBe('aA b');
  });

  test('the first save line replaces the built-in points, an empty one drops all', () => {
    expect(load('').text('save')).toBe('3600 1 300 100 60 10000');
    expect(load('save 900 1\nsave 100 100').text('save')).toBe('900 1 100 100');
    expect(load('save 900 1\nsave ""').text('save')).toBe('');
  });

  test('errors name the line and the reason', () => {
    const heading = '\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n';
    expect(failure(() => load('\nport 1 2'))).toBe(
      `${heading}Reading the configuration file, at line 2\n>>> 'port 1 2'\nwrong number of arguments\n(line 2: port takes a whole number from 0 to 65535)\n`,
    );
    expect(failure(() => load('zzz 1'))).toMatch(/Bad directive or wrong number of arguments/);
    expect(failure(() => load('zzz 1'))).toMatch(/\n\(line 1: there is no setting zzz\)\n$/);
    expect(failure(() => load('maxmemry 1'))).toMatch(/there is no setting maxmemry; is maxmemory meant\?\)\n$/);
    expect(failure(() => load('include'))).toMatch(/include takes a file, or a pattern of several/);
    expect(failure(() => load('maxmemory much'))).toMatch(
      /\(line 1: maxmemory takes an amount of memory, such as 100mb/,
    );
    expect(failure(() => load('include /srv/x*', { '/srv/x1': '# one\n', '/srv/x2': '\nhz fast\n' }))).toMatch(
      /at line 3\n>>> 'hz fast'\n.*\n\(\/srv\/x2, line 2: hz takes a whole number from/,
    );
    expect(failure(() => load('port "1'))).toMatch(/Unbalanced quotes in configuration line/);
    expect(failure(() => load('replicaof a b'))).toMatch(/Invalid master port/);
    expect(failure(() => load('dir /none'))).toMatch(/No such file or directory/);
  });

  test('errors name the file, the standard input or the command line', () => {
    const told = (file: string, input: string | null, args: string): string => {
      const config = new Config(host({ '/srv/a.conf': file }));
      const directives = { renameCommand: () => undefined, user: () => undefined, loadModule: () => undefined };
      const reader = new ConfigReader(config, { ...directives, sentinel: () => undefined }, () => input ?? '');
      return failure(() => reader.read({ file: '/srv/a.conf', input: input !== null, lines: args }));
    };
    expect(told('hz 10\nhz x', 'hz 1', 'hz 2')).toMatch(/at line 2\n[\s\S]*\(\/srv\/a\.conf, line 2: /);
    expect(told('hz 10', 'hz 1\nhz y', 'hz 2')).toMatch(/at line 3\n[\s\S]*\(the standard input, line 2: /);
    expect(told('hz 10\n', 'hz 1', 'hz 2\nhz z')).toMatch(/at line 4\n>>> 'hz z'[\s\S]*\(the command line: /);
    expect(told('hz 10\n', null, 'hz z')).toMatch(/\(the command line: hz takes a whole number from/);
  });

  test('the command line becomes lines', () => {
    expect(lines(['--port', '7000'])).toBe('port "7000" ');
    expect(readCommandLine(['x.conf', '--port', '1', '-'])).toEqual({
      file: 'x.conf',
      input: true,
      lines: 'port "1" ',
    });
    expect(lines(['--save', '--loglevel', 'verbose'])).toBe('save ""\nloglevel "verbose" ');
    expect(lines(['--loglevel', 'verbose', '--save'])).toBe('loglevel "verbose" \nsave ""');
    expect(lines(['--port', '--loglevel', 'verbose'])).toBe('port "--loglevel" "verbose" ');
    expect(lines(['--replicaof', '--127.0.0.1', '--abc'])).toBe('replicaof "--127.0.0.1" \nabc ');
    expect(lines(['--maxmemory 700mb', '--loglevel verbose'])).toBe('maxmemory 700mb \nloglevel verbose ');
    expect(lines(['--proc-title-template', '--save', '--save', '', '--hz', '1'])).toBe(
      'proc-title-template "--save" \nsave "" \nhz "1" ',
    );
  });
});

describe('CONFIG REWRITE', () => {
  test('keeps comments, order and what it does not know', () => {
    const old = [
      '# my comment',
      'port 17643',
      '# second',
      'save 900 1',
      'save 300 10',
      'maxmemory 100mb',
      '',
      'hash-max-ziplist-entries 10',
      'rename-command FLUSHDB badger',
      'include /srv/inc*.conf',
      'slowlog-max-len 5',
      'client-output-buffer-limit normal 1mb 2mb 3',
      'slowlog-max-len 6',
      '',
    ].join('\n');
    const disk = host({ '/srv/redis.conf': old });
    const text = (): string => disk.read('/srv/redis.conf').toString('latin1');
    const config = new Config(disk);
    config.file = '/srv/redis.conf';
    new ConfigReader(config, {
      renameCommand: () => undefined,
      user: () => undefined,
      loadModule: () => undefined,
      sentinel: () => undefined,
    }).readText(old);
    config.set(['maxmemory', '200mb', 'list-max-ziplist-size', '5', 'save', '5 5 6 6'], RULES);
    rewriteConfig(config, '/srv/new.conf');
    expect(text()).toBe(
      [
        '# my comment',
        'port 17643',
        '# second',
        'save 5 5',
        'save 6 6',
        'maxmemory 200mb',
        '',
        'hash-max-listpack-entries 10',
        'rename-command FLUSHDB badger',
        'include /srv/inc*.conf',
        'slowlog-max-len 6',
        'client-output-buffer-limit normal 1mb 2mb 3',
        '',
        '# Generated by CONFIG REWRITE',
        'dir "/srv"',
        'latency-tracking-info-percentiles 50 99 99.9',
        'list-max-listpack-size 5',
        '',
      ].join('\n'),
    );
    const again = text();
    rewriteConfig(config, '/srv/new.conf');
    expect(text()).toBe(again);
    expect(disk.list('/srv')).toEqual(['redis.conf']);
  });

  test('a file with every setting is read back the same', () => {
    const disk = host();
    const config = new Config(disk);
    config.file = '/srv/all.conf';
    config.set(['requirepass', 'a "b"\n\xff', 'bind', '127.0.0.1 ::1', 'save', ''], RULES);
    rewriteConfig(config, '/srv/new.conf', { all: true });
    const back = load(disk.read('/srv/all.conf').toString('latin1'));
    for (const [name, text] of config.get([sliceOf('*')])) expect([name, back.text(name)]).toEqual([name, text]);
  });
});
