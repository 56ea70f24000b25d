/** A slice of suite 18; `npm run test:reliability -- lua-shapes lua-generated lua-endless` plays it in full. */
import { expect, test } from 'vitest';
import { endlessScripts, generatedScripts, knownShapes } from './lua-hostile.ts';

test('the shapes of published escapes and crashes', async () => {
  const { escaped, dead } = await knownShapes();
  expect(escaped).toEqual([]);
  expect(dead).toBe(false);
}, 120_000);

test('1,000 generated scripts from seed 18', () => {
  expect(generatedScripts(1000, 18).faults).toEqual([]);
});

test('every kind of endless script can be killed, and others are answered meanwhile', async () => {
  expect((await endlessScripts(3)).survived).toEqual([]);
}, 120_000);
