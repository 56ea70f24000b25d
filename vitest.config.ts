import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LeftOut } from './test/support/left-out.ts';

const LONG = process.env['CINNABAR_LONG'] === '1';

/** In full they measure the machine, too. */
const ALONE_IN_FULL = [
  'test/durability/slices.test.ts',
  'test/reliability/longest.test.ts',
  'test/reliability/lua-hostile.test.ts',
  'test/reliability/slices.test.ts',
];

/** What measures its process or the machine, or replaces a module: in turn, each in a process of its own. */
const ALONE = [
  ...(LONG ? ALONE_IN_FULL : []),
  'test/commands/killed-save.test.ts',
  'test/model/exhaustion.test.ts',
  'test/model/leaks.test.ts',
  'test/model/memory.test.ts',
  'test/reliability/memory-slices.test.ts',
  'test/unit/memory/view.test.ts',
];

/** One more than there are cores: many tests wait, for time-outs and for programs that start. */
const WORKERS = availableParallelism() + 1;

/**
 * Unit and model tests import src/ directly; command and wire tests start a server, in this process or as
 * dist/main.js. Forks and not threads: a test may exhaust memory or signal its own process. Most files share a process
 * for each core, which loads a module once.
 */
export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    isolate: false,
    maxWorkers: WORKERS,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    passWithNoTests: true,
    runner: './test/support/runner.ts',
    globalSetup: './test/support/global-setup.ts',
    reporters: ['default', new LeftOut()],
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...ALONE],
          sequence: { groupOrder: 0 },
        },
      },
      ...ALONE.map((file, i) => ({
        extends: true as const,
        test: {
          name: file.slice('test/'.length, -'.test.ts'.length),
          include: [file],
          maxWorkers: 1,
          sequence: { groupOrder: i + 1 },
        },
      })),
    ],
  },
});
