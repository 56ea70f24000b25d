/** Sequences that end redis-server 7.0.15 itself, and not ours. */
import { once } from 'node:events';
import { connect } from 'node:net';
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
});

afterEach(async () => {
  admin.close();
  client.close();
  await server.close();
});

test('a subscriber of RESP3 takes the right to its channel from its own user', async () => {
  const socket = connect(server.port, '127.0.0.1');
  const closed = once(socket.resume(), 'close');
  socket.write('HELLO 3\r\nSUBSCRIBE ch1\r\nACL SETUSER default resetchannels\r\n');
  await closed;
  expect(await admin.send([['PING']])).toEqual(['PONG']);
});

test('CLIENT UNBLOCK of a client whose blocking command a pause holds', async () => {
  const [id] = await client.send([['CLIENT', 'ID']]);
  await admin.send([['CLIENT', 'PAUSE', '100000', 'WRITE']]);
  const reply = client.send([['BLPOP', 'a', '0.05']]);
  const { blocking } = server.engine;
  for (let i = 0; i < 200 && blocking.count === 0; i++) await new Promise((done) => setTimeout(done, 5));
  expect(await admin.send([['CLIENT', 'UNBLOCK', String(id)], ['CLIENT', 'UNPAUSE'], ['PING']])).toEqual([
    0,
    'OK',
    'PONG',
  ]);
  expect(await reply).toEqual([null]);
});
