/**
 * The manifest of the append-only file: which files hold the data, and in what order they are to be read.
 *
 *   file appendonly.aof.2.base.rdb seq 2 type b       the base: the data as it was when the log was last rewritten
 *   file appendonly.aof.1.incr.aof seq 1 type h       history: superseded, to be removed
 *   file appendonly.aof.4.incr.aof seq 4 type i       increments: what was written since, in the order of their numbers
 *
 * The form is Redis 7.0's, byte for byte. A manifest is a value: whoever changes the set of files makes a copy, changes
 * that, puts it on disk, and only then lets it take the old one's place.
 */
import { quoted, splitArguments } from '../../base/quoting.ts';
import { bytesOf, latin1 } from '../../base/slice.ts';

export type AofFileType = 'b' | 'h' | 'i';

export interface AofFile {
  /** Without a folder; one character a byte. */
  readonly name: string;
  readonly seq: number;
  readonly type: AofFileType;
}

const SUFFIX = '.manifest';
/** Longest line that is read, its end included. */
const LINE_BYTES = 1024;
const INVALID = 'Invalid AOF manifest file format';
const LINE_FEED = 10;

/** Why a manifest can't be used, with the line that is to blame where there is one. */
export class ManifestError extends Error {
  override name = 'ManifestError';
  readonly line: number;
  readonly text: string | null;

  constructor(message: string, line = 0, text: string | null = null) {
    super(message);
    this.line = line;
    this.text = text;
  }

  /** The lines that the log tells of it. */
  get report(): string[] {
    const lines = ['\n*** FATAL AOF MANIFEST FILE ERROR ***\n'];
    if (this.text !== null) lines.push(`Reading the manifest file, at line ${this.line}\n`, `>>> '${this.text}'\n`);
    return [...lines, `${this.message}\n`];
  }
}

/** Name of the manifest of the log whose files begin with `prefix` (appendfilename). */
export function manifestName(prefix: string): string {
  return prefix + SUFFIX;
}

export function temporaryManifestName(prefix: string): string {
  return `temp-${prefix}${SUFFIX}`;
}

/** Where writes go while the first base of a log that is being turned on is made. */
export function temporaryIncrementName(prefix: string): string {
  return `temp-${prefix}.incr`;
}

export class Manifest {
  base: AofFile | null = null;
  /** The latest first. */
  history: AofFile[] = [];
  increments: AofFile[] = [];
  private baseSeq = 0;
  private incrementSeq = 0;

  /** Reads a manifest; throws ManifestError. */
  static parse(bytes: Uint8Array): Manifest {
    const manifest = new Manifest();
    if (bytes.length === 0) throw new ManifestError('Found an empty AOF manifest');
    for (let at = 0, line = 1; at < bytes.length; line++) {
      const end = endOfLine(bytes, at);
      const text = latin1(bytes, at, end - at);
      at = end;
      if (text.startsWith('#')) continue;
      if (!text.endsWith('\n') || text.includes('\0'))
        throw new ManifestError('The AOF manifest file contains too long line');
      manifest.take(text, line);
    }
    return manifest;
  }

  /** Whether it names no file that holds data. */
  get empty(): boolean {
    return this.base === null && this.increments.length === 0;
  }

  /** The files that hold the data, in the order in which they are to be read. */
  get files(): readonly AofFile[] {
    return this.base === null ? this.increments : [this.base, ...this.increments];
  }

  copy(): Manifest {
    const copy = new Manifest();
    copy.base = this.base;
    copy.history = [...this.history];
    copy.increments = [...this.increments];
    copy.baseSeq = this.baseSeq;
    copy.incrementSeq = this.incrementSeq;
    return copy;
  }

  format(): Uint8Array {
    const { base, history, increments } = this;
    const files = base === null ? [...history, ...increments] : [base, ...history, ...increments];
    return bytesOf(files.map(({ name, seq, type }) => `file ${shownName(name)} seq ${seq} type ${type}\n`).join(''));
  }

  /** Enters a new base in the old one's place, which becomes history. */
  newBase(prefix: string, format: 'rdb' | 'aof'): AofFile {
    this.retireBase();
    const seq = ++this.baseSeq;
    this.base = { name: `${prefix}.${seq}.base.${format}`, seq, type: 'b' };
    return this.base;
  }

  /** Enters the one file of a log of before Redis 7 as the base. */
  adopt(name: string): void {
    this.baseSeq = 1;
    this.base = { name, seq: 1, type: 'b' };
  }

  newIncrement(prefix: string): AofFile {
    const seq = ++this.incrementSeq;
    const file: AofFile = { name: `${prefix}.${seq}.incr.aof`, seq, type: 'i' };
    this.increments.push(file);
    return file;
  }

  /** What a new base holds already becomes history: all increments but the last `keep`. */
  retireIncrements(keep: number): void {
    const count = this.increments.length - keep;
    const superseded = this.increments.splice(0, Math.max(0, count));
    this.history.unshift(...superseded.map(({ name, seq }): AofFile => ({ name, seq, type: 'h' })));
  }

  private retireBase(): void {
    if (this.base === null) return;
    this.history.unshift({ name: this.base.name, seq: this.base.seq, type: 'h' });
    this.base = null;
  }

  private take(text: string, line: number): void {
    const trimmed = trim(text);
    const words = trimmed === '' ? undefined : splitArguments(trimmed);
    const fault = words === undefined ? INVALID : this.takeWords(words);
    if (fault !== undefined) throw new ManifestError(fault, line, trimmed);
  }

  /** Takes what a line says; answers what is wrong with it, if anything. */
  private takeWords(words: readonly string[]): string | undefined {
    // More words than are known are let through: a later version may say more of a file.
    if (words.length < 6 || words.length % 2 !== 0) return INVALID;
    let name: string | undefined;
    let seq = 0;
    let type = '';
    for (let i = 0; i < words.length; i += 2) {
      const value = words[i + 1];
      const key = words[i].toLowerCase();
      if (key === 'file') {
        name = value;
        if (value.includes('/')) return "File can't be a path, just a filename";
      } else if (key === 'seq') seq = leadingInteger(value);
      else if (key === 'type') type = value.slice(0, 1);
    }
    if (name === undefined || seq === 0 || type === '') return INVALID;
    return this.enter(name, seq, type);
  }

  private enter(name: string, seq: number, type: string): string | undefined {
    if (type === 'b') {
      if (this.base !== null) return 'Found duplicate base file information';
      this.base = { name, seq, type };
      this.baseSeq = seq;
    } else if (type === 'h') {
      this.history.push({ name, seq, type });
    } else if (type === 'i') {
      if (seq <= this.incrementSeq) return 'Found a non-monotonic sequence number';
      this.increments.push({ name, seq, type });
      this.incrementSeq = seq;
    } else return 'Unknown AOF file type';
    return undefined;
  }
}

/** The end of the line that begins at `at`, its line feed included; no more than the longest line away. */
function endOfLine(bytes: Uint8Array, at: number): number {
  const most = Math.min(bytes.length, at + LINE_BYTES);
  const end = bytes.indexOf(LINE_FEED, at);
  return end < 0 || end >= most ? most : end + 1;
}

const TRIMMED = ' \t\r\n';

function trim(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && TRIMMED.includes(text[from])) from++;
  while (to > from && TRIMMED.includes(text[to - 1])) to--;
  return text.slice(from, to);
}

/** The number that a text begins with, 0 where it begins with none. */
function leadingInteger(text: string): number {
  const value = Number.parseInt(text, 10);
  if (Number.isNaN(value)) return 0;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
}

/** The name as it stands in the file: in quotes where it would not be read back as one word otherwise. */
function shownName(name: string): string {
  for (const c of name) {
    const code = c.charCodeAt(0);
    if (code <= 32 || code >= 127 || c === '"' || c === "'" || c === '\\') return quoted(name);
  }
  return name === '' ? '""' : name;
}
