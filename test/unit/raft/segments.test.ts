import { expect, test } from 'vitest';
import { MemoryDisk, Storage } from '../../../src/base/memory-disk.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import type { Configuration } from '../../../src/raft/configuration.ts';
import { JournalBroken } from '../../../src/raft/disk/journal.ts';
import { type Found, Segments } from '../../../src/raft/disk/segments.ts';
import { command, type Entry, type HardState, newSaved } from '../../../src/raft/entry.ts';

const FOLDER = '/data/raftdir';
const GROUP: Configuration = [{ id: 5, address: 'a 1 0 2', kind: 'voter' }];

/** The event loop goes round when time does. */
class TurnClock extends VirtualClock {
  override soon(action: () => void): void {
    this.after(0, action);
  }
}

interface Opened {
  readonly disk: MemoryDisk;
  readonly clock: VirtualClock;
  readonly segments: Segments;
  readonly found: Found;
  /** The last version that was told to be on the disk. */
  stored: number;
}

function open(storage: Storage): Opened {
  const clock = new TurnClock();
  const disk = new MemoryDisk(storage, clock, '/data');
  const segments: Segments = new Segments({
    disk,
    clock,
    folder: FOLDER,
    newId: () => 5,
    stored: (version) => {
      opened.stored = version;
    },
    failed: (reason) => {
      throw new Error(reason);
    },
  });
  const opened: Opened = { disk, clock, segments, found: segments.open(), stored: 0 };
  return opened;
}

function textOf(entries: readonly Entry[]): string[] {
  return entries.map(({ index, term, payload }) => `${index} of ${term}: ${Buffer.from(payload)}`);
}

test('a new folder has an ID that stays, and no log', () => {
  const storage = new Storage();
  expect(open(storage).found).toEqual({ id: 5, saved: null, snapshot: null });
  storage.powerCut();
  const again = open(storage);
  expect(again.found.id).toBe(5);
  again.segments.create(newSaved(GROUP));
  storage.powerCut();
  expect(open(storage).found.saved).toEqual(newSaved(GROUP));
});

/** What a member has in its log by the side of the disk, and what of it must survive. */
class Model {
  state: HardState = { term: 1, vote: 0 };
  entries: Entry[] = [];
  base = 0;
  private readonly random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  get last(): number {
    return this.base + this.entries.length;
  }

  /** A later term may replace what is not committed. */
  next(committed: number): { state: HardState | null; entries: Entry[] } {
    const { random } = this;
    const later = random.below(4) === 0;
    if (later) {
      this.state = { term: this.state.term + 1, vote: random.below(3) };
      const keep = Math.max(committed, this.last - random.below(4));
      this.entries.length = keep - this.base;
    }
    const { last } = this;
    const entries = Array.from({ length: (later ? 1 : 0) + random.below(4) }, (_, i) =>
      command(last + 1 + i, this.state.term, Buffer.from(`${random.below(1e6)}`)),
    );
    this.entries.push(...entries);
    return { state: later ? this.state : null, entries };
  }
}

/** One life between two power cuts; answers what must be there after it. */
function live(
  opened: Opened,
  model: Model,
  random: SeededRandom,
  kept: { index: number },
): readonly [HardState, Entry[]] {
  const { segments, disk, clock } = opened;
  const versions: (readonly [HardState, Entry[]])[] = [[model.state, [...model.entries]]];
  for (let steps = random.below(30); steps > 0; steps--) {
    const { state, entries } = model.next(kept.index);
    if (state !== null || entries.length > 0) {
      segments.store(versions.length, state, entries);
      segments.sync();
      versions.push([model.state, [...model.entries]]);
    }
    if (random.below(3) === 0) clock.advance(1);
    if (random.below(8) > 0 || model.last <= kept.index) continue;
    // A snapshot of all there is, which becomes the one that counts once it is on the disk.
    const mark = { index: model.last, term: model.entries.at(-1)!.term, configuration: GROUP };
    segments.cut(mark, model.state);
    const name = segments.temporaryName();
    const file = disk.open(`${FOLDER}/${name}`, 'w');
    file.writeAll(Buffer.from(`data up to ${mark.index}`));
    file.sync();
    file.close();
    segments.keepSnapshot(name, mark);
    kept.index = mark.index;
    segments.compact(mark.index);
  }
  return versions[opened.stored] ?? versions[0];
}

test('whatever a power cut leaves has all that was told to be stored', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const storage = new Storage();
    const model = new Model(random);
    const kept = { index: 0 };
    open(storage).segments.create(newSaved(GROUP));
    for (let life = 0; life < 6; life++) {
      const opened = open(storage);
      const saved = opened.found.saved!;
      model.state = { term: Math.max(saved.term, 1), vote: saved.vote };
      model.base = saved.base.index;
      model.entries = [...saved.entries];
      const [state, entries] = live(opened, model, random, kept);
      opened.disk.cutOff();
      storage.powerCut(random);
      const after = open(storage);
      const { saved: read, snapshot } = after.found;
      after.disk.cutOff();
      expect(read!.snapshot.index, `seed ${seed}`).toBe(kept.index);
      if (kept.index > 0) expect(snapshot).toMatch(new RegExp(`snapshot-\\d+-${kept.index}\\.rdb$`));
      expect(read!.term, `seed ${seed}`).toBeGreaterThanOrEqual(state.term === 1 ? 0 : state.term);
      if (read!.term > state.term) continue;
      const beyond = entries.filter(({ index }) => index > read!.base.index);
      expect(textOf(read!.entries).slice(0, beyond.length), `seed ${seed}, life ${life}`).toEqual(textOf(beyond));
    }
  }
});

test('a snapshot of the leader takes the place of all, with one step', () => {
  for (let cut = 0; cut < 12; cut++) {
    const storage = new Storage();
    const opened = open(storage);
    const { segments, disk, clock } = opened;
    segments.create(newSaved(GROUP));
    segments.store(1, { term: 3, vote: 5 }, [command(1, 3, Buffer.from('a')), command(2, 3, Buffer.from('b'))]);
    segments.sync();
    clock.advance(1);
    const file = disk.open(`${FOLDER}/temp-1.rdb`, 'w');
    file.writeAll(Buffer.from('data'));
    file.sync();
    file.close();
    const base = { index: 10, term: 4, configuration: GROUP };
    let steps = 0;
    disk.onStep = () => {
      if (++steps > cut) throw new Error('the power is gone');
    };
    let done = false;
    try {
      segments.install(2, 'temp-1.rdb', { term: 4, vote: 0, snapshot: base, base, entries: [] });
      done = opened.stored === 2;
    } catch {
      // As far as it came.
    }
    disk.cutOff();
    storage.powerCut();
    const { saved } = open(storage).found;
    const old = saved!.base.index === 0;
    expect(old && done).toBe(false);
    expect(saved!.entries.length).toBe(old ? 2 : 0);
    expect(saved!.term).toBe(old ? 3 : 4);
  }
});

test('what was on the disk and is damaged is told from an end that is torn off', () => {
  const storage = new Storage();
  const { segments, disk, clock } = open(storage);
  segments.create(newSaved(GROUP));
  for (let i = 1; i <= 5; i++) {
    segments.store(i, null, [command(i, 1, Buffer.from(`entry ${i}`))]);
    segments.sync();
    clock.advance(1);
  }
  const [name] = disk.list(FOLDER).filter((each) => each.startsWith('base'));
  const path = `${FOLDER}/${name}`;
  const bytes = disk.read(path);
  const at = bytes.indexOf('entry 2');
  bytes[at] ^= 1;
  disk.open(path, 'w').writeAll(bytes);
  expect(() => open(storage)).toThrow(JournalBroken);
  bytes[at] ^= 1;
  disk.open(path, 'w').writeAll(bytes.subarray(0, bytes.length - 3));
  expect(open(storage).found.saved!.entries).toHaveLength(4);
});

test('a quick disk is waited for, and no more once a sync was slow', () => {
  const opened = open(new Storage());
  const { segments, disk, clock } = opened;
  segments.create(newSaved(GROUP));
  let version = 0;
  const isSyncedAtOnce = (): boolean => {
    segments.store(++version, null, [command(version, 1, Buffer.from('x'))]);
    segments.sync();
    const atOnce = opened.stored === version;
    clock.advance(disk.syncTakes);
    expect(opened.stored).toBe(version);
    return atOnce;
  };
  for (let i = 0; i < 16; i++) expect(isSyncedAtOnce()).toBe(false);
  for (let i = 0; i < 3; i++) expect(isSyncedAtOnce()).toBe(true);
  disk.onStep = (step) => {
    if (step === 'fdatasync') clock.advance(5);
  };
  expect(isSyncedAtOnce()).toBe(true);
  disk.onStep = () => {};
  disk.syncTakes = 5;
  for (let i = 0; i < 20; i++) expect(isSyncedAtOnce()).toBe(false);
});
