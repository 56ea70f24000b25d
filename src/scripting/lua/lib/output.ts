/**
 * Text that a native puts together bit by bit: kept in flat pieces of some PIECE characters, each counted, as time and as
 * memory, when it is full. What is longer than a piece stays as it is, and counts each time: the same text may come often.
 */
import { constants } from 'node:buffer';
import { unhandled } from '../errors.ts';
import { flat } from '../meter.ts';
import { MORE, type Runtime } from '../runtime.ts';
import type { Result } from '../value.ts';
import { BYTES_SHIFT } from '../work.ts';

const PIECE = 16_384;
/** No string of V8 is longer. */
const { MAX_STRING_LENGTH } = constants;

export class Output {
  private readonly rt: Runtime;
  private readonly pieces: string[] = [];
  private whole = 0;
  private text = '';

  constructor(rt: Runtime) {
    this.rt = rt;
  }

  get length(): number {
    return this.whole + this.text.length;
  }

  add(text: string): void {
    if (text.length > PIECE) {
      this.flush();
      if (this.whole + text.length > MAX_STRING_LENGTH) throw unhandled('not enough memory');
      this.rt.charge(text.length >>> BYTES_SHIFT);
      this.pieces.push(text);
      this.whole += text.length;
      return;
    }
    this.text += text;
    if (this.text.length > PIECE) this.flush();
  }

  private flush(): void {
    const { rt, text } = this;
    if (text === '') return;
    rt.charge(text.length >>> 4);
    rt.reserve(text.length);
    this.pieces.push(flat(text));
    this.whole += text.length;
    this.text = '';
  }

  /** All of it; nothing may be added any more. */
  result(): string {
    if (this.pieces.length === 0) return this.text;
    this.flush();
    if (this.pieces.length === 1) return this.pieces[0];
    this.rt.charge(this.whole >>> BYTES_SHIFT);
    this.rt.reserve(this.whole);
    return this.pieces.join('');
  }
}

/** Characters that are changed in one go. */
export const RUN = 65_536;
/** From here on a table beats a regular expression. */
const LONG = 256;

/** Writes escapes for the characters that a global pattern finds, each of at most `widest` characters. */
export class Escaper {
  private readonly pattern: RegExp;
  private readonly escapeOf: (code: number) => string;
  private readonly widest: number;
  /** By byte, what stands for it; made when something long comes. */
  private escapes: Buffer[] | null = null;
  private out: Buffer | null = null;

  constructor(pattern: RegExp, widest: number, escapeOf: (code: number) => string) {
    this.pattern = pattern;
    this.widest = widest;
    this.escapeOf = escapeOf;
  }

  /** A run of at most RUN characters with its escapes. */
  escaped(run: string): string {
    this.pattern.lastIndex = 0;
    if (!this.pattern.test(run)) return run;
    if (run.length > LONG) return this.long(run);
    return run.replace(this.pattern, (char) => this.escapeOf(char.charCodeAt(0)));
  }

  private long(run: string): string {
    this.escapes ??= Array.from({ length: 256 }, (_, code) => {
      const char = String.fromCharCode(code);
      return Buffer.from(
        char.replace(this.pattern, () => this.escapeOf(code)),
        'latin1',
      );
    });
    this.out ??= Buffer.alloc(RUN * this.widest);
    const { escapes, out } = this;
    let end = 0;
    for (let i = 0; i < run.length; i++) {
      const bytes = escapes[run.charCodeAt(i)];
      for (let k = 0; k < bytes.length; k++) out[end++] = bytes[k];
    }
    return out.toString('latin1', 0, end);
  }
}

/** Changes a text run by run; `change` may make several characters of each, and doesn't look at its neighbours. */
export function changed(rt: Runtime, text: string, change: (run: string) => string): Result {
  if (text.length <= RUN) return change(text);
  const out = new Output(rt);
  let at = 0;
  return rt.inPieces(() => {
    out.add(change(text.slice(at, at + RUN)));
    rt.charge(RUN >>> 2);
    at += RUN;
    return at < text.length ? MORE : out.result();
  });
}
