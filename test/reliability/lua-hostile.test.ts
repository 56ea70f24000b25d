/** A slice of suite 18; `npm run test:reliability -- lua-shapes lua-generated lua-endless lua-costly` plays it in full. */
import { expect, test } from 'vitest';
import { costlyScripts, namedCosts } from './lua-costly.ts';
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

test('scripts that once ended or held the server', async () => {
  expect((await namedCosts()).failures).toEqual([]);
}, 300_000);

test('60 generated scripts of the greatest cost from seed 18', async () => {
  expect((await costlyScripts(60, 18)).failures).toEqual([]);
}, 300_000);
