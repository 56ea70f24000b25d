/**
 * What the worlds of whole servers share: machines that start, are killed, lose their power and stand still, and a network
 * that comes apart between them, over which somebody outside reaches all of them at any time. What is found broken within a
 * server ends the course with the next step of time.
 */
import type { SeededRandom } from '../../src/base/random.ts';
import { SystemError } from '../../src/base/system-error.ts';
import { Broken } from './rules-world.ts';
import { type Machine, World } from './world.ts';

/** A disk that is slow to sync, or takes no more. */
interface Disk {
  /** Milliseconds for which whoever syncs stands still. */
  readonly delay: number;
  readonly full: boolean;
}

const GOOD_DISK: Disk = { delay: 0, full: false };
const DISK_DELAYS: readonly number[] = [0, 20, 300, 1500];
/** Milliseconds by which a wall clock jumps at most, forwards or back. */
const MOST_JUMP = 20_000;

export abstract class ServersWorld {
  readonly world: World;
  protected readonly random: SeededRandom;
  protected failure: Error | null = null;
  protected readonly hosts: readonly string[];
  private readonly outsider: string;
  private readonly machines = new Map<string, Machine>();
  private readonly frozen = new Set<string>();
  private readonly disks = new Map<string, Disk>();
  /** Hosts that reach one another and nobody else. */
  protected part: readonly string[] = [];

  /** `outsider` is from where the hosts are asked, over ways that are never cut. */
  constructor(seed: number, hosts: readonly string[], outsider: string, traced: boolean) {
    this.world = new World(seed);
    this.random = this.world.derivedRandom();
    this.hosts = hosts;
    this.outsider = outsider;
    if (!traced) {
      this.world.wires.onTraffic = () => {};
      this.world.note = () => {};
    }
    for (const name of hosts) this.machines.set(name, this.world.machine(name));
  }

  /** Starts what runs on the machine, unless it does; resolves once it listens. */
  protected abstract start(name: string): Promise<void>;

  protected abstract begin(): Promise<void>;

  /** One thing goes wrong. */
  protected abstract goWrong(): void;

  protected abstract heal(): Promise<void>;

  /** Throws where what must hold does not. */
  protected abstract agree(): Promise<void>;

  /** What is not yet as it must be; '' where all is. */
  protected abstract disagreement(): string;

  /** A whole course, with milliseconds between two faults at most: as a rule, and in one case of four. Answers what was broken. */
  async play(faults: number, usualPause: number, longPause: number): Promise<string> {
    // What is thrown where a stream hands bytes over has nobody above it.
    const uncaught = (error: Error): void => this.fail(error);
    process.on('uncaughtException', uncaught);
    try {
      await this.begin();
      for (let i = 0; i < faults; i++) {
        this.goWrong();
        await this.pass(this.random.below(this.random.below(4) === 0 ? longPause : usualPause));
      }
      await this.heal();
      await this.agree();
    } catch (error) {
      return error instanceof Broken ? error.message : String(error instanceof Error ? error.stack : error);
    } finally {
      this.world.end();
      process.off('uncaughtException', uncaught);
    }
    return '';
  }

  /** Resolves when they agree, at which it looks every so many milliseconds until `end`. */
  protected async untilAgreed(end: number, step: number): Promise<void> {
    for (let differs = this.disagreement(); differs !== ''; differs = this.disagreement()) {
      if (this.world.clock.now() > end) throw new Broken(`they do not come to agree: ${differs}`);
      await this.pass(step);
    }
  }

  protected machine(name: string): Machine {
    return this.machines.get(name)!;
  }

  protected running(name: string): boolean {
    return this.machine(name).process !== null;
  }

  protected startSoon(name: string, ms: number): void {
    this.world.clock.after(ms, () => {
      if (!this.running(name)) this.start(name).catch((error: Error) => this.fail(error));
    });
  }

  protected stop(name: string, power: boolean): void {
    if (!this.running(name)) return;
    this.goOn(name);
    if (power) this.machine(name).powerCut();
    else this.machine(name).kill();
  }

  protected standStill(name: string, ms: number): void {
    if (!this.running(name) || this.frozen.has(name)) return;
    this.world.note(`${name} stands still for ${ms} ms`);
    const { process } = this.machine(name);
    this.frozen.add(name);
    process!.stop();
    this.applyCuts();
    this.world.clock.after(ms, () => {
      if (this.machine(name).process === process) this.goOn(name);
    });
  }

  protected goOn(name: string): void {
    if (!this.frozen.delete(name)) return;
    this.machine(name).process?.goOn();
    this.applyCuts();
  }

  protected split(part: readonly string[]): void {
    this.world.note(part.length === 0 ? 'the network is whole' : `${part.join(' ')} are cut off`);
    this.part = part;
    this.applyCuts();
  }

  protected jump(name: string): void {
    const ms = this.random.below(2 * MOST_JUMP) - MOST_JUMP;
    this.world.note(`the wall clock of ${name} jumps by ${ms} ms`);
    this.machine(name).ahead += ms;
  }

  protected changeDisk(name: string): void {
    const disk = { delay: this.pick(DISK_DELAYS), full: this.random.below(4) === 0 };
    this.world.note(`the disk of ${name}: ${JSON.stringify(disk)}`);
    this.disks.set(name, disk);
  }

  protected mendDisks(): void {
    this.disks.clear();
  }

  /** What becomes of a step of its disk, before it is done. */
  protected sufferStep(name: string, step: string, path: string): void {
    const { delay, full } = this.disks.get(name) ?? GOOD_DISK;
    if (full && step === 'write') throw new SystemError('ENOSPC', 'write', path);
    if (delay > 0 && (step === 'fsync' || step === 'fdatasync')) this.standStill(name, delay);
  }

  private applyCuts(): void {
    const all = [...this.hosts, this.outsider];
    const { wires } = this.world;
    const apart = (a: string, b: string): boolean =>
      this.frozen.has(a) ||
      this.frozen.has(b) ||
      (a !== this.outsider && b !== this.outsider && this.part.includes(a) !== this.part.includes(b));
    for (const a of all)
      for (const b of all) {
        if (a === b) continue;
        if (apart(a, b)) wires.cut(a, b);
        else wires.heal(a, b);
      }
  }

  protected async pass(ms: number): Promise<void> {
    await this.world.pass(ms);
    if (this.failure !== null) throw this.failure;
  }

  protected fail(error: Error): void {
    this.failure ??= error;
  }

  /** What is found broken inside of a server must not end in its own error handling. */
  protected hold(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  protected pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)];
  }
}
