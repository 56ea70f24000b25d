/** A master and a replica of it, each ours or redis-server, over real sockets. */
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { type Answer, Pipeline } from './pipeline.ts';
import { freePort } from './ports.ts';
import { startRedis } from './server-process.ts';

export type Kind = 'ours' | 'redis';
type Settings = Readonly<Record<string, string>>;

const PATIENCE_MS = 15_000;
const LOOK_MS = 20;

/** One server, and a connection to it. */
export class Node {
  readonly port: number;
  readonly client: Pipeline;
  /** The server itself where it is ours. */
  readonly server: CinnabarServer | null;
  /** What ours has logged from `notice` on, and the code with which it has come to its end by itself. */
  readonly log: string[];
  exitCode: number | null = null;
  private readonly end: () => Promise<void>;

  private constructor(port: number, server: CinnabarServer | null, log: string[], end: () => Promise<void>) {
    this.port = port;
    this.server = server;
    this.log = log;
    this.client = new Pipeline(port);
    this.end = end;
  }

  static async start(kind: Kind, settings: Settings = {}): Promise<Node> {
    const usual = { save: '', 'enable-debug-command': 'yes', 'repl-diskless-sync-delay': '0' } as const;
    const all = { ...usual, ...settings };
    if (kind === 'redis') {
      const redis = await startRedis(...Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]));
      return new Node(redis.port, null, [], () => redis.stop());
    }
    const lines: string[] = [];
    const take = (line: string): void => void lines.push(line);
    const log = { debug() {}, verbose() {}, notice: take, warning: take };
    const ended = (code: number): void => {
      node.exitCode = code;
    };
    const server = createServer({ port: await freePort(), settings: all, log, onExit: ended });
    await server.listen();
    const node: Node = new Node(server.port, server, lines, () => server.close());
    return node;
  }

  async send(...command: string[]): Promise<Answer> {
    return (await this.client.send([command]))[0];
  }

  /** A line of INFO; '' where there is none of that name. */
  async info(name: string): Promise<string> {
    const text = String(await this.send('INFO', 'everything'));
    return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(text)?.[1] ?? '';
  }

  /** Looks until `check` is true; throws an error that tells `what` was waited for when that takes too long. */
  async until(what: string, check: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!(await check())) {
      if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.end();
  }
}

export class Pair {
  readonly master: Node;
  readonly replica: Node;

  constructor(master: Node, replica: Node) {
    this.master = master;
    this.replica = replica;
  }

  /** The replica follows the master, and has its data, when this is done. */
  static async start(kinds: readonly [Kind, Kind], ofMaster: Settings = {}, ofReplica: Settings = {}): Promise<Pair> {
    const master = await Node.start(kinds[0], ofMaster);
    const pair = new Pair(master, await Node.start(kinds[1], ofReplica));
    await pair.follow();
    return pair;
  }

  async follow(): Promise<void> {
    await this.replica.send('REPLICAOF', '127.0.0.1', String(this.master.port));
    await this.replica.until('the link is up', async () => (await this.replica.info('master_link_status')) === 'up');
  }

  /** The replica has all that the master has written. */
  async caughtUp(): Promise<void> {
    const { master, replica } = this;
    await replica.until('the replica has caught up', async () => {
      const [wanted, got] = [await master.info('master_repl_offset'), await replica.info('slave_repl_offset')];
      return wanted === got;
    });
  }

  async digests(): Promise<[Answer, Answer]> {
    return [await this.master.send('DEBUG', 'DIGEST'), await this.replica.send('DEBUG', 'DIGEST')];
  }

  async stop(): Promise<void> {
    await this.replica.stop();
    await this.master.stop();
  }
}
