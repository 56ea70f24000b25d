/**
 * The commands that ACL rules speak of, by their own names (rename-command changes nothing here): each has a bit, in the
 * order of the table, subcommands right behind their container.
 *
 *   CommandSet: one bit a command, 32 in a word:  word[bit >>> 5] & (1 << (bit & 31))
 */
import { assert } from '../../base/assert.ts';
import { CATEGORIES } from '../derive.ts';
import type { Registered } from '../table.ts';

export class CommandSet {
  private readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5);
  }

  has(bit: number): boolean {
    return (this.words[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  put(bit: number, on: boolean): void {
    if (on) this.words[bit >>> 5] |= 1 << (bit & 31);
    else this.words[bit >>> 5] &= ~(1 << (bit & 31));
  }

  fill(on: boolean): void {
    this.words.fill(on ? 0xffffffff : 0);
  }

  copy(): CommandSet {
    const copy = new CommandSet(this.words.length * 32);
    copy.words.set(this.words);
    return copy;
  }
}

export class AclCommands {
  /** Commands and subcommands, each at the index that is its bit. */
  readonly all: readonly Registered[];
  private readonly names = new Map<string, Registered>();
  private readonly categories = new Map<string, readonly Registered[]>();

  constructor(top: readonly Registered[]) {
    const all: Registered[] = [];
    for (const registered of top) all.push(registered, ...(registered.subcommands?.all() ?? []));
    for (let bit = 0; bit < all.length; bit++) {
      assert(all[bit].bit < 0 || all[bit].bit === bit, 'a command has one bit');
      all[bit].bit = bit;
      this.names.set(all[bit].name, all[bit]);
    }
    this.all = all;
  }

  /** By its full name ('get', 'config|set') in any case. */
  find(name: string): Registered | undefined {
    return this.names.get(name.toLowerCase());
  }

  ofCategory(name: string): readonly Registered[] | undefined {
    const category = name.toLowerCase();
    let found = this.categories.get(category);
    if (found === undefined && CATEGORIES.includes(category)) {
      found = this.all.filter((registered) => registered.categories.includes(category));
      this.categories.set(category, found);
    }
    return found;
  }

  newSet(): CommandSet {
    return new CommandSet(this.all.length);
  }

  /** Puts a command and all its subcommands in or out. */
  put(set: CommandSet, registered: Registered, on: boolean): void {
    set.put(registered.bit, on);
    for (const sub of registered.subcommands?.all() ?? []) set.put(sub.bit, on);
  }
}
