/** A server of ours in this process beside the real redis-server: the same commands to both, the same replies demanded. */
import { expect } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Effects } from './effects.ts';
import { type Answer, Pipeline } from './pipeline.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startRedis } from './server-process.ts';

export type Commands = readonly (readonly string[])[];

type Settings = Readonly<Record<string, string>>;

const NONE = { ours: {}, theirs: {} };

/** What is compared of a command's reply, where not all of it has to be equal. */
export type Normal = (command: readonly string[], answer: Answer) => Answer;

/** One command a line; words between quotes may hold spaces, # begins a comment. */
export function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => [...line.replace(/^\s*#.*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((found) => found[1] ?? found[2]))
    .filter((words) => words.length > 0);
}

function shown(answer: Answer): Answer {
  if (Array.isArray(answer)) return answer.map(shown);
  return answer instanceof Error ? `(error) ${answer.message}` : answer;
}

export class Beside {
  readonly server: CinnabarServer;
  readonly ours: Pipeline;
  readonly theirs: Pipeline;
  private readonly redis: ServerProcess;

  private constructor(server: CinnabarServer, redis: ServerProcess) {
    this.server = server;
    this.redis = redis;
    this.ours = new Pipeline(server.port);
    this.theirs = new Pipeline(redis.port);
  }

  /** With `settings` on both sides, and those of `own` on one; `launch` starts the other side. */
  static async start(
    settings: Settings = {},
    own: { ours: Settings; theirs: Settings } = NONE,
    launch: typeof startRedis = startRedis,
  ): Promise<Beside> {
    const server = createServer({ port: await freePort(), settings: { save: '', ...settings, ...own.ours } });
    await server.listen();
    const theirs = Object.entries({ ...settings, ...own.theirs }).flatMap(([name, text]) => [`--${name}`, text]);
    return new Beside(server, await launch(...theirs));
  }

  get theirsPort(): number {
    return this.redis.port;
  }

  async stop(): Promise<void> {
    this.ours.close();
    this.theirs.close();
    await this.server.close();
    await this.redis.stop();
  }

  /** Sends commands, or one a line of text, to both. */
  async same(commands: Commands | string, normal: Normal = (_, answer) => answer): Promise<void> {
    const list = typeof commands === 'string' ? lines(commands) : commands;
    const [a, b] = await Promise.all([this.ours.send(list), this.theirs.send(list)]);
    for (let i = 0; i < list.length; i++) {
      const mine = normal(list[i], shown(a[i]));
      const real = normal(list[i], shown(b[i]));
      if (JSON.stringify(mine) === JSON.stringify(real)) continue;
      const before = list.slice(Math.max(0, i - 5), i + 1).map((words) => words.map((w) => w.slice(0, 80)).join(' '));
      expect(mine, `reply ${i} to ${JSON.stringify(before)}`).toEqual(real);
    }
  }

  /** Runs a command here and answers with its effects, one a line. */
  async propagated(command: string): Promise<string[]> {
    const { propagation } = this.server.engine;
    const effects = new Effects();
    propagation.attach(effects);
    try {
      await this.ours.send(lines(command));
    } finally {
      propagation.detach(effects);
    }
    return effects.seen;
  }
}
