/** What the engine asks of a cluster, for commands with keys, while GATE_CLUSTER is set. */
import type { Slice } from '../base/slice.ts';
import type { Session } from './session.ts';
import type { Registered } from './table.ts';

export interface ClusterPort {
  /** Where the command of a client must go instead (MOVED, ASK), or why it can't be run; null where its keys are here. */
  redirection(session: Session, registered: Registered, args: readonly Slice[], argc: number): string | null;
  /** Why a script may not run the command; null where it may. */
  refusalToScript(session: Session, registered: Registered, args: readonly Slice[], argc: number): string | null;
}

/** Of a server by itself. */
export const NO_CLUSTER: ClusterPort = { redirection: () => null, refusalToScript: () => null };
