/** FUNCTION and FCALL. */
import { globMatch } from '../base/glob.ts';
import { parseInteger } from '../base/numbers.ts';
import { isWord, LONGEST_TEXT, Slice, sliceOf } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import { type Command, type CommandFlag, command } from '../engine/command.ts';
import { after, bytes, oneOf, optional, token } from '../engine/grammar.ts';
import { help } from '../engine/help.ts';
import { runner } from './commands.ts';
import { scriptFlagNames, UNDECLARED } from './flags.ts';
import type { Library, RestorePolicy } from './libraries.ts';
import { librariesOf, scriptsOf } from './owners.ts';
import { busyError } from './runner.ts';

const ALL_SHARDS = ['request_policy:all_shards', 'response_policy:all_succeeded'];

function calls(name: string, readOnly: boolean): Command {
  return runner({
    name,
    since: '7.0.0',
    complexity: 'That of the function.',
    summary: `Calls a function${readOnly ? ' that only reads' : ''}.`,
    callee: 'function',
    readOnly,
    flagsOf: (engine, callee) => librariesOf(engine).find(callee.beginning(LONGEST_TEXT))?.flags ?? UNDECLARED,
    run: (c) => callFunction(c, readOnly),
  });
}

function callFunction(c: Call, readOnly: boolean): void {
  const libraries = librariesOf(c.engine);
  const { runner: scripts } = scriptsOf(c.engine);
  const found = libraries.find(c.arg(1).beginning(LONGEST_TEXT));
  if (found === undefined) {
    c.reply.error('ERR Function not found');
    return;
  }
  const keys = parseInteger(c.arg(2));
  if (!(keys >= 0 && keys <= c.argc - 3)) {
    scripts.refuseKeys(c, keys, 'ERR Bad number of keys provided');
    return;
  }
  const args = scripts.keysAndArgs(c, keys);
  const { name, callee, flags } = found;
  scripts.start(c, { name, kind: 'FUNCTION', lua: libraries.lua, flags, readOnly, callee, args });
}

// What changes libraries.

/** The libraries are data: a change of theirs counts, is saved and propagated. */
function changed(c: Call): void {
  c.dirty++;
}

function load(c: Call): void {
  const last = c.argc - 1;
  let replace = false;
  for (let i = 2; i < last; i++) {
    if (!isWord(c.arg(i), 'REPLACE')) {
      c.reply.error(`ERR Unknown option given: ${c.arg(i).shown()}`);
      return;
    }
    replace = true;
  }
  const outcome = librariesOf(c.engine).create(c, c.arg(last).latin1(), replace);
  if (outcome === null) return;
  if (typeof outcome === 'string') {
    c.reply.error(outcome);
    return;
  }
  changed(c);
  c.reply.bulkText(outcome.name);
}

function remove(c: Call): void {
  if (!librariesOf(c.engine).remove(c.arg(2).beginning(LONGEST_TEXT))) {
    c.reply.error('ERR Library not found');
    return;
  }
  changed(c);
  c.reply.ok();
}

function flush(c: Call): void {
  if (c.argc > 3) {
    c.unknownSubcommand(1);
    return;
  }
  if (c.argc === 3 && !isWord(c.arg(2), 'ASYNC') && !isWord(c.arg(2), 'SYNC')) {
    c.reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
    return;
  }
  librariesOf(c.engine).clear();
  changed(c);
  c.reply.ok();
}

function restorePolicy(word: Slice): RestorePolicy | undefined {
  return (['FLUSH', 'APPEND', 'REPLACE'] as const).find((policy) => isWord(word, policy));
}

function restore(c: Call): void {
  if (c.argc > 4) {
    c.unknownSubcommand(1);
    return;
  }
  const policy = c.argc === 4 ? restorePolicy(c.arg(3)) : 'APPEND';
  if (policy === undefined) {
    c.reply.error('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.');
    return;
  }
  const { persistence } = c.engine.server;
  if (!persistence.verify(c.arg(2))) {
    c.reply.error('ERR DUMP payload version or checksum are wrong');
    return;
  }
  if (!librariesOf(c.engine).restore(c, c.arg(2), policy)) return;
  changed(c);
  c.reply.ok();
}

function dump(c: Call): void {
  c.reply.bulk(new Slice(c.engine.server.persistence.dumpLibraries()));
}

// What tells of them.

interface ListOptions {
  readonly withCode: boolean;
  readonly pattern: Slice | null;
}

/** Undefined when an error has been replied. */
function listOptions(c: Call): ListOptions | undefined {
  let withCode = false;
  let pattern: Slice | null = null;
  for (let i = 2; i < c.argc; i++) {
    if (!withCode && isWord(c.arg(i), 'WITHCODE')) withCode = true;
    else if (pattern === null && isWord(c.arg(i), 'LIBRARYNAME')) {
      if (i + 1 >= c.argc) {
        c.reply.error('ERR library name argument was not given');
        return undefined;
      }
      pattern = c.arg(++i);
    } else {
      c.reply.error(`ERR Unknown argument ${c.arg(i).shown()}`);
      return undefined;
    }
  }
  return { withCode, pattern };
}

function list(c: Call): void {
  const options = listOptions(c);
  if (options === undefined) return;
  const { withCode, pattern } = options;
  const found = librariesOf(c.engine).all.filter(
    ({ name }) => pattern === null || globMatch(pattern, sliceOf(name), true),
  );
  c.reply.array(found.length);
  for (const library of found) replyLibrary(c, library, withCode);
}

function replyLibrary({ reply }: Call, { name, source, functions }: Library, withCode: boolean): void {
  reply.map(withCode ? 4 : 3);
  reply.bulkText('library_name');
  reply.bulkText(name);
  reply.bulkText('engine');
  reply.bulkText('LUA');
  reply.bulkText('functions');
  reply.array(functions.length);
  for (const { name: called, description, flags } of functions) {
    reply.map(3);
    reply.bulkText('name');
    reply.bulkText(called);
    reply.bulkText('description');
    if (description === null) reply.null();
    else reply.bulkText(description);
    reply.bulkText('flags');
    const names = scriptFlagNames(flags);
    reply.set(names.length);
    for (const flag of names) reply.status(flag);
  }
  if (!withCode) return;
  reply.bulkText('library_code');
  reply.bulkText(source);
}

function stats(c: Call): void {
  const { reply, engine } = c;
  const { runner: scripts } = scriptsOf(engine);
  const { running } = scripts;
  if (running?.kind === 'SCRIPT') {
    reply.error(busyError('SCRIPT'));
    return;
  }
  reply.map(2);
  reply.bulkText('running_script');
  if (running === null) reply.null();
  else {
    reply.map(3);
    reply.bulkText('name');
    reply.bulkText(running.name);
    reply.bulkText('command');
    reply.array(running.command.length);
    for (const word of running.command) reply.bulk(word);
    reply.bulkText('duration_ms');
    reply.int(scripts.elapsed(running));
  }
  const libraries = librariesOf(engine);
  reply.bulkText('engines');
  reply.map(1);
  reply.bulkText('LUA');
  reply.map(2);
  reply.bulkText('libraries_count');
  reply.int(libraries.libraryCount);
  reply.bulkText('functions_count');
  reply.int(libraries.functionCount);
}

const HELP = [
  'LOAD [REPLACE] <FUNCTION CODE>',
  '    Create a new library with the given library name and code.',
  'DELETE <LIBRARY NAME>',
  '    Delete the given library.',
  'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
  '    Return general information on all the libraries:',
  '    * Library name',
  '    * The engine used to run the Library',
  '    * Library description',
  '    * Functions list',
  '    * Library code (if WITHCODE is given)',
  '    It also possible to get only function that matches a pattern using LIBRARYNAME argument.',
  'STATS',
  '    Return information about the current function running:',
  '    * Function name',
  '    * Command used to run the function',
  '    * Duration in MS that the function is running',
  '    If no function is running, return nil',
  '    In addition, returns a list of available engines.',
  'KILL',
  '    Kill the current running function.',
  'FLUSH [ASYNC|SYNC]',
  '    Delete all the libraries.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the libraries.',
  '    * SYNC: Synchronously flush the libraries.',
  'DUMP',
  '    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command',
  'RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]',
  '    Restore the libraries represented by the given payload, it is possible to give a restore policy to',
  '    control how to handle existing libraries (default APPEND):',
  '    * FLUSH: delete all existing libraries.',
  '    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.',
  '    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old',
  '      libraries with the new libraries (notice that even on this option there is a chance of failure',
  '      in case of functions name collision with another library).',
];

function sub(
  name: string,
  flags: readonly CommandFlag[],
  more: Pick<Command, 'args' | 'tips' | 'summary' | 'complexity'>,
  run: (c: Call) => void,
): Command {
  return command({ name, group: 'scripting', since: '7.0.0', flags: ['noscript', ...flags], ...more, run });
}

const SUBCOMMANDS: readonly Command[] = [
  sub(
    'LOAD',
    ['write', 'denyoom'],
    {
      args: [optional(token('replace', 'REPLACE')), bytes('function-code')],
      tips: ALL_SHARDS,
      summary: 'Loads a library of functions.',
      complexity: 'O(1), beside compiling the code',
    },
    load,
  ),
  sub(
    'DELETE',
    ['write'],
    { args: [bytes('library-name')], tips: ALL_SHARDS, summary: 'Removes a library.', complexity: 'O(N) in functions' },
    remove,
  ),
  sub(
    'FLUSH',
    ['write'],
    {
      args: [optional(oneOf('async', token('async', 'ASYNC'), token('sync', 'SYNC')))],
      tips: ALL_SHARDS,
      summary: 'Removes all libraries.',
      complexity: 'O(N) in functions',
    },
    flush,
  ),
  sub(
    'RESTORE',
    ['write', 'denyoom'],
    {
      args: [
        bytes('serialized-value'),
        optional(oneOf('policy', token('flush', 'FLUSH'), token('append', 'APPEND'), token('replace', 'REPLACE'))),
      ],
      tips: ALL_SHARDS,
      summary: 'Takes libraries back in from a payload of FUNCTION DUMP.',
      complexity: 'O(N) in functions of the payload',
    },
    restore,
  ),
  sub('DUMP', [], { args: [], summary: 'Tells all libraries in one payload.', complexity: 'O(N) in functions' }, dump),
  sub(
    'LIST',
    [],
    {
      args: [optional(after('LIBRARYNAME', bytes('library-name-pattern'))), optional(token('withcode', 'WITHCODE'))],
      tips: ['nondeterministic_output_order'],
      summary: 'Lists libraries and their functions.',
      complexity: 'O(N) in functions',
    },
    list,
  ),
  sub(
    'STATS',
    ['allow_busy'],
    {
      args: [],
      tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      summary: 'Tells what function runs, and how many there are.',
      complexity: 'O(1)',
    },
    stats,
  ),
  sub(
    'KILL',
    ['allow_busy'],
    {
      args: [],
      tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
      summary: 'Ends the function that runs, if it has written nothing.',
      complexity: 'O(1)',
    },
    (c) => {
      const refusal = scriptsOf(c.engine).runner.kill('FUNCTION');
      if (refusal === null) c.reply.ok();
      else c.reply.error(refusal);
    },
  ),
  help('FUNCTION', HELP, { since: '7.0.0', group: 'scripting' }),
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
