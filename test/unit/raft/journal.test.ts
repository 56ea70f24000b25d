import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import { encodeJournal, encodeStore, JournalBroken, readJournal } from '../../../src/raft/disk/journal.ts';
import { decodeRecord, encodeEntry } from '../../../src/raft/disk/records.ts';
import { command, configurationEntry, type Entry, type HardState, noop } from '../../../src/raft/entry.ts';

const GROUP: Configuration = [{ id: 5, address: 'a:1', kind: 'voter' }];
const BASE = { index: 10, term: 2, configuration: GROUP };

function bytes(...texts: readonly string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(texts.join('')));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

test('an entry, byte by byte', () => {
  const hex = Buffer.from(encodeEntry(command(2, 1, bytes('ab')))).toString('hex');
  expect(hex.slice(0, -16)).toBe(`00000022${'01000000'}${'0000000000000001'}${'0000000000000002'}6162`);
});

test('a file is read as it was written', () => {
  const entries = [noop(11, 2), command(12, 3, bytes('x')), configurationEntry(13, 3, GROUP)];
  const file = encodeJournal({ base: BASE, term: 4, vote: 5, entries });
  expect(readJournal(file)).toEqual({ base: BASE, term: 4, vote: 5, entries, length: file.length });
});

test('an entry replaces what has its index, and all after it', () => {
  const file = joined([
    encodeJournal({ base: BASE, term: 3, vote: 0, entries: [] }),
    ...encodeStore(null, [command(11, 2, bytes('a')), command(12, 2, bytes('b')), command(13, 2, bytes('c'))]),
    ...encodeStore({ term: 4, vote: 0 }, [command(12, 4, bytes('d'))]),
  ]);
  const { entries, term } = readJournal(file);
  expect(entries.map(({ index, payload }) => `${index}${Buffer.from(payload)}`)).toEqual(['11a', '12d']);
  expect(term).toBe(4);
});

interface Store {
  readonly state: HardState | null;
  readonly entries: readonly Entry[];
}

/** Stores as a follower makes them, with entries that replace others. */
function stores(random: SeededRandom): Store[] {
  let [last, term] = [BASE.index, BASE.term];
  return Array.from({ length: 12 }, () => {
    const later = random.below(3) === 0;
    if (later) {
      term++;
      last = Math.max(BASE.index, last - random.below(3));
    }
    const entries = Array.from({ length: random.below(3) }, () =>
      command(++last, term, bytes(`${random.below(1000)}`)),
    );
    return { state: later ? { term, vote: random.below(3) } : null, entries };
  });
}

test('at every point at which it can be torn off, what was stored before it is read', () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = new SeededRandom(seed);
    const head = encodeJournal({ base: BASE, term: 0, vote: 0, entries: [] });
    let file = head;
    // What is read after each store.
    const expected = [{ length: head.length, journal: readJournal(head) }];
    for (const { state, entries } of stores(random)) {
      file = joined([file, ...encodeStore(state, entries)]);
      expected.push({ length: file.length, journal: readJournal(file) });
    }
    for (let length = head.length; length <= file.length; length++) {
      const { journal } = expected.findLast((each) => each.length <= length)!;
      const next = expected.find((each) => each.length > length)?.journal ?? journal;
      const garbage = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
      const read = readJournal(joined([file.slice(0, length), garbage]));
      // A store that is torn off may be there in part: a state, or some of its entries.
      expect([journal.term, next.term], `seed ${seed}, ${length}`).toContain(read.term);
      expect(read.length).toBeGreaterThanOrEqual(journal.length);
      if (read.length === journal.length) expect(read).toEqual(journal);
    }
  }
});

test('zeros behind it, as a file that grows has them, are no record', () => {
  const file = encodeJournal({ base: BASE, term: 1, vote: 0, entries: [noop(11, 2)] });
  expect(readJournal(joined([file, new Uint8Array(100)])).length).toBe(file.length);
});

test('a bit that has changed ends what is read, wherever it is', () => {
  const file = joined(encodeStore({ term: 3, vote: 1 }, [command(1, 3, bytes('abc'))]));
  for (let bit = 0; bit < file.length * 8; bit++) {
    const changed = file.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    const [first, second] = [decodeRecord(changed, 0), decodeRecord(changed, 32)];
    expect(first === undefined || second === undefined).toBe(true);
  }
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['an entry', encodeEntry(noop(1, 1))],
  ['a gap', joined([encodeJournal({ base: BASE, term: 1, vote: 0, entries: [] }), encodeEntry(noop(12, 2))])],
  [
    'what is compacted',
    joined([encodeJournal({ base: BASE, term: 1, vote: 0, entries: [] }), encodeEntry(noop(10, 2))]),
  ],
  [
    'a term that falls',
    joined([encodeJournal({ base: BASE, term: 1, vote: 0, entries: [] }), encodeEntry(noop(11, 1))]),
  ],
])('%s is no journal', (_, file) => {
  expect(() => readJournal(file)).toThrow(JournalBroken);
});
