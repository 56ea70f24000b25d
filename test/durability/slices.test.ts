/** A slice of each durability suite with a fixed seed; `npm run test:reliability -- NAME` plays it in full. */
import { expect, test } from 'vitest';
import { LONG } from '../support/long.ts';
import { longTest } from '../support/long-test.ts';
import { cutEverywhere } from './cuts.ts';
import { diskFaults } from './faults.ts';
import { fullDisk } from './full-disk.ts';
import { kill9 } from './kill9.ts';
import { fileMutation } from './mutation.ts';
import { powerLoss } from './power.ts';
import { MODES, restoreFuzz } from './restore-fuzz.ts';
import { stalls } from './stalls.ts';

const SLICE_MILLISECONDS = 300_000;

const slice = (name: string, run: () => Promise<void>): void => test(name, run, SLICE_MILLISECONDS);
const longSlice = (name: string, run: () => Promise<void>): void => longTest(name, run, SLICE_MILLISECONDS);
const [CYCLES, FILES, PAYLOADS] = LONG ? [6, 200, 3000] : [2, 40, 500];

slice('kill -9 with appendfsync always, seed 1', async () => {
  const good = { cycles: CYCLES, lost: 0, failedStarts: 0, broken: 0, failures: [] };
  expect(await kill9('always', CYCLES, 1)).toMatchObject(good);
});

longSlice('kill -9 with appendfsync everysec and a slow disk, seed 1', async () => {
  expect(await kill9('everysec', 2, 1)).toMatchObject({ cycles: 2, lost: 0, failedStarts: 0, broken: 0, failures: [] });
});

longSlice('power loss: 240 states, seed 1', async () => {
  const report = await powerLoss(240, 1);
  expect(report).toMatchObject({ lost: 0, failures: [] });
  expect(report.started + report.mended).toBe(report.states);
});

longSlice('12 disk faults, seed 1', async () => {
  expect((await diskFaults(12, 1)).failures).toEqual([]);
});

longSlice('a full disk, seed 1', async () => {
  expect(Object.keys((await fullDisk(1)).outcomes)).toEqual(['always', 'everysec', 'snapshot', 'rewrite']);
});

slice(`${FILES} damaged files, seed 1`, async () => {
  const report = await fileMutation(FILES, 1);
  expect(report.failures).toEqual([]);
  expect(report.loaded + report.refused).toBe(FILES);
});

longSlice('an append-only file cut at every 31st byte', async () => {
  expect((await cutEverywhere(31)).failures).toEqual([]);
});

for (const mode of MODES)
  slice(`${PAYLOADS} damaged payloads with sanitize-dump-payload ${mode}, seed 1`, async () => {
    expect((await restoreFuzz(mode, PAYLOADS, 1)).failures).toEqual([]);
  });

longSlice('stalls are measured while a little is saved, rewritten, synced slowly and freed', async () => {
  const report = await stalls(20_000, 100_000, 1);
  expect(report.stalls.map(({ during }) => during.split(' ')[0])).toEqual([
    'nothing',
    'BGSAVE',
    'BGREWRITEAOF',
    'fsync',
    'UNLINK',
    'UNLINK',
    'UNLINK',
    'UNLINK',
    'FLUSHALL',
  ]);
});
