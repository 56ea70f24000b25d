/**
 * Snapshots for replicas (engine/replication-port.ts): into the file that SAVE writes, to be read by any number of them, or
 * in chunks as they are made. Either is the one frozen view that there is at a time.
 */
import { join } from 'node:path';
import type { DiskFile } from '../base/disk.ts';
import type { Clock } from '../base/time.ts';
import type { Libraries } from '../engine/persistence-port.ts';
import type {
  SnapshotFile,
  SnapshotParts,
  SnapshotPort,
  SnapshotStream,
  TakePiece,
} from '../engine/replication-port.ts';
import type { Background } from './background.ts';
import { currentDataset } from './dataset.ts';
import type { PersistenceParts } from './parts.ts';
import type { Dataset } from './save/dataset.ts';
import type { Snapshots } from './snapshots.ts';

const PIECE = 64 * 1024;
const FED = 'used to feed replicas in a persistence-less instance';

/** Removes a snapshot that is there for a synchronisation only, where that is wanted and nothing is kept on the disk. */
export function removeSyncFile({ config, environment, log }: PersistenceParts, path: string, what: string): void {
  const { rdbDelSyncFiles, save, appendonly } = config.settings;
  if (!rdbDelSyncFiles || save.length > 0 || appendonly) return;
  log.notice(`Removing the RDB file ${what}`);
  environment.disk.removeAside(path);
}

export class ReplicaSnapshots implements SnapshotPort {
  private readonly parts: PersistenceParts;
  private readonly background: Background;
  private readonly snapshots: Snapshots;
  private readonly owner: { readonly libraries: Libraries | null };

  constructor(
    parts: PersistenceParts,
    background: Background,
    snapshots: Snapshots,
    owner: { readonly libraries: Libraries | null },
  ) {
    this.parts = parts;
    this.background = background;
    this.snapshots = snapshots;
    this.owner = owner;
  }

  get busy(): boolean {
    return this.background.busy;
  }

  saveForReplicas(end: (file: SnapshotFile | null) => void): { abort(): void } | null {
    const { environment, config } = this.parts;
    const { disk, clock } = environment;
    const path = join(config.path, config.settings.dbfilename);
    const begun = this.snapshots.saveFor((good) => {
      if (!good) return end(null);
      const { files } = this.snapshots;
      const closed = (): void => {
        // Somebody may have had the data saved for their own sake meanwhile.
        if (this.snapshots.files === files) removeSyncFile(this.parts, path, FED);
      };
      try {
        end(new OpenSnapshot(disk.open(path, 'r'), clock, closed));
      } catch {
        end(null);
      }
    });
    return begun ? { abort: () => this.background.abort('snapshot') } : null;
  }

  stream(
    { withoutData, withoutFunctions }: SnapshotParts,
    take: TakePiece,
    end: (good: boolean) => void,
  ): SnapshotStream | null {
    const { parts, background } = this;
    const { log, config } = parts;
    const whole = currentDataset(parts, this.owner.libraries, false);
    const dataset: Dataset = {
      ...whole,
      roots: withoutData ? [] : whole.roots,
      functions: withoutFunctions ? [] : whole.functions,
    };
    const { rdbcompression: compress, rdbchecksum: checksum } = config.settings;
    const format = { kind: 'rdb', compress, checksum } as const;
    let aborted = false;
    try {
      const save = background.stream(dataset, format, config.settings.rdbKeySaveDelay, take, (error, cow) => {
        this.snapshots.ended(cow);
        if (aborted) return;
        if (error === null) {
          background.tellCow('RDB', cow);
          log.notice('Background RDB transfer terminated with success');
        } else {
          log.warning(`Background transfer error: ${error.message}`);
        }
        end(error === null);
      });
      log.notice(`Background RDB transfer started by pid ${parts.environment.ids.process}`);
      return {
        resume: () => save.resume(),
        abort: () => {
          aborted = true;
          save.abort();
        },
      };
    } catch (error) {
      background.tellRefusal(error);
      return null;
    }
  }
}

/** A snapshot's file while replicas read it; it may be replaced by a later one meanwhile. */
class OpenSnapshot implements SnapshotFile {
  readonly length: number;
  private readonly file: DiskFile;
  private readonly clock: Clock;
  private readonly closed: () => void;

  constructor(file: DiskFile, clock: Clock, closed: () => void) {
    this.file = file;
    this.clock = clock;
    this.closed = closed;
    this.length = file.size;
  }

  read(take: TakePiece, end: (good: boolean) => void): SnapshotStream {
    const { file, clock, length } = this;
    let position = 0;
    let over = false;
    let due = false;
    const step = (): void => {
      due = false;
      if (over) return;
      const bytes = new Uint8Array(Math.min(PIECE, length - position));
      let got = 0;
      try {
        got = bytes.length === 0 ? 0 : file.read(bytes, 0, bytes.length, position);
      } catch {
        got = 0;
      }
      if (got === 0) {
        over = true;
        end(position === length);
        return;
      }
      position += got;
      if (take(bytes.subarray(0, got))) schedule();
    };
    const schedule = (): void => {
      if (due || over) return;
      due = true;
      clock.soon(step);
    };
    schedule();
    return {
      resume: schedule,
      abort: () => {
        over = true;
      },
    };
  }

  close(): void {
    this.file.close();
    this.closed();
  }
}
