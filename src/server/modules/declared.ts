/** What an owner declares of a command, tested for what it should be: a file may have come without a compiler. */
import { narrow } from '../../base/text.ts';
import type { CommandFlag, Declaration, KeySpec } from '../../engine/declaration.ts';
import { CATEGORIES } from '../../engine/derive.ts';
import type { Argument, ArgumentKind } from '../../engine/grammar.ts';
import type { CustomCommand } from './define.ts';

/** A module can't be loaded; the message says why. */
export class ModuleError extends Error {
  override name = 'ModuleError';
}

const NAME = /^[a-z0-9._-]{1,64}$/i;
/** Names and tokens of arguments. */
const PRINTABLE = /^[ -~]+$/;

const FLAGS: ReadonlySet<string> = new Set([
  'write',
  'readonly',
  'denyoom',
  'admin',
  'fast',
  'noscript',
  'loading',
  'stale',
  'no_multi',
  'allow_busy',
]);

const KINDS: Readonly<Record<ArgumentKind, true>> = {
  string: true,
  integer: true,
  double: true,
  key: true,
  pattern: true,
  'unix-time': true,
  'pure-token': true,
  oneof: true,
  block: true,
};

/** Names under which key specifications have whole numbers, by their types. */
const BEGINNINGS: Readonly<Record<KeySpec['begin']['type'], readonly string[]>> = {
  index: ['index'],
  keyword: ['startFrom'],
  unknown: [],
};
const FINDS: Readonly<Record<KeySpec['find']['type'], readonly string[]>> = {
  range: ['lastKey', 'step', 'limit'],
  keynum: ['keyNumIndex', 'firstKey', 'step'],
  unknown: [],
};

/** Whether a module or a command may be named so. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

/** A declaration as the table takes it; throws a ModuleError. */
export function declarationOf(command: CustomCommand, module: string): Declaration {
  const { name, summary = '', since = '1.0.0', complexity = '', flags = [], categories = [] } = command ?? {};
  if (!isName(name)) throw new ModuleError(`'${name}' is no name of a command`);
  const test = (sound: boolean, what: string): void => {
    if (!sound) throw new ModuleError(`'${name}': ${what}`);
  };
  const { args, arity, keySpecs, run } = command;
  test(typeof run === 'function', 'run should be a function');
  for (const [what, text] of Object.entries({ summary, since, complexity }))
    test(typeof text === 'string', `${what} should be text`);
  test(Array.isArray(flags), 'flags should be a list');
  const flag = flags.find((each) => !FLAGS.has(each));
  test(flag === undefined, `there is no flag '${flag}' for it: ${[...FLAGS].join(', ')}`);
  test(!(flags.includes('write') && flags.includes('readonly')), 'it is declared to write and only to read');
  test(Array.isArray(categories), 'categories should be a list');
  const category = categories.find((each) => !CATEGORIES.includes(each));
  test(category === undefined, `there is no category '${category}'`);
  test(arity === undefined || (Number.isSafeInteger(arity) && arity !== 0), 'arity should be a whole number, not 0');
  test(args === undefined || areArguments(args), 'args should be a list of arguments, as those of `args` are');
  test(keySpecs === undefined || areKeySpecs(keySpecs), 'keySpecs should be a list of key specifications');
  const all: readonly CommandFlag[] = [...flags, 'module'];
  return {
    name: name.toUpperCase(),
    group: 'module',
    module,
    since: narrow(since),
    complexity: narrow(complexity),
    summary: narrow(summary),
    flags: all,
    categories,
    ...(args && { args }),
    ...(arity !== undefined && { arity }),
    ...(keySpecs && { keySpecs }),
  };
}

function areArguments(given: unknown): given is readonly Argument[] {
  return Array.isArray(given) && given.every(isArgument);
}

function isArgument(given: unknown): boolean {
  const { name, kind, token, access, args } = (given ?? {}) as Partial<Argument>;
  const isPrintable = (text: unknown): boolean => typeof text === 'string' && PRINTABLE.test(text);
  if (!isPrintable(name) || typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) return false;
  if (token === undefined ? kind === 'pure-token' : !isPrintable(token)) return false;
  if (access !== undefined && !isPrintable(access)) return false;
  const holdsOthers = kind === 'oneof' || kind === 'block';
  return holdsOthers ? areArguments(args) && args.length > 0 : args === undefined;
}

function areKeySpecs(given: unknown): boolean {
  return Array.isArray(given) && given.every(isKeySpec);
}

function isKeySpec(given: unknown): boolean {
  const { access, begin, find } = (given ?? {}) as Partial<KeySpec>;
  if (typeof access !== 'string' || !PRINTABLE.test(access)) return false;
  if (begin?.type === 'keyword' && typeof begin.keyword !== 'string') return false;
  return hasNumbers(begin, BEGINNINGS) && hasNumbers(find, FINDS);
}

function hasNumbers(given: unknown, names: Readonly<Record<string, readonly string[]>>): boolean {
  const { type, ...rest } = (given ?? {}) as { readonly type?: unknown } & Readonly<Record<string, unknown>>;
  if (typeof type !== 'string' || !Object.hasOwn(names, type)) return false;
  return names[type].every((name) => Number.isSafeInteger(rest[name]));
}
