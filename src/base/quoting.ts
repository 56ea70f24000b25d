/**
 * Redis's quoting of words: as configuration lines and inline commands are split, and as the log, MONITOR and rewritten
 * configuration files show bytes. Strings hold one byte a character.
 */
const SPACE = new Set([' ', '\t', '\n', '\r', '\v', '\f', '\0']);
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };
const HEX = new Set('0123456789abcdefABCDEF');

/** The words of a line; undefined when a quotation is left open or runs into the next word. */
export function splitArguments(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && SPACE.has(line[at])) at++;
    if (at >= line.length) return words;
    const cursor = { at, text: '' };
    if (!readWord(line, cursor)) return undefined;
    words.push(cursor.text);
    at = cursor.at;
  }
}

interface Cursor {
  at: number;
  text: string;
}

function readWord(line: string, cursor: Cursor): boolean {
  while (cursor.at < line.length) {
    const c = line[cursor.at];
    if (c === '"' || c === "'") return c === '"' ? readDouble(line, cursor) : readSingle(line, cursor);
    if (SPACE.has(c)) return true;
    cursor.text += c;
    cursor.at++;
  }
  return true;
}

function closes(line: string, at: number): boolean {
  return at >= line.length || SPACE.has(line[at]);
}

function readDouble(line: string, cursor: Cursor): boolean {
  for (cursor.at++; cursor.at < line.length; cursor.at++) {
    const c = line[cursor.at];
    if (c === '"') return closes(line, ++cursor.at);
    if (c !== '\\' || cursor.at + 1 >= line.length) {
      cursor.text += c;
      continue;
    }
    const next = line[++cursor.at];
    if (next === 'x' && HEX.has(line[cursor.at + 1]) && HEX.has(line[cursor.at + 2])) {
      cursor.text += String.fromCharCode(Number.parseInt(line.slice(cursor.at + 1, cursor.at + 3), 16));
      cursor.at += 2;
    } else {
      cursor.text += ESCAPES[next] ?? next;
    }
  }
  return false;
}

function readSingle(line: string, cursor: Cursor): boolean {
  for (cursor.at++; cursor.at < line.length; cursor.at++) {
    const c = line[cursor.at];
    if (c === "'") return closes(line, ++cursor.at);
    if (c === '\\' && line[cursor.at + 1] === "'") cursor.at++;
    cursor.text += line[cursor.at];
  }
  return false;
}

const SHOWN: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
};

/** Each byte as it is shown. */
export const BYTES_SHOWN = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  const printable = byte >= 32 && byte < 127;
  return SHOWN[character] ?? (printable ? character : `\\x${byte.toString(16).padStart(2, '0')}`);
});

/** The text in double quotes, what is not printable ASCII escaped. */
export function quoted(text: string): string {
  let shown = '"';
  for (let i = 0; i < text.length; i++) shown += BYTES_SHOWN[text.charCodeAt(i)];
  return `${shown}"`;
}
