/**
 * `import { RedisMemoryServer } from 'cinnabar/redis-memory-server'`: what the package redis-memory-server offers, without a
 * Redis that is compiled or downloaded. The server runs in this process. Options about the binary and how it is spawned are
 * taken and mean nothing.
 */
import { type CinnabarServer, createServer } from '../server/server.ts';

export interface RedisMemoryServerOptions {
  readonly instance?: {
    /** Any that is free, when absent. */
    readonly port?: number;
    /** 127.0.0.1 when absent. */
    readonly ip?: string;
    /** As redis-server takes them: `['--maxmemory', '100mb']`. */
    readonly args?: readonly string[];
  };
  readonly binary?: object;
  readonly spawn?: object;
  /** Whether `new RedisMemoryServer()` starts it at once; true when absent. */
  readonly autoStart?: boolean;
}

export interface RedisMemoryInstance {
  readonly port: number;
  readonly ip: string;
  /** The server itself, with all that it can do beside. */
  readonly instance: CinnabarServer;
}

const LOOPBACK = '127.0.0.1';

export class RedisMemoryServer {
  readonly opts: RedisMemoryServerOptions;
  private starting: Promise<RedisMemoryInstance> | null = null;
  private running: RedisMemoryInstance | null = null;
  /** The port that it had, which a later start has again. */
  private port: number;

  constructor(options: RedisMemoryServerOptions = {}) {
    this.opts = options;
    this.port = options.instance?.port ?? 0;
    // Whoever asks for the instance learns why there is none.
    if (options.autoStart !== false) this.start().catch(() => {});
  }

  /** Resolves once it takes connections. */
  static async create(options: RedisMemoryServerOptions = {}): Promise<RedisMemoryServer> {
    const server = new RedisMemoryServer({ ...options, autoStart: false });
    if (options.autoStart !== false) await server.start();
    return server;
  }

  /** Rejects where it runs already, or can't be started. */
  async start(): Promise<boolean> {
    if (this.starting !== null) throw new Error('The server runs already, or is being started');
    const starting = this.open();
    this.starting = starting;
    try {
      this.running = await starting;
    } catch (error) {
      this.starting = null;
      throw error;
    }
    return true;
  }

  /** Whether there was one to stop. */
  async stop(): Promise<boolean> {
    const { starting } = this;
    if (starting === null) return false;
    const { instance } = await starting;
    this.starting = null;
    this.running = null;
    await instance.close();
    return true;
  }

  /** False where it does not run. */
  getInstanceInfo(): RedisMemoryInstance | false {
    return this.running ?? false;
  }

  /** Starts it where that has not been done. */
  async ensureInstance(): Promise<RedisMemoryInstance> {
    if (this.starting === null) await this.start();
    return this.starting!;
  }

  async getHost(): Promise<string> {
    return this.getIp();
  }

  async getIp(): Promise<string> {
    return (await this.ensureInstance()).ip;
  }

  async getPort(): Promise<number> {
    return (await this.ensureInstance()).port;
  }

  private async open(): Promise<RedisMemoryInstance> {
    const { ip = LOOPBACK, args = [] } = this.opts.instance ?? {};
    const instance = createServer({ port: this.port, settings: { bind: ip, ...settingsOf(args) } });
    await instance.listen();
    this.port = instance.port;
    return { port: this.port, ip, instance };
  }
}

export default RedisMemoryServer;

/** `--name word word --other word` as settings by their names. */
function settingsOf(args: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = {};
  let name = '';
  for (const word of args) {
    if (word.startsWith('--')) {
      name = word.slice(2);
      settings[name] = '';
    } else if (name === '') throw new Error(`'${word}' belongs to no setting: arguments begin with --name`);
    else settings[name] += settings[name] === '' ? word : ` ${word}`;
  }
  return settings;
}
