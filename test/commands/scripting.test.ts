/** EVAL, SCRIPT and what scripts may do, beside the real server. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Beside, type Normal } from '../support/beside.ts';
import { converse } from '../support/conversation.ts';
import type { Answer } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start({ 'enable-debug-command': 'yes' });
});

afterAll(() => both.stop());

beforeEach(() => both.same('FLUSHALL\nSCRIPT FLUSH\nFUNCTION FLUSH\nCONFIG RESETSTAT'));

function evaluations(scripts: readonly string[], command = 'EVAL'): string[][] {
  return scripts.map((script) => [command, script, '0']);
}

/** All the bytes of the replies to commands on a connection of their own, without the number of the client. */
async function bytesOf(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const last = '$3\r\nEND\r\n';
  let text = '';
  const all = new Promise<void>((done) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.endsWith(last)) done();
    });
    socket.on('close', () => done());
  });
  for (const words of [...commands, ['ECHO', 'END']])
    socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`, 'latin1');
  await all;
  socket.destroy();
  return text.replace(/\r\nid\r\n:\d+/, '');
}

async function sameBytes(commands: readonly (readonly string[])[]): Promise<void> {
  const [ours, theirs] = await Promise.all([both.server.port, both.theirsPort].map((port) => bytesOf(port, commands)));
  expect(ours.split('\r\n')).toEqual(theirs.split('\r\n'));
}

/** INFO commandstats without times, in the order of names. */
const counts: Normal = (command, answer) => {
  if (command[0] !== 'INFO' || typeof answer !== 'string') return answer;
  const lines: Answer[] = answer.split('\r\n').map((line) => line.replace(/usec=[^,]*,usec_per_call=[^,]*,/, ''));
  return lines.sort();
};

const FIELDS = 'local t = {} for k, v in pairs(a) do t[#t + 1] = k .. tostring(v) end table.sort(t) return t';

describe('the redis table', () => {
  test('its switches, with every kind of wrong argument', () =>
    both.same(
      evaluations([
        ...['', '4', '-1', '"3"', '"x"', '1, 2', 'redis.REPL_AOF'].map((args) => `return redis.set_repl(${args})`),
        ...['', '4', '"3"', '"x"', '2, 3'].map((args) => `return redis.setresp(${args})`),
        ...['', '"a"', '"a", "b"', '4, "b"', '-1, "b"', '3, "b", {}, 1'].map((args) => `return redis.log(${args})`),
        ...['', '{}', '1, 2', '12', '"Pizza"'].map((args) => `return redis.sha1hex(${args})`),
        'return redis.breakpoint()',
        'return redis.debug("a")',
        'return redis.replicate_commands()',
        'return { redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, redis.LOG_DEBUG, redis.REPL_ALL, redis.REPL_SLAVE }',
        'return redis.nosuch',
        'return redis.nosuch()',
        'local t = {} for k in pairs(redis) do t[#t + 1] = k end table.sort(t) return t',
      ]),
    ));

  test('numbers in texts that take long to read', () =>
    both.same(
      evaluations(
        ['1', '2', '3', 'x'].flatMap((last) =>
          ['redis.set_repl(n)', 'redis.setresp(n)', 'redis.log(n, "x")', 'string.gsub("aaaa", "a", "b", n)'].map(
            (call) => `local n = ('0'):rep(70000) .. '${last}' return {${call}}`,
          ),
        ),
      ),
    ));

  test('errors made by hand are counted by what they begin with, if that is short', async () => {
    const errors = [30, 31, 40].map((length) => ['EVAL', `return {err = ('x'):rep(${length}) .. ' y'}`, '0']);
    const long = ['EVAL', "return {err = 'E ' .. ('a\\r\\nb'):rep(5000)}", '0'];
    await both.same([...errors, ['EVAL', "return {err = 'abc'}", '0'], long, ['INFO', 'errorstats']]);
  });

  test('replies made by hand', () =>
    both.same(
      evaluations(
        ['', '{}', '1', '"a", "b"', '"-a b"', '"ab"', '""', '"-"', '"a\\r\\nb\\r\\n"', '"CODE text"'].flatMap(
          (args) => [
            `return redis.error_reply(${args})`,
            `return redis.status_reply(${args.replaceAll('\\r\\n', ' ')})`,
            `local a = redis.error_reply(${args}) ${FIELDS}`,
          ],
        ),
      ),
    ));

  test('errors raised and returned', () =>
    both.same(
      evaluations([
        ...['"x"', '{err = "MY code"}', '{err = "nocode"}', '', 'nil', '5', 'true', '"x", 0', '"x", 2'].map(
          (args) => `error(${args})`,
        ),
        'return {err = "x y", ignore_error_stats_update = true}',
        'return {err = 5}',
        'return redis.pcall("get")',
        `local a = redis.pcall("get") ${FIELDS}`,
        `redis.call("set", "s", "x") local a = redis.pcall("lpush", "s", "x") ${FIELDS}`,
        `local ok, a = pcall(redis.call, "get") ${FIELDS}`,
        'local ok, e = pcall(redis.setresp) return type(e) == "table" and e.err or e',
        'local ok, e = pcall(function() error("z") end) return e',
        '\n\nredis.call("set", "x")\n',
        'local function f()\n redis.call("set", "x") end\n f()\n',
      ]),
    ));

  test('errors whose tables are strange, and where they were raised', () =>
    both.same(
      evaluations([
        'error({err = 1})',
        'error(redis)',
        'error("a\\0b")',
        'error({err = "-X y"})',
        ...['"-a b"', '"-a"', '"-"', '""', '"a\\0b c"', '"a\\r\\nb"'].flatMap((text) => [
          `return {err = ${text}}`,
          `return {ok = ${text}}`,
        ]),
        'return redis.status_reply("a\\0b")',
        'loadstring("\\nreturn KEYS.x.y")()',
        'loadstring("a = 1", "@foo")()',
        'loadstring("a = 1", "=foo")()',
        'loadstring("a = 1", "x\\0y")()',
        'load(function() return nil end)()',
        'local function f()\nerror("m", 2) end return f()',
        'local mt = {} mt.__index = function(t, k) return t[k] end return setmetatable({}, mt).x',
        '#comment\nreturn 1',
        'redis.log(0/0, "x")',
      ]),
    ));

  test('the redis table is walked in one order', () =>
    both.same(evaluations(['local t = {} for k in pairs(redis) do t[#t + 1] = k end return t'])));

  test('tables within each other, as deep as the stack goes', () =>
    sameBytes(
      evaluations([
        'local t = {} t[1] = t return t',
        'local t = {} t.map = {a = t} return t',
        'local t = {} t.set = {[t] = 1} return t',
        'local t = {1} for i = 1, 7993 do t = {t} end return t',
        'local t = {1} for i = 1, 1500 do t = {map = {a = {t}}} end return t',
        'local t = {1} for i = 1, 2700 do t = {map = {a = t, b = 1}} end return t',
      ]),
    ));

  test('replies of RESP3 made by hand, for clients of either protocol', async () => {
    const scripts = evaluations([
      ...['3.5', '1/0', '-1/0', '0/0', '1e100', '"3"'].map((double) => `return {double = ${double}}`),
      'return {map = {a = {set = {b = true}}}}',
      'return {map = {}, set = {}}',
      'return {map = 1}',
      ...['ok', 'big_number', 'err'].flatMap((kind) =>
        ["'12\\r\\n3'", "('a\\r\\nb'):rep(5000)", "('a'):rep(9000) .. '\\nb'"].map(
          (line) => `return {${kind} = ${line}}`,
        ),
      ),
      'return {verbatim_string = {format = "longer", string = "x"}}',
      'return {verbatim_string = {format = "t"}}',
      'return {true, false, {ok = "x"}}',
      'redis.setresp(3) return {true, false, {double = 1.5}}',
    ]);
    await sameBytes(scripts);
    await sameBytes([['HELLO', '3'], ...scripts]);
  });
});

describe('commands in scripts', () => {
  test('those that no script may run, and those that do not exist', () =>
    both.same(
      evaluations(
        [
          '',
          '{}',
          'nil',
          'true',
          '"nosuch"',
          '"get"',
          '"config"',
          '"config", "nosuch"',
          '"config", "get", "x"',
          '"script", "help"',
          '"blpop", "a", 0',
          '"blmpop", 0, 1, "a", "LEFT"',
          '"multi"',
          '"watch", "a"',
          '"subscribe", "a"',
          '"ssubscribe", "a"',
          '"monitor"',
          '"client", "id"',
          '"debug", "object", "s"',
          '"eval", "return 1", 0',
          '"fcall", "x", 0',
          '"function", "list"',
          '"auth", "x"',
          '"hello", 3',
          '"reset"',
          '"quit"',
          '"wait", 0, 0',
          '"save"',
          '"role"',
          '"latency", "reset"',
          '"acl", "whoami"',
          '"module", "list"',
          '"publish", "a", "b"',
          '"spublish", "a", "b"',
          '"select", 3',
          '"select", 99',
          '"swapdb", 0, 1',
          '"command", "getkeys", "get", "x"',
        ].map((args) => `return redis.call(${args})`),
      ),
    ));

  test('XREAD does not wait, in the order in which its options are read', () =>
    both.same(
      evaluations([
        'return redis.call("xread", "BLOCK", "0", "STREAMS", "s", "$")',
        'return redis.call("XREADGROUP", "group", "g", "c", "BLOCK", "x", "STREAMS", "s", "$")',
        'return redis.call("xread", "BLOCK", "0", "foo")',
        'return redis.call("xread", "count", "BLOCK", "STREAMS", "s", "$")',
        'return redis.call("Xread", "Block", "5", "STREAMS", "st", "$")',
        'return redis.call("xread", "STREAMS", "block", "$")',
      ]),
    ));

  test('SORT of a set has one order', () =>
    both.same(
      evaluations([
        'redis.call("sadd", "ss", "c", "a", "b", "zz", "d") return redis.call("sort", "ss", "by", "_")',
        'return redis.call("sort", "ss", "by", "_", "desc")',
        'return redis.call("sort_ro", "ss", "by", "nosort", "get", "#", "limit", 1, 2)',
        'redis.call("zadd", "zs", 3, "a", 2, "b", 1, "c") return redis.call("sort", "zs", "by", "nosort", "desc")',
        'return redis.call("sort", "zs", "by", "nosort", "limit", 0, 2)',
      ]),
    ));

  test('the database that a script selects is its own', () =>
    both.same(`
      SET k zero
      EVAL "redis.call('select', 5) redis.call('set', 'k', 'five') return redis.call('get', 'k')" 0
      GET k
      EVAL "return redis.call('get', 'k')" 0
      SELECT 5
      GET k
      SELECT 0
    `));
});

describe('EVAL and SCRIPT', () => {
  test('arguments, in the order in which they are judged', () =>
    both.same(`
      EVAL
      EVAL x
      EVAL "return 1" x
      EVAL "return 1" 1.5
      EVAL "return 1" 99999999999999999999
      EVAL "return 1" 1
      EVAL "bad code" -1
      EVAL "bad code" 0
      EVAL "if true then" 0
      EVAL "return ..." 0
      EVALSHA abc x
      EVALSHA abc 5
      EVALSHA ffd632c7d33e571e9f24556ebed26c3479a87130 x
      EVALSHA ffd632c7d33e571e9f24556ebed26c3479a87130 0
      EVALSHA_RO ffd632c7d33e571e9f24556ebed26c3479a87130 0
      EVAL "return {KEYS[1], ARGV[1], #KEYS, #ARGV}" 1 a b
      EVAL_RO "return 1" 0
    `));

  test('the cache', () =>
    both.same(`
      SCRIPT LOAD "return 1"
      EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
      EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
      SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db E0E1F9FABFC9D4800C877A703B823AC0578FF8DB x
      SCRIPT FLUSH sync
      SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
      SCRIPT FLUSH async
      SCRIPT FLUSH x
      SCRIPT FLUSH async sync
      SCRIPT LOAD
      SCRIPT LOAD "bad code"
      SCRIPT EXISTS
      SCRIPT KILL
      SCRIPT KILL x
      SCRIPT DEBUG no
      SCRIPT DEBUG foo
      SCRIPT HELP
      SCRIPT HELP x
      SCRIPT nosuch
      SCRIPT
      COMMAND GETKEYS EVAL "return 1" 2 a b c
      COMMAND GETKEYS FCALL f 1 a
      COMMAND GETKEYS EVAL "return 1" 5 a
      COMMAND GETKEYSANDFLAGS EVAL_RO "return 1" 2 a b c
    `));

  test('each of many scripts is found by its hash, in letters of either kind, until the cache is empty', async () => {
    const sources = Array.from({ length: 600 }, (_, i) => `return ${i}`);
    const hashes = sources.map((source) => createHash('sha1').update(source).digest('hex'));
    await both.same(sources.map((source) => ['SCRIPT', 'LOAD', source]));
    const called = hashes.map((hash) => ['EVALSHA', hash, '0']);
    await both.same([...called, ...called.toReversed()]);
    await both.same(hashes.slice(0, 20).map((hash) => ['EVALSHA', hash.toUpperCase(), '0']));
    await both.same([['SCRIPT', 'FLUSH'], ...called.slice(0, 20)]);
  });

  test('the line of metadata', () =>
    both.same(
      [
        '#!lua',
        '#!',
        '#!\n',
        '#!lua flags=\nreturn 1',
        '#!lua flags=,\nreturn 1',
        '#!lua flags=no-writes,no-writes\nreturn 1',
        '#!Lua\nreturn 1',
        '#!lua "flags=x\nreturn 1',
        '#!lua name=x\nreturn 1',
        '#! lua\nreturn 1',
        '#!lua flags=allow-oom flags=no-writes\nreturn redis.call("set","a","b")',
        '#!lua FLAGS=no-writes\nreturn 1',
        '#!lua \0\nreturn 1',
        '#!lua\n\nerror("x")',
        ' #!lua\nreturn 1',
      ].flatMap((script) => [
        ['EVAL', script, '0'],
        ['EVAL_RO', script, '0'],
        ['SCRIPT', 'LOAD', script],
      ]),
    ));
});

const DECLARING = [
  'return redis.call("set", "x", 1)',
  'return redis.pcall("set", "x", 1)',
  'return redis.call("get", "x")',
  'redis.call("del", "x") return redis.call("set", "x", 1)',
  'return redis.call("publish", "a", "b")',
  'return redis.call("pfcount", "pf")',
  '#!lua\nreturn redis.call("get", "x")',
  '#!lua flags=no-writes\nreturn redis.call("get", "x")',
  '#!lua flags=no-writes\nreturn redis.call("set", "x", 1)',
  '#!lua flags=allow-oom\nreturn redis.call("set", "x", 1)',
  '#!lua flags=allow-stale\nreturn 1',
  '#!lua flags=no-cluster,allow-cross-slot-keys\nreturn 1',
  'bad code',
  '#!lua flags=x\n',
];
const LIBRARY = [
  '#!lua name=flags',
  'redis.register_function("f1", function() return redis.call("set", "x", 1) end)',
  'redis.register_function{function_name="f2", callback=function() return redis.call("get", "x") end, flags={"no-writes"}}',
  'redis.register_function{function_name="f3", callback=function() return redis.call("set", "x", 1) end, flags={"allow-oom"}}',
  'redis.register_function{function_name="f4", callback=function() return redis.call("set", "x", 1) end, flags={"no-writes"}}',
].join('\n');

/** Every script by every command that could run it, alone and in transactions. */
function everyWay(): string[][] {
  const commands = [
    ...DECLARING.flatMap((script) => [
      ['EVAL', script, '0'],
      ['EVAL_RO', script, '0'],
    ]),
    ...['f1', 'f2', 'f3', 'f4'].flatMap((name) => [
      ['FCALL', name, '0'],
      ['FCALL_RO', name, '0'],
    ]),
  ];
  return [...commands, ...commands.flatMap((command) => [['MULTI'], command, ['EXEC']])];
}

describe('flags', () => {
  test.each([
    ['when all is well', 'maxmemory', '0'],
    ['when memory is short', 'maxmemory', '1'],
    ['with too few replicas', 'min-replicas-to-write', '1'],
  ])('%s', async (_, setting, value) => {
    const commands = [
      ['FUNCTION', 'LOAD', LIBRARY],
      ['CONFIG', 'SET', setting, value],
      ...everyWay(),
      ['CONFIG', 'SET', setting, '0'],
      ['INFO', 'errorstats'],
    ];
    await both.same(commands);
  });

  test('a transaction is judged when it runs by what it holds', async () => {
    await both.same([['FUNCTION', 'LOAD', LIBRARY]]);
    for (const command of [
      ...DECLARING.slice(0, 12).map((script) => ['EVAL', script, '0']),
      ...['f1', 'f2', 'f3', 'f4'].map((name) => ['FCALL', name, '0']),
    ]) {
      await both.same([['MULTI'], command]);
      await setting(both, 'maxmemory', '1');
      await both.same('EXEC');
      await setting(both, 'maxmemory', '0');
    }
  });
});

test('flags when nothing can be saved', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-misconf-'));
  const servers = await Beside.start({ dir: folder, save: '900 1' });
  try {
    // What is saved can't take the place of a folder.
    mkdirSync(join(folder, 'dump.rdb', 'full'), { recursive: true });
    await servers.same([['FUNCTION', 'LOAD', LIBRARY], ['SET', 'x', '1'], ['BGSAVE']]);
    for (const line of [servers.ours, servers.theirs])
      while (!String((await line.send([['INFO', 'persistence']]))[0]).includes('rdb_last_bgsave_status:err'))
        await new Promise((done) => setTimeout(done, 10));
    await servers.same([...everyWay(), ['INFO', 'errorstats']]);
  } finally {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Changes a setting of both servers by connections of their own. */
async function setting(servers: Beside, name: string, value: string): Promise<void> {
  const script = `1 CONFIG SET ${name} ${value}\n`;
  await Promise.all([servers.server.port, servers.theirsPort].map((port) => converse(port, script)));
}

describe('who may do what', () => {
  test('the user of the script is asked for each of its commands', () =>
    both.same(
      [
        ['ACL', 'LOG', 'RESET'],
        ['ACL', 'SETUSER', 'bob', 'on', '>p', '+@scripting', '+set', '~x*', 'resetchannels', '+publish'],
        [
          'FUNCTION',
          'LOAD',
          '#!lua name=t\nredis.register_function("q", function() return redis.call("get", "x") end)',
        ],
        ['AUTH', 'bob', 'p'],
        ...[
          'return redis.call("get", "x")',
          'return redis.pcall("get", "x")',
          'return redis.call("set", "y", "1")',
          'return redis.call("set", "x", "1")',
          'return redis.call("publish", "a", "b")',
          'return redis.call("blpop", "z", 0)',
          'return redis.acl_check_cmd("set", "y", 1)',
          'return redis.acl_check_cmd("set", "x", 1)',
          'return redis.acl_check_cmd("publish", "a", "b")',
          'return redis.acl_check_cmd("config", "get", "x")',
          'return redis.acl_check_cmd("mget")',
          'return redis.acl_check_cmd("publish")',
          'return redis.acl_check_cmd("xread", "streams")',
          'return redis.acl_check_cmd("nosuch")',
          'return redis.acl_check_cmd()',
          'return redis.acl_check_cmd({})',
        ].flatMap((script) => [...evaluations([script]), ...evaluations([script], 'EVAL_RO')]),
        ['FCALL', 'q', '0'],
        ['FCALL', 'q', '1', 'y'],
        ['AUTH', 'default', ''],
        ['ACL', 'LOG'],
        ['ACL', 'DELUSER', 'bob'],
      ],
      (command, answer) => (command[1] === 'LOG' ? reasons(answer) : answer),
    ));
});

/** Of ACL LOG only what does not change from run to run. */
function reasons(answer: Answer): Answer {
  if (!Array.isArray(answer)) return answer;
  return answer.map((entry) => {
    const fields = Array.isArray(entry) ? entry : [];
    return ['count', 'reason', 'context', 'object', 'username'].map((name) => fields[fields.indexOf(name) + 1]);
  });
}

test('statistics of commands and errors', () =>
  both.same(
    [
      ...evaluations([
        'return redis.call("select", 99)',
        'local t = redis.pcall("select", 99) return 1',
        'return redis.pcall("select", 99)',
        'redis.pcall("select", 99) return redis.pcall("nosuch")',
        'redis.pcall("nosuch") error("mine")',
        'return redis.call("get")',
        'return redis.call("blpop", "x", 0)',
        'return redis.call("lpush", "l", "x")',
        'return redis.call("get", "l")',
        'return redis.call()',
        'return {err = "OWN thing"}',
        'return redis.error_reply("OWN thing")',
      ]),
      ...evaluations(['return redis.call("set", "x", "y")', 'return redis.pcall("set", "x", "y")'], 'EVAL_RO'),
      ['MULTI'],
      ...evaluations(['return redis.call("select", 99)', 'return 1']),
      ['EXEC'],
      ['INFO', 'errorstats'],
      ['INFO', 'commandstats'],
    ],
    counts,
  ));

test('MONITOR shows a script before what it runs, with its database', async () => {
  const script = `
    1 MONITOR
    2 SELECT 3
    2 EVAL return(redis.call('set',KEYS[1],ARGV[1])) 1 foo bar
    2 EVAL redis.call('select',5)redis.call('get','x') 0
    2 PING
  `;
  const [ours, theirs] = await Promise.all([both.server.port, both.theirsPort].map((port) => converse(port, script)));
  const stable = (lines: unknown): string =>
    JSON.stringify(lines)
      .replaceAll(/\+?\d+\.\d+ \[/g, '[')
      .replaceAll(/127\.0\.0\.1:\d+/g, 'client');
  expect(stable(ours)).toBe(stable(theirs));
  expect(stable(ours)).toContain('lua');
});
