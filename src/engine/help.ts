/** The HELP subcommand that every container has. */
import type { Call } from './call.ts';
import { type Command, type CommandFlag, command } from './command.ts';

/** Lines of HELP as Redis lays them out: `lines` are the subcommands, each followed by its indented explanation. */
export function replyHelp(c: Call, container: string, lines: readonly string[]): void {
  const all = [
    `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Prints this help.',
  ];
  c.reply.array(all.length);
  for (const line of all) c.reply.status(line);
}

export function help(
  container: string,
  lines: readonly string[],
  extra: Partial<Command> & { readonly since: string } = { since: '5.0.0' },
): Command {
  const flags: CommandFlag[] = ['loading', 'stale'];
  return command({
    name: 'HELP',
    group: 'server',
    complexity: 'O(1)',
    summary: `Lists the subcommands of ${container}.`,
    flags,
    ...extra,
    run(c) {
      replyHelp(c, container, lines);
    },
  });
}
