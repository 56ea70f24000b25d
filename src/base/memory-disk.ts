/**
 * A disk in memory that knows what of it would survive a loss of power, for simulations and tests.
 *
 *   file      live bytes, as reads find them          durable bytes, as the last sync left them, and what has changed since
 *   folder    live names, as lookups find them        durable names; changes of names since then stand in one list, in order
 *
 * A power cut puts the durable state in the place of the live one. Of what was not synced it may keep some, if chance is
 * given: of each file's changes a beginning, of the changes of names those up to some moment, as a disk with a journal does.
 * Syncing a folder makes its names durable and, with a rename, the other folder's; a sync of a file does nothing for its name.
 *
 * Files are held by `Storage`; a `MemoryDisk` is what one process sees of it, until it is cut off.
 */
import { posix } from 'node:path';
import { assert } from './assert.ts';
import type { Disk, DiskFile, FileLock, FileStatus, OpenMode } from './disk.ts';
import type { Random } from './random.ts';
import { SystemError } from './system-error.ts';
import { type Clock, RealClock } from './time.ts';

const FIRST_BYTES = 1024;
const USUAL_MODE = 0o644;

/** Bytes that grow at their end. */
class Content {
  bytes = new Uint8Array(0);
  size = 0;

  put(source: Uint8Array, at: number): void {
    const end = at + source.length;
    this.reach(end);
    this.bytes.set(source, at);
    if (end > this.size) this.size = end;
  }

  truncate(size: number): void {
    this.reach(size);
    if (size < this.size) this.bytes.fill(0, size, this.size);
    this.size = size;
  }

  private reach(size: number): void {
    if (size <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(size, 2 * this.bytes.length, FIRST_BYTES));
    bytes.set(this.bytes.subarray(0, this.size));
    this.bytes = bytes;
  }

  copy(): Content {
    const other = new Content();
    other.put(this.bytes.subarray(0, this.size), 0);
    return other;
  }
}

/** A change of a file that is not durable yet: bytes put at a place, or a cut to a size. */
type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number };

class FileNode {
  readonly kind = 'file';
  mode: number;
  live = new Content();
  private durable = new Content();
  /** What has been done since the last sync was begun. */
  private changes: Change[] = [];
  /** Of syncs that were begun and have not ended, the oldest first. */
  private readonly syncing: Change[][] = [];

  constructor(mode: number) {
    this.mode = mode;
  }

  write(bytes: Uint8Array, at: number): void {
    this.live.put(bytes, at);
    this.changes.push({ at, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    this.live.truncate(size);
    this.changes.push({ size });
  }

  sync(): void {
    this.end(this.beginSync());
  }

  /** What has been written by now will be durable when `end` is called with the answer. */
  beginSync(): Change[] {
    const { changes } = this;
    this.changes = [];
    this.syncing.push(changes);
    return changes;
  }

  /** What was written before is durable with it. */
  end(sync: Change[]): void {
    while (this.syncing.includes(sync)) for (const change of this.syncing.shift()!) apply(this.durable, change);
  }

  copy(): FileNode {
    const other = new FileNode(this.mode);
    other.live = this.live.copy();
    other.durable = this.durable.copy();
    other.changes = [...this.changes];
    other.syncing.push(...this.syncing);
    return other;
  }

  /** Of the changes that are not durable a beginning stays, by chance; without it none. */
  powerCut(random: Random | null): void {
    const pending = [...this.syncing.splice(0).flat(), ...this.changes];
    this.changes = [];
    const kept = random === null ? 0 : random.below(pending.length + 1);
    for (const change of pending.slice(0, kept)) apply(this.durable, change);
    const torn = random === null ? undefined : pending[kept];
    if (random !== null && torn !== undefined && 'bytes' in torn)
      apply(this.durable, { at: torn.at, bytes: torn.bytes.subarray(0, random.below(torn.bytes.length + 1)) });
    this.live = this.durable.copy();
  }
}

function apply(content: Content, change: Change): void {
  if ('bytes' in change) content.put(change.bytes, change.at);
  else content.truncate(change.size);
}

type Names = Map<string, FileNode | FolderNode>;

class FolderNode {
  readonly kind = 'folder';
  mode = 0o755;
  live: Names = new Map();
  durable: Names = new Map();
}

/** What a name in a folder stands for from now on; nothing where null. */
interface Naming {
  readonly folder: FolderNode;
  readonly name: string;
  readonly node: FileNode | FolderNode | null;
}

function put(names: Names, name: string, node: FileNode | FolderNode | null): void {
  if (node === null) names.delete(name);
  else names.set(name, node);
}

/** The files of one machine. */
export class Storage {
  root = new FolderNode();
  /** Changes of names that are not durable, in their order; those of one entry come together. */
  private pending: (readonly Naming[])[] = [];

  rename(changes: readonly Naming[]): void {
    for (const { folder, name, node } of changes) put(folder.live, name, node);
    this.pending.push(changes);
  }

  /** Makes the names in `synced` durable, and of what came before all that touches the same folders. */
  syncFolder(synced: FolderNode): void {
    const folders = new Set([synced]);
    const due = new Set<readonly Naming[]>();
    for (const changes of this.pending.toReversed()) {
      if (!changes.some(({ folder }) => folders.has(folder))) continue;
      due.add(changes);
      for (const { folder } of changes) folders.add(folder);
    }
    for (const changes of this.pending) if (due.has(changes)) settle(changes);
    this.pending = this.pending.filter((changes) => !due.has(changes));
  }

  /** As it is, apart from this one. */
  copy(): Storage {
    const copies = new Map<FileNode | FolderNode, FileNode | FolderNode>();
    const copied = <N extends FileNode | FolderNode>(node: N): N => {
      const known = copies.get(node);
      if (known !== undefined) return known as N;
      const copy = node.kind === 'file' ? node.copy() : new FolderNode();
      copies.set(node, copy);
      if (node.kind === 'folder' && copy.kind === 'folder') {
        copy.mode = node.mode;
        for (const [name, inner] of node.live) copy.live.set(name, copied(inner));
        for (const [name, inner] of node.durable) copy.durable.set(name, copied(inner));
      }
      return copy as N;
    };
    const other = new Storage();
    other.root = copied(this.root);
    other.pending = this.pending.map((changes) =>
      changes.map(({ folder, name, node }) => ({
        folder: copied(folder),
        name,
        node: node === null ? null : copied(node),
      })),
    );
    return other;
  }

  /** The machine loses its power: what was not durable is gone, but for what chance keeps. */
  powerCut(random: Random | null = null): void {
    const kept = random === null ? 0 : random.below(this.pending.length + 1);
    for (const changes of this.pending.slice(0, kept)) settle(changes);
    this.pending = [];
    const cut = (folder: FolderNode): void => {
      folder.live = new Map(folder.durable);
      for (const node of folder.live.values()) {
        if (node.kind === 'folder') cut(node);
        else node.powerCut(random);
      }
    };
    cut(this.root);
  }
}

function settle(changes: readonly Naming[]): void {
  for (const { folder, name, node } of changes) put(folder.durable, name, node);
}

/** Told of each step before it is done; what it throws is the step's error. */
export type StepWatcher = (step: string, path: string) => void;

export class MemoryDisk implements Disk {
  readonly folder: string;
  /** Set by those who want to see steps, or to let them fail. */
  onStep: StepWatcher = () => {};
  /** Milliseconds that a sync takes which nobody stands still for. */
  syncTakes = 0;
  readonly storage: Storage;
  private readonly clock: Clock;
  private gone = false;

  /** `folder` is made where it is not there, and is there for good. */
  constructor(storage = new Storage(), clock: Clock = new RealClock(), folder = '/') {
    this.storage = storage;
    this.clock = clock;
    this.folder = folder;
    this.makeFolder(folder);
    storage.syncFolder(storage.root);
  }

  /** The process has ended: nothing that it still does reaches the storage. */
  cutOff(): void {
    this.gone = true;
  }

  step(step: string, path: string): void {
    assert(!this.gone, 'a process that has ended touches no file');
    this.onStep(step, path);
  }

  /** Calls `done` once a sync that begins now has ended, and not before the event loop is free, unless the process has ended by then. */
  later(done: () => void): void {
    const end = (): void => {
      if (!this.gone) done();
    };
    if (this.syncTakes > 0) this.clock.after(this.syncTakes, end);
    else this.clock.soon(end);
  }

  open(path: string, how: OpenMode, mode = USUAL_MODE): DiskFile {
    this.step('open', path);
    const { folder, name } = this.place(path, 'open');
    let node = name === '' ? folder : folder.live.get(name);
    if (node === undefined) {
      if (how === 'r' || how === 'r+') throw new SystemError('ENOENT', 'open', path);
      node = new FileNode(mode);
      this.storage.rename([{ folder, name, node }]);
    }
    if (node.kind === 'folder') throw new SystemError('EISDIR', 'open', path);
    if (how === 'w' && node.live.size > 0) node.truncate(0);
    return new MemoryFile(this, path, node, how);
  }

  read(path: string): Buffer {
    const file = this.open(path, 'r');
    const bytes = Buffer.alloc(file.size);
    file.read(bytes, 0, bytes.length, 0);
    file.close();
    return bytes;
  }

  status(path: string): FileStatus | undefined {
    this.step('stat', path);
    const node = this.find(path);
    if (node === undefined) return undefined;
    return { kind: node.kind, size: node.kind === 'file' ? node.live.size : 0, mode: node.mode };
  }

  list(path: string): string[] {
    this.step('list', path);
    return [...this.folderAt(path, 'scandir').live.keys()];
  }

  rename(from: string, to: string): void {
    this.step('rename', to);
    const source = this.place(from, 'rename');
    const target = this.place(to, 'rename');
    const node = source.folder.live.get(source.name);
    if (node === undefined) throw new SystemError('ENOENT', 'rename', from);
    if (target.folder.live.get(target.name)?.kind === 'folder') throw new SystemError('EISDIR', 'rename', to);
    this.storage.rename([
      { ...source, node: null },
      { ...target, node },
    ]);
  }

  remove(path: string): void {
    this.step('unlink', path);
    const place = this.place(path, 'unlink');
    const node = place.folder.live.get(place.name);
    if (node === undefined) throw new SystemError('ENOENT', 'unlink', path);
    if (node.kind === 'folder') throw new SystemError('EISDIR', 'unlink', path);
    this.storage.rename([{ ...place, node: null }]);
  }

  removeAside(path: string): void {
    try {
      this.remove(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  makeFolder(path: string): void {
    this.step('mkdir', path);
    let folder = this.storage.root;
    for (const name of this.names(path)) {
      let node = folder.live.get(name);
      if (node === undefined) {
        node = new FolderNode();
        this.storage.rename([{ folder, name, node }]);
      }
      if (node.kind === 'file') throw new SystemError('EEXIST', 'mkdir', path);
      folder = node;
    }
  }

  syncFolder(path: string): void {
    this.step('fsync', path);
    this.storage.syncFolder(this.folderAt(path, 'open'));
  }

  enter(path: string): void {
    this.folderAt(path, 'chdir');
  }

  setMode(path: string, mode: number): void {
    this.step('chmod', path);
    const node = this.find(path);
    if (node === undefined) throw new SystemError('ENOENT', 'chmod', path);
    node.mode = mode;
  }

  /** One process of a simulation has its disk to itself. */
  lock(): FileLock {
    return { release: () => {} };
  }

  private names(path: string): string[] {
    return posix
      .resolve(this.folder, path)
      .split('/')
      .filter((name) => name !== '');
  }

  private find(path: string): FileNode | FolderNode | undefined {
    let node: FileNode | FolderNode | undefined = this.storage.root;
    for (const name of this.names(path)) {
      if (node?.kind !== 'folder') return undefined;
      node = node.live.get(name);
    }
    return node;
  }

  private folderAt(path: string, syscall: string): FolderNode {
    const node = this.find(path);
    if (node === undefined) throw new SystemError('ENOENT', syscall, path);
    if (node.kind === 'file') throw new SystemError('ENOTDIR', syscall, path);
    return node;
  }

  /** The folder that a name lies in, which must be there, and the name; of the root itself the name is empty. */
  private place(path: string, syscall: string): { folder: FolderNode; name: string } {
    const full = posix.resolve(this.folder, path);
    return { folder: this.folderAt(posix.dirname(full), syscall), name: posix.basename(full) };
  }
}

class MemoryFile implements DiskFile {
  private readonly disk: MemoryDisk;
  private readonly path: string;
  private readonly node: FileNode;
  private readonly how: OpenMode;
  /** Where the next bytes of a file go that is not appended to. */
  private at = 0;
  private open = true;

  constructor(disk: MemoryDisk, path: string, node: FileNode, how: OpenMode) {
    this.disk = disk;
    this.path = path;
    this.node = node;
    this.how = how;
  }

  private step(step: string): void {
    assert(this.open, 'a closed file is not used');
    this.disk.step(step, this.path);
  }

  get size(): number {
    return this.node.live.size;
  }

  read(into: Uint8Array, at: number, length: number, position: number): number {
    this.step('read');
    const { bytes, size } = this.node.live;
    const got = Math.max(0, Math.min(length, size - position));
    into.set(bytes.subarray(position, position + got), at);
    return got;
  }

  writeSome(bytes: Uint8Array, from: number, to: number): number {
    this.step('write');
    assert(this.how !== 'r', 'the file was opened to be written');
    const at = this.how === 'a' ? this.node.live.size : this.at;
    this.node.write(bytes.subarray(from, to), at);
    this.at = at + to - from;
    return to - from;
  }

  writeAll(bytes: Uint8Array): void {
    this.writeSome(bytes, 0, bytes.length);
  }

  truncate(length: number): void {
    this.step('ftruncate');
    this.node.truncate(length);
  }

  syncData(): void {
    this.step('fdatasync');
    this.node.sync();
  }

  sync(): void {
    this.step('fsync');
    this.node.sync();
  }

  syncDataAside(done: (error: Error | null) => void): void {
    this.step('fdatasync');
    const sync = this.node.beginSync();
    this.disk.later(() => {
      this.node.end(sync);
      done(null);
    });
  }

  close(): void {
    this.step('close');
    this.open = false;
  }
}
