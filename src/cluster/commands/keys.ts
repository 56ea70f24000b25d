/** Subcommands of CLUSTER about the keys of slots. */
import type { Command } from '../../engine/command.ts';
import { bytes, integer } from '../../engine/grammar.ts';
import { isSlot, slotOf } from '../slots.ts';
import { ASKS, subcommand, UNSTABLE } from './declare.ts';

export const keys: readonly Command[] = [
  subcommand(
    {
      name: 'KEYSLOT',
      since: '3.0.0',
      complexity: "O(N) in the key's length.",
      summary: 'Tells the slot of a key.',
      flags: ASKS,
      args: [bytes('key')],
    },
    (c) => c.reply.int(slotOf(c.arg(2))),
  ),
  subcommand(
    {
      name: 'COUNTKEYSINSLOT',
      since: '3.0.0',
      complexity: 'O(1)',
      summary: 'Counts the keys of a slot.',
      flags: ASKS,
      args: [integer('slot')],
    },
    (c) => {
      const slot = c.integer(2);
      if (slot === undefined) return;
      if (isSlot(slot)) c.reply.int(c.engine.membership.countKeys(slot));
      else c.reply.error('ERR Invalid slot');
    },
  ),
  subcommand(
    {
      name: 'GETKEYSINSLOT',
      since: '3.0.0',
      complexity: 'O(N) in keys that are asked for.',
      summary: 'Names keys of a slot.',
      flags: ASKS,
      tips: UNSTABLE,
      args: [integer('slot'), integer('count')],
    },
    (c) => {
      const slot = c.integer(2);
      if (slot === undefined) return;
      const most = c.integer(3);
      if (most === undefined) return;
      if (!isSlot(slot) || most < 0) return c.reply.error('ERR Invalid slot or number of keys');
      const { membership } = c.engine;
      const count = Math.min(most, membership.countKeys(slot));
      c.reply.array(count);
      membership.eachKey(slot, count, (key) => c.reply.bulk(key));
    },
  ),
];
