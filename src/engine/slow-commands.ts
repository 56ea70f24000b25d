/** Commands that take long: the slow log, latency events of commands, and whoever else wants to know of them. */
import { unixSeconds } from '../base/time.ts';
import type { Call } from './call.ts';
import { flagBit } from './derive.ts';
import type { Engine } from './engine.ts';
import { isSecret, REDACTED } from './redact.ts';
import { SlowLog } from './slowlog.ts';

const MAX_ARGUMENTS = 32;
const MAX_LENGTH = 128;
const SKIPPED = flagBit('skip_slowlog');
const FAST = flagBit('fast');

/** The arguments as the log keeps them: long ones and the end of a long list cut. */
function keptArguments(c: Call): string[] {
  const shown = c.argc > MAX_ARGUMENTS ? MAX_ARGUMENTS - 1 : c.argc;
  const kept: string[] = [];
  for (let i = 0; i < shown; i++) {
    const arg = c.arg(i);
    if (isSecret(c.registered, c.args, i, c.engine.server.config)) kept.push(REDACTED);
    else if (arg.length > MAX_LENGTH)
      kept.push(`${arg.beginning(MAX_LENGTH)}... (${arg.length - MAX_LENGTH} more bytes)`);
    else kept.push(arg.beginning(MAX_LENGTH));
  }
  if (shown < c.argc) kept.push(`... (${c.argc - shown} more arguments)`);
  return kept;
}

export class SlowCommands {
  /** Calls that take this many microseconds or more are handed to `saw`; Infinity for none. */
  threshold = Number.POSITIVE_INFINITY;
  readonly log = new SlowLog();
  private readonly engine: Engine;
  private readonly listeners: ((c: Call, microseconds: number) => void)[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
    const { config } = engine.server;
    config.follow(['slowlog-log-slower-than', 'latency-monitor-threshold', 'watchdog-period'], (s) => {
      const slow = s.slowlogLogSlowerThan < 0 ? Number.POSITIVE_INFINITY : s.slowlogLogSlowerThan;
      engine.latency.threshold = s.latencyMonitorThreshold;
      const spike = s.latencyMonitorThreshold > 0 ? s.latencyMonitorThreshold * 1000 : Number.POSITIVE_INFINITY;
      const held = s.watchdogPeriod > 0 ? s.watchdogPeriod * 500 : Number.POSITIVE_INFINITY;
      this.threshold = Math.min(slow, spike, held);
    });
    config.follow('slowlog-max-len', (s) => {
      this.log.max = s.slowlogMaxLen;
    });
  }

  /** Tells `listener` of each call that passes the threshold as well. */
  listen(listener: (c: Call, microseconds: number) => void): void {
    this.listeners.push(listener);
  }

  /** A command has taken long. */
  saw(c: Call, microseconds: number): void {
    const { engine } = this;
    const { slowlogLogSlowerThan } = engine.server.settings;
    const kind = c.registered.has(FAST) ? 'fast-command' : 'command';
    engine.latency.observe(kind, microseconds / 1000, engine.clock.now());
    for (const listener of this.listeners) listener(c, microseconds);
    if (slowlogLogSlowerThan < 0 || microseconds < slowlogLogSlowerThan || c.registered.has(SKIPPED)) return;
    this.log.add({
      time: unixSeconds(engine.clock),
      microseconds: Math.round(microseconds),
      args: keptArguments(c),
      address: c.session.port.address,
      name: c.session.name,
    });
  }
}
