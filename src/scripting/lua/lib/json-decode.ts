/** cjson.decode: a tokenizer and a recursive reader, with the reference's messages. */
import type { Runtime } from '../runtime.ts';
import { fail, LuaTable, type LuaUserdata, type Value } from '../value.ts';

type Token =
  | { kind: 'T_STRING'; value: string; at: number }
  | { kind: 'T_NUMBER'; value: number; at: number }
  | { kind: 'T_BOOLEAN'; value: boolean; at: number }
  | { kind: 'T_ERROR'; value: string; at: number }
  | { kind: string; value?: undefined; at: number };

const SIGNS: Record<string, string> = {
  '{': 'T_OBJ_BEGIN',
  '}': 'T_OBJ_END',
  '[': 'T_ARR_BEGIN',
  ']': 'T_ARR_END',
  ',': 'T_COMMA',
  ':': 'T_COLON',
};
const ESCAPES: Record<string, string> = { '"': '"', '\\': '\\', '/': '/', b: '\b', t: '\t', n: '\n', f: '\f', r: '\r' };
const NUMBER =
  /[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])/y;

/** About what a table takes. */
const TABLE_BYTES = 200;

export interface DecodeLimits {
  decodeDepth: number;
  decodeInvalid: boolean;
}

export class JsonReader {
  private readonly rt: Runtime;
  private readonly text: string;
  private readonly limits: DecodeLimits;
  private readonly nothing: LuaUserdata;
  private at = 0;
  private depth = 0;

  constructor(rt: Runtime, text: string, limits: DecodeLimits, nothing: LuaUserdata) {
    this.rt = rt;
    this.text = text;
    this.limits = limits;
    this.nothing = nothing;
  }

  whole(): Value {
    const { text } = this;
    if (text.length >= 2 && (text.charCodeAt(0) === 0 || text.charCodeAt(1) === 0)) {
      throw fail('JSON parser does not support UTF-16 or UTF-32');
    }
    const value = this.value(this.token());
    const last = this.token();
    if (last.kind !== 'T_END') throw this.unexpected('the end', last);
    return value;
  }

  private unexpected(wanted: string, token: Token) {
    const found = token.kind === 'T_ERROR' ? token.value : token.kind;
    return fail(`Expected ${wanted} but found ${found} at character ${token.at + 1}`);
  }

  private value(token: Token): Value {
    switch (token.kind) {
      case 'T_STRING':
      case 'T_NUMBER':
      case 'T_BOOLEAN':
        return token.value;
      case 'T_OBJ_BEGIN':
        return this.object();
      case 'T_ARR_BEGIN':
        return this.array();
      case 'T_NULL':
        return this.nothing;
      default:
        throw this.unexpected('value', token);
    }
  }

  private descend(): void {
    this.rt.reserve(TABLE_BYTES);
    if (++this.depth <= this.limits.decodeDepth) return;
    throw fail(`Found too many nested data structures (${this.depth}) at character ${this.at}`);
  }

  private object(): LuaTable {
    const table = new LuaTable();
    this.descend();
    let token = this.token();
    if (token.kind === 'T_OBJ_END') {
      this.depth--;
      return table;
    }
    for (;;) {
      if (token.kind !== 'T_STRING') throw this.unexpected('object key string', token);
      const key = token.value as string;
      token = this.token();
      if (token.kind !== 'T_COLON') throw this.unexpected('colon', token);
      table.setHash(key, this.value(this.token()));
      token = this.token();
      if (token.kind === 'T_OBJ_END') break;
      if (token.kind !== 'T_COMMA') throw this.unexpected('comma or object end', token);
      token = this.token();
    }
    this.depth--;
    return table;
  }

  private array(): LuaTable {
    const table = new LuaTable();
    this.descend();
    let token = this.token();
    if (token.kind === 'T_ARR_END') {
      this.depth--;
      return table;
    }
    for (let i = 1; ; i++) {
      table.set(i, this.value(token));
      token = this.token();
      if (token.kind === 'T_ARR_END') break;
      if (token.kind !== 'T_COMMA') throw this.unexpected('comma or array end', token);
      token = this.token();
    }
    this.depth--;
    return table;
  }

  // ---- tokens

  private token(): Token {
    const { text } = this;
    let char = text[this.at];
    while (char === ' ' || char === '\t' || char === '\n' || char === '\r') char = text[++this.at];
    const at = this.at;
    if (char === undefined || char === '\0') return { kind: 'T_END', at };
    const sign = SIGNS[char];
    if (sign !== undefined) {
      this.at++;
      return { kind: sign, at };
    }
    if (char === '"') return this.string(at);
    if (char === '-' || (char >= '0' && char <= '9')) {
      if (!this.limits.decodeInvalid && this.isInvalidNumber()) return { kind: 'T_ERROR', value: 'invalid number', at };
      return this.number(at);
    }
    for (const [word, token] of [
      ['true', { kind: 'T_BOOLEAN', value: true, at }],
      ['false', { kind: 'T_BOOLEAN', value: false, at }],
      ['null', { kind: 'T_NULL', at }],
    ] as Array<[string, Token]>) {
      if (!text.startsWith(word, at)) continue;
      this.at += word.length;
      return token;
    }
    if (this.limits.decodeInvalid && this.isInvalidNumber()) return this.number(at);
    return { kind: 'T_ERROR', value: 'invalid token', at };
  }

  /** Infinity, NaN, hexadecimal numbers and leading zeros: what strtod takes and JSON doesn't. */
  private isInvalidNumber(): boolean {
    const { text } = this;
    let at = this.at;
    if (text[at] === '+') return true;
    if (text[at] === '-') at++;
    const char = text[at];
    if (char === '0') {
      const next = text[at + 1] ?? '';
      return next === 'x' || next === 'X' || (next >= '0' && next <= '9');
    }
    if (char !== undefined && char <= '9') return false;
    const word = text.slice(at, at + 3).toLowerCase();
    return word === 'inf' || word === 'nan';
  }

  private number(at: number): Token {
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) return { kind: 'T_ERROR', value: 'invalid number', at };
    this.at = at + found.length;
    return { kind: 'T_NUMBER', value: parse(found), at };
  }

  private string(at: number): Token {
    const { text } = this;
    let value = '';
    let from = at + 1;
    for (let i = from; ; i++) {
      const char = text[i];
      if (char === undefined || char === '\0') return { kind: 'T_ERROR', value: 'unexpected end of string', at: i };
      if (char === '"') {
        this.at = i + 1;
        return { kind: 'T_STRING', value: value + text.slice(from, i), at };
      }
      if (char !== '\\') continue;
      value += text.slice(from, i);
      const letter = text[i + 1];
      if (letter === 'u') {
        const size = this.unicode(i);
        if (size === null) return { kind: 'T_ERROR', value: 'invalid unicode escape code', at: i };
        value += size.bytes;
        i += size.length - 1;
      } else {
        const simple = Object.hasOwn(ESCAPES, letter ?? '') ? ESCAPES[letter] : undefined;
        if (simple === undefined) return { kind: 'T_ERROR', value: 'invalid escape code', at: i };
        value += simple;
        i++;
      }
      from = i + 1;
    }
  }

  private hex4(at: number): number {
    const digits = this.text.slice(at, at + 4);
    return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
  }

  /** The UTF-8 bytes of the escape at the backslash, and how long it is. */
  private unicode(at: number): { bytes: string; length: number } | null {
    let code = this.hex4(at + 2);
    let length = 6;
    if (code < 0) return null;
    if ((code & 0xf800) === 0xd800) {
      if ((code & 0x400) !== 0 || this.text[at + 6] !== '\\' || this.text[at + 7] !== 'u') return null;
      const low = this.hex4(at + 8);
      if (low < 0 || (low & 0xfc00) !== 0xdc00) return null;
      code = ((code & 0x3ff) << 10) + (low & 0x3ff) + 0x10000;
      length = 12;
    }
    return { bytes: Buffer.from(String.fromCodePoint(code)).toString('latin1'), length };
  }
}

function parse(text: string): number {
  const negative = text[0] === '-';
  const body = negative || text[0] === '+' ? text.slice(1) : text;
  const lower = body.toLowerCase();
  let value: number;
  if (lower.startsWith('inf')) value = Number.POSITIVE_INFINITY;
  else if (lower === 'nan') value = Number.NaN;
  else if (lower.startsWith('0x')) value = parseHex(lower.slice(2));
  else value = Number(body);
  return negative ? -value : value;
}

function parseHex(text: string): number {
  const [digits, exponent] = text.split('p');
  const [whole, fraction = ''] = digits.split('.');
  let value = 0;
  for (const digit of whole + fraction) value = value * 16 + Number.parseInt(digit, 16);
  return value * 2 ** (Number(exponent ?? 0) - 4 * fraction.length);
}
