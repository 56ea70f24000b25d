/** Which commands name channels, and where. */
import type { Registered } from '../table.ts';

export interface ChannelArguments {
  /** All arguments are channels, or only the first. */
  readonly all: boolean;
  /** They are patterns. */
  readonly pattern: boolean;
}

const CHANNEL_ARGUMENTS: ReadonlyMap<string, ChannelArguments> = new Map([
  ['subscribe', { all: true, pattern: false }],
  ['psubscribe', { all: true, pattern: true }],
  ['ssubscribe', { all: true, pattern: false }],
  ['publish', { all: false, pattern: false }],
  ['spublish', { all: false, pattern: false }],
]);

/** The channels that a user needs to be permitted; leaving a channel needs no permission. */
export function channelsOf(registered: Registered): ChannelArguments | undefined {
  return registered.command.group === 'pubsub' ? CHANNEL_ARGUMENTS.get(registered.name) : undefined;
}
