/** Promises in place of what is wanted at once. */

/** Whether it is a promise, of whichever realm. What has been promised is refused, and may fail without ending the program. */
export function isPromised(value: unknown): boolean {
  const promise = value as PromiseLike<unknown> | null | undefined;
  if (typeof promise?.then !== 'function') return false;
  const nothing = (): void => {};
  promise.then(nothing, nothing);
  return true;
}
