/**
 * The rounds of group-rounds.ts with redis-server: a master and two replicas, each with a Sentinel on its machine. They tell what
 * is lost there that a group of Raft keeps (README), so nothing of that counts as a failure.
 *
 * A client asks one Sentinel after the other who the master is, and whom they name whether he is, as Redis asks of clients.
 * Replicas are given their data at once (`repl-diskless-sync-delay 0`); all else is as redis-server has it, and as follows.
 */
import type { Seek } from '../support/groups.ts';
import { oracle } from '../support/oracle.ts';
import { freePort } from '../support/ports.ts';
import { playedBy, type RoundsReport, type StartableGroup } from './group-rounds.ts';
import type { Ground } from './machines.ts';
import { Member } from './member.ts';
import { SentinelSet, type Watched } from './sentinel-set.ts';

const SERVERS = 3;
/** As the election timeout of the group of Raft. */
const DOWN_AFTER = 1000;
/** Histories that are named. */
const SHOWN = 3;

const KEPT_BY_REPLICAS = ['min-replicas-to-write 1'];
const SETTINGS = {
  defaults: [],
  minReplicas: KEPT_BY_REPLICAS,
  strictest: [...KEPT_BY_REPLICAS, 'min-replicas-max-lag 1', 'appendonly yes', 'appendfsync always'],
} as const;

class SentinelGroup implements StartableGroup<readonly string[]> {
  readonly members: Member[] = [];
  private readonly set = new SentinelSet<Watched>(DOWN_AFTER);

  async start({ machines }: Ground, settings: readonly string[]): Promise<void> {
    const lines = ['protected-mode no', 'repl-diskless-sync-delay 0', ...settings];
    for (const machine of machines) {
      const server = new Member(await freePort(), [oracle('redis-server')], machine);
      await this.set.addServer({ server, at: server.place }, lines);
      this.members.push(server);
    }
    for (const machine of machines)
      await this.set.addSentinel(new Member(await freePort(), [oracle('redis-server')], machine));
    await this.settled();
  }

  async leads(member: Member): Promise<boolean> {
    if (!(await isMaster(member))) return false;
    const named = await Promise.all(this.set.sentinels.map((sentinel) => this.set.master(sentinel)));
    return named.some((each) => each?.server === member);
  }

  async leader(): Promise<Member> {
    const [sentinel] = this.set.sentinels;
    const master = await this.set.master(sentinel);
    if (master === undefined) throw new Error('nobody says who the master is');
    return master.server;
  }

  seek(): Seek {
    let turn = 0;
    return async () => {
      const master = await this.set.master(this.set.sentinels[turn++ % this.set.sentinels.length]);
      return master !== undefined && (await isMaster(master.server)) ? master.at : undefined;
    };
  }

  settled(): Promise<void> {
    return this.set.settled();
  }

  stop(): Promise<void> {
    return this.set.stop();
  }
}

async function isMaster(server: Member): Promise<boolean> {
  const role = await server.ask('ROLE').catch(() => null);
  return Array.isArray(role) && role[0] === 'master';
}

async function sentinelGroupRounds(count: number, seed: number, settings: readonly string[]): Promise<RoundsReport> {
  const report = await playedBy(new SentinelGroup(), settings, SERVERS, count, seed);
  report.unexplained.splice(SHOWN);
  return report;
}

/** So many rounds with each of the settings. */
export async function sentinelLosses(
  count: number,
  seed: number,
): Promise<Record<keyof typeof SETTINGS, RoundsReport>> {
  const { defaults, minReplicas, strictest } = SETTINGS;
  return {
    defaults: await sentinelGroupRounds(count, seed, defaults),
    minReplicas: await sentinelGroupRounds(count, seed, minReplicas),
    strictest: await sentinelGroupRounds(count, seed, strictest),
  };
}
