/**
 * The plain kinds of setting: yes or no, whole numbers, amounts of memory, words of a list, strings.
 * Numbers are stored exactly (bounds go up to 2^64 - 1) and shown to the server as numbers.
 */
import { parseInt64 } from '../base/numbers.ts';
import { quoted } from '../base/quoting.ts';
import { sliceOf } from '../base/slice.ts';
import { ConfigError, type Kind, type RewriteLine } from './option.ts';

export const INT_MAX = 2147483647n;
export const INT_MIN = -2147483648n;
export const UINT_MAX = 4294967295n;
export const LONG_MAX = 9223372036854775807n;
const ULONG_MAX = 18446744073709551615n;

/** A whole number, or its decimal text. */
export type WholeNumber = number | bigint | `${number}`;

type Unit = 'b' | 'k' | 'kb' | 'm' | 'mb' | 'g' | 'gb';

/** Bytes, or an amount with its unit: `'100mb'`. */
export type Amount = WholeNumber | `${number}${Unit | Uppercase<Unit>}`;

/** A word; where those of yes and no are among them, true and false as well. */
type Word<W extends string> = W | ('yes' extends W ? true : never) | ('no' extends W ? false : never);

/** Several words: together in one text, or one by one. */
export type Words = string | readonly (string | number)[];

function line(text: string, force: boolean): RewriteLine[] {
  return [{ text, force }];
}

export function bool(
  initial: boolean,
  check?: (value: boolean) => string | undefined,
): Kind<boolean, boolean, boolean | 'yes' | 'no'> {
  return {
    initial,
    expects: 'yes or no',
    multiple: false,
    parse([word]) {
      const value = word.toLowerCase() === 'yes' ? true : word.toLowerCase() === 'no' ? false : undefined;
      if (value === undefined) throw new ConfigError("argument must be 'yes' or 'no'");
      const refused = check?.(value);
      if (refused !== undefined) throw new ConfigError(refused);
      return value;
    },
    show: (value) => value,
    text: (value) => (value ? 'yes' : 'no'),
    rewrite: (name, value) => line(`${name} ${value ? 'yes' : 'no'}`, value !== initial),
  };
}

function checkRange(value: bigint, min: bigint, max: bigint, radix = 10): bigint {
  if (value < min || value > max)
    throw new ConfigError(`argument must be between ${min.toString(radix)} and ${max.toString(radix)} inclusive`);
  return value;
}

export function integer(
  initial: number,
  min: bigint,
  max: bigint,
  limit?: (value: bigint) => bigint,
): Kind<number, bigint, WholeNumber> {
  const first = BigInt(initial);
  return {
    initial: first,
    expects: `a whole number from ${min} to ${max}`,
    multiple: false,
    parse([word]) {
      const value = parseInt64(sliceOf(word));
      if (value === undefined) throw new ConfigError("argument couldn't be parsed into an integer");
      checkRange(value, min, max);
      return limit ? limit(value) : value;
    },
    show: Number,
    text: String,
    rewrite: (name, value) => line(`${name} ${value}`, value !== first),
  };
}

/** A file's permissions. */
export function octal(initial: number, max: bigint): Kind<number, bigint, `${number}`> {
  const first = BigInt(initial);
  return {
    initial: first,
    expects: 'permissions in octal, such as 755',
    multiple: false,
    parse([word]) {
      if (!/^[+-]?[0-7]+$/.test(word)) throw new ConfigError("argument couldn't be parsed as an octal number");
      const digits = BigInt(`0o${word.replace(/^[+-]/, '')}`);
      if (digits > LONG_MAX) throw new ConfigError("argument couldn't be parsed as an octal number");
      return checkRange(word.startsWith('-') ? -digits : digits, 0n, max, 8);
    },
    show: Number,
    text: (value) => value.toString(8),
    rewrite: (name, value) => line(`${name} ${value.toString(8)}`, value !== first),
  };
}

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['b', 1n],
  ['k', 1000n],
  ['kb', 1024n],
  ['m', 1000000n],
  ['mb', 1048576n],
  ['g', 1000000000n],
  ['gb', 1073741824n],
]);

/** An amount of memory with its unit, in 64 bits as C counts them; undefined where it is none. */
export function parseMemory(word: string): bigint | undefined {
  const parts = /^([0-9]+)([a-z]*)$/i.exec(word);
  const unit = parts ? UNITS.get(parts[2].toLowerCase()) : undefined;
  if (!parts || unit === undefined) return undefined;
  const digits = BigInt(parts[1]);
  return BigInt.asUintN(64, (digits > ULONG_MAX ? ULONG_MAX : digits) * unit);
}

export function memoryText(bytes: bigint): string {
  for (const [unit, size] of [
    ['gb', 1073741824n],
    ['mb', 1048576n],
    ['kb', 1024n],
  ] as const)
    if (bytes !== 0n && bytes % size === 0n) return `${bytes / size}${unit}`;
  return String(bytes);
}

export interface MemoryRules {
  readonly min?: bigint;
  readonly max?: bigint;
  readonly limit?: (value: bigint) => bigint;
}

export function memory(initial: number, rules: MemoryRules = {}): Kind<number, bigint, Amount> {
  const first = BigInt(initial);
  const { min = 0n, max = LONG_MAX, limit } = rules;
  return {
    initial: first,
    expects: 'an amount of memory, such as 100mb or 1gb',
    multiple: false,
    parse([word]) {
      const bytes = parseMemory(word);
      if (bytes === undefined) throw new ConfigError('argument must be a memory value');
      const value = checkRange(max > LONG_MAX ? bytes : BigInt.asIntN(64, bytes), min, max);
      return limit ? limit(value) : value;
    },
    show: Number,
    text: String,
    rewrite: (name, value) => line(`${name} ${memoryText(value)}`, value !== first),
  };
}

/** Without a bound but that of 64 bits. */
export function unsignedMemory(initial: number): Kind<number, bigint, Amount> {
  return memory(initial, { max: ULONG_MAX });
}

/** An amount of memory, or a share: shares are kept and shown as negative numbers of percent. */
export function memoryOrPercent(initial: number): Kind<number, bigint, Amount | `${number}%`> {
  const first = BigInt(initial);
  const text = (value: bigint) => (value < 0n ? `${-value}%` : String(value));
  return {
    initial: first,
    expects: 'an amount of memory, such as 100mb, or a share, such as 10%',
    multiple: false,
    parse([word]) {
      const share = /^([0-9]+)%$/.exec(word);
      if (share) {
        const percent = BigInt(share[1]);
        if (percent > 100n) throw new ConfigError('percentage argument must be less or equal to 100');
        return -percent;
      }
      const bytes = parseMemory(word);
      if (bytes === undefined) throw new ConfigError('argument must be a memory or percent value');
      return bytes;
    },
    show: Number,
    text,
    rewrite: (name, value) => line(`${name} ${value < 0n ? text(value) : memoryText(value)}`, value !== first),
  };
}

function wordList(words: readonly string[]): string {
  return `argument(s) must be one of the following: ${words.join(', ')}`;
}

export function word<const W extends readonly string[]>(
  initial: W[number],
  words: W,
): Kind<W[number], W[number], Word<W[number]>> {
  return {
    initial,
    expects: `one of ${words.join(', ')}`,
    multiple: false,
    parse([given]) {
      const found = words.find((each) => each === given.toLowerCase());
      if (found === undefined) throw new ConfigError(wordList(words));
      return found;
    },
    show: (value) => value,
    text: (value) => value,
    rewrite: (name, value) => line(`${name} ${value}`, value !== initial),
  };
}

/** Several words at once; the first of the list stands for none. */
export function flags<const W extends readonly string[]>(
  words: W,
  check: (set: ReadonlySet<string>) => string | undefined,
): Kind<ReadonlySet<string>, ReadonlySet<string>, W[number] | readonly W[number][]> {
  const text = (set: ReadonlySet<string>) =>
    set.size === 0 ? words[0] : words.filter((each) => set.has(each)).join(' ');
  return {
    initial: new Set(),
    expects: `${words[0]}, or some of ${words.slice(1).join(', ')}`,
    multiple: true,
    parse(given) {
      if (given.length === 0) throw new ConfigError(wordList(words));
      const set = new Set<string>();
      for (const each of given) {
        const found = words.indexOf(each.toLowerCase());
        if (found < 0) throw new ConfigError(wordList(words));
        if (found > 0) set.add(words[found]);
      }
      const refused = check(set);
      if (refused !== undefined) throw new ConfigError(refused);
      return set;
    },
    show: (set) => set,
    text,
    rewrite: (name, set) => line(`${name} ${text(set)}`, set.size !== 0),
  };
}

export interface StringRules {
  /** An empty value means that there is none, and the rewritten file leaves it out. */
  readonly emptyIsNone?: boolean;
  readonly check?: (value: string) => string | undefined;
}

export function string(initial: string, rules: StringRules = {}): Kind<string, string> {
  return {
    initial,
    expects: 'one word, in quotes where it has spaces',
    multiple: false,
    parse([value]) {
      const refused = rules.check?.(value);
      if (refused !== undefined) throw new ConfigError(refused);
      return value;
    },
    show: (value) => value,
    text: (value) => value,
    rewrite(name, value) {
      if (value === '' && rules.emptyIsNone) return [];
      return line(`${name} ${quoted(value)}`, value !== initial);
    },
  };
}
