/**
 * A Sentinel of the simulation: its machine, with a clock of its own, and the shell around the rules.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import type { Reply } from '../../src/links/reply-reader.ts';
import type { Configuration } from '../../src/sentinel/configuration.ts';
import type { Answer, Command, Input, Output, Request } from '../../src/sentinel/messages.ts';
import type { Periods } from '../../src/sentinel/periods.ts';
import { verifyState } from '../../src/sentinel/rules/verify.ts';
import { Sentinel } from '../../src/sentinel/sentinel.ts';
import type { Connection } from '../../src/sentinel/state.ts';
import { Cable, type Network } from './network.ts';
import { RulesProcess } from './rules-process.ts';
import type { Respondent } from './sentinel-respondent.ts';
import { Server } from './sentinel-server.ts';

export const SENTINEL_PORT = 26379;
/** Milliseconds after which it is known that nobody is at an address. */
const UNREACHABLE = 1000;

/** What the world wants to know of a Sentinel, and what it finds for it. */
export interface Surroundings {
  readonly network: Network;
  /** Answers are told before the configuration that they rest on is synced: a bug that is to be found. */
  readonly tellsVotesEarly: boolean;
  readonly periods: Readonly<Partial<Periods>>;
  /** Who is reached there now; undefined for nobody. */
  host(ip: string): Respondent | undefined;
  /** What a host name stands for now, as far as is known. */
  lookUp(name: string): readonly string[];
  /** Everything that the rules put out, before it is done. */
  observe(process: SentinelProcess, output: Output): void;
  /** A reply that has come to a Sentinel. */
  heard(process: SentinelProcess, request: Request): void;
  /** An answer that has left a Sentinel. */
  told(process: SentinelProcess, answer: Answer): void;
}

type Asker = { readonly reply: (answer: Answer) => void };

interface Write {
  readonly version: number;
  readonly configuration: Configuration;
}

type Told = Output & { readonly kind: 'answer' };

export class SentinelProcess extends RulesProcess<Write, Told> implements Respondent {
  ip = this.name;
  sentinel!: Sentinel;
  private readonly surroundings: Surroundings;
  private saved: Configuration;
  /** Its clock before ours. */
  private ahead = 0;
  private readonly cables = new Map<Connection, Cable<Respondent>>();
  /** Connections to addresses at which nobody is. */
  private readonly astray = new Set<Connection>();

  constructor(
    surroundings: Surroundings,
    name: string,
    number: number,
    random: SeededRandom,
    configuration: Configuration,
  ) {
    super(surroundings.network, name, number, random);
    this.surroundings = surroundings;
    this.saved = configuration;
  }

  protected begin(): void {
    this.sentinel = new Sentinel(this.saved, SENTINEL_PORT, this.random, this.now());
    Object.assign(this.sentinel.state.periods, this.surroundings.periods);
    this.tick();
  }

  protected hangUp(): void {
    for (const cable of this.cables.values()) cable.close();
    this.cables.clear();
    this.astray.clear();
  }

  jump(ms: number): void {
    this.ahead += ms;
  }

  private now(): number {
    return this.network.timeline.now + this.ahead;
  }

  private tick(): void {
    this.step({ kind: 'tick' });
    verifyState(this.sentinel.state);
    this.after(1000 / (10 + this.random.below(10)), () => this.tick());
  }

  step(input: Input): void {
    if (!this.up) return;
    for (const output of this.sentinel.step(this.now(), input)) {
      this.surroundings.observe(this, output);
      this.perform(output);
    }
  }

  private perform(output: Output): void {
    switch (output.kind) {
      case 'connect':
        this.connect(output.connection);
        break;
      case 'disconnect':
        this.cables.get(output.connection)?.close();
        this.cables.delete(output.connection);
        this.astray.delete(output.connection);
        break;
      case 'send':
        this.send(output.connection, output.request);
        break;
      case 'persist':
        this.persist(output);
        break;
      case 'answer':
        this.releaseInTime(output, this.surroundings.tellsVotesEarly);
        break;
      case 'resolve':
        this.lookUp(output.host);
        break;
      default:
    }
  }

  private lookUp(host: string): void {
    this.after(this.network.latency(), () =>
      this.step({ kind: 'resolved', host, ips: this.surroundings.lookUp(host) }),
    );
  }

  private connect(connection: Connection): void {
    const host = this.surroundings.host(connection.address.ip);
    if (host === undefined) {
      this.astray.add(connection);
      this.after(UNREACHABLE, () => {
        if (this.astray.delete(connection)) this.step({ kind: 'lost', connection, reason: 'No route to host' });
      });
      return;
    }
    const cable = new Cable<Respondent>(this.network, this, host);
    this.cables.set(connection, cable);
    const lost = (): void => {
      if (this.cables.get(connection) !== cable) return;
      this.cables.delete(connection);
      this.step({ kind: 'lost', connection, reason: 'Connection reset by peer' });
    };
    cable.toCallee(() => host.welcome(cable, lost));
    cable.toCallee(() => {
      if (connection.channel === 'pubsub' && host instanceof Server) this.subscribe(connection, cable, host);
      cable.toCaller(() => this.step({ kind: 'connected', connection, localIp: this.ip }));
    });
  }

  private subscribe(connection: Connection, cable: Cable<Respondent>, server: Server): void {
    const tell = (text: string): void => {
      if (this.cables.get(connection) !== cable) server.subscribers.delete(tell);
      else cable.toCaller(() => this.step({ kind: 'hello', connection, text }));
    };
    server.subscribers.add(tell);
    tell('');
  }

  private send(connection: Connection, request: Request): void {
    if (this.astray.has(connection)) return;
    const cable = this.cables.get(connection);
    if (cable === undefined) throw new Error('a request over a connection that there is not');
    const answer = (reply: Reply): void =>
      cable.toCaller(() => {
        this.surroundings.heard(this, request);
        this.step({ kind: 'reply', connection, request, reply });
      });
    cable.toCallee(() => cable.callee.serve(request, answer));
  }

  /** Somebody who administers it gives a command. */
  administer(command: Command): void {
    if (this.frozen) return;
    this.step({ kind: 'command', asker: { reply() {} }, command });
  }

  serve(request: Request, answer: (reply: Reply) => void): void {
    const words = request.commands[0];
    if (words[0] === 'PING') answer(Buffer.from('PONG'));
    else if (words[0] === 'PUBLISH') {
      this.step({ kind: 'hello', connection: null, text: words[2] });
      answer(1);
    } else {
      const [, , host, port, epoch, runid] = words;
      const command = {
        name: 'is-master-down-by-addr',
        host,
        port: Number(port),
        epoch: Number(epoch),
        runid,
      } as const;
      const reply = (told: Answer): void => {
        if (told.kind !== 'vote') throw new Error('a question about a master is answered by a vote');
        answer([told.down ? 1 : 0, Buffer.from(told.leader), told.epoch]);
      };
      this.step({ kind: 'command', asker: { reply }, command });
    }
  }

  protected release({ asker, answer }: Told): void {
    this.surroundings.told(this, answer);
    (asker as Asker).reply(answer);
  }

  protected save({ configuration }: Write): void {
    this.saved = configuration;
  }
}
