/** The lines of redis.conf that are no settings: rename-command, user, loadmodule. */
import type { Directives } from '../config/file.ts';
import type { Command } from '../engine/command.ts';
import type { CommandTable } from '../engine/table.ts';

/** The one user that there is until ACL is built, in the words that CONFIG REWRITE gives it. */
const DEFAULT_USER = /^default on nopass (sanitize-payload )?~\* &\* \+@all$/;

/** Takes the lines in while the file is read, and applies them once the command table is there. */
export class ServerDirectives implements Directives {
  private readonly names: Set<string>;
  private readonly renames: (readonly [from: string, to: string])[] = [];

  constructor(commands: readonly Command[]) {
    this.names = new Set(commands.map((command) => command.name.toLowerCase()));
  }

  renameCommand(from: string, to: string): string | undefined {
    const before = from.toLowerCase();
    const after = to.toLowerCase();
    if (!this.names.has(before)) return 'No such command in rename-command';
    this.names.delete(before);
    if (after !== '' && this.names.has(after)) return 'Target command name already exists';
    if (after !== '') this.names.add(after);
    this.renames.push([before, after]);
    return undefined;
  }

  user(words: readonly string[]): string | undefined {
    if (DEFAULT_USER.test(words.join(' '))) return undefined;
    return `Error in user declaration '${words[0]}': users are not supported by this version yet, use requirepass`;
  }

  loadModule(): string | undefined {
    return 'Modules are not supported';
  }

  /** Renames in the table; a command renamed to nothing can't be called. */
  apply(table: CommandTable): void {
    for (const [from, to] of this.renames) {
      const command = table.remove(from);
      if (command && to !== '') table.add(command, to);
    }
  }
}
