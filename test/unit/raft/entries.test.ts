import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Entries } from '../../../src/raft/entries.ts';
import { command, type Entry, sizeOf } from '../../../src/raft/entry.ts';

test('entries are those of an array, whatever comes and goes at either end', () => {
  const random = new SeededRandom(1);
  const entries = new Entries();
  let plain: Entry[] = [];
  for (let step = 0; step < 400; step++) {
    const some = random.below(random.below(4) === 0 ? 5000 : 40);
    const kind = random.below(4);
    if (kind < 2)
      for (let i = 0; i < some; i++) {
        const entry = command(step, 1, new Uint8Array(random.below(20)));
        entries.push(entry);
        plain.push(entry);
      }
    else if (kind === 2) {
      entries.truncate(Math.max(0, plain.length - some));
      plain = plain.slice(0, Math.max(0, plain.length - some));
    } else {
      entries.drop(Math.min(some, plain.length));
      plain = plain.slice(some);
    }
    expect(entries.length).toBe(plain.length);
    expect(entries.bytes).toBe(plain.reduce((sum, entry) => sum + sizeOf(entry), 0));
    expect(entries.slice(0, entries.length).every((entry, i) => entry === plain[i])).toBe(true);
  }
});
