/** CLUSTER. */
import { type Command, command } from '../../engine/command.ts';
import { help } from '../../engine/help.ts';
import { changes } from './changes.ts';
import { HELP_LINES } from './help.ts';
import { keys } from './keys.ts';
import { views } from './views.ts';

export const clusterCommands: readonly Command[] = [
  command({
    name: 'CLUSTER',
    group: 'cluster',
    since: '3.0.0',
    complexity: 'Depends on the subcommand.',
    summary: 'Commands about the cluster.',
    flags: [],
    subcommands: [...changes, ...views, ...keys, help('CLUSTER', HELP_LINES, { group: 'cluster', since: '5.0.0' })],
  }),
];
