/** `import { useCinnabar } from 'cinnabar/jest'`: the same where the runner's hooks are globals, as those of Jest are. */
import { type FixtureOptions, type TestHooks, type TestServer, testServer } from './fixture.ts';

export type { FixtureOptions, TestServer } from './fixture.ts';

/** Called at the top of a file, or within `describe` for the tests there. */
export function useCinnabar(options?: FixtureOptions): TestServer {
  const { beforeAll, beforeEach, afterAll } = globalThis as Partial<TestHooks>;
  if (beforeAll === undefined || beforeEach === undefined || afterAll === undefined)
    throw new Error('beforeAll, beforeEach and afterAll are no globals here: this is to be called in a test of Jest');
  return testServer({ beforeAll, beforeEach, afterAll }, options);
}
