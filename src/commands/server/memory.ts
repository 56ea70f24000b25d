/** MEMORY. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type Command, command } from '../../engine/command.ts';
import { after, integer, key, optional } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { NULL } from '../../memory/address.ts';
import { memoryReport } from './doctor.ts';
import { footprint } from './footprint.ts';
import { databaseOverheads, memoryFigures } from './memory-figures.ts';
import { purgeMemory } from './purge.ts';

const DEFAULT_SAMPLES = 5;

const COMMON = {
  group: 'server',
  since: '4.0.0',
  complexity: 'O(1)',
  flags: [],
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
} as const satisfies Partial<Command>;

const usage = command({
  ...COMMON,
  name: 'USAGE',
  complexity: 'O(N) in the samples',
  summary: 'Tells the bytes that a key and its value take.',
  flags: ['readonly'],
  tips: [],
  args: [key('key', 'RO'), optional(after('SAMPLES', integer('count')))],
  run(c) {
    let samples = DEFAULT_SAMPLES;
    for (let i = 3; i < c.argc; i++) {
      if (!isWord(c.arg(i), 'SAMPLES') || i + 1 >= c.argc) {
        c.syntaxError();
        return;
      }
      const count = c.integer(++i);
      if (count === undefined) return;
      if (count < 0) {
        c.syntaxError();
        return;
      }
      samples = count === 0 ? Number.POSITIVE_INFINITY : count;
    }
    const e = c.peek(2);
    if (e === NULL) c.reply.null();
    else c.reply.int(footprint(c.engine, e, samples));
  },
});

/** A field's value: whole numbers are integers, the others doubles. */
type Figure = readonly [name: string, value: number, isDouble?: boolean];

function statistics(c: Call): Figure[] {
  const f = memoryFigures(c.engine);
  const net = Math.max(0, f.used - f.startup);
  const ratio = (a: number, b: number) => (b === 0 ? 0 : a / b);
  return [
    ['overhead.total', f.overhead],
    ['keys.count', f.keys],
    ['keys.bytes-per-key', f.keys === 0 ? 0 : Math.floor(net / f.keys)],
    ['dataset.bytes', f.dataset],
    ['dataset.percentage', f.datasetPercent, true],
    ['peak.percentage', ratio(f.used, f.peak) * 100, true],
    ['allocator.allocated', f.used],
    ['allocator.active', f.active],
    ['allocator.resident', f.allocated],
    ['allocator-fragmentation.ratio', ratio(f.active, f.used), true],
    ['allocator-fragmentation.bytes', f.active - f.used],
    ['allocator-rss.ratio', ratio(f.allocated, f.active), true],
    ['allocator-rss.bytes', f.allocated - f.active],
    ['rss-overhead.ratio', ratio(f.resident - f.runtime, f.allocated), true],
    ['rss-overhead.bytes', f.resident - f.runtime - f.allocated],
    ['fragmentation', ratio(f.resident - f.runtime, f.used), true],
    ['fragmentation.bytes', f.resident - f.runtime - f.used],
  ];
}

function put(c: Call, [name, value, isDouble]: Figure): void {
  c.reply.bulkText(name);
  if (isDouble) c.reply.double(value);
  else c.reply.int(value);
}

const stats = command({
  ...COMMON,
  name: 'STATS',
  summary: 'Tells how the memory is used.',
  run(c) {
    const f = memoryFigures(c.engine);
    const scripting = c.engine.scripting.figures();
    const databases = databaseOverheads(c.engine);
    const { bufferBytes, unboundedBytes } = c.engine.replication;
    const head: Figure[] = [
      ['peak.allocated', f.peak],
      ['total.allocated', f.used],
      ['startup.allocated', f.startup],
      ['replication.backlog', bufferBytes - unboundedBytes],
      ['clients.slaves', unboundedBytes],
      ['clients.normal', f.clients],
      ['cluster.links', c.engine.membership.port?.traffic.bytes ?? 0],
      ['aof.buffer', c.engine.server.persistence.aofBuffer],
      ['lua.caches', scripting.scriptBytes],
      ['functions.caches', scripting.functionBytes],
    ];
    const tail = statistics(c);
    c.reply.map(head.length + databases.length + tail.length);
    for (const figure of head) put(c, figure);
    for (const db of databases) {
      c.reply.bulkText(`db.${db.index}`);
      c.reply.map(3);
      put(c, ['overhead.hashtable.main', db.main]);
      put(c, ['overhead.hashtable.expires', db.expires]);
      put(c, ['overhead.hashtable.slot-to-keys', 0]);
    }
    for (const figure of tail) put(c, figure);
  },
});

const doctor = command({
  ...COMMON,
  name: 'DOCTOR',
  summary: 'Says in words whether the memory is well.',
  run(c) {
    c.reply.verbatim(memoryReport(memoryFigures(c.engine), c.engine.scripting.figures().scripts));
  },
});

const purge = command({
  ...COMMON,
  name: 'PURGE',
  complexity: 'O(N) in the segments',
  summary: 'Gives back memory that is not in use.',
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  run: purgeMemory,
});

const mallocStats = command({
  ...COMMON,
  name: 'MALLOC-STATS',
  complexity: 'O(1)',
  summary: "Tells the allocator's own figures.",
  run(c) {
    c.reply.verbatim(c.memory.allocator.describe());
  },
});

export const memory = command({
  name: 'MEMORY',
  group: 'server',
  since: '4.0.0',
  complexity: 'Depends on the subcommand.',
  summary: 'Where the memory goes.',
  flags: [],
  subcommands: [
    doctor,
    help(
      'MEMORY',
      [
        'DOCTOR',
        '    Return memory problems reports.',
        'MALLOC-STATS',
        '    Return internal statistics report from the memory allocator.',
        'PURGE',
        '    Attempt to purge dirty pages for reclamation by the allocator.',
        'STATS',
        '    Return information about the memory usage of the server.',
        'USAGE <key> [SAMPLES <count>]',
        '    Return memory in bytes used by <key> and its value. Nested values are',
        '    sampled up to <count> times (default: 5, 0 means sample all).',
      ],
      { since: '4.0.0' },
    ),
    mallocStats,
    purge,
    stats,
    usage,
  ],
});
