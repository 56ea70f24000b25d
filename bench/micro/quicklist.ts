import { lzfCompress, lzfDecompress } from '../../src/base/lzf.ts';
import { Slice, sliceOf } from '../../src/base/slice.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  QL_PLAIN_FROM,
  qlDropHead,
  qlDropTail,
  qlFree,
  qlNew,
  qlPeek,
  qlPushHead,
  qlPushTail,
} from '../../src/structures/quicklist.ts';
import { QuicklistCursor } from '../../src/structures/quicklist-cursor.ts';
import { keep, measure } from './harness.ts';

const m = new Memory();
const out = new Slice();
const N = 500_000;

for (const bytes of [3, 100]) {
  const value = sliceOf('x'.repeat(bytes));
  const ql = qlNew(m, -2, 0);
  // The drops empty what the pushes filled.
  measure(`push ${bytes} bytes at the head`, N, () => {
    for (let i = 0; i < N; i++) qlPushHead(m, ql, value, QL_PLAIN_FROM);
  });
  measure(`push ${bytes} bytes at the tail`, N, () => {
    for (let i = 0; i < N; i++) qlPushTail(m, ql, value, QL_PLAIN_FROM);
  });
  measure(`peek and drop ${bytes} bytes at the head`, N, () => {
    let sum = 0;
    for (let i = 0; i < N; i++) {
      sum += qlPeek(m, ql, true, out).length;
      qlDropHead(m, ql);
    }
    keep(sum);
  });
  measure(`peek and drop ${bytes} bytes at the tail`, N - 1000, () => {
    let sum = 0;
    for (let i = 0; i < N - 1000; i++) {
      sum += qlPeek(m, ql, false, out).length;
      qlDropTail(m, ql);
    }
    keep(sum);
  });
  const cursor = new QuicklistCursor();
  measure(`read 100 elements of ${bytes} bytes from the head, an element`, 100 * 10_000, () => {
    let sum = 0;
    for (let round = 0; round < 10_000; round++) {
      cursor.reset(m, ql, 0);
      for (let i = 0; i < 100; i++) {
        sum += cursor.bytes(out).length;
        cursor.next();
      }
    }
    keep(sum);
  });
  measure(`seek to the middle of ${7000} elements of ${bytes} bytes`, 1000, () => {
    for (let i = 0; i < 1000; i++) cursor.reset(m, ql, 3500);
  });
  qlFree(m, ql);
}

const page = new Uint8Array(8192);
for (let i = 0; i < page.length; i++) page[i] = 97 + ((i * i) % 7);
const packed = new Uint8Array(8192);
const room = new Uint8Array(8192);
const length = lzfCompress(new Slice(page), packed);
measure('LZF: compress 8 KiB, a byte', 8192 * 500, () => {
  for (let i = 0; i < 500; i++) keep(lzfCompress(new Slice(page), packed));
});
measure('LZF: expand 8 KiB, a byte', 8192 * 500, () => {
  const source = new Slice(packed, 0, length);
  for (let i = 0; i < 500; i++) keep(lzfDecompress(source, room, 0, 8192) ? 1 : 0);
});
