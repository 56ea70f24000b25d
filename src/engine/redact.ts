/** Arguments that the slow log and MONITOR must not show. */
import { isWord, type Slice } from '../base/slice.ts';
import type { Config } from '../config/config.ts';
import type { Registered } from './table.ts';

export const REDACTED = '(redacted)';

/** Whether argument `i` is a secret. */
export function isSecret(registered: Registered, args: readonly Slice[], i: number, config: Config): boolean {
  switch (registered.name) {
    case 'auth':
      return i > 0;
    case 'hello':
      return isAfterWord(args, i, 'AUTH', 2, 2);
    case 'migrate':
      return isAfterWord(args, i, 'AUTH', 1, 6) || isAfterWord(args, i, 'AUTH2', 2, 6);
    case 'acl|setuser':
      return i > 1;
    case 'config|set':
      return i > 2 && i % 2 === 1 && config.option(args[i - 1].keyword())?.sensitive === true;
    default:
      return false;
  }
}

/** Whether argument `i` is one of the `count` that follow `word`, looked for from argument `from`. */
function isAfterWord(args: readonly Slice[], i: number, word: string, count: number, from: number): boolean {
  for (let at = Math.max(from, i - count); at < i; at++) if (isWord(args[at], word)) return true;
  return false;
}
