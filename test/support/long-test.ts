/** A test that `npm test` leaves out, and `npm run test:long` plays. */
import { test } from 'vitest';
import { LONG } from './long.ts';

type Run = () => unknown;

export function longTest(name: string, run: Run, milliseconds?: number): void {
  if (LONG) test(name, run, milliseconds);
}
