/** string.format and its directives. */
import { formatE, formatG, toFixed } from '../number.ts';
import { MORE, type Runtime } from '../runtime.ts';
import { badArgument, fail, type Result, type Value } from '../value.ts';
import { numberArg, stringArg, truncate, unsignedBits } from './args.ts';
import { Escaper, Output, RUN } from './output.ts';

const PERCENT = 37;
const FLAGS = '-+ #0';
/** Strings of this length are added as they are. */
const LONG = 100;

interface Directive {
  flags: string;
  width: number;
  /** -1 when none is given. */
  precision: number;
  letter: string;
  /** Where the text goes on. */
  end: number;
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}

/** Reads a directive after its % at `at`. */
function directive(format: string, at: number): Directive {
  const begin = at;
  while (at < format.length && FLAGS.includes(format[at])) at++;
  const flags = format.slice(begin, at);
  if (flags.length >= 6) throw fail('invalid format (repeated flags)');
  const digits = (): string => {
    const from = at;
    while (at - from < 2 && isDigit(format[at])) at++;
    return format.slice(from, at);
  };
  const width = Number(digits());
  let precision = -1;
  if (format[at] === '.') {
    at++;
    precision = Number(digits());
  }
  if (isDigit(format[at])) throw fail('invalid format (width or precision too long)');
  return { flags, width, precision, letter: format[at] ?? '', end: at + 1 };
}

function pad(text: string, { flags, width }: Directive, zeros: boolean): string {
  if (text.length >= width) return text;
  const missing = width - text.length;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!zeros || !flags.includes('0')) return ' '.repeat(missing) + text;
  const prefix = /^[+\- ]?(0[xX])?/.exec(text)![0];
  return prefix + '0'.repeat(missing) + text.slice(prefix.length);
}

function signed(text: string, flags: string): string {
  if (text[0] === '-') return text;
  if (flags.includes('+')) return '+' + text;
  return flags.includes(' ') ? ' ' + text : text;
}

function integer(value: number, spec: Directive): string {
  let text = BigInt(truncate(value)).toString();
  const negative = text[0] === '-';
  if (negative) text = text.slice(1);
  if (spec.precision >= 0) text = spec.precision === 0 && text === '0' ? '' : text.padStart(spec.precision, '0');
  return pad(signed(negative ? '-' + text : text, spec.flags), spec, spec.precision < 0);
}

function unsigned(value: number, spec: Directive): string {
  const bits = unsignedBits(value);
  const radix = spec.letter === 'u' ? 10 : spec.letter === 'o' ? 8 : 16;
  let text = bits.toString(radix);
  if (spec.precision >= 0) text = spec.precision === 0 && bits === 0n ? '' : text.padStart(spec.precision, '0');
  if (spec.flags.includes('#') && bits !== 0n)
    text = (radix === 16 ? '0x' : radix === 8 && text[0] !== '0' ? '0' : '') + text;
  if (spec.letter === 'X') text = text.toUpperCase();
  return pad(text, spec, spec.precision < 0);
}

function floating(value: number, spec: Directive): string {
  const { flags, letter } = spec;
  if (!Number.isFinite(value)) {
    const text = signed(formatG(value, 6), flags);
    return pad(letter < 'a' ? text.toUpperCase() : text, spec, false);
  }
  const precision = spec.precision < 0 ? 6 : spec.precision;
  let text: string;
  if (letter === 'f') text = toFixed(value, precision);
  else if (letter === 'e' || letter === 'E') text = formatE(value, precision);
  else text = formatG(value, precision, flags.includes('#'));
  if (flags.includes('#') && precision === 0 && !text.includes('.')) text = text.replace(/(e|$)/, '.$1');
  if (letter < 'a') text = text.toUpperCase();
  return pad(signed(text, flags), spec, true);
}

const QUOTES: Record<string, string> = { '\r': '\\r', '\0': '\\000' };
const quoter = new Escaper(/["\\\n\r\0]/g, 4, (code) => {
  const char = String.fromCharCode(code);
  return QUOTES[char] ?? `\\${char}`;
});

/** What a C string keeps of a text. */
function upToZero(text: string): string {
  const zero = text.indexOf('\0');
  return zero < 0 ? text : text.slice(0, zero);
}

function one(spec: Directive, args: readonly Value[], i: number): string {
  switch (spec.letter) {
    case 'c':
      return upToZero(pad(String.fromCharCode(truncate(numberArg(args, i)) & 255), spec, false));
    case 'd':
    case 'i':
      return integer(numberArg(args, i), spec);
    case 'o':
    case 'u':
    case 'x':
    case 'X':
      return unsigned(numberArg(args, i), spec);
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G':
      return floating(numberArg(args, i), spec);
    case 's': {
      const text = stringArg(args, i);
      if (spec.precision < 0 && text.length >= LONG) return text;
      const kept = upToZero(text);
      return pad(spec.precision < 0 ? kept : kept.slice(0, spec.precision), spec, false);
    }
    default:
      throw fail(`invalid option '%${spec.letter}' to 'format'`);
  }
}

/** Directives in one go. */
const PIECE = 256;

/** One format under way. */
class Formatting {
  private readonly rt: Runtime;
  private readonly args: readonly Value[];
  private readonly text: string;
  private readonly out: Output;
  private at = 0;
  private arg = 0;
  /** What is being quoted, and how far. */
  private quoting: string | null = null;
  private quoted = 0;

  constructor(rt: Runtime, args: readonly Value[]) {
    this.rt = rt;
    this.args = args;
    this.text = stringArg(args, 0);
    this.out = new Output(rt);
  }

  piece(): string | typeof MORE {
    for (let left = PIECE; left > 0 && this.rt.budget >= 0; left--) {
      if (this.quoting !== null) this.quote(this.quoting);
      else if (!this.next()) return this.out.result();
    }
    this.rt.charge(PIECE);
    return MORE;
  }

  /** The text up to the next directive, and that; false at the end. */
  private next(): boolean {
    const { args, out, text } = this;
    const percent = text.indexOf('%', this.at);
    if (percent < 0) {
      out.add(text.slice(this.at));
      return false;
    }
    out.add(text.slice(this.at, percent));
    if (text.charCodeAt(percent + 1) === PERCENT) {
      out.add('%');
      this.at = percent + 2;
      return true;
    }
    const i = ++this.arg;
    if (i >= args.length) throw badArgument(i + 1, 'no value');
    const spec = directive(text, percent + 1);
    this.at = spec.end;
    if (spec.letter === 'q') {
      this.quoting = stringArg(args, i);
      this.quoted = 0;
      out.add('"');
    } else out.add(one(spec, args, i));
    return true;
  }

  private quote(text: string): void {
    const run = text.slice(this.quoted, this.quoted + RUN);
    this.quoted += RUN;
    this.out.add(quoter.escaped(run));
    this.rt.charge(run.length >>> 2);
    if (this.quoted < text.length) return;
    this.quoting = null;
    this.out.add('"');
  }
}

export function format(rt: Runtime, args: readonly Value[]): Result {
  const work = new Formatting(rt, args);
  return rt.inPieces(() => work.piece());
}
