/** What a server has of the declarations: the version that it behaves as, and commands that are handed in. */
import { afterEach, describe, expect, test } from 'vitest';
import { existsIn, REDIS_7_0, versionOf } from '../../../src/base/version.ts';
import { bool } from '../../../src/config/kinds.ts';
import { option, optionsIn } from '../../../src/config/option.ts';
import { AclCommands } from '../../../src/engine/acl/command-bits.ts';
import { type Command, command } from '../../../src/engine/command.ts';
import { bytes, key, optional, token } from '../../../src/engine/grammar.ts';
import { commandsIn } from '../../../src/engine/profile.ts';
import { Registered } from '../../../src/engine/table.ts';
import { ALL_COMMANDS } from '../../../src/server/commands.ts';
import { type CinnabarServer, createServer, type ServerOptions } from '../../../src/server/server.ts';

const REDIS_7_2 = versionOf('7.2.4', 11);

function declared(name: string, since: string, more: Partial<Command> = {}): Command {
  return command({
    name,
    since,
    group: 'string',
    complexity: 'O(1)',
    summary: `Answers ${name}.`,
    flags: ['readonly', 'fast'],
    run: (c) => c.reply.status(name),
    ...more,
  });
}

const servers: CinnabarServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function make(options: ServerOptions): CinnabarServer {
  const server = createServer(options);
  servers.push(server);
  return server;
}

describe('versions', () => {
  test('are compared by number, part by part', () => {
    expect(REDIS_7_0.number).toBe(0x0007000f);
    expect(existsIn(REDIS_7_0, undefined)).toBe(true);
    expect(existsIn(REDIS_7_0, '7.0.15')).toBe(true);
    expect(existsIn(REDIS_7_0, '7.0.16')).toBe(false);
    expect(existsIn(REDIS_7_0, '6.2.200')).toBe(true);
    expect(existsIn(versionOf('10.0.0', 12), '9.9.9')).toBe(true);
  });

  test('what came later is left out: commands, subcommands, arguments, history', () => {
    const later = declared('LATER', '7.2.0');
    const container = declared('BOX', '6.0.0', {
      run: undefined,
      subcommands: [declared('OLD', '6.0.0'), declared('NEW', '7.2.0')],
    });
    const grown = declared('GROWN', '1.0.0', {
      args: [key('key', 'RO ACCESS'), optional(token('fast', 'FAST', { since: '7.2.0' }))],
      history: [
        ['6.2.0', 'Something.'],
        ['7.2.0', 'Added FAST.'],
      ],
    });
    const all = [later, container, grown];
    expect(commandsIn(REDIS_7_2, all)).toBe(all);
    const [box, small, ...rest] = commandsIn(REDIS_7_0, all);
    expect(rest).toEqual([]);
    expect(box.subcommands?.map((sub) => sub.name)).toEqual(['OLD']);
    expect(new Registered(small, 'grown', null).arity).toBe(2);
    expect(new Registered(grown, 'grown', null).arity).toBe(-2);
    expect(small.history).toEqual([['6.2.0', 'Something.']]);
  });

  test('the commands of 7.0 lose nothing', () => {
    expect(commandsIn(REDIS_7_0, ALL_COMMANDS)).toBe(ALL_COMMANDS);
  });

  test('a server tells its own version everywhere, and has no command of a later one', async () => {
    const commands = [...ALL_COMMANDS, declared('LATER', '7.2.0')];
    const count = async (server: CinnabarServer) => server.session().call('COMMAND', 'COUNT');
    const seven = make({ table: commands });
    const next = make({ table: commands, version: REDIS_7_2 });
    expect(await count(seven)).toBe(ALL_COMMANDS.length);
    expect(await count(next)).toBe(ALL_COMMANDS.length + 1);
    await expect(seven.session().call('LATER')).rejects.toThrow(/unknown command 'LATER'/);
    expect(await next.session().call('LATER')).toBe('LATER');
    expect(await next.session().call('INFO', 'server')).toContain('redis_version:7.2.4\r\n');
    expect(await next.session().call('EVAL', 'return redis.REDIS_VERSION_NUM', '0')).toBe(0x00070204);
    expect(await seven.session().call('EVAL', 'return redis.REDIS_VERSION', '0')).toBe('7.0.15');
  });

  test('settings that came later have no name', () => {
    const [old, later] = [
      option('old-one', bool(true), 'Was always there.'),
      option('later-one', bool(true), 'Came with 7.2.', { since: '7.2.0' }),
    ];
    expect(optionsIn(REDIS_7_0, [old, later])).toEqual([old]);
    expect(optionsIn(REDIS_7_2, [old, later])).toEqual([old, later]);
  });
});

test('nothing is derived from a declaration before its command is asked for: a server is there at once', async () => {
  const derived: string[] = [];
  const watched = ALL_COMMANDS.map((each) => ({
    ...each,
    get args() {
      derived.push(each.name);
      return each.args;
    },
  }));
  derived.length = 0;
  const session = make({ table: watched }).session();
  expect(await session.call('PING')).toBe('PONG');
  expect(new Set(derived)).toEqual(new Set(['PING']));
  await session.call('ACL', 'SETUSER', 'reader', 'on', 'nopass', '~*', '-@all', '+@read');
  await session.call('AUTH', 'reader', 'x');
  expect(await session.call('GET', 'k')).toBe(null);
  await expect(session.call('SET', 'k', 'v')).rejects.toThrow("no permissions to run the 'set' command");
});

describe('commands that are handed in', () => {
  test('are the only ones', async () => {
    const server = make({ table: [declared('ONLY', '1.0.0')] });
    expect(await server.session().call('ONLY')).toBe('ONLY');
    await expect(server.session().call('GET', 'k')).rejects.toThrow(/unknown command/);
  });

  test('a command that comes late has a bit, which users with all commands have already', () => {
    const register = (name: string, more?: Partial<Command>) =>
      new Registered(declared(name, '1.0.0', more), name.toLowerCase(), null);
    const commands = new AclCommands([register('A', { args: [bytes('x')] })]);
    const all = commands.newSet();
    all.fill(true);
    const none = commands.newSet();
    expect(commands.ofCategory('string')).toHaveLength(1);
    const late = register('LATE', { run: undefined, subcommands: [declared('ONE', '1.0.0')] });
    commands.add(late);
    expect(commands.find('late|one')?.bit).toBe(2);
    expect([all.has(1), all.has(2), none.has(1)]).toEqual([true, true, false]);
    expect(commands.ofCategory('string')?.map(({ name }) => name)).toEqual(['a', 'late|one']);
    commands.put(none, late, true);
    expect([none.has(0), none.has(1), none.has(2)]).toEqual([false, true, true]);
  });
});
