import { expect, test } from 'vitest';
import { ReplyGate } from '../../../src/engine/reply-gate.ts';
import type { Session } from '../../../src/engine/session.ts';
import { Tickets } from '../../../src/raft/tickets.ts';

test('turns that are proposed as one have one ticket, which is kept when that is committed, after those before it', () => {
  const tickets = new Tickets(new ReplyGate<Session>(() => {}));
  const first = tickets.untilCommitted(1, true);
  const gathered = tickets.untilProposed();
  expect(tickets.untilProposed()).toBe(gathered);
  tickets.committed(1);
  expect([first.released, gathered.released]).toEqual([true, false]);
  tickets.proposed(3);
  expect(tickets.untilProposed()).not.toBe(gathered);
  tickets.committed(2);
  expect(gathered.released).toBe(false);
  tickets.committed(3);
  expect(gathered.released).toBe(true);
  expect(tickets.count).toBe(1);
});
