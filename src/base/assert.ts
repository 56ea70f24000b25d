/** A broken assertion is a bug of ours, never a client's fault: it names the invariant and stops the work at hand. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
