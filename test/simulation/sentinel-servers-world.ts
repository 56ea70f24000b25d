/**
 * Whole servers and whole Sentinels: three of ours each over a virtual clock, with their files on disks in memory and all
 * that they say over a network in memory, which comes apart; machines that are killed, lose their power and stand still,
 * wall clocks that jump, and disks that are slow or full, all from one seed. It must hold that
 *
 *   - in one epoch one Sentinel at most is elected, and promotes one replica;
 *   - who has told of a vote in an epoch never tells of another in it, whatever restarts lie between;
 *   - one config epoch stands for one master;
 *   - once all is healed, all Sentinels come to one master, whom all others follow, and all have the same data;
 *   - among them is each write that all servers had, and each that the master has acknowledged since it last became one.
 *
 * `course` answers what was broken, '' for nothing. That it would find something is shown by a bug that can be planted: a
 * Sentinel that tells its vote before it is on the disk (`--bug`; seed 44 is the first to find it).
 */
import { SystemError } from '../../src/base/system-error.ts';
import type { Configuration } from '../../src/sentinel/configuration.ts';
import { currentAddress } from '../../src/sentinel/fields.ts';
import { shellOf } from '../../src/sentinel/owners.ts';
import { verifyState } from '../../src/sentinel/rules/verify.ts';
import type { ShellParts } from '../../src/sentinel/shell.ts';
import type { Master } from '../../src/sentinel/state.ts';
import { Broken, type Course, type CourseOptions, same } from './rules-world.ts';
import { sentinelOf, serverOf } from './sentinel-machines.ts';
import { ServersWorld } from './servers-world.ts';
import type { Client } from './world.ts';

const MASTER = 'm';
const SERVERS = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
const SENTINELS = ['10.0.0.4', '10.0.0.5', '10.0.0.6'];
const ALL = [...SERVERS, ...SENTINELS];
/** From where the servers are written to, over ways that are never cut. */
const WRITER = 'writer';
const PORT = 6379;
const DOWN_AFTER = 1000;
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
/** Things that go wrong, and the milliseconds between two of them at most: as a rule, and in one case of four. */
export const MOST_FAULTS = 24;
const [USUAL_PAUSE, LONG_PAUSE] = [600, 4000];
/** Milliseconds within which everybody has to agree when the trouble is over. */
const PATIENCE = 120_000;
const WRITE_PERIOD = 200;
/** Milliseconds after which a planted bug writes. */
const LATE_WRITE = 100;
/** Milliseconds that something takes from host to host, least and most. */
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 1],
  [1, 30],
  [20, 200],
];
const MOST_STANDSTILL = 5000;

/** A write that a server has acknowledged, and in which of its terms as a master or replica. */
interface Write {
  readonly key: string;
  readonly server: string;
  readonly term: number;
}

class SentinelServersWorld extends ServersWorld {
  failovers = 0;
  votes = 0;
  private readonly options: CourseOptions;
  private troubled = true;
  /** By epoch: who was elected, and whom he promoted. */
  private readonly leaders = new Map<number, string>();
  private readonly promotions = new Map<number, string>();
  /** By voter and epoch: for whom. */
  private readonly votesTold = new Map<string, string>();
  /** By config epoch: where the master is. */
  private readonly configurations = new Map<number, string>();
  private readonly terms = new Map<string, number>();
  private readonly acknowledged: Write[] = [];
  /** Keys that all servers had. */
  private readonly everywhere: string[] = [];
  private writes = 0;

  constructor(seed: number, options: CourseOptions) {
    super(seed, ALL, WRITER, options.traced === true);
    this.options = options;
    for (const name of ALL) {
      const machine = this.machine(name);
      machine.onDisk = (step, path) => this.sufferStep(name, step, path);
      if (SENTINELS.includes(name)) machine.onLog = (line) => this.heardOf(name, line);
    }
  }

  // Machines.

  protected async start(name: string): Promise<void> {
    const machine = this.machine(name);
    if (machine.process !== null) return;
    if (SERVERS.includes(name)) {
      const lines = serverLines(name);
      const process = machine.launch(serverOf(lines, () => this.changeTerm(name)));
      // As whom it comes back is not told.
      this.changeTerm(name);
      await process.listening;
      return;
    }
    const process = machine.launch(sentinelOf(sentinelLines(name)));
    const shell = shellOf(process.server.engine);
    Object.assign(shell.state.periods, PERIODS);
    if (this.options.bug === 'votes are told early') writeLate(shell.parts);
    const ask = shell.ask.bind(shell);
    shell.ask = (command, take) =>
      ask(command, (answer) => {
        if (answer.kind === 'vote' && answer.leader !== '*') this.told(name, answer.leader, answer.epoch);
        take(answer);
      });
    await process.listening;
  }

  private changeTerm(name: string): void {
    this.terms.set(name, (this.terms.get(name) ?? 0) + 1);
  }

  /** A sync that takes long is one after which the process stands still, and nothing of what it says leaves. */
  // What happens.

  protected async begin(): Promise<void> {
    for (const name of ALL) await this.world.run(this.start(name));
    this.write();
    await this.world.pass(4000);
    this.changeDelay();
  }

  protected goWrong(): void {
    const { random } = this;
    const [server, sentinel, either] = [this.pick(SERVERS), this.pick(SENTINELS), this.pick(ALL)];
    const master = SERVERS.find((name) => this.isMaster(name)) ?? server;
    const crash = (name: string, power: boolean): void => {
      this.stop(name, power);
      this.startSoon(name, random.below(random.below(2) === 0 ? 500 : 6000));
    };
    const wrongs = [
      () => this.split(ALL.filter(() => random.below(2) === 0)),
      () => this.split([either]),
      () => this.split([master]),
      () => this.split([]),
      () => crash(server, false),
      () => crash(master, false),
      () => crash(sentinel, false),
      () => crash(sentinel, true),
      () => this.standStill(either, random.below(MOST_STANDSTILL)),
      () => this.standStill(master, random.below(MOST_STANDSTILL)),
      () => this.jump(either),
      () => this.changeDisk(sentinel),
      () => this.changePriority(server),
      () => this.changeDelay(),
    ];
    wrongs[random.below(wrongs.length)]();
  }

  private changeDelay(): void {
    this.world.wires.delay = this.pick(DELAYS);
    this.world.note(`the network takes ${this.world.wires.delay.join(' to ')} ms`);
  }

  private changePriority(name: string): void {
    const priority = this.random.below(4) === 0 ? 0 : 10 * (1 + this.random.below(10));
    const client = this.client(name);
    client?.send('CONFIG', 'SET', 'replica-priority', String(priority)).then(
      () => client.close(),
      () => {},
    );
  }

  private client(name: string): Client | undefined {
    return this.machine(name).process?.client(WRITER);
  }

  private isMaster(name: string): boolean {
    const engine = this.machine(name).process?.server.engine;
    return engine !== undefined && !engine.replication.isReplica;
  }

  /** Writes to somebody who takes himself for a master, over and over. */
  private write(): void {
    const masters = SERVERS.filter((name) => this.isMaster(name));
    if (masters.length > 0) {
      const name = this.pick(masters);
      const key = `k${++this.writes}`;
      const term = this.terms.get(name)!;
      this.writeTo({ key, server: name, term }).catch(() => {});
    }
    if (this.troubled) this.world.clock.after(1 + this.random.below(WRITE_PERIOD), () => this.write());
  }

  private async writeTo(write: Write): Promise<void> {
    const client = this.client(write.server);
    if (client === undefined) return;
    try {
      if ((await client.send('SET', write.key, 'x')) !== 'OK') return;
      this.acknowledged.push(write);
      if ((await client.send('WAIT', '2', '300')) === 2) this.everywhere.push(write.key);
    } finally {
      client.close();
    }
  }

  protected async heal(): Promise<void> {
    const { world } = this;
    world.note('all is healed');
    this.troubled = false;
    this.mendDisks();
    for (const name of ALL) this.goOn(name);
    this.split([]);
    world.wires.delay = DELAYS[0];
    for (const name of ALL) if (!this.running(name)) await world.run(this.start(name));
    for (const name of SERVERS)
      await world.run(this.client(name)!.send('CONFIG', 'SET', 'replica-priority', '100')).catch(() => {});
  }

  // What must hold.

  private told(name: string, leader: string, epoch: number): void {
    this.votes++;
    this.world.note(`${name} tells its vote for ${leader.slice(0, 4)} in epoch ${epoch}`);
    this.hold(() => same(this.votesTold, `${name} ${epoch}`, leader, `votes of ${name} in epoch ${epoch}`));
    if (!this.troubled || this.random.below(4) > 0) return;
    // Where it hurts most.
    this.world.clock.after(this.random.below(50), () => {
      this.stop(name, true);
      this.startSoon(name, 50 + this.random.below(500));
    });
  }

  private heardOf(name: string, line: string): void {
    const { process } = this.machine(name);
    if (process === null || !/ [#*] [+-]/.test(line)) return;
    const { state } = shellOf(process.server.engine);
    const master = state.masters.get(MASTER)!;
    this.hold(() => {
      const { ip } = currentAddress(master);
      same(this.configurations, master.configEpoch, ip, `masters with config epoch ${master.configEpoch}`);
      if (line.includes('+elected-leader')) this.elected(name, master);
      if (line.includes('+selected-slave')) this.selected(master);
      if (line.includes('+failover-end')) this.failovers++;
    });
  }

  private elected(name: string, { failover }: Master): void {
    if (failover !== null) same(this.leaders, failover.epoch, name, `leaders in epoch ${failover.epoch}`);
  }

  private selected({ failover }: Master): void {
    if (failover === null) return;
    const { epoch, promoted } = failover;
    if (promoted === null) return;
    same(this.promotions, epoch, promoted.name, `promotions in epoch ${epoch}`);
    if (promoted.priority === 0) throw new Broken(`${promoted.name} is promoted, which has priority 0`);
  }

  protected async agree(): Promise<void> {
    const end = this.world.clock.now() + PATIENCE;
    await this.untilAgreed(end, 500);
    const master = SERVERS.find((name) => this.isMaster(name))!;
    await this.compare(master, end);
    await this.lookForWrites(master);
  }

  protected disagreement(): string {
    const masters = SERVERS.filter((name) => this.isMaster(name));
    if (masters.length !== 1) return `${masters.length} masters`;
    const [name] = masters;
    for (const server of SERVERS) {
      if (server === name) continue;
      const figures = this.machine(server).process!.server.engine.replication.figures();
      if (figures['master_host'] !== name) return `${server} replicates from ${figures['master_host']}`;
      if (figures['master_link_status'] !== 'up') return `${server} has no link to its master`;
    }
    const epochs = new Set<number>();
    for (const sentinel of SENTINELS) {
      const { state } = shellOf(this.machine(sentinel).process!.server.engine);
      verifyState(state);
      const master = state.masters.get(MASTER)!;
      if (master.address.ip !== name) return `${sentinel} takes ${master.address.ip} for the master`;
      if (master.failover !== null || master.downSince !== 0) return `${sentinel} is not content with it`;
      if (master.replicas.size !== SERVERS.length - 1) return `${sentinel} knows ${master.replicas.size} replicas`;
      if (master.sentinels.size !== SENTINELS.length - 1) return `${sentinel} does not know all sentinels`;
      epochs.add(master.configEpoch);
    }
    return epochs.size === 1 ? '' : 'several config epochs';
  }

  private async ask(name: string, ...words: readonly string[]): Promise<unknown> {
    const client = this.client(name)!;
    const reply = await this.world.run(client.send(...words));
    client.close();
    return reply;
  }

  private async compare(master: string, end: number): Promise<void> {
    for (;;) {
      const digests = new Set<unknown>();
      for (const name of SERVERS) digests.add(await this.ask(name, 'DEBUG', 'DIGEST'));
      if (digests.size === 1) return;
      if (this.world.clock.now() > end) throw new Broken(`the data are not those of ${master}`);
      await this.pass(500);
    }
  }

  private async lookForWrites(master: string): Promise<void> {
    const term = this.terms.get(master);
    const own = this.acknowledged.filter((write) => write.server === master && write.term === term);
    const wanted = [...this.everywhere, ...own.map(({ key }) => key)];
    if (wanted.length === 0) return;
    const found = (await this.ask(master, 'MGET', ...wanted)) as unknown[];
    const lost = wanted.filter((_, i) => found[i] !== 'x');
    if (lost.length > 0) throw new Broken(`${lost.join(' ')} are lost, which ${master} must have`);
  }
}

/** Plants the bug: what is told is written only afterwards. */
function writeLate(parts: ShellParts): void {
  const { write, clock } = parts;
  Object.assign(parts, {
    write(configuration: Configuration): void {
      clock.after(LATE_WRITE, () => {
        try {
          write(configuration);
        } catch (error) {
          if (!(error instanceof SystemError)) throw error;
        }
      });
    },
  });
}

function serverLines(name: string): string[] {
  const lines = [
    `port ${PORT}`,
    `bind ${name}`,
    'protected-mode no',
    'save ""',
    'appendonly yes',
    'appendfsync always',
    'enable-debug-command yes',
    'repl-timeout 5',
    'repl-ping-replica-period 1',
    'repl-diskless-sync-delay 0',
  ];
  return name === SERVERS[0] ? lines : [...lines, `replicaof ${SERVERS[0]} ${PORT}`];
}

function sentinelLines(name: string): string[] {
  return [
    `port ${PORT}`,
    `bind ${name}`,
    `sentinel monitor ${MASTER} ${SERVERS[0]} ${PORT} 2`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER}`,
    `sentinel failover-timeout ${MASTER} 4000`,
  ];
}

export async function course(seed: number, options: CourseOptions = {}): Promise<Course> {
  const played = new SentinelServersWorld(seed, options);
  const { world } = played;
  const broken = await played.play(options.faults ?? MOST_FAULTS, USUAL_PAUSE, LONG_PAUSE);
  const { failovers, votes } = played;
  return { broken, trace: world.trace, lasted: world.clock.monotonic() / 1000, failovers, votes };
}
