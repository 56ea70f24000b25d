/** SENTINEL SIMULATE-FAILURE. */
import type { SimulatedFailure } from '../state.ts';
import type { Turn } from './turn.ts';

const EXIT_CODE = 99;

/** Ends the process where an administrator has asked for it. */
export function simulateFailure(turn: Turn, at: SimulatedFailure): void {
  if (!turn.state.simulatedFailures.has(at)) return;
  turn.log('warning', 'Sentinel CRASH because of SENTINEL simulate-failure');
  turn.exit(EXIT_CODE);
}
