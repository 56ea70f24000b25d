/** Where a text stops being JSON: JSON.parse does not say so under every version of Node. */

const TOKEN =
  /[ \t\r\n]*([{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/** What may stand next. */
type Wanted = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or end';

/** The place behind the last token that could be part of a JSON text, in characters. */
export function jsonFault(text: string): number {
  const open: ('[' | '{')[] = [];
  let wanted: Wanted = 'value';
  let end = 0;
  TOKEN.lastIndex = 0;
  for (let found = TOKEN.exec(text); found !== null; found = TOKEN.exec(text)) {
    const next = after(found[1], wanted, open);
    if (next === undefined) break;
    wanted = next;
    end = TOKEN.lastIndex;
  }
  while (' \t\r\n'.includes(text.charAt(end)) && end < text.length) end++;
  return end;
}

/** What may follow a token where something was wanted; undefined where the token was not. */
function after(token: string, wanted: Wanted, open: ('[' | '{')[]): Wanted | undefined {
  const isName = wanted === 'name' || wanted === 'name or }';
  if (token === ']' || token === '}') {
    const empty = token === ']' ? 'value or ]' : 'name or }';
    if (wanted !== empty && wanted !== ', or end') return undefined;
    return open.pop() === (token === ']' ? '[' : '{') ? ', or end' : undefined;
  }
  if (token === ',') {
    if (wanted !== ', or end' || open.length === 0) return undefined;
    return open.at(-1) === '[' ? 'value' : 'name';
  }
  if (token === ':') return wanted === ':' ? 'value' : undefined;
  if (isName) return token.startsWith('"') ? ':' : undefined;
  if (wanted !== 'value' && wanted !== 'value or ]') return undefined;
  if (token !== '[' && token !== '{') return ', or end';
  open.push(token);
  return token === '[' ? 'value or ]' : 'name or }';
}
