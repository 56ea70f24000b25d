/** Our Lua beside redis-server's: the snippets of snippets.txt and random programs, run through and suspended all over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../../../src/scripting/lua/lua.ts';
import { LONG } from '../../../support/long.ts';
import { Generator } from './generate.ts';
import { guarded, Oracle, runHere } from './oracle.ts';

const snippets = readFileSync(join(import.meta.dirname, 'snippets.txt'), 'latin1')
  .split('\n')
  .filter((line) => line !== '');
const SEED = Number(process.env['SEED'] ?? 1);
const PROGRAMS = Number(process.env['PROGRAMS'] ?? (LONG ? 200 : 50));
/** What runs them, and after how many calls or rounds they are printed as JavaScript. */
const ENGINES: ReadonlyArray<readonly [engine: string, hot: number]> = [
  ['as JavaScript', 0],
  ['interpreted', Number.POSITIVE_INFINITY],
  ['as JavaScript from their third call or round on', 2],
];
/** Ends of programs that ran too long to be compared: both sides are asked to stop. */
const STOPPED = /^error|^killed/;

/** The sign of not-a-number and of zero depends on how the reference shares constants. */
function unsigned(text: string): string {
  return text
    .replaceAll('-nan', 'nan')
    .replace(/-0\b(?!\.)/g, '0')
    .replace(/0x[0-9a-f]{9,}/g, '0x');
}

let oracle: Oracle;
beforeAll(async () => {
  oracle = await Oracle.start();
});
afterAll(() => oracle.stop());

function outcome(source: string, prepare: (lua: ReturnType<typeof guarded>) => void = () => {}): Outcome {
  const lua = guarded();
  prepare(lua);
  return lua.run(lua.compile(source, '@user_script'));
}

function message(result: Outcome): unknown {
  return result.kind === 'error' ? result.error.value : result.kind === 'done' ? result.values : result.kind;
}

describe.each(LONG ? ENGINES : ENGINES.slice(0, 2))('beside redis-server, %s', (_, hot) => {
  test('snippets give the same values and messages', async () => {
    const theirs = await oracle.run(snippets);
    const lua = guarded(hot);
    snippets.forEach((snippet, i) => {
      expect(runHere(lua, snippet), snippet).toBe(theirs[i]);
    });
  });

  test('snippets that are suspended at every step give the same', () => {
    const whole = guarded(hot);
    const left = guarded(hot);
    for (const snippet of snippets) expect(runHere(left, snippet, 1), snippet).toBe(runHere(whole, snippet));
  });

  test(`random programs from seed ${SEED}`, async () => {
    const lua = guarded(hot);
    const left = guarded(hot);
    for (let from = 0; from < PROGRAMS; from += 50) {
      const programs = Array.from({ length: 50 }, (_, i) => new Generator(SEED + from + i).program());
      const theirs = await oracle.run(programs);
      programs.forEach((program, i) => {
        const ours = runHere(lua, program);
        if (STOPPED.test(ours) || STOPPED.test(theirs[i])) return;
        expect(unsigned(ours), `seed ${SEED + from + i}: ${program}`).toBe(unsigned(theirs[i]));
        if (i % 4 === 0) expect(runHere(left, program, 3), `suspended, seed ${SEED + from + i}`).toBe(ours);
      });
    }
  });
});

describe('time and space', () => {
  test('an endless loop is suspended, goes on, and can be killed, whatever pcall says', () => {
    const lua = guarded();
    lua.runtime.goOn = () => false;
    const source = 'local function f() while true do end end while true do pcall(f) end';
    let result = lua.run(lua.compile(source, '@user_script'));
    for (let i = 0; i < 5; i++) {
      expect(result.kind).toBe('suspended');
      if (result.kind === 'suspended') result = result.activity.run();
    }
    lua.kill('killed by user');
    if (result.kind === 'suspended') result = result.activity.run();
    expect(result).toMatchObject({ kind: 'killed', message: 'killed by user' });
    lua.runtime.goOn = () => true;
    expect(message(lua.run(lua.compile('return 1', '@user_script')))).toEqual([1]);
  });

  test('loops in metamethods, comparators, coroutines and replacements are suspended', () => {
    const endless = 'local function f() while true do end end ';
    for (const body of [
      'return setmetatable({}, {__index = f}).x',
      'return setmetatable({}, {__add = f}) + 1',
      'table.sort({3, 2, 1}, f)',
      "return ('x'):gsub('x', f)",
      'coroutine.wrap(f)()',
      'return tostring(setmetatable({}, {__tostring = f}))',
      'xpcall(error, f)',
      'load(f)',
      'for _ in f do end',
    ]) {
      const suspend = (lua: ReturnType<typeof guarded>): void => {
        lua.runtime.goOn = () => false;
      };
      expect(outcome(endless + body, suspend).kind, body).toBe('suspended');
    }
  });

  test('recursion is as deep as the reference has it, tail calls without end', () => {
    expect(
      message(outcome('local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(16000)')),
    ).toEqual([16000]);
    expect(message(outcome('local function f() return 1 + f() end return f()'))).toBe('user_script:1: stack overflow');
    expect(
      message(outcome("local function f(n) if n == 0 then return 'end' end return f(n - 1) end return f(1e6)")),
    ).toEqual(['end']);
  });

  test('strings and arguments have bounds', () => {
    expect(message(outcome("return string.rep('x', 2^30)"))).toBe('user_script:1: resulting string too large');
    expect(message(outcome("local s = 'x' while true do s = s .. s end"))).toBe('not enough memory');
    expect(message(outcome("return #('a'):rep(100000):match(('a?'):rep(100000))"))).toEqual([100_000]);
    expect(message(outcome("return ('a'):rep(300000):match(('a?'):rep(300000))"))).toContain('pattern too complex');
  });

  test('limits of the parser are errors', () => {
    const limit = (source: string): unknown => {
      try {
        return outcome(source).kind;
      } catch (error) {
        return (error as { value: unknown }).value;
      }
    };
    expect(limit(`return ${'('.repeat(300)}1${')'.repeat(300)}`)).toBe(
      'user_script:1: chunk has too many syntax levels',
    );
    const locals = Array.from({ length: 201 }, (_, i) => `local a${i}`).join(' ');
    expect(limit(locals)).toBe('user_script:1: main function has more than 200 local variables');
    const outer = Array.from({ length: 61 }, (_, i) => `local a${i}`).join(' ');
    const uses = Array.from({ length: 61 }, (_, i) => `a${i} = 1`).join(' ');
    expect(limit(`${outer} local function f() ${uses} end`)).toBe(
      'user_script:1: function at line 1 has more than 60 upvalues',
    );
  });
});

describe('the sandbox', () => {
  test('nothing of JavaScript is reachable through names', () => {
    for (const name of [
      'constructor',
      '__proto__',
      'prototype',
      'toString',
      'hasOwnProperty',
      'process',
      'globalThis',
    ]) {
      const source = `local t = {} return t['${name}'], ('x')['${name}'], rawget(_G, '${name}'), rawget(string, '${name}')`;
      expect(message(outcome(source)), name).toEqual([undefined, undefined, undefined, undefined]);
      expect(message(outcome(`local ${name} = 5 local t = {${name} = ${name}} return t.${name}`)), name).toEqual([5]);
    }
  });

  test('literals keep their bytes', () => {
    const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    const source = `return "${Array.from(bytes, (c) => `\\${c.charCodeAt(0).toString().padStart(3, '0')}`).join('')}"`;
    expect(message(outcome(source))).toEqual([bytes]);
    const raw = bytes.replace(/[\r\n]/g, '');
    expect(message(outcome(`return [==[${raw}]==]`))).toEqual([raw]);
  });
});
