/**
 * Around the rules of Sentinel: time, links, names, programs and the file come in as inputs, and what the rules put out is
 * done, in its order.
 *
 *   timer, links, look-ups, programs, commands ──> input() ──> rules.step ──> outputs: links, events, answers, programs
 *                                                                        └──> the newest configuration, written once a step
 *
 * Nothing that promises a configuration leaves before that is on the disk: an answer waits for the version that it names.
 * Where the disk refuses, whoever administers gets an error and another Sentinel nothing, until a later version is written.
 *
 * Invariant: a step is over, with all its outputs, before the next input is looked at.
 */
import { Inputs } from '../base/inputs.ts';
import type { Network } from '../base/network.ts';
import type { Program, Programs } from '../base/programs.ts';
import type { Random } from '../base/random.ts';
import { sliceOf } from '../base/slice.ts';
import { systemError } from '../base/system-error.ts';
import type { Clock, Timer } from '../base/time.ts';
import type { PubSub } from '../engine/pubsub.ts';
import type { Log } from '../engine/server-port.ts';
import type { Dialer } from '../links/link.ts';
import type { Configuration } from './configuration.ts';
import { Connections, type LinkSettings } from './connections.ts';
import type { Answer, Command, Input, Output } from './messages.ts';
import { Sentinel } from './sentinel.ts';
import type { Script, SentinelState } from './state.ts';

export interface ShellParts {
  readonly configuration: Configuration;
  /** Whether the configuration had no id, so that it is news. */
  readonly fresh: boolean;
  /** The port that others are told. */
  readonly port: number;
  readonly settings: LinkSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly programs: Programs | null;
  /** Where programs run, and their paths begin. */
  readonly folder: () => string;
  readonly dialer: Dialer;
  readonly pubsub: PubSub;
  readonly log: Log;
  /** Writes the configuration file and syncs it; throws what the system says. */
  readonly write: (configuration: Configuration) => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** Ticks a second: from LEAST on, fewer than twice as many, by chance, so that Sentinels don't vote all at once. */
const LEAST_HZ = 10;
const NOT_SAVED: Answer = { kind: 'error', text: 'ERR Failed to save config file' };
/** What a program leaves with that can't be started. */
const NOT_STARTED = 99;

/** Somebody who waits for the answer to a command. */
interface Asking {
  readonly take: (answer: Answer) => void;
  /** Another Sentinel, who gets nothing rather than an error. */
  readonly isPeer: boolean;
}

interface Held {
  readonly asking: Asking;
  readonly answer: Answer;
  readonly after: number;
}

export class Shell {
  readonly parts: ShellParts;
  private readonly rules: Sentinel;
  private readonly connections: Connections;
  private readonly inputs = new Inputs<Input>((input) => this.step(input));
  private timer: Timer | null = null;
  private stopped = false;
  /** The newest configuration that a step asked for and that is not written yet. */
  private unwritten: Extract<Output, { kind: 'persist' }> | null = null;
  private durable = 0;
  /** Answers that wait for a version to be durable, in the order in which they were given. */
  private held: Held[] = [];
  private readonly programs = new Map<Script, Program>();

  constructor(parts: ShellParts) {
    const { configuration, port, random, dialer, settings } = parts;
    this.parts = parts;
    this.rules = new Sentinel(configuration, port, random, this.now);
    this.connections = new Connections(dialer, settings, {
      opened: (connection, localIp) => this.input({ kind: 'connected', connection, localIp }),
      lost: (connection, reason) => this.input({ kind: 'lost', connection, reason }),
      replied: (connection, request, reply) => this.input({ kind: 'reply', connection, request, reply }),
      heard: (connection, text) => this.input({ kind: 'hello', connection, text }),
    });
  }

  get state(): SentinelState {
    return this.rules.state;
  }

  /** The time of the rules: milliseconds that never go back, and more than 0. */
  get now(): number {
    return Math.floor(this.parts.clock.monotonic() / 1000) + 1;
  }

  /** Begins to watch. */
  start(): void {
    const { configuration, fresh, log } = this.parts;
    if (fresh) {
      const reason = this.save(configuration);
      if (reason === undefined) log.notice('Sentinel new configuration saved on disk');
      else log.warning(`WARNING: Sentinel was not able to save the new configuration on disk!!!: ${reason}`);
    }
    log.warning(`Sentinel ID is ${configuration.myid}`);
    this.tick();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.connections.closeAll();
  }

  /** Gives the answer to `take`: before this returns, or, where it waits for the disk, later or never. */
  ask(command: Command, take: (answer: Answer) => void): void {
    const asker: Asking = { take, isPeer: command.name === 'is-master-down-by-addr' };
    this.input({ kind: 'command', asker, command });
  }

  /** Whether a path is that of a program that may be run. */
  runnable(path: string): boolean {
    const { programs, folder } = this.parts;
    return programs?.runnable(folder(), path) ?? false;
  }

  /** A message that somebody published at us. */
  hear(text: string): void {
    this.input({ kind: 'hello', connection: null, text });
  }

  private tick(): void {
    this.input({ kind: 'tick' });
    if (this.stopped) return;
    const { clock, random } = this.parts;
    this.timer = clock.after(1000 / (LEAST_HZ + random.below(LEAST_HZ)), () => this.tick());
  }

  private input(input: Input): void {
    if (!this.stopped) this.inputs.put(input);
  }

  private step(input: Input): void {
    for (const output of this.rules.step(this.now, input)) this.carryOut(output);
    this.persist();
  }

  private carryOut(output: Output): void {
    switch (output.kind) {
      case 'connect':
        this.connections.connect(output.connection);
        break;
      case 'disconnect':
        this.connections.disconnect(output.connection);
        break;
      case 'send':
        this.connections.send(output.connection, output.request);
        break;
      case 'event':
        this.tell(output);
        break;
      case 'persist':
        this.unwritten = output;
        break;
      case 'answer':
        this.answer({ asking: output.asker as Asking, answer: output.answer, after: output.after });
        break;
      case 'resolve':
        this.resolve(output.host);
        break;
      case 'run-script':
        this.run(output.script);
        break;
      case 'kill-script':
        this.programs.get(output.script)?.kill();
        break;
      case 'exit':
        this.persist();
        this.parts.exit(output.code);
        break;
    }
  }

  private tell({ level, type, text }: Extract<Output, { kind: 'event' }>): void {
    const { log, pubsub } = this.parts;
    log[level](type === '' ? text : `${type} ${text}`);
    if (type !== '' && level !== 'debug') pubsub.publish(sliceOf(type), sliceOf(text));
  }

  // The file.

  private persist(): void {
    const { unwritten } = this;
    if (unwritten === null) return;
    this.unwritten = null;
    const { version, configuration } = unwritten;
    const reason = this.save(configuration);
    if (reason === undefined) {
      this.durable = version;
      this.inputs.put({ kind: 'persisted', version });
    } else this.inputs.put({ kind: 'persist-failed', version, reason });
    this.release(version);
  }

  /** Writes a configuration; what the system said where it can't be. */
  private save(configuration: Configuration): string | undefined {
    try {
      this.parts.write(configuration);
      return undefined;
    } catch (error) {
      return systemError(error);
    }
  }

  private answer(held: Held): void {
    if (held.after <= this.durable) held.asking.take(held.answer);
    else this.held.push(held);
  }

  /** It is known of `version` whether it is durable: who waited for it or for one before is answered. */
  private release(version: number): void {
    const { held, durable } = this;
    this.held = held.filter(({ asking, after }) => after > durable && (after > version || asking.isPeer));
    for (const { asking, answer, after } of held) {
      if (after <= durable) asking.take(answer);
      else if (after <= version && !asking.isPeer) asking.take(NOT_SAVED);
    }
  }

  // Names and programs.

  private resolve(host: string): void {
    void this.parts.network.addresses(host).then((ips) => this.input({ kind: 'resolved', host, ips }));
  }

  private run(script: Script): void {
    const { programs, folder } = this.parts;
    const ended = (exitCode: number, signal: number): void => {
      this.programs.delete(script);
      this.input({ kind: 'script-ended', script, exitCode, signal });
    };
    const program = programs?.start(folder(), script.words, ({ exitCode, signal }) => ended(exitCode, signal));
    if (program === undefined) {
      ended(NOT_STARTED, 0);
      return;
    }
    this.programs.set(script, program);
    if (program.pid !== 0) this.input({ kind: 'script-started', script, pid: program.pid });
  }
}
