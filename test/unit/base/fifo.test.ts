import { expect, test } from 'vitest';
import { Fifo } from '../../../src/base/fifo.ts';
import { SeededRandom } from '../../../src/base/random.ts';

test('is what an array is', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = new SeededRandom(seed);
  const fifo = new Fifo<number>();
  let array: number[] = [];
  for (let i = 0; i < 2_000; i++) {
    const action = random.below(100);
    if (action < 50) {
      fifo.push(i);
      array.push(i);
    } else if (action < 90) expect(fifo.shift(), `seed ${seed}`).toBe(array.shift());
    else if (action < 99) expect(fifo.pop(), `seed ${seed}`).toBe(array.pop());
    else {
      expect(fifo.takeAll(), `seed ${seed}`).toEqual(array);
      array = [];
    }
    expect([fifo.size, fifo.first, fifo.last], `seed ${seed}`).toEqual([array.length, array[0], array.at(-1)]);
  }
});
