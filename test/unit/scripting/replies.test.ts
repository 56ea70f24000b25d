/** What a script returned, written step by step. */
import { expect, test } from 'vitest';
import { Reply } from '../../../src/protocol/reply.ts';
import { Lua } from '../../../src/scripting/lua/lua.ts';
import { LuaTable, type Value } from '../../../src/scripting/lua/value.ts';
import { ReplyReader } from '../../../src/scripting/replies.ts';
import { type ReplyWriter, writeError, writeValue } from '../../../src/scripting/value-writer.ts';

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
  const value = returned(source);
  return writtenBy((reply) => writeValue(reply, value, false));
}

function writtenBy(begin: (reply: Reply) => ReplyWriter | null): Written {
  const reply = new Reply();
  const errors: string[] = [];
  reply.errors = { errorReplied: (text, counted) => counted && errors.push(text) };
  const writer = begin(reply);
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

test('many small tables are looked at by many steps as well, the first one included', () => {
  const value = returned('local t = {1} for i = 1, 6 do t = {t, t, t, t, t, t, t, t} end return t');
  const { getStr } = LuaTable.prototype;
  let looks = 0;
  LuaTable.prototype.getStr = function (this: LuaTable, key: string) {
    if (key === 'err') looks++;
    return getStr.call(this, key);
  };
  try {
    const reply = new Reply();
    const writer = writeValue(reply, value, false)!;
    let [most, before] = [0, 0];
    for (let over = false; !over; before = looks) {
      over = writer.step(reply);
      most = Math.max(most, looks - before);
    }
    expect(looks).toBeGreaterThan(2 * 8 ** 6);
    expect(most).toBeLessThan(2 ** 16);
  } finally {
    LuaTable.prototype.getStr = getStr;
  }
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

test('long texts that a table stands for are written by many steps, their line breaks as spaces', () => {
  for (const [field, before] of [
    ['ok', '+'],
    ['err', '-'],
    ['big_number', '$4000000\r\n'],
  ]) {
    const { text, steps, most } = written(`return {${field} = ('x\\n'):rep(2000000)}`);
    const end = field === 'err' ? 'x' : 'x ';
    expect(text === `${before}${'x '.repeat(1_999_999)}${end}\r\n`, field).toBe(true);
    expect(steps, field).toBeGreaterThan(10);
    expect(most, field).toBeLessThan(STEP_BYTES);
  }
});

test('a long bulk string, plain or verbatim, is written by many steps', () => {
  const source = "('y'):rep(4000000)";
  for (const value of [source, `{verbatim_string = {format = 'txt', string = ${source}}}`]) {
    const { text, steps, most } = written(`return ${value}`);
    expect(text === `$4000000\r\n${'y'.repeat(4e6)}\r\n`, value).toBe(true);
    expect(steps).toBeGreaterThan(10);
    expect(most).toBeLessThan(STEP_BYTES);
  }
});

test('line breaks around a long error are left out, step by step', () => {
  const breaks = '\n'.repeat(3e6);
  const { text, steps } = writtenBy((reply) => writeError(reply, `${breaks}ERR a${breaks}`, '', true));
  expect(text).toBe('-ERR a\r\n');
  expect(steps).toBeGreaterThan(10);
  const positioned = writtenBy((reply) => writeError(reply, `ERR a${breaks}`, ' script: s.', false));
  expect(positioned.text === `-ERR a${' '.repeat(3e6)} script: s.\r\n`).toBe(true);
  expect(positioned.errors).toEqual([]);
});

test('how many items a long list has is counted step by step', () => {
  const { text, steps } = written('local t = {} for i = 1, 1000000 do t[i] = 1 end t[900001] = nil return t');
  expect(text === `*900000\r\n${':1\r\n'.repeat(900_000)}`).toBe(true);
  expect(steps).toBeGreaterThan(200);
});

test('a reader that has read nothing yet reads a long text', () => {
  for (const at of ['one go', 'pieces']) {
    const reply = new Reply();
    const text = 'x'.repeat(1e6);
    reply.bulkText(text);
    const reader = new ReplyReader();
    if (at === 'pieces') reader.begin(reply);
    expect(at === 'pieces' ? reader.readOn()?.[0] : reader.read(reply), at).toBe(text);
  }
});

/** What makes a reply, and the same read at one go and in pieces. */
test('a long reply is read in pieces as it is at one go', () => {
  const replies: readonly ((reply: Reply) => void)[] = [
    (reply) => {
      reply.array(30_000);
      for (let i = 0; i < 10_000; i++) {
        reply.bulkText(`${i}`);
        reply.array(i % 3);
        for (let k = 0; k < i % 3; k++) reply.null();
        reply.map(2);
        reply.int(1);
        reply.double(i / 2);
        reply.status('a');
        reply.set(2);
        reply.bool(true);
        reply.bulkText('b');
      }
    },
    (reply) => reply.bulkText('x'.repeat(1e6)),
    (reply) => reply.nullArray(),
    (reply) => {
      for (let i = 0; i < 5000; i++) reply.array(1);
      reply.array(0);
    },
  ];
  for (const make of replies) {
    const [reply, again] = [new Reply(), new Reply()];
    for (const made of [reply, again]) {
      made.resp = 3;
      make(made);
    }
    const reader = new ReplyReader();
    reader.begin(again);
    let whole = reader.readOn();
    while (whole === null) whole = reader.readOn();
    reader.abandon(again);
    expect(again.pending).toBe(0);
    const atOnce = reader.read(reply);
    const [first, second] = [new Reply(), new Reply()];
    first.resp = second.resp = 3;
    for (const [out, value] of [
      [first, atOnce],
      [second, whole[0]],
    ] as const) {
      const writer = writeValue(out, value, true);
      while (writer !== null && !writer.step(out));
    }
    expect(Buffer.from(second.take()).equals(first.take())).toBe(true);
  }
});
