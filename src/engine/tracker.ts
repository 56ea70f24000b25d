/** What a session that is told of changes (CLIENT TRACKING) has chosen. */
import type { Named } from '../structures/byte-map.ts';
import { SUBSCRIPTION_BYTES } from './footprint.ts';

export class Tracker {
  /** Id of the session that is told in its place; 0 for none. */
  redirect = 0;
  broadcast = false;
  optIn = false;
  optOut = false;
  noLoop = false;
  /** CLIENT CACHING was said: of the next command or transaction the opposite of the mode holds. */
  caching = false;
  /** The session that is told in its place is gone. */
  broken = false;
  readonly prefixes = new Set<Named>();

  /** Bytes that the prefixes take. */
  get prefixBytes(): number {
    let bytes = 0;
    for (const { name } of this.prefixes) bytes += name.length + SUBSCRIPTION_BYTES;
    return bytes;
  }

  /** Whether the keys that its session reads now are to be remembered. */
  get remembers(): boolean {
    if (this.broadcast) return false;
    return this.optIn ? this.caching : !(this.optOut && this.caching);
  }
}

export type TrackingChoice = Pick<Tracker, 'redirect' | 'broadcast' | 'optIn' | 'optOut' | 'noLoop'>;
