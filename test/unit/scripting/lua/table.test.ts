/** The order of next() and the length of tables with holes, beside redis-server's, after random changes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/base/random.ts';
import { LARGE } from '../../../../src/scripting/lua/table.ts';
import { LuaTable, type Value } from '../../../../src/scripting/lua/value.ts';
import { work } from '../../../../src/scripting/lua/work.ts';
import { guarded, Oracle, runHere } from './oracle.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const PROGRAMS = Number(process.env['PROGRAMS'] ?? 300);
const KEYS = ['true', 'false', '1.5', '-1', '0', '2^31', '2^40', '1e300', "'a'", "'bc'", "''", "'\\0'"];
const CONSTRUCTORS = [
  '{}',
  '{1, 2, 3}',
  '{1, nil, 3}',
  '{nil, nil, 3, nil}',
  '{x = 1}',
  '{1, 2, x = 1, y = 2, z = 3}',
  '{[1] = 1, [2] = 2, [3] = 3}',
  '{unpack({1, 2, 3, nil, 5}, 1, 5)}',
  '{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}',
  "cjson.decode('[1,2,3,4,5]')",
  'cjson.decode(\'{"a":1,"b":2,"c":{}}\')',
];

/**
 * Sets and clears keys, and notes the order and the length every now and then. Garbage isn't collected meanwhile: in the
 * reference, a key that has been cleared is forgotten then.
 */
function program(random: SeededRandom): string {
  const key = (): string => {
    const roll = random.below(10);
    if (roll < 4) return String(1 + random.below(20));
    if (roll < 6) return `'k${random.below(30)}'`;
    if (roll < 7) return `('long'):rep(${random.below(40)})`;
    if (roll < 8) return String(random.below(3000));
    return KEYS[random.below(KEYS.length)];
  };
  const look =
    'do local s = {} for k in next, t do s[#s + 1] = tostring(k) end o[#o + 1] = table.concat(s, " ") .. "#" .. #t end ';
  let text = `collectgarbage('stop') local t, o = ${CONSTRUCTORS[random.below(CONSTRUCTORS.length)]}, {} `;
  const clearing = random.below(50);
  for (let i = random.below(80); i > 0; i--) {
    const roll = random.below(100);
    if (roll < 8) text += look;
    else if (roll < 14) text += 't[#t + 1] = 1 ';
    else if (roll < 17) text += 'table.insert(t, 1, 2) ';
    else if (roll < 20) text += 'table.remove(t) ';
    else if (roll < 22) text += 'for k in pairs(t) do t[k] = nil break end ';
    else if (roll < 50 && roll - 22 < clearing) text += `t[${key()}] = nil `;
    else text += `t[${key()}] = ${i} `;
  }
  return `${text}${look} return table.concat(o, ";")`;
}

let oracle: Oracle;
beforeAll(async () => {
  oracle = await Oracle.start();
});
afterAll(() => oracle.stop());

test(`${PROGRAMS} random tables from seed ${SEED}`, async () => {
  const lua = guarded();
  for (let from = 0; from < PROGRAMS; from += 100) {
    const programs = Array.from({ length: Math.min(100, PROGRAMS - from) }, (_, i) =>
      program(new SeededRandom(SEED + from + i)),
    );
    const theirs = await oracle.run(programs);
    programs.forEach((text, i) => {
      expect(runHere(lua, text), `seed ${SEED + from + i}: ${text}`).toBe(theirs[i]);
    });
  }
});

test(`random changes of tables whose keys are long and nearly the same, from seed ${SEED}`, () => {
  const random = new SeededRandom(SEED);
  // Of those beyond 64 KiB parts are digested, in which they are the same.
  const key = (): string => {
    const text = 'k'.repeat([8000, 9000, 70_000, 100_000][random.below(4)]);
    const at = 5000 + random.below(6);
    return text.slice(0, at) + String(random.below(2)) + text.slice(at + 1);
  };
  const table = new LuaTable();
  const model = new Map<string, number>();
  for (let step = 1; step <= 3000; step++) {
    const name = key();
    if (random.below(3) > 0) {
      table.set(name, step);
      model.set(name, step);
    } else {
      table.set(name, undefined);
      model.delete(name);
    }
    const other = key();
    expect(table.get(other)).toBe(model.get(other));
    if (step % 500 > 0) continue;
    const walked = new Map<unknown, unknown>();
    for (let at = table.seek(0); at >= 0; at = table.seek(table.after(table.keyAt(at)))) {
      walked.set(table.keyAt(at), table.valueAt(at));
    }
    expect(walked).toEqual(model);
  }
});

/** What `action` is charged, units of time. */
function charged(action: () => void): number {
  const { counter } = work;
  let units = 0;
  work.counter = { charge: (more) => (units += more), reserve() {} };
  try {
    action();
  } finally {
    work.counter = counter;
  }
  return units;
}

test('the first look at a large table goes through nothing, whatever its keys', () => {
  for (const key of [
    (i: number) => `k${i}`,
    (i: number) => i + 0.5,
    (i: number) => i * 3,
    () => new LuaTable(),
    (i: number) => (i < 3000 ? `${'k'.repeat(3000)}${i}` : i < 70_000 ? `${i}` : undefined),
  ]) {
    const table = new LuaTable();
    for (let i = 1; i <= 200_000; i++) {
      const made = key(i);
      if (made !== undefined) table.set(made, i);
    }
    expect(charged(() => table.after(table.keyAt(table.seek(0))))).toBeLessThan(1000);
    table.set(table.keyAt(table.seek(0)), undefined);
    expect(charged(() => table.set('another', 1))).toBeLessThan(1000);
    expect(charged(() => table.seek(0))).toBeLessThan(1000);
  }
});

test(`random changes of large tables, from seed ${SEED}`, () => {
  const random = new SeededRandom(SEED);
  for (const start of [0, 1]) {
    const table = new LuaTable();
    const model = new Map<Value, number>();
    const key = (): Value => (random.below(4) < 3 ? `k${random.below(2 * LARGE)}` : start + random.below(2 * LARGE));
    for (let i = 1; i <= 8 * LARGE; i++) {
      const changed = key();
      const gone = random.below(4) === 0;
      table.set(changed, gone ? undefined : i);
      if (gone) model.delete(changed);
      else model.set(changed, i);
    }
    expect(table.count()).toBe(model.size);
    const seen = new Map<Value, Value>();
    for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) seen.set(table.keyAt(at), table.valueAt(at));
    expect(seen.size).toBe(model.size);
    for (const [made, value] of model) {
      if (seen.get(made) !== value || table.get(made) !== value) throw new Error(`${String(made)} is not ${value}`);
    }
    const length = table.length();
    expect(length === 0 || table.get(length) !== undefined).toBe(true);
    expect(table.get(length + 1)).toBe(undefined);
    for (let at = table.seek(0); at >= 0; at = table.seek(table.after(table.keyAt(at))))
      table.set(table.keyAt(at), undefined);
    expect(table.count()).toBe(0);
    expect(table.seek(0)).toBe(-1);
  }
});

test('whole numbers that come from the last to the first make a list in the end', () => {
  const table = new LuaTable();
  for (let i = 300_000; i > 0; i--) table.set(i, i);
  expect(table.length()).toBe(300_000);
  expect(table.array.length).toBeGreaterThanOrEqual(1 << 18);
  for (let i = 1; i <= 300_000; i++) if (table.get(i) !== i) throw new Error(`${i} is lost`);
  expect(table.count()).toBe(300_000);
});

test('one entry that lives and dies again and again is no growing list', () => {
  const table = new LuaTable();
  for (let i = 0; i < 2 * LARGE; i++) table.set(`k${i}`, i);
  for (let i = 0; i < 10 * LARGE; i++) table.set('k7', i % 2 === 0 ? undefined : i);
  expect(table.count()).toBe(2 * LARGE);
  for (let i = 0; i < LARGE; i++) {
    table.set(`k${i}`, undefined);
    table.set(`l${i}`, i);
  }
  expect(table.count()).toBe(2 * LARGE);
});

test('a new key costs by its length', () => {
  const table = new LuaTable();
  expect(charged(() => table.set('k'.repeat(3000), 1))).toBeGreaterThan(50);
  expect(charged(() => table.set('k', 1))).toBe(0);
});
