import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { BUDGETS } from '../../../src/base/inlining.ts';

test('the V8 of this Node knows the budgets by their names', () => {
  const set = `const { setFlagsFromString } = require('node:v8');${BUDGETS.map((flag) => `setFlagsFromString('${flag}');`).join('')}`;
  const { stderr, status } = spawnSync(process.execPath, ['-e', set], { encoding: 'latin1' });
  expect([stderr, status]).toEqual(['', 0]);
});
