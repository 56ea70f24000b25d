/**
 * Numbers in texts too long to be read in one go: read character by character, as many at a time as there is time for.
 * Of a mantissa the digits that can matter are kept, and whether any of the others isn't zero.
 */

/** Texts that are longer are read here. */
export const LONG_NUMERAL = 65_536;
/** More digits than the longest double has, so that those behind can only break a tie. */
const DIGITS = 800;
const EXPONENT_MOST = 1e12;
const CHARACTERS = 65_536;

type Phase = 'blanks' | 'begin' | 'prefix' | 'digits' | 'exponent' | 'exponent digits' | 'word' | 'end';

export class Numeral {
  /** Once it has been read; undefined where the text spells no number. */
  value: number | undefined;
  private readonly text: string;
  private readonly end: number;
  private base: number;
  private readonly wholly: boolean;
  private at = 0;
  private phase: Phase = 'blanks';
  private negative = false;
  private mantissa = '';
  private sum = 0;
  private seen = 0;
  private point = false;
  private rest = false;
  /** Of the last digit kept, in powers of ten or two. */
  private scale = 0;
  private exponent = 0;
  private downwards = false;
  private word = '';

  /** `base` is null for what C's strtod takes, else that of whole numbers. */
  constructor(text: string, base: number | null) {
    const zero = text.indexOf('\0');
    this.text = text;
    this.end = zero < 0 ? text.length : zero;
    this.base = base ?? 10;
    this.wholly = base !== null;
  }

  /** Reads on; whether it is done. */
  run(): boolean {
    const until = Math.min(this.end, this.at + CHARACTERS);
    for (; this.at < until; this.at++) if (!this.take(this.text.charCodeAt(this.at))) return true;
    if (until < this.end) return false;
    this.value = this.spelled();
    return true;
  }

  /** Takes a character; false where it can't stand there. */
  private take(code: number): boolean {
    if (isBlank(code)) {
      if (this.phase === 'exponent') return false;
      if (this.phase !== 'blanks') this.phase = 'end';
      return true;
    }
    switch (this.phase) {
      case 'blanks':
        this.phase = 'begin';
        if (code !== PLUS && code !== MINUS) return this.begin(code);
        this.negative = code === MINUS;
        return true;
      case 'begin':
        return this.begin(code);
      case 'prefix':
        this.phase = 'digits';
        if ((code | 32) !== X || (this.wholly && this.base !== 16)) return this.digit(code);
        this.base = 16;
        this.seen = 0;
        return true;
      case 'digits':
        return this.digit(code);
      case 'exponent':
        this.phase = 'exponent digits';
        this.seen = 0;
        this.downwards = code === MINUS;
        return code === PLUS || code === MINUS || this.power(code);
      case 'exponent digits':
        return this.power(code);
      case 'word':
        this.word += String.fromCharCode(code | 32);
        return this.word.length < 9;
      default:
        return false;
    }
  }

  private begin(code: number): boolean {
    if (code === ZERO) {
      this.phase = 'prefix';
      return this.digit(code);
    }
    const digits = this.wholly || code === POINT || digitOf(code) < 10;
    this.phase = digits ? 'digits' : 'word';
    return digits ? this.digit(code) : this.take(code);
  }

  private digit(code: number): boolean {
    const digit = digitOf(code);
    if (digit < this.base) {
      this.seen++;
      if (this.wholly || this.base === 16) this.add(digit);
      else this.keep(code);
      return true;
    }
    if (this.wholly) return false;
    if (code === POINT && !this.point) {
      this.point = true;
      return true;
    }
    this.phase = 'exponent';
    return this.seen > 0 && (code | 32) === (this.base === 16 ? P : E);
  }

  private add(digit: number): void {
    this.sum = this.sum * this.base + digit;
    if (this.point) this.scale -= 4;
  }

  private keep(code: number): void {
    if (this.mantissa.length === DIGITS) {
      this.rest ||= code !== ZERO;
      if (!this.point) this.scale++;
      return;
    }
    if (code !== ZERO || this.mantissa !== '') this.mantissa += String.fromCharCode(code);
    if (this.point) this.scale--;
  }

  private power(code: number): boolean {
    const digit = digitOf(code);
    this.seen++;
    this.exponent = Math.min(EXPONENT_MOST, this.exponent * 10 + digit);
    return digit < 10;
  }

  private spelled(): number | undefined {
    if (this.word !== '') return this.named();
    if (this.seen === 0 || this.phase === 'exponent') return undefined;
    if (this.wholly) return wrapped(this.sum, this.negative);
    const power = this.scale + (this.downwards ? -this.exponent : this.exponent);
    const value =
      this.base === 16
        ? this.sum * 2 ** power
        : Number(this.rest ? `${this.mantissa}1e${power - 1}` : `${this.mantissa || '0'}e${power}`);
    return this.negative ? -value : value;
  }

  private named(): number | undefined {
    const sign = this.negative ? -1 : 1;
    if (this.word === 'inf' || this.word === 'infinity') return sign * Number.POSITIVE_INFINITY;
    return this.word === 'nan' ? Number.NaN : undefined;
  }
}

const [ZERO, PLUS, MINUS, POINT, E, P, X] = [48, 43, 45, 46, 101, 112, 120];

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** The value of a digit or letter; large for anything else. */
function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 122 ? letter - 87 : 99;
}

/** The reference reads an unsigned long: it saturates, and a minus wraps around. */
function wrapped(value: number, negative: boolean): number {
  const least = Math.min(value, 2 ** 64);
  return negative && least !== 0 ? 2 ** 64 - least : least;
}
