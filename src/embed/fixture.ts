/**
 * A server for the tests of one file, whatever runs them: started and seeded before the first, put back to its seed before
 * each, closed behind the last.
 */
import type { SeedData } from '../persistence/records/seed.ts';
import type { LocalSession } from '../server/local.ts';
import { type CinnabarServer, createServer, type ServerOptions } from '../server/server.ts';

/** The hooks of a test runner, as vitest, Jest and Mocha have them; each takes what it is to do. */
export interface TestHooks {
  readonly beforeAll: (action: () => Promise<void>) => unknown;
  readonly beforeEach: (action: () => Promise<void>) => unknown;
  readonly afterAll: (action: () => Promise<void>) => unknown;
}

export interface FixtureOptions extends ServerOptions {
  /** The data that each test begins with, as `server.seed()` takes them, or who brings them about. */
  readonly seed?: SeedData | ((session: LocalSession) => unknown);
}

/** What a test sees of its server; there is none before the first hook has run. */
export interface TestServer {
  readonly server: CinnabarServer;
  /** `redis://127.0.0.1:43210`, the same in all tests of a file. */
  readonly url: string;
  readonly port: number;
  /** A session without a socket, which closes by itself when the next test begins. */
  session(): LocalSession;
}

export function testServer(hooks: TestHooks, { seed, ...options }: FixtureOptions = {}): TestServer {
  const fixture = new Fixture(options);
  hooks.beforeAll(() => fixture.start(seed));
  hooks.beforeEach(() => fixture.reset());
  hooks.afterAll(() => fixture.stop());
  return fixture;
}

class Fixture implements TestServer {
  private readonly options: ServerOptions;
  private running: CinnabarServer | null = null;
  private seeded: Uint8Array | null = null;
  private readonly sessions: LocalSession[] = [];

  constructor(options: ServerOptions) {
    this.options = options;
  }

  get server(): CinnabarServer {
    if (this.running === null) throw new Error('The server runs while tests do, not before');
    return this.running;
  }

  get url(): string {
    return this.server.url;
  }

  get port(): number {
    return this.server.port;
  }

  session(): LocalSession {
    const session = this.server.session();
    this.sessions.push(session);
    return session;
  }

  async start(seed: FixtureOptions['seed']): Promise<void> {
    const server = createServer({ port: 0, ...this.options });
    this.running = server;
    await server.listen();
    if (typeof seed === 'function') {
      const session = server.session();
      await seed(session);
      session.close();
    } else if (seed !== undefined) await server.seed(seed);
    this.seeded = await server.snapshot();
  }

  /** Data, functions and scripts are as the seed left them, and faults are off; settings and clients are the test's own affair. */
  async reset(): Promise<void> {
    for (const session of this.sessions.splice(0)) session.close();
    this.running?.faults.clear();
    if (this.seeded !== null) await this.server.restore(this.seeded);
  }

  async stop(): Promise<void> {
    await this.running?.close();
    this.running = null;
  }
}
