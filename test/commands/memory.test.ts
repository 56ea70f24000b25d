/** What counts as used memory, and what maxmemory bounds of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memoryOf } from '../../src/engine/client-memory.ts';
import { FrozenView } from '../../src/memory/view.ts';
import { type CinnabarServer, createServer } from '../../src/server/server.ts';
import { Pipeline } from '../support/pipeline.ts';

const MB = 1024 * 1024;
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

let server: CinnabarServer;
let admin: Pipeline;
const opened: Pipeline[] = [];

beforeEach(async () => {
  server = createServer({ port: 0, settings: { save: '', 'enable-debug-command': 'yes' } });
  await server.listen();
  admin = open();
});

afterEach(async () => {
  for (const pipeline of opened.splice(0)) pipeline.close();
  await server.close();
});

function open(): Pipeline {
  const pipeline = new Pipeline(server.port);
  opened.push(pipeline);
  return pipeline;
}

async function ask(...args: (string | number)[]): Promise<unknown> {
  return (await admin.send([args.map(String)]))[0];
}

async function used(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(String(await ask('INFO', 'memory')))?.[1]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error('it did not come to be');
}

/** What is counted as it comes and goes equals what a walk over all sessions finds. */
function recount(): number {
  let bytes = 0;
  for (const session of server.engine.sessions.values()) {
    bytes += memoryOf(session) - session.reply.firstCapacity - session.reply.moreBytes;
    // Nominal shares of buffers that connections have in common.
    bytes -= session.port.queryBytes + session.port.queryFree + session.port.argumentBytes;
  }
  return bytes;
}

describe('clients count', () => {
  test('replies that nobody reads', async () => {
    const before = await used();
    await ask('SET', 'k', 'v'.repeat(10_000));
    const idle = open();
    idle.stopReading();
    for (let i = 0; i < 20_000; i++) idle.raw('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n');
    await until(async () => (await used()) - before > 110 * MB);
    expect((await used()) - before).toBeLessThan(215 * MB);
    await ask('CONFIG', 'SET', 'maxmemory', '20mb');
    await expect(ask('SET', 'a', 'b')).resolves.toMatchObject({ message: OOM });
    idle.close();
    await until(async () => (await used()) - before < MB);
    expect(await ask('SET', 'a', 'b')).toBe('OK');
  });

  test('an argument that is not complete', async () => {
    const before = await used();
    const slow = open();
    slow.raw(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${30 * MB}\r\n${'v'.repeat(29 * MB)}`);
    await until(async () => (await used()) - before >= 29 * MB);
    await ask('CONFIG', 'SET', 'maxmemory', '20mb');
    await expect(ask('SET', 'a', 'b')).resolves.toMatchObject({ message: OOM });
    slow.close();
    await until(async () => (await used()) - before < MB);
    expect(await ask('SET', 'a', 'b')).toBe('OK');
  });

  test('queued commands, watches, subscriptions and waits, to the byte', async () => {
    const { usedMemory } = server.engine;
    const kept = () => usedMemory.sessions - server.engine.pool.held - usedMemory.inputs.held;
    const others = [open(), open(), open()];
    await others[0].send([['WATCH', 'a', 'b'], ['MULTI'], ['SET', 'k', 'v'.repeat(1000)]]);
    await others[1].send([['SUBSCRIBE', 'c', 'd']]);
    others[2].raw('*4\r\n$5\r\nBLPOP\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\n0\r\n');
    await until(async () => server.engine.blocking.count === 1);
    expect(kept()).toBe(recount());
    expect(kept()).toBeGreaterThan(4 * 2048 + 1000);
    await others[0].send([['EXEC']]);
    await ask('RPUSH', 'x', 'v');
    others[1].close();
    await until(async () => server.engine.sessions.size === 3);
    expect(kept()).toBe(recount());
    expect(kept()).toBe(3 * 2048);
  });
});

describe('what is not of a client counts', () => {
  test('scripts, users and the tracking table', async () => {
    const before = await used();
    await ask('EVAL', `return 1 --${'x'.repeat(100_000)}`, 0);
    expect((await used()) - before).toBeGreaterThan(100_000);
    await ask('SCRIPT', 'FLUSH');
    const between = await used();
    await ask('ACL', 'SETUSER', 'u', `~${'p'.repeat(50_000)}`);
    expect((await used()) - between).toBeGreaterThan(50_000);
    await ask('ACL', 'DELUSER', 'u');
    const receiver = Number((await open().send([['CLIENT', 'ID']]))[0]);
    await ask('CLIENT', 'TRACKING', 'on', 'REDIRECT', receiver);
    const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);
    await admin.send(keys.map((key) => ['GET', key]));
    expect((await used()) - between).toBeGreaterThan(150_000);
    await ask('FLUSHALL');
    expect((await used()) - between).toBeLessThan(100_000);
  });
});

describe('memory goes back', () => {
  test('a deletion of most keys and MEMORY PURGE leave what is live, and the figures say so', async () => {
    const { memory, keyspaces } = server.engine;
    await ask('DEBUG', 'POPULATE', 100_000, 'k', 200);
    const most = Array.from({ length: 100_000 }, (_, i) => i).filter((i) => i % 10 !== 0);
    for (let i = 0; i < most.length; i += 10_000)
      await admin.send([['UNLINK', ...most.slice(i, i + 10_000).map((j) => `k:${j}`)]]);
    // Otherwise the cron may let go of the large table after the last look of PURGE.
    keyspaces.databases[0].shrinkMore();
    while (keyspaces.databases[0].rehashFor(() => false));
    expect(await ask('MEMORY', 'PURGE')).toBe('OK');
    expect(memory.active).toBeLessThan(memory.used * 1.5 + 2 * MB);
    expect(memory.allocator.resident).toBe(memory.active);
    expect(await ask('DBSIZE')).toBe(10_000);
    expect(String(await ask('GET', 'k:500'))).toHaveLength(200);
    await ask('FLUSHALL');
    await ask('MEMORY', 'PURGE');
    expect(memory.allocator.resident).toBeLessThan(MB);
    memory.allocator.verify();
  });

  test('within a transaction PURGE answers at once', async () => {
    await ask('DEBUG', 'POPULATE', 1000, 'k', 200);
    expect(await admin.send([['MULTI'], ['MEMORY', 'PURGE'], ['EXEC']])).toEqual(['OK', 'QUEUED', ['OK']]);
  });

  test('a frozen view holds moving back', async () => {
    const { memory, keyspaces } = server.engine;
    await ask('DEBUG', 'POPULATE', 20_000, 'k', 200);
    for (let i = 0; i < 20_000; i += 2) admin.post(['DEL', `k:${i}`]);
    await ask('PING');
    const view = new FrozenView(memory);
    expect(keyspaces.defragmenter.begin()).toBe(false);
    view.close();
    expect(keyspaces.defragmenter.begin()).toBe(true);
    const late = new FrozenView(memory);
    expect(keyspaces.defragmenter.run(() => false)).toBe(false);
    expect(memory.moves).toBe(0);
    late.close();
    memory.allocator.verify();
  });
});

describe('figures', () => {
  test('the ratios leave the share of Node out', async () => {
    await ask('DEBUG', 'POPULATE', 100_000, 'k', 100);
    const text = String(await ask('INFO', 'memory'));
    const figure = (name: string) => Number(new RegExp(`^${name}:([\\d.-]+)`, 'm').exec(text)?.[1]);
    expect(figure('used_memory_runtime')).toBeGreaterThan(20 * MB);
    expect(figure('allocator_frag_ratio')).toBeLessThan(1.2);
    expect(figure('allocator_active')).toBeGreaterThanOrEqual(figure('allocator_allocated'));
    expect(figure('used_memory_dataset') + figure('used_memory_overhead')).toBe(figure('used_memory'));
    expect(figure('used_memory_peak')).toBeGreaterThanOrEqual(figure('used_memory'));
  });
});
