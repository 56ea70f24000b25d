import { Slice } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { Memory } from '../../src/memory/memory.ts';
import {
  slByRank,
  slFirst,
  slFreeSome,
  slInsert,
  slNew,
  slNext,
  slRank,
  slRemove,
  slScore,
  slUpdate,
} from '../../src/structures/skiplist.ts';
import { keep, measure } from './harness.ts';

const N = 100_000;
const memory = new Memory();
const member = new Slice(Buffer.from('element:000000000000'));
const nodes: Addr[] = new Array(N);

/** Members in an order of no pattern, each once. */
function name(i: number): Slice {
  let rest = (i * 7919) % N;
  for (let at = 19; at > 13; at--) {
    member.buffer[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return member;
}

function filled(score: (i: number) => number): Addr {
  const sl = slNew(memory);
  for (let i = 0; i < N; i++) nodes[i] = slInsert(memory, sl, score(i), name(i));
  return sl;
}

measure(`insert ${N} of equal score, and free (two operations)`, N, () => {
  slFreeSome(
    memory,
    filled(() => 0),
    Number.POSITIVE_INFINITY,
  );
});
measure(`insert ${N} of different scores, and free (two operations)`, N, () => {
  slFreeSome(
    memory,
    filled((i) => (i * 7919) % N),
    Number.POSITIVE_INFINITY,
  );
});

const sl = filled((i) => (i * 7919) % N);
measure('rank of a node', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum += slRank(memory, sl, nodes[i]);
  keep(sum);
});
measure('node by rank', N, () => {
  let sum = 0;
  for (let i = 0; i < N; i++) sum += slByRank(memory, sl, (i * 31) % N);
  keep(sum);
});
measure('walk', N, () => {
  let sum = 0;
  for (let node = slFirst(memory, sl); node !== 0; node = slNext(memory, node)) sum += slScore(memory, node);
  keep(sum);
});
measure('change a score in place', N, () => {
  for (let i = 0; i < N; i++) slUpdate(memory, sl, nodes[i], Math.floor(slScore(memory, nodes[i])) + (i & 1) / 2);
});
measure('change a score and move', N, () => {
  for (let i = 0; i < N; i++) slUpdate(memory, sl, nodes[i], (i * 104_729) % N);
});
measure('remove the first and insert (two operations)', N, () => {
  for (let i = 0; i < N; i++) {
    const first = slFirst(memory, sl);
    slRemove(memory, sl, first);
    memory.release(first);
    slInsert(memory, sl, i, name(i));
  }
});
