/** BITOP: strings combined bit by bit. */
import { isWord, Slice } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { bytes, key, many } from '../../engine/grammar.ts';
import { storeRoot } from '../../keyspace/strings.ts';
import { type Addr, NULL } from '../../memory/address.ts';
import { BITS_AND, BITS_NOT, BITS_OR, BITS_XOR, type BitOperation, combineBits } from '../../structures/bits.ts';
import { sdsNewLength, sdsWritable } from '../../structures/sds.ts';
import { TYPE_STRING } from '../../values/entry.ts';
import { stringBytes, stringLength } from '../../values/string.ts';

const target = new Slice();

function operationOf(word: Slice): BitOperation | undefined {
  if (isWord(word, 'AND')) return BITS_AND;
  if (isWord(word, 'OR')) return BITS_OR;
  if (isWord(word, 'XOR')) return BITS_XOR;
  return isWord(word, 'NOT') ? BITS_NOT : undefined;
}

/** The entries of the sources, NULL for an absent one; undefined when one is no string. */
function openSources(c: Call): Addr[] | undefined {
  const entries: Addr[] = [];
  for (let i = 3; i < c.argc; i++) {
    const e = c.openFor(c.find(i), TYPE_STRING);
    if (e === undefined) return undefined;
    entries.push(e);
  }
  return entries;
}

function storeResult(c: Call, operation: BitOperation, entries: readonly Addr[], length: number): void {
  const m = c.memory;
  const root = sdsNewLength(m, length);
  // Shown only now: an allocation may move what was shown before.
  const sources = entries.map((e) => (e === NULL ? new Slice() : stringBytes(m, e, new Slice())));
  combineBits(operation, sdsWritable(m, root, 0, length, target), sources);
  storeRoot(c.db, c.arg(2), c.hashOf(2), c.peek(2), root, -1);
}

export const bitop = command({
  name: 'BITOP',
  group: 'bitmap',
  since: '2.6.0',
  complexity: 'O(N) in the length of the longest string',
  summary: 'Combines strings bit by bit and stores the result.',
  flags: ['write', 'denyoom'],
  args: [bytes('operation'), key('destkey', 'OW UPDATE'), many(key('key', 'RO ACCESS'))],
  run(c) {
    const operation = operationOf(c.arg(1));
    if (operation === undefined) {
      c.syntaxError();
      return;
    }
    if (operation === BITS_NOT && c.argc !== 4) {
      c.reply.error('ERR BITOP NOT must be called with a single source key.');
      return;
    }
    const entries = openSources(c);
    if (entries === undefined) return;
    let length = 0;
    for (const e of entries) if (e !== NULL) length = Math.max(length, stringLength(c.memory, e));
    if (length > 0) {
      storeResult(c, operation, entries, length);
      c.changed(2, 'set');
    } else if (c.remove(2)) {
      c.changed(2, 'del');
    }
    c.reply.int(length);
  },
});

export const BITOP_COMMANDS: readonly Command[] = [bitop];
