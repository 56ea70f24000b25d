import { Slice, sliceOf } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { Memory } from '../../src/memory/memory.ts';
import { sdsAppend, sdsBytes, sdsFree, sdsLength, sdsNew, sdsOverwrite } from '../../src/structures/sds.ts';
import { keep, measure } from './harness.ts';

const N = 200_000;
const memory = new Memory();
const out = new Slice();
const strings: Addr[] = new Array(N);

for (const length of [64, 1024]) {
  const value = sliceOf('x'.repeat(length));
  measure(`new and free, ${length} bytes`, N, () => {
    for (let i = 0; i < N; i++) sdsFree(memory, sdsNew(memory, value));
  });
}
const value = sliceOf('x'.repeat(64));
for (let i = 0; i < N; i++) strings[i] = sdsNew(memory, value);
measure('length and bytes, in turn', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum += sdsLength(memory, strings[i]) + sdsBytes(memory, strings[i], out).start;
  keep(sum);
});
measure('overwrite 64 bytes in place, in turn', N, () => {
  for (let i = 0; i < N; i++) sdsOverwrite(memory, strings[i], value);
});
measure('append 10 bytes, 100,000 times to one string', 100_000, () => {
  const more = sliceOf('0123456789');
  let s = sdsNew(memory, more);
  for (let i = 0; i < 100_000; i++) s = sdsAppend(memory, s, more);
  sdsFree(memory, s);
});
