/** Servers and the Sentinels that watch them, as processes of rounds: who is master, and whether all is well. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from '../support/groups.ts';
import { MASTER_NAME } from '../support/sentinels.ts';
import { pause, until } from './harness.ts';
import type { Member } from './member.ts';

const HEALING_PATIENCE = 90_000;
/** Milliseconds between two looks at Sentinels and servers. */
export const LOOK_PERIOD = 100;
/** Characters of a log that a failure shows. */
const LOG_SHOWN = 4000;

export interface Watched {
  readonly server: Member;
  /** Where Sentinels and replicas find it. */
  readonly at: Place;
}

export class SentinelSet<Each extends Watched> {
  /** The first is the master when they begin. */
  readonly watched: Each[] = [];
  readonly sentinels: Member[] = [];
  private readonly downAfter: number;

  /** Milliseconds of silence after which a server is taken to be down. */
  constructor(downAfter: number) {
    this.downAfter = downAfter;
  }

  /** Starts a server with these lines in its redis.conf. */
  async addServer(each: Each, lines: readonly string[]): Promise<void> {
    const [master] = this.watched;
    const following = master === undefined ? [] : [`replicaof ${master.at.host} ${master.at.port}`];
    await begin(each.server, 'redis.conf', [...lines, ...following]);
    this.watched.push(each);
  }

  async addSentinel(sentinel: Member): Promise<void> {
    const [{ at }] = this.watched;
    const lines = [
      `sentinel monitor ${MASTER_NAME} ${at.host} ${at.port} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${this.downAfter}`,
      `sentinel failover-timeout ${MASTER_NAME} 6000`,
    ];
    await begin(sentinel, 'sentinel.conf', lines, '--sentinel');
    this.sentinels.push(sentinel);
  }

  /** Where a Sentinel says that the master is; undefined where it doesn't say. */
  async master(sentinel: Member): Promise<Each | undefined> {
    const said = await sentinel.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME).catch(() => null);
    const [host, port] = Array.isArray(said) ? said : [];
    return this.watched.find(({ at }) => at.host === host && String(at.port) === port);
  }

  /** Everybody agrees and follows, and all is known that a failover needs. */
  async settled(): Promise<void> {
    let differs = '';
    const agreed = async (): Promise<boolean> => {
      await pause(LOOK_PERIOD);
      differs = await this.disagreement().catch((error: Error) => error.message);
      return differs === '';
    };
    await until(agreed, 'one master whom all follow', HEALING_PATIENCE).catch((error: Error) => {
      throw new Error(`${error.message}: ${differs}\n${this.logs()}`);
    });
  }

  /** What the Sentinels have said of late. */
  logs(): string {
    return this.sentinels.map(({ port, log }) => `${port}:\n${log.slice(-LOG_SHOWN)}`).join('\n');
  }

  /** What is not yet as it must be; '' where all is. */
  private async disagreement(): Promise<string> {
    const said = await Promise.all(this.sentinels.map((sentinel) => this.master(sentinel)));
    const [master] = said;
    if (master === undefined || said.some((each) => each !== master)) return 'the Sentinels name several masters';
    for (const { server } of this.watched) {
      const replication = await replicationOf(server);
      const isMaster = server === master.server;
      const role = replication.get('role');
      if (role !== (isMaster ? 'master' : 'slave')) return `${server.port} is a ${role}`;
      if (isMaster) continue;
      const followed = `${replication.get('master_host')}:${replication.get('master_port')}`;
      if (followed !== `${master.at.host}:${master.at.port}`) return `${server.port} follows ${followed}`;
      if (replication.get('master_link_status') !== 'up') return `${server.port} has no link to its master`;
    }
    for (const sentinel of this.sentinels) {
      const missing = await this.unknownTo(sentinel);
      if (missing !== '') return `${sentinel.port} ${missing}`;
    }
    return '';
  }

  /** What a Sentinel does not know, or takes for something else. */
  private async unknownTo(sentinel: Member): Promise<string> {
    const fields = (await sentinel.ask('SENTINEL', 'MASTER', MASTER_NAME)) as string[];
    const field = (name: string): string => fields[fields.indexOf(name) + 1];
    const known = ['flags', 'num-slaves', 'num-other-sentinels'].map(field).join(' ');
    if (known !== `master ${this.watched.length - 1} ${this.sentinels.length - 1}`) return `knows ${known}`;
    const instances = [
      ...((await sentinel.ask('SENTINEL', 'REPLICAS', MASTER_NAME)) as string[][]),
      ...((await sentinel.ask('SENTINEL', 'SENTINELS', MASTER_NAME)) as string[][]),
    ];
    for (const each of instances) {
      const flags = each[each.indexOf('flags') + 1];
      if (flags !== 'slave' && flags !== 'sentinel') return `takes ${each[1]} for ${flags}`;
    }
    return '';
  }

  async stop(): Promise<void> {
    await Promise.all([...this.watched.map(({ server }) => server), ...this.sentinels].map((each) => each.remove()));
  }
}

async function begin(member: Member, name: string, lines: readonly string[], ...args: string[]): Promise<void> {
  const file = join(member.folder, name);
  writeFileSync(file, [`port ${member.port}`, `bind ${member.host}`, ...lines, ''].join('\n'));
  await member.start([file, ...args]);
}

/** The fields of INFO's section. */
async function replicationOf(member: Member): Promise<ReadonlyMap<string, string>> {
  const text = String(await member.ask('INFO', 'replication'));
  return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
}
