/** Commands as those see them who want to know what a client has asked for: an owner's faults, and his records. */
import type { Slice } from '../base/slice.ts';
import type { Session } from './session.ts';
import type { CommandTable, Registered } from './table.ts';

export interface SeenCommand {
  /** As COMMAND has it: `get`, `config|set`. */
  readonly name: string;
  /** What follows the name; of a subcommand, what follows its own. The bytes are the reader's to keep. */
  readonly args: readonly Buffer[];
  /** The client's number, as CLIENT ID tells it; of a script's commands, that of the client who runs it. */
  readonly clientId: number;
  /** As CLIENT SETNAME has given it, '' without. */
  readonly clientName: string;
  /** The database that it is run in. */
  readonly db: number;
}

/** Of `client`, who is another than `session` where a script runs it; `registered` is null where there is no such command. */
export function seen(
  registered: Registered | null,
  args: readonly Slice[],
  argc: number,
  { db }: Session,
  client: Session,
): SeenCommand {
  const words: Buffer[] = [];
  const isSubcommand = registered !== null && registered.parent !== null;
  for (let i = isSubcommand ? 2 : 1; i < argc; i++) words.push(Buffer.from(args[i].copy()));
  const name = registered?.name ?? args[0].shown().toLowerCase();
  return { name, args: words, clientId: client.id, clientName: client.name, db: db.index };
}

/** Names of commands as an owner gives them: `get`, `config` for all its subcommands, `config|set`, `*` for every command. */
export class CommandNames {
  private readonly names: ReadonlySet<string> | null;

  /** Throws where there is no such command: it would never be met. */
  constructor(given: string | readonly string[], table: CommandTable) {
    const names = (typeof given === 'string' ? [given] : given).map((name) => name.toLowerCase().replace(' ', '|'));
    const known = new Set(['*']);
    for (const { name, subcommands } of table.all())
      for (const each of [name, ...(subcommands?.all() ?? []).map((sub) => sub.name)]) known.add(each);
    const unknown = names.find((name) => !known.has(name));
    if (unknown !== undefined) throw new RangeError(`There is no command '${unknown}'`);
    this.names = names.includes('*') ? null : new Set(names);
  }

  /** null stands for what is no command, which only `*` means. */
  has(registered: Registered | null): boolean {
    if (this.names === null || registered === null) return this.names === null;
    const { name, parent } = registered;
    return this.names.has(name) || (parent !== null && this.names.has(parent.name));
  }
}
