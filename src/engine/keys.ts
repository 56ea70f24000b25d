/**
 * Where the keys of a command with its arguments are: for COMMAND GETKEYS, and for whoever must know keys before a command
 * runs (ACL, cluster routing, tracking).
 */
import { INT64_MAX, parseInt64, parseInteger } from '../base/numbers.ts';
import { isWord, type Slice } from '../base/slice.ts';
import { slotOf } from '../keyspace/slot.ts';
import type { KeySpec } from './declaration.ts';
import { flagBit } from './derive.ts';
import type { Registered } from './table.ts';

export interface KeyPosition {
  /** Position in the arguments. */
  readonly at: number;
  /** Of the specification that found it: 'RW UPDATE'. */
  readonly access: string;
}

/** Whether any of a command's arguments can be a key. */
export function hasKeys({ command, keySpecs }: Registered): boolean {
  return command.keyFinder !== undefined || keySpecs.some((spec) => !spec.access.includes('NOT_KEY'));
}

/** Positions of the keys; undefined when the arguments make no sense. */
export function findKeys(
  registered: Registered,
  args: readonly Slice[],
  argc: number,
): readonly KeyPosition[] | undefined {
  const { keySpecs, command } = registered;
  const access = command.keyAccess?.({ argc, arg: (i) => args[i] });
  if (command.keyFinder) {
    const positions = command.keyFinder({ argc, arg: (i) => args[i] });
    const declared = (i: number): string => (i === 0 ? keySpecs[0] : keySpecs.at(-1))?.access ?? 'RW';
    return positions?.map((at, i) => ({ at, access: access ?? declared(i) }));
  }
  const keys: KeyPosition[] = [];
  for (const spec of keySpecs) {
    if (spec.access.includes('NOT_KEY')) continue;
    const begin = beginning(spec, args, argc);
    if (begin === 0) continue;
    if (!addKeys(access === undefined ? spec : { ...spec, access }, begin, args, argc, keys))
      return looseKeys(keySpecs, args, argc);
  }
  return keys;
}

const PLUS = 43;
const MINUS = 45;
const ZERO = 48;
const MOVABLE = flagBit('movablekeys');
/** The command has no keys. */
export const NO_SLOT = -1;
/** Its keys are of several slots. */
export const CROSS_SLOT = -2;

/** Who may know the slot of a key without working it out. */
export interface SlotSource {
  slotOf(key: Slice): number;
}

/**
 * The slot of the keys of a command whose number of arguments is right; NO_SLOT or CROSS_SLOT. Channels of shards count as
 * keys, as they do in Redis's routing. Where the declaration alone says where the keys are (by far most commands), nothing
 * is allocated.
 */
export function slotOfKeys(
  registered: Registered,
  args: readonly Slice[],
  argc: number,
  source: SlotSource | null = null,
): number {
  if (registered.has(MOVABLE)) return slotOfFound(registered, args, argc);
  const { first, last, step } = registered.legacy;
  if (first === 0) return NO_SLOT;
  const end = last < 0 ? argc + last : last;
  // Too few arguments for the declaration: the command will say so.
  if (end >= argc || end < first) return NO_SLOT;
  const slot = source === null ? slotOf(args[first]) : source.slotOf(args[first]);
  for (let i = first + step; i <= end; i += step) if (slotOf(args[i]) !== slot) return CROSS_SLOT;
  return slot;
}

function slotOfFound(registered: Registered, args: readonly Slice[], argc: number): number {
  let slot = NO_SLOT;
  for (const { at } of findKeys(registered, args, argc) ?? []) {
    if (at >= argc) continue;
    const next = slotOf(args[at]);
    if (slot !== NO_SLOT && slot !== next) return CROSS_SLOT;
    slot = next;
  }
  return slot;
}

/** The keys that `slotOfKeys` goes by. */
export function routedKeys(registered: Registered, args: readonly Slice[], argc: number): Slice[] {
  if (registered.has(MOVABLE)) {
    const positions = findKeys(registered, args, argc) ?? [];
    return positions.filter(({ at }) => at < argc).map(({ at }) => args[at]);
  }
  const { first, last, step } = registered.legacy;
  const end = last < 0 ? argc + last : last;
  if (first === 0 || end >= argc || end < first) return [];
  const keys: Slice[] = [];
  for (let i = first; i <= end; i += step) keys.push(args[i]);
  return keys;
}

/**
 * What Redis falls back to when a count of keys is none by its own rules: the count as C's atoi reads it (`+2`, `2x`), the
 * counted keys before any other, and nothing said of what is done to them.
 */
function looseKeys(specs: readonly KeySpec[], args: readonly Slice[], argc: number): KeyPosition[] | undefined {
  const keys: KeyPosition[] = [];
  const others: KeyPosition[] = [];
  for (const spec of specs) {
    const begin = beginning(spec, args, argc);
    const { find } = spec;
    if (find.type !== 'keynum') {
      others.push({ at: begin, access: '' });
      continue;
    }
    const at = begin + find.keyNumIndex;
    const first = begin + find.firstKey;
    const count = at < argc ? atoi(args[at]) : 0;
    if (!(count >= 1 && count <= (argc - first) / find.step)) return undefined;
    for (let i = 0; i < count; i++) keys.push({ at: first + i * find.step, access: '' });
  }
  return keys.length === 0 ? undefined : [...keys, ...others];
}

/** A count as a C int holds it. */
function int32(count: number, text: Slice): number {
  return count < 2 ** 31 ? count : Number(BigInt.asIntN(32, parseInt64(text) ?? 0n));
}

/** The integer with which a text begins, as a C program takes it: clamped to 64 bits, then the lower 32 of them. */
function atoi(text: Slice): number {
  let at = 0;
  while (at < text.length && isSpace(text.at(at))) at++;
  const sign = at < text.length ? text.at(at) : 0;
  if (sign === PLUS || sign === MINUS) at++;
  const limit = sign === MINUS ? INT64_MAX + 1n : INT64_MAX;
  let value = 0n;
  for (; at < text.length && value < limit; at++) {
    const digit = text.at(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10n + BigInt(digit);
  }
  if (value > limit) value = limit;
  return Number(BigInt.asIntN(32, sign === MINUS ? -value : value));
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** Where a specification's search begins, 0 when its keyword isn't there. */
function beginning({ begin }: KeySpec, args: readonly Slice[], argc: number): number {
  if (begin.type === 'index') return begin.index;
  if (begin.type === 'unknown') return 0;
  const backwards = begin.startFrom < 0;
  const start = backwards ? argc + begin.startFrom : begin.startFrom;
  const step = backwards ? -1 : 1;
  for (let i = start; backwards ? i > 0 : i < argc - 1; i += step)
    if (i < argc && isWord(args[i], begin.keyword.toUpperCase())) return i + 1;
  return 0;
}

function addKeys(spec: KeySpec, begin: number, args: readonly Slice[], argc: number, keys: KeyPosition[]): boolean {
  const { find, access } = spec;
  let first = begin;
  let last = begin;
  let step = 1;
  if (find.type === 'unknown') return true;
  if (find.type === 'range') {
    step = find.step;
    if (find.lastKey >= 0) last = first + find.lastKey;
    else if (find.limit <= 1) last = argc + find.lastKey;
    else last = first + Math.floor((argc - first) / find.limit) + find.lastKey;
  } else {
    const at = begin + find.keyNumIndex;
    const count = at < argc ? parseInteger(args[at]) : Number.NaN;
    if (!(count >= 0)) return false;
    step = find.step;
    first = begin + find.firstKey;
    last = first + (int32(count, args[at]) - 1) * step;
  }
  if (last >= argc || last < first || first >= argc) return false;
  for (let i = first; i <= last; i += step) keys.push({ at: i, access });
  return true;
}
