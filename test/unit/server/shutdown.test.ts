/** A shutdown that waits for replicas which are behind, as redis-server 7.0 does, or for the log's first base. */

import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { MemoryDisk } from '../../../src/base/memory-disk.ts';
import { VirtualClock } from '../../../src/base/time.ts';
import { NO_REPLICATION, type ReplicaLag } from '../../../src/engine/replication-port.ts';
import { createServer, type ServerOptions } from '../../../src/server/server.ts';

interface Behind {
  bytes: number;
}

function make(settings: Record<string, string> = {}, options: ServerOptions = {}) {
  const clock = new VirtualClock();
  const exits: number[] = [];
  const said: string[] = [];
  const replica: Behind = { bytes: 178 };
  const say = (message: string): number => said.push(message);
  const server = createServer({
    clock,
    settings: { 'shutdown-timeout': '3', ...settings },
    log: { debug: () => {}, verbose: () => {}, notice: say, warning: say },
    onExit: (code) => exits.push(code),
    ...options,
  });
  const lags = (): ReplicaLag[] => [{ name: '127.0.0.1:7000', seconds: 3, state: 'online', ...replica }];
  server.engine.replication = { ...NO_REPLICATION, lags };
  return { server, clock, exits, said, replica, session: server.session(), other: server.session() };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await turn();
};

describe('a shutdown with a replica that is behind', () => {
  test('waits for shutdown-timeout, and tells who was behind', async () => {
    const { clock, exits, said, session, other } = make();
    const asked = session.call('SHUTDOWN', 'NOSAVE').catch((error) => error.message);
    await settle();
    expect(String(await other.call('INFO', 'server'))).toContain('shutdown_in_milliseconds:3000\r\n');
    expect(await other.call('GET', 'a')).toBe(null);
    clock.advance(2900);
    await settle();
    expect(exits).toEqual([]);
    clock.advance(200);
    await settle();
    expect(exits).toEqual([0]);
    expect(await asked).toBe('The session is closed');
    expect(said).toContain('Waiting for replicas before shutting down.');
    expect(said).toContain('Lagging replica 127.0.0.1:7000 reported offset 178 behind master, lag=3, state=online.');
    expect(said).toContain('0 of 1 replicas are in sync when shutting down.');
  });

  test('goes on as soon as it has caught up', async () => {
    const { clock, exits, said, replica, session } = make();
    session.call('SHUTDOWN', 'NOSAVE').catch(() => {});
    await settle();
    replica.bytes = 0;
    clock.advance(100);
    await settle();
    expect(exits).toEqual([0]);
    expect(said).toContain('1 of 1 replicas are in sync when shutting down.');
  });

  test('holds writes meanwhile, which SHUTDOWN ABORT lets go on', async () => {
    const { server, clock, exits, session, other } = make();
    const asked = session.call('SHUTDOWN', 'NOSAVE').catch((error) => error.message);
    const again = server
      .session()
      .call('SHUTDOWN', 'NOSAVE')
      .catch((error) => error.message);
    await settle();
    let written: unknown = null;
    const write = server
      .session()
      .call('SET', 'a', '1')
      .then((reply) => {
        written = reply;
      });
    clock.advance(1000);
    await settle();
    expect(written).toBe(null);
    expect(await other.call('SHUTDOWN', 'ABORT')).toBe('OK');
    expect(await asked).toBe('ERR Errors trying to SHUTDOWN. Check logs.');
    expect(await again).toBe('ERR Errors trying to SHUTDOWN. Check logs.');
    clock.advance(1);
    await write;
    expect(written).toBe('OK');
    await expect(other.call('SHUTDOWN', 'ABORT')).rejects.toThrow('ERR No shutdown in progress.');
    expect(String(await other.call('INFO', 'server'))).not.toContain('shutdown_in_milliseconds');
    clock.advance(10_000);
    await settle();
    expect(exits).toEqual([]);
  });

  test('does not wait with NOW, nor with a shutdown-timeout of 0', async () => {
    const first = make();
    first.session.call('SHUTDOWN', 'NOSAVE', 'NOW').catch(() => {});
    const second = make({ 'shutdown-timeout': '0' });
    second.session.call('SHUTDOWN', 'NOSAVE').catch(() => {});
    await settle();
    expect([first.exits, second.exits]).toEqual([[0], [0]]);
  });

  test('of a signal waits, and can be taken back, as well; a second signal begins no second one', async () => {
    const { server, clock, exits, said, session } = make();
    const request = { save: false, noSave: true, now: false, force: false };
    let failures = 0;
    server.shutdownBySignal(request, () => failures++);
    clock.advance(500);
    server.shutdownBySignal(request, () => failures++);
    clock.advance(500);
    await settle();
    expect(said.filter((line) => line === 'User requested shutdown...').length).toBe(1);
    expect(await session.call('SHUTDOWN', 'ABORT')).toBe('OK');
    expect(failures).toBe(1);
    clock.advance(5000);
    await settle();
    expect(exits).toEqual([]);
    server.shutdownBySignal(request, () => failures++);
    clock.advance(3200);
    await settle();
    expect([exits, failures]).toEqual([[0], 1]);
  });
});

describe('a shutdown while the first base of the log is written', () => {
  const REFUSED = 'ERR Errors trying to SHUTDOWN. Check logs.';

  /** `hangs`: what saves never comes to its end; otherwise it does after a millisecond. */
  async function turnedOn(hangs: boolean) {
    const worker = Object.assign(new EventEmitter(), {
      postMessage: () => {},
      unref: () => {},
      terminate: async () => 0,
    });
    const threads = hangs ? { start: () => worker as unknown as Worker } : null;
    const made = make({}, { disk: new MemoryDisk(), threads });
    made.replica.bytes = 0;
    expect(await made.session.call('CONFIG', 'SET', 'appendonly', 'yes')).toBe('OK');
    const shutdown = (...options: string[]): Promise<string> =>
      made.server
        .session()
        .call('SHUTDOWN', 'NOSAVE', ...options)
        .then(String, (error) => error.message);
    return { ...made, shutdown };
  }

  test('waits for it', async () => {
    const { clock, exits, said, shutdown } = await turnedOn(false);
    const asked = shutdown();
    await settle();
    expect(exits).toEqual([]);
    clock.advance(100);
    await settle();
    expect(exits).toEqual([0]);
    expect(await asked).toBe('The session is closed');
    expect(said).toContain('Background AOF rewrite finished successfully');
  });

  test('is refused after two seconds, and may be repeated', async () => {
    const { clock, exits, said, shutdown, other } = await turnedOn(true);
    for (let refusals = 1; refusals < 3; refusals++) {
      const asked = shutdown();
      clock.advance(1900);
      await settle();
      expect(said).not.toContain("Writing initial AOF, can't exit.");
      clock.advance(200);
      expect(await asked).toBe(REFUSED);
      expect(said.filter((line) => line === "Writing initial AOF, can't exit.").length).toBe(1);
      said.length = 0;
    }
    clock.advance(1);
    expect(await other.call('SET', 'a', '1')).toBe('OK');
    expect(exits).toEqual([]);
  });

  test('is refused at once with NOW, and comes about at once with FORCE', async () => {
    const { exits, shutdown } = await turnedOn(true);
    expect(await shutdown('NOW')).toBe(REFUSED);
    expect(exits).toEqual([]);
    void shutdown('FORCE');
    await settle();
    expect(exits).toEqual([0]);
  });

  test('can be taken back', async () => {
    const { clock, exits, shutdown, other } = await turnedOn(true);
    const asked = shutdown();
    await settle();
    expect(await other.call('SHUTDOWN', 'ABORT')).toBe('OK');
    expect(await asked).toBe(REFUSED);
    clock.advance(10_000);
    await settle();
    expect(exits).toEqual([]);
  });
});
