/** A server in this process that keeps its data in a folder, with its log at hand and with what can go wrong with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerLog } from '../../src/server/log.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from './pipeline.ts';
import { freePort } from './ports.ts';
import { RespReader } from './resp.ts';
import { StartedThreads } from './started-threads.ts';

export class LogServer {
  readonly server: CinnabarServer;
  readonly client: Pipeline;
  readonly folder: string;
  /** Exit codes with which it has ended. */
  readonly exits: number[];
  private readonly lines: string[];
  /** Those that were started to write views. */
  private readonly threads: StartedThreads;

  private constructor(
    server: CinnabarServer,
    folder: string,
    lines: string[],
    exits: number[],
    threads: StartedThreads,
  ) {
    this.server = server;
    this.threads = threads;
    this.folder = folder;
    this.lines = lines;
    this.exits = exits;
    this.client = new Pipeline(server.port);
  }

  /** Rejects where the server can't start; what it logged is then in `lines`. */
  static async start(
    folder: string,
    settings: Readonly<Record<string, string>> = {},
    lines: string[] = [],
  ): Promise<LogServer> {
    const exits: number[] = [];
    const threads = new StartedThreads();
    const server = createServer({
      port: await freePort(),
      persistent: true,
      threads,
      log: new ServerLog({ file: '', level: 'debug', format: 'redis', sink: (line) => lines.push(line) }),
      onExit: (code) => exits.push(code),
      // Under everysec a write may wait for a sync: what has been replied need not be in the file yet.
      settings: {
        dir: folder,
        appendonly: 'yes',
        appendfsync: 'no',
        save: '',
        'enable-debug-command': 'yes',
        hz: '100',
        ...settings,
      },
    });
    await server.listen();
    return new LogServer(server, folder, lines, exits, threads);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.close();
  }

  /** Replies to commands, one a line of words. */
  async run(text: string): Promise<unknown[]> {
    const commands = text.split('\n').map((line) => line.trim().split(' '));
    return this.client.send(commands.filter(([name]) => name !== ''));
  }

  async info(field: string): Promise<string> {
    const text = String(await this.client.call('INFO', 'everything'));
    return new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1] ?? '';
  }

  async digest(): Promise<unknown> {
    return this.client.call('DEBUG', 'DIGEST');
  }

  /** How often the log says something. */
  said(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }

  get manifest(): string[] {
    return readFileSync(join(this.folder, 'appendonlydir', 'appendonly.aof.manifest'), 'latin1')
      .trim()
      .split('\n');
  }

  get files(): string[] {
    return readdirSync(join(this.folder, 'appendonlydir')).sort();
  }

  /** Ends the thread that is writing a view, as a crash of it would. */
  async killWorker(): Promise<void> {
    const { persistence } = this.server.engine.server;
    const background = Reflect.get(persistence, 'background');
    if (Reflect.get(background, 'job') === null) throw new Error('nothing is being written');
    await this.threads.all.at(-1)!.terminate();
  }

  /** Waits until no view is being written and none is wanted. */
  async settled(): Promise<void> {
    await until(async () => {
      const text = String(await this.client.call('INFO', 'persistence'));
      const fields = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled', 'rdb_bgsave_in_progress'];
      return fields.every((field) => text.includes(`${field}:0`));
    });
  }

  async rewrite(): Promise<void> {
    await this.client.call('BGREWRITEAOF');
    await this.settled();
  }
}

/** The commands of a file of the log; without annotations, each with its words joined by spaces. */
export function commandsOf(file: string): string[] {
  const text = readFileSync(file, 'latin1').replace(/^#.*\r\n/gm, '');
  return new RespReader(Buffer.from(text, 'latin1')).all().map((value) => {
    if (typeof value !== 'object' || value === null || !('items' in value)) throw new Error('no command');
    return value.items.join(' ');
  });
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((done) => setTimeout(done, 5));
}
