/** What others make a node hold, where they may say whatever they like: the bus has no passwords. */
import { expect, test } from 'vitest';
import type { Gossip } from '../../../src/cluster/bus/packet.ts';
import { MASTER } from '../../../src/cluster/flags.ts';
import { MOST_BY_HEARSAY, verify } from '../../../src/cluster/state.ts';
import { headerOf, type Machine, NO_NEWS, Nodes, tell } from './nodes.ts';

const PORTS = { port: 6379, busPort: 16379, plainPort: 0 };

/** Word of so many nodes that are not there. */
function rumours(count: number): Gossip[] {
  return Array.from({ length: count }, (_, i) => ({
    id: (i + 1).toString(16).padStart(40, 'e'),
    pingSent: 0,
    pongReceived: 0,
    ip: `10.8.${i >> 8}.${i & 255}`,
    flags: MASTER,
    ...PORTS,
  }));
}

function spread(machine: Machine, from: Machine, count: number): void {
  tell(machine, from.ip, headerOf(from), { type: 'ping', ...NO_NEWS, gossips: rumours(count) });
}

test('nodes that others only speak of are known up to a number, and real ones are known beside them', () => {
  const nodes = new Nodes(2);
  const [machine, other] = nodes.all;
  const { state } = machine.cluster;
  spread(machine, other, MOST_BY_HEARSAY + 500);
  expect([state.nodes.size, state.hearsay.size]).toEqual([MOST_BY_HEARSAY + 2, MOST_BY_HEARSAY]);
  const header = headerOf(other, { sender: 'f'.repeat(40) });
  tell(machine, '10.9.9.9', header, { type: 'meet', ...NO_NEWS });
  expect(state.nodes.size).toBe(MOST_BY_HEARSAY + 2);
  const friend = nodes.add();
  expect(machine.meet(friend.ip)).toEqual({ kind: 'ok' });
  nodes.pass(500);
  expect(machine.sees(friend).inHandshake).toBe(false);
  expect(state.hearsay.has(machine.sees(friend))).toBe(false);
  verify(state);
});

test('who is spoken of and is there is no hearsay once he has answered; who is forgotten leaves room', () => {
  const nodes = new Nodes(2);
  const [machine, other] = nodes.all;
  const { hearsay } = machine.cluster.state;
  const friend = nodes.add();
  expect(other.meet(friend.ip)).toEqual({ kind: 'ok' });
  nodes.pass(2000);
  expect(machine.sees(friend).link?.open).toBe(true);
  expect(hearsay.size).toBe(0);
  spread(machine, other, 1);
  expect(hearsay.size).toBe(1);
  machine.call({ name: 'forget', node: rumours(1)[0].id });
  expect(hearsay.size).toBe(0);
});

test('who is only spoken of is looked for once a second', () => {
  const nodes = new Nodes(2);
  const [machine, other] = nodes.all;
  spread(machine, other, 1);
  nodes.clear();
  nodes.pass(5000);
  const tries = machine.told('connect').filter(({ connection }) => connection.ip === rumours(1)[0].ip);
  expect(tries.length).toBe(5);
});
