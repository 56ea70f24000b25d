/**
 * Rounds of what fails in a group of real processes, each on a machine of its own (machines.ts), under eight clients: a group of
 * Raft (raft.ts), or a redis-server with replicas and Sentinels (sentinel-group.ts).
 *
 *   kill, stop       SIGKILL or SIGSTOP of who leads, or, a quarter of the times, of anyone
 *   kill all         SIGKILL of all at once
 *   cut leader       nothing passes between who leads and the others; clients reach all of them
 *   cut follower     the same of another
 *   deaf, mute       nothing passes to who leads, or from there; the other way is open
 *   split            all of a minority are cut from all of the rest: of five two from three
 *   cut and kill     of five: the leader is cut off, and one of the others is killed
 *
 * Clients write, read and compare for a checker of linearizability, and append values of which a ledger is kept. They wait for
 * a reply for some hundred milliseconds, and look for the leader anew every second, so that both sides of a cut are asked.
 */
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { History } from '../support/group-history.ts';
import { GroupClient, type Seek } from '../support/groups.ts';
import { pause, until } from './harness.ts';
import { Ledger } from './ledger.ts';
import { type Ground, type Machine, openGround, type Way } from './machines.ts';
import type { Member } from './member.ts';

const CLIENTS = 8;
const KEYS = 8;
const LISTS = 4;
const BEFORE_MS = 400;
const AFTER_MS = 600;
/** How long something lasts beyond the time in which another leads, at most. */
const LINGER_MS = 1500;
const FOLLOWER_MS = 1500;
const REPLACED_MS = 60_000;
const LOOK_MS = 20;
/** The least that a client waits for a reply, and what may come on top of it. */
const PATIENCE_MS = [400, 1600] as const;
const LOYALTY_MS = 1000;
/** The most between two things that a client does. */
const THINKS_MS = 20;

/** What is disturbed. */
export interface Group {
  readonly members: readonly Member[];
  /** Who leads. All is well. */
  leader(): Promise<Member>;
  /** Whether it leads and serves; one that says nothing does not. */
  leads(member: Member): Promise<boolean>;
  /** How a client finds whom to ask. */
  seek(): Seek;
  /** Resolves when all is well again. */
  settled(): Promise<void>;
}

/** What the rounds of one fault, or all of them, came to. */
export interface Toll {
  rounds: number;
  /** Appended values that were acknowledged; those of them that are not there; and values that are there twice. */
  appended: number;
  lost: number;
  doubled: number;
  /** Keys, each with a history, and those whose history can't be explained, or could not be decided. */
  histories: number;
  unexplained: number;
}

export interface RoundsReport {
  readonly ground: string;
  readonly all: Toll;
  readonly faults: Record<string, Toll>;
  acknowledged: number;
  unknown: number;
  readonly unexplained: string[];
  /** Milliseconds until another led, of what made that necessary. */
  readonly failovers: { readonly fault: string; readonly ms: number }[];
  readonly failures: string[];
}

/** A group that begins anew for some rounds. */
export interface StartableGroup<Settings> extends Group {
  start(ground: Ground, settings: Settings): Promise<void>;
  stop(): Promise<void>;
}

/** So many rounds of a group that is started for them on so many machines. */
export async function playedBy<Settings>(
  group: StartableGroup<Settings>,
  settings: Settings,
  machines: number,
  count: number,
  seed: number,
): Promise<RoundsReport> {
  const ground = await openGround(machines);
  const report = newReport(ground);
  try {
    await group.start(ground, settings);
    await new GroupRounds(group, ground, new SeededRandom(seed), report).play(count);
  } finally {
    await group.stop();
    await ground.close();
  }
  return report;
}

const newToll = (): Toll => ({ rounds: 0, appended: 0, lost: 0, doubled: 0, histories: 0, unexplained: 0 });

function newReport(ground: Ground): RoundsReport {
  return {
    ...{ ground: ground.name, all: newToll(), faults: {}, acknowledged: 0, unknown: 0 },
    ...{ unexplained: [], failovers: [], failures: [] },
  };
}

interface Fault {
  begin(): Promise<void> | void;
  heal(): Promise<void> | void;
  /** Who can't lead any more. */
  readonly fallen: readonly Member[];
}

const kills = (victims: readonly Member[]): Fault => ({
  begin: () => inAll(victims, (victim) => victim.kill()),
  heal: () => inAll(victims, (victim) => victim.start()),
  fallen: victims,
});

async function inAll(members: readonly Member[], work: (member: Member) => Promise<void>): Promise<void> {
  await Promise.all(members.map(work));
}

/** All ways from some machines to others. */
function ways(from: readonly Member[], to: readonly Member[]): Way[] {
  return from.flatMap(({ machine }) => to.map((other): [Machine, Machine] => [machine, other.machine]));
}

class GroupRounds {
  private readonly group: Group;
  private readonly ground: Ground;
  private readonly random: Random;
  private readonly report: RoundsReport;

  constructor(group: Group, ground: Ground, random: Random, report: RoundsReport) {
    this.group = group;
    this.ground = ground;
    this.random = random;
    this.report = report;
  }

  private get kinds(): Readonly<Record<string, (leader: Member) => Fault>> {
    const { members } = this.group;
    const cuts = {
      'cut leader': (leader: Member) => this.cutOff([leader]),
      'cut follower': (leader: Member) => this.cutOff([this.another(leader)]),
      deaf: (leader: Member) => this.cut(ways(this.othersThan([leader]), [leader]), [leader]),
      mute: (leader: Member) => this.cut(ways([leader], this.othersThan([leader])), [leader]),
      split: () => this.cutOff(this.shuffled(members).slice(0, members.length >> 1)),
    };
    const both = { 'cut and kill': (leader: Member) => this.cutAndKill(leader) };
    return {
      kill: (leader) => kills([this.victim(leader)]),
      stop: (leader) => this.stop(this.victim(leader)),
      'kill all': () => this.killAll(),
      ...(this.ground.canCut ? cuts : {}),
      ...(this.ground.canCut && members.length > 3 ? both : {}),
    };
  }

  private shuffled(members: readonly Member[]): Member[] {
    const left = [...members];
    return members.map(() => left.splice(this.random.below(left.length), 1)[0]);
  }

  private othersThan(members: readonly Member[]): Member[] {
    return this.group.members.filter((member) => !members.includes(member));
  }

  private another(leader: Member): Member {
    return this.shuffled(this.othersThan([leader]))[0];
  }

  private victim(leader: Member): Member {
    return this.random.below(4) === 0 ? this.shuffled(this.group.members)[0] : leader;
  }

  private stop(victim: Member): Fault {
    return { begin: () => victim.signal('SIGSTOP'), heal: () => victim.signal('SIGCONT'), fallen: [victim] };
  }

  /** They are there again at once: whoever leads then, nobody had to be replaced. */
  private killAll(): Fault {
    const { begin, heal } = kills(this.group.members);
    return {
      begin: async () => {
        await begin();
        await heal();
      },
      heal: () => {},
      fallen: [],
    };
  }

  private cut(severed: Way[], fallen: readonly Member[]): Fault {
    return { begin: () => this.ground.cut(severed), heal: () => this.ground.heal(), fallen };
  }

  private cutOff(members: readonly Member[]): Fault {
    const rest = this.othersThan(members);
    return this.cut([...ways(members, rest), ...ways(rest, members)], members);
  }

  private cutAndKill(leader: Member): Fault {
    const [cut, kill] = [this.cutOff([leader]), kills([this.another(leader)])];
    return {
      begin: async () => {
        await Promise.all([cut.begin(), kill.begin()]);
      },
      heal: async () => {
        await Promise.all([cut.heal(), kill.heal()]);
      },
      fallen: [...cut.fallen, ...kill.fallen],
    };
  }

  async play(count: number): Promise<void> {
    const { report } = this;
    while (report.all.rounds < count && report.failures.length === 0)
      await this.playOne().catch((error) => {
        report.failures.push(`round ${report.all.rounds}: ${error instanceof Error ? error.message : error}`);
      });
  }

  private async playOne(): Promise<void> {
    const { report, random, group } = this;
    const name = `round-${report.all.rounds}`;
    const history = new History(() => random.double01(), KEYS, name);
    const ledger = new Ledger(name, LISTS);
    let stopped = false;
    const clients = Array.from({ length: CLIENTS }, () => this.client());
    const lives = clients.map(async (client) => {
      while (!stopped) {
        await history.something(client);
        await ledger.append(client);
        await pause(random.below(THINKS_MS));
      }
    });
    const kinds = Object.keys(this.kinds);
    const kind = kinds[report.all.rounds % kinds.length];
    const all = Promise.all(lives);
    // Where the fault throws first, that is what is told.
    all.catch(() => {});
    try {
      await pause(BEFORE_MS);
      await this.disturb(kind);
      await group.settled();
      await pause(AFTER_MS);
    } finally {
      stopped = true;
    }
    await all;
    await history.audit(clients[0]);
    await ledger.audit(clients[0]);
    for (const client of clients) client.close();
    this.account(kind, history, ledger);
  }

  private client(): GroupClient {
    const patience = PATIENCE_MS[0] + this.random.below(PATIENCE_MS[1]);
    return new GroupClient(this.group.seek(), { patience, loyalty: LOYALTY_MS });
  }

  private async disturb(kind: string): Promise<void> {
    const { group, random } = this;
    const leader = await group.leader();
    const fault = this.kinds[kind](leader);
    const since = performance.now();
    await fault.begin();
    if (fault.fallen.includes(leader)) await this.replaced(kind, fault.fallen, since);
    else if (fault.fallen.length > 0) await pause(FOLLOWER_MS);
    await pause(random.below(LINGER_MS));
    await fault.heal();
  }

  private async replaced(fault: string, fallen: readonly Member[], since: number): Promise<void> {
    const others = this.othersThan(fallen);
    const one = async (): Promise<boolean> => {
      await pause(LOOK_MS);
      return (await Promise.all(others.map((member) => this.group.leads(member)))).includes(true);
    };
    await until(one, 'another leads', REPLACED_MS);
    this.report.failovers.push({ fault, ms: Math.round(performance.now() - since) });
  }

  private account(kind: string, history: History, ledger: Ledger): void {
    const { report } = this;
    const { faults } = history;
    report.acknowledged += history.acknowledged + ledger.count;
    report.unknown += history.unknown;
    for (const fault of faults) report.unexplained.push(`round ${report.all.rounds}, ${kind}: ${fault}`);
    for (const toll of [report.all, (report.faults[kind] ??= newToll())]) {
      toll.rounds++;
      toll.appended += ledger.count;
      toll.lost += ledger.lost;
      toll.doubled += ledger.doubled;
      toll.histories += history.count;
      toll.unexplained += faults.length;
    }
  }
}
