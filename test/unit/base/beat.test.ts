/** Who does something again and again is called at the same moment as the others, and as seldom as he likes. */
import { expect, test } from 'vitest';
import { Beat } from '../../../src/base/beat.ts';
import { VirtualClock } from '../../../src/base/time.ts';

function setUp() {
  const clock = new VirtualClock();
  const beat = new Beat(clock);
  const heard: string[] = [];
  let woken = 0;
  const after = clock.after.bind(clock);
  clock.after = (ms, action) =>
    after(ms, () => {
      woken++;
      action();
    });
  /** Has itself called again and again. */
  const follow = (name: string, beats = 1): void =>
    void beat.next(() => {
      heard.push(`${name} ${Math.round(clock.monotonic() / 1000)}`);
      follow(name, beats);
    }, beats);
  return { clock, beat, heard, follow, woken: () => woken };
}

test('all are called with one beat, also who joins in the middle', () => {
  const { clock, heard, follow, woken } = setUp();
  follow('a');
  clock.advance(30);
  follow('b');
  clock.advance(270);
  expect(heard).toEqual(['a 100', 'b 100', 'a 200', 'b 200', 'a 300', 'b 300']);
  expect(woken()).toBe(3);
});

test('who can wait is called within his time, along with a beat of others, or alone', () => {
  const { clock, beat, heard, follow, woken } = setUp();
  follow('a', 10);
  clock.advance(60);
  const other = beat.next(() => heard.push('no'), 3);
  clock.advance(30);
  other.cancel();
  clock.advance(910);
  follow('b', 10);
  clock.advance(1000);
  expect(heard).toEqual(['a 1000', 'a 2000', 'b 2000']);
  // One of them was for who has gone.
  expect(woken()).toBe(3);
});

test('where something is going on, nobody waits for more than a beat', () => {
  const { clock, beat, heard, follow } = setUp();
  follow('a', 10);
  follow('b', 20);
  clock.advance(330);
  beat.hurry();
  clock.advance(99);
  expect(heard).toEqual([]);
  clock.advance(1);
  expect(heard).toEqual(['a 430', 'b 430']);
  clock.advance(1000);
  expect(heard.slice(2)).toEqual(['a 1430']);
});

test('whoever is not concerned by what goes on waits as long as he said', () => {
  const { clock, beat, heard, follow } = setUp();
  follow('a', 10);
  beat.waiting(() => heard.push('waiting'), 10);
  clock.advance(330);
  beat.hurry();
  clock.advance(600);
  expect(heard).toEqual(['a 430']);
  clock.advance(70);
  expect(heard).toEqual(['a 430', 'waiting']);
});

test('nobody keeps the process awake who has cancelled, and who throws keeps nobody from being called', async () => {
  const { clock, beat, heard, follow, woken } = setUp();
  beat.next(() => heard.push('no')).cancel();
  clock.advance(500);
  expect([heard, woken()]).toEqual([[], 0]);
  beat.next(() => {
    throw new Error('on purpose');
  });
  follow('a');
  expect(() => clock.advance(100)).toThrow('on purpose');
  await new Promise((done) => setImmediate(done));
  clock.advance(100);
  expect(heard).toEqual(['a 600', 'a 700']);
});
