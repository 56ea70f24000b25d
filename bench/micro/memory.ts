import { Slice } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { FrozenMemory } from '../../src/memory/frozen.ts';
import { Memory } from '../../src/memory/memory.ts';
import { BARRIER_PAGE, FrozenView } from '../../src/memory/view.ts';
import { keep, measure } from './harness.ts';

const N = 1_000_000;
const memory = new Memory();
const blocks: Addr[] = new Array(N);
const slice = new Slice();

measure('allocate and release 32 bytes, the same slot', N, () => {
  for (let i = 0; i < N; i++) memory.release(memory.allocate(32));
});
measure('allocate 32 bytes, then release all (two operations)', N, () => {
  for (let i = 0; i < N; i++) blocks[i] = memory.allocate(32);
  for (let i = 0; i < N; i++) memory.release(blocks[i]);
});
for (let i = 0; i < N; i++) blocks[i] = memory.allocate(32);
measure('release and allocate 32 bytes at random among 1,000,000', N, () => {
  let seed = 1;
  for (let i = 0; i < N; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    const at = (seed >>> 8) % N;
    memory.release(blocks[at]);
    blocks[at] = memory.allocate(32);
  }
});
measure('allocate and release 1 MiB', 10_000, () => {
  for (let i = 0; i < 10_000; i++) memory.release(memory.allocate(1 << 20));
});

for (let i = 0; i < N; i++) memory.fill(blocks[i], 0, i, 32);
measure('load u32, in turn', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum = (sum + memory.u32(blocks[i], 8)) | 0;
  keep(sum);
});
measure('store u32, in turn, no view open', N, () => {
  for (let i = 0; i < N; i++) memory.setU32(blocks[i], 8, i);
});

for (const length of [16, 64, 96, 128, 256, 1024]) {
  const source = new Uint8Array(length);
  const target = memory.allocate(length);
  measure(`write ${length} bytes`, 100_000, () => {
    for (let i = 0; i < 100_000; i++) memory.writeBytes(target, 0, source, 0, length);
  });
}

const view = new FrozenView(memory);
const frozen = new FrozenMemory(view.image);
measure('frozen load u32, nothing preserved', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum = (sum + frozen.u32(blocks[i], 8)) | 0;
  keep(sum);
});
measure('frozen borrow of 32 bytes, nothing preserved', N, () => {
  for (let i = 0; i < N; i++) frozen.borrow(slice, blocks[i], 0, 32);
});
const region = memory.buffers[0] as SharedArrayBuffer;
const pages = region.byteLength / BARRIER_PAGE;
const started = process.hrtime.bigint();
for (let page = 0; page < pages; page++) memory.setU8((page * (BARRIER_PAGE >>> 4)) as Addr, 64, 1);
console.log(
  `${(Number(process.hrtime.bigint() - started) / pages).toFixed(0).padStart(10)} ns  first store into a page of a view`,
);
measure('store u32, in turn, pages preserved', N, () => {
  for (let i = 0; i < N; i++) memory.setU32(blocks[i], 8, i);
});
measure('frozen load u32, all preserved', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum = (sum + frozen.u32(blocks[i], 8)) | 0;
  keep(sum);
});
measure('open and close a view (operations: 1)', 1, () => {
  view.close();
  new FrozenView(memory).close();
});
