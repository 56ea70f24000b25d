/** What the engine asks of eviction: the limit on memory, and room below it. */
export interface EvictionPort {
  /** Bytes in use (`UsedMemory.forMaxmemory`) beyond which room is made before a command; Infinity for none. */
  readonly limit: number;
  /**
   * Makes room; called before any command while more than `limit` is in use, once its session is known to be authenticated
   * and permitted and its keys to be here. Answers whether there is enough for a command that takes memory, which is
   * refused with -OOM otherwise; true also where the rest is evicted later (Redis's EVICT_RUNNING).
   *
   * It runs between commands (`engine.outermost` is null): what it removes is told to the keyspaces' listener, and has been
   * propagated and told to those who cache it before the command runs. It is not asked while data is loaded, a script is
   * suspended or writes are paused: nothing is evicted then, and no command refused for want of memory.
   */
  makeRoom(): boolean;
}

/** No limit. */
export const NO_EVICTION: EvictionPort = { limit: Number.POSITIVE_INFINITY, makeRoom: () => true };
