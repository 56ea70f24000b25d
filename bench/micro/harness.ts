/**
 * Micro benchmarks: `npm run bench:micro [-- NAME ...]` runs bench/micro/NAME.ts, all of them unless told.
 *
 * A file registers cases at its top level; each body does `operations` operations. A case runs until it is warm, then
 * several times more, and the fastest run counts: on a shared machine the rest measures the neighbours.
 */
interface Case {
  readonly name: string;
  readonly nanoseconds: number;
}

const results: Case[] = [];
const RUNS = 7;

/** Runs `body`, which does `operations` operations, and prints nanoseconds per operation; returns them. */
export function measure(name: string, operations: number, body: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const started = process.hrtime.bigint();
    body();
    const taken = Number(process.hrtime.bigint() - started);
    if (run > 1 && taken < best) best = taken;
  }
  const nanoseconds = best / operations;
  results.push({ name, nanoseconds });
  console.log(`${nanoseconds.toFixed(1).padStart(10)} ns  ${name}`);
  return nanoseconds;
}

/** Keeps a result alive, so that the engine can't drop the work that made it. */
export function keep(value: number): void {
  if (value === kept.value) kept.value = value + 1;
}

const kept = { value: Number.NaN };

/** All that has been measured so far. */
export function measured(): readonly Case[] {
  return results;
}
