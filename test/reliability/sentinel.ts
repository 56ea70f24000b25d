/**
 * Rounds with real processes: three Sentinels, a master and two replicas, of which something fails in each round and heals.
 *
 *   writer ──> server <── proxy <── Sentinels, replicas      a server is cut off by its proxy, and still heard by the writer
 *
 * A proxy cuts off by resets, or in silence: then connections stay, and what is sent over them comes when it heals.
 *
 * What must hold: another master within down-after and 5 s where the master has failed; no write accepted by a master that
 * is cut off for longer than min-replicas-max-lag and 1 s; after healing one master, on which all Sentinels agree and whom
 * all others follow.
 *
 * That it would find something was shown by a master that takes a replica for good however long it has said nothing: only
 * the silent rounds tell, "a write was taken 4001 ms after the master was cut off".
 */
import { writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { SeededRandom } from '../../src/base/random.ts';
import { freePort } from '../support/ports.ts';
import { ask, MASTER_NAME } from '../support/sentinels.ts';
import { pause, Raw, until } from './harness.ts';
import { Member } from './member.ts';

const DOWN_AFTER = 1000;
const MAX_LAG = 2;
/** Milliseconds beyond the figure's that a failover may take, and a healing. */
const FAILOVER_PATIENCE = DOWN_AFTER + 5000;
const HEALING_PATIENCE = 90_000;
const WRITE_PERIOD = 20;
/** Milliseconds between two looks at Sentinels and servers. */
const LOOK_PERIOD = 100;
/** Characters of a log that a failure shows. */
const LOG_SHOWN = 4000;

export interface SentinelReport {
  rounds: number;
  kills: number;
  stops: number;
  partitions: number;
  silences: number;
  /** Milliseconds. */
  slowestFailover: number;
  /** The last write that a master took after it was cut off, milliseconds after that. */
  latestWrite: number;
  readonly failures: string[];
}

type State = 'open' | 'cut' | 'silent';

/** Passes connections on, until it is told to cut them or to fall silent. */
class Relay {
  port = 0;
  private readonly target: number;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private state: State = 'open';
  /** What was put off because nothing passes. */
  private readonly putOff: (() => void)[] = [];

  constructor(target: number) {
    this.target = target;
    this.server = createServer({ pauseOnConnect: true }, (socket) => this.accept(socket));
  }

  async start(): Promise<void> {
    this.port = await freePort();
    await new Promise<void>((done) => this.server.listen(this.port, '127.0.0.1', done));
  }

  private accept(socket: Socket): void {
    if (this.state === 'cut') socket.destroy();
    else this.unlessSilent(() => this.join(socket, dial(this.target, '127.0.0.1')));
  }

  private join(caller: Socket, callee: Socket): void {
    this.passOn(caller, callee);
    this.passOn(callee, caller);
    caller.resume();
  }

  private passOn(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('error', () => {});
    from.on('data', (bytes) => to.write(bytes));
    from.on('close', () => {
      this.sockets.delete(from);
      this.unlessSilent(() => to.destroy());
    });
  }

  private unlessSilent(action: () => void): void {
    if (this.state === 'silent') this.putOff.push(action);
    else action();
  }

  cut(): void {
    this.state = 'cut';
    for (const socket of this.sockets) socket.destroy();
  }

  /** Nothing passes any more, and nobody is told. */
  fallSilent(): void {
    this.state = 'silent';
    for (const socket of this.sockets) socket.pause();
  }

  heal(): void {
    this.state = 'open';
    for (const socket of this.sockets) socket.resume();
    for (const action of this.putOff.splice(0)) action();
  }

  close(): void {
    this.heal();
    this.cut();
    this.server.close();
  }
}

interface Watched {
  readonly server: Member;
  readonly proxy: Relay;
}

class Rounds {
  private readonly random: SeededRandom;
  private readonly report: SentinelReport;
  private readonly watched: Watched[] = [];
  private readonly sentinels: Member[] = [];

  constructor(random: SeededRandom, report: SentinelReport) {
    this.random = random;
    this.report = report;
  }

  async start(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.addServer();
    for (let i = 0; i < 3; i++) await this.addSentinel();
    await this.settled();
  }

  private async addServer(): Promise<void> {
    const server = new Member(await freePort());
    const proxy = new Relay(server.port);
    await proxy.start();
    const lines = [
      `port ${server.port}`,
      'bind 127.0.0.1',
      'save ""',
      'replica-announce-ip 127.0.0.1',
      `replica-announce-port ${proxy.port}`,
      'min-replicas-to-write 1',
      `min-replicas-max-lag ${MAX_LAG}`,
      'repl-diskless-sync-delay 0',
      'repl-ping-replica-period 1',
      'repl-timeout 5',
      ...(this.watched.length === 0 ? [] : [`replicaof 127.0.0.1 ${this.watched[0].proxy.port}`]),
    ];
    await this.begin(server, 'redis.conf', lines, []);
    this.watched.push({ server, proxy });
  }

  private async addSentinel(): Promise<void> {
    const sentinel = new Member(await freePort());
    const lines = [
      `port ${sentinel.port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${this.watched[0].proxy.port} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER}`,
      `sentinel failover-timeout ${MASTER_NAME} 6000`,
    ];
    await this.begin(sentinel, 'sentinel.conf', lines, ['--sentinel']);
    this.sentinels.push(sentinel);
  }

  private async begin(member: Member, file: string, lines: string[], args: string[]): Promise<void> {
    writeFileSync(join(member.folder, file), `${lines.join('\n')}\n`);
    await member.start([join(member.folder, file), ...args]);
  }

  /** Where a Sentinel says that the master is; undefined where it doesn't say. */
  private async master(sentinel: Member): Promise<Watched | undefined> {
    const said = await ask(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME).catch(() => null);
    const port = Array.isArray(said) ? Number(said[1]) : 0;
    return this.watched.find(({ proxy }) => proxy.port === port);
  }

  /** Everybody agrees and follows, and all is known that a failover needs. */
  private async settled(): Promise<void> {
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
  private logs(): string {
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
      const followed = replication.get('master_port');
      if (followed !== String(master.proxy.port)) return `${server.port} follows ${followed}`;
      if (replication.get('master_link_status') !== 'up') return `${server.port} has no link to its master`;
    }
    for (const sentinel of this.sentinels) {
      const fields = (await ask(sentinel.port, 'SENTINEL', 'MASTER', MASTER_NAME)) as string[];
      const field = (name: string): string => fields[fields.indexOf(name) + 1];
      const known = ['flags', 'num-slaves', 'num-other-sentinels'].map(field).join(' ');
      if (known !== 'master 2 2') return `${sentinel.port} knows ${known}`;
      const instances = [
        ...((await ask(sentinel.port, 'SENTINEL', 'REPLICAS', MASTER_NAME)) as string[][]),
        ...((await ask(sentinel.port, 'SENTINEL', 'SENTINELS', MASTER_NAME)) as string[][]),
      ];
      for (const each of instances) {
        const flags = each[each.indexOf('flags') + 1];
        if (flags !== 'slave' && flags !== 'sentinel') return `${sentinel.port} takes ${each[1]} for ${flags}`;
      }
    }
    return '';
  }

  async play(): Promise<void> {
    const master = await this.master(this.sentinels[0]);
    if (master === undefined) throw new Error('nobody says who the master is');
    const kinds = [this.killRound, this.stopRound, this.resetRound, this.silentRound];
    await kinds[this.report.rounds % kinds.length].call(this, master);
    this.report.rounds++;
    await this.settled();
  }

  /** With the master, sometimes, a Sentinel. */
  private async killRound({ server }: Watched): Promise<void> {
    this.report.kills++;
    const victims = this.random.below(2) === 0 ? [server] : [server, this.sentinels[this.random.below(3)]];
    await Promise.all(victims.map((victim) => victim.kill()));
    await this.failedOver(server, victims);
    for (const victim of victims) await victim.start();
  }

  private async stopRound({ server }: Watched): Promise<void> {
    this.report.stops++;
    server.signal('SIGSTOP');
    await this.failedOver(server, [server]);
    server.signal('SIGCONT');
  }

  private async resetRound(master: Watched): Promise<void> {
    this.report.partitions++;
    master.proxy.cut();
    await this.cutOff(master);
  }

  private async silentRound(master: Watched): Promise<void> {
    this.report.silences++;
    master.proxy.fallSilent();
    await this.cutOff(master);
  }

  /** Writes to a master that has just been cut off, until it must have refused to take more, and then heals. */
  private async cutOff({ server, proxy }: Watched): Promise<void> {
    const since = performance.now();
    const client = new Raw(server.port);
    let last = since;
    let writing = true;
    const writer = async (): Promise<void> => {
      while (writing) {
        if ((await client.ask('SET', 'k', 'v')) === '+OK\r\n') last = performance.now();
        await pause(WRITE_PERIOD);
      }
    };
    const running = writer();
    await this.failedOver(server, []);
    await pause(Math.max(0, since + (MAX_LAG + 2) * 1000 - performance.now()));
    writing = false;
    await running;
    client.destroy();
    const late = Math.round(last - since);
    this.report.latestWrite = Math.max(this.report.latestWrite, late);
    if (late > (MAX_LAG + 1) * 1000) this.fail(`a write was taken ${late} ms after the master was cut off`);
    proxy.heal();
  }

  /** Waits until a Sentinel that lives names another master. */
  private async failedOver(old: Member, gone: readonly Member[]): Promise<void> {
    const since = performance.now();
    const sentinel = this.sentinels.find((each) => !gone.includes(each))!;
    const another = async (): Promise<boolean> => {
      await pause(LOOK_PERIOD);
      const master = await this.master(sentinel);
      return master !== undefined && master.server !== old;
    };
    await until(another, 'another master', HEALING_PATIENCE);
    const took = Math.round(performance.now() - since);
    this.report.slowestFailover = Math.max(this.report.slowestFailover, took);
    if (took > FAILOVER_PATIENCE) this.fail(`another master after ${took} ms\n${this.logs()}`);
  }

  private fail(what: string): void {
    this.report.failures.push(`round ${this.report.rounds}: ${what}`);
  }

  async stop(): Promise<void> {
    for (const { proxy } of this.watched) proxy.close();
    await Promise.all([...this.watched.map(({ server }) => server), ...this.sentinels].map((each) => each.remove()));
  }
}

/** The fields of INFO's section. */
async function replicationOf({ port }: Member): Promise<ReadonlyMap<string, string>> {
  const text = String(await ask(port, 'INFO', 'replication'));
  return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
}

export async function sentinelRounds(count: number, seed: number): Promise<SentinelReport> {
  const report: SentinelReport = {
    rounds: 0,
    kills: 0,
    stops: 0,
    partitions: 0,
    silences: 0,
    slowestFailover: 0,
    latestWrite: 0,
    failures: [],
  };
  const rounds = new Rounds(new SeededRandom(seed), report);
  try {
    await rounds.start();
    while (report.rounds < count) await rounds.play();
  } catch (error) {
    report.failures.push(`round ${report.rounds}: ${error instanceof Error ? error.message : error}`);
  } finally {
    await rounds.stop();
  }
  return report;
}
