/** What follows from a command's declaration: arity, key specifications, flag bits, ACL categories. */
import { assert } from '../base/assert.ts';
import type { CommandFlag, Declaration, KeySpec } from './declaration.ts';
import type { Argument } from './grammar.ts';

/** The bit of each flag, in the order in which COMMAND INFO prints them. */
const FLAG_BITS = new Map<CommandFlag, number>(
  (
    [
      'write',
      'readonly',
      'denyoom',
      'module',
      'admin',
      'pubsub',
      'noscript',
      'blocking',
      'loading',
      'stale',
      'skip_monitor',
      'skip_slowlog',
      'asking',
      'fast',
      'no_auth',
      'may_replicate',
      'sentinel',
      'only_sentinel',
      'no_mandatory_keys',
      'protected',
      'touches_arbitrary_keys',
      'no_async_loading',
      'no_multi',
      'movablekeys',
      'allow_busy',
    ] as const
  ).map((flag, index) => [flag, 1 << index] as const),
);

export function flagBits(flags: readonly CommandFlag[]): number {
  let bits = 0;
  for (const flag of flags) bits |= flagBit(flag);
  return bits;
}

export function flagBit(flag: CommandFlag): number {
  const bit = FLAG_BITS.get(flag);
  assert(bit !== undefined, `no such flag: ${flag}`);
  return bit;
}

/** Names of the flags in `bits`, in Redis's order. */
export function flagNames(bits: number): CommandFlag[] {
  return [...FLAG_BITS].filter(([, bit]) => (bits & bit) !== 0).map(([flag]) => flag);
}

/** The number of arguments with the command's own name (and its container's): exact, or negative for "at least". */
export function arityOf(command: Declaration, depth: number): number {
  if (command.arity !== undefined) return command.arity;
  if (command.subcommands && !command.run) return -2;
  const { least, open } = countOf(command.args ?? []);
  return open ? -(least + depth) : least + depth;
}

function countOf(args: readonly Argument[]): { least: number; open: boolean } {
  let least = 0;
  let open = false;
  for (const argument of args) {
    if (argument.optional || argument.multiple) open = true;
    if (argument.optional) continue;
    const one = widthOf(argument);
    least += one.least;
    if (one.open) open = true;
  }
  return { least, open };
}

function widthOf(argument: Argument): { least: number; open: boolean } {
  const token = argument.token === undefined ? 0 : 1;
  switch (argument.kind) {
    case 'pure-token':
      return { least: 1, open: false };
    case 'oneof': {
      const widths = (argument.args ?? []).map(widthOf);
      const least = Math.min(...widths.map((w) => w.least));
      const most = Math.max(...widths.map((w) => w.least));
      return { least: least + token, open: least !== most || widths.some((w) => w.open) };
    }
    case 'block': {
      const inner = countOf(argument.args ?? []);
      return { least: inner.least + token, open: inner.open };
    }
    default:
      return { least: 1 + token, open: false };
  }
}

/** Key specifications: given, or read off the grammar for keys that stand at fixed places, repeat, or follow a count. */
export function keySpecsOf(command: Declaration, depth: number): readonly KeySpec[] {
  if (command.keySpecs) return command.keySpecs;
  const args = command.args ?? [];
  const specs: KeySpec[] = [];
  let index = depth;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i];
    const spec = keySpecAt(args, i, index);
    if (spec) specs.push(spec);
    if (argument.optional || argument.multiple) {
      assert(
        !args.slice(i + 1).some(hasKey),
        `${command.name}: keys behind a part of open length need keySpecs of their own`,
      );
      break;
    }
    index += widthOf(argument).least;
  }
  return specs;
}

function hasKey(argument: Argument): boolean {
  return argument.kind === 'key' || (argument.args ?? []).some(hasKey);
}

function keySpecAt(args: readonly Argument[], i: number, index: number): KeySpec | undefined {
  const argument = args[i];
  const token = argument.token === undefined ? 0 : 1;
  if (argument.kind === 'key') {
    const before = args[i - 1];
    if (argument.multiple && before?.kind === 'integer' && before.name === 'numkeys') {
      return {
        access: argument.access ?? 'RO ACCESS',
        begin: { type: 'index', index: index - 1 },
        find: { type: 'keynum', keyNumIndex: 0, firstKey: 1, step: 1 },
      };
    }
    // Arguments of fixed width may follow repeated keys (BLPOP key [key ...] timeout): they count from the end.
    const behind = countOf(args.slice(i + 1)).least;
    return {
      access: argument.access ?? 'RO ACCESS',
      begin: { type: 'index', index: index + token },
      find: { type: 'range', lastKey: argument.multiple ? -1 - behind : 0, step: 1, limit: 0 },
    };
  }
  if (argument.kind === 'block' && argument.multiple && argument.args?.[0].kind === 'key') {
    return {
      access: argument.args[0].access ?? 'RO ACCESS',
      begin: { type: 'index', index: index + token },
      find: { type: 'range', lastKey: -1, step: argument.args.length, limit: 0 },
    };
  }
  return undefined;
}

/** Redis's three old numbers: first key, last key (negative from the end), step. */
export function legacyRange(specs: readonly KeySpec[]): { first: number; last: number; step: number } {
  let first = 0;
  let last = 0;
  let step = 0;
  for (const spec of specs) {
    if (spec.begin.type !== 'index' || spec.find.type !== 'range') continue;
    const at = spec.begin.index;
    const end = spec.find.lastKey >= 0 ? at + spec.find.lastKey : spec.find.lastKey;
    if (first === 0) {
      first = at;
      last = end;
      step = spec.find.step;
    } else if (last >= 0 && at === last + 1) {
      last = end;
    }
  }
  return { first, last, step };
}

/** Whether the old three numbers don't tell all keys. */
export function hasMovableKeys(command: Declaration, specs: readonly KeySpec[]): boolean {
  if (command.keyFinder) return true;
  return specs.some((s) => s.begin.type !== 'index' || s.find.type !== 'range');
}

const GROUP_CATEGORY = new Map<string, string>([
  ['string', 'string'],
  ['list', 'list'],
  ['set', 'set'],
  ['sorted-set', 'sortedset'],
  ['hash', 'hash'],
  ['transactions', 'transaction'],
  ['connection', 'connection'],
  ['scripting', 'scripting'],
  ['hyperloglog', 'hyperloglog'],
  ['geo', 'geo'],
  ['stream', 'stream'],
  ['bitmap', 'bitmap'],
]);

/** ACL categories without their '@', in Redis's order. */
export function categoriesOf(command: Declaration): string[] {
  const flags = new Set(command.flags);
  const set = new Set<string>(command.categories ?? []);
  const group = GROUP_CATEGORY.get(command.group);
  // A container that is nothing by itself leaves its group to its subcommands.
  if (group && (command.run || !command.subcommands)) set.add(group);
  if (flags.has('write')) set.add('write');
  if (flags.has('readonly') && command.group !== 'scripting') set.add('read');
  if (flags.has('admin')) set.add('admin').add('dangerous');
  if (flags.has('pubsub')) set.add('pubsub');
  if (flags.has('blocking')) set.add('blocking');
  set.add(flags.has('fast') ? 'fast' : 'slow');
  return CATEGORIES.filter((name) => set.has(name));
}

/** All ACL categories, in the order of ACL CAT. */
export const CATEGORIES: readonly string[] = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
];

/** The bit of a category, by its name in lower case; 0 where there is none of this name. */
export function categoryBit(name: string): number {
  const index = CATEGORIES.indexOf(name);
  return index < 0 ? 0 : 1 << index;
}
