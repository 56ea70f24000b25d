/**
 * Random commands on a server over the debug allocator: no access outside a live block, and after FLUSHALL nothing that
 * was allocated for data is left. The commands come from the differential tester's generator over our own COMMAND DOCS.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { bytesOf } from '../../src/base/slice.ts';
import { VerifiedMemory } from '../../src/memory/verified.ts';
import { createServer } from '../../src/server/server.ts';
import { commandsOf } from '../differential/docs.ts';
import { Generator } from '../differential/generate.ts';
import { safe } from '../differential/safe.ts';
import type { Tree } from '../differential/wire.ts';
import { LONG } from '../support/long.ts';

const BLOCKING = /^b(l|r|z)/i;
const COMMANDS = LONG ? 30_000 : 5000;
const SMALL = [
  ['hash-max-listpack-entries', '5', 'zset-max-listpack-entries', '5', 'set-max-intset-entries', '5'],
  ['list-max-listpack-size', '3', 'list-compress-depth', '1', 'hash-max-listpack-value', '20'],
];

function sizes(memory: VerifiedMemory): number[] {
  return memory
    .leaks()
    .map((block) => block.size)
    .sort((a, b) => a - b);
}

describe('random commands over the debug allocator', () => {
  const before = process.env['CINNABAR_VERIFY'];
  beforeAll(() => {
    process.env['CINNABAR_VERIFY'] = '1';
  });
  afterAll(() => {
    if (before === undefined) delete process.env['CINNABAR_VERIFY'];
    else process.env['CINNABAR_VERIFY'] = before;
  });

  test.each([1, 2, 3])('leave nothing behind after FLUSHALL, seed %i', async (seed) => {
    const failures: string[] = [];
    const server = createServer({
      settings: { port: 0 },
      log: { debug() {}, verbose() {}, notice() {}, warning: (message) => failures.push(message) },
    });
    const session = server.session();
    const memory = server.engine.memory;
    if (!(memory instanceof VerifiedMemory)) throw new Error('the debug allocator is not in use');
    const call = (command: readonly string[]): Promise<unknown> =>
      session.call(...command.map(bytesOf)).catch((error: unknown) => error);
    const start = { used: memory.used, sizes: sizes(memory) };

    const docs = (await session.call('COMMAND', 'DOCS')) as Tree;
    const random = new SeededRandom(seed);
    const generator = new Generator(random, commandsOf(docs));
    if (seed > 1) for (const settings of SMALL) await call(['CONFIG', 'SET', ...settings]);
    for (let i = 0; i < COMMANDS; i++) {
      const command = safe(generator.next());
      if (!BLOCKING.test(command[0])) await call(command);
      if (i % 2000 === 0) memory.verifyBlocks();
    }
    await call(['FLUSHALL', 'SYNC']);
    // What earlier commands left to be released in slices goes with the cron.
    for (let wait = 0; wait < 100 && memory.used !== start.used; wait++)
      await new Promise((done) => setTimeout(done, 20));
    memory.verifyBlocks();
    expect(memory.used).toBe(start.used);
    // The roots of databases are made anew: as many blocks of the same sizes, not the same blocks.
    expect(sizes(memory)).toEqual(start.sizes);
    expect(failures.filter((line) => line.includes('Assertion') || line.includes('verify'))).toEqual([]);
    await server.close();
  });
});
