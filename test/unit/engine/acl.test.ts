import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { bytesOf, sliceOf } from '../../../src/base/slice.ts';
import { AclCommands } from '../../../src/engine/acl/command-bits.ts';
import { joinSelectors } from '../../../src/engine/acl/fault.ts';
import { AclLog } from '../../../src/engine/acl/log.ts';
import { hashPassword, isHash, isPasswordOf } from '../../../src/engine/acl/password.ts';
import { DENIED_COMMAND, DENIED_KEY, READ, Selector, WRITE } from '../../../src/engine/acl/selector.ts';
import { type Command, command } from '../../../src/engine/command.ts';
import { CATEGORIES } from '../../../src/engine/derive.ts';
import { Registered } from '../../../src/engine/table.ts';
import { type ServerProcess, startRedis } from '../../support/server-process.ts';

type Info = [string, number, string[], number, number, number, string[], unknown[], unknown[], Info[]];

/** A command of redis-server's with nothing but its name and its categories. */
function declared([name, , , , , , categories, , , subcommands]: Info): Command {
  const names = categories.map((category) => category.slice(1));
  return command({
    name: name.split('|').at(-1) ?? name,
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: '',
    flags: names.includes('fast') ? ['fast'] : [],
    categories: names.filter((category) => category !== 'fast' && category !== 'slow'),
    arity: -1,
    ...(subcommands.length > 0 ? { subcommands: subcommands.map(declared) } : {}),
  });
}

/** Single commands stand in no order of their own. */
function ordered(rules: string): string {
  const words = rules.split(' ');
  return [...words.filter((w) => w[1] === '@'), ...words.filter((w) => w[1] !== '@').sort()].join(' ');
}

describe('the rules that stand for a set of commands', () => {
  let redis: ServerProcess;
  let client: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.port);
  });

  afterAll(async () => {
    client.disconnect();
    await redis.stop();
  });

  test("are redis-server's, over its own commands", async () => {
    const infos = (await client.call('COMMAND')) as Info[];
    const commands = new AclCommands(infos.map((info) => new Registered(declared(info), info[0], null)));
    const random = new SeededRandom(7);
    const pick = <T>(from: readonly T[]): T => from[random.below(from.length)];
    for (let i = 0; i < 500; i++) {
      const rules = random.below(2) === 0 ? ['+@all'] : [];
      for (let n = random.below(6); n >= 0; n--) {
        const one = pick(commands.all);
        rules.push(pick(['+', '-']) + (random.below(2) === 0 ? `@${pick(CATEGORIES)}` : one.name));
        if (!one.parent && !one.subcommands && random.below(3) === 0)
          rules.push(`+${one.name}|${pick(['A', 'a', 'b'])}`);
      }
      const selector = new Selector(commands, false);
      for (const rule of rules) expect(selector.apply(rule)).toBeUndefined();
      await client.call('ACL', 'SETUSER', 'u', 'reset', ...rules);
      const theirs = (await client.call('ACL', 'GETUSER', 'u')) as string[];
      expect(ordered(selector.describeCommands()), rules.join(' ')).toBe(ordered(theirs[5]));
    }
  });
});

describe('selectors', () => {
  const select = new Registered(declared(['select', 2, [], 0, 0, 0, [], [], [], []]), 'select', null);
  const commands = new AclCommands([select]);

  test('first arguments', () => {
    const selector = new Selector(commands, false);
    for (const rule of ['+select|A', '+select|a', '+select|0']) selector.apply(rule);
    const check = (word: string) => selector.check(select, ['SELECT', word].map(sliceOf), 2, { at: 0 });
    expect(['0', 'A', 'a', '1', '0\0', ''].map(check)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(selector.describeCommands()).toBe('-@all +select|A +select|0');
    selector.apply('-select');
    expect(check('0')).toBe(DENIED_COMMAND);
  });

  test('permissions of keys', () => {
    const selector = new Selector(commands, false);
    for (const rule of ['%R~r*', '%W~w*', '~rw']) selector.apply(rule);
    expect(selector.permitsKey(sliceOf('r1'), READ)).toBe(true);
    expect(selector.permitsKey(sliceOf('r1'), WRITE)).toBe(false);
    expect(selector.permitsKey(sliceOf('w1'), READ | WRITE)).toBe(false);
    expect(selector.permitsKey(sliceOf('rw'), READ | WRITE)).toBe(true);
    expect(selector.permitsKey(sliceOf('x'), 0)).toBe(false);
    selector.apply('%W~r*');
    expect(selector.describeKeys()).toBe('~r* %W~w* ~rw');
    expect(selector.permitsAllKeys(READ)).toBe(false);
    selector.apply('allkeys');
    expect(selector.permitsAllKeys(READ | WRITE)).toBe(true);
  });

  test('patterns of channels must be granted as they are', () => {
    const selector = new Selector(commands, false);
    selector.apply('&a*');
    expect(selector.permitsChannel(sliceOf('ab'), false)).toBe(true);
    expect(selector.permitsChannel(sliceOf('a*'), true)).toBe(true);
    expect(selector.permitsChannel(sliceOf('ab*'), true)).toBe(false);
  });
});

test('words of selectors are put together', () => {
  expect(joinSelectors(['on', '(+get', '~a', '+set)', '(x)', 'y)'])).toEqual(['on', '(+get ~a +set)', '(x)', 'y)']);
  expect(joinSelectors(['on', '(+get', '(~a'])).toBe(1);
});

test('passwords', () => {
  const hashes = [hashPassword(bytesOf('one')), hashPassword(bytesOf('two'))];
  expect(hashes.every(isHash)).toBe(true);
  expect(isPasswordOf(sliceOf('two'), hashes)).toBe(true);
  expect(isPasswordOf(sliceOf('three'), hashes)).toBe(false);
  expect(isPasswordOf(sliceOf(''), [])).toBe(false);
});

describe('the log', () => {
  const entry = { verdict: DENIED_KEY, context: 'toplevel', object: 'k', user: 'u', time: 0, client: '' } as const;

  test('counts the same denial within a minute, and puts it first', () => {
    const log = new AclLog();
    log.add(entry, 10);
    log.add({ ...entry, verdict: DENIED_COMMAND }, 10);
    log.add({ ...entry, time: 60_000, client: 'later' }, 10);
    expect(log.latest(10).map((e) => [e.verdict, e.count, e.client])).toEqual([
      [DENIED_KEY, 2, 'later'],
      [DENIED_COMMAND, 1, ''],
    ]);
    log.add({ ...entry, time: 120_001 }, 10);
    expect(log.latest(10)).toHaveLength(3);
  });

  test('looks at the ten newest only, and keeps as many as it may', () => {
    const log = new AclLog();
    for (let i = 0; i < 11; i++) log.add({ ...entry, object: `k${i}` }, 100);
    log.add({ ...entry, object: 'k0' }, 100);
    expect(log.latest(100)).toHaveLength(12);
    log.add({ ...entry, object: 'new' }, 3);
    expect(log.latest(100)).toHaveLength(3);
    expect(log.latest(-1)).toEqual([]);
    log.reset();
    expect(log.latest(10)).toEqual([]);
  });
});
