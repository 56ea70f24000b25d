/** The string library. */
import { cLength } from '../number.ts';
import { type Runtime, text } from '../runtime.ts';
import { badArgument, fail, LuaFunction, LuaTable, type Result, typeName, type Value } from '../value.ts';
import { functionArg, intArg, isNone, library, longArg, type Native, stringArg } from './args.ts';
import { format } from './format.ts';
import { Matcher } from './patterns.ts';

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

/** The end of the text that a match begins at or after `from`, as [start, end], or null. */
function search(matcher: Matcher, s: string, from: number, anchored: boolean): [number, number] | null {
  for (let start = from; start <= s.length; start++) {
    const end = matcher.match(start, anchored ? 1 : 0);
    if (end >= 0) return [start, end];
    if (anchored) break;
  }
  return null;
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
    const found = search(matcher, s, from, pattern[0] === '^');
    rt.charge(matcher.work >>> 3);
    if (found === null) return undefined;
    const [start, end] = found;
    return find ? [start + 1, end, ...matcher.captures(start, end, false)] : matcher.captures(start, end, true);
  };
}

function gmatch(rt: Runtime): Native {
  return (args) => {
    const s = stringArg(args, 0);
    const matcher = new Matcher(s, stringArg(args, 1));
    let from = 0;
    return new LuaFunction('gmatch', () => {
      const found = search(matcher, s, from, false);
      rt.charge(4);
      if (found === null) {
        from = s.length + 1;
        return undefined;
      }
      const [start, end] = found;
      from = end === start ? end + 1 : end;
      return matcher.captures(start, end, true);
    });
  };
}

/** One gsub under way: finds matches one by one and collects the result. */
class Substitution {
  private readonly subject: string;
  private readonly matcher: Matcher;
  private readonly anchored: boolean;
  private readonly limit: number;
  private at = 0;
  private start = 0;
  private end = 0;
  private out = '';
  count = 0;

  constructor(subject: string, pattern: string, limit: number) {
    this.subject = subject;
    this.anchored = pattern[0] === '^';
    this.matcher = new Matcher(subject, pattern);
    this.limit = limit;
  }

  /** Goes to the next match. */
  next(): boolean {
    while (this.count < this.limit && this.at <= this.subject.length) {
      const end = this.matcher.match(this.at, this.anchored ? 1 : 0);
      if (end >= 0) {
        this.count++;
        this.start = this.at;
        this.end = end;
        return true;
      }
      if (this.anchored || this.at === this.subject.length) return false;
      this.out += this.subject[this.at++];
    }
    return false;
  }

  capture(index: number): Value {
    return this.matcher.capture(index, this.start, this.end);
  }

  captures(): Value[] {
    return this.matcher.captures(this.start, this.end, true);
  }

  /** The replacement of the match at hand; nil and false keep it. */
  put(value: Value): void {
    if (value === undefined || value === false) {
      this.out += this.subject.slice(this.start, this.end);
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
      if (code === 48) this.out += this.subject.slice(this.start, this.end);
      else if (code > 48 && code <= 57) this.out += text(this.capture(code - 49));
      else this.out += template[percent + 1] ?? '\0';
      at = percent + 2;
    }
    this.out += template.slice(at);
    this.step();
  }

  private step(): void {
    if (this.end > this.at) this.at = this.end;
    else if (this.at < this.subject.length) this.out += this.subject[this.at++];
    else this.at++;
    if (this.anchored) this.at = this.subject.length + 1;
  }

  result(rt: Runtime): readonly Value[] {
    rt.charge(this.matcher.work >>> 3);
    const rest = this.anchored && this.count > 0 ? this.subject.slice(this.end) : this.subject.slice(this.at);
    return [this.out + rest, this.count];
  }
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
    if (template !== undefined) {
      while (work.next()) work.expand(template);
      return work.result(rt);
    }
    const next = new LuaFunction('next', () => (work.next() ? [true, work.capture(0)] : false));
    const captures = new LuaFunction('captures', () => work.captures());
    const put = new LuaFunction('put', (_d, value) => {
      work.put(value);
      return undefined;
    });
    const result = new LuaFunction('result', () => work.result(rt));
    const isTable = replacement instanceof LuaTable;
    return withCalls.call(d, next, captures, put, result, replacement, isTable);
  });
}

export function openString(rt: Runtime, globals: LuaTable, prelude: LuaTable): void {
  const strings = library({
    sub,
    byte,
    char,
    format,
    len: (args) => stringArg(args, 0).length,
    lower: (args) => lower(stringArg(args, 0)),
    upper: (args) => upper(stringArg(args, 0)),
    reverse: (args) => Array.from(stringArg(args, 0)).reverse().join(''),
    rep(args) {
      const s = stringArg(args, 0);
      const count = Math.max(0, intArg(args, 1));
      tooLong(s.length * count);
      rt.charge((s.length * count) >>> 8);
      return s.repeat(count);
    },
    find: finder(rt, true),
    match: finder(rt, false),
    gmatch: gmatch(rt),
    gfind: gmatch(rt),
    // There is no bytecode: what is given can't be loaded, as the reference's can't be where it is refused.
    dump(args) {
      if (functionArg(args, 0).native) throw fail('unable to dump given function');
      return '\x1bLuaQ';
    },
  });
  strings.set('gsub', gsub(rt, prelude.getStr('gsub') as LuaFunction));
  globals.set('string', strings);
  rt.stringMeta = new LuaTable();
  rt.stringMeta.set('__index', strings);
}
