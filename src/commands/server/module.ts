/** MODULE: what modules are loaded; they are files of JavaScript (server/modules/). */
import type { Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, type CommandFlag, command } from '../../engine/command.ts';
import { type Argument, after, block, bytes, many, optional, repeated } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { isLocal } from './local.ts';

const NOT_ALLOWED =
  'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
const NOT_LOADED = 'ERR Error loading the extension. Please check the server logs.';

const FLAGS: readonly CommandFlag[] = ['admin', 'noscript', 'no_async_loading'];
/** A longer path, name or argument is none. */
const LONGEST = 64 * 1024;

function allowed(c: Call): boolean {
  const { enableModuleCommand } = c.engine.server.settings;
  return enableModuleCommand === 'yes' || (enableModuleCommand === 'local' && isLocal(c.session));
}

/** A subcommand that is refused unless enable-module-command lets it run. */
function guarded(
  name: string,
  since: string,
  summary: string,
  args: readonly Argument[],
  run: (c: Call) => void,
): Command {
  return command({
    name,
    group: 'server',
    since,
    complexity: 'O(1)',
    summary,
    flags: FLAGS,
    args,
    run: (c) => (allowed(c) ? run(c) : c.reply.error(NOT_ALLOWED)),
  });
}

function load(c: Call, args: readonly Slice[]): void {
  const refused = c.engine.server.modules.load(
    c.arg(2).beginning(LONGEST),
    args.map((arg) => arg.beginning(LONGEST)),
  );
  if (refused === null) c.reply.ok();
  else c.reply.error(NOT_LOADED);
}

/** `path [CONFIG name value ...] [ARGS arg ...]`; no module has settings of its own. */
function loadWithSettings(c: Call): void {
  const words = c.args.slice(3, c.argc);
  const [first] = words;
  if (first === undefined) load(c, []);
  else if (first.keyword() === 'ARGS') load(c, words.slice(1));
  else if (first.keyword() === 'CONFIG' && words.length >= 3) {
    c.engine.server.log.warning(`Module ${c.arg(2).shown()} has no settings of its own`);
    c.reply.error(NOT_LOADED);
  } else c.syntaxError();
}

/** All modules, as MODULE LIST and HELLO tell of them. */
export function replyModules({ reply, engine }: Call): void {
  const { loaded } = engine.server.modules;
  reply.array(loaded.length);
  for (const { name, version, path, args } of loaded) {
    reply.map(4);
    reply.bulkText('name');
    reply.bulkText(name);
    reply.bulkText('ver');
    reply.int(version);
    reply.bulkText('path');
    reply.bulkText(path);
    reply.bulkText('args');
    reply.array(args.length);
    for (const arg of args) reply.bulkText(arg);
  }
}

export const module = command({
  name: 'MODULE',
  group: 'server',
  since: '4.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Manages modules: commands that come with files of JavaScript.',
  flags: [],
  subcommands: [
    command({
      name: 'LIST',
      group: 'server',
      since: '4.0.0',
      complexity: 'O(N) where N is the number of loaded modules.',
      summary: 'Lists the modules that are loaded.',
      flags: ['admin', 'noscript'],
      tips: ['nondeterministic_output_order'],
      args: [],
      run: replyModules,
    }),
    guarded('LOAD', '4.0.0', 'Loads a module.', [bytes('path'), optional(many(bytes('arg')))], (c) =>
      load(c, c.args.slice(3, c.argc)),
    ),
    guarded(
      'LOADEX',
      '7.0.0',
      'Loads a module with settings.',
      [
        bytes('path'),
        optional(repeated(after('CONFIG', block('configs', bytes('name'), bytes('value'))))),
        optional(many(after('ARGS', block('args', bytes('arg'))))),
      ],
      loadWithSettings,
    ),
    guarded('UNLOAD', '4.0.0', 'Unloads a module.', [bytes('name')], (c) => {
      const refused = c.engine.server.modules.unload(c.arg(2).beginning(LONGEST));
      if (refused === null) c.reply.ok();
      else c.reply.error(`ERR Error unloading module: ${refused}`);
    }),
    help('MODULE', [
      'LIST',
      '    Return a list of loaded modules.',
      'LOAD <path> [<arg> ...]',
      '    Load a module from <path>, passing to it any optional arguments.',
      'LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]',
      '    Load a module from <path>, while passing it module configurations and optional arguments.',
      'UNLOAD <name>',
      '    Unload a module.',
    ]),
  ],
});
