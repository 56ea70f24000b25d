/**
 * `import { connectorTo } from 'cinnabar/ioredis'`: ioredis over a server in this process, with no port:
 *
 *   const client = new Redis({ Connector: connectorTo(server) });
 *
 * All that is made of such a client (`duplicate()`, BullMQ's connections) goes the same way.
 */
import { AbstractConnector } from 'ioredis';
import type { Socket } from '../base/socket-pair.ts';
import type { CinnabarServer } from '../server/server.ts';

/** How long ioredis waits for a stream to end. */
const DISCONNECT_MS = 2000;

/** What ioredis takes as its option `Connector`. */
export function connectorTo(server: Pick<CinnabarServer, 'connect'>): new (options: unknown) => AbstractConnector {
  return class extends AbstractConnector {
    constructor(options: unknown) {
      const { disconnectTimeout } = options as { readonly disconnectTimeout?: number };
      super(disconnectTimeout ?? DISCONNECT_MS);
    }

    async connect(): Promise<Socket> {
      const socket = server.connect();
      this.stream = socket;
      return socket;
    }
  };
}
