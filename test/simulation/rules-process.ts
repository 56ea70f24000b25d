/**
 * A process of the simulation around a machine of rules: it is killed and started, stands still, and has a disk of its own.
 * What was synced outlives a kill; of a write that is under way either the old or the new file does. What rests on a version
 * waits until that is on the disk.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { Host, type Network } from './network.ts';

/** What the disk tells the rules. */
type Written =
  | { readonly kind: 'persisted'; readonly version: number }
  | { readonly kind: 'persist-failed'; readonly version: number; readonly reason: string };

/** A process that is started again and again. */
export abstract class LivingProcess extends Host {
  protected readonly network: Network;
  protected readonly random: SeededRandom;
  private starts = 0;

  constructor(network: Network, name: string, number: number, random: SeededRandom) {
    super(name, number);
    this.network = network;
    this.random = random;
  }

  start(): void {
    this.up = true;
    this.starts++;
    this.begin();
  }

  /** Starts the rules from what was saved. */
  protected abstract begin(): void;

  /** Does something later, unless the process has ended by then; one that stands still does it when it goes on. */
  protected after(ms: number, action: () => void): void {
    const { starts } = this;
    this.network.timeline.after(ms, () => {
      if (!this.up || this.starts !== starts) return;
      if (this.frozen) this.after(50, action);
      else action();
    });
  }
}

export abstract class RulesProcess<
  Write extends { readonly version: number },
  Held extends { readonly after: number },
> extends LivingProcess {
  /** Milliseconds that a write to the disk takes at most. */
  diskDelay = 3;
  diskFails = false;
  private durable = 0;
  private writing: Write | null = null;
  private toWrite: Write | null = null;
  private held: Held[] = [];

  override start(): void {
    this.durable = 0;
    this.writing = null;
    this.toWrite = null;
    this.held = [];
    super.start();
  }

  override kill(): void {
    super.kill();
    if (this.writing !== null && this.random.below(2) === 0) this.save(this.writing);
    this.hangUp();
  }

  /** Ends all connections. */
  protected abstract hangUp(): void;
  protected abstract step(input: Written): void;
  /** This is on the disk now. */
  protected abstract save(write: Write): void;
  /** This may be heard of now. */
  protected abstract release(held: Held): void;

  protected persist(write: Write): void {
    this.toWrite = write;
    if (this.writing === null) this.write();
  }

  /** Releases what rests on a version once that is durable; `early` is the bug that is to be found. */
  protected releaseInTime(held: Held, early: boolean): void {
    if (held.after <= this.durable || early) this.release(held);
    else this.held.push(held);
  }

  private write(): void {
    const write = this.toWrite;
    if (write === null) return;
    this.toWrite = null;
    this.writing = write;
    this.after(this.random.double01() * this.diskDelay, () => {
      this.writing = null;
      if (this.diskFails) this.step({ kind: 'persist-failed', version: write.version, reason: 'No space left' });
      else this.written(write);
      if (this.writing === null) this.write();
    });
  }

  private written(write: Write): void {
    const { version } = write;
    this.save(write);
    this.durable = version;
    const free = this.held.filter(({ after }) => after <= version);
    this.held = this.held.filter(({ after }) => after > version);
    for (const held of free) this.release(held);
    this.step({ kind: 'persisted', version });
  }
}
