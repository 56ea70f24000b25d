/**
 * Where the engine and raft/ meet. A server that is a member of a group joins it once, when it is put together
 * (`engine.membership.follow`): only the leader serves, and the group says where it is.
 */
import type { Slice } from '../base/slice.ts';
import type { Session, Waiter } from './session.ts';
import type { Registered } from './table.ts';

export interface GroupPort {
  /** Whether we lead, and have all data that is committed. */
  readonly serves: boolean;
  /**
   * Why a client's command on data is not run here: the error to reply; null where it is, and where we lead its reply waits
   * until what it tells is committed. `flags` are the bits of the command's flags with these arguments.
   */
  redirection(
    session: Session,
    registered: Registered,
    args: readonly Slice[],
    argc: number,
    flags: number,
  ): string | null;
  /** Where a client that waits for keys should turn to instead; null where it may go on. */
  redirectionOfWaiter(waiter: Waiter): string | null;
}
