/**
 * The argument grammar in which commands are declared.
 *
 * A command's arguments are listed once, in order; arity, key positions, COMMAND DOCS and the README's table follow from
 * the list (derive.ts). Options that may stand in any order are listed in the order of Redis's documentation.
 *
 *   args: [key('key', 'RW UPDATE'), bytes('value'), optional(oneOf('condition', token('nx', 'NX'), token('xx', 'XX')))]
 */

/** The kinds of argument, by the names that COMMAND DOCS gives them. */
export type ArgumentKind =
  | 'string'
  | 'integer'
  | 'double'
  | 'key'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block';

export interface Argument {
  readonly name: string;
  readonly kind: ArgumentKind;
  /** The word that stands before the argument, or alone for a pure token. */
  readonly token?: string;
  readonly optional?: boolean;
  /** Stands once or more often. */
  readonly multiple?: boolean;
  /** With `multiple`: the token is repeated before each. */
  readonly multipleToken?: boolean;
  /** Of oneof and block. */
  readonly args?: readonly Argument[];
  /** Of a key: what the command does to it, in the words of Redis's key specifications ('RW UPDATE'). */
  readonly access?: string;
  readonly since?: string;
  readonly deprecatedSince?: string;
  readonly summary?: string;
}

type Extra = Partial<Pick<Argument, 'since' | 'deprecatedSince' | 'summary' | 'token'>>;

export const key = (name: string, access: string, extra: Extra = {}): Argument => ({
  name,
  kind: 'key',
  access,
  ...extra,
});
export const bytes = (name: string, extra: Extra = {}): Argument => ({ name, kind: 'string', ...extra });
export const integer = (name: string, extra: Extra = {}): Argument => ({ name, kind: 'integer', ...extra });
export const double = (name: string, extra: Extra = {}): Argument => ({ name, kind: 'double', ...extra });
export const pattern = (name: string, extra: Extra = {}): Argument => ({ name, kind: 'pattern', ...extra });
export const unixTime = (name: string, extra: Extra = {}): Argument => ({ name, kind: 'unix-time', ...extra });
/** A word that stands alone. */
export const token = (name: string, word: string, extra: Extra = {}): Argument => ({
  name,
  kind: 'pure-token',
  ...extra,
  token: word,
});
export const oneOf = (name: string, ...args: Argument[]): Argument => ({ name, kind: 'oneof', args });
/** Arguments that stand together. */
export const block = (name: string, ...args: Argument[]): Argument => ({ name, kind: 'block', args });
/** `word` before an argument: LIMIT offset count is `after('LIMIT', block('limit', ...))`. */
export const after = (word: string, argument: Argument): Argument => ({ ...argument, token: word });
export const optional = (argument: Argument, extra: Extra = {}): Argument => ({
  ...argument,
  ...extra,
  optional: true,
});
/** Once or more often; several arguments repeat together, as a block named after the first. */
export const many = (...args: Argument[]): Argument =>
  args.length === 1
    ? { ...args[0], multiple: true }
    : { name: args.map((a) => a.name).join('_'), kind: 'block', args, multiple: true };
/** A block of the given name, once or more often. */
export const manyOf = (name: string, ...args: Argument[]): Argument => ({ name, kind: 'block', args, multiple: true });
/** Repeats with its token before each: `GET pattern [GET pattern ...]`. */
export const repeated = (argument: Argument): Argument => ({ ...argument, multiple: true, multipleToken: true });
/** The count of keys that follow it. */
export const numkeys = (name = 'numkeys'): Argument => ({ name, kind: 'integer' });
