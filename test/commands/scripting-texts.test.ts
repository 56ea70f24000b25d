/** Texts of scripts and libraries that are long, deep, or too much: compiled, or refused with an error of Lua's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';

let both: Beside;
beforeAll(async () => {
  both = await Beside.start();
});
afterAll(() => both.stop());

const REGISTERED = '\nredis.register_function("f", function() return 1 end)';
const LONG_TEXTS: Readonly<Record<string, string>> = {
  terms: `local z=1${'+1'.repeat(20_000)}`,
  arms: `local function g(a) if a==1 then return 1 ${'elseif a==2 then return 2 '.repeat(3000)}end end`,
  arguments: `local function g() f(1${',1'.repeat(65_600)}) end`,
  calls: `local function g(a) return a${'()'.repeat(3000)} end`,
};

describe('a library whose text is too much', () => {
  for (const [name, text] of Object.entries(LONG_TEXTS)) {
    test(name, async () => {
      const [reply, next] = await both.ours.send([
        ['FUNCTION', 'LOAD', 'REPLACE', `#!lua name=l\n${text}${REGISTERED}`],
        ['PING'],
      ]);
      if (reply instanceof Error) expect(reply.message).toMatch(/^ERR Error compiling function: /);
      else expect(reply).toBe('l');
      expect(next).toBe('PONG');
    });
  }
});
