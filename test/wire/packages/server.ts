/**
 * The server that the packages' tests talk to: ours as built or, to see that a test asks for the right thing, whichever
 * listens at PACKAGES_PORT (redis-server --port 7777 --save '' and PACKAGES_PORT=7777 npx vitest run test/wire/packages).
 */
import { startCinnabar } from '../../support/server-process.ts';

export interface PackageServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function packageServer(): Promise<PackageServer> {
  const given = process.env['PACKAGES_PORT'];
  return given === undefined ? startCinnabar() : { port: Number(given), stop: async () => {} };
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
