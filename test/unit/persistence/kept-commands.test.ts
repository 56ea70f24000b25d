import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Slice, sliceOf } from '../../../src/base/slice.ts';
import { createServer } from '../../../src/index.ts';
import { KeptCommands } from '../../../src/persistence/aof/kept-commands.ts';

test('commands come back as they were, transaction after transaction, seed 9', () => {
  const random = new SeededRandom(9);
  const registered = createServer({ settings: { save: '' } }).engine.table.all();
  const kept = new KeptCommands();
  // The reader's window, which is overwritten once a record has been handed over.
  const window = new Uint8Array(1 << 16);
  for (let round = 0; round < 200; round++) {
    kept.clear();
    const model: [string, ...string[]][] = [];
    for (let n = random.below(20); n > 0; n--) {
      const one = registered[random.below(registered.length)];
      const words = Array.from({ length: 1 + random.below(6) }, () => 'x'.repeat(random.below(300)) + random.below(99));
      let at = 0;
      const args = words.map((word) => {
        window.set(sliceOf(word).buffer, at);
        at += word.length;
        return new Slice(window, at - word.length, word.length);
      });
      kept.add(one, args, args.length);
      window.fill(0);
      model.push([one.name, ...words]);
    }
    expect(kept.length).toBe(model.length);
    for (const expected of model) {
      const one = kept.read();
      const words = kept.args.slice(0, kept.argc).map((arg) => arg.latin1());
      expect([one?.name, ...words]).toEqual(expected);
    }
    expect(kept.read()).toBe(null);
  }
});
