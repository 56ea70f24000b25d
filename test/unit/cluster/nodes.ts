/**
 * Nodes of a cluster for tests of the rules: a few machines whose packets arrive at once, whose disks write at once unless
 * they are told to wait, and whose time passes only in `pass`.
 *
 *   const nodes = new Nodes(3);          masters that share the slots and know one another
 *   nodes.at(0).down = true;             hears and says nothing
 *   nodes.pass(2000);
 */
import { SeededRandom } from '../../../src/base/random.ts';
import type { Body, Header, Packet } from '../../../src/cluster/bus/packet.ts';
import { Cluster } from '../../../src/cluster/cluster.ts';
import type { Answer, ClusterSettings, Command, EngineView, Input, Output } from '../../../src/cluster/messages.ts';
import type { NodesFile } from '../../../src/cluster/nodes-file.ts';
import { ownHeader } from '../../../src/cluster/rules/links.ts';
import { newNode } from '../../../src/cluster/rules/saved.ts';
import { SLOTS } from '../../../src/cluster/slots.ts';
import { Connection, type Node, verify } from '../../../src/cluster/state.ts';

export const NODE_TIMEOUT = 1000;
const TICK = 100;

export class Nodes {
  now = 1_000_000;
  readonly all: Machine[] = [];
  private ids = 0;

  /** So many masters, each with so many replicas; the masters first. */
  constructor(masters: number, replicas = 0) {
    for (let i = 0; i < masters * (1 + replicas); i++) this.add();
    for (let i = 0; i < masters; i++) {
      const start = Math.floor((SLOTS * i) / masters);
      const end = Math.floor((SLOTS * (i + 1)) / masters) - 1;
      this.at(i).call({ name: 'addslots', ranges: [{ start, end }] });
      this.at(i).call({ name: 'set-config-epoch', epoch: i + 1 });
    }
    for (const { ip } of this.all.slice(1)) this.at(0).meet(ip);
    this.pass(3000);
    for (const machine of this.all.slice(masters))
      machine.call({ name: 'replicate', node: this.at(machine.number % masters).id });
    this.pass(5000);
    this.clear();
  }

  at(number: number): Machine {
    return this.all[number];
  }

  /** A node that knows nobody. */
  add(): Machine {
    const machine = new Machine(this, this.all.length, newNode(this.newId()));
    this.all.push(machine);
    machine.step({ kind: 'tick' });
    return machine;
  }

  /** IDs in the order of the machines: the first is the smallest. */
  newId(): string {
    return (++this.ids).toString(16).padStart(8, '0').repeat(5);
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK) {
      this.now += TICK;
      for (const machine of this.all) machine.step({ kind: 'tick' });
    }
    for (const { cluster } of this.all) verify(cluster.state);
  }

  /** Forgets what was put out so far. */
  clear(): void {
    for (const machine of this.all) machine.outputs.length = 0;
  }
}

export class Machine implements EngineView {
  ip: string;
  readonly number: number;
  cluster!: Cluster;
  readonly settings: { -readonly [Name in keyof ClusterSettings]: ClusterSettings[Name] };
  down = false;
  /** Machines that it can't reach. */
  readonly cut = new Set<Machine>();
  /** Writes wait for `sync`. */
  slow = false;
  readonly outputs: Output[] = [];
  offset = 0;
  age = 0;
  streaming = true;
  readonly keys = new Map<number, number>();
  private readonly nodes: Nodes;
  private saved: NodesFile;
  /** The last of what was saved that a loss of power leaves. */
  private synced: NodesFile;
  private readonly ends = new Map<Connection, { readonly peer: Machine; readonly end: Connection }>();
  private waiting: (Output & { readonly kind: 'persist' })[] = [];
  private held: (Output & { readonly kind: 'send' })[] = [];
  private durable = 0;

  constructor(nodes: Nodes, number: number, file: NodesFile) {
    this.nodes = nodes;
    this.number = number;
    this.ip = `10.0.0.${number}`;
    this.saved = file;
    this.synced = file;
    this.settings = {
      ...{ nodeTimeout: NODE_TIMEOUT, replicaValidityFactor: 10, replPingPeriod: 1000, migrationBarrier: 1 },
      ...{ allowReplicaMigration: true, requireFullCoverage: true, replicaNoFailover: false },
      ...{ announceIp: '', port: 6379, plainPort: 0, busPort: 16379, hostname: '' },
    };
    this.start();
  }

  get id(): string {
    return this.cluster.state.myself.id;
  }

  /** How it sees another. */
  sees(other: Machine): Node {
    return this.cluster.state.nodes.get(other.id)!;
  }

  /** Begins anew with what was saved. */
  start(): void {
    this.ends.clear();
    this.durable = 0;
    this.waiting = [];
    this.held = [];
    const world = { random: new SeededRandom(this.number), newId: () => this.nodes.newId() };
    this.cluster = new Cluster(this.saved, { ...world, settings: this.settings, engine: this }, this.nodes.now);
    this.down = false;
  }

  stop(): void {
    this.down = true;
    for (const [connection, { peer, end }] of [...this.ends]) {
      this.ends.delete(connection);
      peer.lose(end);
    }
  }

  /** Begins anew with what was synced. */
  losePower(): void {
    this.stop();
    this.saved = this.synced;
    this.start();
  }

  meet(ip: string): Answer {
    return this.call({ name: 'meet', ip, port: '6379', busPort: null });
  }

  call(command: Command): Answer {
    const outputs = this.step({ kind: 'command', asker: this, command });
    for (const output of outputs) if (output.kind === 'answer') return output.answer;
    throw new Error('a command without an answer');
  }

  /** The text of a command's error; '' where there is none. */
  error(command: Command): string {
    const answer = this.call(command);
    return answer.kind === 'error' ? answer.text : '';
  }

  step(input: Input): readonly Output[] {
    if (this.down) return [];
    const outputs = this.cluster.step(this.nodes.now, input);
    this.outputs.push(...outputs);
    for (const output of outputs) this.perform(output);
    return outputs;
  }

  /** What the log was told, below debug. */
  log(): string[] {
    return this.outputs.flatMap((output) => (output.kind === 'log' && output.level !== 'debug' ? [output.text] : []));
  }

  /** What the engine was told. */
  told<Kind extends Output['kind']>(kind: Kind): (Output & { readonly kind: Kind })[] {
    return this.outputs.filter((output): output is Output & { readonly kind: Kind } => output.kind === kind);
  }

  /** Packets of a type that it has put out. */
  packets(type: Packet['body']['type']): (Output & { readonly kind: 'send' })[] {
    return this.told('send').filter(({ packet }) => packet.body.type === type);
  }

  /** All that waits is durable. */
  sync(): void {
    const [written, free] = [this.waiting, this.held];
    this.waiting = [];
    this.held = [];
    for (const { version, file, need } of written) {
      this.saved = file;
      if (need === 'synced') this.synced = file;
      this.durable = version;
      this.step({ kind: 'persisted', version });
    }
    for (const output of free) this.perform(output);
  }

  private perform(output: Output): void {
    if (output.kind === 'persist') {
      this.waiting.push(output);
      if (!this.slow) this.sync();
    } else if (output.kind === 'send') {
      if (output.after > this.durable) this.held.push(output);
      else this.deliver(output);
    } else if (output.kind === 'connect') this.connect(output.connection);
    else if (output.kind === 'resolve') {
      const ips = this.nodes.all.filter(({ settings }) => settings.hostname === output.host).map(({ ip }) => ip);
      this.step({ kind: 'resolved', host: output.host, ips });
    } else if (output.kind === 'disconnect') {
      const there = this.ends.get(output.connection);
      this.ends.delete(output.connection);
      there?.peer.lose(there.end);
    }
  }

  private connect(connection: Connection): void {
    const peer = this.nodes.all.find(({ ip }) => ip === connection.ip);
    if (peer === undefined || peer.down) {
      this.step({ kind: 'lost', connection, reason: 'Connection refused' });
      return;
    }
    // Where the way is cut, nobody ever answers.
    if (this.cut.has(peer)) return;
    const end = Connection.from(this.ip, peer.ip, this.nodes.now);
    connection.localIp = this.ip;
    this.ends.set(connection, { peer, end });
    peer.ends.set(end, { peer: this, end: connection });
    peer.step({ kind: 'accepted', connection: end });
    this.step({ kind: 'connected', connection });
  }

  private deliver({ connection, packet }: Output & { readonly kind: 'send' }): void {
    const there = this.ends.get(connection);
    if (there !== undefined && !this.cut.has(there.peer)) there.peer.hear(there.end, packet);
  }

  hear(connection: Connection, packet: Packet): void {
    this.step({ kind: 'packet', connection, packet });
  }

  private lose(connection: Connection): void {
    if (!this.ends.delete(connection)) return;
    this.step({ kind: 'lost', connection, reason: 'Connection reset by peer' });
  }

  replicationOffset(): number {
    return this.offset;
  }

  isStreaming(): boolean {
    return this.streaming;
  }

  dataAge(): number {
    return this.age;
  }

  keysIn(slot: number): number {
    return this.keys.get(slot) ?? 0;
  }

  isEmpty(): boolean {
    return this.keys.size === 0;
  }
}

/** Cuts all ways between some machines and the others. */
export function split(nodes: Nodes, part: readonly Machine[]): void {
  for (const machine of nodes.all) {
    machine.cut.clear();
    for (const other of nodes.all) if (part.includes(machine) !== part.includes(other)) machine.cut.add(other);
  }
}

/** What a node says in a header just now. */
export function headerOf(machine: Machine, change: Partial<Header> = {}): Header {
  const { cluster, settings } = machine;
  const turn = { state: cluster.state, settings, world: { engine: machine } } as unknown as Parameters<
    typeof ownHeader
  >[0];
  return { ...ownHeader(turn), ...change };
}

/** Lets `to` hear a packet over a connection of its own. */
export function tell(to: Machine, from: string, header: Header, body: Body): void {
  const connection = Connection.from(from, to.ip, 1);
  to.step({ kind: 'accepted', connection });
  to.hear(connection, { header, body } as Packet);
}

export const NO_NEWS = { gossips: [], hostname: '', unknownExtensions: [] } as const;
