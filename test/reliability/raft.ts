/**
 * Rounds with real processes: a group of three under eight clients, of which in each round one or all are killed, or one is
 * stopped so that it does not know how late it is, and heals.
 *
 * What must hold: what clients were answered can be explained (test/linearizability), so that no acknowledged write is lost
 * or done twice; another leader serves within two election timeouts, in 95 of 100 rounds in which the leader has failed.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { History } from '../support/group-history.ts';
import { callOnce, GroupClient } from '../support/groups.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/sentinels.ts';
import { pause } from './harness.ts';
import { Member } from './member.ts';

const ELECTION_TIMEOUT = 1000;
const CLIENTS = 8;
const KEYS = 8;
const BEFORE_MS = 400;
const AFTER_MS = 600;

export interface RaftReport {
  rounds: number;
  kills: number;
  stops: number;
  all: number;
  acknowledged: number;
  unknown: number;
  /** Milliseconds until another leader served. */
  readonly failovers: number[];
  readonly failures: string[];
}

class GroupMember extends Member {
  override start(): Promise<void> {
    const options = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.folder,
      'raft-enabled': 'yes',
      'raft-election-timeout': ELECTION_TIMEOUT,
      'raft-log-size': '1mb',
    };
    return super.start(Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]));
  }

  /** Whether it serves; a process that is stopped does not say. */
  async serves(): Promise<boolean> {
    const late = pause(200).then(() => '');
    return String(await Promise.race([callOnce(this.port, 'INFO', 'raft').catch(() => ''), late])).includes(
      'serving:1',
    );
  }
}

class Rounds {
  private readonly random: SeededRandom;
  private readonly report: RaftReport;
  private readonly members: GroupMember[] = [];

  constructor(random: SeededRandom, report: RaftReport) {
    this.random = random;
    this.report = report;
  }

  async start(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const member = new GroupMember(await freePort());
      this.members.push(member);
      await member.start();
      if (i === 0) await callOnce(member.port, 'RAFT', 'INIT');
      else await callOnce(member.port, 'RAFT', 'JOIN', '127.0.0.1', String(this.members[0].port));
    }
    await waitFor('all vote', async () => {
      const text = String(await callOnce(this.members[0].port, 'INFO', 'raft'));
      return text.includes('raft_members:3') && !text.includes('role=learner');
    });
  }

  async play(): Promise<void> {
    const { report, random } = this;
    report.rounds++;
    const history = new History(() => random.double01(), KEYS, `round-${report.rounds}`);
    const clients = Array.from({ length: CLIENTS }, () => new GroupClient(this.members.map(({ port }) => port)));
    let stopped = false;
    const lives = clients.map((client) => history.live(client, () => stopped));
    await pause(BEFORE_MS);
    await this.disturb();
    await pause(AFTER_MS);
    stopped = true;
    await Promise.all(lives);
    for (const client of clients) client.close();
    report.acknowledged += history.acknowledged;
    report.unknown += history.unknown;
    for (const fault of history.faults) report.failures.push(`round ${report.rounds}: ${fault}`);
  }

  private async leader(): Promise<GroupMember> {
    let found: GroupMember | undefined;
    await waitFor('there is a leader', async () => {
      for (const member of this.members) if (await member.serves()) found = member;
      return found !== undefined;
    });
    return found!;
  }

  private async disturb(): Promise<void> {
    const { report, random, members } = this;
    const leader = await this.leader();
    const kind = random.below(4);
    if (kind === 0) {
      report.all++;
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all(members.map((member) => member.start()));
      return;
    }
    const victim = random.below(4) === 0 ? members[random.below(members.length)] : leader;
    const stops = kind === 1;
    if (stops) report.stops++;
    else report.kills++;
    const since = performance.now();
    if (stops) victim.signal('SIGSTOP');
    else await victim.kill();
    if (victim === leader) await this.another(leader, since);
    else await pause(500);
    if (stops) victim.signal('SIGCONT');
    else await victim.start();
  }

  private async another(leader: GroupMember, since: number): Promise<void> {
    const others = this.members.filter((member) => member !== leader);
    await waitFor('another leads', async () => {
      for (const member of others) if (await member.serves()) return true;
      return false;
    });
    this.report.failovers.push(Math.round(performance.now() - since));
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.remove()));
  }
}

export async function raftRounds(count: number, seed: number): Promise<RaftReport> {
  const report: RaftReport = {
    ...{ rounds: 0, kills: 0, stops: 0, all: 0, acknowledged: 0, unknown: 0 },
    failovers: [],
    failures: [],
  };
  const rounds = new Rounds(new SeededRandom(seed), report);
  try {
    await rounds.start();
    while (report.rounds < count) await rounds.play();
    const late = report.failovers.filter((ms) => ms > 2 * ELECTION_TIMEOUT);
    if (late.length > report.failovers.length / 20) report.failures.push(`late leaders: ${late.join(', ')} ms`);
  } catch (error) {
    report.failures.push(`round ${report.rounds}: ${error instanceof Error ? error.message : error}`);
  } finally {
    await rounds.stop();
  }
  return report;
}
