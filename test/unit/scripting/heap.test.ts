import { expect, test } from 'vitest';
import { createServer } from '../../../src/server/server.ts';

test('scripts have their room beside what a host keeps on its heap', async () => {
  const host = Array.from({ length: 6_000_000 }, (_, i) => ({ i, next: null }));
  await using server = createServer();
  const script = "local t = {} for i = 1, 1e5 do t[i] = {i} end return redis.call('echo', #t)";
  expect(await server.session().call('EVAL', script, 0)).toBe('100000');
  expect(host.length).toBe(6_000_000);
});
