/** MODULE: there are no modules, so the list is empty and nothing can be loaded. */
import type { Call } from '../../engine/call.ts';
import { type Command, type CommandFlag, command } from '../../engine/command.ts';
import { type Argument, after, block, bytes, many, optional, repeated } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { isLocal } from './local.ts';

const NOT_ALLOWED =
  'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.';
const NO_MODULE = 'ERR Error unloading module: no such module with that name';
const NOT_LOADED = 'ERR Error loading the extension. Please check the server logs.';

const FLAGS: readonly CommandFlag[] = ['admin', 'noscript', 'no_async_loading'];

function allowed(c: Call): boolean {
  const { enableModuleCommand } = c.engine.server.settings;
  return enableModuleCommand === 'yes' || (enableModuleCommand === 'local' && isLocal(c.session));
}

/** Answers `error`, or that the command is not allowed at all. */
function refusal(error: string): (c: Call) => void {
  return (c) => {
    if (error === NOT_LOADED && allowed(c)) c.engine.server.log.warning('Modules are not supported by this server.');
    c.reply.error(allowed(c) ? error : NOT_ALLOWED);
  };
}

function refusing(name: string, since: string, summary: string, args: readonly Argument[], error: string): Command {
  return command({
    name,
    group: 'server',
    since,
    complexity: 'O(1)',
    summary,
    flags: FLAGS,
    args,
    run: refusal(error),
  });
}

export const module = command({
  name: 'MODULE',
  group: 'server',
  since: '4.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Would manage modules, which this server does not have.',
  flags: [],
  subcommands: [
    command({
      name: 'LIST',
      group: 'server',
      since: '4.0.0',
      complexity: 'O(1)',
      summary: 'Lists the modules that are loaded: none.',
      flags: ['admin', 'noscript'],
      tips: ['nondeterministic_output_order'],
      args: [],
      run: (c) => c.reply.array(0),
    }),
    refusing('LOAD', '4.0.0', 'Refuses to load a module.', [bytes('path'), optional(many(bytes('arg')))], NOT_LOADED),
    refusing(
      'LOADEX',
      '7.0.0',
      'Refuses to load a module with settings.',
      [
        bytes('path'),
        optional(repeated(after('CONFIG', block('configs', bytes('name'), bytes('value'))))),
        optional(many(after('ARGS', block('args', bytes('arg'))))),
      ],
      NOT_LOADED,
    ),
    refusing('UNLOAD', '4.0.0', 'Refuses to unload a module.', [bytes('name')], NO_MODULE),
    help('MODULE', [
      'LIST',
      '    List the modules that are loaded: none.',
      'LOAD <path> [<arg> ...]',
      '    Refused: modules are not supported.',
      'LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]',
      '    Refused: modules are not supported.',
      'UNLOAD <name>',
      '    Refused: there are no modules.',
    ]),
  ],
});
