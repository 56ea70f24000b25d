/**
 * Memory that can't be had: random commands while random allocations fail. A command then replies OOM or goes without;
 * the server goes on, and every value can be read. What a refused command was building may stay behind: that is left
 * to the reserve (Memory.scarce), by which commands are refused before they begin.
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
const STEPS = LONG ? 30_000 : 4000;

/** Reads all of every database; what can't be read throws. */
async function readAll(call: (command: readonly string[]) => Promise<unknown>): Promise<void> {
  const whole: Record<string, (key: string) => string[]> = {
    string: (key) => ['GET', key],
    list: (key) => ['LRANGE', key, '0', '-1'],
    set: (key) => ['SMEMBERS', key],
    zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    hash: (key) => ['HGETALL', key],
  };
  for (const db of ['0', '1', '2', '3']) {
    await call(['SELECT', db]);
    const keys = (await call(['KEYS', '*'])) as Buffer[];
    for (const key of keys.map((one) => one.toString('latin1'))) {
      const type = String(await call(['TYPE', key]));
      if (type === 'none') continue;
      const value = await call(whole[type](key));
      if (value instanceof Error) throw new Error(`${type} ${key}: ${value.message}`);
    }
  }
}

describe('random commands while allocations fail', () => {
  const before = process.env['CINNABAR_VERIFY'];
  beforeAll(() => {
    process.env['CINNABAR_VERIFY'] = '1';
  });
  afterAll(() => {
    if (before === undefined) delete process.env['CINNABAR_VERIFY'];
    else process.env['CINNABAR_VERIFY'] = before;
  });

  test.each([1, 2, 3, 4])('leave the data whole, seed %i', async (seed) => {
    const failures: string[] = [];
    const log = { debug() {}, verbose() {}, notice() {}, warning: (message: string) => failures.push(message) };
    const server = createServer({ settings: { port: 0 }, log });
    const session = server.session();
    const memory = server.engine.memory;
    if (!(memory instanceof VerifiedMemory)) throw new Error('the debug allocator is not in use');
    const call = (command: readonly string[]): Promise<unknown> =>
      session.callBuffer(...command.map(bytesOf)).catch((error: unknown) => error);
    const random = new SeededRandom(seed);
    const docs = (await session.call('COMMAND', 'DOCS')) as Tree;
    const generator = new Generator(random, commandsOf(docs));
    if (seed % 2 === 0)
      await call(['CONFIG', 'SET', 'hash-max-listpack-entries', '5', 'zset-max-listpack-entries', '5']);
    let refusals = 0;
    const refuse = (): boolean => random.below(60) === 0 && ++refusals > 0;
    for (let i = 0; i < STEPS; i++) {
      const command = safe(generator.next());
      if (BLOCKING.test(command[0])) continue;
      memory.refuse = refuse;
      await call(command);
      memory.refuse = () => false;
      expect(failures, `after ${JSON.stringify(command)}`).toEqual([]);
      if (i % 2000 === 0) await readAll(call);
    }
    expect(refusals).toBeGreaterThan(STEPS / 600);
    await readAll(call);
    await call(['FLUSHALL', 'SYNC']);
    memory.verifyBlocks();
    await server.close();
  });
});
