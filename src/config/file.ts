/**
 * Reads redis.conf, the standard input and the command line, in this order, into a Config.
 *
 * The command line is turned into lines of a configuration file: an argument that begins with -- starts a line, what
 * follows are its words, and the word right after a name is a value even when it begins with --.
 */
import { quoted, splitArguments } from '../base/quoting.ts';
import { systemError } from '../base/system-error.ts';
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
  readonly number: number;
  readonly line: string;
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

export function fatalAt({ number, line }: Place, text: string): FatalConfigError {
  return fatal(`Reading the configuration file, at line ${number}\n>>> '${line}'\n${text}`);
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
    let text = sources.file === '' ? '' : this.readFiles(sources.file);
    if (sources.input) text += `${text === '' || text.endsWith('\n') ? '' : '\n'}${this.readInput()}`;
    if (sources.lines !== '') text += `\n${sources.lines}`;
    this.readText(text);
    const { clusterEnabled, raftEnabled, replicaof } = this.config.settings;
    if (raftEnabled && clusterEnabled) throw fatal('cluster-enabled and raft-enabled exclude each other');
    if (raftEnabled && replicaof !== null) throw fatal('replicaof directive not allowed in a group of Raft');
    if (clusterEnabled && replicaof !== null) throw fatal('replicaof directive not allowed in cluster mode');
  }

  readText(text: string): void {
    const lines = text.split('\n');
    for (let number = 0; number < lines.length; number++) {
      const line = lines[number].replace(TRIMMED, '');
      if (line === '' || line.startsWith('#')) continue;
      try {
        const words = splitArguments(line);
        if (words === undefined) throw new ConfigError('Unbalanced quotes in configuration line');
        if (words.length > 0) this.readWords(words, { number: number + 1, line });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        throw fatalAt({ number: number + 1, line }, error.message);
      }
    }
  }

  private readFiles(name: string): string {
    const { disk, path } = this.config;
    const full = name.startsWith('/') ? name : `${path}/${name}`;
    const files = hasPattern(name) ? expandPattern(disk, full) : [full];
    let text = '';
    for (const file of files) {
      try {
        text += disk.read(file).toString('latin1');
      } catch (error) {
        throw new UnreadableConfigError(
          `Fatal error, can't open config file '${hasPattern(name) ? file : name}': ${systemError(error)}`,
        );
      }
    }
    return text;
  }

  private include(name: string): void {
    if (++this.depth > MAX_INCLUDES) throw new ConfigError('Too many levels of include');
    this.readText(this.readFiles(name));
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
