/** The sections of INFO with fixed fields. */
import { release, totalmem, type } from 'node:os';
import { arch } from 'node:process';
import type { Engine } from '../../engine/engine.ts';
import { keptLinks } from '../persistence/migrate.ts';
import { lines, section } from './info-lines.ts';
import { memoryFigures } from './memory-figures.ts';

const UNITS = ['K', 'M', 'G', 'T', 'P'];

/** An amount of memory for people: 1.06M. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${UNITS[unit]}`;
}

function modules({
  server: {
    modules: { loaded },
  },
}: Engine): string {
  return loaded
    .map(({ name, version }) => `module:name=${name},ver=${version},api=1,filters=0,usedby=[],using=[],options=[]\r\n`)
    .join('');
}

function server(engine: Engine): string {
  const { server: port, clock } = engine;
  const { settings, config } = port;
  const now = clock.now();
  const uptime = Math.floor((now - port.startedAt) / 1000);
  const fields = section`
    redis_version:${port.version.text}
    redis_git_sha1:00000000
    redis_git_dirty:0
    redis_build_id:0
    redis_mode:${port.mode}
    os:${type()} ${release()} ${arch === 'x64' ? 'x86_64' : arch}
    arch_bits:64
    monotonic_clock:POSIX clock_gettime
    multiplexing_api:libuv
    atomicvar_api:none
    gcc_version:0.0.0
    node_version:${process.versions.node}
    process_id:${port.environment.ids.process}
    process_supervised:${port.supervisedBy}
    run_id:${port.runId}
    tcp_port:${settings.port !== 0 ? settings.port : settings.tlsPort}
    server_time_usec:${clock.micros()}
    uptime_in_seconds:${uptime}
    uptime_in_days:${Math.floor(uptime / 86400)}
    hz:${settings.hz}
    configured_hz:${settings.hz}
    lru_clock:${Math.floor(now / 1000) & 0xffffff}
    executable:${process.argv[1] ?? process.execPath}
    config_file:${config.file}
    io_threads_active:${engine.stats.ioThreads > 0 ? 1 : 0}
  `;
  const left = port.shutdownTimeLeft;
  return left === null ? fields : fields + lines({ shutdown_in_milliseconds: left });
}

function clients(engine: Engine): string {
  let input = 0;
  let output = 0;
  let counted = 0;
  for (const session of engine.sessions.values()) {
    if (session.role.counted) counted++;
    input = Math.max(input, session.port.queryBytes);
    output = Math.max(output, session.reply.pending);
  }
  return section`
    connected_clients:${counted}
    cluster_connections:${engine.membership.port?.traffic.connections ?? 0}
    maxclients:${engine.server.settings.maxclients}
    client_recent_max_input_buffer:${input}
    client_recent_max_output_buffer:${output}
    blocked_clients:${engine.blocking.count}
    tracking_clients:${engine.tracking.sessions}
    clients_in_timeout_table:${engine.blocking.timed}
  `;
}

function ratio(a: number, b: number): string {
  return b === 0 ? '0.00' : (a / b).toFixed(2);
}

/** What the machine has, which stays as it is: to ask the system takes longer than all the rest of the section. */
const machine = { memory: 0 };

function memory(engine: Engine): string {
  if (machine.memory === 0) machine.memory = totalmem();
  const f = memoryFigures(engine);
  const scripting = engine.scripting.figures();
  const sandboxes = scripting.evalSandboxBytes + scripting.functionSandboxBytes;
  const sources = scripting.scriptBytes + scripting.functionBytes;
  const { settings } = engine.server;
  const { bufferBytes, unboundedBytes } = engine.replication;
  return section`
    used_memory:${f.used}
    used_memory_human:${humanBytes(f.used)}
    used_memory_rss:${f.resident}
    used_memory_rss_human:${humanBytes(f.resident)}
    used_memory_peak:${f.peak}
    used_memory_peak_human:${humanBytes(f.peak)}
    used_memory_peak_perc:${((f.used / f.peak) * 100).toFixed(2)}%
    used_memory_overhead:${f.overhead}
    used_memory_startup:${f.startup}
    used_memory_dataset:${f.dataset}
    used_memory_dataset_perc:${f.datasetPercent.toFixed(2)}%
    used_memory_runtime:${f.runtime}
    used_memory_runtime_human:${humanBytes(f.runtime)}
    allocator_allocated:${f.used}
    allocator_active:${f.active}
    allocator_resident:${f.allocated}
    total_system_memory:${machine.memory}
    total_system_memory_human:${humanBytes(machine.memory)}
    used_memory_lua:${scripting.evalSandboxBytes}
    used_memory_vm_eval:${scripting.evalSandboxBytes}
    used_memory_lua_human:${humanBytes(scripting.evalSandboxBytes)}
    used_memory_scripts_eval:${scripting.scriptBytes}
    number_of_cached_scripts:${scripting.scripts}
    number_of_functions:${scripting.functions}
    number_of_libraries:${scripting.libraries}
    used_memory_vm_functions:${scripting.functionSandboxBytes}
    used_memory_vm_total:${sandboxes}
    used_memory_vm_total_human:${humanBytes(sandboxes)}
    used_memory_functions:${scripting.functionBytes}
    used_memory_scripts:${sources}
    used_memory_scripts_human:${humanBytes(sources)}
    maxmemory:${engine.server.config.text('maxmemory')}
    maxmemory_human:${humanBytes(settings.maxmemory)}
    maxmemory_policy:${settings.maxmemoryPolicy}
    allocator_frag_ratio:${ratio(f.active, f.used)}
    allocator_frag_bytes:${f.active - f.used}
    allocator_rss_ratio:${ratio(f.allocated, f.active)}
    allocator_rss_bytes:${f.allocated - f.active}
    rss_overhead_ratio:${ratio(f.resident - f.runtime, f.allocated)}
    rss_overhead_bytes:${f.resident - f.runtime - f.allocated}
    mem_fragmentation_ratio:${ratio(f.resident - f.runtime, f.used)}
    mem_fragmentation_bytes:${f.resident - f.runtime - f.used}
    mem_not_counted_for_evict:${f.notBounded}
    mem_replication_backlog:${bufferBytes - unboundedBytes}
    mem_total_replication_buffers:${bufferBytes}
    mem_clients_slaves:${unboundedBytes}
    mem_clients_normal:${f.clients}
    mem_cluster_links:${engine.membership.port?.traffic.bytes ?? 0}
    mem_aof_buffer:${engine.server.persistence.aofBuffer}
    mem_allocator:cinnabar
    active_defrag_running:${engine.defrag.running}
    lazyfree_pending_objects:${f.lazyPending}
    lazyfreed_objects:${f.lazyFreed}
  `;
}

function persistence(engine: Engine): string {
  let text = '';
  for (const figures of engine.server.persistence.figures()) text += lines(figures);
  return text;
}

function stats(engine: Engine): string {
  const { stats: s, pubsub, tracking } = engine;
  const { syncs } = engine.replication;
  const exceeded = s.evictionExceededSince === 0 ? 0 : engine.clock.monotonic() - s.evictionExceededSince;
  return section`
    total_connections_received:${s.connections}
    total_commands_processed:${s.commands}
    instantaneous_ops_per_sec:${s.rates.commands}
    total_net_input_bytes:${s.netInput}
    total_net_output_bytes:${s.netOutput}
    total_net_repl_input_bytes:${s.netReplInput}
    total_net_repl_output_bytes:${s.netReplOutput}
    instantaneous_input_kbps:${s.rates.input.toFixed(2)}
    instantaneous_output_kbps:${s.rates.output.toFixed(2)}
    instantaneous_input_repl_kbps:${s.rates.replInput.toFixed(2)}
    instantaneous_output_repl_kbps:${s.rates.replOutput.toFixed(2)}
    rejected_connections:${s.rejectedConnections}
    sync_full:${syncs.full}
    sync_partial_ok:${syncs.partialOk}
    sync_partial_err:${syncs.partialRefused}
    expired_keys:${s.expired}
    expired_stale_perc:${s.expiredStalePercent.toFixed(2)}
    expired_time_cap_reached_count:${s.expiredTimeCapReached}
    expire_cycle_cpu_milliseconds:${Math.floor(s.expireCycleMilliseconds)}
    evicted_keys:${s.evicted}
    evicted_clients:${s.evictedClients}
    total_eviction_exceeded_time:${Math.floor((s.evictionExceededMicros + exceeded) / 1000)}
    current_eviction_exceeded_time:${Math.floor(exceeded / 1000)}
    keyspace_hits:${s.keyspaceHits}
    keyspace_misses:${s.keyspaceMisses}
    pubsub_channels:${pubsub.channels.size}
    pubsub_patterns:${pubsub.patterns.size}
    pubsubshard_channels:${pubsub.shardChannels.size}
    latest_fork_usec:${engine.server.persistence.forkMicros}
    total_forks:${engine.server.persistence.forks}
    migrate_cached_sockets:${keptLinks(engine)}
    slave_expires_tracked_keys:${engine.keyspaces.localExpiry?.size ?? 0}
    active_defrag_hits:${engine.memory.moves}
    active_defrag_misses:${engine.memory.stays}
    active_defrag_key_hits:${engine.keyspaces.defragmenter.keyHits}
    active_defrag_key_misses:${engine.keyspaces.defragmenter.keyMisses}
    total_active_defrag_time:${engine.defrag.totalMilliseconds(engine.clock.monotonic())}
    current_active_defrag_time:${engine.defrag.currentMilliseconds(engine.clock.monotonic())}
    tracking_total_keys:${tracking.keys}
    tracking_total_items:${tracking.items}
    tracking_total_prefixes:${tracking.prefixes}
    unexpected_error_replies:${s.unexpectedErrorReplies}
    total_error_replies:${s.errorReplies}
    dump_payload_sanitizations:${engine.server.persistence.sanitized}
    total_reads_processed:${s.totalReads}
    total_writes_processed:${s.totalWrites}
    io_threaded_reads_processed:${s.ioThreadedReads}
    io_threaded_writes_processed:${s.ioThreadedWrites}
    reply_buffer_shrinks:${engine.pool.figures.shrinks}
    reply_buffer_expands:${engine.pool.figures.expands}
  `;
}

function replication(engine: Engine): string {
  return lines(engine.replication.figures());
}

function cpu(engine: Engine): string {
  const { user, system } = engine.server.environment.usage.cpu();
  const seconds = (micros: number) => (micros / 1e6).toFixed(6);
  return section`
    used_cpu_sys:${seconds(system)}
    used_cpu_user:${seconds(user)}
    used_cpu_sys_children:0.000000
    used_cpu_user_children:0.000000
    used_cpu_sys_main_thread:${seconds(system)}
    used_cpu_user_main_thread:${seconds(user)}
  `;
}

function keyspace(engine: Engine): string {
  let text = '';
  for (const db of engine.keyspaces.databases)
    if (db.size > 0 || db.expiring > 0)
      text += `db${db.index}:keys=${db.size},expires=${db.expiring},avg_ttl=${Math.floor(db.averageTtl)}\r\n`;
  return text;
}

/** Name as it is asked for, title, content; in the order of INFO, without those that have a line a command. */
export const SECTIONS: readonly (readonly [string, string, (engine: Engine) => string])[] = [
  ['server', 'Server', server],
  ['clients', 'Clients', clients],
  ['memory', 'Memory', memory],
  ['persistence', 'Persistence', persistence],
  ['stats', 'Stats', stats],
  ['replication', 'Replication', replication],
  ['cpu', 'CPU', cpu],
  ['modules', 'Modules', modules],
  ['cluster', 'Cluster', (engine) => lines({ cluster_enabled: engine.server.mode === 'cluster' ? 1 : 0 })],
  ['keyspace', 'Keyspace', keyspace],
];
