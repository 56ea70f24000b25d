/**
 * Lua's patterns, matched by backtracking over bytes. A position is an index from 0; a capture is a start and a length,
 * or one of the two marks below.
 */
import { cLength } from '../number.ts';
import { fail, type Value } from '../value.ts';

const OPEN = -1;
const POSITION = -2;
const MAX_CAPTURES = 32;
const MAX_DEPTH = 2000;
/** Steps of one match before it counts as too complex: about a second. */
const MAX_STEPS = 100_000_000;

const PERCENT = 37;
const [LPAREN, RPAREN, STAR, PLUS, MINUS, DOT, QUESTION, CARET, DOLLAR, LBRACKET, RBRACKET] = [
  40, 41, 42, 43, 45, 46, 63, 94, 36, 91, 93,
];

function isAlpha(c: number): boolean {
  const letter = c | 32;
  return letter >= 97 && letter <= 122;
}

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57;
}

/** Membership of a byte in the class of a letter; a capital letter is its complement; others stand for themselves. */
function inClass(c: number, letter: number): boolean {
  let found: boolean;
  switch (letter | 32) {
    case 97: // a
      found = isAlpha(c);
      break;
    case 99: // c
      found = c < 32 || c === 127;
      break;
    case 100: // d
      found = isDigit(c);
      break;
    case 108: // l
      found = c >= 97 && c <= 122;
      break;
    case 112: // p
      found = c > 32 && c < 127 && !isAlpha(c) && !isDigit(c);
      break;
    case 115: // s
      found = c === 32 || (c >= 9 && c <= 13);
      break;
    case 117: // u
      found = c >= 65 && c <= 90;
      break;
    case 119: // w
      found = isAlpha(c) || isDigit(c);
      break;
    case 120: // x
      found = isDigit(c) || ((c | 32) >= 97 && (c | 32) <= 102 && isAlpha(c));
      break;
    case 122: // z
      found = c === 0;
      break;
    default:
      return letter === c;
  }
  if (!isAlpha(letter)) return letter === c;
  return letter < 97 ? !found : found;
}

export class Matcher {
  private readonly subject: string;
  private readonly pattern: string;
  private level = 0;
  private readonly starts: number[] = [];
  private readonly lengths: number[] = [];
  private depth = 0;
  private steps = 0;

  constructor(subject: string, pattern: string) {
    this.subject = subject;
    this.pattern = pattern.slice(0, cLength(pattern));
  }

  /** Steps taken so far, to be charged. */
  get work(): number {
    return this.steps;
  }

  /** The end of a match that begins at `start` with the pattern from `from`, or -1. */
  match(start: number, from: number): number {
    this.level = 0;
    this.depth = 0;
    return this.run(start, from);
  }

  private run(s: number, p: number): number {
    if (++this.depth > MAX_DEPTH || ++this.steps > MAX_STEPS) throw fail('pattern too complex');
    const end = this.walk(s, p);
    this.depth--;
    return end;
  }

  private walk(s: number, p: number): number {
    const { pattern, subject } = this;
    for (;;) {
      if (p === pattern.length) return s;
      const c = pattern.charCodeAt(p);
      if (c === LPAREN)
        return pattern.charCodeAt(p + 1) === RPAREN ? this.open(s, p + 2, POSITION) : this.open(s, p + 1, OPEN);
      if (c === RPAREN) return this.close(s, p + 1);
      if (c === DOLLAR && p + 1 === pattern.length) return s === subject.length ? s : -1;
      if (c === PERCENT) {
        const next = pattern.charCodeAt(p + 1);
        if (next === 98) {
          s = this.balance(s, p + 2);
          if (s < 0) return -1;
          p += 4;
          continue;
        }
        if (next === 102) {
          p += 2;
          if (pattern.charCodeAt(p) !== LBRACKET) throw fail("missing '[' after '%f' in pattern");
          const end = this.classEnd(p);
          const before = s === 0 ? 0 : subject.charCodeAt(s - 1);
          const here = s === subject.length ? 0 : subject.charCodeAt(s);
          if (this.inSet(before, p, end - 1) || !this.inSet(here, p, end - 1)) return -1;
          p = end;
          continue;
        }
        if (isDigit(next)) {
          s = this.backReference(s, next);
          if (s < 0) return -1;
          p += 2;
          continue;
        }
      }
      const end = this.classEnd(p);
      const suffix = pattern.charCodeAt(end);
      if (suffix === STAR) return this.most(s, p, end, 0);
      if (suffix === PLUS) return this.most(s, p, end, 1);
      if (suffix === MINUS) return this.least(s, p, end);
      const here = this.single(s, p, end);
      if (suffix === QUESTION) {
        if (here) {
          const found = this.run(s + 1, end + 1);
          if (found >= 0) return found;
        }
        p = end + 1;
        continue;
      }
      if (!here) return -1;
      s++;
      p = end;
      this.steps++;
    }
  }

  private classEnd(p: number): number {
    const { pattern } = this;
    const c = pattern.charCodeAt(p++);
    if (c === PERCENT) {
      if (p === pattern.length) throw fail("malformed pattern (ends with '%')");
      return p + 1;
    }
    if (c !== LBRACKET) return p;
    if (pattern.charCodeAt(p) === CARET) p++;
    do {
      if (p >= pattern.length) throw fail("malformed pattern (missing ']')");
      if (pattern.charCodeAt(p++) === PERCENT && p < pattern.length) p++;
    } while (pattern.charCodeAt(p) !== RBRACKET);
    return p + 1;
  }

  /** Membership in the set from its [ at `p` to its ] at `last`. */
  private inSet(c: number, p: number, last: number): boolean {
    const { pattern } = this;
    let found = true;
    if (pattern.charCodeAt(p + 1) === CARET) {
      found = false;
      p++;
    }
    while (++p < last) {
      const at = pattern.charCodeAt(p);
      if (at === PERCENT) {
        if (inClass(c, pattern.charCodeAt(++p))) return found;
      } else if (pattern.charCodeAt(p + 1) === MINUS && p + 2 < last) {
        p += 2;
        if (at <= c && c <= pattern.charCodeAt(p)) return found;
      } else if (at === c) {
        return found;
      }
    }
    return !found;
  }

  private single(s: number, p: number, end: number): boolean {
    if (s >= this.subject.length) return false;
    const c = this.subject.charCodeAt(s);
    const at = this.pattern.charCodeAt(p);
    if (at === DOT) return true;
    if (at === PERCENT) return inClass(c, this.pattern.charCodeAt(p + 1));
    return at === LBRACKET ? this.inSet(c, p, end - 1) : at === c;
  }

  private most(s: number, p: number, end: number, least: number): number {
    let count = 0;
    while (this.single(s + count, p, end)) count++;
    this.steps += count;
    for (; count >= least; count--) {
      const found = this.run(s + count, end + 1);
      if (found >= 0) return found;
    }
    return -1;
  }

  private least(s: number, p: number, end: number): number {
    for (;;) {
      const found = this.run(s, end + 1);
      if (found >= 0) return found;
      if (!this.single(s, p, end)) return -1;
      s++;
    }
  }

  private balance(s: number, p: number): number {
    const { pattern, subject } = this;
    if (p + 1 >= pattern.length) throw fail('unbalanced pattern');
    const begin = pattern.charCodeAt(p);
    const end = pattern.charCodeAt(p + 1);
    if (s >= subject.length || subject.charCodeAt(s) !== begin) return -1;
    let open = 1;
    for (let at = s + 1; at < subject.length; at++) {
      const c = subject.charCodeAt(at);
      if (c === end) {
        if (--open === 0) return at + 1;
      } else if (c === begin) {
        open++;
      }
    }
    return -1;
  }

  private open(s: number, p: number, mark: number): number {
    if (this.level >= MAX_CAPTURES) throw fail('too many captures');
    this.starts[this.level] = s;
    this.lengths[this.level] = mark;
    this.level++;
    const found = this.run(s, p);
    if (found < 0) this.level--;
    return found;
  }

  private close(s: number, p: number): number {
    let open = this.level - 1;
    while (open >= 0 && this.lengths[open] !== OPEN) open--;
    if (open < 0) throw fail('invalid pattern capture');
    this.lengths[open] = s - this.starts[open];
    const found = this.run(s, p);
    if (found < 0) this.lengths[open] = OPEN;
    return found;
  }

  private backReference(s: number, digit: number): number {
    const index = digit - 49;
    if (index < 0 || index >= this.level || this.lengths[index] === OPEN) throw fail('invalid capture index');
    const text = this.subject.substr(this.starts[index], Math.max(0, this.lengths[index]));
    return this.subject.startsWith(text, s) ? s + text.length : -1;
  }

  /** A capture after a match; the whole match where the pattern has none. */
  capture(index: number, start: number, end: number): Value {
    if (index >= this.level) {
      if (index === 0) return this.subject.slice(start, end);
      throw fail('invalid capture index');
    }
    const length = this.lengths[index];
    if (length === OPEN) throw fail('unfinished capture');
    if (length === POSITION) return this.starts[index] + 1;
    return this.subject.substr(this.starts[index], length);
  }

  captures(start: number, end: number, whole: boolean): Value[] {
    const count = this.level === 0 && whole ? 1 : this.level;
    return Array.from({ length: count }, (_, i) => this.capture(i, start, end));
  }
}
