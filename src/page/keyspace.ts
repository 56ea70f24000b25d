/** Commands about keys, in the database that is chosen. Keys and values are bytes. */
import type { WireReply } from '../console/wire.ts';
import { accepted, CommandError, errorIn, type Link, list, number, word, words } from './link.ts';

export interface KeyRow {
  readonly key: string;
  readonly type: string;
  /** Milliseconds; -1 where it does not expire. */
  readonly ttl: number;
  /** Bytes in memory; null where that can't be known. */
  readonly size: number | null;
}

const SCAN_COUNT = '500';
/** A look goes on through a keyspace where little matches until it has found so many keys, or taken so many steps. */
const ENOUGH = 200;
const MOST_STEPS = 40;

export class Keyspace {
  db = 0;
  readonly link: Link;

  constructor(link: Link) {
    this.link = link;
  }

  /** Runs commands in the database; errors are replies. */
  async run(...commands: readonly (readonly string[])[]): Promise<readonly WireReply[]> {
    const [selected, ...replies] = await this.link.run('browse', [['SELECT', String(this.db)], ...commands]);
    // Who may not select is in the first database.
    if (this.db !== 0) accepted(selected);
    return replies;
  }

  async call(...command: readonly string[]): Promise<WireReply> {
    const [reply] = await this.run(command);
    return accepted(reply);
  }

  /** All of them, or none where one is refused before any is run. */
  async together(...commands: readonly (readonly string[])[]): Promise<void> {
    const replies = await this.run(['MULTI'], ...commands, ['EXEC']);
    for (const reply of replies) accepted(reply);
    for (const reply of list(replies.at(-1))) accepted(reply);
  }

  /** Keys that match, from a cursor on, with what is known of each. */
  async scan(cursor: string, pattern: string, type: string): Promise<{ cursor: string; rows: KeyRow[] }> {
    const found: string[] = [];
    let next = cursor;
    for (let step = 0; step < MOST_STEPS && found.length < ENOUGH; step++) {
      const filter = type === '' ? [] : ['TYPE', type];
      const [at, keys] = list(await this.call('SCAN', next, 'MATCH', pattern, 'COUNT', SCAN_COUNT, ...filter));
      next = word(at);
      found.push(...words(keys));
      if (next === '0') break;
    }
    return { cursor: next, rows: await this.describe(found) };
  }

  async describe(keys: readonly string[]): Promise<KeyRow[]> {
    if (keys.length === 0) return [];
    const replies = await this.run(
      ...keys.flatMap((key) => [
        ['TYPE', key],
        ['PTTL', key],
        ['MEMORY', 'USAGE', key],
      ]),
    );
    return keys.map((key, i) => {
      const [type, ttl, size] = replies.slice(3 * i, 3 * i + 3);
      return {
        key,
        type: errorIn(type) === undefined ? word(type) : '?',
        ttl: errorIn(ttl) === undefined ? number(ttl) : -1,
        size: typeof size === 'number' ? size : null,
      };
    });
  }

  /** What is known of one key. Rejects where there is none. */
  async about(key: string): Promise<KeyRow & { readonly encoding: string }> {
    const [row] = await this.describe([key]);
    if (row.type === 'none') throw new CommandError('The key is not there any more');
    const [encoding] = await this.run(['OBJECT', 'ENCODING', key]);
    return { ...row, encoding: word(encoding) };
  }
}
