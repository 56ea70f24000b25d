/**
 * Layouts: where the fields of a block lie.
 *
 * A module declares its layout once, keeps it to itself and uses it as plain numbers:
 *
 *   const Node = layout({ next: 'u32', prev: 'u32', score: 'f64' });
 *   memory.f64(node, Node.score)          // Node.next 0, Node.prev 4, Node.score 8, Node.size 16
 *
 * A field that would need padding before it is refused: padding is declared by name, so that the bytes drawn in a
 * header are the bytes there are.
 */
import { assert } from '../base/assert.ts';

const WIDTH = { u8: 1, u16: 2, u32: 4, f64: 8 } as const;

export type FieldWidth = keyof typeof WIDTH;

export type Layout<F extends Record<string, FieldWidth>> = { readonly [K in keyof F]: number } & {
  readonly size: number;
};

/** Offsets in bytes of the fields in the order they are given, and `size`, their sum. */
export function layout<F extends Record<string, FieldWidth>>(fields: F): Layout<F> {
  const offsets: Record<string, number> = {};
  let at = 0;
  for (const name of Object.keys(fields)) {
    const width = WIDTH[fields[name]];
    assert(at % width === 0, `layout: ${name} would need padding at ${at}`);
    offsets[name] = at;
    at += width;
  }
  offsets.size = at;
  return Object.freeze(offsets) as Layout<F>;
}
