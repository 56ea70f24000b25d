/**
 * Whole servers as a group of Raft: three or five of ours, and a spare one, each with a clock of its own, with their log on
 * disks in memory and all that they say over a network in memory, which comes apart; machines that are killed, lose their
 * power, at any step of their disk if need be, and stand still, disks that are slow, leaders that hand over, members that
 * come and go, all from one seed. It must hold that
 *
 *   - in one term one member at most is elected;
 *   - what clients are answered is linearizable, so that no acknowledged write is lost or done twice;
 *   - nobody ends by itself;
 *   - once all is healed, somebody serves, and all members have the same data.
 *
 * That it would find something is shown by faults that can be planted (raft-bugs.ts).
 */
import { memberOf, type NodeId } from '../../src/raft/configuration.ts';
import type { Membership } from '../../src/raft/membership.ts';
import type { Output } from '../../src/raft/messages.ts';
import { membershipOf } from '../../src/raft/owners.ts';
import type { Raft } from '../../src/raft/raft.ts';
import type { RaftState } from '../../src/raft/state.ts';
import { createServer } from '../../src/server/server.ts';
import { History, type Time } from '../support/group-history.ts';
import { type Answer, Unknown } from '../support/groups.ts';
import { olderThatMostHave, type RaftBug } from './raft-bugs.ts';
import { plant, replyEarly, watch } from './raft-plants.ts';
import { Broken, same } from './rules-world.ts';
import { ServersWorld } from './servers-world.ts';
import type { Client } from './world.ts';

const hostsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}`);
/** One seed of so many has five members, the others three. */
const FIVES = 3;
/** From where the members are asked, over ways that are never cut. */
const CLIENT = 'client';
const CLIENTS = 4;
const KEYS = 2;
/** The most milliseconds between two things that a client asks, and where it is looked whether one leads too long. */
const THINKS_MS = 200;
const HASTE_MS = 2;
export const MOST_FAULTS = 20;
const [USUAL_PAUSE, LONG_PAUSE] = [500, 3000];
const PATIENCE = 60_000;
const LATE_MS = 2000;
/** Milliseconds within which an operator's command is answered, or never. */
const ORDER_MS = 8000;
/** How often one is told to join. */
const MOST_JOINS = 20;
const MOST_STANDSTILL = 2500;
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 1],
  [1, 15],
  [5, 60],
];
/** Milliseconds that a sync takes. */
const SYNCS: readonly number[] = [0, 5, 50];
/** The most steps of its disk that a machine does before its power goes. */
const MOST_STEPS = 40;
/** By how much clocks may run faster or slower where leases are believed. */
const DRIFT = 0.1;
const SETTINGS = {
  port: 6379,
  'protected-mode': false,
  'raft-enabled': true,
  'raft-election-timeout': 300,
  'raft-heartbeat-interval': 40,
  'raft-log-size': 4000,
  'enable-debug-command': true,
};

export interface RaftServersCourse {
  readonly broken: string;
  readonly trace: readonly string[];
  readonly lasted: number;
  readonly counts: Readonly<Record<string, number>>;
}

export interface RaftServersOptions {
  readonly faults?: number;
  readonly bug?: RaftBug;
  readonly traced?: boolean;
}

class GroupWorld extends ServersWorld {
  elections = 0;
  restores = 0;
  changes = 0;
  undecided = 0;
  readonly history: History;
  /** How many members it begins with. */
  private readonly size: number;
  private readonly bug: RaftBug;
  private readonly leases: boolean;
  private readonly syncs: readonly number[];
  private readonly leaders = new Map<number, string>();
  /** Steps of a disk after which the power goes. */
  private readonly doomed = new Map<string, number>();
  /** A member comes or goes. */
  private changing = false;
  private healing = false;
  private stopped = false;
  private lives: Promise<void>[] = [];

  constructor(seed: number, { bug = 'none', traced = false }: RaftServersOptions) {
    const size = seed % FIVES === 0 ? 5 : 3;
    const hosts = hostsOf(size + 1);
    super(seed, hosts, CLIENT, traced);
    this.size = size;
    this.bug = bug;
    const { clock } = this.world;
    const time: Time = {
      now: () => clock.monotonic() / 1000,
      pause: (ms) => new Promise((done) => void clock.after(ms, done)),
      thinks: () => (this.bug === 'lease-margin' && this.rivals.length > 1 ? HASTE_MS : THINKS_MS),
    };
    const chance = this.world.derivedRandom();
    // Another leads before a lease is over that has no margin only where it loses no time.
    this.syncs = bug === 'lease-margin' ? [0] : SYNCS;
    this.leases = bug === 'lease-margin' || this.random.below(2) === 0;
    this.history = new History(() => chance.double01(), KEYS, 'h', time);
    const slow = this.pick(hosts);
    for (const name of hosts) {
      const machine = this.machine(name);
      machine.onLog = (line) => this.heardOf(name, line);
      machine.slow(this.syncs[Math.floor(chance.double01() * this.syncs.length)]);
      machine.onDisk = (step, path) => this.diskStep(name, step, path);
      machine.rate = this.leases ? 1 + (name === slow ? -DRIFT : DRIFT) : 0.5 + chance.double01();
    }
  }

  protected async start(name: string): Promise<void> {
    const machine = this.machine(name);
    if (machine.process !== null) return;
    const settings = { ...SETTINGS, bind: name, 'raft-read': this.leases ? ('lease' as const) : ('quorum' as const) };
    const process = machine.launch((surroundings) => createServer({ ...surroundings, persistent: true, settings }));
    if (this.bug === 'early-reply') replyEarly(machine);
    await process.listening.catch((error: unknown) => {
      // One that is gone by now was killed while it started.
      if (machine.process === process) throw error;
    });
  }

  /** Where the power is to go at a step, nothing of that step is done, nor of what comes after. */
  private diskStep(name: string, step: string, path: string): void {
    const left = this.doomed.get(name);
    if (left === undefined || step === 'read' || step === 'stat' || !this.running(name)) return;
    this.doomed.set(name, left - 1);
    if (left > 0) return;
    this.world.note(`${name} was about to ${step} ${path}`);
    this.doomed.delete(name);
    this.goOn(name);
    this.machine(name).powerCutWithin();
    this.startSoon(name, this.awayFor());
  }

  /** Those that serve; one that was cut off may not know that another leads. */
  private get rivals(): string[] {
    return this.hosts.filter((name) => this.running(name) && this.serves(name));
  }

  private serves(name: string): boolean {
    return this.machine(name).process?.server.engine.membership.group?.serves === true;
  }

  // What happens.

  protected async begin(): Promise<void> {
    const { world } = this;
    for (const name of this.hosts) await world.run(this.start(name));
    const ask = async (name: string, ...words: string[]): Promise<unknown> => {
      const client = this.machine(name).process!.client(CLIENT);
      const answer = await client.call(...words);
      client.close();
      return answer;
    };
    const [first, ...others] = this.hosts.slice(0, this.size);
    await ask(first, 'RAFT', 'INIT');
    for (const name of others) {
      const answer = await ask(name, 'RAFT', 'JOIN', first, '6379');
      if (answer !== 'OK') throw new Broken(`${name} can't join: ${String(answer)}`);
    }
    await world.pass(1000);
    this.lives = Array.from({ length: CLIENTS }, () =>
      this.history.live({ call: (...words) => this.ask(words) }, () => this.stopped),
    );
  }

  /** Asks whoever may lead; as GroupClient. */
  private async ask(words: readonly string[]): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      const up = this.hosts.filter((name) => this.running(name));
      const leaders = this.rivals;
      if (up.length === 0 || this.failure !== null || attempt > 2000) {
        if (this.failure !== null || this.stopped) throw new Unknown('nobody');
        await this.pause(50);
        continue;
      }
      const name = this.bug === 'lease-margin' ? this.beside(leaders, words) : this.oneOf(leaders);
      if (name === undefined) {
        await this.pause(2);
        continue;
      }
      const answer = await this.askOne(name, words);
      if (!(answer instanceof Error)) return answer;
      if (!/^(MOVED|CLUSTERDOWN|LOADING)/.test(answer.message))
        throw new Broken(`${words.join(' ')}: ${answer.message}`);
      if (this.stopped && attempt > 500) throw new Unknown('nobody');
      await this.pause(20);
    }
  }

  /** Mostly one that leads: one that is cut off may believe so for a while. */
  private oneOf(leaders: readonly string[]): string {
    const up = this.hosts.filter((name) => this.running(name));
    return this.pick(leaders.length > 0 && this.random.below(4) > 0 ? leaders : up);
  }

  /**
   * What a leader that is cut off reads is put beside what is written where the next one leads: until there is one, nobody is
   * asked.
   */
  private beside(leaders: readonly string[], words: readonly string[]): string | undefined {
    const [old] = leaders.filter((name) => this.part.includes(name));
    if (old === undefined || this.healing) return this.oneOf(leaders);
    return words[0] === 'GET' && leaders.length > 1 ? old : leaders.find((name) => name !== old);
  }

  private async askOne(name: string, words: readonly string[]): Promise<Answer> {
    let client: Client | undefined;
    try {
      client = this.machine(name).process!.client(CLIENT);
      // Who has lost its power says nothing more.
      const late = this.pause(LATE_MS).then(() => Promise.reject(new Unknown('late')));
      return (await Promise.race([client.send(...words), late])) as Answer;
    } catch (error) {
      throw new Unknown(String(error));
    } finally {
      client?.close();
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((done) => void this.world.clock.after(ms, done));
  }

  /** A voter may lose its power as soon as it has told its vote, and whom it has elected may be cut off. */
  observe({ state }: Raft, output: Output): void {
    if (output.kind !== 'send') return;
    const { message } = output;
    this.cutOffBeforeOwn(state);
    if (message.type !== 'vote-reply' || !message.granted || message.pre || this.healing) return;
    if (this.random.below(4) > 0) return;
    const [voter, candidate] = [this.hostOf(state.id), this.hostOf(message.to)];
    this.soon(20, () => voter !== undefined && this.crash(voter, true));
    if (candidate !== undefined && this.random.below(2) === 0) this.soon(40, () => this.split([candidate]));
  }

  /**
   * Figure 8 of the paper: most have what a leader took over from an earlier term, and it is cut off before anybody has an entry
   * of its own term.
   */
  private cutOffBeforeOwn(state: RaftState): void {
    if (this.bug !== 'older-term' || this.healing || olderThatMostHave(state) === 0) return;
    const leader = this.hostOf(state.id);
    if (leader !== undefined) this.split([leader]);
  }

  private hostOf(id: NodeId): string | undefined {
    return this.hosts.find((name) => this.running(name) && this.membership(name).id === id);
  }

  private soon(most: number, action: () => void): void {
    this.world.clock.after(this.random.below(most), () => {
      if (!this.healing) action();
    });
  }

  private crash(name: string, power: boolean): void {
    this.doomed.delete(name);
    this.stop(name, power);
    this.startSoon(name, this.awayFor());
  }

  /** Milliseconds after which a machine is there again. */
  private awayFor(): number {
    return this.random.below(this.random.below(2) === 0 ? 300 : 3000);
  }

  protected goWrong(): void {
    const { random, hosts } = this;
    const one = this.pick(hosts);
    const leader = hosts.find((name) => this.serves(name)) ?? one;
    const wrongs = [
      () => this.split([one]),
      () => this.split([leader]),
      () => this.split([leader]),
      () => this.split(hosts.filter(() => random.below(2) === 0)),
      () => this.split([]),
      () => this.split([]),
      () => this.crash(one, true),
      () => this.crash(leader, true),
      () => this.crash(leader, false),
      () => this.doomed.set(one, random.below(MOST_STEPS)),
      () => this.doomed.set(leader, random.below(MOST_STEPS)),
      () => this.standStill(one, random.below(MOST_STANDSTILL)),
      () => this.standStill(leader, random.below(MOST_STANDSTILL)),
      () => {
        for (const name of hosts) this.crash(name, true);
      },
      () => this.machine(one).slow(this.pick(this.syncs)),
      () => this.machine(leader).slow(this.pick(this.syncs)),
      () => this.handOver(leader),
      () => this.changeGroup(leader),
      () => this.changeGroup(leader),
      () => {
        this.world.wires.delay = this.pick(DELAYS);
      },
    ];
    wrongs[random.below(wrongs.length)]();
  }

  private membership(name: string): Membership {
    return membershipOf(this.machine(name).process!.server.engine);
  }

  /** The spare server joins, or some member goes; a machine in its place is the next spare one, once the group can do without it. */
  private changeGroup(leader: string): void {
    const { hosts } = this;
    if (this.changing || !this.serves(leader) || hosts.some((name) => !this.running(name))) return;
    const { shell } = this.membership(leader);
    const { term } = shell.state!;
    // Who leads in the last term knows all that is decided.
    if (hosts.some((name) => (this.membership(name).shell.state?.term ?? 0) > term)) return;
    this.changes++;
    const outside = hosts.filter((name) => !this.isMember(name, leader));
    const gone = outside.find((name) => this.membership(name).shell.isMember);
    if (gone !== undefined) this.replace(gone);
    else if (outside.length > 0) void this.order(outside[0], 'JOIN', leader, '6379');
    else void this.order(leader, 'REMOVE', String(this.membership(this.pick(hosts)).id));
  }

  /** Whether the server of a host belongs to the group, as a leader knows that it is decided. */
  private isMember(name: string, leader: string): boolean {
    const { log, commit } = this.membership(leader).shell.state!;
    return memberOf(log.mark(commit).configuration, this.membership(name).id) !== undefined;
  }

  private replace(name: string): void {
    this.world.note(`${name} is another machine from now on`);
    this.goOn(name);
    this.doomed.delete(name);
    this.machine(name).replace();
    this.startSoon(name, 0);
  }

  private async order(name: string, ...words: readonly string[]): Promise<void> {
    this.changing = true;
    const client = this.machine(name).process!.client(CLIENT);
    await Promise.race([client.send('RAFT', ...words).catch(() => {}), this.pause(ORDER_MS)]);
    client.close();
    this.changing = false;
  }

  private handOver(name: string): void {
    if (this.running(name) && !this.changing) void this.order(name, 'TRANSFER');
  }

  private heardOf(name: string, line: string): void {
    // What the rest of a process says whose power went in the middle of it.
    if (!this.running(name)) return;
    const elected = /Elected the leader of the group in term (\d+)/.exec(line);
    this.hold(() => {
      if (elected !== null) {
        this.elections++;
        same(this.leaders, Number(elected[1]), name, `leaders in term ${elected[1]}`);
        // Who is elected again and again before it commits anything is what figure 8 of the paper needs.
        if (this.bug === 'older-term' && this.lives.length > 0 && !this.healing && this.random.below(2) === 0)
          this.split([name]);
      }
      if (line.includes('Guru Meditation')) throw new Broken(`${name}: ${line.trim()}`);
      if (line.includes('made anew')) this.restores++;
    });
  }

  protected async heal(): Promise<void> {
    this.healing = true;
    this.doomed.clear();
    for (const name of this.hosts) {
      this.goOn(name);
      this.machine(name).slow(0);
    }
    this.split([]);
    this.world.wires.delay = DELAYS[0];
    await this.pass(4000);
    for (const name of this.hosts) if (!this.running(name)) await this.world.run(this.start(name));
    this.stopped = true;
    await this.world.run(Promise.all(this.lives));
    await this.joinAgain();
  }

  /** Whoever lost its power before it heard that it is a member is told to join by its operator, until it does. */
  private async joinAgain(): Promise<void> {
    const lacks = (): [string, string] | undefined => {
      const leader = this.hosts.find((name) => this.serves(name));
      const name = this.hosts.find(
        (each) => leader !== undefined && this.isMember(each, leader) && !this.membership(each).shell.isMember,
      );
      return name === undefined ? undefined : [name, leader!];
    };
    for (let left = lacks(), tries = 0; left !== undefined && tries < MOST_JOINS; left = lacks(), tries++) {
      await this.world.run(this.order(left[0], 'JOIN', left[1], '6379'));
      await this.pass(1000);
    }
  }

  // What must hold.

  protected async agree(): Promise<void> {
    await this.untilAgreed(this.world.clock.now() + PATIENCE, 200);
    const leader = this.hosts.find((name) => this.serves(name))!;
    const digests = new Set<string>();
    for (const name of this.hosts) {
      if (!this.isMember(name, leader)) continue;
      const client = this.machine(name).process!.client(CLIENT);
      digests.add(String(await client.call('DEBUG', 'DIGEST')));
      client.close();
    }
    if (digests.size > 1) throw new Broken(`their data differ: ${[...digests].join(' ')}`);
    for (const fault of this.history.faults) {
      if (!fault.endsWith('undecided')) throw new Broken(fault);
      this.undecided++;
    }
  }

  protected disagreement(): string {
    const leader = this.hosts.find((name) => this.serves(name));
    if (leader === undefined) return 'nobody serves';
    const { last } = this.membership(leader).shell.state!.log;
    const behind = this.hosts.find((name) => {
      const { applier } = this.membership(name).shell;
      return this.isMember(name, leader) && (applier.applied < last || !applier.settled);
    });
    return behind === undefined ? '' : `${behind} has not applied entry ${last}`;
  }
}

export async function course(seed: number, options: RaftServersOptions = {}): Promise<RaftServersCourse> {
  const world = new GroupWorld(seed, options);
  const plain = plant(options.bug ?? 'none');
  const blind = watch((raft, output) => world.observe(raft, output));
  const broken = await world.play(options.faults ?? MOST_FAULTS, USUAL_PAUSE, LONG_PAUSE);
  blind();
  plain();
  const { elections, restores, changes, undecided, history } = world;
  const { acknowledged, unknown } = history;
  const counts = { elections, restores, 'changes of members': changes, acknowledged, unknown, undecided };
  return { broken, trace: world.world.trace, lasted: world.world.clock.monotonic() / 1000, counts };
}
