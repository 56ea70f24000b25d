/**
 * FUNCTION and FCALL.
 *
 * The server does not list these commands yet: a library that was acknowledged must survive a restart, so the RDB file has
 * to carry it first (`libraries` of engine/persistence-port.ts is its hook).
 */
import { isWord } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { bytes, key, many, numkeys, optional } from '../engine/grammar.ts';
import { librariesOf, scriptsOf } from './owners.ts';

function calls(name: string, readOnly: boolean): Command {
  const flags: readonly CommandFlag[] = ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'];
  return command({
    name,
    group: 'scripting',
    since: '7.0.0',
    complexity: 'That of the function.',
    summary: `Calls a function${readOnly ? ' that only reads' : ''}.`,
    flags: readOnly ? [...flags, 'readonly'] : [...flags, 'may_replicate'],
    args: [
      bytes('function'),
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
    run: (c) => callFunction(c, readOnly),
  });
}

function callFunction(c: Call, readOnly: boolean): void {
  const scripts = scriptsOf(c.engine);
  if (c.resuming) {
    scripts.goOn(c);
    return;
  }
  const { functions, lua } = librariesOf(c.engine);
  const found = functions.get(c.arg(1).latin1());
  if (found === undefined) {
    c.reply.error('ERR Function not found');
    return;
  }
  const given = scripts.keysAndArgs(c);
  if (given === null) return;
  const noWrites = found.flags.includes('no-writes');
  if (readOnly && !noWrites) {
    c.reply.error('ERR Can not execute a script with write flag using *_ro command.');
    return;
  }
  scripts.start(c, { name: found.name, kind: 'FUNCTION', lua, readOnly: noWrites, callee: found.callee, args: given });
}

function load(c: Call): void {
  const replace = c.argc === 4 && isWord(c.arg(2), 'REPLACE');
  if (c.argc > 4 || (c.argc === 4 && !replace)) {
    c.reply.error(`ERR Unknown option given: ${c.arg(2).latin1()}`);
    return;
  }
  const outcome = librariesOf(c.engine).load(c.arg(c.argc - 1).latin1(), replace);
  if (typeof outcome === 'string') c.reply.error(outcome);
  else c.reply.bulkText(outcome.name);
}

function list(c: Call): void {
  let withCode = false;
  let pattern: string | null = null;
  for (let i = 2; i < c.argc; i++) {
    if (isWord(c.arg(i), 'WITHCODE') && !withCode) withCode = true;
    else if (isWord(c.arg(i), 'LIBRARYNAME') && pattern === null) {
      if (i + 1 >= c.argc) {
        c.reply.error('ERR library name argument was not given');
        return;
      }
      pattern = c.arg(++i).latin1();
    } else {
      c.reply.error(`ERR Unknown argument ${c.arg(i).latin1()}`);
      return;
    }
  }
  const found = [...librariesOf(c.engine).all.values()].filter(({ name }) => pattern === null || name === pattern);
  c.reply.array(found.length);
  for (const { name, source, functions } of found) {
    c.reply.map(withCode ? 4 : 3);
    c.reply.bulkText('library_name');
    c.reply.bulkText(name);
    c.reply.bulkText('engine');
    c.reply.bulkText('LUA');
    c.reply.bulkText('functions');
    c.reply.array(functions.length);
    for (const f of functions) {
      c.reply.map(3);
      c.reply.bulkText('name');
      c.reply.bulkText(f.name);
      c.reply.bulkText('description');
      if (f.description === null) c.reply.null();
      else c.reply.bulkText(f.description);
      c.reply.bulkText('flags');
      c.reply.set(f.flags.length);
      for (const flag of f.flags) c.reply.status(flag);
    }
    if (!withCode) continue;
    c.reply.bulkText('library_code');
    c.reply.bulkText(source);
  }
}

function sub(name: string, flags: readonly CommandFlag[], args: Command['args'], run: (c: Call) => void): Command {
  return command({
    name,
    group: 'scripting',
    since: '7.0.0',
    complexity: 'O(N) in functions.',
    summary: `Libraries of functions: ${name.toLowerCase()}.`,
    flags: ['noscript', ...flags],
    args,
    run,
  });
}

const SUBCOMMANDS: readonly Command[] = [
  sub('LOAD', ['write', 'denyoom'], [optional(bytes('replace')), bytes('function-code')], load),
  sub('DELETE', ['write'], [bytes('library-name')], (c) => {
    if (librariesOf(c.engine).remove(c.arg(2).latin1())) c.reply.ok();
    else c.reply.error('ERR Library not found');
  }),
  sub('FLUSH', ['write'], [optional(bytes('flush-type'))], (c) => {
    if (c.argc > 3 || (c.argc === 3 && !isWord(c.arg(2), 'ASYNC') && !isWord(c.arg(2), 'SYNC'))) {
      c.reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
      return;
    }
    librariesOf(c.engine).clear();
    c.reply.ok();
  }),
  sub('KILL', ['allow_busy'], [], (c) => {
    const refusal = scriptsOf(c.engine).kill('FUNCTION');
    if (refusal === null) c.reply.ok();
    else c.reply.error(refusal);
  }),
  sub('LIST', [], [optional(bytes('library-name-pattern')), optional(bytes('withcode'))], list),
];

export const functionCommands: readonly Command[] = [
  calls('FCALL', false),
  calls('FCALL_RO', true),
  command({
    name: 'FUNCTION',
    group: 'scripting',
    since: '7.0.0',
    complexity: 'Depends on the subcommand.',
    summary: 'Commands about libraries of functions.',
    flags: [],
    subcommands: SUBCOMMANDS,
  }),
];
