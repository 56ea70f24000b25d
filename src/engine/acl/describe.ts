/**
 * The command rules of a selector as text. Only the set of permitted commands is kept, so the rules are found again: from
 * all or no commands the categories that come closest, then single commands until exactly the set is reached.
 */
import { assert } from '../../base/assert.ts';
import { CATEGORIES } from '../derive.ts';
import type { AclCommands, CommandSet } from './command-bits.ts';

interface Permissions {
  readonly bits: CommandSet;
  readonly future: boolean;
  readonly firstArgs: ReadonlyMap<number, readonly string[]>;
}

/**
 * The category that brings the text nearest to the set: most of its commands must still be wanted, then the fewest that
 * aren't decide, then the most that are, then the order of ACL CAT.
 */
function nearest(rest: CommandSet, commands: AclCommands, adding: boolean, used: ReadonlySet<string>): string | null {
  let best: string | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const name of CATEGORIES) {
    if (used.has(name)) continue;
    let wanted = 0;
    let unwanted = 0;
    for (const { bit } of commands.ofCategory(name) ?? []) {
      if (rest.has(bit) === adding) wanted++;
      else unwanted++;
    }
    if (wanted <= unwanted || unwanted > fewest || (unwanted === fewest && wanted <= most)) continue;
    best = name;
    fewest = unwanted;
    most = wanted;
  }
  return best;
}

export function commandRules({ bits, future, firstArgs }: Permissions, commands: AclCommands): string {
  const adding = !future;
  const sign = adding ? '+' : '-';
  const rules = [adding ? '-@all' : '+@all'];
  const reached = commands.newSet();
  reached.fill(future);
  const rest = bits.copy();
  const used = new Set<string>();
  for (;;) {
    const name = nearest(rest, commands, adding, used);
    if (name === null) break;
    for (const registered of commands.ofCategory(name) ?? []) {
      commands.put(reached, registered, adding);
      commands.put(rest, registered, !adding);
    }
    used.add(name);
    rules.push(`${sign}@${name}`);
  }
  for (const registered of commands.all) {
    const on = bits.has(registered.bit);
    if (on !== reached.has(registered.bit)) {
      commands.put(reached, registered, on);
      rules.push(`${on ? '+' : '-'}${registered.name}`);
    }
    assert(reached.has(registered.bit) === on, 'the rules lead to the set');
    if (!on) for (const word of firstArgs.get(registered.bit) ?? []) rules.push(`+${registered.name}|${word}`);
  }
  return rules.join(' ');
}
