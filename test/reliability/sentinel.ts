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
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { SeededRandom } from '../../src/base/random.ts';
import { local } from '../support/groups.ts';
import { freePort } from '../support/ports.ts';
import { pause, Raw, until } from './harness.ts';
import { Member } from './member.ts';
import { LOOK_PERIOD, SentinelSet, type Watched } from './sentinel-set.ts';

const DOWN_AFTER = 1000;
const MAX_LAG = 2;
/** Milliseconds beyond the figure's that a failover may take, and a healing. */
const FAILOVER_PATIENCE = DOWN_AFTER + 5000;
const HEALING_PATIENCE = 90_000;
const WRITE_PERIOD = 20;

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

interface Relayed extends Watched {
  readonly proxy: Relay;
}

class Rounds {
  private readonly random: SeededRandom;
  private readonly report: SentinelReport;
  private readonly set = new SentinelSet<Relayed>(DOWN_AFTER);

  constructor(random: SeededRandom, report: SentinelReport) {
    this.random = random;
    this.report = report;
  }

  async start(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.addServer();
    for (let i = 0; i < 3; i++) await this.set.addSentinel(new Member(await freePort()));
    await this.set.settled();
  }

  private async addServer(): Promise<void> {
    const server = new Member(await freePort());
    const proxy = new Relay(server.port);
    await proxy.start();
    const lines = [
      'save ""',
      'replica-announce-ip 127.0.0.1',
      `replica-announce-port ${proxy.port}`,
      'min-replicas-to-write 1',
      `min-replicas-max-lag ${MAX_LAG}`,
      'repl-diskless-sync-delay 0',
      'repl-ping-replica-period 1',
      'repl-timeout 5',
    ];
    await this.set.addServer({ server, proxy, at: local(proxy.port) }, lines);
  }

  async play(): Promise<void> {
    const master = await this.set.master(this.set.sentinels[0]);
    if (master === undefined) throw new Error('nobody says who the master is');
    const kinds = [this.killRound, this.stopRound, this.resetRound, this.silentRound];
    await kinds[this.report.rounds % kinds.length].call(this, master);
    this.report.rounds++;
    await this.set.settled();
  }

  /** With the master, sometimes, a Sentinel. */
  private async killRound({ server }: Relayed): Promise<void> {
    this.report.kills++;
    const victims = this.random.below(2) === 0 ? [server] : [server, this.set.sentinels[this.random.below(3)]];
    await Promise.all(victims.map((victim) => victim.kill()));
    await this.failedOver(server, victims);
    for (const victim of victims) await victim.start();
  }

  private async stopRound({ server }: Relayed): Promise<void> {
    this.report.stops++;
    server.signal('SIGSTOP');
    await this.failedOver(server, [server]);
    server.signal('SIGCONT');
  }

  private async resetRound(master: Relayed): Promise<void> {
    this.report.partitions++;
    master.proxy.cut();
    await this.cutOff(master);
  }

  private async silentRound(master: Relayed): Promise<void> {
    this.report.silences++;
    master.proxy.fallSilent();
    await this.cutOff(master);
  }

  /** Writes to a master that has just been cut off, until it must have refused to take more, and then heals. */
  private async cutOff({ server, proxy }: Relayed): Promise<void> {
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
    const sentinel = this.set.sentinels.find((each) => !gone.includes(each))!;
    const another = async (): Promise<boolean> => {
      await pause(LOOK_PERIOD);
      const master = await this.set.master(sentinel);
      return master !== undefined && master.server !== old;
    };
    await until(another, 'another master', HEALING_PATIENCE);
    const took = Math.round(performance.now() - since);
    this.report.slowestFailover = Math.max(this.report.slowestFailover, took);
    if (took > FAILOVER_PATIENCE) this.fail(`another master after ${took} ms\n${this.set.logs()}`);
  }

  private fail(what: string): void {
    this.report.failures.push(`round ${this.report.rounds}: ${what}`);
  }

  async stop(): Promise<void> {
    for (const { proxy } of this.set.watched) proxy.close();
    await this.set.stop();
  }
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
