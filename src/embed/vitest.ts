/** `import { useCinnabar } from 'cinnabar/vitest'`: a server for the tests of a file. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type FixtureOptions, type TestServer, testServer } from './fixture.ts';

export type { FixtureOptions, TestServer } from './fixture.ts';

/** Called at the top of a file, or within `describe` for the tests there. */
export function useCinnabar(options?: FixtureOptions): TestServer {
  return testServer({ beforeAll, beforeEach, afterAll }, options);
}
