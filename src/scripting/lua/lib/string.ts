/** The string library. */
import { cLength } from '../number.ts';
import { MORE, type Runtime, text } from '../runtime.ts';
import { badArgument, fail, LuaFunction, LuaTable, type Result, typeName, type Value } from '../value.ts';
import { functionArg, intArg, isNone, library, longArg, type Native, stringArg } from './args.ts';
import { format } from './format.ts';
import { FAILED, Matcher, PAUSED } from './patterns.ts';

const MAGIC = ['^', '$', '*', '+', '?', '.', '(', '[', '%', '-'];
/** Longest string that V8 takes. */
const MAX_LENGTH = 2 ** 29 - 25;

function hasMagic(pattern: string): boolean {
  const seen = pattern.slice(0, cLength(pattern));
  return MAGIC.some((magic) => seen.includes(magic));
}

/** A relative position, from the end when negative, as one from 1. */
function position(at: number, length: number): number {
  const found = at < 0 ? at + length + 1 : at;
  return found < 0 ? 0 : found;
}

function tooLong(length: number): void {
  if (length > MAX_LENGTH) throw fail('resulting string too large');
}

function sub(args: readonly Value[]): string {
  const s = stringArg(args, 0);
  const from = position(longArg(args, 1), s.length);
  const to = position(isNone(args, 2) ? -1 : longArg(args, 2), s.length);
  return s.slice(Math.max(1, from) - 1, Math.max(0, to));
}

function byte(args: readonly Value[]): Result {
  const s = stringArg(args, 0);
  let from = position(isNone(args, 1) ? 1 : longArg(args, 1), s.length);
  let to = position(isNone(args, 2) ? from : longArg(args, 2), s.length);
  if (from <= 0) from = 1;
  if (to > s.length) to = s.length;
  if (from > to) return [];
  if (from === to) return s.charCodeAt(from - 1);
  if (to - from >= 8000) throw fail('string slice too long');
  return Array.from({ length: to - from + 1 }, (_, i) => s.charCodeAt(from - 1 + i));
}

function char(args: readonly Value[]): string {
  let out = '';
  for (let i = 0; i < args.length; i++) {
    const code = intArg(args, i);
    if (code < 0 || code > 255) throw badArgument(i + 1, 'invalid value');
    out += String.fromCharCode(code);
  }
  return out;
}

function upper(s: string): string {
  return /[^\x00-\x7f]/.test(s) ? s.replace(/[a-z]+/g, (run) => run.toUpperCase()) : s.toUpperCase();
}

function lower(s: string): string {
  return /[^\x00-\x7f]/.test(s) ? s.replace(/[A-Z]+/g, (run) => run.toLowerCase()) : s.toLowerCase();
}

/** Steps of a search between two looks at the clock. */
const PIECE = 4096;

/** Searches in pieces; `found` gives the result once the search is over. */
function searched(rt: Runtime, matcher: Matcher, found: (end: number) => Result): Result {
  return rt.inPieces(() => {
    const end = matcher.search(PIECE);
    if (end !== PAUSED) return found(end);
    rt.charge(PIECE >>> 3);
    return MORE;
  });
}

function finder(rt: Runtime, find: boolean): Native {
  return (args) => {
    const s = stringArg(args, 0);
    const pattern = stringArg(args, 1);
    let from = position(isNone(args, 2) ? 1 : longArg(args, 2), s.length) - 1;
    if (from < 0) from = 0;
    else if (from > s.length) from = s.length;
    const plain = find && args[3] !== undefined && args[3] !== false;
    if (plain || (find && !hasMagic(pattern))) {
      const at = s.indexOf(pattern, from);
      rt.charge(s.length >>> 8);
      return at < 0 ? undefined : [at + 1, at + pattern.length];
    }
    const matcher = new Matcher(s, pattern);
    matcher.from(from);
    return searched(rt, matcher, (end) => {
      if (end === FAILED) return undefined;
      return find ? [matcher.start + 1, end, ...matcher.captures(false)] : matcher.captures(true);
    });
  };
}

function gmatch(rt: Runtime): Native {
  return (args) => {
    const s = stringArg(args, 0);
    const matcher = new Matcher(s, stringArg(args, 1), false);
    let from = 0;
    return new LuaFunction('gmatch', () => {
      matcher.from(from);
      rt.charge(4);
      return searched(rt, matcher, (end) => {
        if (end === FAILED) {
          from = s.length + 1;
          return undefined;
        }
        from = end === matcher.start ? end + 1 : end;
        return matcher.captures(true);
      });
    });
  };
}

/** One gsub under way: finds matches one by one and collects the result. */
class Substitution {
  readonly matcher: Matcher;
  private readonly subject: string;
  private readonly anchored: boolean;
  private readonly limit: number;
  private at = 0;
  private out = '';
  private count = 0;
  private over = false;

  constructor(subject: string, pattern: string, limit: number) {
    this.subject = subject;
    this.anchored = pattern[0] === '^';
    this.matcher = new Matcher(subject, pattern);
    this.limit = limit;
  }

  /** Whether there may be another match; then the search for it goes on with `matcher.search`. */
  begin(): boolean {
    if (this.over || this.count >= this.limit || this.at > this.subject.length) return false;
    this.matcher.from(this.at);
    return true;
  }

  found(): void {
    const { matcher } = this;
    this.count++;
    this.out += this.subject.slice(this.at, matcher.start);
    this.at = matcher.start;
  }

  /** The replacement of the match at hand; nil and false keep it. */
  put(value: Value): void {
    if (value === undefined || value === false) {
      this.out += this.subject.slice(this.at, this.matcher.end);
    } else {
      const replacement = text(value);
      if (replacement === undefined) throw fail(`invalid replacement value (a ${typeName(value)})`);
      this.out += replacement;
    }
    this.step();
  }

  /** The replacement is a template with %0 to %9. */
  expand(template: string): void {
    let at = 0;
    for (;;) {
      const percent = template.indexOf('%', at);
      if (percent < 0) break;
      this.out += template.slice(at, percent);
      const code = template.charCodeAt(percent + 1);
      if (code === 48) this.out += this.subject.slice(this.at, this.matcher.end);
      else if (code > 48 && code <= 57) this.out += text(this.matcher.capture(code - 49));
      else this.out += template[percent + 1] ?? '\0';
      at = percent + 2;
    }
    this.out += template.slice(at);
    this.step();
  }

  private step(): void {
    const { end } = this.matcher;
    if (end > this.at) this.at = end;
    else if (this.at < this.subject.length) this.out += this.subject[this.at++];
    else this.at++;
    this.over = this.anchored;
  }

  result(): readonly Value[] {
    return [this.out + this.subject.slice(this.at), this.count];
  }
}

/** Replaces all matches by a template. */
function expandAll(rt: Runtime, work: Substitution, template: string): Result {
  let searching = false;
  return rt.inPieces(() => {
    for (let left = PIECE; left > 0; left -= 64) {
      if (!searching && !work.begin()) return work.result();
      const end = work.matcher.search(PIECE);
      searching = end === PAUSED;
      if (searching) break;
      if (end === FAILED) return work.result();
      work.found();
      work.expand(template);
    }
    rt.charge(PIECE >>> 3);
    return MORE;
  });
}

/** `withCalls` is the part written in Lua, for replacements by function and table. */
function gsub(rt: Runtime, withCalls: LuaFunction): LuaFunction {
  return new LuaFunction('gsub', (d, ...args) => {
    const subject = stringArg(args, 0);
    const pattern = stringArg(args, 1);
    const replacement = args[2];
    const limit = isNone(args, 3) ? subject.length + 1 : intArg(args, 3);
    const template = text(replacement);
    if (template === undefined && !(replacement instanceof LuaTable) && !(replacement instanceof LuaFunction)) {
      throw badArgument(3, 'string/function/table expected');
    }
    const work = new Substitution(subject, pattern, limit);
    if (template !== undefined) return expandAll(rt, work, template);
    const next = new LuaFunction('next', () => {
      if (!work.begin()) return false;
      return searched(rt, work.matcher, (end) => {
        if (end === FAILED) return false;
        work.found();
        return [true, work.matcher.capture(0)];
      });
    });
    const captures = new LuaFunction('captures', () => work.matcher.captures(true));
    const put = new LuaFunction('put', (_d, value) => {
      work.put(value);
      return undefined;
    });
    const result = new LuaFunction('result', () => work.result());
    const callee = replacement instanceof LuaFunction ? rt.nested(replacement) : replacement;
    return withCalls.call(d, next, captures, put, result, callee, replacement instanceof LuaTable);
  });
}

function rep(rt: Runtime, args: readonly Value[]): string {
  const s = stringArg(args, 0);
  const count = Math.max(0, intArg(args, 1));
  tooLong(s.length * count);
  rt.reserve(s.length * count);
  return s.repeat(count);
}

function reverse(rt: Runtime, s: string): string {
  rt.reserve(s.length);
  return Buffer.from(s, 'latin1').reverse().toString('latin1');
}

export function openString(rt: Runtime, globals: LuaTable, prelude: LuaTable): void {
  const whole =
    (change: (s: string) => string): Native =>
    (args) => {
      const s = stringArg(args, 0);
      rt.reserve(s.length);
      return change(s);
    };
  const gsubLater: Native = () => undefined;
  const strings = library(
    rt,
    {
      byte,
      char,
      // There is no bytecode: what is given can't be loaded, as the reference's can't be where it is refused.
      dump(args) {
        if (functionArg(args, 0).native) throw fail('unable to dump given function');
        return '\x1bLuaQ';
      },
      find: finder(rt, true),
      format,
      gfind: gmatch(rt),
      gmatch: gmatch(rt),
      gsub: gsubLater,
      len: (args) => stringArg(args, 0).length,
      lower: whole(lower),
      match: finder(rt, false),
      rep: (args) => rep(rt, args),
      reverse: (args) => reverse(rt, stringArg(args, 0)),
      sub,
      upper: whole(upper),
    },
    true,
  );
  strings.set('gsub', gsub(rt, prelude.getStr('gsub') as LuaFunction));
  globals.set('string', strings);
  rt.stringMeta = new LuaTable();
  rt.stringMeta.set('__index', strings);
}
