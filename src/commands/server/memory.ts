/** MEMORY. */
import { isWord } from '../../base/slice.ts';
import type { Call } from '../../engine/call.ts';
import { type CommandDeclaration, command } from '../../engine/command.ts';
import { after, integer, key, optional } from '../../engine/grammar.ts';
import { help } from '../../engine/help.ts';
import { NULL } from '../../memory/address.ts';
import { footprint } from './footprint.ts';
import { databaseOverheads, memoryFigures } from './memory-figures.ts';

const DEFAULT_SAMPLES = 5;

const COMMON = {
  group: 'server',
  since: '4.0.0',
  complexity: 'O(1)',
  flags: [],
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
} as const satisfies Partial<CommandDeclaration>;

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
    ['allocator.active', f.reserved],
    ['allocator.resident', f.reserved],
    ['allocator-fragmentation.ratio', ratio(f.reserved, f.used), true],
    ['allocator-fragmentation.bytes', f.reserved - f.used],
    ['allocator-rss.ratio', 1, true],
    ['allocator-rss.bytes', 0],
    ['rss-overhead.ratio', ratio(f.resident, f.reserved), true],
    ['rss-overhead.bytes', f.resident - f.reserved],
    ['fragmentation', ratio(f.resident, f.used), true],
    ['fragmentation.bytes', f.resident - f.used],
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
    const head: Figure[] = [
      ['peak.allocated', f.peak],
      ['total.allocated', f.used],
      ['startup.allocated', f.startup],
      ['replication.backlog', 0],
      ['clients.slaves', 0],
      ['clients.normal', f.clients],
      ['cluster.links', 0],
      ['aof.buffer', 0],
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

const SMALL = 5 * 1024 * 1024;

const doctor = command({
  ...COMMON,
  name: 'DOCTOR',
  summary: 'Says in words whether the memory is well.',
  run(c) {
    const f = memoryFigures(c.engine);
    if (f.used < SMALL) {
      c.reply.verbatim(
        "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n",
      );
      return;
    }
    const issues: string[] = [];
    if (f.peak / f.used > 1.5)
      issues.push(' * Peak memory: in the past this instance used more than 150% of the memory that it uses now.');
    if (f.reserved / f.used > 1.4 && f.reserved - f.used > 2 * SMALL)
      issues.push(' * High fragmentation: more than 140% of the memory in use is held in segments.');
    c.reply.verbatim(
      issues.length === 0
        ? "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
        : `Sam, I detected a few issues in this server's memory:\n\n${issues.join('\n')}\n\nI'm here to keep you safe, Sam. I want to help you.\n`,
    );
  },
});

const purge = command({
  ...COMMON,
  name: 'PURGE',
  complexity: 'O(N) in the segments',
  summary: 'Gives back memory that is not in use.',
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  run(c) {
    c.memory.collect(true);
    c.reply.ok();
  },
});

const mallocStats = command({
  ...COMMON,
  name: 'MALLOC-STATS',
  complexity: 'O(1)',
  summary: "Tells the allocator's own figures.",
  run(c) {
    const { used, peak, reserved } = c.memory;
    c.reply.verbatim(`used ${used} bytes\npeak ${peak} bytes\nsegments ${reserved} bytes\n`);
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
