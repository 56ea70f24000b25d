/**
 * A world of servers in one process: one virtual clock, one network in memory, for each machine a disk in memory, all from
 * one seed. What happens is a list of lines, the same each time for the same seed and the same script; figures of the real
 * process (memory in INFO) are no part of it.
 *
 *   const world = new World(seed);
 *   const machine = world.machine('a');
 *   const server = await machine.start({ appendonly: 'yes' });
 *   await server.client().call('SET', 'k', 'v');
 *   machine.powerCut();                          or machine.kill(): what was written stays, what was not synced as well
 *   await machine.start();
 *
 * Time passes only in `run` and `pass`: all that is due at a moment is done, to the last promise, before the clock moves on.
 * A process that has ended fires no timer, touches no file and hears nothing.
 */
import type { Duplex } from 'node:stream';
import type RedisParser from 'redis-parser';
import { assert } from '../../src/base/assert.ts';
import type { Environment } from '../../src/base/environment.ts';
import { SeededIds } from '../../src/base/ids.ts';
import { MemoryDisk, type StepWatcher, Storage } from '../../src/base/memory-disk.ts';
import { MemoryNetwork, Wires } from '../../src/base/memory-network.ts';
import { redisParser } from '../../src/base/packages.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type Clock, type Timer, VirtualClock } from '../../src/base/time.ts';
import type { Usage } from '../../src/base/usage.ts';
import { type LogLevel, ServerLog } from '../../src/server/log.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';

const PORT = 6379;
/** Virtual milliseconds after which what is awaited will not come any more. */
const PATIENCE = 600_000;
/** Characters of a reply that the trace shows. */
const SHOWN = 80;

export type Settings = Readonly<Record<string, string | number>>;

/** The clock of a world: what is to be done soon waits for the world to go round. */
class WorldClock extends VirtualClock {
  private due: (() => void)[] = [];

  override soon(action: () => void): void {
    this.due.push(action);
  }

  /** Does what was to be done soon; false when there was nothing. */
  goRound(): boolean {
    const { due } = this;
    this.due = [];
    for (const action of due) action();
    return due.length > 0;
  }
}

/** The clock of one process, which stops with it, and may be faster than the world's and show another wall time. */
class ProcessClock implements Clock {
  private readonly clock: Clock;
  /** Seconds that it counts in one of the world's; the wall time is not counted by it. */
  private readonly rate: number;
  /** Milliseconds of wall time by which it is ahead. */
  private readonly ahead: () => number;
  private ended = false;
  /** What falls due while the process stands still; null while it goes. */
  private held: (() => void)[] | null = null;

  constructor(clock: Clock, rate: number, ahead: () => number) {
    this.clock = clock;
    this.rate = rate;
    this.ahead = ahead;
  }

  now(): number {
    return this.clock.now() + this.ahead();
  }

  micros(): number {
    return this.clock.micros() + this.ahead() * 1000;
  }

  monotonic(): number {
    return Math.floor(this.clock.monotonic() * this.rate);
  }

  after(ms: number, action: () => void): Timer {
    return this.clock.after(ms / this.rate, () => this.unlessEnded(action));
  }

  soon(action: () => void): void {
    this.clock.soon(() => this.unlessEnded(action));
  }

  end(): void {
    this.ended = true;
  }

  stop(): void {
    this.held ??= [];
  }

  /** Everything that has fallen due meanwhile is done at once. */
  goOn(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const action of held) this.soon(action);
  }

  private unlessEnded(action: () => void): void {
    if (this.held !== null) this.held.push(action);
    else if (!this.ended) action();
  }
}

/** Lets the promises and streams go on that can. */
function settle(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

export class World {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly clock = new WorldClock();
  readonly wires: Wires;
  /** What has happened, a line each, with the virtual time in microseconds. */
  readonly trace: string[] = [];
  private readonly machines: Machine[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
    this.wires = new Wires(this.clock, this.derivedRandom());
    this.wires.onTraffic = (what, from, to, bytes) => this.note(`${from} > ${to} ${what} ${bytes}`);
  }

  /** A generator of its own for a part of the world, so that one part does not change what the others draw. */
  derivedRandom(): SeededRandom {
    return new SeededRandom(this.random.bits32(), this.random.bits32(), this.random.bits32());
  }

  note(line: string): void {
    this.trace.push(`${this.clock.monotonic()} ${line}`);
  }

  machine(name: string): Machine {
    const machine = new Machine(this, name);
    this.machines.push(machine);
    return machine;
  }

  /** Goes on until `work` is done; what it answers. Throws where it can't be done any more, with the seed. */
  async run<T>(work: Promise<T>): Promise<T> {
    const state = { done: false };
    const mark = (): void => {
      state.done = true;
    };
    work.then(mark, mark);
    const until = this.clock.now() + PATIENCE;
    await settle();
    while (!state.done) {
      if (this.clock.now() > until) throw new Error(`seed ${this.seed}: what is awaited does not come`);
      await this.step(until);
    }
    return work;
  }

  /** Lets `ms` milliseconds pass. */
  async pass(ms: number): Promise<void> {
    let over = false;
    this.clock.after(ms, () => {
      over = true;
    });
    while (!over) await this.step(Number.POSITIVE_INFINITY);
  }

  /** All that is due now, or else the next moment at which something is. */
  private async step(until: number): Promise<void> {
    await settle();
    if (this.clock.goRound()) return;
    const wait = this.clock.untilNext ?? until - this.clock.now() + 1;
    if (!Number.isFinite(wait)) throw new Error(`seed ${this.seed}: nothing happens any more`);
    this.clock.advance(wait);
  }

  /** Ends all processes. */
  end(): void {
    for (const machine of this.machines) machine.kill();
  }
}

/** A host with a disk, on which a server runs, or none. */
export class Machine {
  readonly name: string;
  readonly world: World;
  storage = new Storage();
  process: Process | null = null;
  /** Milliseconds by which its wall time is ahead of the others', and how fast the clock of the next process runs. */
  ahead = 0;
  rate = 1;
  /** Told of each line of its log, and of each step of its disk before that is done: what it throws is the step's error. */
  onLog: (line: string) => void = () => {};
  onDisk: StepWatcher = () => {};
  syncTakes = 0;
  private processes = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  /** Starts a server, which has loaded what is on the disk when this is done. */
  async start(settings: Settings = {}): Promise<Process> {
    const process = this.launch((surroundings) => {
      const usual = { port: PORT, bind: this.name, 'protected-mode': false, save: '' };
      return createServer({ ...surroundings, persistent: true, settings: { ...usual, ...settings } });
    });
    await this.world.run(process.listening);
    return process;
  }

  /** Starts what `make` makes. */
  launch(make: Maker): Process {
    if (this.process !== null) throw new Error(`${this.name} runs already`);
    const process = new Process(this, ++this.processes, make);
    this.process = process;
    this.world.note(`${this.name} starts`);
    return process;
  }

  /** Milliseconds that its syncs take which are made aside, until it is told otherwise. */
  slow(ms: number): void {
    this.syncTakes = ms;
    if (this.process !== null) this.process.disk.syncTakes = ms;
  }

  /** kill -9: the system goes on, so that what was written is kept, and its peers are told. */
  kill(): void {
    if (this.process === null) return;
    this.world.note(`${this.name} is killed`);
    this.end(false);
  }

  /** What was not synced is lost, but for what chance keeps; peers are told nothing. */
  powerCut(): void {
    this.world.note(`${this.name} loses its power`);
    this.end(true);
    this.storage.powerCut(this.world.random);
  }

  /** The same in the middle of what its process does, which goes on with that where nobody sees it. */
  powerCutWithin(): void {
    assert(this.process !== null, "what is being made is not cut off: it would go on with a disk that is nobody's");
    this.world.note(`${this.name} loses its power in the middle of something`);
    this.process.vanish();
    this.process = null;
    this.storage = this.storage.copy();
    this.storage.powerCut(this.world.random);
  }

  /** Another machine takes its place and its name, with nothing on its disk. */
  replace(): void {
    this.powerCut();
    this.storage = new Storage();
  }

  private end(vanished: boolean): void {
    this.process?.end(vanished);
    this.process = null;
  }
}

export type Surroundings = Environment & { readonly log: ServerLog };
const SAME_USAGE: Usage = {
  memory: () => ({ rss: 64 * 2 ** 20, heapTotal: 16 * 2 ** 20 }),
  cpu: () => ({ user: 0, system: 0 }),
};

/** Makes a server in its surroundings, at port 6379 of the machine. */
export type Maker = (surroundings: Surroundings) => CinnabarServer;

/** A server and what it sees of the world. */
export class Process {
  readonly server: CinnabarServer;
  /** Done when it takes connections and has loaded its data. */
  readonly listening: Promise<void>;
  readonly environment: Environment;
  private readonly machine: Machine;
  private readonly clock: ProcessClock;
  readonly disk: MemoryDisk;
  private readonly network: MemoryNetwork;

  constructor(machine: Machine, number: number, make: Maker) {
    const { world, name, storage } = machine;
    this.machine = machine;
    this.clock = new ProcessClock(world.clock, machine.rate, () => machine.ahead);
    this.disk = new MemoryDisk(storage, this.clock, '/data');
    this.disk.syncTakes = machine.syncTakes;
    this.disk.onStep = (step, path) => {
      if (step !== 'read' && step !== 'stat') world.note(`${name} ${step} ${path}`);
      machine.onDisk(step, path);
    };
    this.network = new MemoryNetwork(world.wires, name);
    this.environment = {
      clock: this.clock,
      random: world.derivedRandom(),
      disk: this.disk,
      network: this.network,
      threads: null,
      programs: null,
      ids: new SeededIds(world.derivedRandom(), number),
      usage: SAME_USAGE,
    };
    this.server = make({ ...this.environment, log: this.log('notice') });
    this.listening = this.server.listen();
  }

  /** It stands still, and goes on as if no time had passed. */
  stop(): void {
    this.clock.stop();
  }

  goOn(): void {
    this.clock.goOn();
  }

  private log(level: LogLevel): ServerLog {
    const { world, name } = this.machine;
    const sink = (line: string): void => {
      world.note(`${name} log ${line.trimEnd()}`);
      this.machine.onLog(line);
    };
    return new ServerLog({ file: '', level, format: 'redis', sink, environment: this.environment });
  }

  end(vanished: boolean): void {
    this.clock.end();
    this.disk.cutOff();
    this.network.cutOff(vanished);
  }

  /** It ends for all others; what it still does with its disk has to be harmless. */
  vanish(): void {
    this.clock.end();
    this.network.cutOff(true);
    this.disk.onStep = () => {};
  }

  /** A connection to it from outside of all machines, which has been made when this is done. */
  client(from = 'client'): Client {
    return new Client(this.machine.world, from, this.machine.name);
  }
}

/** A client of the network that knows the replies to its requests by their order. */
export class Client {
  private readonly world: World;
  private readonly name: string;
  private readonly stream: Duplex;
  private readonly parser: RedisParser;
  private readonly waiting: { resolve: (reply: unknown) => void; reject: (error: Error) => void }[] = [];
  private failure: Error | null = null;

  constructor(world: World, from: string, host: string) {
    this.world = world;
    this.name = `${from}:${host}`;
    this.stream = new MemoryNetwork(world.wires, from).connect({ host, port: PORT });
    const Parser = redisParser();
    const heard = (reply: unknown): void => this.heard(reply);
    this.parser = new Parser({ returnReply: heard, returnError: heard });
    this.stream.on('data', (bytes: Buffer) => this.parser.execute(bytes));
    this.stream.on('error', (error) => this.fail(error));
    this.stream.on('close', () => this.fail(new Error('the connection is closed')));
  }

  /** Sends a command; time has to pass before its reply is there. */
  send(...words: readonly string[]): Promise<unknown> {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.world.note(`${this.name} asks ${words.join(' ')}`);
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.stream.write(`*${words.length}\r\n${parts.join('')}`);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** The same, with the time that it takes. */
  call(...words: readonly string[]): Promise<unknown> {
    return this.world.run(this.send(...words));
  }

  close(): void {
    this.stream.destroy();
  }

  private heard(reply: unknown): void {
    this.world.note(`${this.name} hears ${shown(reply)}`);
    this.waiting.shift()?.resolve(reply);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}

/** A reply in a line of the trace: long ones by their sums. */
function shown(reply: unknown): string {
  const text = reply instanceof Error ? reply.message : JSON.stringify(reply);
  return text.length < SHOWN ? text : `${text.slice(0, SHOWN)}... of ${text.length} characters`;
}
