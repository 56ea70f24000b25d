/**
 * Addresses of the hosts that other nodes name: in the place of an IP address, or beside it (rules/hosts.ts).
 *
 * A look-up may take long, and holds a thread that the disk needs as well, so that few are under way at once, of each name
 * one. The others wait, and where too many do are asked for anew by whoever needs them.
 */
import type { Network } from '../base/network.ts';
import type { Clock } from '../base/time.ts';

const MOST_AT_ONCE = 2;
const MOST_WAITING = 1000;
/** Names whose addresses are remembered, and for how long, in milliseconds. */
const MOST_KNOWN = 1000;
const LIFE_MS = 5000;

export class Names {
  private readonly network: Network;
  private readonly clock: Clock;
  private readonly found: (host: string, ips: readonly string[]) => void;
  /** Those that are asked for, the oldest first: of the first so many the look-up is under way. */
  private readonly asked = new Set<string>();
  private underWay = 0;
  /** The last answers, the oldest first. */
  private readonly known = new Map<string, { readonly ips: readonly string[]; readonly until: number }>();

  /** `found` is told each answer; none where the name has no address. */
  constructor(network: Network, clock: Clock, found: (host: string, ips: readonly string[]) => void) {
    this.network = network;
    this.clock = clock;
    this.found = found;
  }

  /** What was lately found; null where it is not known, and is asked for now. */
  addresses(host: string): readonly string[] | null {
    const answer = this.known.get(host);
    if (answer !== undefined && answer.until > this.clock.now()) return answer.ips;
    this.ask(host);
    return null;
  }

  ask(host: string): void {
    if (this.asked.has(host) || this.asked.size >= MOST_WAITING) return;
    this.asked.add(host);
    this.goOn();
  }

  private goOn(): void {
    if (this.underWay === MOST_AT_ONCE) return;
    const next = [...this.asked].slice(this.underWay, MOST_AT_ONCE);
    this.underWay += next.length;
    for (const host of next) void this.network.addresses(host).then((ips) => this.answered(host, ips));
  }

  private answered(host: string, ips: readonly string[]): void {
    const { known } = this;
    this.underWay--;
    this.asked.delete(host);
    known.delete(host);
    known.set(host, { ips, until: this.clock.now() + LIFE_MS });
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN) known.delete(oldest);
    this.goOn();
    this.found(host, ips);
  }
}
