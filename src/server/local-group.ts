/**
 * A whole group in one process, for tests and for a first look: its members come to life knowing one another, and elect their
 * leader at once.
 */
import { environmentWith } from '../base/environment.ts';
import { formatAddress, newId } from '../raft/address.ts';
import type { Configuration } from '../raft/configuration.ts';
import { Segments } from '../raft/disk/segments.ts';
import { newSaved } from '../raft/entry.ts';
import { type ClusterOptions, HOST, placeOf } from './local-options.ts';
import { type CinnabarServer, createServer } from './server.ts';

const FOLDER = 'raftdir';

/** Members at these ports, the first half of them, which meet at the others. None listens yet. */
export function createGroup(options: ClusterOptions, ports: readonly number[]): CinnabarServer[] {
  const count = ports.length >> 1;
  const { ids } = environmentWith(options);
  const configuration: Configuration = Array.from({ length: count }, (_, i) => ({
    id: newId(ids),
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
  const place = placeOf(options, port);
  const segments = new Segments({
    disk: place.disk,
    clock: environmentWith(options).clock,
    folder: `${place.folder}/${FOLDER}`,
    newId: () => configuration[number].id,
    stored: () => {},
    failed: (reason) => {
      throw new Error(reason);
    },
  });
  if (segments.open().saved === null) segments.create(newSaved(configuration));
  segments.close();
  const raft = { 'raft-enabled': true, 'raft-port': busPort, 'raft-dirname': FOLDER };
  return createServer({ ...place.options, settings: { ...place.options.settings, ...raft } });
}
