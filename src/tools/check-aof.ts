/**
 * `cinnabar check-aof [--fix|--truncate-to-timestamp T] FILE`: whether an append-only file, or all files that a manifest
 * names, are sound; in the output and with the exit codes of redis-check-aof 7.0.15. With --fix the last file is cut off
 * where it is not sound any more, if the one who is asked wants it; with a timestamp where a later time begins.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { systemError } from '../base/system-error.ts';
import { narrow, widen } from '../base/text.ts';
import { Manifest, ManifestError } from '../persistence/aof/manifest.ts';
import { logTime } from '../server/log.ts';
import { AnnotationError, leadingNumber, RecordCheck } from './aof-records.ts';
import { ByteFile } from './byte-file.ts';
import { type Print, RdbCheck } from './check-rdb.ts';

const SIGNATURE = 'REDIS';
/** A shorter file is no snapshot. */
const LEAST_SNAPSHOT = 8;
const MANIFEST_LINE = 1023;

/** Where the tool's text goes, and who answers its question. */
export interface CheckIo {
  /** One character a byte. */
  readonly print: Print;
  /** What is typed, up to the end of the line or of the input. */
  ask(): Promise<string>;
}

/** The check ends with this exit code; what there is to say has been said. */
class Ended extends Error {
  override name = 'Ended';
  readonly code: number;

  constructor(code: number) {
    super(`exit code ${code}`);
    this.code = code;
  }
}

/** One file, as it is opened and as it is called. */
interface Subject {
  readonly path: string;
  readonly name: string;
  /** It may be cut off. */
  readonly last: boolean;
  /** It may begin with a snapshot. */
  readonly base: boolean;
}

type Finding = 'valid' | 'empty' | 'fixed' | 'cut';

/** The tool, called as `program`; returns the exit code. */
export async function checkAof(program: string, args: readonly string[], io: CheckIo): Promise<number> {
  let fix = false;
  let until: number | bigint = 0;
  let path = args[0];
  if (args.length === 2 && args[0] === '--fix') {
    fix = true;
    path = args[1];
  } else if (args.length === 3 && args[0] === '--truncate-to-timestamp') {
    const bytes = Buffer.from(`${args[1]}\0`, 'utf8');
    const { value, end } = leadingNumber(bytes, 0);
    if (end !== bytes.length - 1) {
      io.print('Invalid timestamp, aborting...\n');
      return 1;
    }
    until = value;
    path = args[2];
  } else if (args.length !== 1) {
    io.print(`Usage: ${program} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n`);
    return 1;
  }
  try {
    const check = new AofCheck(io, fix, until);
    const file = narrow(path);
    if (!check.isSnapshot(file) && check.isManifest(file)) await check.manifest(file);
    else await check.single(file);
    return 0;
  } catch (error) {
    if (error instanceof Ended) return error.code;
    throw error;
  }
}

class AofCheck {
  private readonly io: CheckIo;
  private readonly fix: boolean;
  private readonly until: number | bigint;
  /** Of all files together. */
  private readonly lines = { count: 1 };

  constructor(io: CheckIo, fix: boolean, until: number | bigint) {
    this.io = io;
    this.fix = fix;
    this.until = until;
  }

  private say(text: string): void {
    this.io.print(`${text}\n`);
  }

  private end(text: string): never {
    this.say(text);
    throw new Ended(1);
  }

  // What kind of file it is.

  isSnapshot(path: string): boolean {
    return this.reading(path, (fd) => beginsWithSnapshot(fd));
  }

  isManifest(path: string): boolean {
    return this.reading(path, (fd) => {
      try {
        return beginsAsManifest(fd);
      } catch {
        return this.end(`Cannot read file: ${path}`);
      }
    });
  }

  private reading<T>(path: string, look: (fd: number) => T): T {
    let fd: number;
    try {
      fd = fs.openSync(widen(path), 'r');
    } catch (error) {
      return this.end(`Cannot open file ${path}: ${systemError(error)}`);
    }
    try {
      return look(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  // The files.

  /** A file of before Redis 7, or one of the files of a log by itself. */
  async single(path: string): Promise<void> {
    this.say('Start checking Old-Style AOF');
    const subject = { path, name: path, last: true, base: true };
    this.tell('AOF', subject.name, await this.file(subject));
  }

  async manifest(path: string): Promise<void> {
    this.say('Start checking Multi Part AOF');
    const { base, increments } = this.load(path);
    const folder = dirname(path);
    const subject = (name: string, last: boolean, isBase: boolean): Subject => ({
      path: `${folder}/${name}`,
      name,
      last,
      base: isBase,
    });
    if (base !== null) {
      const last = increments.length === 0;
      const format = this.isSnapshot(`${folder}/${base.name}`) ? 'RDB' : 'RESP';
      this.say(`Start to check BASE AOF (${format} format).`);
      this.tell('BASE AOF', base.name, await this.file(subject(base.name, last, true)));
    }
    if (increments.length > 0) this.say('Start to check INCR files.');
    for (const { name } of increments)
      this.tell('INCR AOF', name, await this.file(subject(name, name === increments.at(-1)!.name, false)));
    this.say('All AOF files and manifest are valid');
  }

  private load(path: string): Manifest {
    try {
      return Manifest.parse(fs.readFileSync(widen(path)));
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      for (const line of error.report) this.say(`${process.pid}:C ${logTime(Date.now())} # ${line}`);
      throw new Ended(1);
    }
  }

  private tell(kind: string, name: string, finding: Finding): void {
    if (finding === 'empty') this.say(`${kind} ${name} is empty`);
    else if (finding === 'valid') this.say(`${kind} ${name} is valid`);
    else if (finding === 'fixed') this.say(`Successfully truncated AOF ${name}`);
    else this.say(`Successfully truncated AOF ${name} to timestamp ${this.until}`);
  }

  private async file(subject: Subject): Promise<Finding> {
    const { path } = subject;
    let fd: number;
    try {
      fd = fs.openSync(widen(path), 'r+');
    } catch (error) {
      return this.end(`Cannot open file ${path}: ${systemError(error)}, aborting...`);
    }
    try {
      return await this.content(subject, fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  private async content(subject: Subject, fd: number): Promise<Finding> {
    const { size } = fs.fstatSync(fd);
    if (size === 0) return 'empty';
    const from = subject.base && beginsWithSnapshot(fd) ? this.snapshot(subject, fd) : 0;
    const records = new RecordCheck(new ByteFile(fd, from), subject.name, this.lines);
    if (this.records(records) === 'later') return this.cutLater(subject, fd, records.epos);
    if (records.foreign) this.say(`AOF ${subject.name} format error`);
    if (records.error !== '') this.say(`0x${records.epos.toString(16).padStart(16)}: ${records.error}`);
    return this.conclude(subject, fd, size, records.valid);
  }

  private records(check: RecordCheck): string {
    try {
      return check.run(this.until);
    } catch (error) {
      if (error instanceof AnnotationError) this.end(error.message);
      throw error;
    }
  }

  /** Checks the snapshot that the file begins with; where it ends. */
  private snapshot({ name }: Subject, fd: number): number {
    const check = new RdbCheck(this.io.print);
    let at = 0;
    const sound = check.run(name, (into, to, length) => {
      const got = fs.readSync(fd, into, to, length, at);
      at += got;
      return got;
    });
    if (!sound) {
      if (!check.terminated) this.say('RDB preamble of AOF file is not sane, aborting.');
      throw new Ended(1);
    }
    this.say('RDB preamble is OK, proceeding with AOF tail...');
    return check.offset;
  }

  // What is done about it.

  private cutLater({ path, last }: Subject, fd: number, at: number): Finding {
    const { until } = this;
    if (at === 0) this.end(`AOF ${path} has nothing before timestamp ${until}, aborting...`);
    if (!last) {
      this.say(`Failed to truncate AOF ${path} to timestamp ${until} to offset ${at} because it is not the last file.`);
      this.end(
        'If you insist, please delete all files after this file according to the manifest file and delete the corresponding records in manifest file manually. Then re-run redis-check-aof.',
      );
    }
    this.cut(fd, at, `Failed to truncate AOF ${path} to timestamp ${until}`);
    return 'cut';
  }

  private async conclude({ name, last }: Subject, fd: number, size: number, valid: number): Promise<Finding> {
    const surplus = size - valid;
    if (Number(this.until) !== 0 && surplus === 0) {
      this.say(`Truncate nothing in AOF ${name} to timestamp ${this.until}`);
      return 'valid';
    }
    this.say(
      `AOF analyzed: filename=${name}, size=${size}, ok_up_to=${valid}, ok_up_to_line=${this.lines.count}, diff=${surplus}`,
    );
    if (surplus === 0) return 'valid';
    if (!this.fix) this.end(`AOF ${name} is not valid. Use the --fix option to try fixing it.`);
    if (!last) this.end(`Failed to truncate AOF ${name} because it is not the last file`);
    this.say(`This will shrink the AOF ${name} from ${size} bytes, with ${surplus} bytes, to ${valid} bytes`);
    this.io.print('Continue? [y/N]: ');
    const answer = await this.io.ask();
    if (!answer.startsWith('y') && !answer.startsWith('Y')) this.end('Aborting...');
    this.cut(fd, valid, `Failed to truncate AOF ${name}`);
    return 'fixed';
  }

  private cut(fd: number, length: number, failure: string): void {
    try {
      fs.ftruncateSync(fd, length);
      fs.fsyncSync(fd);
    } catch {
      this.end(failure);
    }
  }
}

/** Whether the first line that is no comment is one of a manifest. */
export function beginsAsManifest(fd: number): boolean {
  const file = new ByteFile(fd);
  for (let line = file.line(MANIFEST_LINE); line !== null; line = file.line(MANIFEST_LINE)) {
    const text = Buffer.from(line).toString('latin1');
    if (!text.startsWith('#')) return text.startsWith('file');
  }
  return false;
}

function beginsWithSnapshot(fd: number): boolean {
  if (fs.fstatSync(fd).size < LEAST_SNAPSHOT) return false;
  const head = Buffer.alloc(SIGNATURE.length);
  try {
    return fs.readSync(fd, head, 0, head.length, 0) === head.length && head.toString('latin1') === SIGNATURE;
  } catch {
    return false;
  }
}
