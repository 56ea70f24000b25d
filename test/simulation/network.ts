/**
 * The network of the simulation: hosts, which of them can't reach one another, and the connections between them. What is
 * sent while the way is blocked arrives when it is free again, as TCP has it; a process that is killed ends its connections,
 * and one that stands still hears nothing until it goes on.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import type { Timeline } from './timeline.ts';

/** Milliseconds between the tries to get through. */
const RETRY = 120;

export abstract class Host {
  readonly name: string;
  /** Its number, for the matrix of what is blocked. */
  readonly number: number;
  up = true;
  /** It stands still. */
  frozen = false;
  /** Connections of others to it, and how they learn that it has ended. */
  private readonly callers = new Map<Cable, () => void>();

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
  }

  /** Somebody connects, who has `lost` the connection where nobody is there, or the process ends. */
  welcome(cable: Cable, lost: () => void): void {
    if (this.up) this.callers.set(cable, lost);
    else cable.end(lost);
  }

  abstract start(): void;

  kill(): void {
    this.up = false;
    for (const [cable, lost] of this.callers) cable.end(lost);
    this.callers.clear();
  }
}

export class Network {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  /** For each host the bits of those that it can't reach. */
  private readonly blocked: number[] = [];

  constructor(timeline: Timeline, random: SeededRandom) {
    this.timeline = timeline;
    this.random = random;
  }

  isFree(a: Host, b: Host): boolean {
    return !a.frozen && !b.frozen && ((this.blocked[a.number] ?? 0) & (1 << b.number)) === 0;
  }

  /** Cuts all ways between the hosts of `part` and the others, and only those. */
  split(hosts: readonly Host[], part: ReadonlySet<Host>): void {
    for (const host of hosts) {
      let bits = 0;
      for (const other of hosts) if (part.has(host) !== part.has(other)) bits |= 1 << other.number;
      this.blocked[host.number] = bits;
    }
  }

  latency(): number {
    return 0.2 + this.random.double01() * (this.random.below(40) === 0 ? 60 : 2);
  }
}

/** One direction of a connection. */
class Lane {
  private readonly network: Network;
  private readonly from: Host;
  private readonly to: Host;
  private queue: (() => void)[] = [];
  private last = 0;
  closed = false;

  constructor(network: Network, from: Host, to: Host) {
    this.network = network;
    this.from = from;
    this.to = to;
  }

  /** Arrives in the order in which it was sent. */
  send(deliver: () => void): void {
    const { timeline } = this.network;
    const at = Math.max(timeline.now + this.network.latency(), this.last);
    this.last = at;
    this.queue.push(deliver);
    timeline.after(at - timeline.now, () => this.arrive());
  }

  private arrive(): void {
    if (this.closed) return;
    if (!this.network.isFree(this.from, this.to)) {
      this.network.timeline.after(RETRY, () => this.arrive());
      return;
    }
    this.queue.shift()?.();
  }
}

/** A connection that `caller` has made to `callee`. */
export class Cable<Peer extends Host = Host> {
  readonly caller: Peer;
  readonly callee: Peer;
  private readonly there: Lane;
  private readonly back: Lane;

  constructor(network: Network, caller: Peer, callee: Peer) {
    this.caller = caller;
    this.callee = callee;
    this.there = new Lane(network, caller, callee);
    this.back = new Lane(network, callee, caller);
  }

  toCallee(deliver: () => void): void {
    this.there.send(deliver);
  }

  toCaller(deliver: () => void): void {
    this.back.send(deliver);
  }

  /** Nothing is on its way any more. */
  close(): void {
    this.there.closed = true;
    this.back.closed = true;
  }

  /** The callee has ended: `tell` the caller, as soon as it can be told. */
  end(tell: () => void): void {
    this.there.closed = true;
    this.back.send(tell);
  }
}
