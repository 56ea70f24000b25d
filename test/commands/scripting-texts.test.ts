/** Texts of scripts and libraries that are long, deep, or too much: compiled, or refused with the reference's errors. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServer } from '../../src/server/server.ts';
import { Beside } from '../support/beside.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';

let both: Beside;
beforeAll(async () => {
  both = await Beside.start();
});
afterAll(() => both.stop());

const REGISTERED = '\nredis.register_function("f", function() return 1 end)';
/** As libraries, where the end of the server was in them, and as scripts. */
const LONG_TEXTS: Readonly<Record<string, string>> = {
  terms: `local z=1${'+1'.repeat(20_000)}`,
  'terms of a variable': `local a=1 local z=a${'+1'.repeat(5000)}`,
  arms: `local function g(a) if a==1 then return 1 ${'elseif a==2 then return 2 '.repeat(3000)}end end g(2) g(3)`,
  'too many arguments': `local function g() f(1${',1'.repeat(65_600)}) end`,
  'as many arguments as there are registers': `local function g() f(1${',1'.repeat(247)}) end`,
  'one argument more': `local function g() f(1${',1'.repeat(248)}) end`,
  'too many results': `local function g() return 1${',1'.repeat(70_000)} end`,
  calls: `local function g(a) return a${'()'.repeat(20_000)} end`,
  methods: `local function g(a) return a${':b()'.repeat(20_000)} end`,
  indices: `local function g(a) return a${'.b'.repeat(20_000)} end`,
  ands: `local a=1 local z=a${' and a'.repeat(20_000)}`,
  ors: `local a=false local z=a${' or a'.repeat(3000)}`,
  'concatenations too deep': `local a='x' local z=a${'..a'.repeat(250)}`,
  concatenations: `local a='x' local z=a${'..a'.repeat(180)}`,
  'parentheses too deep': `local z=${'('.repeat(250)}1${')'.repeat(250)}`,
  loops: 'for i=1,1 do end '.repeat(5000),
  'blocks too deep': `${'do '.repeat(250)}${'end '.repeat(250)}`,
  'a long table': `local t={${'1,'.repeat(50_000)}}`,
  'a table of many fields': `local t={${'a=1,'.repeat(20_000)}}`,
  'too many locals': 'local a '.repeat(201),
  'many locals, one after the other': 'do local a=1 end '.repeat(5000),
  'a long string': `local s="${'x'.repeat(300_000)}"`,
  'a string of escapes': `local s="${'\\065'.repeat(50_000)}"`,
  'not ended': `local s="${'x'.repeat(100_000)}`,
};

describe('a text that is long or deep', () => {
  for (const [name, text] of Object.entries(LONG_TEXTS)) {
    test(name, () =>
      both.same([
        ['FUNCTION', 'LOAD', 'REPLACE', `#!lua name=l\n${text}${REGISTERED}`],
        ['EVAL', `${text}\nreturn 'done'`, '0'],
        ['EVAL', 'local f, e = loadstring(ARGV[1], "x") return {type(f), e}', '0', text],
        ['SCRIPT', 'LOAD', text],
        ['PING'],
      ]),
    );
  }

  test('fails at run time as the reference says', () =>
    both.same(
      [
        `return a${'()'.repeat(3000)}`,
        `local a = 1 return a${'()'.repeat(3000)}`,
        `local a = {} return a${'.b'.repeat(3000)}`,
      ].map((text) => ['EVAL', text, '0']),
    ));

  test('a library with one goes from the reference to ours in a payload', async () => {
    const load = ['FUNCTION', 'LOAD', 'REPLACE', `#!lua name=l\n${LONG_TEXTS['terms']}${REGISTERED}`];
    await both.theirs.send([load]);
    const [payload] = await both.theirs.send([['FUNCTION', 'DUMP']]);
    const replies = await both.ours.send([
      ['FUNCTION', 'RESTORE', payload as string, 'FLUSH'],
      ['FCALL', 'f', '0'],
    ]);
    expect(replies).toEqual(['OK', 1]);
  });
});

describe('while a long text is compiled everybody else is served, and its client waits', () => {
  const LONG = 'do local a = 1 end '.repeat(40_000);
  const LIBRARY = `#!lua name=long\n${LONG}${REGISTERED}`;

  /** What a client gets for its commands, the last of which has been overtaken by another client's PINGs. */
  async function overtaken(commands: string[][], pings = 3): Promise<Answer[]> {
    const other = new Pipeline(both.server.port);
    await other.send([['PING']]);
    let done = false;
    let served = 0;
    const long = both.ours.send(commands).then((replies) => {
      done = true;
      return replies;
    });
    for (; served < pings; served++) {
      await other.send([['PING']]);
      expect(done).toBe(false);
    }
    const replies = await long;
    other.close();
    return replies;
  }

  test('EVAL', async () => {
    const commands = [['EVAL', `${LONG}return 7`, '0'], ['PING']];
    expect(await overtaken(commands)).toEqual([7, 'PONG']);
  });

  test('FUNCTION LOAD, of a text that fails as well', async () => {
    await both.ours.send([['FUNCTION', 'FLUSH']]);
    expect(
      await overtaken([
        ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY],
        ['FCALL', 'f', '0'],
      ]),
    ).toEqual(['long', 1]);
    const [failed, list] = await overtaken([
      ['FUNCTION', 'LOAD', 'REPLACE', `${LIBRARY} x`],
      ['FUNCTION', 'LIST', 'LIBRARYNAME', 'long'],
    ]);
    expect(String(failed)).toContain('Error compiling function');
    expect(list).toHaveLength(1);
    await both.ours.send([['FUNCTION', 'FLUSH']]);
    await overtaken([['FUNCTION', 'LOAD', `${LIBRARY} x`]]);
    expect(
      await both.ours.send([
        ['FUNCTION', 'LIST'],
        ['FCALL', 'f', '0'],
      ]),
    ).toMatchObject([[], { message: 'ERR Function not found' }]);
  });

  test('FUNCTION RESTORE', async () => {
    const loads = ['a', 'b'].map((name) => [
      'FUNCTION',
      'LOAD',
      `#!lua name=${name}\n${LONG}\nredis.register_function("${name}", function() return 1 end)`,
    ]);
    const replies = await both.ours.send([['FUNCTION', 'FLUSH'], ...loads, ['FUNCTION', 'DUMP']]);
    const restore = ['FUNCTION', 'RESTORE', replies[3] as string, 'FLUSH'];
    expect(await overtaken([restore, ['FCALL', 'a', '0'], ['FCALL', 'b', '0']])).toEqual(['OK', 1, 1]);
  });

  test('EXEC, which still is one, and still fails where a watched key has changed', async () => {
    const block = [
      ['MULTI'],
      ['SET', 'in', '1'],
      ['EVAL', `${LONG}return redis.call('incr', 'in')`, '0'],
      ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY],
      ['EXEC'],
    ];
    expect((await overtaken([['DEL', 'in'], ...block])).at(-1)).toEqual(['OK', 2, 'long']);
    const other = new Pipeline(both.server.port);
    const watching = both.ours.send([['SCRIPT', 'FLUSH'], ['WATCH', 'in'], ...block, ['GET', 'in']]);
    await other.send([['PING']]);
    await other.send([['SET', 'in', '9']]);
    other.close();
    expect((await watching).slice(-2)).toEqual([null, '9']);
  });
});

test("a master's libraries are made in steps, and take the place of the others at once, or not at all", async () => {
  const server = createServer();
  const session = server.session();
  try {
    const { libraries } = server.engine.server.persistence;
    const library = (name: string, text: string): Uint8Array =>
      Buffer.from(`#!lua name=${name}\n${text}\nredis.register_function('${name}', function() return '${name}' end)`);
    const long = 'do local x = 1 end '.repeat(20_000);
    await session.call('FUNCTION', 'LOAD', library('old', '').toString());
    const replacing = libraries!.replacing([library('one', long), library('two', long)]);
    let steps = 0;
    let step = replacing.next();
    for (; !step.done; step = replacing.next())
      if (++steps % 50 === 0) expect(await session.call('FCALL', 'old', '0')).toBe('old');
    expect(steps).toBeGreaterThan(100);
    await expect(session.call('FCALL', 'one', '0')).rejects.toThrow('not found');
    step.value();
    expect(await session.call('FCALL', 'one', '0')).toBe('one');
    expect(await session.call('FCALL', 'two', '0')).toBe('two');
    await expect(session.call('FCALL', 'old', '0')).rejects.toThrow('not found');
    const failing = libraries!.replacing([library('three', ''), library('four', 'wrong')]);
    expect(() => {
      while (!failing.next().done);
    }).toThrow('Error compiling function');
    expect(await session.call('FCALL', 'one', '0')).toBe('one');
  } finally {
    await server.close();
  }
});

test('a reply whose shared values would take more than a script may have is an error, and nothing else', async () => {
  const error = { message: "ERR the script's reply is too large" };
  const endless = 'local t={} t[1]=t t[2]=t return {1,t}';
  const long = "local s=('x'):rep(6e7) return {s,s,s,s,s,s,s,s,s}";
  for (const script of [endless, long]) {
    expect(await both.ours.send([['EVAL', script, '0'], ['PING']])).toMatchObject([error, 'PONG']);
  }
  const block = [['MULTI'], ['ECHO', 'a'], ['EVAL', endless, '0'], ['ECHO', 'b'], ['EXEC']];
  expect((await both.ours.send(block)).at(-1)).toMatchObject(['a', error, 'b']);
});

test('SCRIPT DEBUG YES is refused, and so is the script that was meant for it', async () => {
  const [refused, script, next] = await both.ours.send([['SCRIPT', 'DEBUG', 'YES'], ['PING']]).then(async ([reply]) => [
    reply,
    ...(await both.ours.send([
      ['EVAL', 'return redis.call("set", "live", 1)', '0'],
      ['EXISTS', 'live'],
    ])),
  ]);
  expect([refused instanceof Error, script instanceof Error, next]).toEqual([true, true, 0]);
});
