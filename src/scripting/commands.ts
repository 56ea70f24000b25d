/** EVAL and its kin, and SCRIPT. */
import { isWord } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { bytes, key, many, numkeys, optional } from '../engine/grammar.ts';
import { scriptsOf } from './owners.ts';

const RUN: readonly CommandFlag[] = ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'];
const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';

function runs(name: string, since: string, bySha: boolean, readOnly: boolean): Command {
  return command({
    name,
    group: 'scripting',
    since,
    complexity: 'That of the script.',
    summary: `Runs a script${bySha ? ' of the cache' : ''}${readOnly ? ' that only reads' : ''}.`,
    flags: readOnly ? [...RUN, 'readonly'] : [...RUN, 'may_replicate'],
    args: [
      bytes(bySha ? 'sha1' : 'script'),
      numkeys(),
      optional(many(key('key', readOnly ? 'RO ACCESS' : 'RW ACCESS UPDATE'))),
      optional(many(bytes('arg'))),
    ],
    keySpecs: [
      {
        access: readOnly ? 'RO ACCESS' : 'RW ACCESS UPDATE',
        begin: { type: 'index', index: 2 },
        find: { type: 'keynum', keyNumIndex: 0, firstKey: 1, step: 1 },
      },
    ],
    run: (c) => evaluate(c, bySha, readOnly),
  });
}

function evaluate(c: Call, bySha: boolean, readOnly: boolean): void {
  const scripts = scriptsOf(c.engine);
  if (c.resuming) {
    scripts.goOn(c);
    return;
  }
  const text = c.arg(1).latin1();
  const script = bySha ? scripts.find(text) : scripts.load(text);
  if (script === undefined) c.reply.error(NO_SCRIPT);
  else if (typeof script === 'string') c.reply.error(script);
  else scripts.run(c, script, readOnly);
}

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
      const script = scriptsOf(c.engine).load(c.arg(2).latin1());
      if (typeof script === 'string') c.reply.error(script);
      else c.reply.bulkText(script.sha);
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
      for (let i = 2; i < c.argc; i++) c.reply.int(scripts.find(c.arg(i).latin1()) === undefined ? 0 : 1);
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
    args: [optional(bytes('async'))],
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
      const refusal = scriptsOf(c.engine).kill('SCRIPT');
      if (refusal === null) c.reply.ok();
      else c.reply.error(refusal);
    },
  }),
  command({
    name: 'DEBUG',
    group: 'scripting',
    since: '3.2.0',
    complexity: 'O(1)',
    summary: 'Would set the mode of the debugger.',
    flags: ['noscript'],
    args: [bytes('mode')],
    run(c) {
      c.reply.error('ERR the Lua debugger is not supported');
    },
  }),
];

export const scriptingCommands: readonly Command[] = [
  runs('EVAL', '2.6.0', false, false),
  runs('EVALSHA', '2.6.0', true, false),
  runs('EVAL_RO', '7.0.0', false, true),
  runs('EVALSHA_RO', '7.0.0', true, true),
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
