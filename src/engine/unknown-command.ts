/** How errors name a command that there is not. */
import type { Slice } from '../base/slice.ts';

/** What a client is told of a command that is not in the table. */
export function unknownCommand(args: readonly Slice[], argc: number): string {
  let rest = '';
  for (let i = 1; i < argc && rest.length < 128; i++) rest += `'${args[i].shown(128 - rest.length)}' `;
  return `ERR unknown command '${args[0].shown(128)}', with args beginning with: ${rest}`;
}

/** The same of a subcommand. */
export function unknownSubcommand(args: readonly Slice[]): string {
  return `ERR unknown subcommand '${args[1].shown(128)}'. Try ${args[0].shown(128).toUpperCase()} HELP.`;
}
