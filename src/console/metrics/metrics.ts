/**
 * What redis_exporter tells Prometheus of a server, by the names that it has for it, without its being there: dashboards and
 * alerts that are made for it go on working. What it tells of itself is left out.
 *
 * All comes from commands, run with the rights of whoever asks; what he may not run is missing.
 */
import type { Clock } from '../../base/time.ts';
import type { ParsedReply } from '../../protocol/reply-parser.ts';
import { infoFields, infoParts } from '../info.ts';
import type { ConsoleSession } from '../page-stream.ts';
import { CLUSTER_GAUGES, COUNTERS, FAMILIES, type Figure, GAUGES } from './families.ts';
import { type Labels, MetricsText, type MetricType } from './text.ts';

const SETTINGS = ['maxclients', 'maxmemory', 'io-threads', 'databases'] as const;
const USUAL_DATABASES = 16;

type Fields = ReadonlyMap<string, string>;

class Metrics {
  readonly text = new MetricsText();
  private readonly session: ConsoleSession;
  private readonly clock: Clock;

  constructor(session: ConsoleSession, clock: Clock) {
    this.session = session;
    this.clock = clock;
  }

  /** The reply; null where the command is refused, or there is none of that name. */
  private ask(...words: string[]): Promise<ParsedReply> {
    return this.session.call(...words.map((word) => Buffer.from(word, 'latin1'))).catch(() => null);
  }

  private put(family: string, value: number, labels?: Labels, suffix?: string): void {
    this.text.add(family, FAMILIES[family], value, labels, suffix);
  }

  async collect(): Promise<void> {
    const fields = infoFields(textOf(await this.ask('INFO', 'everything')));
    this.put('up', fields.size > 0 ? 1 : 0);
    if (fields.size === 0) return;
    this.put('start_time_seconds', Math.floor(this.clock.now() / 1000) - Number(fields.get('uptime_in_seconds')));
    this.instance(fields);
    this.figures('gauge', GAUGES, fields);
    this.figures('counter', COUNTERS, fields);
    const settings = mapOf(await this.ask('CONFIG', 'GET', ...SETTINGS));
    for (const name of ['maxclients', 'maxmemory', 'io-threads'] as const)
      this.put(`config_${name.replace('-', '_')}`, numberIn(settings.get(name)));
    this.databases(fields, Number(settings.get('databases') ?? USUAL_DATABASES));
    this.commands(fields);
    this.replication(fields);
    await this.slow();
    if (fields.get('cluster_enabled') === '1') {
      const cluster = infoFields(textOf(await this.ask('CLUSTER', 'INFO')));
      this.figures('gauge', CLUSTER_GAUGES, cluster, 'CLUSTER INFO');
    }
    if (fields.get('redis_mode') === 'sentinel') await this.sentinel(fields);
  }

  private figures(type: MetricType, figures: readonly Figure[], fields: Fields, source = 'INFO'): void {
    for (const [field, metric, scale = 1] of figures)
      this.text.add(metric, [type, `${field} of ${source}`], numberIn(fields.get(field)) * scale);
  }

  private instance(fields: Fields): void {
    const names = [
      'redis_build_id',
      'redis_mode',
      'redis_version',
      'role',
      'os',
      'maxmemory_policy',
      'process_id',
      'run_id',
    ];
    const labels = Object.fromEntries([...names, 'tcp_port'].map((name) => [name, fields.get(name) ?? '']));
    this.put('instance_info', 1, labels);
  }

  private databases(fields: Fields, count: number): void {
    for (let db = 0; db < count; db++) {
      const parts = infoParts(fields.get(`db${db}`) ?? '');
      const labels = { db: `db${db}` };
      this.put('db_keys', Number(parts.get('keys') ?? 0), labels);
      this.put('db_keys_expiring', Number(parts.get('expires') ?? 0), labels);
      const ttl = Number(parts.get('avg_ttl') ?? 0);
      if (ttl > 0) this.put('db_avg_ttl_seconds', ttl / 1000, labels);
    }
  }

  private commands(fields: Fields): void {
    for (const [name, value] of fields) {
      const parts = infoParts(value);
      const figure = (part: string): number => numberIn(parts.get(part));
      if (name.startsWith('cmdstat_')) {
        const labels = { cmd: name.slice('cmdstat_'.length) };
        this.put('commands_total', figure('calls'), labels);
        this.put('commands_duration_seconds_total', figure('usec') / 1e6, labels);
        this.put('commands_rejected_calls_total', figure('rejected_calls'), labels);
        this.put('commands_failed_calls_total', figure('failed_calls'), labels);
      }
      if (name.startsWith('errorstat_'))
        this.put('errors_total', figure('count'), { err: name.slice('errorstat_'.length) });
      if (name.startsWith('latency_percentiles_usec_'))
        this.percentiles(name.slice('latency_percentiles_usec_'.length), parts, fields);
    }
  }

  private percentiles(cmd: string, parts: Fields, fields: Fields): void {
    for (const [percentile, value] of parts)
      this.put('latency_percentiles_usec', numberIn(value), { cmd, quantile: percentile.slice(1) });
    const total = infoParts(fields.get(`cmdstat_${cmd}`) ?? '');
    this.put('latency_percentiles_usec', numberIn(total.get('usec')), { cmd }, '_sum');
    this.put('latency_percentiles_usec', numberIn(total.get('calls')), { cmd }, '_count');
  }

  private replication(fields: Fields): void {
    for (const [name, value] of fields) {
      if (!/^slave\d+$/.test(name)) continue;
      const parts = infoParts(value);
      const [slave_ip, slave_port, slave_state] = ['ip', 'port', 'state'].map((part) => parts.get(part) ?? '');
      const labels = { slave_ip, slave_port, slave_state };
      this.put('connected_slave_offset_bytes', numberIn(parts.get('offset')), labels);
      this.put('connected_slave_lag_seconds', numberIn(parts.get('lag')), labels);
    }
    if (fields.get('role') !== 'slave') return;
    const labels = { master_host: fields.get('master_host') ?? '', master_port: fields.get('master_port') ?? '' };
    this.put('master_link_up', fields.get('master_link_status') === 'up' ? 1 : 0, labels);
    for (const name of ['master_last_io_seconds_ago', 'master_sync_in_progress', 'slave_repl_offset'])
      this.put(name, numberIn(fields.get(name)), labels);
    this.put('slave_info', 1, { ...labels, read_only: fields.get('slave_read_only') ?? '' });
  }

  private async slow(): Promise<void> {
    const length = await this.ask('SLOWLOG', 'LEN');
    if (typeof length === 'number') {
      this.put('slowlog_length', length);
      const [entry] = listOf(await this.ask('SLOWLOG', 'GET', '1'));
      const [id = 0, , micros = 0] = listOf(entry);
      this.put('slowlog_last_id', Number(id));
      this.put('last_slow_execution_duration_seconds', Number(micros) / 1e6);
    }
    for (const event of listOf(await this.ask('LATENCY', 'LATEST'))) {
      const [name, at, milliseconds] = listOf(event);
      const labels = { event_name: textOf(name) };
      this.put('latency_spike_last', Number(at), labels);
      this.put('latency_spike_duration_seconds', Number(milliseconds) / 1000, labels);
    }
  }

  private async sentinel(fields: Fields): Promise<void> {
    for (const [name, value] of fields) {
      if (!/^master\d+$/.test(name)) continue;
      const parts = infoParts(value);
      const [master_name, master_address, master_status] = ['name', 'address', 'status'].map(
        (part) => parts.get(part) ?? '',
      );
      const labels = { master_name, master_address };
      this.put('sentinel_master_status', 1, { ...labels, master_status });
      this.put('sentinel_master_slaves', numberIn(parts.get('slaves')), labels);
      this.put('sentinel_master_sentinels', numberIn(parts.get('sentinels')), labels);
      const replicas = listOf(await this.ask('SENTINEL', 'REPLICAS', master_name));
      const others = listOf(await this.ask('SENTINEL', 'SENTINELS', master_name));
      this.put('sentinel_master_ok_slaves', replicas.filter(isWell).length, labels);
      this.put('sentinel_master_ok_sentinels', others.filter(isWell).length + 1, labels);
      const quorum = await this.session
        .call(...['SENTINEL', 'CKQUORUM', master_name].map((word) => Buffer.from(word, 'latin1')))
        .then(textOf, (error: Error) => error.message);
      const enough = quorum.startsWith('OK') ? 1 : 0;
      this.put('sentinel_master_ckquorum_status', enough, { master_name, message: quorum });
    }
  }
}

/** Whether a replica or a Sentinel is not taken to be down. */
function isWell(reply: ParsedReply): boolean {
  return !/s_down|o_down|disconnected/.test(mapOf(reply).get('flags') ?? '');
}

/** Figures, and `ok`, which counts as 1; NaN for all else that there is, and for what is not there. */
function numberIn(value: string | undefined): number {
  if (value === undefined || value === '') return Number.NaN;
  if (value === 'ok') return 1;
  return value === 'err' || value === 'fail' ? 0 : Number(value);
}

function textOf(reply: ParsedReply | undefined): string {
  return Buffer.isBuffer(reply) || typeof reply === 'string' ? reply.toString() : '';
}

function listOf(reply: ParsedReply | undefined): readonly ParsedReply[] {
  return Array.isArray(reply) ? reply : [];
}

function mapOf(reply: ParsedReply): Map<string, string> {
  const items = listOf(reply);
  return new Map(Array.from({ length: items.length >> 1 }, (_, i) => [textOf(items[2 * i]), textOf(items[2 * i + 1])]));
}

/** The text for Prometheus. */
export async function metricsOf(session: ConsoleSession, clock: Clock): Promise<string> {
  const metrics = new Metrics(session, clock);
  await metrics.collect();
  return metrics.text.text;
}
