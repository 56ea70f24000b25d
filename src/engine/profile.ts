/**
 * The commands as one version of Redis has them.
 *
 * A declaration says in `since` when a command, a subcommand or an argument came; what came after the version asked for
 * is left out of it before anything is derived from it, so that arity, documentation, counts and ACL categories answer as
 * that version does. What `run` accepts is its own affair: it reads `c.engine.server.version` where an option is younger.
 */
import { existsIn, type Version } from '../base/version.ts';
import type { Declaration } from './declaration.ts';
import type { Argument } from './grammar.ts';

/** What there is of `commands` in a version; a declaration that loses nothing is the same object. */
export function commandsIn(version: Version, commands: readonly Declaration[]): readonly Declaration[] {
  return without(commands, (command) => (existsIn(version, command.since) ? commandIn(version, command) : undefined));
}

/** What there is of a command in a version that has it. */
export function commandIn(version: Version, command: Declaration): Declaration {
  const subcommands = command.subcommands && commandsIn(version, command.subcommands);
  const args = command.args && argumentsIn(version, command.args);
  const history =
    command.history && without(command.history, (entry) => (existsIn(version, entry[0]) ? entry : undefined));
  if (subcommands === command.subcommands && args === command.args && history === command.history) return command;
  return { ...command, subcommands, args, history };
}

function argumentsIn(version: Version, args: readonly Argument[]): readonly Argument[] {
  return without(args, (argument) => {
    if (!existsIn(version, argument.since)) return undefined;
    const inner = argument.args && argumentsIn(version, argument.args);
    return inner === argument.args ? argument : { ...argument, args: inner };
  });
}

/** The list with each item replaced, or dropped where it becomes undefined; the list itself when nothing changes. */
function without<T>(list: readonly T[], become: (item: T) => T | undefined): readonly T[] {
  const changed = list.map(become);
  if (changed.every((item, i) => item === list[i])) return list;
  return changed.filter((item) => item !== undefined);
}
