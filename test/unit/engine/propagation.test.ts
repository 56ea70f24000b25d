/** Effects from commands to sinks: who hears of what, what belongs together, and that nothing is copied twice or lost. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { Propagation, TO_ALL, TO_AOF, TO_NOBODY, TO_REPLICAS } from '../../../src/engine/propagation.ts';
import { Effects } from '../../support/effects.ts';
import { drawSeed } from '../../support/seed.ts';

function set(propagation: Propagation, text: string, mask = TO_ALL, db = 0): void {
  const args = text.split(' ').map(sliceOf);
  propagation.command(db, args, args.length, mask);
}

test('with nobody to hear nothing is collected', () => {
  const propagation = new Propagation();
  expect(propagation.active).toBe(false);
  set(propagation, 'SET a 1');
  expect(propagation.idle).toBe(true);
  const sink = new Effects();
  propagation.attach(sink);
  propagation.attach(sink);
  propagation.silence(true);
  set(propagation, 'SET a 2');
  propagation.silence(false);
  set(propagation, 'SET a 3');
  propagation.flush(true);
  expect(sink.seen).toEqual(['SET a 3']);
  propagation.detach(sink);
  expect(propagation.active).toBe(false);
});

describe('units of work', () => {
  test('one effect is handed over as it is, several in brackets unless they are apart', () => {
    const propagation = new Propagation();
    const sink = new Effects({ brackets: true });
    propagation.attach(sink);
    set(propagation, 'A 1');
    propagation.flush(true);
    set(propagation, 'B 1');
    propagation.effect(0, ['C', 2, sliceOf('x'), new Uint8Array([121])], TO_ALL);
    propagation.flush(true);
    set(propagation, 'DEL a');
    set(propagation, 'DEL b');
    propagation.flush(false);
    propagation.flush(true);
    expect(sink.seen).toEqual(['A 1', '(', 'B 1', 'C 2 x y', ')', 'DEL a', 'DEL b']);
  });

  test('each hears of what concerns it, in brackets where that is more than one', () => {
    const propagation = new Propagation();
    const file = new Effects({ brackets: true });
    const replica = new Effects({ brackets: true, target: TO_REPLICAS });
    propagation.attach(file);
    propagation.attach(replica);
    set(propagation, 'SET a 1');
    set(propagation, 'PUBLISH c m', TO_REPLICAS);
    set(propagation, 'NOTHING', TO_NOBODY);
    propagation.targets = TO_AOF;
    set(propagation, 'SET b 1');
    propagation.targets = TO_REPLICAS;
    set(propagation, 'SET c 1', TO_AOF);
    propagation.targets = TO_ALL;
    propagation.flush(true);
    expect(file.seen).toEqual(['(', 'SET a 1', 'SET b 1', ')']);
    expect(replica.seen).toEqual(['(', 'SET a 1', 'PUBLISH c m', ')']);
  });

  test('one that is held goes on with the next command', () => {
    const propagation = new Propagation();
    const sink = new Effects({ brackets: true });
    propagation.attach(sink);
    propagation.held = true;
    set(propagation, 'A');
    propagation.flush(true);
    expect(sink.seen).toEqual([]);
    expect(propagation.idle).toBe(false);
    propagation.held = false;
    set(propagation, 'B');
    propagation.flush(true);
    expect(sink.seen).toEqual(['(', 'A', 'B', ')']);
    expect(propagation.idle).toBe(true);
  });

  test('a very large one is handed over as it grows, and stays in one pair of brackets', () => {
    const propagation = new Propagation();
    const sink = new Effects({ brackets: true });
    propagation.attach(sink);
    const value = 'x'.repeat(300_000);
    for (let i = 0; i < 10; i++) set(propagation, `SET k${i} ${value}`);
    expect(sink.seen.length).toBeGreaterThan(4);
    propagation.flush(true);
    const names = sink.seen.map((text) => text.slice(0, 6));
    expect(names).toEqual(['(', ...Array.from({ length: 10 }, (_, i) => `SET k${i}`), ')']);
    set(propagation, 'SET last 1');
    propagation.flush(true);
    expect(sink.seen.at(-1)).toBe('SET last 1');
  });
});

test('every size of argument comes out as it went in', () => {
  const seed = drawSeed();
  const random = new SeededRandom(seed);
  const propagation = new Propagation();
  const sink = new Effects();
  propagation.attach(sink);
  const sent: string[] = [];
  for (let i = 0; i < 500; i++) {
    const count = 1 + random.below(14);
    const words = Array.from({ length: count }, () => {
      const length = random.below(20) === 0 ? random.below(200_000) : random.below(120);
      return String.fromCharCode(33 + random.below(223)).repeat(length);
    });
    sent.push(words.join(' '));
    if (random.below(2)) propagation.command(0, words.map(sliceOf), count, TO_ALL);
    else propagation.effect(0, words, TO_ALL);
    if (random.below(3) > 0) propagation.flush(true);
  }
  propagation.flush(true);
  expect(sink.seen.length, `seed ${seed}`).toBe(sent.length);
  for (let i = 0; i < sent.length; i++) expect(sink.seen[i] === sent[i], `seed ${seed}, effect ${i}`).toBe(true);
});
