/** What is saved of the data, and with what settings: put together anew for each snapshot and each base of the log. */
import type { Libraries } from '../engine/persistence-port.ts';
import type { PersistenceParts } from './parts.ts';
import { type Dataset, replicationAux } from './save/dataset.ts';
import type { SaveTarget } from './save/file.ts';

/** The data as it is now; as the base of the log when `preamble`, else with where it stands in a stream, if in any. */
export function currentDataset(
  { engine, environment, config, usage }: PersistenceParts,
  libraries: Libraries | null,
  preamble: boolean,
): Dataset {
  const { maxmemoryPolicy } = config.settings;
  const now = environment.clock.now();
  const context = preamble ? null : engine.replication.context;
  return {
    roots: engine.keyspaces.roots(),
    aux: [
      ['redis-ver', engine.server.version.text],
      ['redis-bits', '64'],
      ['ctime', String(Math.floor(now / 1000))],
      ['used-mem', String(engine.memory.used)],
      ...(context === null ? [] : replicationAux(context)),
      ['aof-base', preamble ? '1' : '0'],
    ],
    functions: libraries?.sources() ?? [],
    use: maxmemoryPolicy.endsWith('-lru') ? 'lru' : maxmemoryPolicy.endsWith('-lfu') ? 'lfu' : 'none',
    usage: { ...usage },
    now,
  };
}

/** How a file `name` in `folder` is written by `writer`. */
export function saveTarget({ config }: PersistenceParts, folder: string, name: string, writer: string): SaveTarget {
  const { rdbcompression, rdbchecksum, rdbSaveIncrementalFsync } = config.settings;
  return {
    folder,
    name,
    compress: rdbcompression,
    checksum: rdbchecksum,
    syncOnTheWay: rdbSaveIncrementalFsync,
    writer,
  };
}

/** The same of a base of the append-only file, in the form that is configured. */
export function baseTarget(parts: PersistenceParts, folder: string, name: string, writer: string): SaveTarget {
  const { aofUseRdbPreamble, aofRewriteIncrementalFsync, aofTimestampEnabled } = parts.config.settings;
  return {
    ...saveTarget(parts, folder, name, writer),
    base: aofUseRdbPreamble ? 'rdb' : 'aof',
    syncOnTheWay: aofRewriteIncrementalFsync,
    stamped: aofTimestampEnabled,
  };
}
