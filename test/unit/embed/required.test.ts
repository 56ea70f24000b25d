/** The library as programs get it that can only require, built: dist/index.cjs and its neighbours. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { RedisMemoryServer } from '../../../src/embed/redis-memory-server.ts';
import type { createServer } from '../../../src/server/server.ts';

const load = createRequire(join(import.meta.dirname, '../../../dist/package.cjs'));

test('a server, and its threads', async () => {
  const library = load('./index.cjs') as { readonly createServer: typeof createServer };
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-required-'));
  const server = library.createServer({ settings: { dir } });
  const session = server.session();
  await session.call('SET', 'k', 'v');
  expect(await session.call('BGSAVE')).toBe('Background saving started');
  await expect.poll(() => existsSync(join(dir, 'dump.rdb')), { timeout: 20_000 }).toBe(true);
  await server.close();
  rmSync(dir, { recursive: true });
});

test('the stand-in for redis-memory-server', async () => {
  const stand = load('./redis-memory-server.cjs') as { readonly default: typeof RedisMemoryServer };
  const server = await stand.default.create();
  expect(await server.getPort()).toBeGreaterThan(0);
  expect(await server.stop()).toBe(true);
});

test('what takes ioredis to a server without a port', async () => {
  const library = load('./index.cjs') as { readonly createServer: typeof createServer };
  const { connectorTo: required } = load('./ioredis.cjs') as typeof import('../../../src/embed/ioredis.ts');
  const { connectorTo: imported } = (await import(pathToFileURL(load.resolve('./ioredis.js')).href)) as {
    readonly connectorTo: typeof required;
  };
  const server = library.createServer();
  for (const connectorTo of [required, imported]) {
    const client = new Redis({ Connector: connectorTo(server) });
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  }
  await server.close();
});
