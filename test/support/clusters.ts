/** Nodes of a cluster as processes, ours or real ones, brought together by redis-cli. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { oracle } from './oracle.ts';
import { ask, waitFor } from './sentinels.ts';
import { type ServerProcess, startCinnabar, startRedis } from './server-process.ts';

const run = promisify(execFile);

export type NodeKind = 'cinnabar' | 'redis';

export interface ClusterOptions {
  /** What each node is; masters first, as redis-cli chooses them. */
  readonly kinds: readonly NodeKind[];
  readonly replicas: number;
  readonly settings?: readonly string[];
}

const USUAL = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0'];

/** A node's line of CLUSTER NODES. */
export interface NodeLine {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly master: string;
  readonly slots: readonly string[];
}

export function startNode(kind: NodeKind, ...settings: string[]): Promise<ServerProcess> {
  return kind === 'redis' ? startRedis(...USUAL, ...settings) : startCinnabar(...USUAL, ...settings);
}

/** What `redis-cli --cluster` says, all its questions answered with yes; rejects where it fails or takes longer (ms). */
export async function clusterCli(words: readonly string[], timeout: number): Promise<string> {
  const running = run(oracle('redis-cli'), ['--cluster', ...words, '--cluster-yes'], { timeout });
  const { stdin } = running.child;
  // Where it has failed at once nobody reads the answers.
  stdin?.on('error', () => {});
  // There are questions that --cluster-yes does not answer.
  stdin?.end('yes\n');
  return (await running).stdout;
}

export class TestCluster {
  readonly nodes: ServerProcess[] = [];

  /** Resolves when the cluster is up, as every node says, and every replica has its master's data. */
  static async start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster();
    try {
      for (const kind of options.kinds) cluster.nodes.push(await startNode(kind, ...(options.settings ?? [])));
      await cluster.cli('create', ...cluster.addresses, '--cluster-replicas', String(options.replicas));
      await cluster.settled();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  /** What `redis-cli --cluster` says; rejects where it fails. */
  async cli(...words: string[]): Promise<string> {
    return clusterCli(words, 60_000);
  }

  /** Waits until all say that the cluster is up, and know each other's roles alike. */
  async settled(): Promise<void> {
    for (const { port } of this.nodes) {
      await waitFor(`the cluster is up at ${port}`, async () =>
        String(await ask(port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'),
      );
      await waitFor(`node ${port} has its master's data`, async () => {
        const info = String(await ask(port, 'INFO', 'replication'));
        return info.includes('role:master') || info.includes('master_link_status:up');
      });
    }
    const selves = await Promise.all(this.ports.map((port) => this.self(port)));
    for (const port of this.ports)
      await waitFor(`node ${port} knows whom the others follow`, async () => {
        const table = await this.table(port);
        return selves.every(({ id, master }) => table.find((line) => line.id === id)?.master === master);
      });
  }

  /** Waits until every node knows so many. */
  async knowsAll(count: number): Promise<void> {
    for (const port of this.ports)
      await waitFor(`node ${port} knows ${count}`, async () => (await this.table(port)).length === count);
  }

  /** What a node says of all of them. */
  async table(port = this.ports[0]): Promise<NodeLine[]> {
    const text = String(await ask(port, 'CLUSTER', 'NODES'));
    return text.trim().split('\n').map(readLine);
  }

  /** What a node says of itself. */
  async self(port: number): Promise<NodeLine> {
    return (await this.table(port)).find(({ flags }) => flags.includes('myself'))!;
  }

  /** Ends a node's process at once. */
  async kill(port: number): Promise<void> {
    const node = this.nodes.find((each) => each.port === port)!;
    this.nodes.splice(this.nodes.indexOf(node), 1);
    process.kill(node.pid, 'SIGKILL');
    await node.stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

function readLine(line: string): NodeLine {
  const [id, address, flags, master, , , , , ...slots] = line.trim().split(' ');
  const port = Number(/:(\d+)@/.exec(address)![1]);
  return { id, port, flags: flags.split(','), master: master === '-' ? '' : master, slots };
}
