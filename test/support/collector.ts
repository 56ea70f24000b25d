/** A collector that does nothing, for tests that replace what they look at. */
import type { Collector } from '../../src/memory/collect.ts';

export const IDLE_COLLECTOR: Collector = {
  now: () => {},
  thoroughly: () => {},
  soon: () => true,
  ordinary: () => null,
  keepsAwake: true,
};
