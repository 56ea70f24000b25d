import { defineConfig } from 'vitest/config';
import { LeftOut } from './test/support/left-out.ts';

/**
 * Unit and model tests import src/ directly; command and wire tests start a server, in this process or as
 * dist/main.js. Forks and not threads: a test may exhaust memory or signal its own process.
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    passWithNoTests: true,
    runner: './test/support/runner.ts',
    globalSetup: './test/support/global-setup.ts',
    reporters: ['default', new LeftOut()],
  },
});
