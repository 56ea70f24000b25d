/** Runs snippets of Lua here and in redis-server, and gives for each one line that tells all: values, or the error. */

import type { Activity } from '../../../../src/scripting/lua/lua.ts';
import { Lua } from '../../../../src/scripting/lua/lua.ts';
import { fail, LuaError, LuaTable, type Value } from '../../../../src/scripting/lua/value.ts';
import { Pipeline } from '../../../support/pipeline.ts';
import { type ServerProcess, startRedis } from '../../../support/server-process.ts';

/** What every harness ends with: runs the program of ARGV[1] and gives one line of what `show(value, depth)` makes of its results. */
export const RUN_AND_TELL = `local function all(...)
  local out = {}
  for i = 1, select('#', ...) do out[i] = show((select(i, ...)), 0) end
  return table.concat(out, ' ')
end
math.randomseed(0)
local chunk, message = loadstring(ARGV[1], '@user_script')
if not chunk then return 'syntax ' .. message end
return all(pcall(chunk))
`;

/** Runs the snippet in ARGV[1] protected, and writes its results as text; the same in both. */
export const HARNESS = `
local function show(v, depth)
  local kind = type(v)
  if kind == 'string' then return string.format('%q', v) end
  if kind == 'number' then return string.format('%.14g', v) end
  if kind == 'table' then
    if depth > 4 then return '{...}' end
    local keys, out = {}, {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b)
      if type(a) ~= type(b) then return type(a) < type(b) end
      if type(a) == 'number' or type(a) == 'string' then return a < b end
      return tostring(a) < tostring(b)
    end)
    for _, k in ipairs(keys) do
      local name = (type(k) == 'number' or type(k) == 'string') and show(k, depth) or type(k)
      out[#out + 1] = name .. '=' .. show(v[k], depth + 1)
    end
    return '{' .. table.concat(out, ',') .. '}'
  end
  if kind == 'nil' or kind == 'boolean' then return tostring(v) end
  return kind
end
${RUN_AND_TELL}`;

/** A Lua of ours with the globals guarded as Redis guards them; `hot` as in its runtime. */
export function guarded(hot?: number): Lua {
  const lua = new Lua();
  if (hot !== undefined) lua.runtime.hot = hot;
  const { globals } = lua;
  globals.set('KEYS', new LuaTable());
  globals.set('ARGV', new LuaTable());
  globals.meta = new LuaTable();
  const missing = lua.host('__index', (args) => {
    throw fail(`Script attempted to access nonexistent global variable '${args[1]}'`);
  });
  globals.meta.set('__index', missing);
  lua.seal();
  return lua;
}

/** With `round`, the script is suspended after that many steps, over and over. */
export function runHere(lua: Lua, snippet: string, round = 0): string {
  const { runtime, globals } = lua;
  globals.set('ARGV', LuaTable.of([snippet]));
  const started = performance.now();
  const slow = (): boolean => performance.now() - started > 2000;
  runtime.goOn = () => round === 0 && !slow();
  runtime.budget = round === 0 ? 20_000 : round;
  try {
    let outcome = lua.run(lua.compile(HARNESS, '@user_script'));
    while (outcome.kind === 'suspended') {
      if (slow()) return 'error slow';
      const activity: Activity = outcome.activity;
      runtime.budget = round;
      outcome = activity.run();
    }
    if (outcome.kind === 'done') return String(outcome.values[0]);
    return outcome.kind === 'error' ? `error ${shown(outcome.error.value)}` : outcome.kind;
  } catch (error) {
    if (error instanceof LuaError) return `harness ${shown(error.value)}`;
    throw error;
  }
}

function shown(value: Value): string {
  return typeof value === 'string' ? value : typeof value;
}

export class Oracle {
  private readonly redis: ServerProcess;
  private readonly pipeline: Pipeline;
  private readonly killer: Pipeline;

  private constructor(redis: ServerProcess) {
    this.redis = redis;
    this.pipeline = new Pipeline(redis.port);
    this.killer = new Pipeline(redis.port);
  }

  static async start(): Promise<Oracle> {
    return new Oracle(await startRedis('--save', '', '--busy-reply-threshold', '500'));
  }

  /** Snippets that take over a second are killed: their line begins with "error". */
  async run(snippets: readonly string[]): Promise<string[]> {
    const kill = setInterval(() => this.killer.post(['SCRIPT', 'KILL']), 1000);
    const answers = await this.pipeline.send(snippets.map((snippet) => ['EVAL', HARNESS, '0', snippet]));
    clearInterval(kill);
    return answers.map((answer) => (answer instanceof Error ? `error ${answer.message}` : String(answer)));
  }

  async stop(): Promise<void> {
    this.pipeline.close();
    this.killer.close();
    await this.redis.stop();
  }
}
