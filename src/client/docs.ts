/** What COMMAND DOCS tells of the commands: for completion and help. */
import { fieldsOf, itemsOf, type Reply, textOf } from './reply.ts';

export interface CommandDocs {
  /** 'CONFIG GET' */
  readonly name: string;
  /** 'parameter [parameter ...]' */
  readonly syntax: string;
  readonly summary: string;
  readonly since: string;
  readonly group: string;
}

/** All commands and subcommands, by name. */
export function readDocs(reply: Reply): ReadonlyMap<string, CommandDocs> {
  const all = new Map<string, CommandDocs>();
  for (const [name, docs] of fieldsOf(reply)) {
    const fields = fieldsOf(docs);
    add(all, name, fields);
    for (const [sub, of] of fieldsOf(fields.get('subcommands'))) add(all, sub, fieldsOf(of));
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function add(all: Map<string, CommandDocs>, written: string, fields: ReadonlyMap<string, Reply>): void {
  // Redis writes a subcommand as 'config|get'.
  const name = written.replaceAll('|', ' ').toUpperCase();
  all.set(name, {
    name,
    syntax: itemsOf(fields.get('arguments')).map(argumentSyntax).join(' '),
    summary: textOf(fields.get('summary')),
    since: textOf(fields.get('since')),
    group: textOf(fields.get('group')),
  });
}

function argumentSyntax(argument: Reply): string {
  const fields = fieldsOf(argument);
  const type = textOf(fields.get('type'));
  const token = textOf(fields.get('token'));
  const flags = new Set(itemsOf(fields.get('flags')).map(textOf));
  const inner = itemsOf(fields.get('arguments')).map(argumentSyntax);
  let value = textOf(fields.get('display_text')) || textOf(fields.get('name'));
  if (type === 'oneof') value = inner.join(' | ');
  else if (type === 'block') value = inner.join(' ');
  else if (type === 'pure-token') value = '';
  const once = [token === '""' ? '""' : token, value].filter((text) => text !== '').join(' ');
  const again = flags.has('multiple_token') ? once : value;
  const text = flags.has('multiple') ? `${once} [${again} ...]` : once;
  if (flags.has('optional')) return `[${text}]`;
  return type === 'oneof' ? `<${text}>` : text;
}

/** The names that may follow what has been typed so far; all of a group of subcommands once its name is there. */
export function completions(all: ReadonlyMap<string, CommandDocs>, typed: string): string[] {
  const wanted = typed.toUpperCase();
  const words = wanted.split(' ').length;
  return [...all.keys()].filter((name) => name.startsWith(wanted) && name.split(' ').length <= Math.max(words, 1));
}

/** The command whose arguments are being typed; undefined where there is none of that name. */
export function commandOf(all: ReadonlyMap<string, CommandDocs>, typed: string): CommandDocs | undefined {
  const [first = '', second = ''] = typed.trimStart().toUpperCase().split(/ +/);
  return all.get(`${first} ${second}`) ?? all.get(first);
}

export function helpFor({ name, syntax, summary, since, group }: CommandDocs): string {
  return `\n  ${name}${syntax === '' ? '' : ` ${syntax}`}\n  summary: ${summary}\n  since: ${since}\n  group: ${group}\n`;
}
