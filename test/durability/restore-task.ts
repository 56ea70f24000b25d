/** What the RESTORE fuzz and its thread know of each other. */

/** Words of the memory that both share: the case that is being played. */
export const CASE = 0;
export const CONTROL_BYTES = 4;

export interface FuzzTask {
  readonly mode: 'no' | 'yes' | 'clients';
  readonly from: number;
  readonly to: number;
  readonly seed: number;
  readonly control: Int32Array;
}

export interface FuzzReport {
  readonly mode: 'no' | 'yes' | 'clients';
  readonly cases: number;
  readonly accepted: number;
  readonly commands: number;
  /** The longest that one case took, and which. */
  readonly slowest: readonly [milliseconds: number, number];
  /** Crashes, accesses outside of blocks, leaks: each with its case. */
  readonly failures: readonly string[];
}
