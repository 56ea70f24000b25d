/** A broken assertion is a bug of ours, never a client's fault: it names the invariant and stops the work at hand. */
export class AssertionError extends Error {
  override name = 'AssertionError';
}

/** Whether everything is checked in full, at any cost: CINNABAR_VERIFY=1 (or =stacks) in the environment. */
export function verifies(): boolean {
  return !['', '0'].includes(process.env['CINNABAR_VERIFY'] ?? '');
}

/** What is given back is filled with this where everything is checked: whoever still reads it shows. */
export const POISON = 0xdb;

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
