/** nodes.conf on the disk: what is found again after an end of the process, after a loss of power, and what is refused. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Disk, FileNames, RealDisk } from '../../../src/base/disk.ts';
import { MemoryDisk, Storage } from '../../../src/base/memory-disk.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { parseNodesFile } from '../../../src/cluster/nodes-file.ts';
import { NodesStore } from '../../../src/cluster/nodes-store.ts';
import { newNode } from '../../../src/cluster/rules/saved.ts';
import { oracle } from '../../support/oracle.ts';

const ID = 'a'.repeat(40);

let clock: VirtualClock;
let storage: Storage;
let log: string[];

beforeEach(() => {
  clock = new VirtualClock();
  storage = new Storage();
  log = [];
});

function store(disk: Disk = new MemoryDisk(storage, clock), folder = '/'): NodesStore {
  const note = (text: string): void => void log.push(text);
  return new NodesStore({
    ...{ disk, clock, folder, name: 'nodes.conf' },
    fileNames: new FileNames(ID),
    log: { debug: note, verbose: note, notice: note, warning: note },
    newId: () => ID,
  });
}

/** A file that is told from others by its epoch. */
function version(epoch: number): ReturnType<typeof newNode> {
  return { ...newNode(ID), currentEpoch: epoch };
}

test('a new node is one; what is written is found by the next process, synced or not', () => {
  const first = store();
  expect(first.open()).toEqual(newNode(ID));
  first.write(version(1), true);
  expect(store().open().currentEpoch).toBe(1);
  for (const epoch of [2, 3]) {
    first.write(version(epoch), false);
    expect(store().open().currentEpoch).toBe(epoch);
  }
  first.write(version(4), true);
  expect(store().open().currentEpoch).toBe(4);
  expect(log.at(-1)).toBe(`Node configuration loaded, I'm ${ID}`);
});

test('where nothing can be locked the log says so, and the node goes on', () => {
  const disk = Object.assign(new MemoryDisk(storage, clock) as Disk, { lock: () => 'unknown' as const });
  store(disk).open();
  expect(log[0]).toBe('Nothing keeps another node from using nodes.conf as well: this machine has no program flock.');
});

test('nodes.conf itself has before long what was appended', () => {
  const disk = new MemoryDisk(storage, clock);
  const first = store(disk);
  first.open();
  first.write(version(1), true);
  first.write(version(2), false);
  expect(parseNodesFile(disk.read('/nodes.conf').toString()).currentEpoch).toBe(1);
  clock.advance(1000);
  expect(parseNodesFile(disk.read('/nodes.conf').toString()).currentEpoch).toBe(2);
  first.write(version(3), false);
  first.close();
  expect(parseNodesFile(disk.read('/nodes.conf').toString()).currentEpoch).toBe(3);
});

test('not while changes follow on one another, but for ten seconds and a bit, or until there are 4 MiB of them', () => {
  const disk = new MemoryDisk(storage, clock);
  const saved = (): number => parseNodesFile(disk.read('/nodes.conf').toString()).currentEpoch;
  const first = store(disk);
  first.open();
  first.write(version(1), true);
  let epoch = 1;
  for (; saved() === 1 && epoch < 100; clock.advance(900)) first.write(version(++epoch), false);
  // The first was written at once, the last 9.9 s later.
  expect(epoch).toBe(13);
  expect(saved()).toBe(13);
  first.write(version(++epoch), false);
  clock.advance(1000);
  expect(saved()).toBe(14);
  const most = epoch + (4 * 1024 * 1024) / disk.read('/nodes.conf').length;
  while (saved() === 14 && epoch < most) first.write(version(++epoch), false);
  expect(saved()).toBe(epoch);
  first.close();
  expect(store(disk).open().currentEpoch).toBe(epoch);
});

test('a record that is cut short, or that follows another file, is none', () => {
  const disk = new MemoryDisk(storage, clock);
  const first = store(disk);
  first.open();
  first.write(version(1), true);
  first.write(version(2), false);
  first.write(version(3), false);
  const file = disk.open('/nodes.conf.changes', 'r+');
  file.truncate(file.size - 10);
  file.close();
  expect(store().open().currentEpoch).toBe(2);
  const text = disk.read('/nodes.conf').toString().replace('currentEpoch 1', 'currentEpoch 9');
  disk.open('/nodes.conf', 'w').writeAll(Buffer.from(text));
  expect(store().open().currentEpoch).toBe(9);
});

test('what was synced outlives a loss of power', () => {
  const first = store();
  first.open();
  first.write(version(1), true);
  first.write(version(2), false);
  storage.powerCut();
  expect(store().open().currentEpoch).toBe(1);
});

test('also as one record more, with those before it, where changes are being appended', () => {
  const first = store();
  first.open();
  first.write(version(1), true);
  first.write(version(2), false);
  first.write(version(3), true);
  first.write(version(4), false);
  storage.powerCut();
  expect(store().open().currentEpoch).toBe(3);
});

test('behind a record that could not be synced none is appended, since a torn one hides it', () => {
  let syncs = 0;
  const disk = new MemoryDisk(storage, clock);
  const opened = disk.open.bind(disk);
  disk.open = (path, mode, permissions) => {
    const file = opened(path, mode, permissions);
    if (!path.endsWith('.changes')) return file;
    file.syncData = () => {
      syncs++;
      file.truncate(file.size - 10);
      throw new Error('EIO');
    };
    return file;
  };
  const first = store(disk);
  first.open();
  first.write(version(1), true);
  first.write(version(2), false);
  expect(() => first.write(version(3), true)).toThrow('EIO');
  first.write(version(4), false);
  expect(syncs).toBe(1);
  expect(store().open().currentEpoch).toBe(4);
});

test('nor behind what a run before has left, which may end in a torn one', () => {
  const before = store();
  before.open();
  before.write(version(1), true);
  const disk = new MemoryDisk(storage, clock);
  const changes = disk.open('/nodes.conf.changes', 'w');
  changes.writeAll(Buffer.from('follows 0 holds 100 0\nnot as much'));
  changes.sync();
  disk.syncFolder('/');
  storage.powerCut();
  const next = store();
  next.open();
  next.write(version(2), false);
  next.write(version(3), false);
  next.write(version(4), true);
  storage.powerCut();
  expect(store().open().currentEpoch).toBe(4);
});

test('a damaged file is refused with its place', () => {
  const disk = new MemoryDisk(storage, clock);
  disk.open('/nodes.conf', 'w').writeAll(Buffer.from('nonsense\n'));
  expect(() => store().open()).toThrow('corrupted cluster config file. nodes.conf, line 1: ');
});

test('two servers have not the same file', () => {
  oracle('flock');
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-nodes-'));
  const first = store(new RealDisk(), folder);
  first.open();
  expect(() => store(new RealDisk(), folder).open()).toThrow(
    'Sorry, the cluster configuration file nodes.conf is already used by a different Redis Cluster node. Please make sure that different nodes use different cluster configuration files.',
  );
  first.close();
  store(new RealDisk(), folder).open();
  rmSync(folder, { recursive: true });
});
