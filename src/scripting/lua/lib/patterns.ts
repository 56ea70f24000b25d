/**
 * Lua's patterns, matched by backtracking over bytes. A position is an index from 0; a capture is a start and a length,
 * or one of the two marks below.
 *
 * Choices wait on a list of our own and not on the stack: a search can be left after any number of steps and go on
 * later, so that no pattern, however bad, keeps the server from its clients or a script from being killed.
 */
import { cLength } from '../number.ts';
import { fail, type Value } from '../value.ts';

const OPEN = -1;
const POSITION = -2;
const MAX_CAPTURES = 32;
/** Choices that wait at a time; only patterns of many thousand items have so many. */
const MAX_CHOICES = 200_000;
/** Characters that an item with * or + runs over in one step. */
const RUN = 4096;
/** Characters looked at in one go that count as a step. */
const SCANNED = 8;
/** Characters of a set from which on it is worth a table. */
const LONG_SET = 32;
/** Characters that are looked at in one go where nothing is compared. */
const STRETCH = 65_536;

/** No match. */
export const FAILED = -1;
/** The steps given are used up; the work can go on. */
export const PAUSED = -2;

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

/** Kinds of choices, and of changes to be undone on the way back to one. */
const LONGEST = 0;
const SHORTEST = 1;
const WITHOUT = 2;
const OPENED = 3;
const CLOSED = 4;
/** Numbers that each of them takes: its kind, place in the subject and in the pattern, and two more. */
const WIDTH = 5;

/** A long set, as far as it is known: first its end is looked for, then a table is made of its members. */
class LongSet {
  /** Its ], once it has been found. */
  last = -1;
  /** All is known. */
  ready = false;
  private readonly pattern: string;
  private readonly negated: boolean;
  private readonly begin: number;
  private at: number;
  /** By byte: one more range begins; one ends before it. */
  private readonly steps = new Int32Array(257);
  private readonly members = new Uint8Array(256);
  private readonly classes = new Set<number>();

  /** The set whose [ is at `p`. */
  constructor(pattern: string, p: number) {
    this.pattern = pattern;
    this.negated = pattern.charCodeAt(p + 1) === CARET;
    this.begin = this.at = this.negated ? p + 2 : p + 1;
  }

  has(c: number): boolean {
    return this.members[c] === 1;
  }

  /** Goes on with the work for a while. */
  learn(): void {
    if (this.last < 0) this.seekEnd();
    else this.take();
  }

  private seekEnd(): void {
    const { pattern } = this;
    const until = this.at + STRETCH;
    while (this.at === this.begin || pattern.charCodeAt(this.at) !== RBRACKET) {
      if (this.at >= pattern.length) throw fail("malformed pattern (missing ']')");
      if (this.at >= until) return;
      if (pattern.charCodeAt(this.at++) === PERCENT && this.at < pattern.length) this.at++;
    }
    this.last = this.at;
    this.at = this.begin;
  }

  private take(): void {
    const { pattern, steps, last } = this;
    const until = Math.min(last, this.at + STRETCH);
    for (; this.at < until; this.at++) {
      const c = pattern.charCodeAt(this.at);
      if (c === PERCENT) this.classes.add(pattern.charCodeAt(++this.at));
      else if (pattern.charCodeAt(this.at + 1) === MINUS && this.at + 2 < last) {
        this.at += 2;
        const end = pattern.charCodeAt(this.at);
        if (end < c) continue;
        steps[c]++;
        steps[end + 1]--;
      } else {
        steps[c]++;
        steps[c + 1]--;
      }
    }
    if (this.at >= last) this.complete();
  }

  private complete(): void {
    for (let c = 0, ranges = 0; c < 256; c++) {
      ranges += this.steps[c];
      let found = ranges > 0;
      for (const letter of this.classes) found ||= inClass(c, letter);
      this.members[c] = found === this.negated ? 0 : 1;
    }
    this.ready = true;
  }
}

export class Matcher {
  private readonly subject: string;
  private readonly pattern: string;
  /** Where the pattern proper begins: after the ^ that anchors it. */
  private readonly begin: number;
  private readonly anchored: boolean;
  private level = 0;
  private readonly starts: number[] = [];
  private readonly lengths: number[] = [];
  private readonly choices: number[] = [];
  /** The place in the pattern that goes with what a step gives. */
  private p = 0;
  private s = 0;
  /** How far the item at hand has run. */
  private ran = 0;
  /** In a balanced match under way: how many are open. */
  private nested = 0;
  /** Characters that the last step looked at in one go. */
  private scanned = 0;
  /** Long sets by the place of their [. */
  private sets: Map<number, LongSet> | null = null;
  /** Steps in all. */
  spent = 0;
  /** The match found or looked for. */
  start = 0;
  end = 0;

  constructor(subject: string, pattern: string, mayAnchor = true) {
    this.subject = subject;
    this.pattern = pattern.slice(0, cLength(pattern));
    this.anchored = mayAnchor && this.pattern[0] === '^';
    this.begin = this.anchored ? 1 : 0;
  }

  /** Where the next search begins. */
  from(start: number): void {
    this.start = start;
    this.s = start;
    this.p = this.begin;
    this.level = 0;
    this.ran = 0;
    this.choices.length = 0;
  }

  /** Searches on for so many steps: the end of the first match, FAILED or PAUSED. */
  search(steps: number): number {
    const { subject } = this;
    let left = steps;
    let end = PAUSED;
    if (this.start > subject.length) return FAILED;
    for (; left > 0; left -= 1 + this.scanned / SCANNED) {
      this.scanned = 0;
      if (this.p === this.pattern.length) {
        end = this.end = this.s;
        break;
      }
      const s = this.step(this.s, this.p);
      this.s = s >= 0 ? s : this.otherwise();
      if (this.s >= 0) continue;
      if (this.anchored || this.start === subject.length) {
        end = FAILED;
        break;
      }
      this.from(this.start + 1);
    }
    this.spent += steps - left;
    return end;
  }

  /** Matches the item at `p`: the place after it, with `this.p` behind it, or FAILED. */
  private step(s: number, p: number): number {
    const { pattern, subject } = this;
    const c = pattern.charCodeAt(p);
    if (c === LPAREN) return this.open(s, p);
    if (c === RPAREN) return this.close(s, p);
    if (c === DOLLAR && p + 1 === pattern.length) {
      this.p = p + 1;
      return s === subject.length ? s : FAILED;
    }
    if (c === PERCENT) {
      const next = pattern.charCodeAt(p + 1);
      if (next === 98) return this.balance(s, p + 2);
      if (next === 102) return this.frontier(s, p + 2);
      if (isDigit(next)) {
        this.p = p + 2;
        return this.backReference(s, next);
      }
    }
    const end = this.classEnd(p);
    if (end < 0) return this.again(s, p);
    this.p = end + 1;
    switch (pattern.charCodeAt(end)) {
      case STAR:
        return this.most(s, p, end, 0);
      case PLUS:
        return this.most(s, p, end, 1);
      case MINUS:
        this.choose(SHORTEST, s, end + 1, p, end);
        return s;
      case QUESTION:
        if (!this.single(s, p, end)) return s;
        this.choose(WITHOUT, s, end + 1, 0, 0);
        return s + 1;
      default:
        this.p = end;
        return this.single(s, p, end) ? s + 1 : FAILED;
    }
  }

  /** The same step goes on. */
  private again(s: number, p: number): number {
    this.scanned = STRETCH;
    this.p = p;
    return s;
  }

  private choose(kind: number, s: number, p: number, more: number, last: number): void {
    if (this.choices.length >= MAX_CHOICES * WIDTH) throw fail('pattern too complex');
    this.choices.push(kind, s, p, more, last);
  }

  /** Back to the last choice that has another way; FAILED without one. */
  private otherwise(): number {
    const { choices } = this;
    while (choices.length > 0) {
      const at = choices.length - WIDTH;
      const [kind, s, p, more, last] = [
        choices[at],
        choices[at + 1],
        choices[at + 2],
        choices[at + 3],
        choices[at + 4],
      ];
      this.p = p;
      if (kind === LONGEST && more > last) {
        choices[at + 3] = more - 1;
        return s + more - 1;
      }
      if (kind === SHORTEST && this.single(s, more, last)) {
        choices[at + 1] = s + 1;
        return s + 1;
      }
      choices.length = at;
      if (kind === WITHOUT) return s;
      if (kind === OPENED) this.level--;
      else if (kind === CLOSED) this.lengths[more] = OPEN;
    }
    return FAILED;
  }

  /** Runs as far as the item goes; where that is far, in several steps. */
  private most(s: number, p: number, end: number, least: number): number {
    let count = this.ran;
    const limit = count + RUN;
    while (count < limit && this.single(s + count, p, end)) count++;
    if (count === limit) {
      this.scanned += RUN;
      this.ran = count;
      this.p = p;
      return s;
    }
    this.scanned += count - this.ran;
    this.ran = 0;
    if (count < least) return FAILED;
    if (count > least) this.choose(LONGEST, s, end + 1, count, least);
    return s + count;
  }

  private frontier(s: number, p: number): number {
    const { pattern, subject } = this;
    if (pattern.charCodeAt(p) !== LBRACKET) throw fail("missing '[' after '%f' in pattern");
    const end = this.classEnd(p);
    if (end < 0) return this.again(s, p - 2);
    const before = s === 0 ? 0 : subject.charCodeAt(s - 1);
    const here = s === subject.length ? 0 : subject.charCodeAt(s);
    this.p = end;
    return !this.inSet(before, p, end - 1) && this.inSet(here, p, end - 1) ? s : FAILED;
  }

  /** Where the item without its repetition ends; below 0 when that takes longer to find out. */
  private classEnd(p: number): number {
    const { pattern } = this;
    const begin = p;
    const c = pattern.charCodeAt(p++);
    if (c === PERCENT) {
      if (p === pattern.length) throw fail("malformed pattern (ends with '%')");
      return p + 1;
    }
    if (c !== LBRACKET) return p;
    if (this.sets?.has(begin)) return this.longEnd(begin);
    if (pattern.charCodeAt(p) === CARET) p++;
    do {
      if (p >= pattern.length) throw fail("malformed pattern (missing ']')");
      if (pattern.charCodeAt(p++) === PERCENT && p < pattern.length) p++;
      if (p - begin > LONG_SET) return this.longEnd(begin);
    } while (pattern.charCodeAt(p) !== RBRACKET);
    return p + 1;
  }

  private longEnd(begin: number): number {
    this.sets ??= new Map();
    let set = this.sets.get(begin);
    if (set === undefined) {
      set = new LongSet(this.pattern, begin);
      this.sets.set(begin, set);
    }
    if (!set.ready) set.learn();
    return set.ready ? set.last + 1 : -1;
  }

  /** Membership in the set from its [ at `p` to its ] at `last`; what is looked at counts, but in a table. */
  private inSet(c: number, p: number, last: number): boolean {
    const { pattern } = this;
    if (last - p > LONG_SET) {
      const set = this.sets?.get(p);
      if (set?.ready) return set.has(c);
    }
    this.scanned += last - p;
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

  private balance(s: number, p: number): number {
    const { pattern, subject } = this;
    if (p + 1 >= pattern.length) throw fail('unbalanced pattern');
    const begin = pattern.charCodeAt(p);
    const end = pattern.charCodeAt(p + 1);
    this.p = p + 2;
    if (s >= subject.length || subject.charCodeAt(s) !== begin) return FAILED;
    let open = this.ran === 0 ? 1 : this.nested;
    let at = s + 1 + this.ran;
    const until = Math.min(subject.length, at + STRETCH);
    for (; at < until && open > 0; at++) {
      const c = subject.charCodeAt(at);
      if (c === end) open--;
      else if (c === begin) open++;
    }
    if (open > 0 && at < subject.length) {
      this.nested = open;
      this.ran = at - s - 1;
      return this.again(s, p - 2);
    }
    this.scanned = at - s - this.ran;
    this.ran = 0;
    return open === 0 ? at : FAILED;
  }

  private open(s: number, p: number): number {
    const position = this.pattern.charCodeAt(p + 1) === RPAREN;
    if (this.level >= MAX_CAPTURES) throw fail('too many captures');
    this.starts[this.level] = s;
    this.lengths[this.level] = position ? POSITION : OPEN;
    this.level++;
    this.choose(OPENED, s, p, 0, 0);
    this.p = position ? p + 2 : p + 1;
    return s;
  }

  private close(s: number, p: number): number {
    let open = this.level - 1;
    while (open >= 0 && this.lengths[open] !== OPEN) open--;
    if (open < 0) throw fail('invalid pattern capture');
    this.lengths[open] = s - this.starts[open];
    this.choose(CLOSED, s, p, open, 0);
    this.p = p + 1;
    return s;
  }

  private backReference(s: number, digit: number): number {
    const index = digit - 49;
    if (index < 0 || index >= this.level || this.lengths[index] === OPEN) throw fail('invalid capture index');
    const text = this.subject.substr(this.starts[index], Math.max(0, this.lengths[index]));
    this.scanned = text.length;
    return this.subject.startsWith(text, s) ? s + text.length : FAILED;
  }

  /** A capture of the match; the whole of it where the pattern has none. */
  capture(index: number): Value {
    if (index >= this.level) {
      if (index === 0) return this.subject.slice(this.start, this.end);
      throw fail('invalid capture index');
    }
    const length = this.lengths[index];
    if (length === OPEN) throw fail('unfinished capture');
    if (length === POSITION) return this.starts[index] + 1;
    return this.subject.substr(this.starts[index], length);
  }

  captures(whole: boolean): Value[] {
    const count = this.level === 0 && whole ? 1 : this.level;
    return Array.from({ length: count }, (_, i) => this.capture(i));
  }
}
