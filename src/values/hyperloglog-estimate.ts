/**
 * The estimate of a HyperLogLog from how many of its registers hold each value: Otmar Ertl, "New cardinality estimation
 * algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6. The sums are made in the order given there, so that
 * every estimate is the one that Redis makes.
 */
export const REGISTERS = 16384;
/** Bits of the hash behind those that choose the register; a register holds at most one more. */
export const RANK_BITS = 50;

/** 1 / (2 ln 2) */
const ALPHA = 0.7213475204444817;

function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let factor = 1;
  let sum = x;
  for (let before = Number.NaN; sum !== before; ) {
    before = sum;
    x *= x;
    sum += x * factor;
    factor += factor;
  }
  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let factor = 1;
  let sum = 1 - x;
  for (let before = Number.NaN; sum !== before; ) {
    before = sum;
    x = Math.sqrt(x);
    factor *= 0.5;
    sum -= (1 - x) * (1 - x) * factor;
  }
  return sum / 3;
}

/** The cardinality; `histogram[v]` registers hold value v. */
export function estimate(histogram: Uint32Array): number {
  let z = REGISTERS * tau((REGISTERS - histogram[RANK_BITS + 1]) / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) z = (z + histogram[rank]) * 0.5;
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  const size = (ALPHA * REGISTERS * REGISTERS) / z;
  const whole = Math.floor(size);
  return size - whole >= 0.5 ? whole + 1 : whole;
}
