/** Replies as they are shown: of each, its kind is known. Texts have one character a byte. */
import type { LineKind, ListKind } from '../protocol/resp-parser.ts';

export type Reply =
  | { readonly kind: LineKind | 'bulk' | 'verbatim'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: ListKind; readonly items: readonly Reply[] };

/** The text of a reply that has one; empty for others. */
export function textOf(reply: Reply | undefined): string {
  return reply !== undefined && 'text' in reply ? reply.text : '';
}

export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply !== undefined && 'items' in reply ? reply.items : [];
}

/** What a map says, or an array of names and values in turn, as RESP2 has it. */
export function fieldsOf(reply: Reply | undefined): ReadonlyMap<string, Reply> {
  const items = itemsOf(reply);
  return new Map(Array.from({ length: items.length >> 1 }, (_, i) => [textOf(items[2 * i]), items[2 * i + 1]]));
}

/** Where a server refuses what a program can't go on without. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

/** The reply, unless it is an error. */
export function accepted(reply: Reply): Reply {
  if (reply.kind === 'error') throw new RefusedError(reply.text);
  return reply;
}
