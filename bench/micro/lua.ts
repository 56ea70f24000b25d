/** Lua scripts here, and the same beside redis-server by EVALSHA when PORT names one (its time holds the round trip). */
import { Lua } from '../../src/scripting/lua/lua.ts';
import { Pipeline } from '../../test/support/pipeline.ts';
import { measure } from './harness.ts';

const SCRIPTS: Record<string, { source: string; operations: number }> = {
  'an empty script': { source: 'return 1', operations: 1 },
  'a loop of 100,000 additions': { source: 'local a = 0 for i = 1, 100000 do a = a + i end return a', operations: 1e5 },
  'table insert': { source: 'local t = {} for i = 1, 10000 do table.insert(t, i) end return #t', operations: 1e4 },
  'table append': { source: 'local t = {} for i = 1, 10000 do t[#t + 1] = i end return #t', operations: 1e4 },
  'string building': {
    source: "local t = {} for i = 1, 10000 do t[i] = 'k' .. i end return #table.concat(t)",
    operations: 1e4,
  },
  'a call (fib 20)': {
    source: 'local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(20)',
    operations: 21_891,
  },
  'pairs over 1,000 fields': {
    source:
      "local t = {} for i = 1, 1000 do t['f' .. i] = i end local s = 0 for k, v in pairs(t) do s = s + v end return s",
    operations: 1000,
  },
  'sort with a comparator': {
    source: 'local t = {} for i = 1, 1000 do t[i] = i * 7919 % 1009 end table.sort(t, function(a, b) return a > b end)',
    operations: 1000,
  },
  'cjson there and back': {
    source: 'for i = 1, 100 do cjson.decode(cjson.encode({1, 2, {a = "x", b = true}})) end',
    operations: 100,
  },
};

const lua = new Lua();
for (const [name, { source, operations }] of Object.entries(SCRIPTS)) {
  const main = lua.compile(source, '@user_script');
  const runs = Math.max(20, Math.ceil(2e5 / operations));
  measure(name, runs * operations, () => {
    for (let i = 0; i < runs; i++) lua.run(main);
  });
}

const port = process.env['PORT'];
if (port !== undefined) {
  const pipeline = new Pipeline(Number(port));
  for (const [name, { source, operations }] of Object.entries(SCRIPTS)) {
    const [sha] = await pipeline.send([['SCRIPT', 'LOAD', source]]);
    const runs = Math.max(20, Math.ceil(2e5 / operations));
    const commands = Array.from({ length: Math.min(runs, 5000) }, () => ['EVALSHA', String(sha), '0']);
    await pipeline.send(commands);
    const started = process.hrtime.bigint();
    await pipeline.send(commands);
    const taken = Number(process.hrtime.bigint() - started) / (commands.length * operations);
    console.log(`${taken.toFixed(1).padStart(10)} ns  redis-server: ${name}`);
  }
  pipeline.close();
}
