/**
 * Suite 18, costly Lua: scripts that call every native with the largest, longest, deepest and most shared arguments, alone
 * and in loops. The server runs as a process of its own; none may end it, hold it, outlive SCRIPT KILL, or take more
 * memory than scripts may have. Named cases are those that once did.
 *
 * A gap is counted by watch.ts, where a copy into fresh memory is no part of it; what looks like one is tried again on a
 * fresh server, where the better run counts.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';
import { MIB } from './harness.ts';
import { type Patience, type Watched, watch } from './watch.ts';

const LONGEST = 3e7;
/** ms of the main thread that others may wait. */
const GAP = 100;
/** What scripts may take, and what the server and its garbage take beside. */
const PEAK = (512 + 300) * MIB;
const PATIENCE: Patience = { threshold: 20, kill: 60, giveUp: 15_000 };
const BUSY = ['--busy-reply-threshold', String(PATIENCE.threshold)];

/** What the arguments of the natives are made by. */
const HELPERS = `
local function text(piece, length) return piece:rep(math.ceil(length / #piece)) end
local function list(count, item) local t = {} for i = 1, count do t[i] = item end return t end
local function counted(count) local t = {} for i = 1, count do t[i] = i end return t end
local function words(count, start) local t = {} for i = 1, count do t[i] = start .. (i * 7919 % count) end return t end
local function fields(count, start) local t = {} for i = 1, count do t[start .. i] = i end return t end
local function shared(levels, width, item)
  local t = item
  for _ = 1, levels do local u = {} for i = 1, width do u[i] = t end t = u end
  return t
end
local function deep(levels, key) local t = {} for _ = 1, levels do t = {[key] = t} end return t end
local function holes(count) local t = counted(count) for i = 1, count - 1 do t[i] = nil end return t end
`;

const PIECES = [
  'x',
  '1',
  '0',
  ' ',
  '%',
  '%%',
  '%s',
  '\\255',
  'aB\\200',
  '\\0',
  '"',
  '\\\\u00e9',
  '[',
  '(',
  '{"a":',
  '[1,',
  '1,',
  '1e9',
  '0x1',
  'a-z',
  '%a',
  'a?',
  'a*',
  '.-',
  '%b()',
  '%f[a]',
  '(a)',
  '\\145',
  '\\220\\255\\255',
  'i4',
  'b',
  's',
  'c0',
  '!8d',
  'f() ',
  '\\n',
];

/** Each native, and the kinds of its arguments: s text, p pattern, t table, l list and w word
 * whose product is at most LONGEST, n number, f function, v anything, * more. */
const NATIVES: ReadonlyArray<readonly [name: string, kinds: string]> = [
  ['string.byte', 'snn'],
  ['string.char', 'n*'],
  ['string.find', 'ppnv'],
  ['string.match', 'ppn'],
  ['string.gmatch', 'pp'],
  ['string.gsub', 'ppv'],
  ['string.format', 'sv*'],
  ['string.len', 's'],
  ['string.lower', 's'],
  ['string.upper', 's'],
  ['string.rep', 'sn'],
  ['string.reverse', 's'],
  ['string.sub', 'snn'],
  ['table.concat', 'lw'],
  ['table.insert', 'tv'],
  ['table.insert', 'tnv'],
  ['table.remove', 'tn'],
  ['table.sort', 't'],
  ['table.sort', 'tf'],
  ['table.maxn', 't'],
  ['table.getn', 't'],
  ['table.foreach', 'tf'],
  ['table.foreachi', 'tf'],
  ['unpack', 'tnn'],
  ['unpack', 't'],
  ['select', 'nv*'],
  ['next', 't'],
  ['pairs', 't'],
  ['ipairs', 't'],
  ['tonumber', 's'],
  ['tonumber', 'sn'],
  ['tostring', 'v'],
  ['rawequal', 'ss'],
  ['rawget', 'ts'],
  ['rawset', 'tsv'],
  ['setmetatable', 'tt'],
  ['loadstring', 'c'],
  ['pcall', 'fv*'],
  ['xpcall', 'ff'],
  ['error', 's'],
  ['assert', 'vs'],
  ['math.max', 'n*'],
  ['math.floor', 's'],
  ['bit.bxor', 'n*'],
  ['bit.tohex', 'ns'],
  ['cjson.encode', 'v'],
  ['cjson.encode', 't'],
  ['cjson.decode', 's'],
  ['cmsgpack.pack', 'v*'],
  ['cmsgpack.pack', 't'],
  ['cmsgpack.unpack', 's'],
  ['cmsgpack.unpack_one', 'sn'],
  ['cmsgpack.unpack_limit', 'snn'],
  ['struct.pack', 'sv*'],
  ['struct.unpack', 'ssn'],
  ['struct.size', 's'],
  ['redis.sha1hex', 's'],
  ['redis.call', 'rs*'],
  ['redis.pcall', 'rs*'],
  ['redis.error_reply', 's'],
  ['redis.status_reply', 's'],
  ['coroutine.wrap', 'f'],
  ['collectgarbage', 'w'],
];

/** Operators on any two values. */
const OPERATORS = ['a == b', 'a < b', 'a <= b', 'a .. b', 'a + b', '-a', '#a', 'a[b]', 'a ~= b', '{a, b, a}', '{...}'];

const COMMANDS = ["'ECHO'", "'STRLEN'", "'EXISTS'", "'GET'", "'MGET'", "'PING'", "'TYPE'"];

class Costly {
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }

  /** Mostly moderate, sometimes as large as may be. */
  private size(most: number): number {
    const powers = this.pick([1, 2, 3, 4, 5, 6, 7.5]);
    return Math.min(most, Math.round(10 ** powers * (1 + this.random.below(9) / 10)));
  }

  private text(most = LONGEST): string {
    const roll = this.random.below(10);
    if (roll === 0) return `'${this.pick(PIECES)}'`;
    const long = `text('${this.pick(PIECES)}', ${this.size(most)})`;
    if (roll === 1) return `${long} .. '${this.pick(PIECES)}'`;
    return roll === 2 ? `text('${this.pick(PIECES)}', ${this.size(1000)}) .. ${long}` : long;
  }

  private pattern(): string {
    if (this.random.below(4) === 0) return `'[' .. ${this.text()} .. ']'`;
    if (this.random.below(4) === 0) return `${this.text()} .. 'y'`;
    return this.text();
  }

  private number(): string {
    return this.pick(['0', '1', '-1', '2', '16', '36', '7000', '7999', '1e5', '1e7', '2^31', '2^53', '-2^63', '1/0']);
  }

  private table(): string {
    switch (this.random.below(9)) {
      case 0:
        return `list(${this.size(2e6)}, ${this.text(1000)})`;
      case 1:
        return `counted(${this.size(4e6)})`;
      case 2:
        return `words(${this.size(3e5)}, ${this.text(1000)})`;
      case 3:
        return `words(${this.size(500)}, ${this.text(1e6)})`;
      case 4:
        return `fields(${this.size(3e5)}, ${this.text(100)})`;
      case 5:
        return `fields(${this.size(300)}, ${this.text(1e5)})`;
      case 6:
        return `shared(${2 + this.random.below(25)}, ${2 + this.random.below(7)}, ${this.pick(['1', "'x'", '{}', 'text("x", 1e6)'])})`;
      case 7:
        return `deep(${this.size(20_000)}, ${this.pick(['1', "'k'", '2'])})`;
      default:
        return `holes(${this.size(4e6)})`;
    }
  }

  private any(): string {
    const roll = this.random.below(10);
    if (roll < 4) return this.text();
    if (roll < 7) return this.table();
    return roll < 9 ? this.number() : this.callee();
  }

  private callee(): string {
    return this.pick([
      'function(...) return ... end',
      'function(x, y) return x end',
      'function() error({}) end',
      'function(...) local t = {...} return t[1] end',
      'print or tostring',
    ]);
  }

  private argument(kind: string): string {
    switch (kind) {
      case 's':
        return this.text();
      case 'p':
        return this.pattern();
      case 't':
        return this.table();
      case 'l':
        return `words(${this.size(1e5)}, ${this.text(100)})`;
      case 'w':
        return this.text(100);
      case 'n':
        return this.number();
      case 'f':
        return this.callee();
      case 'c':
        return this.text(1e5);
      case 'r':
        return this.pick(COMMANDS);
      default:
        return this.any();
    }
  }

  /** What is set up, and the expression whose cost is in question. */
  private subject(): [setup: string, expression: string] {
    if (this.random.below(6) === 0) {
      return [`local a, b = ${this.any()}, ${this.any()} `, this.pick(OPERATORS)];
    }
    const [name, kinds] = this.pick(NATIVES);
    const args: string[] = [];
    for (const kind of kinds.replace('*', '')) args.push(this.argument(kind));
    if (this.random.below(5) === 0) args.length = this.random.below(args.length + 1);
    const names = args.map((_, i) => `v${i}`);
    const more = kinds.endsWith('*') && this.random.below(2) === 0;
    if (more) names.push('unpack(many)');
    const many = more ? `local many = list(${this.size(7000)}, ${this.pick(['1', 'v0', "'x'"])}) ` : '';
    const setup = args.map((arg, i) => `local v${i} = ${arg} `).join('');
    return [setup + many, `${name}(${names.join(', ')})`];
  }

  script(): string {
    const [setup, expression] = this.subject();
    const function_ = `local function run(...) return ${expression} end `;
    return HELPERS + setup + function_ + this.pick(SHAPES);
  }
}

const SHAPES = [
  'local ok, r = pcall(run) return type(r)',
  'return run()',
  'return {run(), {run()}, {ok = tostring(run())}}',
  'while true do run() end',
  'while true do pcall(run) end',
  'local kept = {} while true do kept[#kept + 1] = select(2, pcall(run)) end',
  `${'pcall(run) '.repeat(200)} return 1`,
  'return type((select(2, coroutine.resume(coroutine.create(function() while true do run() end end)))))',
  'local function more(...) run(...) return more(...) end pcall(more, unpack(counted(7000)))',
];

/** What once ended or held the server. */
const NAMED: readonly string[] = [
  "return #cjson.encode(string.rep('\"',1e8))",
  "return #(string.rep('a\\255',1e8)):upper()",
  'local t={} for i=1,27 do t={t,t} end return #cjson.encode(t)',
  'local t={1} for i=1,14 do t={t,t,t,t,t,t,t,t} end return #cmsgpack.pack(t)',
  "local t={} for i=1,60 do t[i]=string.rep('x',1e8)..i end for i=1,60 do t[i]:byte(1) end",
  "local p=string.rep('x',1e6) local t={} for i=1,6000 do t[i]=p..i end table.sort(t)",
  "local p=string.rep('x',1e6) local t={} for i=1,6000 do t[i]=p..i end for i=2,6000 do if t[i]<t[i-1] then end end",
  "local p=string.rep('x',1e8) local t={} for i=1,60 do t[i]=p..i end redis.call('del',unpack(t))",
  'local k={} local function g(...) k[#k+1]=arg end local function h(...) while true do g(...) end end local t={} for i=1,7900 do t[i]=i end h(unpack(t))',
  "return #string.format(string.rep('%%',2e8))",
  "return #struct.pack(string.rep('x',2e8))",
  "local a=string.rep('z',8000) while true do a:byte(1,7000) end",
  "pcall(string.gsub,string.rep('x',1e6),'\\0',string.rep('y',3e7))",
  "pcall(string.gsub,string.rep('x',1e6),'x',string.rep('y',3e7)..'%0')",
  "pcall(string.gsub,string.rep('x',1e6),'x',{x=string.rep('y',3e7)})",
  "local t,p={},string.rep('y',3e7) for i=1,1e5 do t[i]=p end pcall(table.concat,t)",
  "local a,b=string.rep('x',1e8),string.rep('x',1e8) while a==b do end",
  "local a,b=string.rep('x',1e8)..'a',string.rep('x',1e8)..'b' while a<b do end",
  "local s=(' '):rep(1e8) while true do tonumber(s) end",
  "local s=('1'):rep(1e8) while true do tonumber(s) end",
  "local s=('1'):rep(1e7) while true do tonumber(s,36) end",
  "local s=('1'):rep(1e8) while true do redis.sha1hex(s) end",
  'local t={} for i=1,1e7 do t[i]=i end while true do table.maxn(t) end',
  "local s=('i4'):rep(2.5e7) while true do struct.size(s) end",
  "local s=('i4'):rep(2.5e7) while true do redis.call('strlen',s) end",
  "local s=('i4'):rep(2.5e7) while true do redis.call('echo',s) end",
  "local t={} for i=1,10 do t[('k'):rep(3e7)..i]=i end while true do for k in next,t do t[k..'']=1 end end",
  "local a=('x'):rep(1e6) local t={} for i=1,200 do t[a..i]=i end while true do t[a..1]=1 end",
  "return ('a'):rep(1e6):find('['..('b'):rep(5e6)..']')",
  "return struct.unpack(('b'):rep(3e7),('x'):rep(3e7))",
  "return #cjson.decode('['..('1,'):rep(1.5e8)..'1]')",
  'local t={} for i=1,22 do t={t,t} end return #cjson.encode(t)',
  'local t={1} for i=1,8 do t={t,t,t,t,t,t,t,t} end return #cmsgpack.pack(t)',
  "return #('A\\255'):rep(5e6):lower()",
  "local p=('x'):rep(1e5) local t={} for i=1,4000 do t[i]=p..(i*7919%4001) end table.sort(t)",
  "return #string.format(('%%'):rep(5e6))",
  'local t={} for i=1,2e7 do t[i]=1 end for i=1,2e7-1 do t[i]=nil end while true do next(t) end',
  "local t={} for i=1,1000 do t['k'..i]=i end local function f() return table.maxn(t) end while true do f() end",
  "local s=('x'):rep(65000) local function f() return redis.sha1hex(s) end while true do f() end",
  "local s,p=('['):rep(6e4),'['..('a?'):rep(50)..']' local function f() return s:match(p) end while true do f() end",
  "local s=('['):rep(3e7) while true do pcall(function() return -s end) end",
  "local b=('0'):rep(13000) while true do local x=7000+b end",
  "local b=('1'):rep(1300) while true do local x=-b end",
  "local s=(' '):rep(1e8) while true do pcall(function() return -s end) end",
  "local s=('1'):rep(3e7)..'x' while true do pcall(function() for i=s,1 do end end) end",
  "return type(loadstring(string.rep('f() ',5e6)))",
  "local s=('x'):rep(1e8) local t={} for i=1,60 do t[i]=s end return t",
  'local t={1} for i=1,20 do t={t,t,t,t,t,t,t,t} end return t',
  'local t={1} for i=1,7 do t={t,t,t,t,t,t,t,t} end return t',
  'local t={} t[1]=t t[2]=t return t',
  "local s=('x'):rep(3e7) return #s:rep(16)",
  "local s=('x'):rep(2e8) return #cmsgpack.pack(s)",
  "local s=('x'):rep(3e7) return #cmsgpack.pack(s,s,s,s,s,s,s)",
  "error(('x'):rep(3e7))",
  "return {err=('x\\n'):rep(2e7)}",
  "return {ok=('x\\n'):rep(2e7)}",
  "return {big_number=('x\\n'):rep(2e7)}",
  "local s=('\\1'):rep(1e8) redis.log(3,s,s)",
  "while true do redis.log(3,'x') end",
  "return #string.format('%q',('\\n'):rep(1e8))",
  "local s=('x'):rep(1e8) while true do s:find(s) end",
  "local n=('0'):rep(1e8)..'1' while true do redis.log(n,'x') end",
  "local n=('0'):rep(1e8)..'3' while true do redis.setresp(n) end",
  "local n=('0'):rep(1e8)..'3' while true do redis.set_repl(n) end",
  "local n=('0'):rep(1e8)..'3' return (('a'):rep(9):gsub('a','b',n))",
  "return {struct.unpack('sc0',('0'):rep(1e8)..'1\\0abc')}",
  "local n=('0'):rep(70000)..'7' local m={} for i=1,7000 do m[i]=n end return #struct.pack(('i4'):rep(7000),unpack(m))",
  "local n=('0'):rep(70000)..'7' local m={} for i=1,7000 do m[i]=n end return math.max(unpack(m))",
  "return cjson.decode(('1'):rep(1e8))",
  "return cjson.decode('0x'..('1'):rep(1e8))",
  "return type(loadstring('x=1',('x'):rep(1e8)))",
  "local t={} for i=1,1e6 do t['k'..i]=i end return type(next(t))",
  "local t={} for i=1,1e6 do t['k'..i]=i end t.k1=nil t.l=1 local n=0 for k in pairs(t) do n=n+1 end return n",
  "local t={} for i=1,2^20 do t['k'..i]=i end t.k1=nil t.l=1 t.m=1 return #cjson.encode(t)",
  "local p=('x'):rep(3000) local t={} for i=1,6e4 do t[p..i]=i end return type(next(t))",
  'local t={} for i=1e6,1,-1 do t[i]=i end return #t',
  'local t={} for i=1,8e6 do t[i]=1 end return t',
  'local t={} for i=1,4e6 do t[i]=1 end for i=1,4e6 do if i%3>0 then t[i]=nil end end t.x=1 return type(next(t))',
  "return {ok=('\\n'):rep(1e8)}",
  "return {err=('\\n'):rep(1e8)}",
  "error(('x\\n'):rep(5e7))",
  "error({err=('x\\n'):rep(5e7)})",
  "redis.setresp(3) for i=1,60 do local m={} for k=1,7000 do m[k]=i*7000+k end redis.call('sadd','s',unpack(m)) end return type(redis.call('smembers','s'))",
];

export interface Costs {
  readonly scripts: number;
  /** What was wrong, and the script. */
  readonly failures: readonly string[];
  /** The longest gap of all, ms, and the most memory, MiB. */
  readonly gap: number;
  readonly peak: number;
  /** How many were killed, and how many ended by themselves. */
  readonly killed: number;
  readonly ended: number;
}

/** What is wrong with a run; null where nothing is. */
function judged({ answer, dead, gap, peak }: Watched): string | null {
  if (dead) return 'the server is dead';
  if (answer === null) return 'it goes on after SCRIPT KILL';
  if (answer.includes('internal error')) return answer;
  if (gap > GAP) return `a gap of ${gap} ms`;
  return peak > PEAK ? `${Math.round(peak / MIB)} MiB resident` : null;
}

/** Runs scripts one after the other; what fails is tried twice more, on servers of their own. */
async function tried(scripts: Iterable<string>): Promise<Costs> {
  let server = await startCinnabar(...BUSY);
  const failures: string[] = [];
  const total = { scripts: 0, gap: 0, peak: 0, killed: 0, ended: 0 };
  for (const script of scripts) {
    let run: Watched = await watch(server, script, PATIENCE);
    let fault = judged(run);
    for (let again = 0; fault !== null && again < 2; again++) {
      server = await anew(server);
      run = await watch(server, script, PATIENCE);
      fault = judged(run);
    }
    total.scripts++;
    total.gap = Math.max(total.gap, run.gap);
    total.peak = Math.max(total.peak, Math.round(run.peak / MIB));
    if (run.killed) total.killed++;
    else total.ended++;
    if (fault === null) continue;
    failures.push(`${fault}: ${script.replace(HELPERS, '')}`);
    server = await anew(server);
  }
  await server.stop();
  return { ...total, failures };
}

async function anew(server: ServerProcess): Promise<ServerProcess> {
  await server.stop();
  return await startCinnabar(...BUSY);
}

/** Scripts from a seed, the first `from` of which are left out. */
export async function costlyScripts(count: number, seed: number, from = 0): Promise<Costs> {
  const scripts = function* (): Iterable<string> {
    for (let i = from; i < from + count; i++) yield new Costly(seed * 1_000_003 + i).script();
  };
  return await tried(scripts());
}

/** The scripts that once did harm. */
export async function namedCosts(): Promise<Costs> {
  return await tried(NAMED);
}
