/** Addresses of this machine itself. */

/** Whether an address (without brackets or port) is of the loopback interface. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
