/** A server of ours that may be killed, faulted, started again on its folder; and clients that count its replies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';
import { MAIN } from '../support/server-process.ts';

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

const READY_MILLISECONDS = 60_000;

/** What to start a server with besides its folder: settings as on the command line, and its environment. */
export interface Start {
  readonly options: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class DurableServer {
  readonly port: number;
  output = '';
  readonly ended: Promise<Ending>;
  private readonly child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.child = child;
    const read = (chunk: Buffer): void => {
      this.output += chunk.toString('latin1');
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    // Only once its output has been read to the end is it said to have ended.
    this.ended = new Promise((done) => child.once('close', (code, signal) => done({ code, signal })));
  }

  /** Starts it on `folder`, and waits until it takes connections; rejects with what it said where it does not. */
  static async start(folder: string, { options, env = {} }: Start): Promise<DurableServer> {
    mkdirSync(folder, { recursive: true });
    const port = await freePort();
    const args = [MAIN, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...options];
    const child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const server = new DurableServer(port, child);
    if (!(await server.saying('Ready to accept connections', READY_MILLISECONDS))) {
      server.kill();
      throw new Error(`did not start:\n${server.output.slice(-3000)}`);
    }
    return server;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits until it has written `text`; false where it has ended, or does not within the time. */
  async saying(text: string, milliseconds: number): Promise<boolean> {
    const deadline = Date.now() + milliseconds;
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    while (!this.output.includes(text)) {
      if (over || Date.now() > deadline) return false;
      await new Promise((done) => setTimeout(done, 3));
    }
    return true;
  }

  /** As the kernel would end it: no word of farewell. */
  async kill(): Promise<Ending> {
    this.child.kill('SIGKILL');
    return this.ended;
  }

  signal(name: 'SIGUSR2' | 'SIGTERM'): void {
    this.child.kill(name);
  }

  connect(): Pipeline {
    return new Pipeline(this.port);
  }
}

/** A field of INFO. */
export async function field(client: Pipeline, name: string): Promise<string> {
  const text = String(await client.call('INFO', 'everything'));
  const line = text.split('\r\n').find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1) ?? '';
}

/** Lines of JSON. */
export function linesOf<T>(folder: string, name: string): T[] {
  const text = readFileSync(join(folder, name), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
