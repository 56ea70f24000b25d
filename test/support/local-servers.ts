/** Servers in the process of a test, closed when it has ended. */
import { afterEach } from 'vitest';
import { type CinnabarServer, createServer, type ServerOptions } from '../../src/server/server.ts';

/** Called at the top of a file: what makes a server for the test at hand. */
export function localServers(): (options?: ServerOptions) => CinnabarServer {
  const servers: CinnabarServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  return (options = {}) => {
    const server = createServer(options);
    servers.push(server);
    return server;
  };
}
