/** A server of the suites' rounds: a process that is killed, stopped and started again where it was. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Answer, callAt, type Place } from '../support/groups.ts';
import { MAIN } from '../support/server-process.ts';
import { until } from './harness.ts';
import { HERE, type Machine } from './machines.ts';

/** Characters of a log that are kept. */
const LOG_KEPT = 100_000;
const ANSWER_MS = 1000;

export class Member {
  readonly port: number;
  readonly machine: Machine;
  readonly folder = mkdtempSync(join(tmpdir(), 'cinnabar-rounds-'));
  /** What it has said of late. */
  log = '';
  private readonly program: readonly [string, ...string[]];
  private args: readonly string[] = [];
  private child: ChildProcess | null = null;

  /** `program`: what is run, ours where nothing is said. */
  constructor(port: number, program: readonly [string, ...string[]] = [process.execPath, MAIN], machine = HERE) {
    this.port = port;
    this.program = program;
    this.machine = machine;
  }

  get host(): string {
    return this.machine.host;
  }

  get place(): Place {
    return { host: this.host, port: this.port };
  }

  async start(args = this.args): Promise<void> {
    this.args = args;
    const [file, ...first] = [...this.machine.enter, ...this.program];
    this.child = spawn(file, [...first, ...args], { cwd: this.folder, stdio: ['ignore', 'pipe', 'ignore'] });
    this.child.stdout?.on('data', (text: Buffer) => {
      this.log = (this.log + text.toString('latin1')).slice(-LOG_KEPT);
    });
    await until(() => this.ask('PING').then(Boolean, () => false), `an answer at port ${this.port}`, 30_000);
  }

  /** One command over a connection of its own; rejects where there is no answer within a second. */
  ask(...words: readonly string[]): Promise<Answer> {
    return callAt({ ...this.place, patience: ANSWER_MS }, ...words);
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
