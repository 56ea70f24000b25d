/**
 * What the worlds of rules have in common: a network that comes apart, processes that are killed and stand still, disks that
 * are slow or full, and time that passes until all is well again; everything from one seed.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { type Host, Network } from './network.ts';
import { Timeline } from './timeline.ts';

/** Milliseconds of trouble. */
const TROUBLE = 20_000;
export const MOST_FAULTS = 40;

export const BUGS = ['votes are told early'] as const;
export type Bug = (typeof BUGS)[number] | 'none';

export interface Course {
  readonly broken: string;
  readonly trace: readonly string[];
  /** Virtual milliseconds that it lasted. */
  readonly lasted: number;
  readonly failovers: number;
  /** Votes that were told. */
  readonly votes: number;
}

export interface CourseOptions {
  /** How many things go wrong at most. */
  readonly faults?: number;
  readonly bug?: Bug;
  readonly traced?: boolean;
}

/** A host with a disk that matters. */
interface Writer extends Host {
  diskDelay: number;
  diskFails: boolean;
}

/** Milliseconds between two faults, at most: as a rule, and in one case of four. */
export interface Pauses {
  readonly usual: number;
  readonly long: number;
}

export class Broken extends Error {}

/** Plays a world, and tells what has come of it. */
export function played(world: RulesWorld, play: () => void): Course {
  let broken = '';
  try {
    play();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    broken = error instanceof Broken ? error.message : (error.stack ?? error.message);
  }
  return { broken, trace: world.trace, lasted: world.timeline.now, failovers: world.failovers, votes: world.votesTold };
}

/** One key stands for one value, always. */
export function same<Key, Value>(known: Map<Key, Value>, key: Key, value: Value, what: string): void {
  const before = known.get(key);
  if (before !== undefined && before !== value) throw new Broken(`two ${what}: ${before} and ${value}`);
  known.set(key, value);
}

export abstract class RulesWorld {
  readonly timeline = new Timeline();
  readonly random: SeededRandom;
  readonly network: Network;
  readonly tellsVotesEarly: boolean;
  readonly trace: string[] = [];
  failovers = 0;
  votesTold = 0;
  protected troubled = false;
  private readonly traced: boolean;

  constructor(seed: number, { bug, traced }: CourseOptions) {
    this.random = new SeededRandom(seed);
    this.network = new Network(this.timeline, this.random);
    this.tellsVotesEarly = bug === 'votes are told early';
    this.traced = traced === true;
  }

  protected abstract get all(): readonly Host[];
  protected abstract get writers(): readonly Writer[];
  /** Lets one thing go wrong. */
  protected abstract goWrong(): void;

  protected note(line: string): void {
    if (this.traced) this.trace.push(`${this.timeline.now.toFixed(1)} ${line}`);
  }

  /** Lets time pass until nothing differs any more, no more than `patience` milliseconds. */
  protected await(what: string, patience: number, difference: () => string): void {
    const end = this.timeline.now + patience;
    for (let differs = difference(); differs !== ''; differs = difference()) {
      if (this.timeline.now > end) throw new Broken(`it does not come to it that ${what}: ${differs}`);
      this.timeline.run(500);
    }
    this.note(what);
  }

  /** From now on disks are slow, and who has just promised something may be killed. */
  protected beginTrouble(): void {
    this.troubled = true;
    for (const writer of this.writers) writer.diskDelay = this.diskDelay();
  }

  protected letGoWrong(faults: number, { usual, long }: Pauses): void {
    const end = this.timeline.now + TROUBLE;
    for (let i = 0; i < faults && this.timeline.now < end; i++) {
      this.goWrong();
      this.timeline.run(this.random.below(this.random.below(4) === 0 ? long : usual));
    }
  }

  /** The network is whole, and everybody goes on. */
  protected endTrouble(): void {
    this.troubled = false;
    this.note('all is healed');
    this.split([]);
    for (const host of this.all) host.frozen = false;
  }

  protected split(part: readonly Host[]): void {
    this.note(part.length === 0 ? 'the network is whole' : `${part.map(({ name }) => name).join(' ')} are cut off`);
    this.network.split(this.all, new Set(part));
  }

  protected randomPart(): Host[] {
    return this.all.filter(() => this.random.below(2) === 0);
  }

  /** Kills what is up, and starts what is not. */
  protected stop(host: Host): void {
    this.note(`${host.name} ${host.up ? 'is killed' : 'starts'}`);
    if (host.up) host.kill();
    else host.start();
  }

  /** Kills a host, which is started again soon. */
  protected crash(host: Host): void {
    if (!host.up) return;
    this.stop(host);
    this.timeline.after(50 + this.random.below(500), () => {
      if (!host.up) this.stop(host);
    });
  }

  /** Kills a host where it hurts most: when it has just promised something. */
  protected crashPerhaps(host: Host): void {
    if (this.troubled && this.random.below(8) === 0) this.timeline.after(this.random.below(50), () => this.crash(host));
  }

  protected freeze(host: Host): void {
    host.frozen = !host.frozen;
    this.note(`${host.name} ${host.frozen ? 'stands still' : 'goes on'}`);
  }

  protected changeDisk(writer: Writer): void {
    writer.diskDelay = this.diskDelay();
    writer.diskFails = this.random.below(3) === 0;
    this.note(`${writer.name} writes in ${writer.diskDelay} ms${writer.diskFails ? ', and fails' : ''}`);
  }

  private diskDelay(): number {
    return [3, 100, 1500][this.random.below(3)];
  }
}
