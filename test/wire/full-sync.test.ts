/** A full synchronisation that is not to be finished: who ends it, when, and what the log says. */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Node } from '../support/pair.ts';

const nodes: Node[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(settings: Record<string, string> = {}): Promise<Node> {
  const node = await Node.start('ours', settings);
  nodes.push(node);
  return node;
}

/** A replica that says these lines and reads all that comes; `read` is what has come. */
async function replica(master: Node, ...lines: string[]): Promise<{ socket: Socket; read: () => string }> {
  const socket = connect(master.port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`${lines.join('\r\n')}\r\n`);
  return { socket, read: () => text };
}

/** One that can read a payload that is ended by a mark. */
async function diskless(master: Node): Promise<{ socket: Socket; read: () => string }> {
  const begun = await replica(master, 'REPLCONF capa eof');
  await expect.poll(begun.read, { timeout: 10_000 }).toBe('+OK\r\n');
  begun.socket.write('PSYNC ? -1\r\n');
  return begun;
}

/** Whether a payload has come that its mark has ended. */
function ended(text: string): boolean {
  const mark = /\$EOF:(.{40})/.exec(text)?.[1];
  return mark !== undefined && text.indexOf(mark) !== text.lastIndexOf(mark) && text.endsWith(mark);
}

const saves = async (master: Node): Promise<boolean> => (await master.info('rdb_bgsave_in_progress')) === '1';
const hasReplicas = async (master: Node, count: number): Promise<boolean> =>
  (await master.info('connected_slaves')) === String(count);

test.each([
  ['SYNC', 'PING', 'ping', ''],
  ['SYNC', 'XINFO HELP', 'xinfo|help', ''],
  ['PSYNC ? -1', 'GET key', 'get', "-ERR Replica can't interact with the keyspace"],
  ['PSYNC ? -1', 'SLOWLOG GET', 'slowlog|get', ''],
])('a replica that asks is shown out: %s, then %s', async (begin, asks, name, error) => {
  const master = await start();
  const { socket, read } = await replica(master, begin, asks);
  await once(socket, 'close');
  expect(read()).not.toContain('PONG');
  const told = (text: string): boolean => master.log.some((line) => line.includes(text));
  expect(told(`Replica generated a reply to command '${name}', disconnecting it: id=`)).toBe(true);
  const critical = `== CRITICAL == This master is sending an error to its replica: '${error}`;
  expect(told(critical)).toBe(error !== '');
  await master.until('it has left', () => hasReplicas(master, 0));
});

test('an offset that is none is an error, and no synchronisation', async () => {
  const master = await start();
  expect(String(await master.send('PSYNC', 'id', 'word'))).toContain('ERR value is not an integer or out of range');
  expect(master.log.at(-1)).toMatch(/^Replica .* asks for synchronization but with a wrong offset$/);
  expect(await master.info('sync_full')).toBe('0');
});

test('one that takes nothing for repl-timeout is given up, and does not hold the others up', async () => {
  const master = await start({ 'repl-diskless-sync-delay': '1', 'repl-diskless-sync-max-replicas': '2' });
  await master.send('DEBUG', 'POPULATE', '3000', 'key', '10000');
  await master.send('CONFIG', 'SET', 'repl-timeout', '2', 'rdbcompression', 'no');
  const stuck = await diskless(master);
  stuck.socket.pause();
  const other = await diskless(master);
  await master.until('it is made', () => saves(master));
  await master.until('it is over', async () => !(await saves(master)));
  const lines = master.log.filter((line) => /timedout|still up/.test(line));
  expect(lines).toEqual([
    expect.stringMatching(/^Disconnecting timedout replica \(full sync\): /),
    'Diskless rdb transfer, done reading from pipe, 1 replicas still up.',
  ]);
  await expect.poll(() => ended(other.read()), { timeout: 10_000 }).toBe(true);
});

test('FLUSHALL ends a transfer that is of no use any more', async () => {
  const master = await start({ 'rdb-key-save-delay': '1000000' });
  await master.send('DEBUG', 'POPULATE', '1000');
  const first = await diskless(master);
  await master.until('it is made', () => saves(master));
  const gone = once(first.socket, 'close');
  expect(await master.send('FLUSHALL')).toBe('OK');
  await gone;
  expect(await saves(master)).toBe(false);
  const second = await diskless(master);
  await expect.poll(() => ended(second.read()), { timeout: 10_000 }).toBe(true);
});

test('a file that no replica waits for any more is not written on, unless the data are saved anyway', async () => {
  const master = await start({ 'repl-diskless-sync': 'no', 'rdb-key-save-delay': '1000000' });
  await master.send('DEBUG', 'POPULATE', '1000');
  for (const [save, goesOn] of [
    ['', false],
    ['900 1', true],
  ] as const) {
    await master.send('CONFIG', 'SET', 'save', save);
    const two = [await replica(master, 'PSYNC ? -1'), await replica(master, 'PSYNC ? -1')];
    await master.until('they wait for it', async () => (await hasReplicas(master, 2)) && (await saves(master)));
    two[0].socket.destroy();
    await master.until('one has left', () => hasReplicas(master, 1));
    expect(await saves(master)).toBe(true);
    two[1].socket.destroy();
    await master.until('the other has left', () => hasReplicas(master, 0));
    if (goesOn) expect(await saves(master)).toBe(true);
    else await master.until('it has ended', async () => !(await saves(master)));
  }
});

test('old data are served while those of the same history come aside, and stay when they do not', async () => {
  const master = await start({ 'repl-backlog-size': '16384' });
  const follower = await start({ 'repl-diskless-load': 'swapdb', 'replica-read-only': 'no' });
  const isUp = async (): Promise<boolean> => (await follower.info('master_link_status')) === 'up';
  await master.send('SET', 'a', 'v');
  await follower.send('REPLICAOF', '127.0.0.1', String(master.port));
  await follower.until('the link is up', isUp);
  await follower.send('SET', 'own', 'v');
  await master.send('DEBUG', 'POPULATE', '2000', 'key', '20000');
  await master.send('CONFIG', 'SET', 'rdb-key-save-delay', '10000', 'rdbcompression', 'no');
  await master.client.send([
    ['MULTI'],
    ['CLIENT', 'KILL', 'TYPE', 'replica'],
    ...Array.from({ length: 10 }, () => ['SET', 'a', 'x'.repeat(16384)]),
    ['EXEC'],
  ]);
  await follower.until('it loads aside', async () => (await follower.info('async_loading')) === '1');
  expect(await follower.info('loading')).toBe('0');
  expect(await follower.client.send([['GET', 'own'], ['DBSIZE']])).toEqual(['v', 2]);
  expect(String(await follower.send('CONFIG', 'SET', 'appendonly', 'no'))).toMatch(/LOADING /);
  expect(String(await follower.send('REPLICAOF', 'NO', 'ONE'))).toMatch(/LOADING /);
  await master.send('CONFIG', 'SET', 'repl-diskless-sync-delay', '5');
  await master.send('CLIENT', 'KILL', 'TYPE', 'replica');
  await follower.until('it has failed', async () => (await follower.info('async_loading')) === '0');
  expect(follower.log).toContainEqual(
    expect.stringMatching(/^Internal error in RDB reading offset \d+, function at rdb/),
  );
  expect(await follower.client.send([['GET', 'own'], ['DBSIZE']])).toEqual(['v', 2]);
  await master.send('CONFIG', 'SET', 'rdb-key-save-delay', '0', 'repl-diskless-sync-delay', '0');
  await follower.until('the link is up', isUp);
  expect(await follower.client.send([['GET', 'own'], ['DBSIZE']])).toEqual([null, 2001]);
  await follower.until(
    'what it had is released, in slices',
    async () => Number(await follower.info('lazyfreed_objects')) >= 2,
  );
});

test.each([
  ['removed where nothing else is kept', { 'rdb-del-sync-files': 'yes' }, false],
  ['kept where that is not asked for', { 'rdb-del-sync-files': 'no' }, true],
  ['kept where data are saved', { 'rdb-del-sync-files': 'yes', save: '3600 1000' }, true],
  ['kept where there is a log', { 'rdb-del-sync-files': 'yes', appendonly: 'yes' }, true],
])('the file of a synchronisation is %s', async (_, settings, kept) => {
  const [ours, theirs] = [mkdtempSync(join(tmpdir(), 'cinnabar-')), mkdtempSync(join(tmpdir(), 'cinnabar-'))];
  try {
    const master = await start({ ...settings, dir: ours, 'repl-diskless-sync': 'no' });
    await master.send('SET', 'key', 'value');
    const copy = await start({ ...settings, dir: theirs, 'repl-diskless-load': 'disabled' });
    await copy.send('REPLICAOF', '127.0.0.1', String(master.port));
    await expect.poll(() => copy.send('GET', 'key'), { timeout: 10_000 }).toBe('value');
    for (const folder of [ours, theirs])
      await expect.poll(() => readdirSync(folder).includes('dump.rdb'), { timeout: 5000 }).toBe(kept);
  } finally {
    for (const node of nodes.splice(0)) await node.stop();
    for (const folder of [ours, theirs]) rmSync(folder, { recursive: true });
  }
});
