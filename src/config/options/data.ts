/** Settings of structures/, values/ and keyspace/: encodings, memory, eviction, expiry. */
import { bool, INT_MAX, INT_MIN, integer, LONG_MAX, memory, memoryOrPercent, unsignedMemory, word } from '../kinds.ts';
import { option } from '../option.ts';

const POLICIES = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
] as const;

export const encodings = [
  option('hash-max-listpack-entries', integer(512, 0n, LONG_MAX), 'The most fields of a hash kept as a listpack.', {
    aliases: ['hash-max-ziplist-entries'],
  }),
  option('hash-max-listpack-value', memory(64), 'The longest field or value in one.', {
    aliases: ['hash-max-ziplist-value'],
  }),
  option(
    'list-max-listpack-size',
    integer(-2, INT_MIN, INT_MAX),
    "The size of a list's nodes: elements when positive; -1 to -5 are 4, 8, 16, 32 and 64 kB.",
    { aliases: ['list-max-ziplist-size'] },
  ),
  option(
    'list-compress-depth',
    integer(0, 0n, INT_MAX),
    'Nodes at each end of a list that stay uncompressed; 0 compresses none.',
  ),
  option(
    'set-max-intset-entries',
    integer(512, 0n, LONG_MAX),
    'The most members of a set of integers kept as an intset.',
  ),
  option(
    'zset-max-listpack-entries',
    integer(128, 0n, LONG_MAX),
    'The most members of a sorted set kept as a listpack.',
    {
      aliases: ['zset-max-ziplist-entries'],
    },
  ),
  option('zset-max-listpack-value', memory(64), 'The longest member in one.', { aliases: ['zset-max-ziplist-value'] }),
  option('hll-sparse-max-bytes', memory(3000), 'The most bytes of a HyperLogLog in its sparse form.'),
  option('stream-node-max-bytes', memory(4096), "The most bytes of a stream's node; 0 is no limit."),
  option('stream-node-max-entries', integer(100, 0n, LONG_MAX), 'The most entries of one; 0 is no limit.'),
] as const;

export const keyspace = [
  option(
    'maxmemory',
    unsignedMemory(0),
    'The memory for data; at the limit keys are evicted or writes refused. 0 is none.',
  ),
  option('maxmemory-policy', word('noeviction', POLICIES), `Which keys are evicted: ${POLICIES.join(', ')}.`),
  option('maxmemory-samples', integer(5, 1n, INT_MAX), 'Keys looked at to choose the one that is evicted.'),
  option(
    'maxmemory-eviction-tenacity',
    integer(10, 0n, 100n),
    'How long eviction may hold the server up: 0 hardly, 100 as long as it takes.',
  ),
  option(
    'maxmemory-clients',
    memoryOrPercent(0),
    'The memory for all clients, in bytes or as a share of maxmemory; the largest are closed. 0 is no limit.',
  ),
  option('lfu-log-factor', integer(10, 0n, INT_MAX), 'How slowly the counter of frequent use grows.'),
  option('lfu-decay-time', integer(1, 0n, INT_MAX), 'Minutes after which that counter loses one.'),
  option('active-expire-effort', integer(1, 1n, 10n), 'How much work is put into finding expired keys, 1 to 10.'),
  option('lazyfree-lazy-eviction', bool(false), 'Frees evicted values in the background.'),
  option('lazyfree-lazy-expire', bool(false), 'Frees expired values in the background.'),
  option('lazyfree-lazy-server-del', bool(false), 'Frees values that a command overwrites in the background.'),
  option('lazyfree-lazy-user-del', bool(false), 'Makes DEL work as UNLINK does.'),
  option('lazyfree-lazy-user-flush', bool(false), 'Makes FLUSHALL and FLUSHDB work as with ASYNC.'),
  option('activerehashing', bool(true), 'Spends a millisecond now and then on moving large tables along.'),
  option(
    'tracking-table-max-keys',
    integer(1000000, 0n, LONG_MAX),
    'Keys remembered for client-side caching; 0 is no limit.',
  ),
  option(
    'activedefrag',
    bool(false),
    'Moves values together in memory, so that what lies free between them can be given back.',
  ),
  option('active-defrag-ignore-bytes', memory(104857600, { min: 1n }), 'Waste in bytes below which nothing is moved.'),
  option('active-defrag-threshold-lower', integer(10, 0n, 1000n), 'Waste in percent below which nothing is moved.'),
  option(
    'active-defrag-threshold-upper',
    integer(100, 0n, 1000n),
    'Waste in percent from which on most time is spent.',
  ),
  option('active-defrag-cycle-min', integer(1, 1n, 99n), 'The least percentage of the time to be spent on moving.'),
  option('active-defrag-cycle-max', integer(25, 1n, 99n), 'The most percentage of the time to be spent on moving.'),
  option(
    'active-defrag-max-scan-fields',
    integer(1000, 1n, LONG_MAX),
    'Elements of a value that are moved at one time.',
  ),
  option('jemalloc-bg-thread', bool(true), 'Kept for compatibility: there is no jemalloc.'),
] as const;
