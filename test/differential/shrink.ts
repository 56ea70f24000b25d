/** Finds a short sequence of steps that still fails: takes out ever smaller pieces for as long as it does. */

/** `fails` tells whether a sequence still shows the difference; at most `budget` sequences are tried, for 20 s. */
export async function shrink<T>(
  steps: readonly T[],
  fails: (candidate: readonly T[]) => Promise<boolean>,
  budget = 3000,
): Promise<readonly T[]> {
  let kept = steps;
  let tries = 0;
  const until = Date.now() + 20_000;
  for (let piece = Math.ceil(kept.length / 2); piece >= 1 && tries < budget && Date.now() < until; ) {
    let removed = false;
    for (let at = 0; at < kept.length && tries < budget && Date.now() < until; ) {
      const candidate = [...kept.slice(0, at), ...kept.slice(at + piece)];
      tries++;
      if (candidate.length > 0 && (await fails(candidate))) {
        kept = candidate;
        removed = true;
      } else {
        at += piece;
      }
    }
    if (piece === 1 && !removed) break;
    piece = piece === 1 ? 1 : Math.ceil(piece / 2);
  }
  return kept;
}
