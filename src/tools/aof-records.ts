/**
 * The records of an append-only file under redis-check-aof's eyes, which are stricter than the server's: every line ends in
 * CR LF, MULTI and EXEC come in pairs, and no annotation is later than asked.
 *
 *   *3 CR LF $3 CR LF SET CR LF $1 CR LF ...     `epos`, told with an error: where the line or the string at hand begins
 *
 * Where an error shows bytes that the original happened to have in its buffer behind a line that broke off, the same are
 * shown: of a line that begins with '*', what the line of that kind before it left there.
 */
import type { ByteFile } from './byte-file.ts';

const LINE = 127;
const ANNOTATION = 1023;
const LONGEST = 2n ** 63n - 1n;
const SHORTEST = -(2n ** 63n);
const SAFE_DIGITS = 15;
const HASH = 35;
const STAR = 42;
const DOLLAR = 36;
const CR = 13;
const LF = 10;
const MULTI = [77, 85, 76, 84, 73];
const EXEC = [69, 88, 69, 67];

/** Why reading ended: at the end of the file, at an error, or at an annotation of a later time. */
export type Halt = 'end' | 'error' | 'later';

/** An annotation that makes no sense where one is looked for. */
export class AnnotationError extends Error {
  override name = 'AnnotationError';
}

interface Number64 {
  readonly value: number | bigint;
  /** Where the text behind it begins. */
  readonly end: number;
}

export class RecordCheck {
  /** What is wrong and where, after 'error'; '' where nothing can be said. */
  error = '';
  /** The first byte is none of a record; told apart from other errors. */
  foreign = false;
  /** Up to here all is well. */
  valid: number;
  /** Where the line, string or annotation at hand begins. */
  epos = 0;
  private readonly file: ByteFile;
  private readonly name: string;
  private readonly lines: { count: number };
  private readonly starred = new Uint8Array(LINE + 3);
  private readonly dollared = new Uint8Array(LINE + 3);
  private inTransaction = false;

  /** `lines` counts the ends of lines that are passed, for all files together. */
  constructor(file: ByteFile, name: string, lines: { count: number }) {
    this.file = file;
    this.name = name;
    this.lines = lines;
    this.valid = file.offset;
  }

  /** Reads on until something ends it; `until` is the latest time of annotations, 0 for any. */
  run(until: number | bigint): Halt {
    for (;;) {
      if (!this.inTransaction) this.valid = this.file.offset;
      const first = this.file.peek();
      if (first < 0) break;
      if (first === HASH) {
        if (this.isLater(until)) return 'later';
      } else if (first !== STAR) {
        this.foreign = true;
        return 'error';
      } else if (!this.record()) {
        if (this.error === '') this.breakOff();
        return 'error';
      }
    }
    return this.breakOff() ? 'error' : 'end';
  }

  /** The file is at its end; whether a transaction isn't. */
  private breakOff(): boolean {
    if (this.inTransaction) this.error = 'Reached EOF before reading EXEC for MULTI';
    return this.inTransaction;
  }

  /** Passes an annotation; whether it is later than `until`. */
  private isLater(until: number | bigint): boolean {
    this.epos = this.file.offset;
    const line = this.file.line(ANNOTATION)!;
    const isTime = line[1] === 84 && line[2] === 83 && line[3] === 58;
    if (Number(until) === 0 || !isTime) return false;
    const bytes = new Uint8Array(line.length + 1);
    bytes.set(line);
    const { value, end } = leadingNumber(bytes, 4);
    const overflows = value === LONGEST || value === SHORTEST;
    if (overflows || bytes[end] !== CR) throw new AnnotationError('Invalid timestamp annotation');
    return value > until;
  }

  private record(): boolean {
    const count = this.number(STAR, this.starred);
    if (count === undefined) return false;
    for (let i = 0; i < count; i++) if (!this.argument(i === 0)) return false;
    return true;
  }

  private argument(isName: boolean): boolean {
    const length = this.number(DOLLAR, this.dollared.fill(0));
    if (length === undefined) return false;
    if (length < 0 || BigInt(length) > LONGEST - 2n)
      return this.fail(`Expected to read string of ${length} bytes, which is not in the suitable range`);
    this.epos = this.file.offset;
    const size = Number(length);
    const head = this.file.bytes(isName ? Math.min(size, MULTI.length + 1) : 0).slice();
    const passed = head.length + this.file.skip(size - head.length);
    const end = passed < size ? new Uint8Array(0) : this.file.bytes(2);
    const got = passed + end.length;
    if (got < size + 2) return this.fail(`Expected to read ${BigInt(length) + 2n} bytes, got ${got} bytes`);
    return this.endsLine(end[0], end[1]) && this.pairs(head);
  }

  /** Keeps account of MULTI and EXEC; `head` is what a command's name begins with. To C it ends where a zero is. */
  private pairs(head: Uint8Array): boolean {
    const zero = head.indexOf(0);
    const name = zero < 0 ? head : head.subarray(0, zero);
    const begins = isNamed(name, MULTI);
    if (!begins && !isNamed(name, EXEC)) return true;
    if (begins === this.inTransaction) return this.fail(`Unexpected ${begins ? 'MULTI' : 'EXEC'} in AOF ${this.name}`);
    this.inTransaction = begins;
    return true;
  }

  /** The number on the line that should begin with `prefix`; undefined where that is not so. `buffer` keeps the line. */
  private number(prefix: number, buffer: Uint8Array): number | bigint | undefined {
    this.epos = this.file.offset;
    const line = this.file.line(LINE);
    if (line === null) return undefined;
    buffer.set(line);
    buffer[line.length] = 0;
    if (buffer[0] !== prefix) {
      this.fail(`Expected prefix '${String.fromCharCode(prefix)}', got: '${String.fromCharCode(buffer[0])}'`);
      return undefined;
    }
    const { value, end } = leadingNumber(buffer, 1);
    return this.endsLine(buffer[end], buffer[end + 1]) ? value : undefined;
  }

  private endsLine(first: number, second: number): boolean {
    if (first !== CR || second !== LF)
      return this.fail(`Expected \\r\\n, got: ${shownChar(first)}${shownChar(second)}`);
    this.lines.count++;
    return true;
  }

  /** To C a text ends where a zero is. */
  private fail(what: string): false {
    this.error = what.split('\0', 1)[0];
    return false;
  }
}

/** A char of C in hexadecimal: those above 127 are negative there. */
function shownChar(byte: number): string {
  return (byte > 127 ? 0xffffff00 + byte : byte).toString(16).padStart(2, '0');
}

function isNamed(name: Uint8Array, upper: readonly number[]): boolean {
  return name.length === upper.length && upper.every((letter, i) => (name[i] & ~32) === letter && name[i] >= 65);
}

/** As C's strtol: blanks, a sign, digits; within 64 bits. */
export function leadingNumber(bytes: Uint8Array, from: number): Number64 {
  let at = from;
  while (bytes[at] === 32 || (bytes[at] >= 9 && bytes[at] <= 13)) at++;
  const negative = bytes[at] === 45;
  if (negative || bytes[at] === 43) at++;
  const first = at;
  let value = 0;
  for (; bytes[at] >= 48 && bytes[at] <= 57; at++) value = value * 10 + bytes[at] - 48;
  if (at === first) return { value: 0, end: from };
  if (at - first <= SAFE_DIGITS) return { value: negative ? -value : value, end: at };
  const digits = BigInt(String.fromCharCode(...bytes.subarray(first, at)));
  const exact = negative ? -digits : digits;
  return { value: exact > LONGEST ? LONGEST : exact < SHORTEST ? SHORTEST : exact, end: at };
}
