/** One step of the rules: what is known, what time it is, and what is to be done about it. */
import { assert } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import { Versions } from '../../base/versions.ts';
import { announced } from '../fields.ts';
import type { Answer, Asker, Level, Output } from '../messages.ts';
import { type Instance, masterOf, type SentinelState } from '../state.ts';
import { savedState } from './saved.ts';
import { queueScript } from './script-queue.ts';

export class Turn {
  readonly state: SentinelState;
  readonly random: Random;
  now: number;
  private outputs: Output[] = [];
  /** Something of the configuration has changed in this step. */
  private changed = false;
  private readonly versions = new Versions();
  /** Nothing more is to be done than what was put out before. */
  private exitCode: number | null = null;

  constructor(state: SentinelState, random: Random, now: number) {
    this.state = state;
    this.random = random;
    this.now = now;
  }

  begin(now: number): void {
    assert(now >= this.now && now > 0, 'the clock of the rules never goes back');
    this.now = now;
  }

  /** What the step has come to. */
  end(): readonly Output[] {
    if (this.changed) {
      this.changed = false;
      this.outputs.push({ kind: 'persist', version: this.versions.next(), configuration: savedState(this.state) });
    }
    if (this.exitCode !== null) this.outputs.push({ kind: 'exit', code: this.exitCode });
    const { outputs } = this;
    this.outputs = [];
    return outputs;
  }

  output(output: Output): void {
    if (this.exitCode === null) this.outputs.push(output);
  }

  /** Ends the process, as soon as what has been put out is done. */
  exit(code: number): void {
    this.exitCode ??= code;
  }

  /** An event with a text of its own; of `about`'s master the notification script is run where the level is warning. */
  event(level: Level, type: string, about: Instance | null, text: string): void {
    this.output({ kind: 'event', level, type, text });
    if (level !== 'warning' || about === null) return;
    const { notificationScript } = masterOf(about).settings;
    if (notificationScript !== '') queueScript(this.state, [notificationScript, type, text]);
  }

  /** An event that names an instance and its master, and what else there is to say. */
  tell(level: Level, type: string, about: Instance, more = ''): void {
    this.event(level, type, about, description(this.state, about) + more);
  }

  log(level: Level, text: string): void {
    this.output({ kind: 'event', level, type: '', text });
  }

  answer(asker: Asker, answer: Answer, after = 0): void {
    this.output({ kind: 'answer', asker, answer, after });
  }

  /** Something that a restart must find has changed; the version that has it. */
  persist(): number {
    this.changed = true;
    return this.versions.last + 1;
  }

  isDurable(version: number): boolean {
    return version <= this.versions.durable;
  }

  persisted(version: number): void {
    this.versions.written(version);
    this.log('notice', 'Sentinel new configuration saved on disk');
  }

  persistFailed(version: number, reason: string): void {
    this.log('warning', `WARNING: Sentinel was not able to save the new configuration on disk!!!: ${reason}`);
    this.versions.failed(version, this.now);
  }

  /** Tries again what could not be written, in time. */
  retryPersist(): void {
    if (this.versions.isRetryDue(this.now)) this.persist();
  }
}

/** As events name an instance: `slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379`. */
function description(state: SentinelState, instance: Instance): string {
  const { role, name, address } = instance;
  const own = `${role} ${name} ${announced(state, address)} ${address.port}`;
  if (instance.role === 'master') return own;
  const { master } = instance;
  return `${own} @ ${master.name} ${announced(state, master.address)} ${master.address.port}`;
}
