/**
 * The rules of Sentinel alone: 3 to 5 sentinels, a master and two replicas in a network that comes apart, with processes
 * that are killed and stand still, clocks that jump, and disks that are slow or full, all from one seed. It must hold that
 *
 *   - in one epoch one Sentinel at most is elected, and promotes one replica;
 *   - who has voted in an epoch never tells of another vote in it, whatever restarts lie between;
 *   - no replica is promoted that the rules exclude;
 *   - one config epoch stands for one master, whoever tells of it;
 *   - once all is healed, everybody comes to the same configuration, and the servers are as it says.
 *
 * `course` answers what was broken, '' for nothing. That it would find something is shown by a bug that can be planted: a
 * Sentinel that tells its vote before it is on the disk (`--bug`; seed 57 is the first to find it).
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
  private readonly hosts = new Map<string, Respondent>();
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
    for (let i = 0; i < SERVERS; i++)
      this.add(this.servers, new Server(this.network, `10.0.0.${i}`, i, i === 0 ? null : '10.0.0.0'));
    const sentinels = 3 + this.random.below(3);
    const quorum = Math.floor(sentinels / 2) + 1 - this.random.below(2);
    for (let i = 0; i < sentinels; i++) {
      const random = new SeededRandom(this.random.bits32(), i);
      const number = SERVERS + i;
      this.add(this.sentinels, new SentinelProcess(this, number, random, configuration(number, quorum)));
    }
    for (const sentinel of this.sentinels) sentinel.start();
    this.replicate();
  }

  private add<T extends Respondent>(list: T[], host: T): void {
    list.push(host);
    this.hosts.set(host.name, host);
  }

  protected get all(): readonly Host[] {
    return [...this.hosts.values()];
  }

  protected get writers(): readonly SentinelProcess[] {
    return this.sentinels;
  }

  host(name: string): Respondent {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Broken(`somebody looks for ${name}`);
    return host;
  }

  private replicate(): void {
    const byName = new Map(this.servers.map((server) => [server.name, server]));
    for (const server of this.servers) server.replicate(byName.get(server.master ?? ''));
    for (const server of this.servers)
      server.replicas = this.servers.filter((other) => other.master === server.name).map((other) => other.name);
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
    wrongs[random.below(wrongs.length)]();
  }

  private jump(sentinel: SentinelProcess): void {
    this.note(`the clock of ${sentinel.name} jumps`);
    sentinel.jump(this.random.below(JUMP));
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
    this.await('all agree', PATIENCE, () => this.disagreement());
  }

  /** What is not yet as it must be; '' where all is. */
  private disagreement(): string {
    const masters = this.servers.filter((server) => server.master === null);
    if (masters.length !== 1) return `${masters.length} masters`;
    const [{ name }] = masters;
    for (const server of this.servers)
      if (server.master !== null && server.master !== name) return `${server.name} replicates from ${server.master}`;
    const epochs = new Set<number>();
    for (const sentinel of this.sentinels) {
      const master = sentinel.sentinel.state.masters.get(MASTER)!;
      if (master.address.ip !== name) return `${sentinel.name} takes ${master.address.ip} for the master`;
      if (master.failover !== null || master.downSince !== 0) return `${sentinel.name} is not content with it`;
      if (master.replicas.size !== SERVERS - 1) return `${sentinel.name} knows ${master.replicas.size} replicas`;
      if (master.sentinels.size !== this.sentinels.length - 1) return `${sentinel.name} does not know all sentinels`;
      epochs.add(master.configEpoch);
    }
    return epochs.size === 1 ? '' : 'several config epochs';
  }

  observe(process: SentinelProcess, output: Output): void {
    if (output.kind === 'send' && output.request.purpose === 'hello') this.greeted(process, output.request);
    if (output.kind !== 'event') return;
    this.note(`${process.name} ${output.type} ${output.text}`);
    const master = process.sentinel.state.masters.get(MASTER)!;
    if (output.type === '+vote-for-leader') this.crashPerhaps(process);
    if (output.type === '+elected-leader') {
      this.elected(process, master);
      this.crashPerhaps(process);
    }
    if (output.type === '+selected-slave') this.selected(process, master);
    if (output.type === '+failover-end') this.failovers++;
  }

  private elected({ name }: SentinelProcess, { failover, leader, leaderEpoch }: Master): void {
    const { epoch } = failover!;
    same(this.leaders, epoch, name, `leaders in epoch ${epoch}`);
    if (leaderEpoch === epoch) same(this.votes, `${name} ${epoch}`, leader, `votes of ${name} in epoch ${epoch}`);
  }

  private selected(process: SentinelProcess, { failover }: Master): void {
    const { epoch, promoted } = failover!;
    same(this.promotions, epoch, promoted!.name, `promotions in epoch ${epoch}`);
    const why = this.exclusion(process, promoted!);
    if (why !== '') throw new Broken(`${process.name} promotes ${promoted!.name}, ${why}`);
  }

  /** Why a replica must not be promoted, by what the network has seen; '' where it may be. */
  private exclusion(process: SentinelProcess, replica: Replica): string {
    const seen = this.contacts.get(`${process.name} ${replica.address.ip}`);
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
    const key = `${process.name} ${instance.address.ip}`;
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
    same(this.configurations, configEpoch, masterHost, `masters with config epoch ${configEpoch}`);
  }
}

function configuration(number: number, quorum: number): Configuration {
  const settings = defaultSettings(quorum, DOWN_AFTER, FAILOVER_TIMEOUT);
  return {
    ...unconfigured(number.toString(16).padStart(2, '0').repeat(20)),
    masters: [
      {
        name: MASTER,
        host: '10.0.0.0',
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
