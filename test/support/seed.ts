/**
 * The seed of a randomised test. The runner adds it to whatever the test fails with, so that a test that ran into its
 * time limit tells it, too.
 */

/** Under this name on globalThis: whom a seed is told; set by runner.ts, another module's instance. */
export const DRAWN = Symbol.for('cinnabar.drawn');

type Global = { [DRAWN]?: (seed: number) => void };

/** Below 1,000,000 and another one each time, unless CINNABAR_SEED names the one of a failure that is played again. */
export function drawSeed(): number {
  const seed = Number(process.env['CINNABAR_SEED'] ?? Date.now() % 1_000_000);
  (globalThis as Global)[DRAWN]?.(seed);
  return seed;
}
