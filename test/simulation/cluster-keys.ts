/**
 * Which keys of a simulated cluster must be there: each is written once, by a command that would show if it were done twice,
 * and whoever wrote it knows whether it was acknowledged, and by whom.
 *
 * An acknowledged key is safe while it lies where nobody takes it away:
 *
 *   - on the node whose claim on its slot is the latest (on each of them, while two claim it with one config epoch), or
 *   - on a master that does not claim the slot, as one that imports it, and that has not itself been deposed: all slots that
 *     it claims have later claims.
 *
 * What asynchronous replication and a configuration that travels by gossip allow is that it is lost by one of these, and by
 * nothing else:
 *
 *   late       it was acknowledged by a master that had been deposed, or lost the slot, and had not heard of it
 *   elected,   a replica that had not got it became the master. An election loses nothing that was there for longer than a
 *   forced     replica's data may be old; a failover that the master agreed to loses nothing at all
 *   overtaken  a node claimed the slot with a later epoch, not knowing that it had been moved
 *   misplaced  an administrator moved it to a master that had been deposed, or that another one claims the slot beside, with
 *              the same config epoch: which of the two keeps it is open until they meet
 *
 * Who has ended is judged by what it had in memory: with appendfsync always all that it acknowledged is on its disk too.
 */
import { type Slice, sliceOf } from '../../src/base/slice.ts';
import type { Life, Way } from './cluster-life.ts';
import { Broken } from './rules-world.ts';

export interface Key {
  readonly name: string;
  readonly bytes: Slice;
  readonly slot: number;
  /** When it was acknowledged, or an administrator last moved it; 0 before. Milliseconds. */
  since: number;
}

type Reason = 'late' | 'elected' | 'forced' | 'overtaken' | 'misplaced';

export class Keys {
  readonly all = new Map<string, Key>();
  readonly counts: Record<Reason, number> = { late: 0, elected: 0, forced: 0, overtaken: 0, misplaced: 0 };
  /** Nothing may be lost from now on. */
  strict = false;
  private readonly lives: ReadonlyMap<string, Life>;
  private readonly now: () => number;
  /** Those that matter: of what each shard began with one that is never moved, and those that keys are in. */
  private readonly slots: readonly number[];
  /** For how long data may have been there at the most, for an election to lose them, ms. */
  private readonly oldest: number;
  private readonly excused = new Set<Key>();
  /** Those that a node is asked to move, and to which. */
  private readonly underWay = new Map<Key, Life>();

  constructor(lives: ReadonlyMap<string, Life>, slots: readonly number[], oldest: number, now: () => number) {
    this.lives = lives;
    this.slots = slots;
    this.oldest = oldest;
    this.now = now;
  }

  /** A key that is about to be written. */
  begin(name: string, slot: number): Key {
    const key = { name, bytes: sliceOf(name), slot, since: 0 };
    this.all.set(name, key);
    return key;
  }

  acknowledged(key: Key): void {
    key.since = this.now();
    if (!this.isSafe(key)) this.excuse(key, 'late');
  }

  /** An administrator asks for these to be moved: their node drops them once they have come, and he hears of it later. */
  moving(names: readonly string[], to: Life): void {
    for (const name of names) {
      const key = this.all.get(name);
      if (key !== undefined) this.underWay.set(key, to);
    }
  }

  /** They were moved, or not. */
  moved(names: readonly string[]): void {
    for (const name of names) {
      const key = this.all.get(name);
      if (key === undefined) continue;
      if (key.since > 0) key.since = this.now();
      this.isMisplaced(key);
      this.underWay.delete(key);
    }
  }

  private isMisplaced(key: Key): boolean {
    const to = this.underWay.get(key);
    if (to === undefined || this.isSafe(key)) return false;
    if (!this.isDeposed(to) && !this.isContested(to, key.slot)) return false;
    this.excuse(key, 'misplaced');
    return true;
  }

  /** A node is about to decide something: until then nothing was lost. Throws Broken. */
  audit(): void {
    for (const key of this.all.values())
      if (key.since > 0 && !this.excused.has(key) && !this.isSafe(key) && !this.isMisplaced(key))
        throw new Broken(`${key.name} of slot ${key.slot} lies nowhere: ${this.whereabouts(key)}`);
  }

  /** A node claims more than before. Throws Broken where that loses what it may not. */
  claimed(life: Life, way: Way, master: Life | undefined): void {
    for (const key of this.all.values()) {
      if (this.excused.has(key) || this.isSafe(key) || !this.isSomewhere(key)) continue;
      const age = key.since === 0 ? 0 : this.now() - key.since;
      const hadIt = master?.has(key.bytes) === true;
      if (way === 'agreed' && hadIt && key.since > 0)
        throw new Broken(`${life.name} takes over by agreement, and has not got ${key.name}`);
      if (way === 'elected' && hadIt && age > this.oldest)
        throw new Broken(`${life.name} is elected, and has not got ${key.name}, which is ${age} ms old`);
      this.excuse(key, way === 'elected' ? 'elected' : way === 'forced' || way === 'taken' ? 'forced' : 'overtaken');
    }
  }

  /** Those that were acknowledged and must be there. */
  *required(): Iterable<Key> {
    for (const key of this.all.values()) if (key.since > 0 && !this.excused.has(key)) yield key;
  }

  private excuse(key: Key, reason: Reason): void {
    if (this.strict) throw new Broken(`${key.name} of slot ${key.slot} is lost (${reason}): ${this.whereabouts(key)}`);
    this.excused.add(key);
    this.counts[reason]++;
  }

  private isSafe({ bytes, slot }: Key): boolean {
    const owners = this.ownersOf(slot);
    if (owners.length > 0 && owners.every((life) => life.has(bytes))) return true;
    for (const life of this.lives.values())
      if (life.state.myself.isMaster && !life.owns(slot) && life.has(bytes) && !this.isDeposed(life)) return true;
    return false;
  }

  private isSomewhere({ bytes }: Key): boolean {
    for (const life of this.lives.values()) if (life.has(bytes)) return true;
    return false;
  }

  /** Those whose claim is the latest. */
  ownersOf(slot: number): readonly Life[] {
    let latest = -1;
    let found: Life[] = [];
    for (const life of this.lives.values()) {
      if (!life.owns(slot)) continue;
      const { configEpoch } = life.state.myself;
      if (configEpoch > latest) found = [];
      latest = Math.max(latest, configEpoch);
      if (configEpoch === latest) found.push(life);
    }
    return found;
  }

  private isDeposed(life: Life): boolean {
    return !this.slots.some((slot) => life.owns(slot) && this.ownersOf(slot).includes(life));
  }

  private isContested(life: Life, slot: number): boolean {
    const owners = this.ownersOf(slot);
    return owners.length > 1 && owners.includes(life);
  }

  /** Who has it, and who claims its slot, for people to read. */
  whereabouts({ bytes, slot }: Key): string {
    const told: string[] = [];
    for (const life of this.lives.values()) {
      const { myself, importing } = life.state;
      const what = [
        life.has(bytes) ? 'has it' : '',
        life.owns(slot) ? `claims the slot with epoch ${myself.configEpoch}` : '',
        importing.has(slot) ? 'imports the slot' : '',
      ].filter((text) => text !== '');
      if (what.length > 0) told.push(`${life.name} (${myself.isMaster ? 'master' : 'replica'}) ${what.join(', ')}`);
    }
    return told.join('; ');
  }
}
