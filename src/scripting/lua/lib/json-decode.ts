/** cjson.decode: a tokenizer and a reader with a list of the tables around it, with the reference's messages; in pieces. */
import { LONG_NUMERAL, type Numeral } from '../numeral.ts';
import { MORE, type Runtime } from '../runtime.ts';
import { fail, LuaTable, type LuaUserdata, type Result, type Value } from '../value.ts';
import { Output, RUN } from './output.ts';

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

/** About what a table takes, and an item of one. */
const TABLE_BYTES = 200;
const ITEM_BYTES = 16;
const TOKEN_CHARGE = 4;
/** What the reference's stack takes, and what tables keep of it while what is in them is written or read. */
export const STACK_SLOTS = 8000;
export const ARRAY_SLOTS = 1;
export const OBJECT_SLOTS = 2;
/** Strings that are read at once where there is nothing to replace. */
const SHORT = 128;
const QUOTE = 34;
const BACKSLASH = 92;

export interface DecodeLimits {
  decodeDepth: number;
  decodeInvalid: boolean;
}

/** What may come next. */
type Expected = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'the end';

/** A table that is being read. */
interface Opened {
  readonly table: LuaTable;
  readonly array: boolean;
  /** Of the next item. */
  index: number;
  key: string;
}

export class JsonReader {
  private readonly rt: Runtime;
  private readonly text: string;
  private readonly limits: DecodeLimits;
  private readonly nothing: LuaUserdata;
  private at = 0;
  private readonly opened: Opened[] = [];
  /** In use on the reference's stack: the text, and what the tables around this place keep. */
  private slots = 1;
  private expected: Expected = 'value';
  private result: Value;
  /** A string or a long number that is being read, and where it begins. */
  private out: Output | null = null;
  private numeral: Numeral | null = null;
  private begin = 0;

  constructor(rt: Runtime, text: string, limits: DecodeLimits, nothing: LuaUserdata) {
    this.rt = rt;
    this.text = text;
    this.limits = limits;
    this.nothing = nothing;
  }

  whole(): Result {
    const { rt, text } = this;
    if (text.length >= 2 && (text.charCodeAt(0) === 0 || text.charCodeAt(1) === 0)) {
      throw fail('JSON parser does not support UTF-16 or UTF-32');
    }
    return rt.inPieces(() => {
      while (rt.budget >= 0) {
        const from = this.at;
        const token = this.token();
        rt.charge(TOKEN_CHARGE + ((this.at - from) >>> 2));
        if (token === null) continue;
        if (this.expected === 'the end') {
          if (token.kind !== 'T_END') throw this.unexpected('the end', token);
          return this.result;
        }
        this.take(token);
      }
      return MORE;
    });
  }

  private unexpected(wanted: string, token: Token) {
    const found = token.kind === 'T_ERROR' ? token.value : token.kind;
    return fail(`Expected ${wanted} but found ${found} at character ${token.at + 1}`);
  }

  private take(token: Token): void {
    const { kind } = token;
    switch (this.expected) {
      case 'value or end':
        if (kind === 'T_ARR_END') this.close();
        else this.value(token);
        return;
      case 'value':
        this.value(token);
        return;
      case 'key or end':
        if (kind === 'T_OBJ_END') this.close();
        else this.key(token);
        return;
      case 'key':
        this.key(token);
        return;
      case 'colon':
        if (kind !== 'T_COLON') throw this.unexpected('colon', token);
        this.expected = 'value';
        return;
      default:
        this.goOn(token, this.opened[this.opened.length - 1].array);
    }
  }

  /** After an item: a comma or the end. */
  private goOn(token: Token, array: boolean): void {
    if (token.kind === (array ? 'T_ARR_END' : 'T_OBJ_END')) this.close();
    else if (token.kind === 'T_COMMA') this.expected = array ? 'value' : 'key';
    else throw this.unexpected(array ? 'comma or array end' : 'comma or object end', token);
  }

  private key(token: Token): void {
    if (token.kind !== 'T_STRING') throw this.unexpected('object key string', token);
    this.opened[this.opened.length - 1].key = token.value as string;
    this.expected = 'colon';
  }

  private value(token: Token): void {
    switch (token.kind) {
      case 'T_STRING':
      case 'T_NUMBER':
      case 'T_BOOLEAN':
        this.complete(token.value);
        return;
      case 'T_OBJ_BEGIN':
      case 'T_ARR_BEGIN':
        this.open(token.kind === 'T_ARR_BEGIN');
        return;
      case 'T_NULL':
        this.complete(this.nothing);
        return;
      default:
        throw this.unexpected('value', token);
    }
  }

  private open(array: boolean): void {
    this.rt.reserve(TABLE_BYTES);
    const depth = this.opened.length + 1;
    const kept = array ? ARRAY_SLOTS : OBJECT_SLOTS;
    if (depth > this.limits.decodeDepth || this.slots + kept + 1 > STACK_SLOTS)
      throw fail(`Found too many nested data structures (${depth}) at character ${this.at}`);
    this.slots += kept;
    this.opened.push({ table: new LuaTable(), array, index: 1, key: '' });
    this.expected = array ? 'value or end' : 'key or end';
  }

  private close(): void {
    const { array, table } = this.opened.pop()!;
    this.slots -= array ? ARRAY_SLOTS : OBJECT_SLOTS;
    this.complete(table);
  }

  /** A value that has been read goes where it belongs. */
  private complete(value: Value): void {
    const { opened } = this;
    if (opened.length === 0) {
      this.result = value;
      this.expected = 'the end';
      return;
    }
    const top = opened[opened.length - 1];
    this.rt.reserve(ITEM_BYTES);
    if (top.array) top.table.set(top.index++, value);
    else top.table.setHash(top.key, value);
    this.expected = 'comma or end';
  }

  // ---- tokens

  /** The next token; null when it takes longer. */
  private token(): Token | null {
    const { text } = this;
    if (this.out !== null) return this.string(this.out);
    if (this.numeral !== null) return this.digits(this.numeral);
    const until = this.at + RUN;
    let char = text[this.at];
    while (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      char = text[++this.at];
      if (this.at === until) return null;
    }
    const at = this.at;
    if (char === undefined || char === '\0') return { kind: 'T_END', at };
    const sign = SIGNS[char];
    if (sign !== undefined) {
      this.at++;
      return { kind: sign, at };
    }
    if (char === '"') return this.beginString(at);
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

  private number(at: number): Token | null {
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) return { kind: 'T_ERROR', value: 'invalid number', at };
    this.at = at + found.length;
    if (found.length <= LONG_NUMERAL) return { kind: 'T_NUMBER', value: parse(found), at };
    this.numeral = this.rt.numeral(found);
    this.begin = at;
    return null;
  }

  /** Goes on with a long number; null where it is longer. */
  private digits(numeral: Numeral): Token | null {
    if (!this.rt.readOn(numeral)) return null;
    this.numeral = null;
    return { kind: 'T_NUMBER', value: numeral.value!, at: this.begin };
  }

  private beginString(at: number): Token | null {
    // Most are short and plain.
    const { text } = this;
    const until = at + SHORT;
    for (let i = at + 1; i < until; i++) {
      const code = text.charCodeAt(i);
      if (code === QUOTE) {
        this.at = i + 1;
        return { kind: 'T_STRING', value: text.slice(at + 1, i), at };
      }
      if (code === BACKSLASH || code === 0) break;
    }
    this.out = new Output(this.rt);
    this.begin = at;
    this.at = at + 1;
    return this.string(this.out);
  }

  /** Goes on with a string; null where it is longer. */
  private string(out: Output): Token | null {
    const { text } = this;
    const until = this.at + RUN;
    let from = this.at;
    let i = from;
    for (; i < until; i++) {
      const code = text.charCodeAt(i);
      if (code !== code || code === 0) return this.badString('unexpected end of string', i);
      if (code === QUOTE) {
        out.add(text.slice(from, i));
        this.out = null;
        this.at = i + 1;
        return { kind: 'T_STRING', value: out.result(), at: this.begin };
      }
      if (code !== BACKSLASH) continue;
      out.add(text.slice(from, i));
      const found = this.escape(i);
      if (typeof found === 'string') return this.badString(found, i);
      out.add(found.bytes);
      i += found.length - 1;
      from = i + 1;
    }
    if (i > from) out.add(text.slice(from, i));
    this.at = i;
    return null;
  }

  private badString(value: string, at: number): Token {
    return { kind: 'T_ERROR', value, at };
  }

  /** What the escape at the backslash stands for, and how long it is; or what is wrong with it. */
  private escape(at: number): { bytes: string; length: number } | string {
    const letter = this.text[at + 1];
    if (letter === 'u') return this.unicode(at) ?? 'invalid unicode escape code';
    const bytes = Object.hasOwn(ESCAPES, letter ?? '') ? ESCAPES[letter] : undefined;
    return bytes === undefined ? 'invalid escape code' : { bytes, length: 2 };
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
