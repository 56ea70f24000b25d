/**
 * The settings of one server: their values, who may set them, and who is told.
 *
 * CONFIG SET is all or nothing: every value is read first, then all are put in place, then the listeners of what changed
 * are called, each once. A value that can't be read or a listener that refuses puts everything back.
 */
import { resolve } from 'node:path';
import { type Disk, RealDisk } from '../base/disk.ts';
import { globMatch } from '../base/glob.ts';
import { type Slice, shownText, sliceOf } from '../base/slice.ts';
import { systemError } from '../base/system-error.ts';
import { REDIS_7_0, type Version } from '../base/version.ts';
import { ConfigError, fieldName, type Option, optionsIn, type WorkingDirectory } from './option.ts';
import { OPTIONS, type OptionName, type Settings } from './settings.ts';

/** Told after values have changed. A text refuses them, and everything is put back; so does a promise of one. */
export type Listener = (settings: Readonly<Settings>) => string | undefined | Promise<string | undefined>;

/** Undefined is success; otherwise the error that the client gets, without its code 'ERR'. */
export type SetResult = string | undefined | Promise<string | undefined>;

export interface SetContext {
  /** A dump is being loaded. */
  readonly loading: boolean;
  /** The client may set protected settings. */
  readonly mayProtected: boolean;
}

/** Returned by `set` in place of a text when a setting can't be touched while loading. */
export const LOADING = 'LOADING';

interface Entry {
  readonly option: Option;
  readonly field: string;
  value: unknown;
  /** Whether the configuration file or the command line has given it. */
  given: boolean;
}

interface Change {
  readonly entry: Entry;
  readonly name: string;
  readonly before: unknown;
  readonly directoryBefore: string;
}

interface Step {
  readonly name: string;
  readonly listener: Listener;
}

function initialSettings(): Settings {
  const shown = OPTIONS.map((option) => [fieldName(option.name), option.kind.show(option.kind.initial)]);
  return Object.fromEntries(shown) as Settings;
}

export class Config implements WorkingDirectory {
  readonly settings: Settings = initialSettings();
  readonly disk: Disk;
  /** The absolute path of the configuration file; empty without one. */
  file = '';
  path: string;
  /** Told of the setting for which CONFIG SET puts the old values back. */
  onUndone: (name: string) => void = () => {};
  /** By every name and alias, in lower case. */
  private readonly names = new Map<string, Entry>();
  private readonly spellings = new Map<string, Slice>();
  private readonly listeners = new Map<string, Listener[]>();

  /** Settings that came after `version` have their initial values and no names. */
  constructor(disk: Disk = new RealDisk(), version: Version = REDIS_7_0) {
    this.disk = disk;
    this.path = disk.folder;
    for (const option of optionsIn(version, OPTIONS)) {
      const entry: Entry = { option, field: fieldName(option.name), value: option.kind.initial, given: false };
      for (const name of [option.name, ...option.aliases]) this.names.set(name, entry);
    }
    this.put(this.entry('dir'), this.path);
  }

  /** Changes the working directory; of files that the server opens later, not of the process. */
  change(path: string): string {
    const absolute = resolve(this.path, path);
    try {
      this.disk.enter(absolute);
    } catch (error) {
      throw new ConfigError(systemError(error));
    }
    this.path = absolute;
    return absolute;
  }

  /** Asks to be told when one of the settings changes by CONFIG SET. */
  on(names: OptionName | readonly OptionName[], listener: Listener): void {
    for (const name of typeof names === 'string' ? [names] : names) {
      const list = this.listeners.get(name) ?? [];
      list.push(listener);
      this.listeners.set(name, list);
    }
  }

  /** Calls `apply` now and whenever one of the settings changes. */
  follow(names: OptionName | readonly OptionName[], apply: (settings: Readonly<Settings>) => void): void {
    apply(this.settings);
    this.on(names, (settings) => {
      apply(settings);
      return undefined;
    });
  }

  /** The names of all settings, without the older ones. */
  settingNames(): string[] {
    return [...new Set([...this.names.values()].map(({ option }) => option.name))];
  }

  has(name: string): boolean {
    return this.names.has(name.toLowerCase());
  }

  /** The option of that name or alias. */
  option(name: string): Option | undefined {
    return this.names.get(name.toLowerCase())?.option;
  }

  /** The value as CONFIG GET shows it. */
  text(name: string): string {
    const { option, value } = this.entry(name);
    return option.kind.text(value);
  }

  stored(name: string): unknown {
    return this.entry(name).value;
  }

  /** Names and values that match the patterns; a name given in full is answered as it was spelled. */
  get(patterns: readonly Slice[]): Map<string, string> {
    const found = new Map<string, string>();
    const seen = new Set<string>();
    for (const pattern of patterns) {
      const text = pattern.keyword();
      if (!/[[*?]/.test(text)) {
        const name = text.toLowerCase();
        if (this.names.has(name) && !seen.has(name)) found.set(text, this.text(name));
        seen.add(name);
        continue;
      }
      for (const [name, { option, value }] of this.names) {
        if (option.hidden || seen.has(name) || !globMatch(pattern, this.spelled(name), true)) continue;
        seen.add(name);
        found.set(name, option.kind.text(value));
      }
    }
    return found;
  }

  /** A name of a setting as bytes. */
  private spelled(name: string): Slice {
    let bytes = this.spellings.get(name);
    if (bytes === undefined) this.spellings.set(name, (bytes = sliceOf(name)));
    return bytes;
  }

  /** CONFIG SET; `words` are names and values in turn. */
  set(words: readonly string[], context: SetContext): SetResult {
    const refused = this.check(words, context);
    if (refused !== undefined) return refused;
    const changes: Change[] = [];
    for (let i = 0; i < words.length; i += 2) {
      const entry = this.entry(words[i]);
      const change: Change = { entry, name: words[i], before: entry.value, directoryBefore: this.path };
      try {
        this.parse(entry, [words[i + 1]], false);
        changes.push(change);
      } catch (error) {
        this.restore(changes);
        if (error instanceof ConfigError) return failed(words[i], error.message);
        throw error;
      }
    }
    return this.apply(this.steps(changes), 0, changes);
  }

  /** Sets one value from the configuration file or the command line; throws ConfigError. */
  load(name: string, words: readonly string[]): void {
    this.parse(this.entry(name), words, true);
    this.entry(name).given = true;
  }

  /** Sets a value without asking anybody: for what the server itself changes (REPLICAOF) and for embedders. */
  force(name: OptionName, words: readonly string[]): void {
    this.parse(this.entry(name), words, false);
  }

  private entry(name: string): Entry {
    const entry = this.names.get(name.toLowerCase());
    if (!entry) throw new ConfigError('Bad directive or wrong number of arguments');
    return entry;
  }

  private put(entry: Entry, value: unknown): void {
    entry.value = value;
    Reflect.set(this.settings, entry.field, entry.option.kind.show(value));
  }

  private parse(entry: Entry, given: readonly string[], loading: boolean): void {
    const { kind, validate } = entry.option;
    let words = given;
    if (kind.multiple) {
      // One word may hold them all, as CONFIG SET and "--save '900 1'" write it.
      if (words.length === 1 && words[0] !== '') words = words[0].split(' ');
    } else if (words.length !== 1) {
      throw new ConfigError('wrong number of arguments');
    }
    const refused = validate?.(words[0]);
    if (refused !== undefined) throw new ConfigError(refused);
    const value = kind.parse(words, { loading, first: !entry.given, previous: entry.value, directory: this });
    this.put(entry, value);
  }

  /** Looks at all names before anything is set; the first that is wrong decides. */
  private check(words: readonly string[], context: SetContext): string | undefined {
    const seen = new Set<string>();
    for (let i = 0; i < words.length; i += 2) {
      const name = words[i].toLowerCase();
      const option = this.names.get(name)?.option;
      if (!option) return `Unknown option or number of arguments for CONFIG SET - '${shownText(words[i])}'`;
      if (option.immutable) return failed(words[i], "can't set immutable config");
      if (option.protected && !context.mayProtected) return failed(words[i], "can't set protected config");
      if (context.loading && option.denyLoading) return LOADING;
      if (seen.has(name)) return failed(words[i], 'duplicate parameter');
      seen.add(name);
    }
    return undefined;
  }

  /** The listeners of what has changed, each once, with the first name that concerns it. */
  private steps(changes: readonly Change[]): Step[] {
    const steps = new Map<Listener, Step>();
    for (const { entry, name, before } of changes) {
      const { kind, volatile } = entry.option;
      if (!volatile && isSame(kind, before, entry.value)) continue;
      for (const listener of this.listeners.get(entry.option.name) ?? [])
        if (!steps.has(listener)) steps.set(listener, { name, listener });
    }
    return [...steps.values()];
  }

  private apply(steps: readonly Step[], from: number, changes: readonly Change[]): SetResult {
    for (let i = from; i < steps.length; i++) {
      const result = steps[i].listener(this.settings);
      if (result === undefined) continue;
      if (typeof result === 'string') return this.undo(steps, i, changes, result);
      return result.then((text) =>
        text === undefined ? this.apply(steps, i + 1, changes) : this.undo(steps, i, changes, text),
      );
    }
    return undefined;
  }

  /** Puts the old values back and tells those who had already been told of the new ones. */
  private undo(steps: readonly Step[], failedAt: number, changes: readonly Change[], text: string): SetResult {
    this.onUndone(steps[failedAt].name.toLowerCase());
    this.restore(changes);
    const message = failed(steps[failedAt].name, text);
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < failedAt; i++) {
      const result = steps[i].listener(this.settings);
      if (result instanceof Promise) pending.push(result);
    }
    return pending.length === 0 ? message : Promise.allSettled(pending).then(() => message);
  }

  private restore(changes: readonly Change[]): void {
    for (let i = changes.length - 1; i >= 0; i--) {
      this.put(changes[i].entry, changes[i].before);
      this.path = changes[i].directoryBefore;
    }
  }
}

function failed(name: string, reason: string): string {
  return `CONFIG SET failed (possibly related to argument '${shownText(name)}') - ${reason}`;
}

/** Whether a setting has kept its value. Two values may be shown as one text: of bits, Redis names no class twice. */
function isSame({ text }: Option['kind'], before: unknown, now: unknown): boolean {
  return typeof before === 'object' ? text(before) === text(now) : before === now;
}
