/** Servers in this process and the time of an example, which stand still together until a test moves them. */
import { Redis } from 'ioredis';
import type { Surroundings, Time } from '../../examples/surroundings.ts';
import { VirtualClock } from '../../src/base/time.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';

/**
 * Round trips that let what is under way arrive, before time moves on: at least these, for what is no command of ioredis, and
 * at most these while some are not answered, for those may wait at the server until time has moved.
 */
const LEAST_ROUNDS = 2;
const MOST_ROUNDS = 50;

/** Counts the commands of ioredis that are under way, until it is told to stop. */
function watchCommands(): { readonly underWay: () => number; readonly stop: () => void } {
  const { sendCommand } = Redis.prototype;
  let count = 0;
  Redis.prototype.sendCommand = function (command, stream) {
    count++;
    const answered = (): void => {
      count--;
    };
    command.promise.then(answered, answered);
    return sendCommand.call(this, command, stream);
  };
  return {
    underWay: () => count,
    stop: () => {
      Redis.prototype.sendCommand = sendCommand;
    },
  };
}

export class Stage {
  readonly servers: readonly CinnabarServer[];
  readonly lines: string[] = [];
  readonly time: Time;
  private readonly clock: VirtualClock;
  private readonly clients: Redis[] = [];
  private readonly probes: readonly Redis[];
  private readonly commands = watchCommands();
  /** Moments at which sleepers of the example wake. */
  private readonly wakes = new Set<{ readonly at: number }>();

  private constructor(clock: VirtualClock, servers: readonly CinnabarServer[]) {
    this.clock = clock;
    this.servers = servers;
    this.probes = servers.map(({ url }) => new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null }));
    for (const probe of this.probes) probe.on('error', () => {});
    this.time = { now: () => clock.now(), sleep: (milliseconds, signal) => this.sleep(milliseconds, signal) };
  }

  static async open(count = 1): Promise<Stage> {
    const clock = new VirtualClock();
    const settings = { save: '', bind: '127.0.0.1' };
    const servers = Array.from({ length: count }, () => createServer({ clock, port: 0, settings }));
    await Promise.all(servers.map((server) => server.listen()));
    return new Stage(clock, servers);
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  get surroundings(): Surroundings {
    return { url: this.urls[0], time: this.time, print: (line) => this.lines.push(line) };
  }

  client(server = 0): Redis {
    const client = new Redis(this.urls[server]);
    // Its server may be closed by the test.
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** Moves time on, and lets what it wakes do its work. */
  async advance(milliseconds: number): Promise<void> {
    await this.arrive();
    for (let left = milliseconds; left > 0; ) {
      const step = Math.min(left, this.untilWake() ?? left);
      this.clock.advance(step);
      left -= step;
      await this.arrive();
    }
  }

  /** Moves time on for as long as this takes, from one sleeper of the example to the next. */
  async until<T>(outcome: Promise<T>): Promise<T> {
    const state = { over: false };
    const over = (): void => {
      state.over = true;
    };
    outcome.then(over, over);
    for (;;) {
      await this.arrive();
      if (state.over) return outcome;
      this.clock.advance(this.untilWake() ?? 0);
    }
  }

  async close(): Promise<void> {
    this.commands.stop();
    for (const client of [...this.clients, ...this.probes]) client.disconnect();
    await Promise.all(this.servers.map((server) => server.close()));
  }

  private untilWake(): number | undefined {
    if (this.wakes.size === 0) return undefined;
    return Math.max(0, Math.min(...[...this.wakes].map(({ at }) => at)) - this.clock.now());
  }

  private sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    // Timers of Node, too, wait a millisecond at least.
    const whole = Math.max(1, Math.ceil(milliseconds));
    const wake = { at: this.clock.now() + whole };
    return new Promise((done) => {
      const end = (): void => {
        timer.cancel();
        this.wakes.delete(wake);
        signal?.removeEventListener('abort', end);
        done();
      };
      const timer = this.clock.after(whole, end);
      this.wakes.add(wake);
      if (signal?.aborted) end();
      else signal?.addEventListener('abort', end);
    });
  }

  /** What was sent has been answered, and what the answers lead to has been sent and answered, several times over. */
  private async arrive(): Promise<void> {
    for (let i = 0; i < LEAST_ROUNDS || (this.commands.underWay() > 0 && i < MOST_ROUNDS); i++) {
      // A test may have closed some of the servers.
      await Promise.all(this.probes.map((probe) => probe.ping().catch(() => {})));
      await new Promise((done) => setImmediate(done));
    }
  }
}
