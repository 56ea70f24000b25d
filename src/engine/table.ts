/**
 * The command table of one server: declarations become `Registered` commands when they are first asked for, found by the bytes
 * of their name in any case without making a string.
 *
 *   slots: open addressing over a hash of the folded name; at most half full
 */
import { assert } from '../base/assert.ts';
import { Slice } from '../base/slice.ts';
import { existsIn, type Version } from '../base/version.ts';
import type { Declaration, KeySpec } from './declaration.ts';
import {
  arityOf,
  categoriesOf,
  categoryBit,
  flagBit,
  flagBits,
  hasMovableKeys,
  keySpecsOf,
  legacyRange,
} from './derive.ts';
import { GATES_OF_SCRIPTS, gatesOf } from './gates.ts';
import { LatencyHistogram } from './histogram.ts';
import { commandIn } from './profile.ts';

/** The longest name of a command or subcommand. */
const NAME_MAX = 64;

export class Registered {
  readonly command: Declaration;
  /** As COMMAND names it: 'get', 'config|set'. */
  readonly name: string;
  /** The name that it is found by, folded. */
  readonly word: string;
  readonly parent: Registered | null;
  readonly flags: number;
  readonly arity: number;
  /** The states in which it is refused or held; see gates.ts. */
  readonly gates: number;
  /** Whether keys may be among its arguments. */
  readonly keyed: boolean;
  /** It is EXEC: what it runs decides what concerns it. */
  readonly runsQueue: boolean;
  /** It runs between MULTI and EXEC instead of being queued. */
  readonly immediate: boolean;
  /** Keys that expire under it are propagated apart from what it does. */
  readonly expiresApart: boolean;
  readonly keySpecs: readonly KeySpec[];
  readonly legacy: { readonly first: number; readonly last: number; readonly step: number };
  readonly subcommands: CommandTable | null;
  readonly run: ((c: never) => void) | null;
  /** Its place in sets of commands (acl/command-bits.ts); -1 until it has one. */
  bit = -1;

  calls = 0;
  microseconds = 0;
  rejected = 0;
  failed = 0;
  histogram: LatencyHistogram | null = null;
  private categoryNames: readonly string[] | null = null;
  private categoryBits = 0;

  constructor(command: Declaration, word: string, parent: Registered | null) {
    const depth = parent ? 2 : 1;
    this.command = command;
    this.word = word;
    this.name = parent ? `${parent.name}|${word}` : word;
    this.parent = parent;
    this.arity = arityOf(command, depth);
    this.keySpecs = keySpecsOf(command, depth);
    this.legacy = legacyRange(this.keySpecs);
    const movable = hasMovableKeys(command, this.keySpecs) ? flagBit('movablekeys') : 0;
    this.flags = flagBits(command.flags) | movable;
    this.keyed = this.keySpecs.length > 0 || movable !== 0;
    this.runsQueue = command.traits?.includes('runs_queue') ?? false;
    this.expiresApart = command.traits?.includes('expires_apart') ?? false;
    this.immediate = command.traits?.includes('immediate') ?? false;
    this.gates = gatesOf(command, this.flags, this.keyed) | (command.flagsWith === undefined ? 0 : GATES_OF_SCRIPTS);
    this.run = command.run ?? null;
    this.subcommands = command.subcommands ? new CommandTable() : null;
    for (const sub of command.subcommands ?? []) this.subcommands?.add(new Registered(sub, fold(sub.name), this));
  }

  get categories(): readonly string[] {
    return (this.categoryNames ??= categoriesOf(this.command));
  }

  /** Whether it is of the category with this bit (`categoryBit`). */
  isOf(category: number): boolean {
    // Every command has a category: it is fast or slow.
    if (this.categoryBits === 0) for (const name of this.categories) this.categoryBits |= categoryBit(name);
    return (this.categoryBits & category) !== 0;
  }

  /** The gates that concern it where the bits of its flags are these. */
  gatesWith(flags: number): number {
    return gatesOf(this.command, flags, this.keyed);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** It has run so long, and `failed` where it replied an error. */
  ran(microseconds: number, failed: boolean, tracked: boolean): void {
    this.calls++;
    this.microseconds += microseconds;
    if (failed) this.failed++;
    if (!tracked) return;
    this.histogram ??= new LatencyHistogram();
    this.histogram.record(microseconds);
  }

  resetStats(): void {
    this.calls = 0;
    this.microseconds = 0;
    this.rejected = 0;
    this.failed = 0;
    this.histogram = null;
    for (const sub of this.subcommands?.all() ?? []) sub.resetStats();
  }
}

const BAR = 124;

function fold(name: string): string {
  return name.toLowerCase();
}

/** A place in a table, whose command becomes a `Registered` when it is first asked for: most servers never see most commands. */
class Listed {
  private readonly make: () => Registered;
  made: Registered | null = null;

  constructor(make: () => Registered) {
    this.make = make;
  }

  get registered(): Registered {
    return (this.made ??= this.make());
  }
}

export class CommandTable {
  private readonly entries: Listed[] = [];
  private names: Uint8Array[] = [];
  private slots: Int32Array;
  /** What `all` has told, until a command comes or goes. */
  private everything: readonly Registered[] | null = null;

  constructor(size = 4) {
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(size * 2)));
  }

  /** The table of what there is of `commands` in a version. */
  static of(version: Version, commands: readonly Declaration[]): CommandTable {
    const table = new CommandTable(commands.length);
    for (const command of commands) {
      if (!existsIn(version, command.since)) continue;
      const word = fold(command.name);
      table.list(new Listed(() => new Registered(commandIn(version, command), word, null)), word);
    }
    return table;
  }

  add(registered: Registered, word: string = registered.word): void {
    this.list(new Listed(() => registered), word);
  }

  private list(listed: Listed, word: string): void {
    assert(word.length <= NAME_MAX, 'a command has a short name');
    const bytes = new Uint8Array(word.length);
    for (let i = 0; i < word.length; i++) bytes[i] = word.charCodeAt(i);
    this.everything = null;
    this.entries.push(listed);
    this.names.push(bytes);
    if (this.entries.length * 2 > this.slots.length) this.rebuild(this.slots.length * 4);
    else this.place(this.entries.length - 1);
  }

  /** Takes a command out of reach (rename-command to nothing). */
  remove(word: string): Registered | undefined {
    const index = this.names.findIndex((name) => String.fromCharCode(...name) === word);
    if (index < 0) return undefined;
    this.everything = null;
    const [gone] = this.entries.splice(index, 1);
    this.names.splice(index, 1);
    this.rebuild(this.slots.length);
    return gone.registered;
  }

  find(name: Slice): Registered | undefined {
    const length = name.length;
    if (length > NAME_MAX) return undefined;
    const buffer = name.buffer;
    const start = name.start;
    let hash = length;
    for (let i = start, end = start + length; i < end; i++) {
      let byte = buffer[i];
      if (byte >= 65 && byte <= 90) byte += 32;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const mask = this.slots.length - 1;
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const index = this.slots[slot] - 1;
      if (index < 0) return undefined;
      if (sameFolded(this.names[index], buffer, start, length)) return this.entries[index].registered;
    }
  }

  /** The command, or the subcommand, that the arguments name; undefined where there is none. */
  named(args: readonly Slice[], argc: number): Registered | undefined {
    const found = this.find(args[0]);
    if (found === undefined || found.subcommands === null || argc < 2) return found;
    return found.subcommands.find(args[1]) ?? (found.run === null ? undefined : found);
  }

  /** The command of that name, or the subcommand where it is 'container|sub'. */
  findByName({ buffer, start, length }: Slice): Registered | undefined {
    let bar = start;
    const end = start + Math.min(length, NAME_MAX + 1);
    while (bar < end && buffer[bar] !== BAR) bar++;
    if (bar === end) return this.find(new Slice(buffer, start, length));
    const container = this.find(new Slice(buffer, start, bar - start));
    return container?.subcommands?.find(new Slice(buffer, bar + 1, start + length - bar - 1));
  }

  get size(): number {
    return this.entries.length;
  }

  /** Those that somebody has asked for, and their subcommands, containers before what they contain: no other was called. */
  seen(): Registered[] {
    const found: Registered[] = [];
    for (const { made } of this.entries) {
      if (made === null) continue;
      found.push(made);
      if (made.subcommands !== null) for (const sub of made.subcommands.seen()) found.push(sub);
    }
    return found;
  }

  all(): readonly Registered[] {
    return (this.everything ??= this.entries.map(({ registered }) => registered));
  }

  /** Those that there are now, each asked for when it is come to. */
  each(): Iterable<Registered> {
    return registeredOf([...this.entries]);
  }

  private place(index: number): void {
    const bytes = this.names[index];
    let hash = bytes.length;
    for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
    const mask = this.slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = index + 1;
  }

  private rebuild(length: number): void {
    this.slots = new Int32Array(length);
    for (let i = 0; i < this.entries.length; i++) this.place(i);
  }
}

function* registeredOf(entries: readonly Listed[]): Iterable<Registered> {
  for (const { registered } of entries) yield registered;
}

function sameFolded(name: Uint8Array, buffer: Uint8Array, start: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let i = 0; i < length; i++) {
    let byte = buffer[start + i];
    if (byte >= 65 && byte <= 90) byte += 32;
    if (byte !== name[i]) return false;
  }
  return true;
}
