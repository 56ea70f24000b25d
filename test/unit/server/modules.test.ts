/** Commands of one's own: declared in code and in files, and known to all that knows of commands. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { args, type CustomCommand, defineCommand } from '../../../src/server/modules/define.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';
import { Effects } from '../../support/effects.ts';
import { localServers } from '../../support/local-servers.ts';

const start = localServers();
const folder = mkdtempSync(join(tmpdir(), 'modules-'));
const EXAMPLE = resolve(import.meta.dirname, '../../../examples/commands.js');

afterAll(() => rmSync(folder, { recursive: true }));

/** A server with one command, which does this. */
function running(run: CustomCommand['run'], declaration: Partial<CustomCommand> = {}): CinnabarServer {
  const command = { name: 'DO', flags: ['write', 'denyoom'], arity: -1, ...declaration, run } as const;
  return start({ commands: [defineCommand(command)] });
}

const move = defineCommand({
  name: 'MOVEALL',
  summary: 'Moves all members of a set to another.',
  complexity: 'O(N)',
  flags: ['write', 'denyoom'],
  categories: ['set'],
  args: [
    args.key('source', 'RW ACCESS DELETE'),
    args.key('destination', 'RW INSERT'),
    args.optional(args.token('log', 'LOG')),
  ],
  run(c) {
    const members = c.callBuffer('SMEMBERS', c.args[0]);
    if (members.size > 0) c.call('SADD', c.args[1], ...members);
    c.call('DEL', c.args[0]);
    if (c.args.length > 2) c.call('RPUSH', 'log', c.now);
    return members.size;
  },
});

test('a command runs over the others, with bytes as they are, and what it did is propagated as one unit', async () => {
  const clock = new VirtualClock();
  const server = start({ commands: [move], clock });
  const effects = new Effects({ brackets: true });
  server.engine.propagation.attach(effects);
  const session = server.session({ buffers: true });
  const member = Buffer.from([0xff, 0]);
  await session.call('SADD', 'from', member);
  effects.seen.length = 0;
  expect(await session.call('moveall', 'from', 'to', 'log')).toBe(1);
  expect(await session.call('SMEMBERS', 'to')).toEqual([member]);
  const [, added, ...rest] = effects.seen;
  expect(added).toMatch(/^SADD to /);
  expect(rest).toEqual(['DEL from', `RPUSH log ${clock.now()}`, ')']);
  effects.seen.length = 0;
  expect(await session.call('MOVEALL', 'from', 'to')).toBe(0);
  expect(effects.seen).toEqual([]);
  await expect(session.call('MOVEALL', 'from')).rejects.toThrow("wrong number of arguments for 'moveall' command");
});

test('all that knows of commands knows of it', async () => {
  const server = start({ commands: [move] });
  const session = server.session({ protocol: 3 });
  const [info] = (await session.call('COMMAND', 'INFO', 'moveall')) as [unknown[]];
  expect(info.slice(0, 6)).toEqual(['moveall', -3, new Set(['write', 'denyoom', 'module']), 1, 2, 1]);
  expect(info[6]).toEqual(new Set(['@write', '@set', '@slow']));
  const docs = (await session.call('COMMAND', 'DOCS', 'moveall')) as Map<string, Map<string, unknown>>;
  expect(Object.fromEntries(docs.get('moveall')!)).toMatchObject({
    summary: 'Moves all members of a set to another.',
    since: '1.0.0',
    group: 'module',
    complexity: 'O(N)',
    module: 'embedded',
  });
  expect(await session.call('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'embedded')).toEqual(['moveall']);
  expect(await session.call('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'other')).toEqual([]);
  expect(await session.call('COMMAND', 'GETKEYS', 'MOVEALL', 'a', 'b')).toEqual(['a', 'b']);
  expect(await session.call('ACL', 'CAT', 'set')).toContain('moveall');
  expect(await session.call('MODULE', 'LIST')).toEqual([
    new Map<string, unknown>([
      ['name', 'embedded'],
      ['ver', 1],
      ['path', ''],
      ['args', []],
    ]),
  ]);
  expect(await session.call('INFO', 'modules')).toContain('module:name=embedded,ver=1,');
  const hello = (await session.call('HELLO', 3)) as Map<string, unknown>;
  expect(hello.get('modules')).toEqual([
    new Map<string, unknown>([
      ['name', 'embedded'],
      ['ver', 1],
      ['path', ''],
      ['args', []],
    ]),
  ]);
  using calls = server.record();
  await session.call('MOVEALL', 'a', 'b');
  expect(calls.commands.map(({ name, within, clientId }) => [name, within, clientId])).toEqual([
    ['smembers', 'module', session.id],
    ['del', 'module', session.id],
    ['moveall', null, session.id],
  ]);
});

test('permissions are asked for the command and its keys', async () => {
  const server = start({ commands: [move] });
  const session = server.session();
  await session.call('ACL', 'SETUSER', 'ada', 'on', 'nopass', '+moveall', '~mine:*');
  await session.call('AUTH', 'ada', '');
  expect(await session.call('MOVEALL', 'mine:a', 'mine:b')).toBe(0);
  await expect(session.call('MOVEALL', 'mine:a', 'other')).rejects.toThrow('NOPERM');
  await expect(session.call('SMEMBERS', 'mine:a')).rejects.toThrow('NOPERM');
});

test('it is queued in a transaction, and called by scripts', async () => {
  const server = start({ commands: [move] });
  const session = server.session();
  await session.call('SADD', 'a', 1);
  expect(
    await session.transaction([
      ['MOVEALL', 'a', 'b'],
      ['SCARD', 'b'],
    ]),
  ).toEqual([1, 1]);
  expect(await session.call('EVAL', "return redis.call('moveall', 'b', 'c')", 0)).toBe(1);
  await expect(session.call('EVAL_RO', "return redis.call('moveall', 'b', 'c')", 0)).rejects.toThrow('read-only');
});

test('what it returns is replied in the protocol of the client', async () => {
  const values = new Map<string, unknown>([
    ['text', 'é'],
    ['bytes', new Uint8Array([65])],
    ['whole', 5],
    ['large', 2n ** 60n],
    ['double', 1.5],
    ['infinite', Number.POSITIVE_INFINITY],
    ['true', true],
    ['null', null],
    ['nothing', undefined],
    ['map', new Map([['a', 1]])],
    ['set', new Set(['a'])],
    ['list', [1, ['b', null]]],
  ]);
  const server = running((c) => (c.args.length === 0 ? c.status('FINE') : (values.get(c.text(0)) as never)));
  const [two, three] = [server.session(), server.session({ protocol: 3 })];
  expect(await two.call('DO')).toBe('FINE');
  const replies = async (session: typeof two | typeof three): Promise<unknown[]> => {
    const all: unknown[] = [];
    for (const name of values.keys()) all.push(await session.call('DO', name));
    return all;
  };
  expect(await replies(three)).toEqual([
    ...['é', 'A', 5, 2n ** 60n, 1.5, Number.POSITIVE_INFINITY, true, null, null],
    ...[new Map([['a', 1]]), new Set(['a']), [1, ['b', null]]],
  ]);
  expect(await replies(two)).toEqual([
    ...['é', 'A', 5, 2n ** 60n, '1.5', 'inf', 1, null, null],
    ...[['a', 1], ['a'], [1, ['b', null]]],
  ]);
});

test('what it throws is an error reply, and what it had replied or asked for is right nevertheless', async () => {
  const logged: string[] = [];
  const log = { debug() {}, verbose() {}, notice() {}, warning: (text: string) => void logged.push(text) };
  const faults: Record<string, CustomCommand['run']> = {
    own: (c) => c.error('NOGO not today'),
    thrown: () => {
      throw new Error('oh\r\ndear');
    },
    call: (c) => c.call('INCR', 'text'),
    arity: (c) => c.call('GET'),
    unknown: (c) => c.call('NOSUCH'),
    script: (c) => c.call('EVAL', 'return 1', 0),
    module: (c) => c.call('DO'),
    integer: (c) => c.integer(0),
    missing: (c) => c.text(7),
    promise: (async () => 1) as never,
    value: () => [1, (() => {}) as never],
  };
  const server = start({
    log,
    commands: [defineCommand({ name: 'DO', flags: ['write'], arity: -1, run: (c) => faults[c.text(0)](c) })],
  });
  const session = server.session();
  await session.call('SET', 'text', 'x');
  for (const [name, message] of [
    ['own', 'NOGO not today'],
    ['thrown', 'ERR oh  dear'],
    ['call', 'ERR value is not an integer'],
    ['arity', "ERR wrong number of arguments for 'get' command"],
    ['unknown', "ERR unknown command 'NOSUCH'"],
    ['script', "ERR 'eval' can't be called by a module"],
    ['module', "ERR 'do' can't be called by a module"],
    ['integer', 'ERR value is not an integer or out of range'],
    ['missing', 'ERR There is no argument 7'],
    ['promise', 'ERR DO has returned a promise'],
    ['value', "ERR A command can't reply function"],
  ])
    await expect(session.call('DO', name), name).rejects.toThrow(message);
  expect(logged.some((text) => text.includes("Command 'do' failed: Error: oh"))).toBe(true);
  expect(await session.call('GET', 'text')).toBe('x');
});

test('what it had changed when it threw stays, and is propagated', async () => {
  const server = running((c) => {
    c.call('SET', 'k', 1);
    throw new Error('late');
  });
  const effects = new Effects();
  server.engine.propagation.attach(effects);
  const session = server.session();
  await expect(session.call('DO')).rejects.toThrow('late');
  expect(await session.call('GET', 'k')).toBe('1');
  expect(effects.seen).toEqual(['SET k 1']);
});

test('a call that is kept beyond its command is over', async () => {
  let kept: (() => unknown) | undefined;
  const server = running((c) => {
    kept = () => c.call('SET', 'k', 1);
    return 1;
  });
  await server.session().call('DO');
  expect(kept).toThrow('has been replied to');
});

test('one that is not declared to write may not, and none waits', async () => {
  const server = running((c) => c.call('SET', 'k', 1), { flags: ['readonly'] });
  await expect(server.session().call('DO')).rejects.toThrow("ERR 'do' is not declared to write, and 'set' does");
  const waiting = running((c) => c.call('XREAD', 'BLOCK', 0, 'STREAMS', 'stream', '$'));
  expect(await waiting.session().call('DO')).toBeNull();
});

test('where memory is short what takes memory is refused, in it as by itself', async () => {
  const write: CustomCommand['run'] = (c) => c.call('SET', 'k', c.args[0] ?? 'x');
  const server = start({
    settings: { maxmemory: '1' },
    commands: [
      defineCommand({ name: 'GROW', flags: ['write', 'denyoom'], arity: -1, run: write }),
      defineCommand({ name: 'SNEAK', flags: ['write'], arity: -1, run: write }),
    ],
  });
  const session = server.session();
  await expect(session.call('GROW')).rejects.toThrow('OOM command not allowed');
  await expect(session.call('SNEAK')).rejects.toThrow('OOM command not allowed');
  using _ = server.faults.readonly();
  await expect(session.call('SNEAK')).rejects.toThrow('READONLY');
});

test('a database that was selected is that of its calls, and another server has nothing of it', async () => {
  const server = running((c) => [c.db, c.call('SET', 'k', 'v')]);
  const session = server.session();
  await session.call('SELECT', 5);
  expect(await session.call('DO')).toEqual([5, 'OK']);
  expect(await session.call('GET', 'k')).toBe('v');
  await expect(start().session().call('DO')).rejects.toThrow('unknown command');
});

test('what is no command is refused with its name', () => {
  const run = (): null => null;
  for (const [command, message] of [
    [{ name: 'GET', run }, "there is a command 'get' already"],
    [{ name: 'no good', run }, "'no good' is no name of a command"],
    [{ name: 'X' }, "'X': run should be a function"],
    [{ name: 'X', run, flags: ['wirte'] }, "'X': there is no flag 'wirte' for it: write,"],
    [{ name: 'X', run, flags: ['write', 'readonly'] }, "'X': it is declared to write and only to read"],
    [{ name: 'X', run, categories: ['sets'] }, "'X': there is no category 'sets'"],
  ] as const)
    expect(() => createServer({ commands: [command as unknown as CustomCommand] })).toThrow(message);
});

test('files are loaded and unloaded by MODULE, where that is allowed', async () => {
  const logged: string[] = [];
  const log = {
    debug() {},
    verbose() {},
    notice: (text: string) => void logged.push(text),
    warning: (text: string) => void logged.push(text),
  };
  const server = start({ log, settings: { 'enable-module-command': 'local' } });
  const session = server.session();
  await expect(start().session().call('MODULE', 'LOAD', EXAMPLE)).rejects.toThrow('MODULE command not allowed');
  expect(await session.call('MODULE', 'LOAD', EXAMPLE, 'one', 'two')).toBe('OK');
  expect(logged).toContain(`Module 'commands' loaded from ${EXAMPLE}`);
  expect(await session.call('MODULE', 'LIST')).toEqual([
    ['name', 'commands', 'ver', 1, 'path', EXAMPLE, 'args', ['one', 'two']],
  ]);
  expect(await session.call('INCRCAP', 'n', 1)).toBe(1);
  expect(await session.call('INCRCAP', 'n', 1)).toBe(1);
  await expect(session.call('INCRCAP', 'n', 'x')).rejects.toThrow('not an integer');
  await session.call('ZADD', 'z', 1, 'a', 2, 'b', 3, 'c', 4, 'd');
  expect(await session.call('NEIGHBOURS', 'z', 'b', 1)).toEqual(['c', 3, 'b', 2, 'a', 1]);
  expect(await session.call('NEIGHBOURS', 'z', 'none', 1)).toBeNull();
  await expect(session.call('MODULE', 'LOAD', EXAMPLE)).rejects.toThrow('Error loading the extension');
  await expect(session.call('MODULE', 'UNLOAD', 'other')).rejects.toThrow('no such module with that name');
  expect(await session.call('MODULE', 'UNLOAD', 'commands')).toBe('OK');
  await expect(session.call('INCRCAP', 'n', 1)).rejects.toThrow('unknown command');
  expect(await session.call('MODULE', 'LIST')).toEqual([]);
  expect(await session.call('MODULE', 'LOADEX', EXAMPLE, 'ARGS', 'x')).toBe('OK');
  expect(await session.call('INCRCAP', 'n', 5)).toBe(2);
  await expect(session.call('MODULE', 'LOADEX', EXAMPLE, 'CONFIG', 'a', 'b')).rejects.toThrow('Error loading');
  await expect(session.call('MODULE', 'LOADEX', EXAMPLE, 'NONSENSE')).rejects.toThrow('syntax error');
});

test('a file may be CommonJS, name itself, and take words; what is wrong with it is logged', async () => {
  const logged: string[] = [];
  const warning = (text: string): void => void logged.push(text);
  const server = start({
    log: { debug() {}, verbose() {}, notice: warning, warning },
    settings: { 'enable-module-command': true },
  });
  const session = server.session();
  const load = (name: string, text: string, ...words: string[]): Promise<unknown> => {
    writeFileSync(join(folder, name), text);
    return session.call('MODULE', 'LOAD', join(folder, name), ...words);
  };
  const tell = "({ argv, log }) => { log('hello'); return { name: 'TELL', arity: 1, run: () => argv } }";
  expect(await load('é.cjs', `exports.default = ${tell}; exports.name = 'teller'; exports.version = 3;`, 'ü')).toBe(
    'OK',
  );
  expect(await session.call('TELL')).toEqual(['ü']);
  expect(logged).toContain('hello');
  expect(await session.call('MODULE', 'LIST')).toEqual([
    ['name', 'teller', 'ver', 3, 'path', join(folder, 'é.cjs'), 'args', ['ü']],
  ]);
  for (const [name, text, message] of [
    ['a.mjs', 'export default 5', 'its default export should be a command'],
    ['b.mjs', 'export default [{ name: "GET", run() {} }]', "there is a command 'get' already"],
    ['c.mjs', 'throw new Error("not now")', 'not now'],
    ['d.mjs', 'export default {', 'SyntaxError'],
    ['e.mjs', 'export default { name: "E", run() {} }; export const version = "x"', 'version should be a whole number'],
    ['f.mjs', 'await 1; export default { name: "F", run() {} }', 'await'],
    ['g.mjs', 'export default [{ name: "G", run() {} }, { name: "g", run() {} }]', "there is a command 'g' already"],
  ]) {
    await expect(load(name, text), name).rejects.toThrow('Error loading the extension. Please check the server logs.');
    expect(logged.at(-1), name).toContain(`Module ${join(folder, name)} failed to load: `);
    expect(logged.at(-1), name).toContain(message);
  }
  expect(await session.call('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'g')).toEqual([]);
  await expect(session.call('MODULE', 'LOAD', join(folder, 'none.js'))).rejects.toThrow('Error loading');
});

test('a promise that fails is refused, and the program goes on', async () => {
  const file = join(folder, 'promising.cjs');
  writeFileSync(file, 'module.exports = { default: async () => { throw new Error("later"); } };');
  const commands = [
    { name: 'DO', arity: -1, run: () => Promise.reject(new Error('later')) as never },
  ] as const satisfies CustomCommand[];
  const server = start({ commands, settings: { 'enable-module-command': 'yes' } });
  const session = server.session();
  await expect(session.call('DO')).rejects.toThrow('has returned a promise');
  await expect(session.call('MODULE', 'LOAD', file)).rejects.toThrow('Error loading the extension');
  // A rejection that nobody has taken is told once the turn is over: the test runner fails for it, as a server would end.
  await new Promise((done) => setImmediate(done));
  expect(await session.call('PING')).toBe('PONG');
});

test('a command that calls its own server by a session is answered after it has run', async () => {
  const sent: Promise<unknown>[] = [];
  const server = running(() => sent.push(session.call('SET', 'k', 'v'), session.call('GET', 'k')));
  const session = server.session();
  expect(await Promise.all([session.call('DO'), session.call('ECHO', 'behind')])).toEqual([2, 'behind']);
  expect(await Promise.all(sent)).toEqual(['OK', 'v']);
  expect(await session.call('ECHO', 'later')).toBe('later');
});

test('texts of errors, simple strings and documentation may have any characters', async () => {
  const server = running(
    (c) => {
      if (c.args.length > 0) throw new Error('né €');
      return [c.status('é€'), new Error('ERR ü')];
    },
    { summary: 'Tut gar nichts Schönes.' },
  );
  const session = server.session({ protocol: 3 });
  await expect(session.call('DO', 'x')).rejects.toThrow('ERR né €');
  expect(await session.call('DO')).toMatchObject(['é€', { message: 'ERR ü' }]);
  const docs = (await session.call('COMMAND', 'DOCS', 'do')) as Map<string, Map<string, unknown>>;
  expect(docs.get('do')!.get('summary')).toBe('Tut gar nichts Schönes.');
});

test.each([
  [{ summary: 7 }, 'summary should be text'],
  [{ since: {} }, 'since should be text'],
  [{ flags: 'write' }, 'flags should be a list'],
  [{ categories: 'set' }, 'categories should be a list'],
  [{ arity: 0 }, 'arity should be a whole number, not 0'],
  [{ arity: '2' }, 'arity should be a whole number, not 0'],
  [{ args: [5] }, 'args should be a list of arguments'],
  [{ args: [null] }, 'args should be a list of arguments'],
  [{ args: [{ name: 'a', kind: 'what' }] }, 'args should be a list of arguments'],
  [{ args: [{ name: 'a', kind: 'block', args: [{ name: 'b' }] }] }, 'args should be a list of arguments'],
  [{ args: [{ name: 'a\r\n', kind: 'string' }] }, 'args should be a list of arguments'],
  [{ keySpecs: [5] }, 'keySpecs should be a list of key specifications'],
  [{ keySpecs: [{ access: 'RO', begin: { type: 'index' }, find: { type: 'unknown' } }] }, 'keySpecs should be a list'],
])('a declaration that no compiler has seen is tested: %j', (declaration, message) => {
  const command = { name: 'DO', arity: -1, run: () => 1, ...declaration } as unknown as CustomCommand;
  expect(() => start({ commands: [command] })).toThrow(`'DO': ${message}`);
});
