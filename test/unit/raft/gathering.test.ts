import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import { Gathering } from '../../../src/raft/gathering.ts';
import { Effects } from '../../../src/raft/payloads.ts';

/** A leader whose proposals are noted: of how many payloads they were. */
function leader() {
  const clock = new VirtualClock();
  const effects = new Effects(() => {});
  const proposed: number[] = [];
  const gathering = new Gathering(clock, effects, () => {
    gathering.taken();
    proposed.push(effects.take().length);
    gathering.proposed(proposed.length);
  });
  const turn = (commit: number, bytes = 10): void => {
    effects.effect(0, new Uint8Array(bytes), 0, bytes);
    gathering.turnEnds(commit);
  };
  return { clock, proposed, gathering, turn };
}

test('who is alone waits for nothing', () => {
  const { proposed, turn } = leader();
  turn(0);
  turn(1);
  turn(2);
  expect(proposed).toEqual([1, 1, 1]);
});

test('what is done while a proposal is under way is proposed as one, once that is committed', () => {
  const { proposed, gathering, turn } = leader();
  turn(0);
  turn(0);
  turn(0);
  gathering.look(0);
  expect(proposed).toEqual([1]);
  gathering.look(1);
  expect(proposed).toEqual([1, 1]);
  gathering.look(2);
  expect(proposed).toEqual([1, 1]);
});

test('it waits for two milliseconds at most', async () => {
  const { clock, proposed, gathering, turn } = leader();
  turn(0);
  turn(0);
  await clock.advance(1);
  expect(proposed).toEqual([1]);
  await clock.advance(1);
  expect(proposed).toEqual([1, 1]);
  turn(0);
  gathering.stop();
  await clock.advance(10);
  expect(proposed).toEqual([1, 1]);
});

test('what is much waits for nothing', () => {
  const { proposed, turn } = leader();
  turn(0);
  turn(0, 200_000);
  expect(proposed).toEqual([1, 1]);
});

/** The loop has gone round once, and what was to be done soon is done. */
const round = (): Promise<void> => new Promise((done) => setImmediate(done));

test('those who are told of a commit are waited for, while each look brings more', async () => {
  const { proposed, gathering, turn } = leader();
  turn(0, 2000);
  turn(0, 2000);
  gathering.look(1);
  for (let i = 0; i < 3; i++) {
    turn(1, 500);
    await round();
    expect(proposed).toEqual([1]);
  }
  await round();
  expect(proposed).toEqual([1]);
  await round();
  expect(proposed).toEqual([1, 1]);
});

test('as much as was committed and was waiting is not waited for any longer', () => {
  const { proposed, gathering, turn } = leader();
  turn(0, 2000);
  turn(0, 2000);
  gathering.look(1);
  turn(1, 1500);
  expect(proposed).toEqual([1]);
  turn(1, 500);
  expect(proposed).toEqual([1, 1]);
});

test('nobody is waited for two milliseconds after the commit, where little was committed, or when the lead is over', async () => {
  const { clock, proposed, gathering, turn } = leader();
  turn(0, 2000);
  gathering.look(1);
  clock.advance(2);
  turn(1, 500);
  expect(proposed).toEqual([1, 1]);
  gathering.look(2);
  turn(2, 100);
  expect(proposed).toEqual([1, 1, 1]);
  turn(2, 2000);
  gathering.look(3);
  turn(3, 2000);
  gathering.look(4);
  turn(4, 100);
  gathering.stop();
  await round();
  await round();
  expect(proposed).toEqual([1, 1, 1, 1]);
});
