/**
 * Snapshots on their way, each over a connection of its own, so that heartbeats never wait behind them (wire/hello.ts): the
 * file as it lies on the disk of the one, piece by piece at the pace of the other, which answers when it has all of it.
 */
import { join } from 'node:path';
import { Crc64 } from '../base/crc.ts';
import type { Disk, DiskFile } from '../base/disk.ts';
import { systemError } from '../base/system-error.ts';
import type { Clock, Timer } from '../base/time.ts';
import { type Dialer, type Link, LinkError, type Target } from '../links/link.ts';
import { getUint53, setUint53 } from './disk/records.ts';

const PIECE = 64 * 1024;
const NUMBER_BYTES = 8;
/** Without a sign of the other side for so long, ms, a transfer is given up. */
const PATIENCE_MS = 30_000;
const RECEIVED = Uint8Array.of(1);

export interface Sending {
  readonly disk: Disk;
  readonly dialer: Dialer;
  readonly target: Target;
  /** The file of the snapshot. */
  readonly path: string;
  /** What goes before it. */
  readonly head: readonly Uint8Array[];
  /** How it has ended; called once, and not after `stop`. */
  readonly done: (ok: boolean, reason: string) => void;
}

export class SnapshotSender {
  private readonly sending: Sending;
  private readonly crc = new Crc64();
  private file: DiskFile | null = null;
  private readonly link: Link;
  private position = 0;
  private timer: Timer | null = null;

  constructor(sending: Sending) {
    this.sending = sending;
    const { dialer, target } = sending;
    this.link = dialer.open(target, {
      opened: () => this.begin(),
      data: (bytes) => this.end(bytes[0] === RECEIVED[0], 'it was refused'),
      closed: (error) => this.end(false, error.message),
    });
    this.patience();
  }

  stop(): void {
    this.timer?.cancel();
    this.file?.close();
    this.file = null;
    this.link.close();
  }

  private begin(): void {
    const { disk, path, head } = this.sending;
    this.guarded(() => {
      this.file = disk.open(path, 'r');
      const size = new Uint8Array(NUMBER_BYTES);
      setUint53(size, 0, this.file.size);
      for (const bytes of head) this.link.write(bytes);
      this.link.write(size, () => this.next());
    });
  }

  private next(): void {
    const { file } = this;
    if (file === null) return;
    this.patience();
    this.guarded(() => {
      const piece = new Uint8Array(PIECE);
      const got = file.read(piece, 0, PIECE, this.position);
      if (got === 0) {
        const sum = new Uint8Array(NUMBER_BYTES);
        this.crc.write(sum, 0);
        this.link.write(sum);
        return;
      }
      this.crc.update(piece, 0, got);
      this.position += got;
      this.link.write(piece.subarray(0, got), () => this.next());
    });
  }

  private guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.link.fail(new LinkError('lost', systemError(error)));
    }
  }

  private patience(): void {
    this.timer?.cancel();
    const { clock } = this.sending.dialer;
    this.timer = clock.after(PATIENCE_MS, () => this.link.fail(new LinkError('late', 'nothing is heard of it')));
  }

  private end(ok: boolean, reason: string): void {
    this.stop();
    this.sending.done(ok, reason);
  }
}

export interface Receiving {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly folder: string;
  /** The name of the file that it is written to. */
  readonly name: string;
  /** Answers the sender. */
  readonly answer: (bytes: Uint8Array) => void;
  /** All is there, and on the disk: the file is the caller's. */
  readonly received: () => void;
  /** It will not be finished. */
  readonly failed: (reason: string) => void;
}

export class SnapshotReceiver {
  private readonly receiving: Receiving;
  private readonly crc = new Crc64();
  private file: DiskFile | null;
  /** Bytes of the number at hand: the length before, the sum behind. */
  private readonly number = new Uint8Array(NUMBER_BYTES);
  private numberBytes = 0;
  /** Bytes of the file still to come; -1 before the length is known. */
  private left = -1;
  private ended = false;

  /** Throws what the system says. */
  constructor(receiving: Receiving) {
    this.receiving = receiving;
    this.file = receiving.disk.open(this.path, 'w');
  }

  take(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length && !this.ended; ) at += this.some(bytes, at);
    } catch (error) {
      this.fail(systemError(error));
    }
  }

  /** The connection is gone: half of a snapshot is of no use. */
  abort(): void {
    this.drop();
  }

  private get path(): string {
    return join(this.receiving.folder, this.receiving.name);
  }

  private some(bytes: Uint8Array, at: number): number {
    if (this.left > 0) {
      const count = Math.min(this.left, bytes.length - at);
      this.file!.writeAll(bytes.subarray(at, at + count));
      this.crc.update(bytes, at, count);
      this.left -= count;
      return count;
    }
    const count = Math.min(NUMBER_BYTES - this.numberBytes, bytes.length - at);
    this.number.set(bytes.subarray(at, at + count), this.numberBytes);
    this.numberBytes += count;
    if (this.numberBytes === NUMBER_BYTES) this.numberIsThere();
    return count;
  }

  private numberIsThere(): void {
    this.numberBytes = 0;
    if (this.left < 0) {
      this.left = getUint53(this.number, 0) ?? 0;
      if (this.left === 0) this.fail('it has no length');
      return;
    }
    this.ended = true;
    const sum = new Uint8Array(NUMBER_BYTES);
    this.crc.write(sum, 0);
    if (sum.some((byte, i) => byte !== this.number[i])) this.fail('its checksum is wrong');
    else this.file!.syncDataAside((error) => this.synced(error));
  }

  private synced(error: Error | null): void {
    const { file, receiving } = this;
    if (file === null) return;
    if (error !== null) {
      this.fail(systemError(error));
      return;
    }
    this.file = null;
    file.close();
    receiving.received();
    receiving.answer(RECEIVED);
  }

  private fail(reason: string): void {
    this.drop();
    this.receiving.failed(reason);
  }

  private drop(): void {
    this.ended = true;
    const { file } = this;
    if (file === null) return;
    this.file = null;
    file.close();
    this.receiving.disk.removeAside(this.path);
  }
}
