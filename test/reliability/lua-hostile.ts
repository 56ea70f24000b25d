/**
 * Suite 18, hostile Lua: the shapes of published escapes and crashes on a server, generated and mutated scripts within this
 * process, where every value that comes out can be looked at, and endless scripts of every kind that must be killable.
 *
 * Planted once each, and found: a library's table left writable, text printed into the program without quoting, native work
 * in pieces (table.concat) that is never suspended.
 */
import { SeededRandom } from '../../src/base/random.ts';
import type { Lua } from '../../src/scripting/lua/lua.ts';
import { LuaError, LuaFunction, LuaTable, LuaThread, LuaUserdata } from '../../src/scripting/lua/value.ts';
import { type Answer, Pipeline } from '../support/pipeline.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { Generator } from '../unit/scripting/lua/generate.ts';
import { guarded } from '../unit/scripting/lua/oracle.ts';
import { pause } from './harness.ts';
import { CRASHERS, ESCAPES } from './lua-escapes.ts';

/** All that scripts share, as text: names, addresses, metatables. KEYS and ARGV belong to each. */
const FINGERPRINT = `
local seen, out = {}, {}
local function walk(t, path)
  if seen[t] then return end
  seen[t] = true
  local names = {}
  for k in pairs(t) do if path ~= '' or (k ~= 'KEYS' and k ~= 'ARGV') then names[#names + 1] = k end end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(names) do
    local v = rawget(t, k)
    out[#out + 1] = path .. tostring(k) .. '=' .. tostring(v)
    if type(v) == 'table' then walk(v, path .. tostring(k) .. '.') end
  end
  local meta = getmetatable(t)
  if meta then out[#out + 1] = path .. '(meta)' walk(meta, path .. '(meta).') end
end
walk(_G, '')
walk(getmetatable(''), 'string.')
return table.concat(out, ' ')`;

function text(answer: Answer): string {
  return answer instanceof Error ? `-${answer.message}` : JSON.stringify(answer);
}

async function asleep(server: ServerProcess): Promise<boolean> {
  const pipeline = new Pipeline(server.port);
  const answer = await pipeline.call('PING');
  pipeline.close();
  return answer !== 'PONG';
}

export interface Shapes {
  readonly scripts: number;
  /** Scripts that got what they must not have, or changed what all share. */
  readonly escaped: readonly string[];
  readonly dead: boolean;
}

/** The published shapes, one after the other, on one server. */
export async function knownShapes(): Promise<Shapes> {
  const server = await startCinnabar('--busy-reply-threshold', '100');
  let pipeline = new Pipeline(server.port);
  const killer = new Pipeline(server.port);
  const stop = setInterval(() => killer.post(['SCRIPT', 'KILL']), 1000);
  const before = text(await pipeline.call('EVAL', FINGERPRINT, '0'));
  const escaped: string[] = [];
  const scripts = [...ESCAPES, ...CRASHERS];
  for (const script of scripts) {
    const answer = text(await pipeline.call('EVAL', script, '0'));
    // The server answers as deep as redis-server does, which is deeper than this client reads.
    if (answer.includes('call stack')) pipeline = new Pipeline(server.port);
    const after = text(await pipeline.call('EVAL', FINGERPRINT, '0'));
    if (answer.includes('escaped') || /internal error|connection closed/.test(answer) || after !== before)
      escaped.push(script);
  }
  clearInterval(stop);
  const dead = await asleep(server);
  pipeline.close();
  killer.close();
  await server.stop();
  return { scripts: scripts.length, escaped, dead };
}

// ---- generated scripts

const WORDS = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', 'this', 'process'];
const ACTS = [
  '_G.@ = %',
  'rawset(_G, "@", %)',
  'rawset(string, "@", %)',
  'string["@"] = %',
  'getmetatable("").@ = %',
  'setmetatable(%, {__index = _G, __newindex = _G}).@ = 1',
  'setmetatable(_G, %)',
  'local @ = % return @',
  'return (%).@',
  'return (%)["@"]["@"]',
  'return pcall(loadstring, "return @", %)',
  'return loadstring("@ = 1 return @.@", "@")()',
  'local t = {["@"] = %, @ = %} for k, v in pairs(t) do t[v] = k end return t',
  'table.foreach(_G, function(k, v) v.@ = % end)',
  'return string.format("%q %s", "@", tostring(%))',
  'return cjson.decode(cjson.encode({["@"] = %}))',
  'return coroutine.wrap(function(...) coroutine.yield(%) _G["@"] = % end)(%)',
  'return ("@"):gsub("%w", %)',
  'return select(%, %, %)',
  'return unpack({%, %}, %)',
];

class Hostile {
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  script(seed: number): string {
    const roll = this.random.below(10);
    if (roll < 3) return this.renamed(new Generator(seed).program());
    if (roll < 6) return this.acts();
    const base = roll < 9 ? this.pick(ESCAPES) : new Generator(seed).program();
    return this.mutated(this.random.below(3) === 0 ? this.spliced(base, this.pick(ESCAPES)) : base);
  }

  /** Fields with names of JavaScript's own. */
  private renamed(program: string): string {
    const names = [this.pick(WORDS), this.pick(WORDS), this.pick(WORDS)];
    return program.replace(/\bf([012])\b/g, (_, digit: string) => names[Number(digit)]);
  }

  private acts(): string {
    const values = [
      '1',
      '"x"',
      'nil',
      'true',
      '{}',
      'function(...) return ... end',
      '_G',
      'string',
      '0/0',
      '"__proto__"',
    ];
    let script = '';
    for (let i = 1 + this.random.below(3); i > 0; i--) {
      const act = this.pick(ACTS)
        .replaceAll('@', () => this.pick(WORDS))
        .replace(/%(?![qsw])/g, () => this.pick(values));
      script += `pcall(function() ${act} end) `;
    }
    return script;
  }

  private spliced(a: string, b: string): string {
    return a.slice(0, this.random.below(a.length)) + b.slice(this.random.below(b.length));
  }

  private mutated(script: string): string {
    let out = script;
    for (let i = this.random.below(4); i >= 0; i--) {
      const at = this.random.below(out.length + 1);
      const char = String.fromCharCode(
        this.random.below(4) === 0 ? this.random.below(256) : 32 + this.random.below(95),
      );
      const removed = this.random.below(3);
      out = out.slice(0, at) + (this.random.below(3) === 0 ? '' : char) + out.slice(at + removed);
    }
    return out;
  }
}

/** Whether something is reachable from a value that is no value of Lua. */
function foreign(value: unknown, seen = new Set<unknown>()): boolean {
  if (value === undefined || ['boolean', 'number', 'string'].includes(typeof value) || seen.has(value)) return false;
  seen.add(value);
  if (value instanceof LuaTable) {
    if (foreign(value.meta ?? undefined, seen)) return true;
    for (let at = value.seek(0); at >= 0; at = value.seek(at + 1)) {
      if (foreign(value.keyAt(at), seen) || foreign(value.valueAt(at), seen)) return true;
    }
    return false;
  }
  return !(value instanceof LuaFunction || value instanceof LuaUserdata || value instanceof LuaThread);
}

/** What JavaScript's own objects have. */
function platform(): string {
  const owners: object[] = [globalThis, Object.prototype, Array.prototype, Function.prototype, String.prototype];
  return [...owners.map((owner) => Reflect.ownKeys(owner).length), process.exitCode].join(' ');
}

/** What went wrong with a script; null where nothing did. */
function tried(lua: Lua, script: string): string | null {
  const deadline = performance.now() + 200;
  lua.runtime.goOn = () => performance.now() < deadline;
  try {
    const outcome = lua.run(lua.compile(script, '@user_script'));
    if (outcome.kind === 'done' && foreign(LuaTable.of([...outcome.values]))) return 'a value of the host';
    if (outcome.kind !== 'error') return null;
    const { value } = outcome.error;
    if (foreign(value)) return 'a value of the host in an error';
    return typeof value === 'string' && value.includes('internal error') ? value : null;
  } catch (error) {
    return error instanceof LuaError ? null : String(error);
  }
}

export interface Generated {
  readonly scripts: number;
  readonly faults: ReadonlyArray<{ readonly script: string; readonly fault: string }>;
}

/** Scripts from a seed: none may reach the host, throw what isn't an error of Lua's, or change what all share. */
export function generatedScripts(count: number, seed: number): Generated {
  const hostile = new Hostile(seed);
  const faults: Array<{ script: string; fault: string }> = [];
  let lua = guarded();
  let print = lua.compile(FINGERPRINT, '@fingerprint');
  const shared = (): string => {
    lua.runtime.goOn = () => true;
    const outcome = lua.run(print);
    return outcome.kind === 'done' ? String(outcome.values[0]) : outcome.kind;
  };
  let before = shared();
  const host = platform();
  for (let i = 0; i < count && faults.length < 20; i++) {
    const script = hostile.script(seed + i);
    const fault =
      tried(lua, script) ??
      (shared() !== before ? 'changed what all share' : platform() !== host ? 'changed the host' : null);
    if (fault === null) continue;
    faults.push({ script, fault });
    lua = guarded();
    print = lua.compile(FINGERPRINT, '@fingerprint');
    before = shared();
  }
  return { scripts: count, faults };
}

// ---- endless scripts

const ENDLESS: readonly string[] = [
  'while true do end',
  'repeat until false',
  'for i = 1, math.huge do end',
  'for i = 1, 2, 0 do end while 1 do local x = {} end',
  'local function f() return f() end f()',
  'local a, b function a() return b() end b = a a()',
  'while true do pcall(error) end',
  'local function f() while true do end end while true do pcall(f) end',
  'while true do xpcall(error, function() end) end',
  'xpcall(error, function() while true do end end)',
  'return setmetatable({}, {__index = function() while true do end end}).x',
  'setmetatable({}, {__newindex = function() while true do end end}).x = 1',
  'return setmetatable({}, {__add = function() while true do end end}) + 1',
  'return setmetatable({}, {__call = function() while true do end end})()',
  'return tostring(setmetatable({}, {__tostring = function() while true do end end}))',
  'local t = setmetatable({}, {__lt = function() while true do end end}) return t < setmetatable({}, getmetatable(t))',
  "return ('x'):gsub('x', function() while true do end end)",
  "while true do ('x'):rep(100000):gsub('x', function() end) end",
  "while true do ('x'):rep(1000000):gsub('x', 'yy') end",
  "while true do for _ in ('x'):rep(1000):gmatch('x') do end end",
  'table.sort({3, 2, 1}, function() while true do end end)',
  'local t = {} for i = 1, 1e5 do t[i] = i * 7919 % 100003 end while true do table.sort(t, function(a, b) return a > b end) t[1], t[5] = t[5], t[1] end',
  'local t = {} for i = 1, 200000 do t[i] = i end while true do table.sort(t) end',
  "while true do ('x'):rep(10000000) end",
  "return ('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')",
  "return ('a'):rep(10000):find('.-.-.-.-.-b')",
  "return ('a'):rep(5000):find(('a*'):rep(12) .. 'b')",
  "return ('a'):rep(100000):match('(.*)(.*)(.*)b')",
  "return ('('):rep(100000):find(('%b()'):rep(2) .. '.-x')",
  "return ('a'):rep(60):gsub(('a?'):rep(60) .. ('a'):rep(60) .. 'b', '')",
  "for _ in ('a'):rep(60):gmatch(('a?'):rep(60) .. ('a'):rep(60) .. 'b') do end",
  'coroutine.wrap(function() while true do end end)()',
  'local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end',
  'load(function() while true do end end)',
  "load(function() return 'x = 1 ' end)",
  "while true do loadstring('return 1') end",
  'for _ in function() return 1 end do end',
  'local t = {1, 2, 3} while true do for _ in pairs(t) do end for _ in ipairs(t) do end next(t) end',
  'table.foreach({1}, function() while true do end end)',
  'table.foreachi({1}, function() while true do end end)',
  'local t = {} for i = 1, 100000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end',
  'local t = {} for i = 1, 100000 do t[i] = "x" end while true do table.concat(t, ",") end',
  'local t = {} for i = 1, 1000 do t[i] = i end while true do select("#", unpack(t)) end',
  'local t = {} for i = 1, 1000 do t[i] = {i} end while true do cjson.decode(cjson.encode(t)) cmsgpack.unpack(cmsgpack.pack(t)) end',
  "while true do struct.pack('i', 1) bit.bxor(1, 2) math.random(5) string.format('%5.2f', 1) end",
  "while true do redis.call('PING') end",
  "while true do redis.pcall('NOSUCH') redis.pcall('GET') end",
  "while true do redis.call('GET', 'x') redis.sha1hex('x') end",
  'while true do collectgarbage("count") end',
  "local s = '' while true do s = s .. 'x' if #s > 1000 then s = '' end end",
  'while true do local ok = loadstring("while true do end") pcall(ok) end',
  'while true do (function(...) return ... end)(1, 2, 3) end',
];

export interface Killing {
  readonly kinds: number;
  /** Those that went on after SCRIPT KILL. */
  readonly survived: readonly string[];
  /** The longest that another client waited for an answer while a script was busy, ms. */
  readonly slowest: number;
  readonly slowestScript: string;
}

/** Starts each endless script, asks other things meanwhile, and kills it. */
export async function endlessScripts(pings: number): Promise<Killing> {
  const server = await startCinnabar('--busy-reply-threshold', '50');
  const survived: string[] = [];
  let slowest = 0;
  let slowestScript = '';
  const other = new Pipeline(server.port);
  for (const script of ENDLESS) {
    const runner = new Pipeline(server.port);
    const ended = runner.call('EVAL', script, '0');
    while (!text(await other.call('PING')).startsWith('-BUSY')) {
      if ((await Promise.race([ended, pause(5).then(() => null)])) !== null) break;
    }
    for (let i = 0; i < pings; i++) {
      const start = performance.now();
      await other.call('PING');
      const waited = performance.now() - start;
      if (waited > slowest) [slowest, slowestScript] = [waited, script];
    }
    const killed = text(await other.call('SCRIPT', 'KILL'));
    const answer = await Promise.race([ended, pause(10_000).then(() => null)]);
    runner.close();
    if (killed !== '"OK"' || !(answer instanceof Error) || !answer.message.includes('killed by user')) {
      survived.push(`${script} -> ${killed} ${answer === null ? 'nothing' : text(answer)}`);
      if (answer === null) break;
    }
  }
  other.close();
  await server.stop();
  return { kinds: ENDLESS.length, survived, slowest: Math.round(slowest), slowestScript };
}
