/** One command as COMMAND INFO describes it: an array of ten. */
import type { KeySpec } from '../../engine/command.ts';
import { flagNames } from '../../engine/derive.ts';
import type { Registered } from '../../engine/table.ts';
import type { Reply } from '../../protocol/reply.ts';

/** Flags that are for the server's own use and not shown. */
const HIDDEN = new Set(['only_sentinel', 'sentinel', 'protected', 'may_replicate']);

export function replyInfo(reply: Reply, registered: Registered): void {
  reply.array(10);
  reply.bulkText(registered.name);
  reply.int(registered.arity);
  replyWords(
    reply,
    flagNames(registered.flags).filter((flag) => !HIDDEN.has(flag)),
  );
  reply.int(registered.legacy.first);
  reply.int(registered.legacy.last);
  reply.int(registered.legacy.step);
  replyWords(
    reply,
    registered.categories.map((name) => `@${name}`),
  );
  const tips = registered.command.tips ?? [];
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  reply.set(registered.keySpecs.length);
  for (const spec of registered.keySpecs) replyKeySpec(reply, spec);
  const subcommands = registered.subcommands?.all() ?? [];
  reply.set(subcommands.length);
  for (const sub of subcommands) replyInfo(reply, sub);
}

function replyWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.status(word);
}

/** The words of a key's access as they are shown: RW and its like in capitals, the others not. */
export function accessWords(access: string): string[] {
  if (access === '') return [];
  return access.split(' ').map((word) => (word.length === 2 ? word : word.toLowerCase()));
}

function replyKeySpec(reply: Reply, spec: KeySpec): void {
  reply.map(spec.notes === undefined ? 3 : 4);
  if (spec.notes !== undefined) {
    reply.bulkText('notes');
    reply.bulkText(spec.notes);
  }
  reply.bulkText('flags');
  replyWords(reply, accessWords(spec.access));
  reply.bulkText('begin_search');
  const { begin, find } = spec;
  if (begin.type === 'index') replyTyped(reply, 'index', [['index', begin.index]]);
  else if (begin.type === 'keyword')
    replyTyped(reply, 'keyword', [
      ['keyword', begin.keyword],
      ['startfrom', begin.startFrom],
    ]);
  else replyTyped(reply, 'unknown', []);
  reply.bulkText('find_keys');
  if (find.type === 'range')
    replyTyped(reply, 'range', [
      ['lastkey', find.lastKey],
      ['keystep', find.step],
      ['limit', find.limit],
    ]);
  else if (find.type === 'keynum')
    replyTyped(reply, 'keynum', [
      ['keynumidx', find.keyNumIndex],
      ['firstkey', find.firstKey],
      ['keystep', find.step],
    ]);
  else replyTyped(reply, 'unknown', []);
}

function replyTyped(reply: Reply, type: string, fields: readonly (readonly [string, string | number])[]): void {
  reply.map(2);
  reply.bulkText('type');
  reply.bulkText(type);
  reply.bulkText('spec');
  reply.map(fields.length);
  for (const [name, value] of fields) {
    reply.bulkText(name);
    if (typeof value === 'number') reply.int(value);
    else reply.bulkText(value);
  }
}
