/** The lines of redis.conf that are no settings: rename-command, user, loadmodule. */
import { widen } from '../base/text.ts';
import type { Config } from '../config/config.ts';
import type { Directives, Place } from '../config/file.ts';
import { AclCommands } from '../engine/acl/command-bits.ts';
import { UserLines } from '../engine/acl/file.ts';
import type { AclBasis } from '../engine/acl/user.ts';
import type { Command } from '../engine/command.ts';
import { type CommandTable, Registered } from '../engine/table.ts';
import type { ModuleRequest } from './modules/modules.ts';

/** Takes the lines in while the file is read, and applies them once the command table is there. */
export class ServerDirectives implements Directives {
  readonly users = new UserLines();
  /** Files to be loaded when the server is made. */
  readonly modules: ModuleRequest[] = [];
  private readonly names: Set<string>;
  private readonly renames: (readonly [from: string, to: string])[] = [];

  private readonly commands: readonly Command[];
  private readonly config: Config;
  /** What users are tried on before there is a server; made when the first one comes. */
  private basis: AclBasis | null = null;

  constructor(commands: readonly Command[], config: Config) {
    this.commands = commands;
    this.config = config;
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
    this.basis ??= {
      commands: new AclCommands(this.commands.map((c) => new Registered(c, c.name.toLowerCase(), null))),
      allChannels: () => this.config.settings.aclPubsubDefault === 'allchannels',
    };
    return this.users.add(words, this.basis);
  }

  loadModule([path, ...args]: readonly string[]): string | undefined {
    this.modules.push({ path: widen(path), args: args.map(widen) });
    return undefined;
  }

  sentinel(_words: readonly string[], _place: Place): string | undefined {
    return 'sentinel directive while not in sentinel mode';
  }

  /** Renames in the table; a command renamed to nothing can't be called. */
  apply(table: CommandTable): void {
    for (const [from, to] of this.renames) {
      const command = table.remove(from);
      if (command && to !== '') table.add(command, to);
    }
  }
}
