/**
 * Whole servers as a group of Raft: three of ours over a virtual clock, with their log on disks in memory and all that they
 * say over a network in memory, which comes apart; machines that are killed, lose their power and stand still, and leaders
 * that hand over, all from one seed. It must hold that
 *
 *   - in one term one member at most is elected;
 *   - what clients are answered is linearizable, so that no acknowledged write is lost or done twice;
 *   - nobody ends by itself;
 *   - once all is healed, somebody serves, and all have the same data.
 *
 * That it would find something is shown by a bug that can be planted: replies that leave before what they tell is committed.
 */
import { membershipOf } from '../../src/raft/owners.ts';
import { createServer } from '../../src/server/server.ts';
import { History, type Time } from '../support/group-history.ts';
import { type Answer, Unknown } from '../support/groups.ts';
import { Broken, same } from './rules-world.ts';
import { ServersWorld } from './servers-world.ts';
import type { Client, Machine } from './world.ts';

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
/** From where the members are asked, over ways that are never cut. */
const CLIENT = 'client';
const CLIENTS = 4;
const KEYS = 2;
/** The most milliseconds between two things that a client asks. */
const THINKS_MS = 200;
export const MOST_FAULTS = 20;
const [USUAL_PAUSE, LONG_PAUSE] = [500, 3000];
const PATIENCE = 60_000;
const LATE_MS = 2000;
const MOST_STANDSTILL = 2500;
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 1],
  [1, 15],
  [5, 60],
];
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
  readonly bug?: 'none' | 'early replies';
  readonly traced?: boolean;
}

class GroupWorld extends ServersWorld {
  elections = 0;
  restores = 0;
  undecided = 0;
  readonly history: History;
  private readonly options: RaftServersOptions;
  private readonly leaders = new Map<number, string>();
  private stopped = false;
  private lives: Promise<void>[] = [];

  constructor(seed: number, options: RaftServersOptions) {
    super(seed, HOSTS, CLIENT, options.traced === true);
    this.options = options;
    const { clock } = this.world;
    const time: Time = {
      now: () => clock.monotonic() / 1000,
      pause: (ms) => new Promise((done) => void clock.after(ms, done)),
      thinks: THINKS_MS,
    };
    const chance = this.world.derivedRandom();
    this.history = new History(() => chance.double01(), KEYS, 'h', time);
    for (const name of HOSTS) this.machine(name).onLog = (line) => this.heardOf(name, line);
  }

  protected async start(name: string): Promise<void> {
    const machine = this.machine(name);
    if (machine.process !== null) return;
    const process = machine.launch((surroundings) =>
      createServer({ ...surroundings, persistent: true, settings: { ...SETTINGS, bind: name } }),
    );
    if (this.options.bug === 'early replies') plant(machine);
    await process.listening;
  }

  private serves(name: string): boolean {
    return this.machine(name).process?.server.engine.membership.group?.serves === true;
  }

  // What happens.

  protected async begin(): Promise<void> {
    const { world } = this;
    for (const name of HOSTS) await world.run(this.start(name));
    const ask = async (name: string, ...words: string[]): Promise<unknown> => {
      const client = this.machine(name).process!.client(CLIENT);
      const answer = await client.call(...words);
      client.close();
      return answer;
    };
    await ask(HOSTS[0], 'RAFT', 'INIT');
    for (const name of HOSTS.slice(1)) {
      const answer = await ask(name, 'RAFT', 'JOIN', HOSTS[0], '6379');
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
      const up = HOSTS.filter((name) => this.running(name));
      const leader = up.find((name) => this.serves(name));
      if (up.length === 0 || this.failure !== null || attempt > 2000) {
        if (this.failure !== null || this.stopped) throw new Unknown('nobody');
        await this.pause(50);
        continue;
      }
      const name = leader !== undefined && this.random.below(4) > 0 ? leader : up[this.random.below(up.length)];
      const answer = await this.askOne(name, words);
      if (!(answer instanceof Error)) return answer;
      if (!/^(MOVED|CLUSTERDOWN|LOADING)/.test(answer.message))
        throw new Broken(`${words.join(' ')}: ${answer.message}`);
      if (this.stopped && attempt > 500) throw new Unknown('nobody');
      await this.pause(20);
    }
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

  protected goWrong(): void {
    const { random } = this;
    const one = HOSTS[random.below(HOSTS.length)];
    const leader = HOSTS.find((name) => this.serves(name)) ?? one;
    const crash = (name: string, power: boolean): void => {
      this.stop(name, power);
      this.startSoon(name, random.below(random.below(2) === 0 ? 300 : 3000));
    };
    const wrongs = [
      () => this.split([one]),
      () => this.split([leader]),
      () => this.split([leader]),
      () => this.split([]),
      () => crash(one, true),
      () => crash(leader, true),
      () => crash(leader, false),
      () => this.standStill(one, random.below(MOST_STANDSTILL)),
      () => this.standStill(leader, random.below(MOST_STANDSTILL)),
      () => {
        for (const name of HOSTS) crash(name, true);
      },
      () => this.handOver(leader),
      () => {
        this.world.wires.delay = DELAYS[random.below(DELAYS.length)];
      },
    ];
    wrongs[random.below(wrongs.length)]();
  }

  private handOver(name: string): void {
    const client = this.machine(name).process?.client(CLIENT);
    client?.send('RAFT', 'TRANSFER').then(
      () => client.close(),
      () => {},
    );
  }

  private heardOf(name: string, line: string): void {
    const elected = /Elected the leader of the group in term (\d+)/.exec(line);
    this.hold(() => {
      if (elected !== null) {
        this.elections++;
        same(this.leaders, Number(elected[1]), name, `leaders in term ${elected[1]}`);
      }
      if (line.includes('Guru Meditation')) throw new Broken(`${name}: ${line.trim()}`);
      if (line.includes('made anew')) this.restores++;
    });
  }

  protected async heal(): Promise<void> {
    for (const name of HOSTS) this.goOn(name);
    this.split([]);
    this.world.wires.delay = DELAYS[0];
    await this.pass(4000);
    for (const name of HOSTS) if (!this.running(name)) await this.world.run(this.start(name));
    this.stopped = true;
    await this.world.run(Promise.all(this.lives));
  }

  // What must hold.

  protected async agree(): Promise<void> {
    await this.untilAgreed(this.world.clock.now() + PATIENCE, 200);
    const digests = new Set<string>();
    for (const name of HOSTS) {
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
    const leader = HOSTS.find((name) => this.serves(name));
    if (leader === undefined) return 'nobody serves';
    const reached = HOSTS.map((name) => membershipOf(this.machine(name).process!.server.engine).shell);
    const { last } = reached[HOSTS.indexOf(leader)].state!.log;
    const behind = reached.findIndex(({ applier }) => applier.applied < last || !applier.settled);
    return behind < 0 ? '' : `${HOSTS[behind]} has not applied entry ${last}`;
  }
}

/** Replies leave at once. */
function plant(machine: Machine): void {
  const { server } = machine.process!;
  const gate = server.engine.replyGate;
  const settle = gate.settle.bind(gate);
  gate.settle = (session) => {
    settle(session);
    session.reply.allowed = session.reply.position;
  };
}

export async function course(seed: number, options: RaftServersOptions = {}): Promise<RaftServersCourse> {
  const world = new GroupWorld(seed, options);
  const broken = await world.play(options.faults ?? MOST_FAULTS, USUAL_PAUSE, LONG_PAUSE);
  const { elections, restores, undecided, history } = world;
  const counts = { elections, restores, acknowledged: history.acknowledged, unknown: history.unknown, undecided };
  return { broken, trace: world.world.trace, lasted: world.world.clock.monotonic() / 1000, counts };
}
