/** The order of next() and the length of tables with holes, beside redis-server's, after random changes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/base/random.ts';
import { LuaTable } from '../../../../src/scripting/lua/value.ts';
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
