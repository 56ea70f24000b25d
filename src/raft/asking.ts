/** Somebody who waits for what comes of an input of the rules, and is told once. */
import type { NodeId } from './configuration.ts';
import type { Output, Reason } from './messages.ts';

export interface Asking {
  /** Whether it has not been told yet. */
  waits: boolean;
  accepted?(last: number, term: number): void;
  refused(reason: Reason, leader: NodeId): void;
  readable?(): void;
  transferring?(to: NodeId): void;
}

export type Answer = Extract<Output, { kind: 'accepted' | 'refused' | 'readable' | 'transferring' }>;

export function answer(output: Answer): void {
  if (output.kind === 'readable') for (const asker of output.askers) tell(asker as Asking, output);
  else tell(output.asker as Asking, output);
}

function tell(asking: Asking, output: Answer): void {
  if (!asking.waits) return;
  asking.waits = false;
  if (output.kind === 'readable') asking.readable?.();
  else if (output.kind === 'accepted') asking.accepted?.(output.last, output.term);
  else if (output.kind === 'transferring') asking.transferring?.(output.to);
  else asking.refused(output.reason, output.leader);
}
