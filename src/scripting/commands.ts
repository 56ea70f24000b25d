/** EVAL and its kin, and SCRIPT. */
import { parseInteger } from '../base/numbers.ts';
import { isWord, LONGEST_TEXT, type Slice } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { flagBits } from '../engine/derive.ts';
import type { Engine } from '../engine/engine.ts';
import { GATE_MONITORED } from '../engine/gates.ts';
import { bytes, key, many, numkeys, oneOf, optional, token } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import { Debugger } from './debugger.ts';
import { commandFlags } from './flags.ts';
import { scriptsOf } from './owners.ts';

const RUN: readonly CommandFlag[] = ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'];
const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
const NO_COPY = 'ERR Debugging on a copy of the server is not supported: use SCRIPT DEBUG SYNC';
const SHA_LENGTH = 40;

/** What the commands that run scripts and functions have in common. */
export function runner(
  declared: Pick<Command, 'name' | 'since' | 'summary' | 'complexity'> & {
    readonly callee: string;
    readonly readOnly: boolean;
    /** The flags that the script named by the first argument declares. */
    readonly flagsOf: (engine: Engine, callee: Slice) => number;
    readonly run: (c: Call) => void;
  },
): Command {
  const { name, since, summary, complexity, callee, readOnly, flagsOf } = declared;
  const access = readOnly ? 'RO ACCESS' : 'RW ACCESS UPDATE';
  const flags: readonly CommandFlag[] = [...RUN, readOnly ? 'readonly' : 'may_replicate'];
  const bits = flagBits(flags);
  return command({
    name,
    group: 'scripting',
    since,
    complexity,
    summary,
    flags,
    args: [bytes(callee), numkeys(), optional(many(key('key', access))), optional(many(bytes('arg')))],
    keySpecs: [
      {
        access,
        begin: { type: 'index', index: 2 },
        find: { type: 'keynum', keyNumIndex: 0, firstKey: 1, step: 1 },
      },
    ],
    flagsWith: (engine, args) => commandFlags(bits, flagsOf(engine, args[1])),
    run(c) {
      const { runner: scripts } = scriptsOf(c.engine);
      if (c.resuming && scripts.running?.session === c.session) {
        scripts.goOn(c);
        return;
      }
      // Before what it runs: the commands of scripts are shown as they run.
      if (!c.resuming && c.engine.gates.any(GATE_MONITORED))
        c.engine.monitors.show(c.session, c.registered, c.args, c.argc);
      declared.run(c);
    },
  });
}

function evaluates(name: string, since: string, bySha: boolean, readOnly: boolean): Command {
  return runner({
    name,
    since,
    summary: `Runs a script${bySha ? ' of the cache' : ''}${readOnly ? ' that only reads' : ''}.`,
    complexity: 'That of the script.',
    callee: bySha ? 'sha1' : 'script',
    readOnly,
    flagsOf: (engine, callee) =>
      scriptsOf(engine).flagsOf(bySha ? callee.keyword() : callee.beginning(LONGEST_TEXT), bySha),
    run: (c) => evaluate(c, bySha, readOnly),
  });
}

function evaluate(c: Call, bySha: boolean, readOnly: boolean): void {
  const scripts = scriptsOf(c.engine);
  if (bySha && c.arg(1).length !== SHA_LENGTH) {
    c.reply.error(NO_SCRIPT);
    return;
  }
  if (scripts.takeRefusal(c.session)) {
    c.reply.error(NO_COPY);
    return;
  }
  const debugged = !c.denyBlocking && scripts.debugs(c.session);
  if (debugged && bySha) {
    c.reply.error('ERR Please use EVAL instead of EVALSHA for debugging');
    return;
  }
  const text = bySha ? '' : c.arg(1).latin1();
  const watcher = debugged ? new Debugger(c.engine, c.session, text) : null;
  const keys = parseInteger(c.arg(2));
  const given = keys >= 0 && keys <= c.argc - 3;
  const script = !given ? undefined : bySha ? scripts.named(c.arg(1)) : scripts.load(c, text);
  if (script === null) return;
  if (typeof script !== 'object') {
    watcher?.end(c);
    if (!given) scripts.runner.refuseKeys(c, keys);
    else c.reply.error(script ?? NO_SCRIPT);
    return;
  }
  const args = scripts.runner.keysAndArgs(c, keys);
  if (watcher === null) scripts.run(c, script, args, readOnly);
  else scripts.debug(c, script, text, args, watcher, readOnly);
}

function debug(c: Call): void {
  if (c.reply.unsent > 0) c.reply.error('ERR SCRIPT DEBUG must be called outside a pipeline');
  else if (isWord(c.arg(2), 'YES')) {
    scriptsOf(c.engine).refuseNext(c.session);
    c.reply.error(NO_COPY);
  } else if (isWord(c.arg(2), 'SYNC') && c.session.port.fd < 0) c.reply.error('ERR Debugging needs a connection');
  else if (isWord(c.arg(2), 'NO') || isWord(c.arg(2), 'SYNC')) {
    scriptsOf(c.engine).setDebugged(c.session, isWord(c.arg(2), 'SYNC'));
    c.reply.ok();
  } else c.reply.error('ERR Use SCRIPT DEBUG YES/SYNC/NO');
}

const HELP = [
  'DEBUG (YES|SYNC|NO)',
  '    Set the debug mode for subsequent scripts executed.',
  'EXISTS <sha1> [<sha1> ...]',
  '    Return information about the existence of the scripts in the script cache.',
  'FLUSH [ASYNC|SYNC]',
  '    Flush the Lua scripts cache. Very dangerous on replicas.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the scripts cache.',
  '    * SYNC: Synchronously flush the scripts cache.',
  'KILL',
  '    Kill the currently executing Lua script.',
  'LOAD <script>',
  '    Load a script into the scripts cache without executing it.',
];

const SUBCOMMANDS: readonly Command[] = [
  command({
    name: 'LOAD',
    group: 'scripting',
    since: '2.6.0',
    complexity: 'O(N) in the length of the script.',
    summary: 'Puts a script into the cache.',
    flags: ['noscript', 'stale'],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    args: [bytes('script')],
    run(c) {
      const script = scriptsOf(c.engine).load(c, c.arg(2).latin1());
      if (typeof script === 'string') c.reply.error(script);
      else if (script !== null) c.reply.bulkText(script.sha);
    },
  }),
  command({
    name: 'EXISTS',
    group: 'scripting',
    since: '2.6.0',
    complexity: 'O(N) in the hashes given.',
    summary: 'Tells which scripts are in the cache.',
    flags: ['noscript'],
    tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
    args: [many(bytes('sha1'))],
    run(c) {
      const scripts = scriptsOf(c.engine);
      c.reply.array(c.argc - 2);
      for (let i = 2; i < c.argc; i++) c.reply.int(scripts.find(c.arg(i).keyword()) === undefined ? 0 : 1);
    },
  }),
  command({
    name: 'FLUSH',
    group: 'scripting',
    since: '2.6.0',
    complexity: 'O(N) in the scripts of the cache.',
    summary: 'Empties the cache of scripts.',
    flags: ['noscript'],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    history: [['6.2.0', 'Takes ASYNC and SYNC.']],
    args: [optional(oneOf('async', token('async', 'ASYNC'), token('sync', 'SYNC')), { since: '6.2.0' })],
    run(c) {
      if (c.argc > 3 || (c.argc === 3 && !isWord(c.arg(2), 'ASYNC') && !isWord(c.arg(2), 'SYNC'))) {
        c.reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
        return;
      }
      scriptsOf(c.engine).flush();
      c.reply.ok();
    },
  }),
  command({
    name: 'KILL',
    group: 'scripting',
    since: '2.6.0',
    complexity: 'O(1)',
    summary: 'Ends the script that runs, if it has written nothing.',
    flags: ['noscript', 'allow_busy'],
    tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
    args: [],
    run(c) {
      const refusal = scriptsOf(c.engine).runner.kill('SCRIPT');
      if (refusal === null) c.reply.ok();
      else c.reply.error(refusal);
    },
  }),
  command({
    name: 'DEBUG',
    group: 'scripting',
    since: '3.2.0',
    complexity: 'O(1)',
    summary: "Lets the debugger stop this client's next script.",
    flags: ['noscript'],
    args: [oneOf('mode', token('yes', 'YES'), token('sync', 'SYNC'), token('no', 'NO'))],
    run: debug,
  }),
  help('SCRIPT', HELP, { since: '5.0.0', group: 'scripting' }),
];

export const evalCommands: readonly Command[] = [
  evaluates('EVAL', '2.6.0', false, false),
  evaluates('EVALSHA', '2.6.0', true, false),
  evaluates('EVAL_RO', '7.0.0', false, true),
  evaluates('EVALSHA_RO', '7.0.0', true, true),
  command({
    name: 'SCRIPT',
    group: 'scripting',
    since: '2.6.0',
    complexity: 'Depends on the subcommand.',
    summary: 'Commands about the cache of scripts.',
    flags: [],
    subcommands: SUBCOMMANDS,
  }),
];
