/**
 * Reads redis.conf, the standard input and the command line, in this order, into a Config.
 *
 * The command line is turned into lines of a configuration file: an argument that begins with -- starts a line, what
 * follows are its words, and the word right after a name is a value even when it begins with --.
 */
import { isAbsolute } from 'node:path';
import { quoted, splitArguments } from '../base/quoting.ts';
import { systemError } from '../base/system-error.ts';
import { widen } from '../base/text.ts';
import { REDIS_VERSION } from '../base/version.ts';
import type { Config } from './config.ts';
import { ConfigError } from './option.ts';
import { expandPattern, hasPattern } from './pattern.ts';

/** The start can't go on; the message is what the standard error shows. */
export class FatalConfigError extends Error {
  override name = 'FatalConfigError';
}

/** A file that can't be read is logged, not shown as a broken one. */
export class UnreadableConfigError extends Error {
  override name = 'UnreadableConfigError';
}

/** A line as it stands in a file. */
export interface Place {
  /** Counted as Redis does, which joins the files of the command line, the standard input and the options to one text. */
  readonly number: number;
  readonly line: string;
  /** Where a person finds it: `/etc/redis.conf, line 3`. */
  readonly where: string;
}

/** A part of the text that is read: from which line of it on, and what it is. */
interface Part {
  readonly from: number;
  readonly name: string;
  /** Whether lines of it are known by their numbers. */
  readonly numbered: boolean;
}

/** Lines that are no settings, taken by the rooms that know what they mean; a text refuses. */
export interface Directives {
  renameCommand(from: string, to: string): string | undefined;
  user(words: readonly string[]): string | undefined;
  loadModule(words: readonly string[]): string | undefined;
  sentinel(words: readonly string[], place: Place): string | undefined;
}

/** Where the configuration comes from, as the command line says it. */
export interface Sources {
  /** The configuration file, as it was given. */
  readonly file: string;
  readonly input: boolean;
  /** The options of the command line as lines. */
  readonly lines: string;
}

const HEADING = `*** FATAL CONFIG FILE ERROR (Redis ${REDIS_VERSION}) ***`;
const TRIMMED = /^[ \t\r\n]+|[ \t\r\n]+$/g;
const MAX_INCLUDES = 64;
/** Settings that Redis takes and forgets. */
const FORGOTTEN = new Set(['list-max-ziplist-entries', 'list-max-ziplist-value']);

export function fatal(text: string): FatalConfigError {
  return new FatalConfigError(`\n${HEADING}\n${text}\n`);
}

/** `hint`: what was expected, behind Redis's words and the place. */
export function fatalAt({ number, line, where }: Place, text: string, hint = ''): FatalConfigError {
  const found = hint === '' ? `(${where})` : `(${where}: ${hint})`;
  return fatal(`Reading the configuration file, at line ${number}\n>>> '${line}'\n${text}\n${found}`);
}

export function readCommandLine(args: readonly string[]): Sources {
  let at = 0;
  let file = '';
  if (args.length > 0 && !args[0].startsWith('-')) file = args[at++];
  let input = false;
  let lines = '';
  let wantsValue = false;
  for (; at < args.length; at++) {
    const arg = args[at];
    const last = at === args.length - 1;
    if ((last || at === 0) && arg === '-') {
      input = true;
    } else if (!wantsValue && arg.startsWith('--')) {
      lines += `${lines === '' ? '' : '\n'}${arg.slice(2)} `;
      const alone = splitArguments(arg)?.length === 1;
      const emptySave = alone && arg.toLowerCase() === '--save' && (last || args[at + 1].startsWith('--'));
      if (emptySave) lines += '""';
      wantsValue = alone && !emptySave && arg.toLowerCase() !== '--sentinel';
    } else {
      lines += `${quoted(arg)} `;
      wantsValue = false;
    }
  }
  return { file, input, lines };
}

/** What the lines take that are no settings. */
const DIRECTIVES: Readonly<Record<string, string>> = {
  include: 'a file, or a pattern of several',
  'rename-command': 'a command and its new name, or "" for none',
  user: 'a name and rules of ACL SETUSER',
  loadmodule: 'a file of JavaScript, and words for it',
};

/** Of how many lines the next character would be the last. */
function lineCount(text: string): number {
  return text.split('\n').length - 1;
}

function whereIn(parts: readonly Part[], number: number): string {
  const part = parts.findLast(({ from }) => from <= number);
  if (part === undefined) return `line ${number + 1}`;
  return part.numbered ? `${part.name}, line ${number - part.from + 1}` : part.name;
}

/** The name that differs in fewest letters, where these are few. */
function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.floor(name.length / 3) + 1);
  for (const each of names) {
    const distance = editDistance(name, each);
    if (distance < least) [best, least] = [each, distance];
  }
  return best;
}

/** How many letters are to be put in, left out or changed to make one word of the other. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[other.length];
}

export class ConfigReader {
  private readonly config: Config;
  private readonly directives: Directives;
  private readonly readInput: () => string;
  private depth = 0;

  /** `readInput` gives all of the standard input, one character a byte. */
  constructor(config: Config, directives: Directives, readInput = () => '') {
    this.config = config;
    this.directives = directives;
    this.readInput = readInput;
  }

  /** Reads everything; throws FatalConfigError or UnreadableConfigError. */
  read(sources: Sources): void {
    const { text: files, parts } = sources.file === '' ? { text: '', parts: [] } : this.readFiles(sources.file);
    let text = files;
    const begin = (name: string, numbered: boolean): void => {
      parts.push({ from: lineCount(text), name, numbered });
    };
    if (sources.input) {
      if (text !== '' && !text.endsWith('\n')) text += '\n';
      begin('the standard input', true);
      text += this.readInput();
    }
    if (sources.lines !== '') {
      text += '\n';
      begin('the command line', false);
      text += sources.lines;
    }
    this.readText(text, parts);
    const { clusterEnabled, raftEnabled, replicaof } = this.config.settings;
    if (raftEnabled && clusterEnabled) throw fatal('cluster-enabled and raft-enabled exclude each other');
    if (raftEnabled && replicaof !== null) throw fatal('replicaof directive not allowed in a group of Raft');
    if (clusterEnabled && replicaof !== null) throw fatal('replicaof directive not allowed in cluster mode');
  }

  readText(text: string, parts: readonly Part[] = []): void {
    const lines = text.split('\n');
    for (let number = 0; number < lines.length; number++) {
      const line = lines[number].replace(TRIMMED, '');
      if (line === '' || line.startsWith('#')) continue;
      try {
        const words = splitArguments(line);
        if (words === undefined) throw new ConfigError('Unbalanced quotes in configuration line');
        if (words.length > 0) this.readWords(words, { number: number + 1, line, where: whereIn(parts, number) });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const place = { number: number + 1, line, where: whereIn(parts, number) };
        throw fatalAt(place, error.message, this.expectation(line));
      }
    }
  }

  /** What the setting of a line would take; of one that there is not, what it may have been meant to be. */
  private expectation(line: string): string {
    const name = line.split(/[ \t]/, 1)[0].toLowerCase();
    const option = this.config.option(name);
    if (option !== undefined) return `${option.name} takes ${option.kind.expects}`;
    if (DIRECTIVES[name] !== undefined) return `${name} takes ${DIRECTIVES[name]}`;
    const near = nearest(name, [...this.config.settingNames(), ...Object.keys(DIRECTIVES)]);
    return near === undefined ? `there is no setting ${name}` : `there is no setting ${name}; is ${near} meant?`;
  }

  private readFiles(name: string): { text: string; parts: Part[] } {
    const { disk, path } = this.config;
    const full = isAbsolute(name) ? name : `${path}/${name}`;
    const files = hasPattern(name) ? expandPattern(disk, full) : [full];
    let text = '';
    const parts: Part[] = [];
    for (const file of files) {
      parts.push({ from: lineCount(text), name: widen(file), numbered: true });
      try {
        text += disk.read(file).toString('latin1');
      } catch (error) {
        throw new UnreadableConfigError(
          `Fatal error, can't open config file '${hasPattern(name) ? file : name}': ${systemError(error)}`,
        );
      }
    }
    return { text, parts };
  }

  private include(name: string): void {
    if (++this.depth > MAX_INCLUDES) throw new ConfigError('Too many levels of include');
    const { text, parts } = this.readFiles(name);
    this.readText(text, parts);
    this.depth--;
  }

  private readWords(words: readonly string[], place: Place): void {
    const name = words[0].toLowerCase();
    if (this.config.has(name)) {
      this.config.load(name, words.slice(1));
      return;
    }
    if (name === 'include' && words.length === 2) {
      this.include(words[1]);
      return;
    }
    if (FORGOTTEN.has(name) && words.length === 2) return;
    // The word alone says nothing: --sentinel is of the command line.
    if (name === 'sentinel' && words.length === 1) return;
    let refused: string | undefined = 'Bad directive or wrong number of arguments';
    if (name === 'rename-command' && words.length === 3) refused = this.directives.renameCommand(words[1], words[2]);
    else if (name === 'user' && words.length >= 2) refused = this.directives.user(words.slice(1));
    else if (name === 'loadmodule' && words.length >= 2) refused = this.directives.loadModule(words.slice(1));
    else if (name === 'sentinel') refused = this.directives.sentinel(words.slice(1), place);
    if (refused !== undefined) throw new ConfigError(refused);
  }
}
