/** Naps of the whole thread: of tools, of tests of slowness (DEBUG SLEEP), and of writes that the system does not take yet. */

const never = new Int32Array(new SharedArrayBuffer(4));

/** Stops the thread for so many milliseconds, which may be a fraction; 0 or less is none. */
export function sleepThread(milliseconds: number): void {
  if (milliseconds > 0) Atomics.wait(never, 0, 0, milliseconds);
}
