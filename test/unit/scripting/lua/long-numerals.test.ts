/**
 * A number in a text that takes long to read, at every argument of every native, beside redis-server: also where a native
 * works in pieces and is left in each of them, before and after it asks for the number.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LONG_NUMERAL } from '../../../../src/scripting/lua/numeral.ts';
import { LuaFunction, LuaTable } from '../../../../src/scripting/lua/value.ts';
import { guarded, Oracle, runHere } from './oracle.ts';

/** What they give depends on the heap, or is bytecode. */
const VARYING = new Set(['gcinfo', 'collectgarbage', 'dump']);
/** Arguments by which a native gets somewhere; those behind are 2. */
const BEGINNINGS = ["'2'", '{3,1,2}', "'%d%s%d'", "'<i4si4'", 'function(...) return ... end', "'a2aa','a'"];
const ARGUMENTS = 5;

let oracle: Oracle;
beforeAll(async () => {
  oracle = await Oracle.start();
});
afterAll(() => oracle.stop());

/** The functions of the globals, and of the tables in them, by the expressions that give them. */
function natives(table: LuaTable, prefix = ''): string[] {
  const found: string[] = [];
  for (let at = table.seek(0); at >= 0; at = table.seek(at + 1)) {
    const [name, value] = [String(table.keyAt(at)), table.valueAt(at)];
    if (value instanceof LuaFunction && !VARYING.has(name)) found.push(prefix + name);
    else if (value instanceof LuaTable && value !== table && prefix === '') found.push(...natives(value, `${name}.`));
  }
  return found;
}

/** Calls a function with a long numeral at one place; of long texts the length stands for the result. */
function snippet(callee: string, beginning: string, place: number, last: string): string {
  return `local n = ('0'):rep(${LONG_NUMERAL}) .. '${last}'
local a = {${beginning}} for i = #a + 1, ${ARGUMENTS} do a[i] = '2' end a[${place}] = n
local r = {pcall(${callee}, unpack(a))}
for i = 1, #r do if type(r[i]) == 'string' and #r[i] > 1000 then r[i] = #r[i] end end
return unpack(r)`.replaceAll('\n', ' ');
}

/** Without the sign of what is no number, which the processor gives it, and without addresses. */
function comparable(line: string): string {
  return line.replace('-nan', 'nan').replace(/0x[0-9a-f]{9,}/, '0x');
}

test('every native takes a long numeral at every argument', async () => {
  const snippets: string[] = [];
  const callees = [...natives(guarded().globals), 'ipairs({})', "string.gmatch('a', 'a')"];
  for (const callee of callees)
    BEGINNINGS.forEach((beginning, i) => {
      for (let place = 1; place <= ARGUMENTS; place++) {
        snippets.push(snippet(callee, beginning, place, '2'));
        if ((i + place) % 3 === 0) snippets.push(snippet(callee, beginning, place, 'x'));
      }
    });
  const theirs = await oracle.run(snippets);
  const lua = guarded();
  const wrong: unknown[] = [];
  snippets.forEach((text, i) => {
    const [ours, redis] = [runHere(lua, text, i % 2), theirs[i]].map(comparable);
    if (ours !== redis) wrong.push({ text, ours, redis });
  });
  expect(wrong).toEqual([]);
}, 120_000);
