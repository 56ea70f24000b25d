/**
 * The command lines of the runners: words that name what is run, options with a value, flags. What isn't known ends the
 * process with 2 and the usage: a run lasts for hours, and one of the wrong thing looks like one of the right thing.
 */
import { parseArgs } from 'node:util';

interface Known {
  /** What is typed before the words, as the usage shows it. */
  readonly program: string;
  /** The words that may be given; absent where none may. */
  readonly names?: readonly string[];
  /** The options that have a value, without their dashes. */
  readonly options: readonly string[];
  readonly flags?: readonly string[];
}

export interface CommandLine {
  readonly names: readonly string[];
  flag(name: string): boolean;
  /** The value of an option. */
  word(name: string): string | undefined;
  /** Likewise, one of `choices`. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined;
  number(name: string, usual: number): number;
}

export function commandLine({ program, names = [], options, flags = [] }: Known): CommandLine {
  const refused = (why: string): never => {
    console.error(why);
    console.error(`usage: ${program} ${names.length > 0 ? '[NAME ...] ' : ''}[--OPTION VALUE ...] [--FLAG ...]`);
    for (const [what, known] of Object.entries({ names, options, flags }))
      if (known.length > 0) console.error(`${what}: ${known.join(' ')}`);
    process.exit(2);
  };
  const parsed = (): { positionals: string[]; values: Readonly<Record<string, string | boolean | undefined>> } => {
    try {
      const { positionals, values } = parseArgs({
        allowPositionals: true,
        options: Object.fromEntries([
          ...options.map((name) => [name, { type: 'string' as const }] as const),
          ...flags.map((name) => [name, { type: 'boolean' as const }] as const),
        ]),
      });
      return { positionals, values: values as Record<string, string | boolean | undefined> };
    } catch (error) {
      return refused((error as Error).message);
    }
  };
  const { positionals, values } = parsed();
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) refused(`nothing here is called ${unknown}`);
  const word = (name: string): string | undefined => values[name] as string | undefined;
  return {
    names: positionals,
    flag: (name) => values[name] === true,
    word,
    choice: (name, choices) => {
      const given = word(name);
      if (given === undefined) return undefined;
      return choices.find((choice) => choice === given) ?? refused(`--${name} is one of: ${choices.join(', ')}`);
    },
    number: (name, usual) => {
      const value = Number(word(name) ?? usual);
      return Number.isNaN(value) ? refused(`--${name} wants a number`) : value;
    },
  };
}
