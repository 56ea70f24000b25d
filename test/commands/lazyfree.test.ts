/** Which values are released lazily, and how that is counted, beside the real server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Beside } from '../support/beside.ts';
import type { Pipeline } from '../support/pipeline.ts';

let both: Beside;

beforeAll(async () => {
  both = await Beside.start();
});

afterAll(() => both.stop());

const SETTINGS = ['lazy-user-del', 'lazy-server-del', 'lazy-expire', 'lazy-user-flush'];
const BIG = ['SADD', 'big', ...Array.from({ length: 1000 }, (_, i) => `member ${i}`)];

const CASES = [
  'DEL big',
  'UNLINK big',
  'SET big v',
  'GETEX big PXAT 1',
  'EXPIRE big -1',
  'SINTERSTORE big none none2',
  'SDIFFSTORE big big none',
  'RENAME other big',
  'COPY other big REPLACE',
  'SORT other ALPHA STORE big',
  'SREM big none',
  'FLUSHALL',
  'FLUSHALL SYNC',
  'FLUSHALL ASYNC',
  'FLUSHDB ASYNC',
];

async function figure(client: Pipeline, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(await client.call('INFO', 'memory')))?.[1]);
}

/** Objects that a command has released lazily. */
async function released(client: Pipeline, command: string): Promise<number> {
  await client.send([['FLUSHALL', 'SYNC'], ['CONFIG', 'RESETSTAT'], BIG, ['SADD', 'other', 'x'], command.split(' ')]);
  for (let tries = 0; tries < 2000; tries++) if ((await figure(client, 'lazyfree_pending_objects')) === 0) break;
  return figure(client, 'lazyfreed_objects');
}

for (const on of ['no', 'yes'])
  test(`with all lazyfree settings at ${on}`, async () => {
    await both.same([['CONFIG', 'SET', ...SETTINGS.flatMap((name) => [`lazyfree-${name}`, on])]]);
    for (const command of CASES) {
      const [ours, theirs] = await Promise.all([both.ours, both.theirs].map((client) => released(client, command)));
      expect([command, ours]).toEqual([command, theirs]);
    }
  });
