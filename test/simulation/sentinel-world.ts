/**
 * The rules of Sentinel alone: 3 to 5 sentinels, a master and two replicas in a network that comes apart, with processes
 * that are killed and stand still, clocks that jump, and disks that are slow or full, all from one seed. In some seeds the
 * hosts are known by names, and move to other addresses; in some an administrator has failovers made (SENTINEL FAILOVER),
 * or has what is known forgotten (SENTINEL RESET). It must hold that
 *
 *   - in one epoch one Sentinel at most is elected, and promotes one replica;
 *   - who has voted in an epoch never tells of another vote in it, whatever restarts lie between;
 *   - no replica is promoted that the rules exclude;
 *   - one config epoch stands for one master, whoever tells of it;
 *   - once all is healed, everybody comes to the same configuration, and the servers are as it says.
 *
 * An administrator's failover asks nobody, so that its epoch may be another's as well: only the last and the third hold then.
 * Sentinels that have forgotten each other while apart are led together by their administrator.
 *
 * `course` answers what was broken, '' for nothing. That it would find something is shown by a bug that can be planted: a
 * Sentinel that tells its vote before it is on the disk (`--bug`; seed 28 is the first to find it).
 */
import { SeededRandom } from '../../src/base/random.ts';
import { type Configuration, defaultSettings, unconfigured } from '../../src/sentinel/configuration.ts';
import { parseHello } from '../../src/sentinel/hello.ts';
import type { Answer, Output, Request } from '../../src/sentinel/messages.ts';
import type { Master, Replica } from '../../src/sentinel/state.ts';
import type { Host } from './network.ts';
import {
  Broken,
  type Course,
  type CourseOptions,
  MOST_FAULTS,
  type Pauses,
  played,
  RulesWorld,
  same,
} from './rules-world.ts';
import { SentinelProcess, type Surroundings } from './sentinel-process.ts';
import type { Respondent } from './sentinel-respondent.ts';
import { PORT, Server } from './sentinel-server.ts';

const MASTER = 'm';
const SERVERS = 3;
const DOWN_AFTER = 1000;
const FAILOVER_TIMEOUT = 4000;
const PERIODS = {
  'info-period': 2000,
  'ping-period': 500,
  'ask-period': 500,
  'publish-period': 1000,
  'tilt-period': 2000,
  'slave-reconf-timeout': 2000,
  'min-link-reconnect-period': 1500,
  'election-timeout': 2000,
};
/** Milliseconds within which everybody has to agree when the trouble is over. */
const PATIENCE = 90_000;
const PAUSES: Pauses = { usual: 500, long: 3000 };
/** Milliseconds that a clock jumps at most. */
const JUMP = 10_000;
/** Milliseconds after which, at most, a name stands for the new address of a host that has moved. */
const NAME_DELAY = 2000;

/** What a world has beside plain trouble. */
interface Kind {
  /** Hosts are known by names. */
  readonly named: boolean;
  /** Sentinels tell names, and not addresses. */
  readonly tellsNames: boolean;
  readonly failovers: boolean;
  readonly resets: boolean;
}

function masterOf(process: SentinelProcess): Master {
  return process.sentinel.state.masters.get(MASTER)!;
}

function drawKind(random: SeededRandom): Kind {
  const oneOf = (n: number): boolean => random.below(n) === 0;
  return { named: oneOf(3), tellsNames: oneOf(2), failovers: oneOf(4), resets: oneOf(4) };
}

export function course(seed: number, { faults = MOST_FAULTS, ...options }: CourseOptions = {}): Course {
  const world = new SentinelWorld(seed, options);
  return played(world, () => {
    world.trouble(faults);
    world.heal();
    world.agree();
  });
}

class SentinelWorld extends RulesWorld implements Surroundings {
  readonly periods = PERIODS;
  private readonly servers: Server[] = [];
  private readonly sentinels: SentinelProcess[] = [];
  private readonly hosts: Respondent[] = [];
  private readonly kind: Kind;
  /** By name: what it stands for; and by address: whose it is or was, for no address is ever another's. */
  private readonly names = new Map<string, string>();
  private readonly owners = new Map<string, Respondent>();
  /** By epoch: who was elected, and whom he promoted. */
  private readonly leaders = new Map<number, string>();
  private readonly promotions = new Map<number, string>();
  /** By voter and epoch: for whom. */
  private readonly votes = new Map<string, string>();
  /** By config epoch: where the master is. */
  private readonly configurations = new Map<number, string>();
  /** By Sentinel and server: when a reply to PING and to INFO last came. */
  private readonly contacts = new Map<string, { ping: number; info: number }>();

  constructor(seed: number, options: CourseOptions) {
    super(seed, options);
    this.kind = drawKind(this.random);
    const { named, resets } = this.kind;
    const name = (i: number): string => (named ? `host${i}` : `10.0.0.${i}`);
    for (let i = 0; i < SERVERS; i++)
      this.add(this.servers, new Server(this.network, name(i), i, i === 0 ? null : name(0)));
    const sentinels = 3 + this.random.below(3);
    // Who has forgotten the others would be elected by himself where the quorum is no majority.
    const quorum = Math.floor(sentinels / 2) + 1 - (resets ? 0 : this.random.below(2));
    for (let i = 0; i < sentinels; i++) {
      const random = new SeededRandom(this.random.bits32(), i);
      const number = SERVERS + i;
      const saved = configuration(number, quorum, name, this.kind);
      this.add(this.sentinels, new SentinelProcess(this, name(number), number, random, saved));
    }
    for (const sentinel of this.sentinels) sentinel.start();
    this.replicate();
  }

  private add<T extends Respondent>(list: T[], host: T): void {
    list.push(host);
    this.hosts.push(host);
    this.settle(host, `10.0.0.${host.number}`);
    this.names.set(host.name, host.ip);
  }

  private settle(host: Respondent, ip: string): void {
    host.ip = ip;
    this.owners.set(ip, host);
  }

  protected get all(): readonly Host[] {
    return this.hosts;
  }

  protected get writers(): readonly SentinelProcess[] {
    return this.sentinels;
  }

  host(ip: string): Respondent | undefined {
    const host = this.owners.get(ip);
    if (host === undefined) throw new Broken(`somebody looks for ${ip}`);
    return host.ip === ip ? host : undefined;
  }

  lookUp(name: string): readonly string[] {
    const ip = this.names.get(name);
    return ip === undefined || (this.troubled && this.random.below(10) === 0) ? [] : [ip];
  }

  /** Whom somebody means who says a name or an address, if anybody is there. */
  private meant(text: string | null): Respondent | undefined {
    return text === null ? undefined : this.host(this.names.get(text) ?? text);
  }

  /** The name of the host whose an address is or was; what is a name already stays so. */
  private nameOf(text: string): string {
    return this.owners.get(text)?.name ?? text;
  }

  private replicate(): void {
    const masters = this.servers.map((server) => this.servers.find((each) => each === this.meant(server.master)));
    for (const [i, server] of this.servers.entries()) server.replicate(masters[i]);
    for (const server of this.servers)
      server.replicas = this.servers.filter((_, i) => masters[i] === server).map((other) => other.name);
    this.timeline.after(100, () => this.replicate());
  }

  // What goes wrong.

  trouble(faults: number): void {
    this.beginTrouble();
    // The sentinels get to know one another.
    this.timeline.run(3000);
    this.letGoWrong(faults, PAUSES);
  }

  protected goWrong(): void {
    const { random } = this;
    const server = this.servers[random.below(this.servers.length)];
    const sentinel = this.sentinels[random.below(this.sentinels.length)];
    const master = this.servers.find((each) => each.master === null) ?? server;
    const either = random.below(2) === 0 ? server : sentinel;
    const wrongs = [
      () => this.split(this.randomPart()),
      () => this.split([either]),
      () => this.split([]),
      () => this.stop(server),
      () => this.stop(master),
      () => this.stop(sentinel),
      () => this.crash(sentinel),
      () => this.freeze(either),
      () => this.jump(sentinel),
      () => this.changeDisk(sentinel),
      () => this.changePriority(server),
    ];
    const { named, failovers, resets } = this.kind;
    if (named)
      wrongs.push(
        () => this.move([either]),
        () => this.move([master]),
        () => this.move(this.servers),
      );
    if (failovers) wrongs.push(() => this.administer(sentinel, 'failover'));
    if (resets) wrongs.push(() => this.administer(sentinel, 'reset'));
    wrongs[random.below(wrongs.length)]();
  }

  private jump(sentinel: SentinelProcess): void {
    this.note(`the clock of ${sentinel.name} jumps`);
    sentinel.jump(this.random.below(JUMP));
  }

  /** Hosts start anew elsewhere, and their names follow them soon. */
  private move(hosts: readonly Respondent[]): void {
    for (const host of hosts) {
      if (host.up) host.kill();
      const [, , moves] = host.ip.split('.');
      this.settle(host, `10.0.${Number(moves) + 1}.${host.number}`);
      this.note(`${host.name} moves to ${host.ip}`);
      host.start();
      const { ip } = host;
      this.timeline.after(this.random.below(NAME_DELAY), () => {
        if (host.ip === ip) this.names.set(host.name, ip);
      });
    }
  }

  private administer(sentinel: SentinelProcess, name: 'failover' | 'reset'): void {
    this.note(`${sentinel.name} is told to ${name}`);
    if (name === 'failover') sentinel.administer({ name, master: MASTER });
    else sentinel.administer({ name, matches: () => true });
  }

  private changePriority(server: Server): void {
    server.priority = this.random.below(3) === 0 ? 0 : 10 * (1 + this.random.below(10));
    this.note(`${server.name} has priority ${server.priority}`);
  }

  heal(): void {
    this.endTrouble();
    for (const host of this.all) if (!host.up) host.start();
    for (const server of this.servers) if (server.priority === 0) server.priority = 100;
    for (const sentinel of this.sentinels) {
      sentinel.diskDelay = 3;
      sentinel.diskFails = false;
    }
  }

  // What must hold.

  agree(): void {
    if (this.kind.resets) this.timeline.after(PATIENCE / 3, () => this.regroup());
    this.await('all agree', PATIENCE, () => this.disagreement());
  }

  /**
   * Sentinels that were told to forget each other while they could not meet are groups, each with a master: who
   * administers them gives the smaller ones the master of the largest.
   */
  private regroup(): void {
    const groups: SentinelProcess[][] = [];
    for (const sentinel of this.sentinels) {
      const near = groups.filter((group) => group.some((other) => this.hasMet(sentinel, other)));
      for (const group of near) groups.splice(groups.indexOf(group), 1);
      groups.push([sentinel, ...near.flat()]);
    }
    const [largest, ...others] = groups.sort((a, b) => b.length - a.length);
    const { address, settings } = masterOf(largest[0]);
    for (const sentinel of others.flat()) {
      this.note(`${sentinel.name} is told to monitor ${address.host}`);
      sentinel.administer({ name: 'remove', master: MASTER });
      sentinel.administer({ name: 'monitor', master: MASTER, ...address, quorum: settings.quorum });
    }
  }

  private hasMet(a: SentinelProcess, b: SentinelProcess): boolean {
    return masterOf(a).sentinels.has(b.sentinel.state.myid) || masterOf(b).sentinels.has(a.sentinel.state.myid);
  }

  /** Whom no Sentinel knows any more, after a RESET, its administrator has to lead back. */
  private leadBack(): void {
    const known = new Set<string>();
    const masters = this.sentinels.map(masterOf);
    for (const master of masters)
      for (const { address } of [master, ...master.replicas.values()]) known.add(this.nameOf(address.ip));
    const master = this.nameOf(masters[0].address.ip);
    for (const server of this.servers) if (master !== '' && !known.has(server.name)) server.follow(master);
  }

  /** What is not yet as it must be; '' where all is. */
  private disagreement(): string {
    if (this.kind.resets) this.leadBack();
    const masters = this.servers.filter((server) => server.master === null);
    if (masters.length !== 1) return `${masters.length} masters`;
    const [{ name, ip }] = masters;
    for (const server of this.servers)
      if (server.master !== null && this.meant(server.master) !== masters[0])
        return `${server.name} replicates from ${server.master}`;
    const epochs = new Set<number>();
    for (const sentinel of this.sentinels) {
      const master = masterOf(sentinel);
      if (master.address.ip !== ip) return `${sentinel.name} takes ${master.address.ip} for the master, not ${name}`;
      if (master.failover !== null || master.downSince !== 0) return `${sentinel.name} is not content with it`;
      const replicas = [...master.replicas.values()].filter((replica) => replica.downSince === 0);
      if (replicas.length !== SERVERS - 1) return `${sentinel.name} knows ${replicas.length} replicas`;
      if (master.sentinels.size !== this.sentinels.length - 1) return `${sentinel.name} does not know all sentinels`;
      epochs.add(master.configEpoch);
    }
    return epochs.size === 1 ? '' : 'several config epochs';
  }

  observe(process: SentinelProcess, output: Output): void {
    if (output.kind === 'send' && output.request.purpose === 'hello') this.greeted(process, output.request);
    if (output.kind !== 'event') return;
    this.note(`${process.name} ${output.type} ${output.text}`);
    const master = masterOf(process);
    if (output.type === '+vote-for-leader') this.crashPerhaps(process);
    if (output.type === '+elected-leader') {
      this.elected(process, master);
      this.crashPerhaps(process);
    }
    if (output.type === '+selected-slave') this.selected(process, master);
    if (output.type === '+failover-end') this.failovers++;
  }

  private elected({ name }: SentinelProcess, { failover, leader, leaderEpoch }: Master): void {
    const { epoch, forced } = failover!;
    if (forced) return;
    same(this.leaders, epoch, name, `leaders in epoch ${epoch}`);
    if (leaderEpoch === epoch) same(this.votes, `${name} ${epoch}`, leader, `votes of ${name} in epoch ${epoch}`);
  }

  private selected(process: SentinelProcess, { failover }: Master): void {
    const { epoch, promoted, forced } = failover!;
    if (!forced) same(this.promotions, epoch, promoted!.name, `promotions in epoch ${epoch}`);
    const why = this.exclusion(process, promoted!);
    if (why !== '') throw new Broken(`${process.name} promotes ${promoted!.name}, ${why}`);
  }

  /** Why a replica must not be promoted, by what the network has seen; '' where it may be. */
  private exclusion(process: SentinelProcess, replica: Replica): string {
    const seen = this.contacts.get(`${process.name} ${this.nameOf(replica.address.ip)}`);
    const { now } = this.timeline;
    if (replica.priority === 0) return 'which has priority 0';
    if (seen === undefined || now - seen.ping > PERIODS['ping-period'] * 5) return 'which does not answer';
    const { downSince } = replica.master;
    const fresh = downSince === 0 ? PERIODS['info-period'] * 3 : PERIODS['ping-period'] * 5;
    if (now - seen.info > fresh) return 'of which not enough is known';
    const down = downSince === 0 ? 0 : process.sentinel.state.lastTick - downSince;
    if (replica.masterLinkDownTime > down + DOWN_AFTER * 10 + 1000) return 'whose data are old';
    return '';
  }

  heard(process: SentinelProcess, { purpose, instance }: Request): void {
    if (purpose !== 'ping' && purpose !== 'info') return;
    const key = `${process.name} ${this.nameOf(instance.address.ip)}`;
    let seen = this.contacts.get(key);
    if (seen === undefined) this.contacts.set(key, (seen = { ping: 0, info: 0 }));
    seen[purpose] = this.timeline.now;
  }

  told(process: SentinelProcess, answer: Answer): void {
    const { name } = process;
    if (answer.kind !== 'vote' || answer.leader === '*') return;
    this.note(`${name} tells its vote for ${answer.leader.slice(0, 2)} in epoch ${answer.epoch}`);
    same(this.votes, `${name} ${answer.epoch}`, answer.leader, `votes of ${name} in epoch ${answer.epoch}`);
    this.votesTold++;
    this.crashPerhaps(process);
  }

  private greeted({ name }: SentinelProcess, { commands }: Request): void {
    const hello = parseHello(commands[0][2]);
    if (hello === undefined) throw new Broken(`${name} says ${commands[0][2]}`);
    const { configEpoch, masterHost } = hello;
    if (hello.masterPort !== PORT) throw new Broken(`${name} tells of port ${hello.masterPort}`);
    const master = this.nameOf(masterHost);
    if (!this.kind.failovers)
      same(this.configurations, configEpoch, master, `masters with config epoch ${configEpoch}`);
  }
}

function configuration(
  number: number,
  quorum: number,
  name: (number: number) => string,
  { named, tellsNames }: Kind,
): Configuration {
  const settings = defaultSettings(quorum, DOWN_AFTER, FAILOVER_TIMEOUT);
  return {
    ...unconfigured(number.toString(16).padStart(2, '0').repeat(20)),
    ...(named && { resolveHostnames: true, announceHostnames: tellsNames, announceIp: name(number) }),
    masters: [
      {
        name: MASTER,
        host: name(0),
        port: PORT,
        settings,
        configEpoch: 0,
        leaderEpoch: 0,
        replicas: [],
        sentinels: [],
      },
    ],
  };
}
