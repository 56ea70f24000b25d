import { Slice, sliceOf } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  ListpackCursor,
  lpAppend,
  lpDelete,
  lpFind,
  lpFirst,
  lpFree,
  lpGetBytes,
  lpLast,
  lpNew,
  lpNext,
  lpSeek,
} from '../../src/structures/listpack.ts';
import { keep, measure } from './harness.ts';

const m = new Memory();
const out = new Slice();
const ENTRIES = 128;

function filled(value: (i: number) => string): Addr {
  let lp = lpNew(m);
  for (let i = 0; i < ENTRIES; i++) lp = lpAppend(m, lp, sliceOf(value(i)));
  return lp;
}

const text = sliceOf('value:0001');
const number = sliceOf('123456');
for (const [name, value] of [
  ['a string', text],
  ['an integer', number],
] as const)
  measure(`append ${name} to an empty listpack, up to 128`, 10_000 * ENTRIES, () => {
    for (let round = 0; round < 10_000; round++) {
      let lp = lpNew(m);
      for (let i = 0; i < ENTRIES; i++) lp = lpAppend(m, lp, value);
      lpFree(m, lp);
    }
  });
measure('append to 128 strings and delete the last (two operations)', 1_000_000, () => {
  let lp = filled((i) => `value:${i}`);
  for (let i = 0; i < 1_000_000; i++) {
    lp = lpAppend(m, lp, text);
    lp = lpDelete(m, lp, lpLast(m, lp));
  }
  lpFree(m, lp);
});

const strings = filled((i) => `value:${i}`);
const integers = filled((i) => String(i * 1000));
const cursor = new ListpackCursor();
for (const [name, lp] of [
  ['strings', strings],
  ['integers', integers],
] as const) {
  measure(`next and bytes over ${name}, an entry`, 10_000 * ENTRIES, () => {
    let sum = 0;
    for (let round = 0; round < 10_000; round++)
      for (let p = lpFirst(m, lp); p !== 0; p = lpNext(m, lp, p)) sum += lpGetBytes(m, lp, p, out).length;
    keep(sum);
  });
  measure(`cursor over ${name}, an entry`, 10_000 * ENTRIES, () => {
    let sum = 0;
    for (let round = 0; round < 10_000; round++)
      for (cursor.reset(m, lp, lpFirst(m, lp)); cursor.more; cursor.next()) sum += cursor.bytes(out).length;
    keep(sum);
  });
}
measure('find the last of 128 strings', 100_000, () => {
  const last = sliceOf(`value:${ENTRIES - 1}`);
  let sum = 0;
  for (let i = 0; i < 100_000; i++) sum += lpFind(m, strings, lpFirst(m, strings), last, 0);
  keep(sum);
});
measure('seek to the middle of 128', 100_000, () => {
  let sum = 0;
  for (let i = 0; i < 100_000; i++) sum += lpSeek(m, strings, ENTRIES >>> 1);
  keep(sum);
});
