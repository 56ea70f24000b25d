/** What a script returned, written step by step. */
import { expect, test } from 'vitest';
import { Reply } from '../../../src/protocol/reply.ts';
import { Lua } from '../../../src/scripting/lua/lua.ts';
import type { Value } from '../../../src/scripting/lua/value.ts';
import { type ValueWriter, writeValue } from '../../../src/scripting/replies.ts';

/** More than this is no small step: a string in one piece may be added to it. */
const STEP_BYTES = 2 ** 20 + 2 ** 18;

interface Written {
  readonly text: string;
  readonly steps: number;
  /** The most bytes that one step has added. */
  readonly most: number;
  readonly errors: readonly string[];
}

function returned(source: string): Value {
  const lua = new Lua();
  const outcome = lua.run(lua.compile(source, '@user_script'));
  if (outcome.kind !== 'done') throw new Error(outcome.kind);
  return outcome.values[0];
}

function written(source: string): Written {
  const reply = new Reply();
  const errors: string[] = [];
  reply.errors = { errorReplied: (text, counted) => counted && errors.push(text) };
  const writer: ValueWriter | null = writeValue(reply, returned(source), false);
  let [steps, most] = [1, 0];
  for (let before = reply.pending; writer !== null && !writer.step(reply); before = reply.pending) {
    steps++;
    most = Math.max(most, reply.pending - before);
  }
  return { text: Buffer.from(reply.take()).toString('latin1'), steps, most, errors };
}

test('what is small is written by one step', () => {
  expect(written('return 5').text).toBe(':5\r\n');
  expect(written("return {1, {'a', {ok = 'b'}}, false}")).toMatchObject({
    text: '*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$-1\r\n',
    steps: 1,
  });
});

test('what is large is measured and written by many, none of which adds much', () => {
  const { text, steps, most } = written('local t = {} for i = 1, 400000 do t[i] = {i % 10} end return t');
  expect(text).toBe(`*400000\r\n${Array.from({ length: 400_000 }, (_, i) => `*1\r\n:${(i + 1) % 10}\r\n`).join('')}`);
  expect(steps).toBeGreaterThan(200);
  expect(most).toBeLessThan(STEP_BYTES);
});

test('errors in a large reply are counted once', () => {
  const source = "local t = {{err = 'A a'}, ('x'):rep(2000000), {err = 'B b'}} return t";
  const { text, errors } = written(source);
  expect(text).toBe(`*3\r\n-A a\r\n$2000000\r\n${'x'.repeat(2e6)}\r\n-B b\r\n`);
  expect(errors).toEqual(['A a', 'B b']);
});

test('of what is too large nothing is written but an error, behind what was there', () => {
  const reply = new Reply();
  reply.int(1);
  const writer = writeValue(
    reply,
    returned('local t = {1} for i = 1, 20 do t = {t, t, t, t, t, t, t, t} end return t'),
    false,
  );
  while (!writer!.step(reply));
  expect(Buffer.from(reply.take()).toString()).toBe(":1\r\n-ERR the script's reply is too large\r\n");
});
