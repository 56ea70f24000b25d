/** The string library. */

import { flat, MUCH_TEXT } from '../meter.ts';
import { cLength } from '../number.ts';
import { MORE, type Runtime, text } from '../runtime.ts';
import { badArgument, fail, LuaFunction, LuaTable, type Result, typeName, type Value } from '../value.ts';
import { functionArg, intArg, isNone, library, longArg, type Native, native, stringArg } from './args.ts';
import { format } from './format.ts';
import { changed, Output, RUN } from './output.ts';
import { FAILED, Matcher, PAUSED } from './patterns.ts';
import { plainlyFound } from './plain.ts';

const MAGIC = ['^', '$', '*', '+', '?', '.', '(', '[', '%', '-'];
/** What the reference's stack takes. */
const STACK_SLOTS = 8000;
/** Longest string that V8 takes. */
const MAX_LENGTH = 2 ** 29 - 25;

function hasMagic(rt: Runtime, pattern: string): boolean {
  rt.charge(pattern.length >>> 4);
  return MAGIC.some((magic) => pattern.includes(magic));
}

/** Looks in pieces whether there is magic in a pattern, up to its NUL. */
function lookingForMagic(rt: Runtime, pattern: string, then: (magic: boolean) => Result): Result {
  const end = cLength(pattern);
  let at = 0;
  return rt.inPieces(() => {
    const magic = hasMagic(rt, pattern.slice(at, Math.min(end, at + RUN)));
    at += RUN;
    return magic || at >= end ? then(magic) : MORE;
  });
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

function byte(rt: Runtime, args: readonly Value[]): Result {
  const s = stringArg(args, 0);
  let from = position(isNone(args, 1) ? 1 : longArg(args, 1), s.length);
  let to = position(isNone(args, 2) ? from : longArg(args, 2), s.length);
  if (from <= 0) from = 1;
  if (to > s.length) to = s.length;
  if (from > to) return [];
  if (from === to) return s.charCodeAt(from - 1);
  if (args.length + to - from + 1 > STACK_SLOTS) throw fail('stack overflow (string slice too long)');
  rt.charge((to - from) >>> 2);
  const codes: number[] = [];
  for (let at = from - 1; at < to; at++) codes.push(s.charCodeAt(at));
  return codes;
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

/** Adds to each byte from `first` to `last`. */
function shifted(s: string, first: number, last: number, by: number): string {
  const bytes = Buffer.from(s, 'latin1');
  for (let i = 0; i < bytes.length; i++) if (bytes[i] >= first && bytes[i] <= last) bytes[i] += by;
  return bytes.toString('latin1');
}

const BEYOND_ASCII = /[^\x00-\x7f]/;

function upper(s: string): string {
  return BEYOND_ASCII.test(s) ? shifted(s, 97, 122, -32) : s.toUpperCase();
}

function lower(s: string): string {
  return BEYOND_ASCII.test(s) ? shifted(s, 65, 90, 32) : s.toLowerCase();
}

/** Steps of a search, or parts of a template, in one go. */
const PIECE = 4096;
const MATCHES = 64;
const MATCH_CHARGE = 4;

/** Searches on; the steps are charged. */
function search(rt: Runtime, matcher: Matcher): number {
  const before = matcher.spent;
  const end = matcher.search(PIECE);
  rt.charge((matcher.spent - before) >>> 0);
  return end;
}

/** Searches in pieces; `found` gives the result once the search is over. */
function searched(rt: Runtime, matcher: Matcher, found: (end: number) => Result): Result {
  return rt.inPieces(() => {
    const end = search(rt, matcher);
    return end === PAUSED ? MORE : found(end);
  });
}

function finder(rt: Runtime, find: boolean): Native {
  return (args) => {
    const s = stringArg(args, 0);
    const pattern = stringArg(args, 1);
    let from = position(isNone(args, 2) ? 1 : longArg(args, 2), s.length) - 1;
    if (from < 0) from = 0;
    else if (from > s.length) from = s.length;
    const matched = (): Result => {
      const matcher = new Matcher(s, pattern);
      matcher.from(from);
      return searched(rt, matcher, (end) => {
        if (end === FAILED) return undefined;
        return find ? [matcher.start + 1, end, ...matcher.captures(false)] : matcher.captures(true);
      });
    };
    if (!find) return matched();
    if (args[3] !== undefined && args[3] !== false) return plainlyFound(rt, s, pattern, from);
    return lookingForMagic(rt, pattern, (magic) => (magic ? matched() : plainlyFound(rt, s, pattern, from)));
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
  private readonly out: Output;
  private at = 0;
  /** How far the template has been put for the match at hand. */
  private expanded = 0;
  private count = 0;
  private over = false;

  constructor(rt: Runtime, subject: string, pattern: string, limit: number) {
    this.out = new Output(rt);
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
    this.out.add(this.subject.slice(this.at, matcher.start));
    this.at = matcher.start;
  }

  /** The replacement of the match at hand; nil and false keep it. */
  put(value: Value): void {
    if (value === undefined || value === false) {
      this.out.add(this.subject.slice(this.at, this.matcher.end));
    } else {
      const replacement = text(value);
      if (replacement === undefined) throw fail(`invalid replacement value (a ${typeName(value)})`);
      this.out.add(replacement);
    }
    this.step();
  }

  /** The replacement is a template with %0 to %9; false when there is more of it to be put. */
  expand(rt: Runtime, template: string): boolean {
    let at = this.expanded;
    for (let left = PIECE; left > 0; left--) {
      const percent = template.indexOf('%', at);
      if (percent < 0) {
        this.out.add(template.slice(at));
        rt.charge(PIECE - left);
        this.expanded = 0;
        this.step();
        return true;
      }
      this.out.add(template.slice(at, percent));
      const code = template.charCodeAt(percent + 1);
      if (code === 48) this.out.add(this.subject.slice(this.at, this.matcher.end));
      else if (code > 48 && code <= 57) this.out.add(text(this.matcher.capture(code - 49))!);
      else this.out.add(template[percent + 1] ?? '\0');
      at = percent + 2;
    }
    rt.charge(PIECE);
    this.expanded = at;
    return false;
  }

  private step(): void {
    const { end } = this.matcher;
    if (end > this.at) this.at = end;
    else if (this.at < this.subject.length) this.out.add(this.subject[this.at++]);
    else this.at++;
    this.over = this.anchored;
  }

  result(): readonly Value[] {
    this.out.add(this.subject.slice(this.at));
    return [this.out.result(), this.count];
  }
}

/** Replaces all matches by a template. */
function expandAll(rt: Runtime, work: Substitution, template: string): Result {
  let searching = false;
  let expanding = false;
  return rt.inPieces(() => {
    for (let left = MATCHES; left > 0 && rt.budget >= 0; left--) {
      if (!expanding) {
        if (!searching && !work.begin()) return work.result();
        const end = search(rt, work.matcher);
        searching = end === PAUSED;
        if (searching) break;
        if (end === FAILED) return work.result();
        work.found();
      }
      expanding = !work.expand(rt, template);
      rt.charge(MATCH_CHARGE);
    }
    return MORE;
  });
}

/** `withCalls` is the part written in Lua, for replacements by function and table. */
function gsub(rt: Runtime, withCalls: LuaFunction): LuaFunction {
  return native(rt, 'gsub', (args, d) => {
    const subject = stringArg(args, 0);
    const pattern = stringArg(args, 1);
    const replacement = args[2];
    const limit = isNone(args, 3) ? subject.length + 1 : intArg(args, 3);
    const template = text(replacement);
    if (template === undefined && !(replacement instanceof LuaTable) && !(replacement instanceof LuaFunction)) {
      throw badArgument(3, 'string/function/table expected');
    }
    const work = new Substitution(rt, subject, pattern, limit);
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
  const length = s.length * count;
  tooLong(length);
  if (length <= MUCH_TEXT) return s.repeat(count);
  rt.reserve(length);
  return flat(s.repeat(count));
}

function reverse(rt: Runtime, s: string): string {
  rt.reserve(2 * s.length);
  return Buffer.from(s, 'latin1').reverse().toString('latin1');
}

export function openString(rt: Runtime, globals: LuaTable, prelude: LuaTable): void {
  const whole =
    (change: (s: string) => string): Native =>
    (args) =>
      changed(rt, stringArg(args, 0), change);
  const gsubLater: Native = () => undefined;
  const strings = library(
    rt,
    {
      byte: (args) => byte(rt, args),
      char,
      // There is no bytecode: what is given can't be loaded, as the reference's can't be where it is refused.
      dump(args) {
        if (!functionArg(args, 0).compiled) throw fail('unable to dump given function');
        return '\x1bLuaQ';
      },
      find: finder(rt, true),
      format: (args) => format(rt, args),
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
