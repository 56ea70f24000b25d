/**
 * nodes.conf on the disk: read at the start, taken for this process alone, written whole by way of a file beside it. Since
 * each write puts another file in its place, the lock is held on `<name>.lock`; nodes.conf itself is tried as well, which a
 * Redis that runs keeps locked.
 */
import { resolve } from 'node:path';
import { type Disk, type FileLock, type FileNames, replaceFile, replaceFileUnsynced } from '../base/disk.ts';
import { codeOf, systemError } from '../base/system-error.ts';
import type { Log } from '../engine/server-port.ts';
import { MYSELF } from './flags.ts';
import { formatNodesFile, type NodesFile, NodesFileError, parseNodesFile } from './nodes-file.ts';
import { newNode } from './rules/saved.ts';

export interface StoreParts {
  readonly disk: Disk;
  readonly fileNames: FileNames;
  /** Of cluster-config-file, where relative paths begin. */
  readonly folder: string;
  readonly name: string;
  readonly log: Log;
  readonly newId: () => string;
}

/** The server can't be a node with this file; the log has been told why. */
export class NodesStoreError extends Error {
  override name = 'NodesStoreError';
}

export class NodesStore {
  private readonly parts: StoreParts;
  private readonly path: string;
  private lock: FileLock | null = null;

  constructor(parts: StoreParts) {
    this.parts = parts;
    this.path = resolve(parts.folder, parts.name);
  }

  /** Takes the file and reads it; a new node's where there is none. Throws NodesStoreError. */
  open(): NodesFile {
    const { log, newId } = this.parts;
    this.take();
    const text = this.text();
    if (text === '') {
      const id = newId();
      log.notice(`No cluster configuration found, I'm ${id}`);
      return newNode(id);
    }
    try {
      const file = parseNodesFile(text);
      log.notice(`Node configuration loaded, I'm ${idOf(file)}`);
      return file;
    } catch (error) {
      if (!(error instanceof NodesFileError)) throw error;
      return this.refuse(`Unrecoverable error: corrupted cluster config file. ${this.parts.name}, ${error.message}`);
    }
  }

  /** Puts it in the file's place; throws what the system says. */
  write(file: NodesFile, sync: boolean): void {
    const { disk, fileNames } = this.parts;
    const replace = sync ? replaceFile : replaceFileUnsynced;
    replace(disk, this.path, `${this.path}-${fileNames.next()}.tmp`, formatNodesFile(file));
  }

  close(): void {
    this.lock?.release();
    this.lock = null;
  }

  private text(): string {
    const { disk, name } = this.parts;
    try {
      return disk.read(this.path).toString('latin1');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return '';
      return this.refuse(`Loading the cluster node config from ${name}: ${systemError(error)}`);
    }
  }

  private take(): void {
    const { disk, name } = this.parts;
    try {
      const own = disk.lock(`${this.path}.lock`);
      const theirs = disk.lock(this.path);
      if (typeof theirs === 'object') theirs.release();
      if (typeof own === 'object') this.lock = own;
      if (own !== 'taken' && theirs !== 'taken') return;
    } catch (error) {
      this.refuse(`Can't open ${name} in order to acquire a lock: ${systemError(error)}`);
    }
    this.close();
    const remedy = 'Please make sure that different nodes use different cluster configuration files.';
    this.refuse(
      `Sorry, the cluster configuration file ${name} is already used by a different Redis Cluster node. ${remedy}`,
    );
  }

  private refuse(reason: string): never {
    this.close();
    this.parts.log.warning(reason);
    throw new NodesStoreError(reason);
  }
}

function idOf(file: NodesFile): string {
  return file.nodes.find(({ flags }) => (flags & MYSELF) !== 0)!.id;
}
