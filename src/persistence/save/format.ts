/** The formats in which a dataset is saved. */
import type { Reader } from '../../memory/memory.ts';
import { CommandOutput } from '../aof/command-output.ts';
import { CommandsWriter } from '../aof/rewrite-commands.ts';
import type { ByteSink } from '../chunks.ts';
import { RdbOutput } from '../rdb/output.ts';
import { SnapshotWriter } from '../rdb/write.ts';
import type { Dataset, DatasetWriter } from './dataset.ts';

export type SaveFormat =
  | {
      readonly kind: 'rdb';
      /** rdbcompression, rdbchecksum */
      readonly compress: boolean;
      readonly checksum: boolean;
    }
  | {
      readonly kind: 'aof';
      /** Begins with the time (aof-timestamp-enabled). */
      readonly stamped: boolean;
    };

/** All of it, in memory. */
export function savedBytes(r: Reader, set: Dataset, format: SaveFormat): Buffer {
  const chunks: Uint8Array[] = [];
  const writer = datasetWriter(r, set, format, (bytes) => chunks.push(bytes.slice()));
  while (writer.step());
  return Buffer.concat(chunks);
}

/** What writes the dataset into `sink`; nothing has been written yet. */
export function datasetWriter(r: Reader, set: Dataset, format: SaveFormat, sink: ByteSink): DatasetWriter {
  if (format.kind === 'aof') return new CommandsWriter(r, set, new CommandOutput(sink), format.stamped);
  const { compress, checksum } = format;
  return new SnapshotWriter(r, set, new RdbOutput({ compress, checksum, sink }));
}
