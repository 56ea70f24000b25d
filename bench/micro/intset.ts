/** The intset at the length where sets give it up. */
import { Slice } from '../../src/base/slice.ts';
import type { Addr } from '../../src/memory/address.ts';
import { Memory } from '../../src/memory/memory.ts';
import { Int64, intsetInsert, intsetNew, intsetRemove, intsetSearch, intsetText } from '../../src/structures/intset.ts';
import { keep, measure } from './harness.ts';

const OPERATIONS = 300_000;
const LENGTH = 512;
const value = new Int64();

function filled(m: Memory, factor: number): Addr {
  let s = intsetNew(m);
  for (let i = 0; i < LENGTH; i++) {
    value.setNumber(i * factor);
    s = intsetInsert(m, s, ~intsetSearch(m, s, value.hi, value.lo), value.hi, value.lo);
  }
  return s;
}

for (const [bits, factor] of [
  [16, 4],
  [32, 1_000_003],
  [64, 1_000_000_000_039],
]) {
  const m = new Memory();
  let s = filled(m, factor);
  measure(`find, ${bits} bits`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) {
      value.setNumber(((i * 7919) % LENGTH) * factor);
      sum += intsetSearch(m, s, value.hi, value.lo);
    }
    keep(sum);
  });
  measure(`remove and insert, ${bits} bits`, OPERATIONS, () => {
    for (let i = 0; i < OPERATIONS; i++) {
      value.setNumber(((i * 7919) % LENGTH) * factor);
      const at = intsetSearch(m, s, value.hi, value.lo);
      s = intsetInsert(m, intsetRemove(m, s, at), at, value.hi, value.lo);
    }
  });
  const text = new Slice();
  measure(`text, ${bits} bits`, OPERATIONS, () => {
    let sum = 0;
    for (let i = 0; i < OPERATIONS; i++) sum += intsetText(m, s, i % LENGTH, text).length;
    keep(sum);
  });
}
