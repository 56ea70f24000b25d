/**
 * The rounds of group-rounds.ts with a group of Raft, of three or of five.
 *
 * What must hold: nothing that was acknowledged is lost or done twice, and what clients were answered can be explained
 * (test/linearizability); another leader serves within two election timeouts, in 95 of 100 rounds in which the leader has
 * failed.
 */
import { callAt, inTurn, type Seek } from '../support/groups.ts';
import { freePort } from '../support/ports.ts';
import { playedBy, type RoundsReport, type StartableGroup } from './group-rounds.ts';
import { until } from './harness.ts';
import type { Ground, Machine } from './machines.ts';
import { Member } from './member.ts';

const ELECTION_TIMEOUT = 1000;
const SETTLED_MS = 60_000;

class RaftMember extends Member {
  private readonly settings: Readonly<Record<string, string>>;

  constructor(port: number, machine: Machine, settings: Readonly<Record<string, string>>) {
    super(port, undefined, machine);
    this.settings = settings;
  }

  override start(): Promise<void> {
    const options = {
      ...this.settings,
      port: this.port,
      bind: this.host,
      'protected-mode': 'no',
      dir: this.folder,
      'raft-enabled': 'yes',
      'raft-election-timeout': ELECTION_TIMEOUT,
      'raft-log-size': '1mb',
    };
    return super.start(Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]));
  }

  /** INFO raft; empty where it does not say within a while, as a process that is stopped. */
  async info(): Promise<string> {
    return String(await this.ask('INFO', 'raft').catch(() => ''));
  }
}

class RaftGroup implements StartableGroup<Readonly<Record<string, string>>> {
  readonly members: RaftMember[] = [];

  async start({ machines }: Ground, settings: Readonly<Record<string, string>>): Promise<void> {
    for (const machine of machines) {
      const member = new RaftMember(await freePort(), machine, settings);
      this.members.push(member);
      await member.start();
      const [first] = this.members;
      if (member === first) await member.ask('RAFT', 'INIT');
      else await callAt(member.place, 'RAFT', 'JOIN', first.host, String(first.port));
    }
    await this.settled();
  }

  async leads(member: RaftMember): Promise<boolean> {
    return (await member.info()).includes('serving:1');
  }

  async leader(): Promise<RaftMember> {
    let found: RaftMember | undefined;
    const one = async (): Promise<boolean> => {
      for (const member of this.members) if (await this.leads(member)) found = member;
      return found !== undefined;
    };
    await until(one, 'there is a leader', SETTLED_MS);
    return found!;
  }

  seek(): Seek {
    return inTurn(this.members.map(({ place }) => place));
  }

  /** One serves, all name it and vote, and all have what is committed. */
  async settled(): Promise<void> {
    const count = this.members.length;
    const agree = async (): Promise<boolean> => {
      const texts = await Promise.all(this.members.map((member) => member.info()));
      const named = new Set(texts.map((text) => /raft_leader:(\S+)/.exec(text)?.[1] ?? ''));
      const serving = texts.filter((text) => text.includes('serving:1'));
      if (named.size !== 1 || named.has('') || serving.length !== 1) return false;
      return serving[0].includes(`raft_members:${count}`) && !/role=learner|state=silent/.test(serving[0]);
    };
    await until(agree, 'one leads all', SETTLED_MS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.remove()));
  }
}

export interface RaftReport extends RoundsReport {
  /** Of the failovers, those that took longer than two election timeouts, or three where the leader was deaf. */
  late: number;
}

export interface RaftPlan {
  readonly members: number;
  /** Of every member. */
  readonly settings: Readonly<Record<string, string>>;
}

const USUAL: RaftPlan = { members: 3, settings: {} };

export async function raftRounds(count: number, seed: number, plan: Partial<RaftPlan> = {}): Promise<RaftReport> {
  const { members, settings } = { ...USUAL, ...plan };
  const report: RaftReport = { ...(await playedBy(new RaftGroup(), settings, members, count, seed)), late: 0 };
  const { failures } = report;
  const { lost, doubled } = report.all;
  report.late = report.failovers.filter(({ fault, ms }) => ms > patienceWith(fault)).length;
  if (report.late > report.failovers.length / 20) failures.push(`${report.late} leaders came late`);
  if (lost + doubled > 0) failures.push(`${lost} were lost, ${doubled} are there twice`);
  failures.push(...report.unexplained);
  return report;
}

/** Others go on to hear a leader that hears nobody, until it has found that out itself, an election timeout later. */
function patienceWith(fault: string): number {
  return (fault === 'deaf' ? 3 : 2) * ELECTION_TIMEOUT;
}
