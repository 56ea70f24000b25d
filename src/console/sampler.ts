/**
 * Live figures: one look a second for all who watch, and none while nobody does. What commands count anyhow is read; nothing
 * is added to what they do.
 */
import type { Clock, Timer } from '../base/time.ts';
import { LatencyHistogram } from '../engine/histogram.ts';
import { infoFields, infoParts } from './info.ts';
import type { CommandRate, Latencies, MemoryKinds, Sample } from './wire.ts';

const PERIOD_MS = 1000;
/** Five minutes, for who comes later. */
const MOST_SAMPLES = 300;
const MOST_COMMANDS = 12;

/** What is read of a command. */
interface Counted {
  readonly name: string;
  readonly calls: number;
  readonly microseconds: number;
  readonly histogram: LatencyHistogram | null;
}

export interface SamplerParts {
  readonly clock: Clock;
  /** INFO, as it is without arguments. */
  readonly info: () => string;
  /** All commands and subcommands. */
  readonly commands: () => readonly Counted[];
}

/** One look at all that counts. */
interface Look {
  /** Monotonic microseconds. */
  readonly at: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly commands: ReadonlyMap<string, { readonly calls: number; readonly microseconds: number }>;
  readonly times: LatencyHistogram;
}

export class Sampler {
  private readonly parts: SamplerParts;
  private readonly watchers = new Set<(sample: Sample) => void>();
  private samples: Sample[] = [];
  private before: Look | null = null;
  private timer: Timer | null = null;

  constructor(parts: SamplerParts) {
    this.parts = parts;
  }

  /** The latest, oldest first. */
  get latest(): readonly Sample[] {
    return this.samples;
  }

  /** Tells of each sample from now on. */
  watch(watcher: (sample: Sample) => void): void {
    this.watchers.add(watcher);
    if (this.timer !== null) return;
    this.before = this.look();
    this.wait();
  }

  leave(watcher: (sample: Sample) => void): void {
    this.watchers.delete(watcher);
    if (this.watchers.size === 0) this.close();
  }

  close(): void {
    this.watchers.clear();
    this.timer?.cancel();
    this.timer = null;
    this.before = null;
    this.samples = [];
  }

  private wait(): void {
    this.timer = this.parts.clock.after(PERIOD_MS, () => {
      this.wait();
      const look = this.look();
      const sample = sampleOf(look, this.before ?? look, this.parts.clock.now());
      this.before = look;
      if (this.samples.length >= MOST_SAMPLES) this.samples.shift();
      this.samples.push(sample);
      for (const watcher of [...this.watchers]) watcher(sample);
    });
    this.timer.unref();
  }

  private look(): Look {
    const times = new LatencyHistogram();
    const commands = new Map<string, { calls: number; microseconds: number }>();
    for (const { name, calls, microseconds, histogram } of this.parts.commands()) {
      if (calls > 0) commands.set(name, { calls, microseconds });
      if (histogram !== null) times.merge(histogram);
    }
    return { at: this.parts.clock.monotonic(), fields: infoFields(this.parts.info()), commands, times };
  }
}

/** What a counter has grown by; one that was reset counts from there on. */
function growth(now: number, before: number): number {
  return now >= before ? now - before : now;
}

function figure(look: Look, name: string): number {
  return Number(look.fields.get(name) ?? 0);
}

function sampleOf(look: Look, before: Look, at: number): Sample {
  const seconds = Math.max(1e-3, (look.at - before.at) / 1e6);
  const rate = (name: string): number => growth(figure(look, name), figure(before, name)) / seconds;
  const sizes = [...look.fields].filter(([name]) => /^db\d+$/.test(name)).map(([, value]) => infoParts(value));
  const sum = (part: string): number => sizes.reduce((total, size) => total + Number(size.get(part) ?? 0), 0);
  return {
    at,
    uptime: figure(look, 'uptime_in_seconds'),
    operations: rate('total_commands_processed'),
    hits: rate('keyspace_hits'),
    misses: rate('keyspace_misses'),
    expired: rate('expired_keys'),
    evicted: rate('evicted_keys'),
    errors: rate('total_error_replies'),
    input: rate('total_net_input_bytes'),
    output: rate('total_net_output_bytes'),
    processor: 100 * (rate('used_cpu_user') + rate('used_cpu_sys')),
    clients: {
      connected: figure(look, 'connected_clients'),
      blocked: figure(look, 'blocked_clients'),
      replicas: figure(look, 'connected_slaves'),
    },
    memory: memoryOf(look),
    keys: sum('keys'),
    expiring: sum('expires'),
    latency: latencyOf(look, before),
    commands: ratesOf(look, before, seconds),
  };
}

function memoryOf(look: Look): MemoryKinds {
  const used = figure(look, 'used_memory');
  const data = figure(look, 'used_memory_dataset');
  const clients = figure(look, 'mem_clients_normal');
  const buffers = figure(look, 'mem_total_replication_buffers') + figure(look, 'mem_aof_buffer');
  const server = figure(look, 'used_memory_startup');
  return {
    data,
    tables: Math.max(0, used - data - clients - buffers - server),
    clients,
    buffers,
    server,
    used,
    resident: figure(look, 'used_memory_rss'),
    peak: figure(look, 'used_memory_peak'),
    limit: figure(look, 'maxmemory'),
  };
}

function latencyOf(look: Look, before: Look): Latencies | null {
  const times = new LatencyHistogram();
  times.merge(look.times);
  if (look.times.total >= before.times.total) times.merge(before.times, -1);
  if (times.total === 0) return null;
  return { median: times.percentile(50), p99: times.percentile(99), p999: times.percentile(99.9) };
}

function ratesOf(look: Look, before: Look, seconds: number): CommandRate[] {
  const rates: CommandRate[] = [];
  for (const [name, { calls, microseconds }] of look.commands) {
    const old = before.commands.get(name) ?? { calls: 0, microseconds: 0 };
    const called = growth(calls, old.calls) / seconds;
    const time = growth(microseconds, old.microseconds) / seconds;
    if (called > 0) rates.push({ name, calls: called, time });
  }
  return rates.sort((a, b) => b.time - a.time).slice(0, MOST_COMMANDS);
}
