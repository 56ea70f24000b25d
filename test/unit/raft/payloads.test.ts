import { expect, test } from 'vitest';
import { Effects, effectsOf, goesOn } from '../../../src/raft/payloads.ts';

function text(payloads: readonly Uint8Array[]): string[] {
  return payloads.map((payload) => Buffer.from(effectsOf([payload])).toString());
}

function add(effects: Effects, db: number, effect: string): void {
  const bytes = Buffer.from(effect);
  effects.effect(db, bytes, 0, bytes.length);
}

const SELECT_3 = '*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n';

test('the effects of a turn are one entry, which says whose database they are on', () => {
  let begun = 0;
  const effects = new Effects(() => begun++);
  add(effects, 0, 'a');
  add(effects, 3, 'b');
  add(effects, 3, 'c');
  expect(text(effects.take())).toEqual([`a${SELECT_3}bc`]);
  add(effects, 3, 'd');
  expect(text(effects.take())).toEqual([`${SELECT_3}d`]);
  expect(begun).toBe(2);
  expect(effects.empty).toBe(true);
});

test('a unit that is not complete waits, and what came before it does not', () => {
  const effects = new Effects(() => {});
  add(effects, 0, 'before');
  effects.begin();
  add(effects, 3, 'x');
  expect(text(effects.take())).toEqual(['before']);
  expect(effects.empty).toBe(true);
  expect(effects.held).toBeGreaterThan(0);
  add(effects, 3, 'y');
  effects.end();
  add(effects, 0, 'after');
  expect(text(effects.take())).toEqual([`${SELECT_3}xy`, 'after']);
  expect(effects.held).toBe(0);
});

test('what is too large for one entry goes on in the next', () => {
  const effects = new Effects(() => {});
  const large = 'x'.repeat(1_200_000);
  add(effects, 0, large);
  const payloads = effects.take();
  expect(payloads.map(goesOn)).toEqual([true, true, false]);
  expect(Buffer.from(effectsOf(payloads)).toString()).toBe(large);
});

test('many units are several entries, each of which begins anew', () => {
  const effects = new Effects(() => {});
  for (let i = 0; i < 3; i++) add(effects, 3, 'x'.repeat(100_000));
  const payloads = text(effects.take());
  expect(payloads).toHaveLength(2);
  for (const payload of payloads) expect(payload.startsWith(SELECT_3)).toBe(true);
});
