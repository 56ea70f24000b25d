/** Disks: what the real one and the one in memory both do, and what is left in memory after a loss of power. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Disk, exists, FileNames, RealDisk, removeQuietly, replaceFile } from '../../../src/base/disk.ts';
import { MemoryDisk, Storage } from '../../../src/base/memory-disk.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { bytesOf } from '../../../src/base/slice.ts';
import { codeOf, systemError } from '../../../src/base/system-error.ts';

const text = (disk: Disk, path: string): string => disk.read(path).toString('latin1');

function write(disk: Disk, path: string, content: string, synced = true): void {
  const file = disk.open(path, 'w');
  file.writeAll(bytesOf(content));
  if (synced) file.sync();
  file.close();
}

function failure(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return codeOf(error);
  }
  return 'none';
}

describe.each(['real', 'in memory'])('a disk, %s', (kind) => {
  let disk: Disk;
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cinnabar-disk-'));
    disk = kind === 'real' ? new RealDisk() : new MemoryDisk();
    disk.makeFolder(folder);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const at = (name: string): string => join(folder, name);

  test('files are made, read, appended to, cut and renamed', async () => {
    write(disk, at('a'), 'one');
    const log = disk.open(at('a'), 'a');
    expect(log.writeSome(bytesOf('xtwox'), 1, 4)).toBe(3);
    log.syncData();
    expect(log.size).toBe(6);
    await new Promise<void>((done) => log.syncDataAside((error) => done(expect(error).toBeNull())));
    log.truncate(4);
    log.writeAll(bytesOf('!'));
    log.close();
    expect(text(disk, at('a'))).toBe('onet!');
    const part = Buffer.alloc(4, '.');
    const reader = disk.open(at('a'), 'r');
    expect(reader.read(part, 1, 2, 3)).toBe(2);
    expect(reader.read(part, 0, 4, 5)).toBe(0);
    reader.close();
    expect(part.toString()).toBe('.t!.');
    disk.rename(at('a'), at('b'));
    expect(disk.list(folder)).toEqual(['b']);
    expect(disk.status(at('b'))).toEqual({ kind: 'file', size: 5, mode: 0o644 });
    disk.removeAside(at('b'));
    disk.removeAside(at('b'));
    expect(disk.status(at('b'))).toBeUndefined();
  });

  test('names are of one character a byte', () => {
    write(disk, at('\xc3\xa9'), 'x');
    expect(disk.list(folder)).toEqual(['\xc3\xa9']);
  });

  test('folders are made with those that they lie in, and synced', () => {
    disk.makeFolder(at('x/y'));
    disk.makeFolder(at('x/y'));
    disk.syncFolder(at('x'));
    disk.enter(at('x/y'));
    expect(disk.status(at('x'))?.kind).toBe('folder');
    expect(disk.list(at('x'))).toEqual(['y']);
  });

  test('what can not be done is told as the system tells it', () => {
    write(disk, at('file'), 'x');
    disk.makeFolder(at('folder'));
    expect(failure(() => disk.read(at('none')))).toBe('ENOENT');
    expect(failure(() => disk.open(at('none'), 'r+'))).toBe('ENOENT');
    expect(failure(() => disk.open(at('none/file'), 'w'))).toBe('ENOENT');
    expect(failure(() => disk.open(at('folder'), 'w'))).toBe('EISDIR');
    expect(failure(() => disk.rename(at('none'), at('file')))).toBe('ENOENT');
    expect(failure(() => disk.rename(at('file'), at('folder')))).toBe('EISDIR');
    expect(failure(() => disk.remove(at('none')))).toBe('ENOENT');
    expect(failure(() => disk.list(at('none')))).toBe('ENOENT');
    expect(failure(() => disk.list(at('file')))).toBe('ENOTDIR');
    expect(failure(() => disk.enter(at('none')))).toBe('ENOENT');
    expect(failure(() => disk.enter(at('file')))).toBe('ENOTDIR');
    expect(failure(() => disk.makeFolder(at('file')))).toBe('EEXIST');
    expect(exists(disk, at('none/none'))).toBe(false);
    removeQuietly(disk, at('none'));
    expect(text(disk, at('file'))).toBe('x');
  });

  test('a file is replaced with its mode kept, or not at all', () => {
    disk.open(at('secret'), 'w', 0o600).close();
    replaceFile(disk, at('secret'), at('temporary'), 'new\xff');
    expect(text(disk, at('secret'))).toBe('new\xff');
    expect(disk.status(at('secret'))?.mode).toBe(0o600);
    disk.makeFolder(at('folder'));
    expect(failure(() => replaceFile(disk, at('folder'), at('temporary'), 'x'))).toBe('EISDIR');
    expect(disk.list(folder).sort()).toEqual(['folder', 'secret']);
  });
});

test('no two names of temporary files are the same', () => {
  const names = [new FileNames('a'.repeat(40)), new FileNames('b'.repeat(40))].flatMap((one) => [
    one.next(),
    one.next(),
  ]);
  expect(new Set(names).size).toBe(4);
});

describe('a loss of power', () => {
  test('takes what was not synced: bytes, sizes, names', () => {
    const storage = new Storage();
    const disk = new MemoryDisk(storage);
    write(disk, '/a', 'old');
    write(disk, '/gone', 'x');
    disk.syncFolder('/');
    const file = disk.open('/a', 'a');
    file.writeAll(bytesOf(' new'));
    write(disk, '/b', 'nameless');
    disk.rename('/gone', '/moved');
    storage.powerCut();
    const after = new MemoryDisk(storage);
    expect(after.list('/').sort()).toEqual(['a', 'gone']);
    expect(text(after, '/a')).toBe('old');
  });

  test('keeps a renamed file under exactly one of its names', () => {
    const storage = new Storage();
    const disk = new MemoryDisk(storage);
    disk.makeFolder('/folder');
    disk.syncFolder('/');
    write(disk, '/temporary', 'x');
    disk.rename('/temporary', '/folder/base');
    disk.syncFolder('/folder');
    storage.powerCut();
    expect(disk.list('/')).toEqual(['folder']);
    expect(text(disk, '/folder/base')).toBe('x');
  });

  test('ends a sync that is under way, which counts for what was written before it', async () => {
    const storage = new Storage();
    const disk = new MemoryDisk(storage);
    const file = disk.open('/a', 'w');
    disk.syncFolder('/');
    file.writeAll(bytesOf('one'));
    const synced = new Promise<void>((done) => file.syncDataAside(() => done()));
    file.writeAll(bytesOf(' two'));
    await synced;
    storage.powerCut();
    expect(text(disk, '/a')).toBe('one');
  });

  test('a process that has ended touches no file', () => {
    const storage = new Storage();
    const disk = new MemoryDisk(storage);
    const file = disk.open('/a', 'w');
    disk.cutOff();
    expect(() => file.writeAll(bytesOf('x'))).toThrow();
    expect(() => disk.remove('/a')).toThrow();
    expect(text(new MemoryDisk(storage), '/a')).toBe('');
  });

  test('by chance keeps a beginning of what was not synced', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SeededRandom(seed);
      const storage = new Storage();
      const disk = new MemoryDisk(storage);
      disk.open('/log', 'w').close();
      disk.syncFolder('/');
      const file = disk.open('/log', 'a');
      let whole = '';
      let synced = 0;
      for (let i = random.below(10); i > 0; i--) {
        const piece = String.fromCharCode(97 + i).repeat(1 + random.below(5));
        file.writeAll(bytesOf(piece));
        whole += piece;
        if (random.below(3) > 0) continue;
        file.syncData();
        synced = whole.length;
      }
      storage.powerCut(random);
      const left = text(new MemoryDisk(storage), '/log');
      expect(whole.startsWith(left), `seed ${seed}: '${left}' of '${whole}'`).toBe(true);
      expect(left.length, `seed ${seed}`).toBeGreaterThanOrEqual(synced);
    }
  });

  test('a replaced file is the old one or the new one', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SeededRandom(seed);
      const storage = new Storage();
      const disk = new MemoryDisk(storage);
      write(disk, '/conf', 'old');
      disk.syncFolder('/');
      let left = random.below(12);
      disk.onStep = () => {
        if (left-- === 0) throw new Error('power');
      };
      let done = false;
      try {
        replaceFile(disk, '/conf', '/temporary', 'new');
        done = left >= 0;
      } catch {
        // The power went.
      }
      storage.powerCut(random);
      const content = text(new MemoryDisk(storage), '/conf');
      expect(done ? ['new'] : ['old', 'new'], `seed ${seed}`).toContain(content);
      seen.add(content);
    }
    expect(seen).toEqual(new Set(['old', 'new']));
  });
});

test('errors are in the system’s words', () => {
  expect(failure(() => new MemoryDisk().read('/none'))).toBe('ENOENT');
  try {
    new MemoryDisk().read('/none');
  } catch (error) {
    expect(systemError(error)).toBe('No such file or directory');
  }
});
