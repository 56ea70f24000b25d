/** The texts that the commands of a transaction will have compiled. */
import { LONGEST_TEXT } from '../base/slice.ts';
import type { Call } from '../engine/call.ts';
import type { Queued } from '../engine/transaction.ts';
import { AT_ONCE } from './compilations.ts';
import type { Libraries } from './libraries.ts';
import type { Text } from './lua/chunk.ts';
import type { Scripts } from './scripts.ts';

/** In a payload texts are compressed, 64 to 1 at best. */
const PACKED = AT_ONCE / 64;

export function queuedTexts(c: Call, queue: readonly Queued[], scripts: Scripts, libraries: Libraries): Text[] {
  const texts: Text[] = [];
  const add = (text: Text | null): void => {
    if (text !== null && text.source.length >= AT_ONCE) texts.push(text);
  };
  for (const { registered, args } of queue) {
    const last = args[args.length - 1];
    // The command itself refuses what is no text.
    if (args.some(({ length }) => length > LONGEST_TEXT)) continue;
    switch (registered.name) {
      case 'eval':
      case 'eval_ro':
        if (args[1].length >= AT_ONCE) add(scripts.textFor(args[1].latin1(), false));
        break;
      case 'evalsha':
      case 'evalsha_ro':
        add(scripts.textFor(args[1].keyword(), true));
        break;
      case 'script|load':
        if (last.length >= AT_ONCE) add(scripts.textFor(last.latin1(), false));
        break;
      case 'function|load':
        if (last.length >= AT_ONCE) add(libraries.textOf(last.latin1()));
        break;
      case 'function|restore':
        if (args[2].length >= PACKED && c.engine.server.persistence.verify(args[2]))
          for (const text of libraries.textsIn(args[2])) add(text);
    }
  }
  return texts;
}
