/** The reviewed differences: where ours is another than redis-server 7.0.15 on purpose, each with its reason. */
import type { Step } from './draw.ts';

interface Allowance {
  readonly reason: string;
  fits(burst: readonly Step[], ours: string, theirs: string): boolean;
}

/** Commands that overwrite their target whatever it holds. */
const OVERWRITES = /^(SORT|[SZ]\w+STORE|GEO\w+|BITOP)$/;

export const ALLOWANCES: readonly Allowance[] = [
  {
    reason: 'a client of RESP2 is told of a dropped database by its own null, whatever protocol the tracker speaks',
    fits: (_, ours, theirs) =>
      ours !== theirs && ours === theirs.replaceAll('invalidate\r\n_\r\n', 'invalidate\r\n$-1\r\n'),
  },
  {
    reason: 'a result that is stored over a key of another type wakes who waits for its type, as by later versions',
    fits: (burst, ours, theirs) =>
      burst.some(({ command: [name] }) => OVERWRITES.test(name)) && ours.startsWith(theirs),
  },
  {
    reason: 'who was woken so has been served when the same burst goes on',
    fits: (burst) => burst.slice(0, -1).some(({ command: [name] }) => OVERWRITES.test(name)),
  },
  {
    reason: 'a copy of a small integer is shared as every other small integer is',
    fits: (_, ours, theirs) => ours !== theirs && ours.replaceAll(':2147483647', ':1') === theirs,
  },
  {
    reason: 'of the keys that SWAPDB brings to those who wait, which is served first is by the order of a dict',
    fits: (burst, ours, theirs) =>
      burst.some(({ command: [name] }) => name === 'SWAPDB') &&
      ours.split('\r\n').length === theirs.split('\r\n').length,
  },
  {
    reason: 'QUIT closes the connection also while replies are off',
    fits: (burst, ours, theirs) => burst.some(({ command: [name] }) => name === 'QUIT') && ours === `${theirs}(closed)`,
  },
];

export function allowed(
  burst: readonly Step[],
  difference: { readonly ours: string; readonly theirs: string },
): boolean {
  return ALLOWANCES.some(({ fits }) => fits(burst, difference.ours, difference.theirs));
}
