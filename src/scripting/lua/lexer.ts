/** Tokens of Lua 5.1, with the reference's error texts. */
import { textNumber } from './number.ts';
import { LuaError } from './value.ts';

/** Token kinds are the words and signs themselves, and these. */
export const NAME = '<name>';
export const STRING = '<string>';
export const NUMBER = '<number>';
export const END = '<eof>';

const WORDS = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
);
const SIGNS = ['...', '..', '==', '>=', '<=', '~='];
const ESCAPES: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

const NEWLINE = 10;
const RETURN = 13;

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isNameStart(code: number): boolean {
  const letter = code | 32;
  return (letter >= 97 && letter <= 122) || code === 95;
}

/** How messages name a chunk: the name after @ or =, or the beginning of its text. */
export function chunkId(given: string): string {
  const size = 80;
  const name = cString(given);
  if (name[0] === '=') return name.slice(1, size);
  if (name[0] === '@') return name.length - 1 <= size - 8 ? name.slice(1) : '...' + name.slice(8 - size);
  const room = size - ' [string "..."] '.length - 1;
  const line = name.slice(0, room).search(/[\n\r]/);
  const cut = line < 0 ? Math.min(name.length, room) : line;
  return `[string "${name.slice(0, cut)}${cut < name.length ? '...' : ''}"]`;
}

export class Lexer {
  readonly text: string;
  readonly chunk: string;
  line = 1;
  /** The line on which the token before this one ended. */
  lastLine = 1;
  kind = END;
  /** Of a name, string or number. */
  value: string | number = '';
  /** How far the text is read. */
  at = 0;
  private from = 0;
  private ahead: { kind: string; value: string | number; line: number; from: number; at: number } | null = null;

  constructor(text: string, chunk: string) {
    this.text = text;
    this.chunk = chunkId(chunk);
  }

  /** An error at this place; `near` adds the token. */
  error(message: string, near: boolean | string = true): LuaError {
    const token = typeof near === 'string' ? near : near ? this.tokenText() : '';
    const place = `${this.chunk}:${this.line}: ${message}`;
    return new LuaError(token === '' ? place : `${place} near '${token}'`);
  }

  private tokenText(): string {
    if (this.kind === NAME || this.kind === STRING || this.kind === NUMBER) {
      return cString(this.text.slice(this.from, this.ahead === null ? this.at : this.ahead.from));
    }
    return this.kind === '\0' ? '' : printable(this.kind);
  }

  next(): void {
    this.lastLine = this.line;
    if (this.ahead !== null) {
      ({ kind: this.kind, value: this.value, line: this.line, from: this.from, at: this.at } = this.ahead);
      this.ahead = null;
      return;
    }
    this.kind = this.scan();
  }

  /** The kind of the token after this one. */
  peek(): string {
    const { kind, value, line, from, at } = this;
    const found = this.scan();
    this.ahead = { kind: found, value: this.value, line: this.line, from: this.from, at: this.at };
    Object.assign(this, { kind, value, line, from, at });
    return found;
  }

  private scan(): string {
    const { text } = this;
    for (;;) {
      this.from = this.at;
      if (this.at >= text.length) return END;
      const code = text.charCodeAt(this.at);
      if (code === NEWLINE || code === RETURN) this.newline();
      else if (code === 32 || (code >= 9 && code <= 13)) this.at++;
      else if (code === 45 && text[this.at + 1] === '-') this.comment();
      else return this.token(code);
    }
  }

  private token(code: number): string {
    const { text } = this;
    if (isNameStart(code)) return this.name();
    if (isDigit(code) || (code === 46 && isDigit(text.charCodeAt(this.at + 1)))) return this.number();
    if (code === 34 || code === 39) return this.quoted(code);
    if (code === 91) {
      const level = this.bracketLevel();
      if (level >= 0) {
        this.value = this.long(level, 'string');
        return STRING;
      }
      if (level < -1) throw this.error('invalid long string delimiter', text.slice(this.from, this.at - level));
    }
    const sign = this.sign(code);
    this.at += sign.length;
    return sign;
  }

  private sign(code: number): string {
    const { text, at } = this;
    // Only these begin signs of more than one character.
    if (code === 46 || code === 61 || code === 60 || code === 62 || code === 126) {
      for (const candidate of SIGNS) if (text.startsWith(candidate, at)) return candidate;
    }
    return text[at];
  }

  private newline(): void {
    const { text } = this;
    const first = text.charCodeAt(this.at++);
    const second = text.charCodeAt(this.at);
    if ((second === NEWLINE || second === RETURN) && second !== first) this.at++;
    this.line++;
  }

  private name(): string {
    const { text } = this;
    let code = text.charCodeAt(this.at);
    while (isNameStart(code) || isDigit(code)) code = text.charCodeAt(++this.at);
    const word = text.slice(this.from, this.at);
    if (WORDS.has(word)) return word;
    this.value = word;
    return NAME;
  }

  private number(): string {
    const { text } = this;
    let code = text.charCodeAt(this.at);
    while (isDigit(code) || code === 46) code = text.charCodeAt(++this.at);
    if ((code | 32) === 101) {
      code = text.charCodeAt(++this.at);
      if (code === 43 || code === 45) code = text.charCodeAt(++this.at);
    }
    while (isNameStart(code) || isDigit(code)) code = text.charCodeAt(++this.at);
    const word = text.slice(this.from, this.at);
    const value = textNumber(word);
    if (value === undefined) throw this.error('malformed number', word);
    this.value = value;
    return NUMBER;
  }

  private comment(): void {
    const { text } = this;
    this.at += 2;
    if (text[this.at] === '[') {
      const level = this.bracketLevel();
      if (level >= 0) {
        this.long(level, 'comment');
        return;
      }
    }
    for (let code = 0; this.at < text.length; this.at++) {
      code = text.charCodeAt(this.at);
      if (code === NEWLINE || code === RETURN) break;
    }
  }

  /** Of a [=*[ here its number of signs; else -1 less the number of signs. */
  private bracketLevel(): number {
    let end = this.at + 1;
    while (this.text[end] === '=') end++;
    const signs = end - this.at - 1;
    return this.text[end] === '[' ? signs : -1 - signs;
  }

  private long(level: number, what: string): string {
    const { text } = this;
    const close = ']' + '='.repeat(level) + ']';
    this.at += level + 2;
    if (text[this.at] === '\n' || text[this.at] === '\r') this.newline();
    let value = '';
    for (let from = this.at; ; ) {
      if (this.at >= text.length) throw this.error(`unfinished long ${what}`, END);
      const code = text.charCodeAt(this.at);
      if (code === 93 && text.startsWith(close, this.at)) {
        value += text.slice(from, this.at);
        this.at += close.length;
        return value;
      }
      if (code === 91 && level === 0 && text[this.at + 1] === '[') {
        throw this.error('nesting of [[...]] is deprecated', '[');
      }
      if (code !== NEWLINE && code !== RETURN) {
        this.at++;
        continue;
      }
      value += text.slice(from, this.at) + '\n';
      this.newline();
      from = this.at;
    }
  }

  private quoted(quote: number): string {
    const { text } = this;
    let value = '';
    let from = ++this.at;
    for (;;) {
      if (this.at >= text.length) throw this.error('unfinished string', END);
      const code = text.charCodeAt(this.at);
      if (code === quote) break;
      if (code === NEWLINE || code === RETURN) {
        throw this.error(
          'unfinished string',
          cString(text.slice(this.from, this.from + 1) + value + text.slice(from, this.at)),
        );
      }
      if (code === 92) {
        value += text.slice(from, this.at);
        value += this.escape(value);
        from = this.at;
      } else this.at++;
    }
    value += text.slice(from, this.at);
    this.at++;
    this.value = value;
    return STRING;
  }

  private escape(before: string): string {
    const { text } = this;
    const char = text[++this.at];
    if (char === undefined) return '';
    if (char === '\n' || char === '\r') {
      this.newline();
      return '\n';
    }
    if (!isDigit(char.charCodeAt(0))) {
      this.at++;
      return ESCAPES[char] ?? char;
    }
    let value = 0;
    for (let i = 0; i < 3 && isDigit(text.charCodeAt(this.at)); i++) value = value * 10 + Number(text[this.at++]);
    if (value > 255) throw this.error('escape sequence too large', cString(text[this.from] + before));
    return String.fromCharCode(value);
  }
}

/** Messages are C strings: they end at a zero byte. */
function cString(text: string): string {
  const zero = text.indexOf('\0');
  return zero < 0 ? text : text.slice(0, zero);
}

export function printable(kind: string): string {
  const code = kind.charCodeAt(0);
  return kind.length === 1 && (code < 32 || code === 127) ? `char(${code})` : kind;
}
