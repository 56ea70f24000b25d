/**
 * The argument grammar, as redis-server itself describes it (COMMAND DOCS): an independent source, so that an option which
 * our declarations forgot is tried all the same. Which commands take part, and why others do not, is decided here.
 */
import type { Tree } from './wire.ts';

/** The same shape as the engine's Argument, in the names of COMMAND DOCS. */
export interface DocArgument {
  readonly name: string;
  readonly type: string;
  readonly token: string | undefined;
  readonly optional: boolean;
  readonly multiple: boolean;
  readonly multipleToken: boolean;
  readonly args: readonly DocArgument[];
}

export interface DocCommand {
  /** The words of the command: one, or container and subcommand. */
  readonly words: readonly string[];
  readonly group: string;
  readonly args: readonly DocArgument[];
}

const GROUPS = new Set(['string', 'list', 'set', 'sorted-set', 'hash', 'generic', 'bitmap', 'hyperloglog', 'geo']);

/** Taken in beside the groups. */
const MORE = new Set(['PING', 'ECHO', 'SELECT', 'DBSIZE', 'FLUSHDB', 'FLUSHALL', 'SWAPDB']);

/** Reviewed: each command that is left out, and the reason. */
export const EXCLUDED: Readonly<Record<string, string>> = {
  DUMP: 'its bytes are persistence work of a later issue',
  RESTORE: 'its bytes are persistence work of a later issue',
  MIGRATE: 'needs a second server and DUMP',
  WAIT: 'blocks, and counts replicas',
  PFSELFTEST: 'takes a second and says OK',
  PFDEBUG: 'of a broken HyperLogLog it shows bytes past the end of the string',
  'OBJECT HELP': 'compared by the command tests',
};

function fieldsOf(tree: Tree): Map<string, Tree> {
  const fields = new Map<string, Tree>();
  if (Array.isArray(tree)) for (let i = 0; i + 1 < tree.length; i += 2) fields.set(String(tree[i]), tree[i + 1]);
  return fields;
}

function list(tree: Tree | undefined): Tree[] {
  return Array.isArray(tree) ? tree : [];
}

function argument(tree: Tree): DocArgument {
  const fields = fieldsOf(tree);
  const flags = list(fields.get('flags')).map((flag) => String(flag).replace('+', ''));
  const token = fields.get('token');
  return {
    name: String(fields.get('name')),
    type: String(fields.get('type')),
    token: typeof token === 'string' ? token : undefined,
    optional: flags.includes('optional'),
    multiple: flags.includes('multiple'),
    multipleToken: flags.includes('multiple_token'),
    args: list(fields.get('arguments')).map(argument),
  };
}

function collect(docs: Tree, into: DocCommand[]): void {
  for (const [name, tree] of fieldsOf(docs)) {
    const fields = fieldsOf(tree);
    const words = name.toUpperCase().split('|');
    const subcommands = fields.get('subcommands');
    const group = String(fields.get('group'));
    if (!(GROUPS.has(group) || MORE.has(words[0])) || EXCLUDED[words.join(' ')] !== undefined) continue;
    if (subcommands !== undefined) collect(subcommands, into);
    else into.push({ words, group, args: list(fields.get('arguments')).map(argument) });
  }
}

/** The commands that take part, from the reply to COMMAND DOCS (RESP2). */
export function commandsOf(docs: Tree): DocCommand[] {
  const commands: DocCommand[] = [];
  collect(docs, commands);
  return commands.sort((a, b) => (a.words.join(' ') < b.words.join(' ') ? -1 : 1));
}
