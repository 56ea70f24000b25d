/** Snapshots in slices of the event loop, as streams of chunks: of the instant of the view, as fast as they are taken. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrozenView } from '../../../src/memory/view.ts';
import type { Dataset } from '../../../src/persistence/save/dataset.ts';
import { type SaveFormat, savedBytes } from '../../../src/persistence/save/format.ts';
import { SlicedSave } from '../../../src/persistence/save/sliced.ts';
import { type CinnabarServer, createServer } from '../../../src/server/server.ts';

const RDB: SaveFormat = { kind: 'rdb', compress: true, checksum: true };
const AOF: SaveFormat = { kind: 'aof', stamped: false };
const KEYS = 5000;

let server: CinnabarServer;

beforeEach(async () => {
  server = createServer({ settings: { save: '' } });
  const session = server.session();
  for (let i = 0; i < KEYS; i++) await session.call('SET', `key:${i}`, 'x'.repeat(i % 200));
  await session.call('RPUSH', 'list', ...Array.from({ length: 5000 }, (_, i) => `element:${i}`));
});

afterEach(() => server?.close());

function dataset(): Dataset {
  const usage = { lfu: false, logFactor: 10, decayMinutes: 1 };
  return { roots: server.engine.keyspaces.roots(), aux: [], functions: [], use: 'none', usage, now: 0 };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

interface Taken {
  readonly save: SlicedSave;
  readonly chunks: Uint8Array[];
  readonly ended: Promise<Error | null>;
  /** Chunks that were taken without being asked for. */
  owed: number;
  over: boolean;
}

/** A save whose taker is full after every `every`th chunk. */
function begin(view: FrozenView, image: FrozenView['image'], format: SaveFormat, every: number): Taken {
  let settle: (error: Error | null) => void = () => {};
  const taken: Taken = {
    chunks: [],
    owed: 0,
    over: false,
    ended: new Promise((done) => {
      settle = done;
    }),
    save: new SlicedSave({
      clock: server.engine.clock,
      view,
      image,
      dataset: dataset(),
      format,
      take: (chunk) => {
        taken.chunks.push(chunk);
        taken.owed++;
        return taken.chunks.length % every !== 0;
      },
      onEnd: (error) => {
        taken.over = true;
        settle(error);
      },
    }),
  };
  return taken;
}

test('two readers of one view, at their own pace, get the instant while keys are changed', async () => {
  const { memory } = server.engine;
  const before = [savedBytes(memory, dataset(), RDB), savedBytes(memory, dataset(), AOF)];
  const view = new FrozenView(memory);
  const fast = begin(view, view.image, RDB, 1);
  const session = server.session();
  for (let i = 0; i < 500; i++) await session.call('SET', `key:${i}`, 'changed');
  // It comes when pages have been preserved already.
  const slow = begin(view, view.another().image, AOF, 1);
  for (let i = 500; i < 1000; i++) await session.call('DEL', `key:${i}`);
  while (!fast.over) {
    await turn();
    fast.save.resume();
  }
  expect(await fast.ended).toBe(null);
  expect(fast.save.keys).toBe(KEYS + 1);
  expect(memory.frozen, 'the other one reads on').toBe(true);
  let most = 0;
  while (!slow.over) {
    for (let turns = 0; turns < 3; turns++) await turn();
    most = Math.max(most, slow.owed);
    slow.owed = 0;
    slow.save.verify();
    slow.save.resume();
  }
  expect(await slow.ended).toBe(null);
  // The list alone is longer than a chunk.
  expect(most).toBeLessThan(4);
  expect(memory.frozen).toBe(false);
  expect(Buffer.concat(fast.chunks).equals(before[0])).toBe(true);
  expect(Buffer.concat(slow.chunks).equals(before[1])).toBe(true);
});

test('one that is aborted takes nothing from the other; the view ends with the last', async () => {
  const { memory } = server.engine;
  const before = savedBytes(memory, dataset(), RDB);
  const view = new FrozenView(memory);
  const one = begin(view, view.image, RDB, 1);
  const other = begin(view, view.another().image, RDB, 1_000_000);
  await turn();
  one.save.abort();
  one.save.abort();
  expect((await one.ended)?.message).toBe('the snapshot is not wanted any more');
  expect(memory.frozen).toBe(true);
  expect(await other.ended).toBe(null);
  expect(memory.frozen).toBe(false);
  expect(Buffer.concat(other.chunks).equals(before)).toBe(true);
});

test('aborted by its own taker, and of a view that is over', async () => {
  const { memory } = server.engine;
  const view = new FrozenView(memory);
  const taken = begin(view, view.image, RDB, 1_000_000);
  const push = taken.chunks.push.bind(taken.chunks);
  taken.chunks.push = (...chunks) => {
    taken.save.abort();
    return push(...chunks);
  };
  expect((await taken.ended)?.message).toBe('the snapshot is not wanted any more');
  for (let turns = 0; turns < 5; turns++) await turn();
  expect(memory.frozen).toBe(false);
  const lost = new FrozenView(memory);
  const late = begin(lost, lost.image, RDB, 1_000_000);
  lost.close();
  expect((await late.ended)?.name).toBe('ViewLost');
});
