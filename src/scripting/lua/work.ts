/** By whom the work is counted that tables do, which know no runtime: the script that runs. */
export interface Counter {
  /** Time: units of meter.ts. */
  charge(units: number): void;
  /** Memory about to be taken: throws a LuaError where there is no room for it. */
  reserve(bytes: number): void;
}

/** What is copied, compared or searched by the processor's own loops in about one unit, as a shift. */
export const BYTES_SHIFT = 6;

const nobody: Counter = { charge() {}, reserve() {} };

export const work: { counter: Counter } = { counter: nobody };
