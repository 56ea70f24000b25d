/** A small reader of RESP2 and RESP3, for tests: bytes to plain values, nothing lenient. */

export type RespValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | { readonly kind: 'error' | 'double' | 'big' | 'verbatim' | 'status'; readonly text: string }
  | { readonly kind: 'array' | 'set' | 'push'; readonly items: readonly RespValue[] }
  | { readonly kind: 'map' | 'attribute'; readonly pairs: readonly (readonly [RespValue, RespValue])[] }
  | { readonly kind: 'null' | 'nullArray' };

/** Thrown when the bytes end within a value. */
export class Incomplete extends Error {}

export class RespReader {
  private readonly text: string;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }

  get done(): boolean {
    return this.at === this.text.length;
  }

  all(): RespValue[] {
    const values: RespValue[] = [];
    while (!this.done) values.push(this.value());
    return values;
  }

  value(): RespValue {
    const kind = this.text[this.at];
    const line = this.line();
    switch (kind) {
      case '+':
        return { kind: 'status', text: line };
      case '-':
        return { kind: 'error', text: line };
      case ':':
        return this.integer(line);
      case ',':
        return { kind: 'double', text: line };
      case '(':
        return { kind: 'big', text: line };
      case '_':
        return { kind: 'null' };
      case '#':
        return line === 't' ? true : this.must(line === 'f', line) && false;
      case '$':
        return line === '-1' ? { kind: 'null' } : this.bytes(Number(line));
      case '=':
        return { kind: 'verbatim', text: this.bytes(Number(line)) };
      case '*':
        return line === '-1' ? { kind: 'nullArray' } : { kind: 'array', items: this.items(Number(line)) };
      case '~':
        return { kind: 'set', items: this.items(Number(line)) };
      case '>':
        return { kind: 'push', items: this.items(Number(line)) };
      case '%':
        return { kind: 'map', pairs: this.pairs(Number(line)) };
      case '|':
        return { kind: 'attribute', pairs: this.pairs(Number(line)) };
      default:
        throw new Error(`no such type: ${JSON.stringify(kind)} at ${this.at}`);
    }
  }

  private integer(line: string): number | bigint {
    this.must(/^-?\d+$/.test(line), line);
    return Number.isSafeInteger(Number(line)) ? Number(line) : BigInt(line);
  }

  private line(): string {
    const end = this.text.indexOf('\r\n', this.at);
    if (end < 0) throw new Incomplete();
    const line = this.text.slice(this.at + 1, end);
    this.at = end + 2;
    return line;
  }

  private bytes(length: number): string {
    this.must(Number.isInteger(length) && length >= 0, 'length');
    if (this.text.length < this.at + length + 2) throw new Incomplete();
    const bytes = this.text.slice(this.at, this.at + length);
    this.at += length;
    this.must(this.text.startsWith('\r\n', this.at), 'line break after a bulk');
    this.at += 2;
    return bytes;
  }

  private items(length: number): RespValue[] {
    const items: RespValue[] = [];
    for (let i = 0; i < length; i++) items.push(this.value());
    return items;
  }

  private pairs(length: number): [RespValue, RespValue][] {
    const pairs: [RespValue, RespValue][] = [];
    for (let i = 0; i < length; i++) pairs.push([this.value(), this.value()]);
    return pairs;
  }

  private must(condition: boolean, what: string): true {
    if (!condition) throw new Error(`malformed: ${what}`);
    return true;
  }
}
