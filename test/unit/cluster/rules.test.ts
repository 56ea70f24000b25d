/** How nodes come to know one another, who is down, who takes over, and what an administrator's commands do. */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import type { Body, Header } from '../../../src/cluster/bus/packet.ts';
import { FAIL, NOADDR, PFAIL } from '../../../src/cluster/flags.ts';
import { formatNodesFile, parseNodesFile } from '../../../src/cluster/nodes-file.ts';
import { savedState } from '../../../src/cluster/rules/saved.ts';
import { drawSeed } from '../../support/seed.ts';
import { headerOf, type Machine, NO_NEWS, NODE_TIMEOUT, Nodes, split, tell } from './nodes.ts';

describe('nodes come to know one another', () => {
  test('by MEET, and third ones by gossip, with their roles, slots and host names', () => {
    const nodes = new Nodes(3, 1);
    const [first, , third, replica] = nodes.all;
    third.settings.hostname = 'c.example.org';
    nodes.pass(3000);
    for (const machine of nodes.all) {
      expect(machine.cluster.state.nodes.size).toBe(6);
      expect(machine.cluster.state.ok).toBe(true);
      expect(machine.sees(third)).toMatchObject({
        ip: third.ip,
        port: 6379,
        busPort: 16379,
        hostname: 'c.example.org',
      });
      expect(machine.sees(replica).master).toBe(machine.sees(first));
      expect(machine.cluster.state.owners[0]).toBe(machine.sees(first));
    }
    expect(first.cluster.state.myself.ip).toBe(first.ip);
  });

  test('and who does not answer a MEET is forgotten', () => {
    const nodes = new Nodes(1);
    const [only] = nodes.all;
    expect(only.error({ name: 'meet', ip: '10.9.9.9', port: '6379', busPort: null })).toBe('');
    expect(only.cluster.state.nodes.size).toBe(2);
    nodes.pass(1500);
    expect(only.cluster.state.nodes.size).toBe(1);
  });

  test('a node that speaks from elsewhere is followed there', () => {
    const nodes = new Nodes(2, 1);
    const [master, , replica] = nodes.all;
    tell(replica, '10.1.1.1', headerOf(master, { port: 7000, busPort: 17000 }), { type: 'ping', ...NO_NEWS });
    expect(replica.sees(master)).toMatchObject({ ip: '10.1.1.1', port: 7000, busPort: 17000 });
    expect(replica.log()).toContain(`Address updated for node ${master.id}, now 10.1.1.1:7000`);
    expect(replica.told('replicate').at(-1)).toMatchObject({ ip: '10.1.1.1', port: 7000 });
  });

  test('and one that is down here, where another has found it', () => {
    const nodes = new Nodes(3, 1);
    const [master, second, , replica] = nodes.all;
    replica.settings.replicaNoFailover = true;
    master.stop();
    nodes.pass(NODE_TIMEOUT * 2);
    expect(replica.sees(master).isWell).toBe(false);
    const gossip = { id: master.id, ip: '10.1.1.1', port: 7000, busPort: 17000, plainPort: 0, flags: 1 };
    const body = { type: 'ping', ...NO_NEWS, gossips: [{ ...gossip, pingSent: 0, pongReceived: 0 }] } as const;
    tell(replica, second.ip, headerOf(second), body);
    expect(replica.sees(master)).toMatchObject({ ip: '10.1.1.1', port: 7000, busPort: 17000 });
    expect(replica.told('replicate').at(-1)).toMatchObject({ ip: '10.1.1.1', port: 7000 });
  });

  test('where somebody else answers, the address is no longer known', () => {
    const nodes = new Nodes(2);
    const [first, second] = nodes.all;
    const { link } = first.sees(second);
    first.hear(link!, { header: headerOf(second, { sender: 'f'.repeat(40) }), body: { type: 'pong', ...NO_NEWS } });
    expect(first.sees(second).is(NOADDR)).toBe(true);
    expect(first.sees(second).link).toBe(null);
    nodes.pass(NODE_TIMEOUT);
    // It says itself where it is.
    expect(first.sees(second)).toMatchObject({ ip: second.ip, flags: first.sees(second).flags & ~NOADDR });
  });

  test('nodes with host names find one another when all addresses have changed, or changed places', () => {
    const nodes = new Nodes(3, 1);
    for (const machine of nodes.all) machine.settings.hostname = `${machine.number}.example.org`;
    nodes.pass(2000);
    const ips = nodes.all.map(({ ip }) => ip);
    for (const machine of nodes.all) machine.stop();
    // Each has the address of another, but for two, whose addresses nobody had before.
    nodes.all.forEach((machine, i) => {
      machine.ip = i < 2 ? `10.5.5.${i}` : ips[(i + 1) % ips.length];
    });
    for (const machine of nodes.all) machine.start();
    nodes.pass(NODE_TIMEOUT * 10);
    for (const machine of nodes.all) {
      expect(machine.cluster.state.ok).toBe(true);
      for (const other of nodes.all) {
        expect(machine.sees(other).is(FAIL | PFAIL | NOADDR)).toBe(false);
        if (other !== machine) expect(machine.sees(other).ip).toBe(other.ip);
      }
    }
  });

  test('whoever we do not know changes nothing', () => {
    const nodes = new Nodes(3, 1);
    const [machine, other] = nodes.all;
    const before = formatNodesFile({ ...savedState(machine.cluster.state) });
    const seed = drawSeed();
    const random = new SeededRandom(seed);
    const bodies: Body[] = [
      { type: 'ping', ...NO_NEWS },
      { type: 'pong', ...NO_NEWS },
      { type: 'fail', node: other.id },
      { type: 'auth-req' },
      { type: 'auth-ack' },
      { type: 'mfstart' },
      { type: 'update', node: other.id, configEpoch: 99, slots: new Uint8Array(2048).fill(255) },
    ];
    for (let i = 0; i < 200; i++) {
      const slots = new Uint8Array(2048).fill(random.below(256));
      const sender = random.below(2) === 0 ? 'f'.repeat(40) : machine.id;
      const header = headerOf(other, {
        sender,
        currentEpoch: 50 + i,
        configEpoch: 50 + i,
        slots,
        flags: random.below(1024),
      });
      tell(machine, '10.7.7.7', header, bodies[random.below(bodies.length)]);
    }
    expect(formatNodesFile(savedState(machine.cluster.state)), `seed ${seed}`).toBe(before);
  });
});

test('a connection that does not come about is tried anew, however well the node is heard over its own', () => {
  const nodes = new Nodes(3);
  const [us, other] = nodes.all;
  us.cut.add(other);
  us.sees(other).link!.open = false;
  us.sees(other).pongReceived = nodes.now;
  nodes.clear();
  for (let i = 0; i < 10; i++) {
    nodes.pass(NODE_TIMEOUT / 5);
    other.outputs.length = 0;
    us.sees(other).dataReceived = nodes.now;
  }
  const dialled = us.outputs.filter(({ kind }) => kind === 'connect');
  expect(dialled).not.toEqual([]);
});

test('whoever is soon to be asked is asked along with one that is now', () => {
  const nodes = new Nodes(4);
  const us = nodes.at(0);
  const [now, soon, later] = [1, 2, 3].map((number) => us.sees(nodes.at(number)));
  const asked = (): string[] => {
    const before = us.outputs.length;
    us.step({ kind: 'tick' });
    const packets = us.outputs.slice(before).flatMap((output) => (output.kind === 'send' ? [output] : []));
    return packets.flatMap(({ connection: { node } }) => (node === null ? [] : [node.id]));
  };
  const silent = (node: typeof now, ms: number): void => {
    node.pongReceived = nodes.now - ms;
  };
  // So that no PING at random is due, and the timer is.
  while (asked().length === 0) nodes.now += 100;
  us.cluster.calm = 0;
  nodes.now += 10;
  for (const [node, ms] of [[now, 490] as const, [soon, 460] as const, [later, 430] as const]) silent(node, ms);
  expect(asked()).toEqual([]);
  us.cluster.calm = 0;
  nodes.now += 20;
  expect(asked()).toEqual([now.id, soon.id]);
});

describe('who is down', () => {
  test('is suspected after the node timeout, failed when most masters say so, and well when it is back', () => {
    const nodes = new Nodes(5);
    const [first, second, , , fifth] = nodes.all;
    fifth.stop();
    nodes.pass(NODE_TIMEOUT * 0.7);
    expect(first.sees(fifth).isWell).toBe(true);
    nodes.pass(NODE_TIMEOUT * 1.3);
    expect(first.sees(fifth).is(FAIL)).toBe(true);
    expect(nodes.all.filter((each) => each.log().some((text) => text.startsWith('Marking node'))).length).toBe(1);
    expect(second.log()).toContain('Cluster state changed: fail');
    expect(first.call({ name: 'count-failure-reports', node: fifth.id })).toMatchObject({ kind: 'number' });
    fifth.start();
    nodes.pass(NODE_TIMEOUT * 4);
    expect(first.sees(fifth).is(FAIL | PFAIL)).toBe(false);
    expect(first.log()).toContain(
      `Clear FAIL state for node ${fifth.id}: is reachable again and nobody is serving its slots after some time.`,
    );
    expect(first.cluster.state.ok).toBe(true);
  });

  test('is not said by one alone, and what was said is forgotten in time', () => {
    const nodes = new Nodes(4);
    const [first, second, third, fourth] = nodes.all;
    fourth.cut.add(third);
    third.cut.add(fourth);
    nodes.pass(NODE_TIMEOUT * 3);
    expect(third.sees(fourth).is(PFAIL)).toBe(true);
    expect(first.sees(fourth).isWell).toBe(true);
    expect(first.sees(fourth).reports.size).toBe(1);
    third.stop();
    nodes.pass(NODE_TIMEOUT * 2 + 200);
    first.call({ name: 'count-failure-reports', node: fourth.id });
    expect(first.sees(fourth).reports.has(first.sees(third))).toBe(false);
    expect(second.sees(fourth).hasFailed).toBe(false);
  });

  test('a minority stops within the node timeout, and serves again a while after it is none', () => {
    const nodes = new Nodes(5);
    const [first, second, third] = nodes.all;
    split(nodes, [first, second]);
    nodes.pass(NODE_TIMEOUT + 700);
    expect([first.cluster.state.ok, second.cluster.state.ok]).toEqual([false, false]);
    split(nodes, []);
    nodes.clear();
    nodes.pass(NODE_TIMEOUT * 0.6);
    expect(first.cluster.state.ok).toBe(false);
    nodes.pass(NODE_TIMEOUT * 4);
    expect([first.cluster.state.ok, third.cluster.state.ok]).toEqual([true, true]);
    expect(first.told('state')).toEqual([{ kind: 'state', ok: true }]);
  });

  test('slots that nobody serves matter only with cluster-require-full-coverage', () => {
    const nodes = new Nodes(3);
    const [first] = nodes.all;
    first.settings.requireFullCoverage = false;
    nodes.at(2).stop();
    nodes.pass(NODE_TIMEOUT * 3);
    expect([first.cluster.state.ok, nodes.at(1).cluster.state.ok]).toEqual([true, false]);
  });
});

describe('who takes over', () => {
  test('is a replica that most masters vote for; the old master becomes a replica of it', () => {
    const nodes = new Nodes(3, 1);
    const [first, second, , replica] = nodes.all;
    first.stop();
    nodes.pass(NODE_TIMEOUT * 4);
    expect(replica.log()).toEqual(
      expect.arrayContaining([
        'Starting a failover election for epoch 6.',
        "Failover election won: I'm the new master.",
        'configEpoch set to 6 after successful failover',
      ]),
    );
    expect(replica.told('become-master').length).toBe(1);
    expect(second.log()).toContain(`Failover auth granted to ${replica.id} for epoch 6`);
    expect(second.cluster.state.owners[0]).toBe(second.sees(replica));
    first.start();
    nodes.pass(NODE_TIMEOUT * 3);
    expect(first.log()).toContain(`Configuration change detected. Reconfiguring myself as a replica of ${replica.id}`);
    expect(first.told('replicate').at(-1)).toMatchObject({ ip: replica.ip });
    expect(second.log()).toContain(
      `Node ${first.id} has old slots configuration, sending an UPDATE message about ${replica.id}`,
    );
    expect(nodes.all.every(({ cluster }) => cluster.state.ok)).toBe(true);
  });

  test('is the one that has read most, the others wait a second for each that has read more', () => {
    const nodes = new Nodes(3, 2);
    const [master, , , one, , , other] = nodes.all;
    [one.offset, other.offset] = [10, 20];
    nodes.pass(1000);
    master.stop();
    nodes.pass(NODE_TIMEOUT * 4);
    expect(one.log().find((text) => text.startsWith('Start of election'))).toMatch(/\(rank #1, offset 10\)\.$/);
    expect(other.cluster.state.myself.isMaster).toBe(true);
    nodes.pass(NODE_TIMEOUT);
    expect(one.cluster.state.myself.master).toBe(one.sees(other));
  });

  test('is nobody whose data are too old, or who must not', () => {
    for (const hinder of [
      (replica: Machine) => void (replica.age = 1000 + NODE_TIMEOUT * 11 + 1),
      (replica: Machine) => void (replica.settings.replicaNoFailover = true),
    ]) {
      const nodes = new Nodes(3, 1);
      const [master, , , replica] = nodes.all;
      hinder(replica);
      nodes.pass(500);
      master.stop();
      nodes.pass(NODE_TIMEOUT * 10);
      expect(replica.cluster.state.myself.isReplica).toBe(true);
      expect(replica.packets('auth-req')).toEqual([]);
    }
  });

  test('a vote is durable before it leaves, and is not given twice in an epoch', () => {
    const nodes = new Nodes(3, 1);
    const [master, voter, , replica] = nodes.all;
    voter.slow = true;
    const header = headerOf(replica, { currentEpoch: 9, forceAck: true });
    tell(voter, replica.ip, header, { type: 'auth-req' });
    const [{ version, file }] = voter.told('persist').slice(-1);
    expect(file).toMatchObject({ currentEpoch: 9, lastVoteEpoch: 9 });
    expect(voter.packets('auth-ack').map(({ after }) => after)).toEqual([version]);
    nodes.clear();
    // Nothing that shows the new epoch leaves either.
    nodes.pass(500);
    expect(voter.told('send').every(({ after }) => after >= version)).toBe(true);
    tell(voter, replica.ip, header, { type: 'auth-req' });
    expect(voter.log()).toContain(`Failover auth denied to ${replica.id}: already voted for epoch 9`);
    voter.sync();
    voter.slow = false;
    voter.stop();
    voter.start();
    expect(voter.cluster.state.lastVoteEpoch).toBe(9);
    expect(master.cluster.state.lastVoteEpoch).toBe(0);
  });

  test('and whoever gets no vote is told why in the log', () => {
    const nodes = new Nodes(3, 1);
    const [master, voter, third, replica] = nodes.all;
    const epoch = voter.cluster.state.currentEpoch;
    const ask = (from: Machine, change: Partial<Header>): string => {
      nodes.clear();
      tell(voter, from.ip, headerOf(from, { currentEpoch: epoch, forceAck: true, ...change }), { type: 'auth-req' });
      return voter
        .log()
        .find((text) => text.startsWith('Failover auth'))!
        .replace(from.id, 'X');
    };
    expect(ask(replica, { currentEpoch: 1 })).toBe(`Failover auth denied to X: reqEpoch (1) < curEpoch(${epoch})`);
    expect(ask(third, {})).toBe('Failover auth denied to X: it is a master node');
    expect(ask(replica, { forceAck: false })).toBe('Failover auth denied to X: its master is up');
    const slots = third.cluster.state.myself.slots.bitmap();
    const thirds = third.cluster.state.myself.configEpoch;
    expect(ask(replica, { slots, configEpoch: 0 })).toMatch(
      new RegExp(`^Failover auth denied to X: slot \\d+ epoch \\(${thirds}\\) > reqEpoch \\(0\\)$`),
    );
    expect(ask(replica, {})).toBe(`Failover auth granted to X for epoch ${epoch}`);
    expect(ask(replica, { currentEpoch: epoch + 1 })).toBe(
      `Failover auth denied to X: can't vote about this master before ${NODE_TIMEOUT * 2} milliseconds`,
    );
    voter.sees(replica).master = null;
    voter.sees(master).replicas.clear();
    expect(ask(replica, { currentEpoch: epoch + 1 })).toBe("Failover auth denied to X: I don't know its master");
  });

  test('a master without replicas gets one of a master that has two', () => {
    const nodes = new Nodes(3, 1);
    const spare = nodes.add();
    nodes.at(0).meet(spare.ip);
    nodes.pass(3000);
    spare.call({ name: 'replicate', node: nodes.at(1).id });
    nodes.pass(2000);
    nodes.at(3).stop();
    nodes.pass(NODE_TIMEOUT * 3);
    expect(nodes.at(0).cluster.state.ok).toBe(true);
    nodes.pass(6000);
    const movers = [nodes.at(4), spare].filter((each) =>
      each.log().includes(`Migrating to orphaned master ${nodes.at(0).id}`),
    );
    expect(movers.length).toBe(1);
    expect(movers[0].cluster.state.myself.master).toBe(movers[0].sees(nodes.at(0)));
  });
});

describe('a failover that is asked for', () => {
  test('waits until the replica has all that its master wrote', () => {
    const nodes = new Nodes(3, 1);
    const [master, , , replica] = nodes.all;
    [master.offset, replica.offset] = [100, 90];
    expect(replica.error({ name: 'failover', form: 'agreed' })).toBe('');
    expect(master.told('pause')).toEqual([{ kind: 'pause', until: nodes.now + 10_000 }]);
    expect(master.log()).toContain(`Manual failover requested by replica ${replica.id}.`);
    nodes.pass(500);
    expect(replica.log()).toContain('Received replication offset for paused master manual failover: 100');
    expect(replica.cluster.state.myself.isReplica).toBe(true);
    replica.offset = 100;
    nodes.pass(300);
    expect(replica.log()).toContain('All master replication stream processed, manual failover can start.');
    expect(replica.cluster.state.myself.isMaster).toBe(true);
    expect(master.cluster.state.myself.master).toBe(master.sees(replica));
    expect(master.told('unpause').length).toBe(1);
  });

  test('and until what it has is of the history that its master has now', () => {
    const nodes = new Nodes(3, 1);
    const [, , , replica] = nodes.all;
    replica.streaming = false;
    replica.call({ name: 'failover', form: 'agreed' });
    nodes.pass(1000);
    expect(replica.log()).toContain('Received replication offset for paused master manual failover: 0');
    expect(replica.cluster.state.myself.isReplica).toBe(true);
    replica.streaming = true;
    nodes.pass(300);
    expect(replica.cluster.state.myself.isMaster).toBe(true);
  });

  test('is given up after five seconds', () => {
    const nodes = new Nodes(3, 1);
    const [master, , , replica] = nodes.all;
    [master.offset, replica.offset] = [100, 90];
    replica.call({ name: 'failover', form: 'agreed' });
    nodes.pass(5200);
    expect(replica.log()).toContain('Manual failover timed out.');
    expect(master.told('unpause').length).toBe(1);
    replica.offset = 100;
    nodes.pass(1000);
    expect(replica.cluster.state.myself.isReplica).toBe(true);
  });

  test('is over after five seconds for votes as well that have waited for as long', () => {
    const nodes = new Nodes(3, 1);
    const replica = nodes.at(3);
    const masters = nodes.all.slice(0, 3);
    for (const each of masters) each.slow = true;
    replica.call({ name: 'failover', form: 'agreed' });
    nodes.pass(500);
    expect(replica.packets('auth-req').length).toBeGreaterThan(0);
    nodes.now += 6000;
    for (const each of masters) each.sync();
    expect(replica.log()).toContain('Manual failover timed out.');
    expect(replica.cluster.state.myself.isReplica).toBe(true);
  });

  test('FORCE needs no master, TAKEOVER nobody', () => {
    const nodes = new Nodes(3, 1);
    const [master, second, third, replica] = nodes.all;
    master.stop();
    nodes.pass(NODE_TIMEOUT * 1.5);
    expect(replica.error({ name: 'failover', form: 'force' })).toBe('');
    nodes.pass(200);
    expect(replica.cluster.state.myself.isMaster).toBe(true);
    const other = nodes.at(4);
    split(nodes, [other]);
    for (const each of [second, third]) each.stop();
    nodes.pass(NODE_TIMEOUT * 2);
    const epoch = other.cluster.state.currentEpoch;
    expect(other.error({ name: 'failover', form: 'takeover' })).toBe('');
    expect(other.cluster.state.myself).toMatchObject({ isMaster: true, configEpoch: epoch + 1 });
    expect(other.cluster.state.myself.slots.size).toBeGreaterThan(5000);
  });
});

describe('slots', () => {
  test('are moved by SETSLOT, with a new epoch for who gets them', () => {
    const nodes = new Nodes(3);
    const [from, to, third] = nodes.all;
    from.keys.set(7, 2);
    const importing = { kind: 'importing', node: from.id } as const;
    const migrating = { kind: 'migrating', node: to.id } as const;
    const node = { kind: 'node', node: to.id } as const;
    expect(to.error({ name: 'setslot', slot: 7, action: importing })).toBe('');
    expect(from.error({ name: 'setslot', slot: 7, action: migrating })).toBe('');
    expect(formatNodesFile(savedState(from.cluster.state))).toContain(` [7->-${to.id}]`);
    expect(from.error({ name: 'setslot', slot: 7, action: node })).toBe(
      "ERR Can't assign hashslot 7 to a different node while I still hold keys for this hash slot.",
    );
    from.keys.clear();
    const epoch = to.cluster.state.currentEpoch;
    expect(to.error({ name: 'setslot', slot: 7, action: node })).toBe('');
    expect(to.cluster.state.myself.configEpoch).toBe(epoch + 1);
    expect(from.error({ name: 'setslot', slot: 7, action: node })).toBe('');
    nodes.pass(1500);
    for (const machine of [from, to, third]) {
      expect(machine.cluster.state.owners[7]).toBe(machine.sees(to));
      expect(machine.cluster.state.migrating.size + machine.cluster.state.importing.size).toBe(0);
    }
    expect(from.told('slots-lost')).toEqual([{ kind: 'slots-lost', slots: [7] }]);
  });

  test('that have gone to a claim of later may be forgotten with the power, but not once they are to come back', () => {
    const nodes = new Nodes(3);
    const [from, to] = nodes.all;
    to.call({ name: 'bumpepoch' });
    nodes.pass(1500);
    to.call({ name: 'setslot', slot: 7, action: { kind: 'importing', node: from.id } });
    from.call({ name: 'setslot', slot: 7, action: { kind: 'migrating', node: to.id } });
    // Its PONG tells the former owner before the administrator does.
    to.call({ name: 'setslot', slot: 7, action: { kind: 'node', node: to.id } });
    expect(from.cluster.state.owners[7]).toBe(from.sees(to));
    expect(from.told('persist').at(-1)).toMatchObject({ need: 'soon' });
    from.losePower();
    expect(from.cluster.state.owners[7]).toBe(from.cluster.state.myself);
    nodes.pass(1500);
    expect(from.cluster.state.owners[7]).toBe(from.sees(to));
    from.call({ name: 'setslot', slot: 7, action: { kind: 'importing', node: to.id } });
    expect(from.told('persist').at(-1)).toMatchObject({ need: 'synced' });
    from.keys.set(7, 1);
    from.losePower();
    from.step({ kind: 'loaded' });
    nodes.pass(1500);
    expect(from.told('drop-keys')).toEqual([]);
    expect(from.cluster.state.importing.get(7)).toBe(from.sees(to));
  });

  test('that have gone to nobody, or to a claim of before, outlive a loss of power as such', () => {
    const nodes = new Nodes(3);
    const [from, to] = nodes.all;
    const synced = (action: () => void): void => {
      nodes.clear();
      action();
      expect(from.told('persist').at(-1)).toMatchObject({ need: 'synced' });
    };
    synced(() => from.call({ name: 'delslots', ranges: [{ start: 5, end: 5 }] }));
    from.call({ name: 'bumpepoch' });
    synced(() => from.call({ name: 'setslot', slot: 7, action: { kind: 'node', node: to.id } }));
    from.losePower();
    expect(from.cluster.state.owners[5]).toBe(null);
    expect(from.cluster.state.owners[7]).toBe(from.sees(to));
  });

  test('that another has by a later configuration take their keys along', () => {
    const nodes = new Nodes(2);
    const [first, second] = nodes.all;
    first.keys.set(3, 1);
    second.call({ name: 'setslot', slot: 3, action: { kind: 'node', node: second.id } });
    second.call({ name: 'bumpepoch' });
    nodes.pass(1500);
    expect(first.told('drop-keys')).toEqual([{ kind: 'drop-keys', slots: [3] }]);
    expect(first.cluster.state.owners[3]).toBe(first.sees(second));
  });

  test('that are imported have the owner that claims them last, also when theirs has failed over', () => {
    const nodes = new Nodes(3, 1);
    const [from, to, , replica] = nodes.all;
    nodes.pass(3000);
    expect(to.error({ name: 'setslot', slot: 7, action: { kind: 'importing', node: from.id } })).toBe('');
    expect(replica.error({ name: 'failover', form: 'takeover' })).toBe('');
    nodes.pass(1500);
    expect(from.cluster.state.myself.isReplica).toBe(true);
    expect(to.cluster.state.owners[7]).toBe(to.sees(replica));
    expect(to.cluster.state.ok).toBe(true);
    expect(to.cluster.state.importing.has(7)).toBe(true);
  });

  /** The first has given slot 7 to the second, has a later epoch since, and the third has missed both. */
  function withOneThatMissedTheMove(): Nodes {
    const nodes = new Nodes(3);
    const [from, to, third] = nodes.all;
    nodes.pass(3000);
    third.stop();
    const move = { name: 'setslot', slot: 7, action: { kind: 'node', node: to.id } } as const;
    to.call({ ...move, action: { kind: 'importing', node: from.id } });
    to.call(move);
    from.call(move);
    nodes.pass(100);
    from.call({ name: 'bumpepoch' });
    nodes.pass(100);
    to.keys.set(7, 1);
    return nodes;
  }

  test('that their owner does not claim any more are free for whoever does, of whatever epoch', () => {
    const nodes = withOneThatMissedTheMove();
    const [from, to, third] = nodes.all;
    expect(from.cluster.state.myself.configEpoch).toBeGreaterThan(to.cluster.state.myself.configEpoch);
    third.start();
    tell(third, from.ip, headerOf(from), { type: 'ping', ...NO_NEWS });
    expect(third.cluster.state.owners[7]).toBe(third.sees(from));
    third.stop();
    third.start();
    tell(third, to.ip, headerOf(to), { type: 'ping', ...NO_NEWS });
    expect(third.cluster.state.owners[7]).toBe(third.sees(to));
    expect(third.packets('update')).toEqual([]);
    nodes.pass(1500);
    expect(to.told('drop-keys')).toEqual([]);
  });

  test('that their owner does not claim any more are his after a start, whoever has keys of them', () => {
    const nodes = withOneThatMissedTheMove();
    const [from, , third] = nodes.all;
    third.start();
    tell(third, from.ip, headerOf(from), { type: 'ping', ...NO_NEWS });
    third.stop();
    third.keys.set(7, 1);
    third.start();
    third.step({ kind: 'loaded' });
    expect(third.cluster.state.owners[7]).toBe(third.sees(from));
    expect(third.cluster.state.importing.get(7)).toBe(third.sees(from));
    expect(third.cluster.state.unclaimed.has(7)).toBe(true);
  });

  test('that are claimed with an epoch are told with it: no other packet than a heartbeat teaches one', () => {
    const nodes = withOneThatMissedTheMove();
    const [from, to, third] = nodes.all;
    third.start();
    tell(third, from.ip, headerOf(from), { type: 'fail', node: 'f'.repeat(40) });
    tell(third, to.ip, headerOf(to), { type: 'ping', ...NO_NEWS });
    expect(third.cluster.state.owners[7]).toBe(third.sees(to));
  });

  test('with keys and without an owner are ours after a start, those of others are imported', () => {
    const nodes = new Nodes(2);
    const [first, second] = nodes.all;
    nodes.all.forEach((each) => void each.call({ name: 'delslots', ranges: [{ start: 0, end: 0 }] }));
    first.keys.set(0, 1).set(16000, 1);
    first.step({ kind: 'loaded' });
    expect(first.log().filter((text) => !text.startsWith('Cluster state'))).toEqual([
      'I have keys for unassigned slot 0. Taking responsibility for it.',
      'I have keys for slot 16000, but the slot is assigned to another node. Setting it to importing state.',
    ]);
    expect(first.cluster.state.importing.get(16000)).toBe(first.sees(second));
  });

  test('of two masters with one epoch: the smaller ID takes another', () => {
    const nodes = new Nodes(1);
    const other = nodes.add();
    other.call({ name: 'set-config-epoch', epoch: 1 });
    nodes.at(0).meet(other.ip);
    nodes.pass(2000);
    expect([nodes.at(0).cluster.state.myself.configEpoch, other.cluster.state.myself.configEpoch]).toEqual([2, 1]);
    expect(nodes.at(0).log()).toContain(`WARNING: configEpoch collision with node ${other.id}. configEpoch set to 2`);
  });
});

describe('commands', () => {
  test('refuse what makes no sense, in the words of Redis', () => {
    const nodes = new Nodes(3, 1);
    const [first, second, , replica] = nodes.all;
    const strange = 'x';
    const range = (start: number, end = start): { start: number; end: number }[] => [{ start, end }];
    const setslot = (kind: 'migrating' | 'importing' | 'node', slot: number, node: string) =>
      ({ name: 'setslot', slot, action: { kind, node } }) as const;
    expect([
      first.error({ name: 'meet', ip: 'a', port: 'b', busPort: null }),
      first.error({ name: 'meet', ip: '10.0.0.1', port: '1', busPort: 'c' }),
      first.error({ name: 'meet', ip: 'a', port: '1', busPort: null }),
      first.error({ name: 'forget', node: strange }),
      first.error({ name: 'forget', node: first.id }),
      replica.error({ name: 'forget', node: first.id }),
      first.error({ name: 'replicate', node: first.id }),
      first.error({ name: 'replicate', node: replica.id }),
      first.error({ name: 'replicate', node: second.id }),
      first.error({ name: 'addslots', ranges: range(16384) }),
      first.error({ name: 'addslots', ranges: range(2, 1) }),
      first.error({ name: 'addslots', ranges: range(3) }),
      first.error({ name: 'delslots', ranges: [...range(3), ...range(3)] }),
      replica.error(setslot('node', 3, first.id)),
      first.error(setslot('migrating', 16000, second.id)),
      first.error(setslot('importing', 3, second.id)),
      first.error(setslot('migrating', 3, strange)),
      first.error(setslot('node', 3, strange)),
      first.error(setslot('node', 3, replica.id)),
      first.error({ name: 'set-config-epoch', epoch: -1 }),
      first.error({ name: 'set-config-epoch', epoch: 1 }),
      first.error({ name: 'failover', form: 'agreed' }),
      first.error({ name: 'count-failure-reports', node: strange }),
    ]).toEqual([
      'ERR Invalid TCP base port specified: b',
      'ERR Invalid TCP bus port specified: c',
      'ERR Invalid node address specified: a:1',
      'ERR Unknown node x',
      "ERR I tried hard but I can't forget myself...",
      "ERR Can't forget my master!",
      "ERR Can't replicate myself",
      'ERR I can only replicate a master, not a replica.',
      'ERR To set a master the node must be empty and without assigned slots.',
      'ERR Invalid or out of range slot',
      'ERR start slot number 2 is greater than end slot number 1',
      'ERR Slot 3 is already busy',
      'ERR Slot 3 specified multiple times',
      'ERR Please use SETSLOT only with masters.',
      "ERR I'm not the owner of hash slot 16000",
      "ERR I'm already the owner of hash slot 3",
      "ERR I don't know about node x",
      'ERR Unknown node x',
      'ERR Target node is not a master',
      'ERR Invalid config epoch specified: -1',
      'ERR The user can assign a config epoch only when the node does not know any other node.',
      'ERR You should send CLUSTER FAILOVER to a replica',
      'ERR Unknown node x',
    ]);
    first.keys.set(1, 1);
    expect(first.error({ name: 'flushslots' })).toBe('ERR DB must be empty to perform CLUSTER FLUSHSLOTS.');
    expect(first.error({ name: 'reset', kind: 'soft' })).toBe(
      "ERR CLUSTER RESET can't be called with master nodes containing keys",
    );
  });

  test('FORGET keeps a node away for a minute', () => {
    const nodes = new Nodes(3);
    const [first, second, third] = nodes.all;
    const { id } = third;
    expect(first.error({ name: 'forget', node: id })).toBe('');
    nodes.pass(58_000);
    expect(first.cluster.state.nodes.has(id)).toBe(false);
    nodes.pass(5000);
    expect(first.cluster.state.nodes.has(id)).toBe(true);
    expect(second.cluster.state.nodes.has(id)).toBe(true);
  });

  test('RESET makes a node one that knows nobody; HARD, another one', () => {
    const nodes = new Nodes(3, 1);
    const replica = nodes.at(3);
    const { id } = replica;
    expect(replica.error({ name: 'reset', kind: 'soft' })).toBe('');
    expect(replica.cluster.state.nodes.size).toBe(1);
    expect(replica.told('become-master').length + replica.told('empty').length).toBe(2);
    expect([replica.id, replica.cluster.state.currentEpoch > 0]).toEqual([id, true]);
    expect(replica.error({ name: 'reset', kind: 'hard' })).toBe('');
    expect(replica.id).not.toBe(id);
    expect([replica.cluster.state.currentEpoch, replica.cluster.state.lastVoteEpoch]).toEqual([0, 0]);
    expect(replica.log().at(-1)).toBe(`Node hard reset, now I'm ${replica.id}`);
  });

  test('BUMPEPOCH says whether there was need', () => {
    const nodes = new Nodes(2);
    const [first, second] = nodes.all;
    const epoch = first.cluster.state.currentEpoch;
    expect(first.call({ name: 'bumpepoch' })).toEqual({ kind: 'status', text: `BUMPED ${epoch + 1}` });
    expect(first.call({ name: 'bumpepoch' })).toEqual({ kind: 'status', text: `STILL ${epoch + 1}` });
    nodes.pass(1000);
    expect(second.sees(first).configEpoch).toBe(epoch + 1);
  });

  test('an answer waits for what it promises', () => {
    const nodes = new Nodes(2);
    const [first] = nodes.all;
    first.slow = true;
    first.call({ name: 'delslots', ranges: [{ start: 1, end: 1 }] });
    const [{ version }] = first.told('persist').slice(-1);
    expect(first.told('answer').at(-1)!.after).toBe(version);
  });
});

test('what is published reaches everybody, or those of the shard', () => {
  const nodes = new Nodes(3, 1);
  const [first, , , replica] = nodes.all;
  const [channel, message] = [Uint8Array.of(1), Uint8Array.of(2)];
  first.step({ kind: 'publish', sharded: false, channel, message });
  expect(nodes.all.map((each) => each.told('deliver').length)).toEqual([0, 1, 1, 1, 1, 1]);
  first.step({ kind: 'publish', sharded: true, channel, message });
  expect(nodes.all.map((each) => each.told('deliver').length)).toEqual([0, 1, 1, 2, 1, 1]);
  expect(replica.told('deliver').at(-1)).toEqual({ kind: 'deliver', sharded: true, channel, message });
});

test('a file that could not be written is tried again, and a restart finds what was kept', () => {
  const nodes = new Nodes(3, 1);
  const [first] = nodes.all;
  const before = first.told('persist').length;
  first.step({ kind: 'command', asker: null, command: { name: 'saveconfig' } });
  const [{ version }] = first.told('persist').slice(-1);
  first.step({ kind: 'persist-failed', version, reason: 'No space left on device' });
  nodes.pass(1200);
  expect(first.told('persist').length).toBe(before + 2);
  const text = formatNodesFile(savedState(first.cluster.state));
  expect(formatNodesFile(parseNodesFile(text))).toBe(text);
  first.stop();
  first.start();
  const { state } = first.cluster;
  expect([state.nodes.size, state.myself.slots.size, state.ok]).toEqual([6, 5461, false]);
});
