/**
 * A whole group in one process, for tests and for a first look: its members come to life knowing one another, and elect their
 * leader at once.
 */
import { type Environment, environmentWith } from '../base/environment.ts';
import { MemoryDisk, Storage } from '../base/memory-disk.ts';
import { formatAddress } from '../raft/address.ts';
import type { Configuration } from '../raft/configuration.ts';
import { Segments } from '../raft/disk/segments.ts';
import { newSaved } from '../raft/entry.ts';
import type { ClusterOptions } from './local-options.ts';
import { type CinnabarServer, createServer } from './server.ts';

const HOST = '127.0.0.1';
const FOLDER = 'raftdir';
const ID_BYTES = 6;

/** Members at these ports, the first half of them, which meet at the others. None listens yet. */
export function createGroup(options: ClusterOptions, ports: readonly number[]): CinnabarServer[] {
  const count = ports.length >> 1;
  const { ids } = environmentWith(options);
  const configuration: Configuration = Array.from({ length: count }, (_, i) => ({
    id: ids.secret(ID_BYTES).readUIntBE(0, ID_BYTES) || 1,
    address: formatAddress({ host: HOST, port: ports[i], tlsPort: 0, busPort: ports[count + i] }),
    kind: 'voter' as const,
  }));
  return configuration.map((_, i) => createMember(options, configuration, i, ports[i], ports[count + i]));
}

function createMember(
  options: ClusterOptions,
  configuration: Configuration,
  number: number,
  port: number,
  busPort: number,
): CinnabarServer {
  const { masters: _masters, replicas: _replicas, raft: _raft, port: _port, folder, settings, ...rest } = options;
  const clock = options.clock && { clock: options.clock };
  // A thread would write to the machine's disk.
  const own: Partial<Environment> =
    folder === undefined && options.disk === undefined ? { disk: new MemoryDisk(new Storage()), threads: null } : {};
  const { disk } = environmentWith({ ...rest, ...own, ...clock });
  const place = folder === undefined ? disk.folder : `${folder}/${port}`;
  disk.makeFolder(place);
  const segments = new Segments({
    disk,
    folder: `${place}/${FOLDER}`,
    newId: () => configuration[number].id,
    stored: () => {},
    failed: (reason) => {
      throw new Error(reason);
    },
  });
  if (segments.open().saved === null) segments.create(newSaved(configuration));
  segments.close();
  return createServer({
    ...rest,
    ...own,
    persistent: folder !== undefined,
    settings: {
      bind: HOST,
      ...settings,
      dir: place,
      port,
      'raft-enabled': true,
      'raft-port': busPort,
      'raft-dirname': FOLDER,
    },
  });
}
