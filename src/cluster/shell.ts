/**
 * Around the rules of the cluster: time, the bus, names, nodes.conf and commands come in as inputs, and what the rules put out
 * is done, in its order.
 *
 *   timer, bus, look-ups, commands, publishers ──> input() ──> rules.step ──> outputs: bus, engine, answers, log
 *                                                                        └──> nodes.conf, the newest version only
 *
 * Nothing that promises what is known leaves before that is in nodes.conf: an answer or a packet waits for the version that
 * it names. Versions that commands bring about are written at once, so that their answers can be given at once; those that
 * packets wait for when the event loop has looked at all that has arrived; the others with the next tick. Where the disk
 * refuses, whoever administers gets an error, and packets wait for a later version.
 *
 * Invariant: a step is over, with all its outputs, before the next input is looked at.
 */
import { BEATS_A_SECOND, type Beat } from '../base/beat.ts';
import { Inputs } from '../base/inputs.ts';
import type { Network } from '../base/network.ts';
import type { Random } from '../base/random.ts';
import type { Slice } from '../base/slice.ts';
import { systemError } from '../base/system-error.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { LinkDirection } from '../engine/cluster-port.ts';
import type { Log } from '../engine/server-port.ts';
import type { Guest } from '../links/acceptor.ts';
import type { Dialer } from '../links/link.ts';
import { TYPES } from './bus/layout.ts';
import type { Packet, PacketType } from './bus/packet.ts';
import { Cluster } from './cluster.ts';
import { type BusSettings, Connections } from './connections.ts';
import type { Answer, ClusterSettings, Command, EngineChange, EngineView, Input, Output } from './messages.ts';
import { Names } from './names.ts';
import type { NodesFile } from './nodes-file.ts';
import type { ClusterState, Connection } from './state.ts';

export interface ShellParts {
  /** What nodes.conf says, or that of a new node. */
  readonly file: NodesFile;
  /** Nobody in the cluster can know better. */
  readonly isNew: boolean;
  /** As the rules see them, and as the bus does. */
  readonly settings: ClusterSettings;
  readonly busSettings: BusSettings;
  readonly clock: Clock;
  readonly beat: Beat;
  readonly random: Random;
  readonly network: Network;
  readonly dialer: Dialer;
  readonly engine: EngineView;
  readonly log: Log;
  readonly newId: () => string;
  /** Puts this in the place of nodes.conf, synced if that is asked for; throws what the system says. */
  readonly write: (file: NodesFile, sync: boolean) => void;
  /** Does this to the engine. */
  readonly change: (change: EngineChange) => void;
}

/** Somebody who waits for the answer to a command. */
type Taker = (answer: Answer) => void;

type Persist = Extract<Output, { kind: 'persist' }>;
type Held = Extract<Output, { kind: 'send' }>;

/** Of the beat, ms. */
const PERIOD = 1000 / BEATS_A_SECOND;
/** Others have us answer as often as they like, also while the disk refuses. */
const MOST_HELD = 10_000;

export class Shell {
  readonly connections: Connections;
  readonly parts: ShellParts;
  readonly rules: Cluster;
  private readonly names: Names;
  /** Packets of this type are thrown away. */
  private dropped: PacketType | undefined;
  private readonly began: number;
  private readonly inputs = new Inputs<Input>((input) => this.step(input));
  private timer: Pick<Timer, 'cancel'> | null = null;
  private stopped = false;
  /** The newest version that a step asked for and that is not written yet. */
  private unwritten: Persist | null = null;
  private writing = false;
  /** The next tick is more than a beat away. */
  private resting = false;
  private durable = 0;
  /** Why the last version that could not be written could not. */
  private refusal = '';
  /** Packets that wait for a version to be durable; never more than MOST_HELD. */
  private held: Held[] = [];

  constructor(parts: ShellParts) {
    const { clock, random, engine, settings, newId, dialer, busSettings, log } = parts;
    this.parts = parts;
    this.began = clock.now() - milliseconds(clock);
    this.rules = new Cluster(parts.file, { random, settings, engine, newId }, this.now);
    // Others need not be heard first.
    if (parts.isNew) this.rules.state.begun = 1;
    this.names = new Names(parts.network, clock, (host, ips) => this.input({ kind: 'resolved', host, ips }));
    this.connections = new Connections(dialer, this.names, busSettings, log, {
      accepted: (connection) => this.input({ kind: 'accepted', connection }),
      opened: (connection) => this.input({ kind: 'connected', connection }),
      lost: (connection, reason) => this.input({ kind: 'lost', connection, reason }),
      packet: (connection, packet) => this.heard(connection, packet),
    });
  }

  get state(): ClusterState {
    return this.rules.state;
  }

  /** The time of the rules: milliseconds since 1970 when the process began, and since then by a clock that never goes back. */
  get now(): number {
    return this.began + milliseconds(this.parts.clock);
  }

  /** Before the data are loaded: the engine learns whom it follows, and nodes.conf holds who we are. */
  begin(): void {
    this.input({ kind: 'tick' });
    this.flush();
  }

  /** The data are there: takes part in the cluster from now on. */
  start(): void {
    this.input({ kind: 'loaded' });
    this.tick();
  }

  stop(): void {
    this.flush();
    this.stopped = true;
    this.timer?.cancel();
    this.connections.closeAll();
  }

  /** What is announced of this node may be another by now. */
  readSettings(): void {
    this.input({ kind: 'settings' });
  }

  /** Another node has connected to the bus. */
  welcome(guest: Guest): void {
    if (this.stopped || this.timer === null) guest.close();
    else this.connections.accept(guest, this.now);
  }

  /** Has the rules do it; what it promises is in nodes.conf when this returns. */
  ask(command: Command): Answer {
    let given: Answer | undefined;
    const take: Taker = (answer) => {
      given = answer;
    };
    this.input({ kind: 'command', asker: take, command });
    return given ?? { kind: 'error', text: 'ERR The server is about to end' };
  }

  /** Something was published here. */
  publish(channel: Slice, message: Slice, sharded: boolean): void {
    this.input({ kind: 'publish', sharded, channel: channel.copy(), message: message.copy() });
  }

  dropPackets(type: number): void {
    this.dropped = TYPES[type];
  }

  endLinks(id: string, direction: LinkDirection): void {
    const { link = null, inbound = null } = this.state.nodes.get(id) ?? {};
    if (link !== null && direction !== 'from') this.connections.kill(link, 'killed');
    if (inbound !== null && direction !== 'to') this.connections.kill(inbound, 'killed');
  }

  private tick(): void {
    this.connections.limit();
    this.flush();
    this.input({ kind: 'tick' });
    if (this.stopped) return;
    const beats = this.unwritten === null ? Math.ceil((this.rules.calm - this.now) / PERIOD) : 1;
    this.rest(Math.max(1, beats));
  }

  private rest(beats: number): void {
    this.resting = beats > 1;
    this.timer = this.parts.beat.waiting(() => this.tick(), beats);
  }

  /** The timer has something to do by now, or there is something for the next tick. */
  private hurry(): void {
    if (!this.resting) return;
    this.timer?.cancel();
    this.rest(1);
  }

  private heard(connection: Connection, packet: Packet): void {
    if (packet.body.type !== this.dropped) this.input({ kind: 'packet', connection, packet });
  }

  private input(input: Input): void {
    if (!this.stopped) this.inputs.put(input);
  }

  private step(input: Input): void {
    for (const output of this.rules.step(this.now, input)) this.carryOut(output);
    if (this.resting && this.rules.calm <= this.now) this.hurry();
  }

  private carryOut(output: Output): void {
    switch (output.kind) {
      case 'connect':
        this.connections.connect(output.connection);
        break;
      case 'disconnect':
        this.connections.disconnect(output.connection);
        break;
      case 'send':
        if (output.after > this.durable) this.hold(output);
        else this.send(output);
        break;
      case 'persist':
        this.persist(output);
        break;
      case 'answer':
        (output.asker as Taker)(this.certain(output));
        break;
      case 'log':
        this.parts.log[output.level](output.text);
        break;
      case 'resolve':
        this.names.ask(output.host);
        break;
      default:
        this.parts.change(output);
    }
  }

  // nodes.conf.

  /** Written in a moment, or with the next tick, together with what else comes until then. */
  private persist(version: Persist): void {
    this.unwritten = version;
    this.hurry();
    if (this.writing || version.need === 'when needed') return;
    this.writing = true;
    this.parts.clock.soon(() => this.flush());
  }

  /** The answer, once what it promises is written; an error where it can't be. */
  private certain({ answer, after }: Extract<Output, { kind: 'answer' }>): Answer {
    if (after > this.durable) this.flush();
    if (after <= this.durable) return answer;
    return { kind: 'error', text: `ERR error saving the cluster node config: ${this.refusal}` };
  }

  /** Writes the newest version, if there is one to write. */
  private flush(): void {
    this.writing = false;
    const { unwritten } = this;
    if (unwritten === null || this.stopped) return;
    this.unwritten = null;
    const { version, file, need } = unwritten;
    try {
      this.parts.write(file, need === 'synced');
    } catch (error) {
      this.refusal = systemError(error);
      this.input({ kind: 'persist-failed', version, reason: this.refusal });
      return;
    }
    this.durable = version;
    this.input({ kind: 'persisted', version });
    this.release();
  }

  private hold(packet: Held): void {
    this.held.push(packet);
    if (this.held.length < MOST_HELD) return;
    this.flush();
    // Where the disk refuses for so long, the oldest are lost as they would be with a connection.
    if (this.held.length >= MOST_HELD) this.held.splice(0, MOST_HELD / 2);
  }

  /** What is owed over a connection has a bound, which the next tick looks at. */
  private send({ connection, packet }: Held): void {
    this.connections.send(connection, packet);
    if (this.resting && this.connections.unsent(connection) > 0) this.hurry();
  }

  private release(): void {
    const { held, durable } = this;
    if (held.length === 0) return;
    this.held = held.filter(({ after }) => after > durable);
    for (const packet of held) if (packet.after <= durable) this.send(packet);
  }
}

function milliseconds(clock: Clock): number {
  return Math.floor(clock.monotonic() / 1000);
}
