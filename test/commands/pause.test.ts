/** CLIENT PAUSE: what is held, for how long, and what becomes of it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';
import { freePort } from '../support/ports.ts';

let server: CinnabarServer;
let admin: Pipeline;
let client: Pipeline;

beforeEach(async () => {
  server = createServer({ port: await freePort(), settings: { save: '' } });
  await server.listen();
  admin = new Pipeline(server.port);
  client = new Pipeline(server.port);
  await client.send([['CLIENT', 'SETNAME', 'client']]);
});

afterEach(async () => {
  admin.close();
  client.close();
  await server.close();
});

async function blocked(count: number): Promise<void> {
  const { blocking } = server.engine;
  for (let i = 0; i < 200 && blocking.count !== count; i++) await new Promise((done) => setTimeout(done, 5));
  expect(blocking.count).toBe(count);
}

test('writes wait and run in their order, reads do not', async () => {
  await admin.send([['CLIENT', 'PAUSE', '100000', 'WRITE']]);
  expect(await client.send([['GET', 'k'], ['PING']])).toEqual([null, 'PONG']);
  const replies = client.send([
    ['SET', 'k', '1'],
    ['INCR', 'k'],
    ['GET', 'k'],
  ]);
  await blocked(1);
  expect(String((await admin.send([['CLIENT', 'LIST']]))[0])).toMatch(/name=client .* flags=b /);
  expect(await admin.send([['CLIENT', 'UNPAUSE']])).toEqual(['OK']);
  expect(await replies).toEqual(['OK', 2, '2']);
  await blocked(0);
});

test('a pause that follows UNPAUSE at once holds what was held', async () => {
  await admin.send([['CLIENT', 'PAUSE', '100000', 'WRITE']]);
  const reply = client.send([['SET', 'k', '1']]);
  await blocked(1);
  await admin.send([
    ['CLIENT', 'UNPAUSE'],
    ['CLIENT', 'PAUSE', '100000', 'WRITE'],
  ]);
  await new Promise((done) => setTimeout(done, 30));
  await blocked(1);
  await admin.send([['CLIENT', 'UNPAUSE']]);
  expect(await reply).toEqual(['OK']);
});

test('a client that goes while it is held is counted no longer, and its command does not run', async () => {
  await admin.send([['CLIENT', 'PAUSE', '100000', 'WRITE']]);
  client.post(['SET', 'k', '1']);
  await blocked(1);
  client.close();
  await blocked(0);
  await admin.send([['CLIENT', 'UNPAUSE']]);
  await new Promise((done) => setTimeout(done, 20));
  expect(await admin.send([['EXISTS', 'k']])).toEqual([0]);
  await blocked(0);
});

test('ALL holds everything until the time is up', async () => {
  const start = performance.now();
  await admin.send([['CLIENT', 'PAUSE', '100']]);
  expect(await client.send([['PING']])).toEqual(['PONG']);
  expect(performance.now() - start).toBeGreaterThan(95);
  await blocked(0);
});

test('keys past their time are absent but stay until the pause is over', async () => {
  await admin.send([
    ['SET', 'k', 'v', 'PX', '20'],
    ['CLIENT', 'PAUSE', '100000', 'WRITE'],
  ]);
  await new Promise((done) => setTimeout(done, 150));
  expect(await client.send([['GET', 'k']])).toEqual([null]);
  expect(server.engine.stats.expired).toBe(0);
  await admin.send([['CLIENT', 'UNPAUSE']]);
  expect(await client.send([['GET', 'k']])).toEqual([null]);
  expect(server.engine.stats.expired).toBe(1);
});
