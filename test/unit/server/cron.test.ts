/** What the cron leaves alone, and what it sees to however quiet the server is. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/base/time.ts';
import type { SessionPort } from '../../../src/engine/ports.ts';
import { createServer } from '../../../src/server/server.ts';

test('room that a load has made ahead for its keys is not given back before they are there', async () => {
  const clock = new VirtualClock();
  const server = createServer({ clock, settings: { save: '' } });
  const session = server.session();
  const [db] = server.engine.keyspaces.databases;
  const { persistence } = server.engine.server;
  await session.call('SET', 'k', 'v');
  db.expand(20_000, 0);
  const loading = (yes: boolean): void => {
    Object.defineProperty(persistence, 'loading', { value: yes, configurable: true });
    clock.advance(1000);
  };
  loading(true);
  expect(db.keys.statistics()).toContain('table size: 32768');
  loading(false);
  expect(db.keys.statistics()).not.toContain('table size: 32768');
  session.close();
  await server.close();
});

test('a command ends the rest of a quiet server, a replica that acknowledges does not', async () => {
  const clock = new VirtualClock();
  const server = createServer({ clock, settings: { save: '' } });
  const { engine } = server;
  await server.session().call('PING');
  clock.advance(5000);
  const port = { onReply() {}, close() {} } as unknown as SessionPort;
  const replica = engine.open(port);
  replica.replySkip = 'refused';
  expect(engine.onWake).not.toBeNull();
  engine.enter(replica);
  expect(engine.onWake).not.toBeNull();
  engine.enter(engine.open(port));
  expect(engine.onWake).toBeNull();
  await server.close();
});

test('what is free goes back within a second, also where nobody has asked for anything for long', async () => {
  const clock = new VirtualClock();
  const server = createServer({ clock, settings: { save: '' } });
  const session = server.session();
  const { memory } = server.engine;
  const value = 'x'.repeat(10_000);
  for (let i = 0; i < 3000; i++) await session.call('SET', `key:${i}`, value);
  const full = memory.allocator.resident;
  expect(full).toBeGreaterThan(30_000_000);
  clock.advance(10_000);
  expect(memory.allocator.resident).toBe(full);
  await session.call('FLUSHALL', 'ASYNC');
  clock.advance(1000);
  expect(memory.allocator.resident).toBeLessThan(1_000_000);
  session.close();
  await server.close();
});

test('a segment that is half-way into its new buffer stays so while a script is suspended', async () => {
  const clock = new VirtualClock();
  const server = createServer({ clock, settings: { save: '' } });
  const session = server.session();
  const { memory, propagation } = server.engine;
  let slices = 0;
  memory.tidy = () => true;
  memory.tidyOn = () => ++slices < 10;
  await session.call('SET', 'k', 'v');
  clock.advance(105);
  expect(slices, 'a slice every few milliseconds').toBeGreaterThan(0);
  const before = slices;
  propagation.held = true;
  clock.advance(1000);
  expect(slices).toBe(before);
  propagation.held = false;
  clock.advance(1000);
  expect(slices).toBeGreaterThan(before);
  session.close();
  await server.close();
});
