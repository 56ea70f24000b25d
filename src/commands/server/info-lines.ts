/** The text of INFO's fields: `field:value` lines. */

export type InfoValue = string | number;

/** Fields as INFO has them, a line each. */
export function lines(fields: Readonly<Record<string, InfoValue>>): string {
  let text = '';
  for (const name in fields) text += `${name}:${fields[name]}\r\n`;
  return text;
}

/** What stands between the values of a section, by the template that it is written as. */
const between = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * A section whose fields are always the same, as a template with a line for each: what stands between two values is one
 * piece of text, and a section some eighty pieces instead of two hundred.
 */
export function section(template: TemplateStringsArray, ...values: readonly InfoValue[]): string {
  let pieces = between.get(template);
  if (pieces === undefined) between.set(template, (pieces = piecesOf(template)));
  let text = pieces[0];
  for (let i = 0; i < values.length; i++) {
    text += values[i];
    text += pieces[i + 1];
  }
  return text;
}

/** Without the line break before the first line and the indentation of the source, lines ended as INFO ends them. */
function piecesOf(template: readonly string[]): readonly string[] {
  const [first, ...others] = template.map((piece) => piece.replace(/\n */g, '\r\n'));
  return [first.slice(2), ...others];
}
