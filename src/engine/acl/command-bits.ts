/**
 * The commands that ACL rules speak of, by their own names (rename-command changes nothing here): each has a bit, in the
 * order in which they are added, subcommands right behind their container.
 *
 *   CommandSet: one bit a command, 32 in a word:  word[bit >>> 5] & (1 << (bit & 31))
 *
 * Every set has room for CAPACITY commands, so that a command can be added while there are users; "all commands" are then
 * also those that come later.
 */
import { assert } from '../../base/assert.ts';
import { CATEGORIES } from '../derive.ts';
import type { Registered } from '../table.ts';

/** Commands and subcommands that a server can have, as many as in Redis. */
const CAPACITY = 1024;

export class CommandSet {
  /** A plain array of small integers: V8 makes and copies one in a tenth of the time of a typed array. */
  private readonly words: number[];

  constructor(words: number[] = new Array<number>(CAPACITY >>> 5).fill(0)) {
    this.words = words;
  }

  has(bit: number): boolean {
    return (this.words[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  put(bit: number, on: boolean): void {
    if (on) this.words[bit >>> 5] |= 1 << (bit & 31);
    else this.words[bit >>> 5] &= ~(1 << (bit & 31));
  }

  fill(on: boolean): void {
    this.words.fill(on ? -1 : 0);
  }

  copy(): CommandSet {
    return new CommandSet(this.words.slice());
  }
}

export class AclCommands {
  /** At their bits; nothing is here before somebody speaks of commands one by one. */
  private readonly list: Registered[] = [];
  private top: Iterable<Registered>;
  private readonly names = new Map<string, Registered>();
  private readonly categories = new Map<string, readonly Registered[]>();

  constructor(top: Iterable<Registered>) {
    this.top = top;
  }

  /** Commands and subcommands, each at the index that is its bit. */
  get all(): readonly Registered[] {
    this.begin();
    return this.list;
  }

  /** Whether there is a bit for each of these. */
  hasRoom(commands: readonly Registered[]): boolean {
    return this.all.length + commands.length <= CAPACITY;
  }

  /** Adds a command and its subcommands. Users that may run all commands may run it. */
  add(registered: Registered): void {
    this.begin();
    this.give(registered);
  }

  /** The bit of one of the commands. */
  bitOf(registered: Registered): number {
    if (registered.bit < 0) this.begin();
    assert(registered.bit >= 0, 'a command has a bit');
    return registered.bit;
  }

  private begin(): void {
    const { top } = this;
    this.top = [];
    for (const registered of top) this.give(registered);
  }

  /** Gives a command and its subcommands their bits. */
  private give(registered: Registered): void {
    // A command that comes again, of a module, has the bit that it had.
    const bit = this.names.get(registered.name)?.bit ?? this.list.length;
    assert(bit < CAPACITY, 'there is a bit for every command');
    assert(registered.bit < 0 || registered.bit === bit, 'a command has one bit');
    registered.bit = bit;
    this.list[bit] = registered;
    this.names.set(registered.name, registered);
    this.categories.clear();
    for (const sub of registered.subcommands?.all() ?? []) this.give(sub);
  }

  /** By its full name ('get', 'config|set') in any case. */
  find(name: string): Registered | undefined {
    this.begin();
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
    return new CommandSet();
  }

  /** Puts a command and all its subcommands in or out. */
  put(set: CommandSet, registered: Registered, on: boolean): void {
    set.put(registered.bit, on);
    for (const sub of registered.subcommands?.all() ?? []) set.put(sub.bit, on);
  }
}
