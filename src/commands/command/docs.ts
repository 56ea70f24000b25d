/** One command as COMMAND DOCS documents it: a map. */
import type { Argument } from '../../engine/grammar.ts';
import type { Registered } from '../../engine/table.ts';
import type { Reply } from '../../protocol/reply.ts';

/** The fields of a map, in order; those that are undefined are left out. */
type Fields = readonly (readonly [name: string, write: (() => void) | undefined])[];

function replyFields(reply: Reply, fields: Fields): void {
  const present = fields.filter(([, write]) => write !== undefined);
  reply.map(present.length);
  for (const [name, write] of present) {
    reply.bulkText(name);
    write?.();
  }
}

export function replyDocs(reply: Reply, registered: Registered): void {
  const { command, subcommands } = registered;
  const text = (value: string | undefined): (() => void) | undefined =>
    value === undefined ? undefined : () => reply.bulkText(value);
  const { history, args, docFlags } = command;
  const keys = { next: 0, last: registered.keySpecs.length - 1 };
  replyFields(reply, [
    ['summary', text(command.summary)],
    ['since', text(command.since)],
    ['group', text(command.group)],
    ['complexity', text(command.complexity === '' ? undefined : command.complexity)],
    ['module', text(command.module)],
    ['doc_flags', docFlags && (() => replyWords(reply, docFlags))],
    ['deprecated_since', text(command.deprecatedSince)],
    ['replaced_by', text(command.replacedBy)],
    ['history', history && (() => replyHistory(reply, history))],
    ['arguments', args && args.length > 0 ? () => replyArguments(reply, args, keys) : undefined],
    ['subcommands', subcommands ? () => replySubcommands(reply, subcommands.all()) : undefined],
  ]);
}

function replyWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.status(word);
}

function replyHistory(reply: Reply, history: readonly (readonly [string, string])[]): void {
  reply.set(history.length);
  for (const [version, change] of history) {
    reply.array(2);
    reply.bulkText(version);
    reply.bulkText(change);
  }
}

function replySubcommands(reply: Reply, subcommands: readonly Registered[]): void {
  reply.map(subcommands.length);
  for (const sub of subcommands) {
    reply.bulkText(sub.name);
    replyDocs(reply, sub);
  }
}

/** `keys` numbers the key specifications in the order of the key arguments; the last one may stand for several. */
function replyArguments(reply: Reply, args: readonly Argument[], keys: { next: number; readonly last: number }): void {
  reply.array(args.length);
  for (const argument of args) {
    const text = (value: string | undefined): (() => void) | undefined =>
      value === undefined ? undefined : () => reply.bulkText(value);
    const flags: string[] = [];
    if (argument.optional) flags.push('optional');
    if (argument.multiple) flags.push('multiple');
    if (argument.multipleToken) flags.push('multiple_token');
    const inner = argument.args;
    replyFields(reply, [
      ['name', text(argument.name)],
      ['type', text(argument.kind)],
      ['key_spec_index', argument.kind === 'key' ? () => reply.int(Math.min(keys.next++, keys.last)) : undefined],
      ['token', text(argument.token)],
      ['summary', text(argument.summary)],
      ['since', text(argument.since)],
      ['deprecated_since', text(argument.deprecatedSince)],
      ['flags', flags.length > 0 ? () => replyWords(reply, flags) : undefined],
      ['arguments', inner ? () => replyArguments(reply, inner, keys) : undefined],
    ]);
  }
}
