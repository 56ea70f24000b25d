/** The shell around the rules of the cluster: what leaves before and after the disk, time, and links, over a network in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Beat } from '../../../src/base/beat.ts';
import { MemoryNetwork, Wires } from '../../../src/base/memory-network.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { sliceOf } from '../../../src/base/slice.ts';
import { SystemError } from '../../../src/base/system-error.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { HEADER, TYPES } from '../../../src/cluster/bus/layout.ts';
import type { Answer, Command, EngineChange } from '../../../src/cluster/messages.ts';
import type { NodesFile } from '../../../src/cluster/nodes-file.ts';
import { newNode } from '../../../src/cluster/rules/saved.ts';
import { Shell } from '../../../src/cluster/shell.ts';
import { Acceptor } from '../../../src/links/acceptor.ts';
import { Dialer } from '../../../src/links/link.ts';
import { recordedPackets } from './recorded.ts';

const BUS_PORT = 17_000;
/** As many as shell.ts holds back, and connections.ts lets in. */
const MOST_HELD = 10_000;
const MOST_STRANGERS = 1000;
const ALL = { name: 'addslots', ranges: [{ start: 0, end: 16_383 }] } as const;

/** A host with a node, whose disk writes when it is not told to refuse. */
class Host {
  readonly written: { readonly file: NodesFile; readonly synced: boolean }[] = [];
  readonly log: string[] = [];
  readonly changes: EngineChange[] = [];
  refuses = false;
  readonly shell: Shell;

  constructor(wires: Wires, number: number) {
    const ip = `10.0.0.${number}`;
    const id = String(number).repeat(40);
    const network = new MemoryNetwork(wires, ip);
    const note = (text: string): void => void this.log.push(text);
    const log = { debug: note, verbose: note, notice: note, warning: note };
    const ports = { port: 7000, plainPort: 0, busPort: BUS_PORT };
    this.shell = new Shell({
      file: newNode(id),
      isNew: true,
      settings: {
        nodeTimeout: 2000,
        replicaValidityFactor: 10,
        replPingPeriod: 10_000,
        migrationBarrier: 1,
        allowReplicaMigration: true,
        requireFullCoverage: true,
        replicaNoFailover: false,
        announceIp: ip,
        hostname: '',
        ...ports,
      },
      busSettings: { tlsCluster: false, bindSourceAddr: '', clusterLinkSendbufLimit: 0, clusterNodeTimeout: 2000 },
      clock,
      beat: new Beat(clock),
      random: new SeededRandom(number),
      network,
      dialer: new Dialer({ network, fast: null, clock, tls: () => null }),
      engine: {
        replicationOffset: () => 0,
        dataAge: () => 0,
        isStreaming: () => false,
        keysIn: () => 0,
        isEmpty: () => true,
      },
      log,
      newId: () => String(number + 3).repeat(40),
      write: (file, synced) => {
        if (this.refuses) throw new SystemError('ENOSPC', 'write', 'nodes.conf');
        this.written.push({ file, synced });
      },
      change: (change) => this.changes.push(change),
    });
    const acceptor = new Acceptor({ network, fast: null, tls: () => null, log });
    void acceptor.listen(
      { host: ip, port: BUS_PORT, backlog: 1 },
      () => false,
      (guest) => this.shell.welcome(guest),
    );
    this.shell.begin();
    this.shell.start();
  }

  ask(command: Command): Answer {
    return this.shell.ask(command);
  }

  get slots(): number {
    return this.written.at(-1)?.file.nodes[0].slots.length ?? 0;
  }
}

let clock: VirtualClock;
let wires: Wires;
let us: Host;
let other: Host;

/** So that what is done soon, and streams, go on in between. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10) {
    clock.advance(10);
    for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
  }
}

beforeEach(() => {
  clock = new VirtualClock();
  wires = new Wires(clock, new SeededRandom(9));
  us = new Host(wires, 1);
  other = new Host(wires, 2);
});

afterEach(() => {
  us.shell.stop();
  other.shell.stop();
});

async function introduce(): Promise<void> {
  expect(us.ask({ name: 'meet', ip: '10.0.0.2', port: '7000', busPort: String(BUS_PORT) })).toEqual({ kind: 'ok' });
  await pass(3000);
}

describe('the file', () => {
  test('who we are is written before anybody is heard', () => {
    expect(us.written.map(({ file }) => file.nodes[0].id)).toContain('1'.repeat(40));
  });

  test('what a command promises is written when it is answered', () => {
    expect(us.ask(ALL)).toEqual({ kind: 'ok' });
    expect(us.slots).toBe(1);
  });

  test('an epoch is synced before it is promised', () => {
    us.written.length = 0;
    expect(us.ask({ name: 'set-config-epoch', epoch: 7 })).toEqual({ kind: 'ok' });
    expect(us.written.map(({ synced }) => synced)).toEqual([true]);
  });

  test('a disk that refuses makes an error, and is tried again', async () => {
    us.refuses = true;
    expect(us.ask(ALL)).toMatchObject({
      kind: 'error',
      text: expect.stringMatching(/error saving the cluster node config/),
    });
    us.refuses = false;
    us.written.length = 0;
    await pass(1500);
    expect(us.slots).toBe(1);
  });

  test('a slot that is moved is written once on either side, whoever hears of it first', async () => {
    us.ask(ALL);
    await introduce();
    await pass(3000);
    const [from, to] = [us.shell.state.myself.id, other.shell.state.myself.id];
    const given = { name: 'setslot', slot: 5, action: { kind: 'node', node: to } } as const;
    for (const host of [us, other]) host.written.length = 0;
    other.ask({ name: 'setslot', slot: 5, action: { kind: 'importing', node: from } });
    us.ask({ name: 'setslot', slot: 5, action: { kind: 'migrating', node: to } });
    expect([us, other].map(({ written }) => written.length)).toEqual([1, 1]);
    other.ask(given);
    await pass(20);
    expect(us.shell.state.owners[5]?.id).toBe(to);
    us.ask(given);
    for (const host of [us, other]) {
      host.ask(given);
      host.ask({ name: 'setslot', slot: 5, action: { kind: 'stable' } });
    }
    expect([us, other].map(({ written }) => written.length)).toEqual([2, 2]);
  });

  test('a command that finds all as it is to be fails while the disk has not got it', async () => {
    us.ask(ALL);
    await introduce();
    const slot = {
      name: 'setslot',
      slot: 5,
      action: { kind: 'migrating', node: other.shell.state.myself.id },
    } as const;
    us.refuses = true;
    for (let i = 0; i < 2; i++) expect(us.ask(slot)).toMatchObject({ kind: 'error' });
    us.refuses = false;
    for (let i = 0; i < 2; i++) expect(us.ask(slot)).toEqual({ kind: 'ok' });
    expect(us.written.at(-1)?.file.nodes[0].moves).toHaveLength(1);
  });

  test('others do not hear of slots that the disk has not', async () => {
    await introduce();
    us.refuses = true;
    us.ask(ALL);
    await pass(2500);
    expect(other.shell.state.owners[0]).toBeNull();
    us.refuses = false;
    await pass(3000);
    expect(other.shell.state.owners[0]?.id).toBe('1'.repeat(40));
  });
});

test('while the disk refuses, only so many packets wait for it, the newest', async () => {
  await introduce();
  us.refuses = true;
  us.ask(ALL);
  for (let i = 0; i < MOST_HELD * 2; i++) us.shell.publish(sliceOf('channel'), sliceOf(String(i)), false);
  us.refuses = false;
  await pass(3000);
  const heard = other.changes.flatMap((change) =>
    change.kind === 'deliver' ? [Buffer.from(change.message).toString()] : [],
  );
  expect(heard.length).toBeGreaterThan(0);
  expect(heard.length).toBeLessThan(MOST_HELD);
  expect(heard.at(-1)).toBe(String(MOST_HELD * 2 - 1));
});

describe('the bus', () => {
  test('a node that is met is known on both sides, over a link each way', async () => {
    await introduce();
    expect([...us.shell.state.nodes.keys()].sort()).toEqual(['1'.repeat(40), '2'.repeat(40)]);
    expect([...other.shell.state.nodes.keys()].sort()).toEqual(['1'.repeat(40), '2'.repeat(40)]);
    expect([us.shell.connections.count, other.shell.connections.count]).toEqual([2, 2]);
  });

  test('what is published at one is delivered at the other', async () => {
    await introduce();
    us.shell.publish(sliceOf('channel'), sliceOf('message'), false);
    await pass(100);
    expect(other.changes).toContainEqual({
      kind: 'deliver',
      sharded: false,
      channel: new Uint8Array(Buffer.from('channel')),
      message: new Uint8Array(Buffer.from('message')),
    });
  });

  test('packets of a kind that is dropped are not heard', async () => {
    await introduce();
    other.shell.dropPackets(4);
    us.shell.publish(sliceOf('channel'), sliceOf('message'), false);
    await pass(100);
    expect(other.changes.filter(({ kind }) => kind === 'deliver')).toEqual([]);
  });

  test('a link that is ended is opened anew', async () => {
    await introduce();
    const before = us.shell.state.nodes.get('2'.repeat(40))!.link;
    us.shell.endLinks('2'.repeat(40), 'to');
    await pass(500);
    const { link } = us.shell.state.nodes.get('2'.repeat(40))!;
    expect([link === before, link?.open]).toEqual([false, true]);
  });

  test('of those who do not say who they are the oldest go where there are too many', async () => {
    await introduce();
    const strangers = Array.from({ length: MOST_STRANGERS + 5 }, () =>
      new MemoryNetwork(wires, '10.0.0.9').connect({ host: '10.0.0.1', port: BUS_PORT }),
    );
    for (const stranger of strangers) stranger.on('error', () => {}).resume();
    await pass(500);
    expect(us.shell.connections.count).toBe(MOST_STRANGERS + 2);
    expect(strangers.filter((stranger) => stranger.destroyed).length).toBe(5);
    // They hold a share each of a packet that they do not end.
    const most = 16 * 1024 * 1024;
    const begun = Buffer.alloc(200_000);
    begun.set(recordedPackets()[0]);
    begun.writeUInt32BE(most, HEADER.length);
    begun.writeUInt16BE(TYPES.indexOf('publish'), HEADER.type);
    for (const stranger of strangers.slice(-100)) stranger.write(begun);
    await pass(500);
    expect(us.shell.connections.bytes).toBeLessThanOrEqual(most);
    expect(us.shell.connections.bytes).toBeGreaterThan(most / 2);
    expect(us.shell.state.nodes.get('2'.repeat(40))!.inbound?.open).toBe(true);
  });

  test('who is answered is woken once a second, for all that he does', async () => {
    us.ask(ALL);
    await introduce();
    await pass(3000);
    let ticks = 0;
    const { rules } = us.shell;
    const step = rules.step.bind(rules);
    rules.step = (now, input) => {
      if (input.kind === 'tick') ticks++;
      return step(now, input);
    };
    await pass(20_000);
    expect(ticks).toBeGreaterThan(17);
    expect(ticks).toBeLessThan(25);
  });

  test('who has stopped is found out, and says nothing more', async () => {
    await introduce();
    other.shell.stop();
    us.log.length = 0;
    await pass(6000);
    expect(us.shell.state.nodes.get('2'.repeat(40))!.isWell).toBe(false);
    expect(other.ask(ALL)).toMatchObject({ kind: 'error' });
  });
});
