/** What `npm run bench:commands` measures: all commands but those that have a reason here why they have no row. */
import { bitmaps } from './bitmaps.ts';
import { geo } from './geo.ts';
import { hashes } from './hashes.ts';
import { flushes, keys } from './keys.ts';
import { lists } from './lists.ts';
import type { Family, Row, Sizes } from './row.ts';
import { cluster, scripts, server } from './server.ts';
import { sets } from './sets.ts';
import { sortedSets } from './sorted-sets.ts';
import { sorting } from './sorting.ts';
import { streams } from './streams.ts';
import { strings } from './strings.ts';

export const FAMILIES: readonly Family[] = [
  ...[
    strings,
    bitmaps,
    lists,
    sets,
    hashes,
    sortedSets,
    geo,
    streams,
    keys,
    sorting,
    server,
    scripts,
    cluster,
    flushes,
  ],
];

/** Of both servers, whatever the family. */
export const SETTINGS: Readonly<Record<string, string>> = { 'enable-debug-command': 'yes' };

export const USUAL_SIZES: Sizes = { large: 200_000, medium: 1000 };
export const SMOKE_SIZES: Sizes = { large: 4000, medium: 1000 };

const REPLICATION = 'belongs to a link between two servers, which bench:replication measures';
const FILES = 'is mostly work of another process or thread, which bench:persistence measures';

/** Commands without a row, each with the reason. */
export const NOT_MEASURED: Readonly<Record<string, string>> = {
  BGREWRITEAOF: FILES,
  BGSAVE: FILES,
  SAVE: 'writes to a disk, whose time it is',
  FAILOVER: REPLICATION,
  PSYNC: REPLICATION,
  REPLCONF: REPLICATION,
  SYNC: REPLICATION,
  MIGRATE: 'waits for another server',
  MONITOR: 'is replied to with the commands of others for as long as the connection lasts',
  PFSELFTEST: 'tests the server itself, for seconds',
  QUIT: 'ends the connection',
  SHUTDOWN: 'ends the server',
};

/** The commands that the steps of rows are made of, in upper case. */
export function commandsOf(rows: readonly Row[]): ReadonlySet<string> {
  return new Set(rows.flatMap((row) => row.step(0).map((words) => words[0].toUpperCase())));
}
