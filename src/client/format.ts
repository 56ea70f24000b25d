/** Replies as text, to the byte as redis-cli shows them: for people, and raw for programs. One character a byte. */
import { quoted } from '../base/quoting.ts';
import type { Reply } from './reply.ts';

/** How the items of a list are numbered, and what it is called when there are none. */
const LISTS = {
  array: { mark: ')', empty: '(empty array)' },
  set: { mark: '~', empty: '(empty set)' },
  map: { mark: '#', empty: '(empty hash)' },
  push: { mark: '>', empty: '(empty push)' },
} as const;

/** With a newline at its end. `indent` is what stands in front of each line but the first. */
export function forPeople(reply: Reply, indent = ''): string {
  switch (reply.kind) {
    case 'null':
      return '(nil)\n';
    case 'error':
      return `(error) ${reply.text}\n`;
    case 'integer':
      return `(integer) ${reply.text}\n`;
    case 'double':
      return `(double) ${reply.text}\n`;
    case 'big':
      return `(big number) ${reply.text}\n`;
    case 'boolean':
      return `${truth(reply.text)}\n`;
    case 'bulk':
      return `${quoted(reply.text)}\n`;
    case 'status':
    case 'verbatim':
      return `${reply.text}\n`;
    default:
      return listed(reply.kind, reply.items, indent);
  }
}

function listed(kind: keyof typeof LISTS, items: readonly Reply[], indent: string): string {
  const { mark, empty } = LISTS[kind];
  if (items.length === 0) return `${empty}\n`;
  const step = kind === 'map' ? 2 : 1;
  const width = String(items.length / step).length;
  const inner = `${indent}${' '.repeat(width + 2)}`;
  let text = '';
  for (let i = 0; i < items.length; i += step) {
    const number = String(i / step + 1).padStart(width);
    // The first line goes on where the list around this one has written its own number.
    text += `${i === 0 ? '' : indent}${number}${mark} `;
    const item = forPeople(items[i], inner);
    text += kind === 'map' ? `${item.slice(0, -1)} => ${mapValue(items[i + 1], inner)}` : item;
  }
  return text;
}

/** The value of a key: a list of several lines begins on a line of its own. */
function mapValue(value: Reply, indent: string): string {
  const text = forPeople(value, indent);
  return 'items' in value && text.indexOf('\n') < text.length - 1 ? `\n${indent}${text}` : text;
}

/** Without a newline at its end, except after an error. */
export function forPrograms(reply: Reply): string {
  switch (reply.kind) {
    case 'null':
      return '';
    case 'error':
      return `${reply.text}\n`;
    case 'boolean':
      return truth(reply.text);
    case 'map':
      return pairs(reply.items.map(forPrograms));
    default:
      return 'items' in reply ? reply.items.map(forPrograms).join('\n') : reply.text;
  }
}

function pairs(texts: readonly string[]): string {
  return Array.from({ length: texts.length / 2 }, (_, i) => `${texts[2 * i]} ${texts[2 * i + 1]}`).join('\n');
}

function truth(text: string): string {
  return text === 't' ? '(true)' : '(false)';
}
