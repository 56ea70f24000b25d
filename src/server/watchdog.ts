/**
 * Logs what held the event loop for `watchdog-period` milliseconds or longer: nobody was served meanwhile.
 *
 * A timer that fires late tells how long the loop was held; the durations of commands, and what the collector says of
 * itself, tell by what. With the setting at 0 there is no timer and nothing is observed.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import type { Clock, Timer } from '../base/time.ts';
import type { Config } from '../config/config.ts';
import type { Call } from '../engine/call.ts';
import type { Engine } from '../engine/engine.ts';

const SHORTEST_STEP = 10;

export class Watchdog {
  private readonly engine: Engine;
  private readonly clock: Clock;
  private period = 0;
  private running = false;
  private timer: Timer | null = null;
  private collector: PerformanceObserver | null = null;
  /** The longest command since the timer fired last, and how long the collector ran, in ms. */
  private command = '';
  private commandMilliseconds = 0;
  private collecting = 0;

  constructor(engine: Engine, config: Config, clock: Clock) {
    this.engine = engine;
    this.clock = clock;
    config.follow('watchdog-period', (s) => {
      this.period = s.watchdogPeriod;
      if (this.running) this.start();
    });
    engine.slow.listen((c, microseconds) => {
      if (this.period > 0) this.saw(c, microseconds / 1000);
    });
  }

  stop(): void {
    this.running = false;
    this.rest();
  }

  private rest(): void {
    this.timer?.cancel();
    this.timer = null;
    this.collector?.disconnect();
    this.collector = null;
  }

  start(): void {
    this.running = true;
    this.rest();
    if (this.period === 0) return;
    this.collector = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.collecting += duration;
    });
    this.collector.observe({ entryTypes: ['gc'] });
    this.wait();
  }

  private saw(c: Call, milliseconds: number): void {
    if (milliseconds <= this.commandMilliseconds) return;
    this.commandMilliseconds = milliseconds;
    this.command = `'${c.registered.name}' of client ${c.session.describe()}`;
  }

  private wait(): void {
    const step = Math.max(SHORTEST_STEP, this.period / 2);
    const start = this.clock.monotonic();
    this.timer = this.clock.after(step, () => {
      const late = (this.clock.monotonic() - start) / 1000 - step;
      // The collector's figures come a moment later than the timer.
      if (late >= this.period) this.timer = this.clock.after(1, () => this.report(late));
      else this.goOn();
    });
  }

  private goOn(): void {
    this.command = '';
    this.commandMilliseconds = 0;
    this.collecting = 0;
    this.wait();
  }

  private report(late: number): void {
    const held = Math.max(late, this.commandMilliseconds);
    this.engine.server.log.warning(`WATCHDOG: the event loop was held for ${Math.round(held)} ms, ${this.cause(held)}`);
    this.goOn();
  }

  private cause(held: number): string {
    if (this.commandMilliseconds * 2 >= held)
      return `${Math.round(this.commandMilliseconds)} ms of them by the command ${this.command}`;
    if (this.collecting * 2 >= held) return `${Math.round(this.collecting)} ms of them by garbage collection`;
    return 'by many short commands, background work, or a system that gave no time';
  }
}
