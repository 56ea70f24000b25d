/**
 * The server that the packages' tests talk to: ours as built or, to see that a test asks for the right thing, whichever
 * listens at PACKAGES_PORT (redis-server --port 7777 --save '' and PACKAGES_PORT=7777 npx vitest run test/wire/packages).
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { startCinnabar } from '../../support/server-process.ts';

export interface PackageServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function packageServer(): Promise<PackageServer> {
  const given = process.env['PACKAGES_PORT'];
  return given === undefined ? startCinnabar() : { port: Number(given), stop: async () => {} };
}

/** One server for all tests of a file, there once they begin, and a client that prepares it. */
export function sharedServer(): { readonly port: number; readonly admin: Redis } {
  let server: PackageServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await packageServer();
    admin = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    admin?.disconnect();
    await server?.stop();
  });
  return {
    get port() {
      return server.port;
    },
    get admin() {
      return admin;
    },
  };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Waits until what is read is what is wanted; fails where a test's time is up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`${what} did not come about`);
}
