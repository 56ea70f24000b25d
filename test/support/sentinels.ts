/** A master, its replicas and the Sentinels that watch them, as processes; ours unless another kind is asked for. */
import { Redis } from 'ioredis';
import { type ServerProcess, startCinnabar, startSentinel } from './server-process.ts';

export const MASTER_NAME = 'mymaster';

export interface DeploymentOptions {
  readonly replicas: number;
  readonly sentinels: number;
  /** Milliseconds of silence after which a server is taken to be down. */
  readonly downAfter: number;
  /** Settings of every server. */
  readonly settings?: readonly string[];
  readonly kind?: 'cinnabar' | 'redis';
}

export class Deployment {
  readonly servers: ServerProcess[] = [];
  readonly sentinels: ServerProcess[] = [];

  /** Resolves when every replica follows its master, and every Sentinel knows all of them and all other Sentinels. */
  static async start(options: DeploymentOptions): Promise<Deployment> {
    const deployment = new Deployment();
    try {
      await deployment.begin(options);
    } catch (error) {
      await deployment.stop();
      throw error;
    }
    return deployment;
  }

  get sentinelPorts(): number[] {
    return this.sentinels.map(({ port }) => port);
  }

  private async begin({
    replicas,
    sentinels,
    downAfter,
    settings = [],
    kind = 'cinnabar',
  }: DeploymentOptions): Promise<void> {
    const master = await startCinnabar('--repl-diskless-sync-delay', '0', ...settings);
    this.servers.push(master);
    const following = ['--replicaof', `127.0.0.1 ${master.port}`];
    for (let i = 0; i < replicas; i++) this.servers.push(await startCinnabar(...settings, ...following));
    const lines = [
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} ${Math.floor(sentinels / 2) + 1}`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfter}`,
      `sentinel failover-timeout ${MASTER_NAME} 20000`,
    ];
    for (let i = 0; i < sentinels; i++) this.sentinels.push(await startSentinel(kind, lines));
    for (const { port } of this.servers.slice(1))
      await waitFor('every replica has its master’s data', async () =>
        String(await ask(port, 'INFO', 'replication')).includes('master_link_status:up'),
      );
    for (const sentinel of this.sentinels)
      await this.until(sentinel, ({ slaves, others }) => slaves === replicas && others === sentinels - 1);
  }

  /** Waits until a Sentinel knows so many. */
  private async until(
    sentinel: ServerProcess,
    holds: (known: { readonly slaves: number; readonly others: number }) => boolean,
  ): Promise<void> {
    await waitFor('every Sentinel knows the others', async () => {
      const state = await ask(sentinel.port, 'SENTINEL', 'MASTER', MASTER_NAME);
      const fields = state as string[];
      const field = (name: string): number => Number(fields[fields.indexOf(name) + 1]);
      return holds({ slaves: field('num-slaves'), others: field('num-other-sentinels') });
    });
  }

  /** The port of the master, as a Sentinel says it. */
  async masterPort(sentinel = this.sentinels[0]): Promise<number> {
    const [, port] = (await ask(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as string[];
    return Number(port);
  }

  /** Ends the process that listens there at once. */
  kill(port: number): void {
    const found = [...this.servers, ...this.sentinels].find((each) => each.port === port);
    if (found !== undefined) process.kill(found.pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.stop()));
  }
}

/** One command over a connection of its own; rejects where nobody answers. */
export async function ask(port: number, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => null, lazyConnect: true });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

/** Looks again and again until something holds; throws after a minute. */
export async function waitFor(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
