/** Bytes, one a character, and what people see and type for them. */
import { BYTES_SHOWN } from '../base/quoting.ts';

const STRICT = new TextDecoder('utf-8', { fatal: true });

/** The bytes of a text in UTF-8. */
export function typed(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

/** The text that the bytes are in UTF-8; undefined where they are none. */
export function textOf(bytes: string): string | undefined {
  try {
    return STRICT.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** Bytes on one line: as text where nothing of them would be invisible, and with escapes as redis-cli has them otherwise. */
export function shown(bytes: string): string {
  const text = textOf(bytes);
  return text === undefined || /[\p{C}\p{Zl}\p{Zp}\\]/u.test(text) ? escaped(bytes) : text;
}

/** The text that can be edited in a field and gives the same bytes again; undefined where a field would change it. */
export function editable(bytes: string): string | undefined {
  const text = textOf(bytes);
  return text === undefined || /[^\P{C}\n\t]/u.test(text) ? undefined : text;
}

/** `\xHH`, `\n` and so on for what is not printable ASCII. Lines stay lines. */
export function escaped(bytes: string): string {
  let text = '';
  for (const byte of bytes) text += byte === '"' ? byte : BYTES_SHOWN[byte.charCodeAt(0)];
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
  '\\': '\\',
  '"': '"',
};

/** The bytes that a text with escapes stands for; undefined where it has one that there is not. */
export function unescaped(text: string): string | undefined {
  let bytes = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      const point = text.codePointAt(i)!;
      bytes += typed(String.fromCodePoint(point));
      if (point > 0xffff) i++;
      continue;
    }
    const hex = /^x([0-9a-f]{2})/i.exec(text.slice(i + 1, i + 4));
    const simple = ESCAPES[text[i + 1] ?? ''];
    if (hex !== null) {
      bytes += String.fromCharCode(Number.parseInt(hex[1], 16));
      i += 3;
    } else if (simple !== undefined) {
      bytes += simple;
      i++;
    } else return undefined;
  }
  return bytes;
}
