/**
 * Random commands of all types: what is used is what a walk over the allocator's live blocks finds, to the byte, and
 * moving blocks together changes no value and breaks no structure. MEMORY_OPERATIONS commands are run (20,000 by itself in full).
 */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { bytesOf } from '../../src/base/slice.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { NULL } from '../../src/memory/address.ts';
import type { Memory } from '../../src/memory/memory.ts';
import { VerifiedMemory } from '../../src/memory/verified.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { dictVerify } from '../../src/structures/dict.ts';
import { qlVerify } from '../../src/structures/quicklist.ts';
import { slOwner, slVerify } from '../../src/structures/skiplist.ts';
import {
  ENC_HASHTABLE,
  ENC_QUICKLIST,
  ENC_SKIPLIST,
  ENC_STREAM,
  entryEncoding,
  entryValue,
} from '../../src/values/entry.ts';
import { commandsOf } from '../differential/docs.ts';
import { Generator } from '../differential/generate.ts';
import { safe } from '../differential/safe.ts';
import type { Tree } from '../differential/wire.ts';
import { LONG } from '../support/long.ts';

const OPERATIONS = Number(process.env['MEMORY_OPERATIONS'] ?? (LONG ? 20_000 : 4000));
/** Commands between two looks. */
const EVERY = Math.ceil(OPERATIONS / 20);
/** Those that wait, and those that drop all. */
const LEFT_OUT = /^(b(l|r|z)|flush)/i;
const SMALL = [
  ['hash-max-listpack-entries', '5', 'zset-max-listpack-entries', '5', 'set-max-intset-entries', '5'],
  ['list-max-listpack-size', '3', 'list-compress-depth', '1', 'hash-max-listpack-value', '20'],
  ['stream-node-max-entries', '4'],
];

function verifyValues(engine: Engine): void {
  const { memory, keyspaces, accessors } = engine;
  for (const db of keyspaces.databases) {
    db.verify();
    const cursor = db.keys.cursor();
    for (let e = cursor.next(); e !== NULL; e = cursor.next()) {
      const encoding = entryEncoding(memory, e);
      if (encoding === ENC_QUICKLIST) qlVerify(memory, entryValue(memory, e));
      else if (encoding === ENC_STREAM) accessors.stream(e, 1).verify();
      else if (encoding === ENC_HASHTABLE) dictVerify(memory, entryValue(memory, e), memory.seed);
      else if (encoding === ENC_SKIPLIST) {
        slVerify(memory, entryValue(memory, e));
        dictVerify(memory, slOwner(memory, entryValue(memory, e)), memory.seed);
      }
    }
  }
}

/** `used` is compared with the sum over live blocks there. */
function verifyMemory(memory: Memory): void {
  memory.allocator.verify();
  if (memory instanceof VerifiedMemory) memory.verifyBlocks();
}

/** A pass that is interrupted after every step. */
function defragment(engine: Engine): void {
  const { defragmenter } = engine.keyspaces;
  defragmenter.portion = 2;
  defragmenter.begin();
  while (defragmenter.run(() => true));
}

function start(kind: string): CinnabarServer {
  const before = process.env['CINNABAR_VERIFY'];
  process.env['CINNABAR_VERIFY'] = kind === 'verified' ? '1' : '0';
  const bySlot = kind === 'by slots' ? 'yes' : 'no';
  const server = createServer({ settings: { port: 0, 'enable-debug-command': 'yes', 'cluster-enabled': bySlot } });
  if (before === undefined) delete process.env['CINNABAR_VERIFY'];
  else process.env['CINNABAR_VERIFY'] = before;
  return server;
}

describe('memory under random commands', () => {
  test.each([
    ['plain', 1],
    ['plain', 2],
    ['verified', 3],
    ['by slots', 4],
  ])('%s, seed %i', async (kind, seed) => {
    const server = start(kind);
    const { engine } = server;
    const { memory } = engine;
    const session = server.session();
    const call = (command: readonly string[]): Promise<unknown> =>
      session.call(...command.map(bytesOf)).catch((error: unknown) => error);
    const docs = (await session.call('COMMAND', 'DOCS')) as Tree;
    const generator = new Generator(new SeededRandom(seed), commandsOf(docs));
    for (const settings of SMALL) await call(['CONFIG', 'SET', ...settings]);
    const operations = kind === 'verified' ? Math.min(OPERATIONS, 10_000) : OPERATIONS;
    for (let i = 1; i <= operations; i++) {
      const command = safe(generator.next());
      if (!LEFT_OUT.test(command[0])) await call(command);
      if (i % EVERY !== 0) continue;
      verifyMemory(memory);
      const digest = await call(['DEBUG', 'DIGEST']);
      // A pass looks keys up, which moves a growing table along, whose last step gives the old one back: not now.
      for (const db of engine.keyspaces.databases) db.rehashFor(() => false);
      const { used } = memory;
      defragment(engine);
      verifyMemory(memory);
      verifyValues(engine);
      expect(memory.used).toBe(used);
      expect(await call(['DEBUG', 'DIGEST'])).toBe(digest);
    }
    await server.close();
  });

  test.each(['plain', 'verified'])('blocks of every kind move: %s', async (kind) => {
    const server = start(kind);
    const { engine } = server;
    const { memory } = engine;
    const session = server.session();
    const random = new SeededRandom(7);
    for (const settings of SMALL) await session.call('CONFIG', 'SET', ...settings);
    const text = () => 'v'.repeat(1 + random.below(300));
    for (let i = 0; i < 2000; i++) {
      const n = random.below(1000);
      await session.call('SET', `s${i}`, text());
      if (i % 3 === 0) await session.call('EXPIRE', `s${i}`, 1000);
      await session.call('RPUSH', `l${i % 50}`, text());
      await session.call('SADD', `t${i % 20}`, n, text());
      await session.call('HSET', `h${i % 20}`, n, text());
      await session.call('ZADD', `z${i % 20}`, n, text());
      await session.call('XADD', `x${i % 5}`, `${i + 1}-1`, 'f', text());
    }
    for (let i = 0; i < 5; i++) {
      await session.call('XGROUP', 'CREATE', `x${i}`, 'g', '0');
      await session.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 300, 'STREAMS', `x${i}`, '>');
    }
    for (let i = 0; i < 2000; i++) {
      if (random.below(3) > 0) await session.call('DEL', `s${i}`);
      if (i % 2 === 0) await session.call('LPOP', `l${random.below(50)}`);
      await session.call('SPOP', `t${random.below(20)}`);
      await session.call('HDEL', `h${random.below(20)}`, random.below(1000));
      if (i % 2 === 0) await session.call('ZREMRANGEBYRANK', `z${random.below(20)}`, random.below(60), -1);
      await session.call('XDEL', `x${random.below(5)}`, `${random.below(2000) + 1}-1`);
    }
    const digest = await session.call('DEBUG', 'DIGEST');
    const { used, active } = memory;
    const blocks = memory.allocator.blocks;
    defragment(engine);
    verifyMemory(memory);
    verifyValues(engine);
    expect(memory.used).toBe(used);
    if (kind === 'plain') expect(memory.allocator.blocks).toBe(blocks);
    expect(await session.call('DEBUG', 'DIGEST')).toBe(digest);
    expect(memory.moves).toBeGreaterThan(1000);
    // What can't move keeps no more than a few slabs.
    if (kind === 'plain') expect(memory.active).toBeLessThan(active * 0.9);
    for (let i = 0; i < 5; i++)
      await session.call('XACK', `x${i}`, 'g', ...Array.from({ length: 300 }, (_, j) => `${j * 5 + i + 1}-1`));
    await session.call('FLUSHALL');
    verifyMemory(memory);
    await server.close();
  });
});
