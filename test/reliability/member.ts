/** A server of the suites' rounds: a process that is killed, stopped and started again where it was. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from '../support/sentinels.ts';
import { MAIN } from '../support/server-process.ts';
import { until } from './harness.ts';

/** Characters of a log that are kept. */
const LOG_KEPT = 100_000;

export class Member {
  readonly port: number;
  readonly folder = mkdtempSync(join(tmpdir(), 'cinnabar-rounds-'));
  /** What it has said of late. */
  log = '';
  private readonly program: readonly [string, ...string[]];
  private args: readonly string[] = [];
  private child: ChildProcess | null = null;

  /** `program`: what is run, ours where nothing is said. */
  constructor(port: number, program: readonly [string, ...string[]] = [process.execPath, MAIN]) {
    this.port = port;
    this.program = program;
  }

  async start(args = this.args): Promise<void> {
    this.args = args;
    const [file, ...first] = this.program;
    this.child = spawn(file, [...first, ...args], { cwd: this.folder, stdio: ['ignore', 'pipe', 'ignore'] });
    this.child.stdout?.on('data', (text: Buffer) => {
      this.log = (this.log + text.toString('latin1')).slice(-LOG_KEPT);
    });
    await until(() => ask(this.port, 'PING').then(Boolean, () => false), `an answer at port ${this.port}`, 30_000);
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
