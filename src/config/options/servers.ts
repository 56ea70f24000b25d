/** Settings of servers that work together. */
import { bool, INT_MAX, integer, LONG_MAX, memory, string, unsignedMemory, word } from '../kinds.ts';
import { option } from '../option.ts';
import { replicaOf } from '../special.ts';

/** For replication/. */
export const replication = [
  option('replicaof', replicaOf, 'The master to follow: host and port.', { immutable: true, aliases: ['slaveof'] }),
  option('masteruser', string('', { emptyIsNone: true }), 'The user as whom a replica logs in.', { sensitive: true }),
  option('masterauth', string('', { emptyIsNone: true }), 'The password with which it does.', { sensitive: true }),
  option('replica-serve-stale-data', bool(true), 'Answers while the link to the master is down.', {
    aliases: ['slave-serve-stale-data'],
  }),
  option('replica-read-only', bool(true), 'Refuses writes of clients on a replica.', { aliases: ['slave-read-only'] }),
  option('replica-lazy-flush', bool(false), 'Drops the old data in the background before a full synchronisation.', {
    aliases: ['slave-lazy-flush'],
  }),
  option('replica-ignore-maxmemory', bool(true), 'Leaves eviction to the master.', {
    aliases: ['slave-ignore-maxmemory'],
  }),
  option('replica-ignore-disk-write-errors', bool(false), 'Goes on when the disk fails.'),
  option('replica-priority', integer(100, 0n, INT_MAX), 'Which replica Sentinel promotes: the lowest; never 0.', {
    aliases: ['slave-priority'],
  }),
  option('replica-announced', bool(true), 'Whether Sentinel tells clients of this replica.'),
  option('replica-announce-ip', string('', { emptyIsNone: true }), 'The address that a replica gives its master.', {
    aliases: ['slave-announce-ip'],
  }),
  option('replica-announce-port', integer(0, 0n, 65535n), 'The port that it does; 0 is its own.', {
    aliases: ['slave-announce-port'],
  }),
  option('repl-diskless-sync', bool(true), 'Sends snapshots to replicas without a file.'),
  option('repl-diskless-sync-delay', integer(5, 0n, INT_MAX), 'Seconds to wait for more replicas before that.'),
  option('repl-diskless-sync-max-replicas', integer(0, 0n, INT_MAX), 'So many replicas are not waited beyond.'),
  option(
    'repl-diskless-load',
    word('disabled', ['disabled', 'on-empty-db', 'swapdb']),
    'Whether a replica loads from the socket.',
  ),
  option('repl-ping-replica-period', integer(10, 1n, INT_MAX), 'Seconds between the pings to replicas.', {
    aliases: ['repl-ping-slave-period'],
  }),
  option('repl-timeout', integer(60, 1n, INT_MAX), 'Seconds of silence that end the link.'),
  option('repl-disable-tcp-nodelay', bool(false), 'Sends fewer and larger packets to replicas.'),
  option(
    'repl-backlog-size',
    memory(1048576, { min: 1n, limit: (bytes) => (bytes < 16384n ? 16384n : bytes) }),
    'The latest part of the stream, kept for replicas that come back.',
  ),
  option(
    'repl-sync-buffer-to-maxmemory',
    bool(true),
    'Lets what is owed to a replica that takes in a snapshot grow to what maxmemory leaves.',
  ),
  option('repl-backlog-ttl', integer(3600, 0n, LONG_MAX), 'Seconds without replicas after which it is dropped.'),
  option('min-replicas-to-write', integer(0, 0n, INT_MAX), 'Refuses writes with fewer good replicas than this.', {
    aliases: ['min-slaves-to-write'],
  }),
  option('min-replicas-max-lag', integer(10, 0n, INT_MAX), 'The lag in seconds of a good replica.', {
    aliases: ['min-slaves-max-lag'],
  }),
  option(
    'propagation-error-behavior',
    word('ignore', ['ignore', 'panic', 'panic-on-replicas']),
    'What a replica does about a command of its master that fails.',
  ),
] as const;

/** For cluster/. */
export const cluster = [
  option('cluster-enabled', bool(false), 'Makes this server a node of a cluster.', { immutable: true }),
  option('cluster-config-file', string('nodes.conf'), 'Where a node keeps what it knows.', { immutable: true }),
  option('cluster-port', integer(0, 0n, 65535n), 'The port of the bus; 0 is port + 10000.', { immutable: true }),
  option('cluster-node-timeout', integer(15000, 0n, LONG_MAX), 'Milliseconds of silence of a failing node.'),
  option('cluster-replica-validity-factor', integer(10, 0n, INT_MAX), 'How stale a replica may be to be promoted.', {
    aliases: ['cluster-slave-validity-factor'],
  }),
  option('cluster-migration-barrier', integer(1, 0n, INT_MAX), 'Replicas that a master keeps when one moves away.'),
  option('cluster-allow-replica-migration', bool(true), 'Lets replicas move to masters that have none.'),
  option('cluster-require-full-coverage', bool(true), 'Stops answering when a slot is not served.'),
  option('cluster-replica-no-failover', bool(false), 'Never promotes this replica by itself.', {
    aliases: ['cluster-slave-no-failover'],
  }),
  option('cluster-allow-reads-when-down', bool(false), 'Answers reads while the cluster is down.'),
  option('cluster-allow-pubsubshard-when-down', bool(true), 'Serves shard channels while it is.'),
  option('cluster-link-sendbuf-limit', unsignedMemory(0), 'The most that is owed to another node; 0 is no limit.'),
  option('cluster-announce-ip', string('', { emptyIsNone: true }), 'The address that the node gives.'),
  option('cluster-announce-port', integer(0, 0n, 65535n), 'The port that it does.'),
  option('cluster-announce-tls-port', integer(0, 0n, 65535n), 'The TLS port that it does.'),
  option('cluster-announce-bus-port', integer(0, 0n, 65535n), 'The port of the bus that it does.'),
  option('cluster-announce-hostname', string('', { emptyIsNone: true, check: checkHostname }), 'Its host name.'),
  option(
    'cluster-preferred-endpoint-type',
    word('ip', ['ip', 'hostname', 'unknown-endpoint']),
    'What redirections name.',
  ),
] as const;

/** For raft/. */
export const raft = [
  option('raft-enabled', bool(false), 'Makes this server a member of a group that loses no acknowledged write.', {
    immutable: true,
  }),
  option('raft-port', integer(0, 0n, 65535n), 'The port at which members meet; 0 is port + 10000.', {
    immutable: true,
  }),
  option(
    'raft-dirname',
    string('raftdir', { check: checkFolderName }),
    'Where its log and its snapshot lie, within dir.',
    {
      immutable: true,
    },
  ),
  option('raft-read', word('quorum', ['quorum', 'lease', 'local']), 'How the leader knows that it is when it is read.'),
  option('raft-election-timeout', integer(1000, 50n, INT_MAX), 'Milliseconds of silence of a leader that is replaced.'),
  option('raft-heartbeat-interval', integer(100, 5n, INT_MAX), 'Milliseconds between its signs of life.'),
  option('raft-log-size', memory(64 * 1024 * 1024), 'Bytes of the log after which a snapshot takes its place.'),
] as const;

function checkFolderName(name: string): string | undefined {
  if (name === '') return "raft-dirname can't be empty";
  return name.includes('/') ? "raft-dirname can't be a path, just a dirname" : undefined;
}

function checkHostname(name: string): string | undefined {
  if (name.length >= 256) return 'Hostnames must be less than 256 characters';
  return /^[A-Za-z0-9.-]*$/.test(name)
    ? undefined
    : 'Hostnames may only contain alphanumeric characters, hyphens or dots';
}

/** For scripting/. */
export const scripting = [
  option('lua-enable-deprecated-api', bool(false), 'Gives scripts functions that were withdrawn.', {
    hidden: true,
    immutable: true,
  }),
] as const;
