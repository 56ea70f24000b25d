/**
 * Declares settings: a name, a kind (kinds.ts) and the rules of who may set it when.
 *
 * A room lists its settings as a tuple; from the tuples of all rooms the type `Settings` follows (settings.ts), so that
 * `settings.maxmemoryPolicy` is known to the compiler to be one of eight words.
 */
import { existsIn, type Version } from '../base/version.ts';

/** A value that can't be had; the text is what the client or the start-up error shows. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** What a special setting needs to know while its words are read. */
export interface ParseContext<Stored> {
  /** While the configuration file and the command line are read, as opposed to CONFIG SET. */
  readonly loading: boolean;
  /** The first time that this setting is given since the start. */
  readonly first: boolean;
  readonly previous: Stored;
  /** The server's working directory, and the way to change it. */
  readonly directory: WorkingDirectory;
}

export interface WorkingDirectory {
  readonly path: string;
  /** Changes to `path`, taken relative to the present one; returns the new absolute path or throws ConfigError. */
  change(path: string): string;
}

/** A line of the rewritten file; one that isn't forced is written only where the file already has the setting. */
export interface RewriteLine {
  readonly text: string;
  readonly force: boolean;
}

/**
 * How the values of a setting are read, kept and shown. `Stored` is exact; `Shown` is what the server reads; `Given` is what who
 * embeds a server may write, as the compiler checks it.
 */
export interface Kind<Shown, Stored, Given = string> {
  /** For the compiler only: never there. */
  readonly given?: Given;
  readonly initial: Stored;
  /** What a value is, for who has given another: `an amount of memory, such as 100mb`. */
  readonly expects: string;
  /** Takes any number of words; otherwise exactly one. */
  readonly multiple: boolean;
  parse(words: readonly string[], context: ParseContext<Stored>): Stored;
  show(value: Stored): Shown;
  /** As CONFIG GET shows it. */
  text(value: Stored): string;
  rewrite(name: string, value: Stored): RewriteLine[];
}

export interface OptionRules<Alias extends string = string> {
  readonly aliases?: readonly Alias[];
  /** The version of Redis that it came with; absent where every version that we behave as has it. */
  readonly since?: string;
  /** Can't be set while running. */
  readonly immutable?: boolean;
  /** Hidden from SLOWLOG and MONITOR. */
  readonly sensitive?: boolean;
  /** CONFIG SET needs enable-protected-configs. */
  readonly protected?: boolean;
  /** Can't be set while a dump is loaded. */
  readonly denyLoading?: boolean;
  /** Shown only when asked for by its full name. */
  readonly hidden?: boolean;
  /** The value names something that may have changed though the value has not: setting it again counts as a change. */
  readonly volatile?: boolean;
  /** Refuses values of the right kind, with the text returned. */
  readonly validate?: (text: string) => string | undefined;
}

export interface Option<
  Name extends string = string,
  Shown = unknown,
  Stored = unknown,
  Given = unknown,
  Alias extends string = string,
> extends OptionRules<Alias> {
  readonly name: Name;
  readonly aliases: readonly Alias[];
  readonly kind: Kind<Shown, Stored, Given>;
  /** The comment above it in redis.conf.example. */
  readonly about: string;
}

/** The settings that a version has. */
export function optionsIn(version: Version, options: readonly Option[]): readonly Option[] {
  return options.filter(({ since }) => existsIn(version, since));
}

export function option<const Name extends string, Shown, Stored, Given, const Alias extends string = never>(
  name: Name,
  kind: Kind<Shown, Stored, Given>,
  about: string,
  rules: OptionRules<Alias> = {},
): Option<Name, Shown, Stored, Given, Alias> {
  return Object.freeze({ ...rules, name, kind, about, aliases: rules.aliases ?? [] });
}

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name extends `${infer Head}_${infer Tail}`
    ? `${Head}${Capitalize<Camel<Tail>>}`
    : Name;

/** The plain object that the server reads its settings from: one field an option, its name in camel case. */
export type SettingsOf<Options extends readonly Option[]> = {
  -readonly [O in Options[number] as Camel<O['name']>]: O['kind'] extends { show(value: never): infer Shown }
    ? Shown
    : never;
};

/** What may be given for settings, by their names and the older ones. */
export type GivenOf<Options extends readonly Option[]> = {
  readonly [O in Options[number] as O['name'] | O['aliases'][number]]?: Exclude<O['kind']['given'], undefined>;
};

/** 'hash-max-listpack-entries' is read as `settings.hashMaxListpackEntries`. */
export function fieldName(name: string): string {
  return name.replace(/[-_](.)/g, (_, c: string) => c.toUpperCase());
}
