import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CinnabarServer } from '../../src/server/server.ts';
import { freePort } from '../support/ports.ts';
import { play, readCases } from './wire.ts';

/** With CINNABAR_WIRE_PORT the cases are played against whatever listens there, redis-server for one. */
const FOREIGN = Number(process.env['CINNABAR_WIRE_PORT'] ?? 0);

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.md'));
const roads = FOREIGN === 0 ? ['fast', 'plain'] : ['foreign'];

describe.each(roads)('%s', (road) => {
  let server: CinnabarServer | null = null;
  const before = process.env['CINNABAR_NET'];
  let port = FOREIGN;

  beforeAll(async () => {
    if (FOREIGN !== 0) return;
    process.env['CINNABAR_NET'] = road;
    const { createServer } = await import('../../src/server/server.ts');
    port = await freePort();
    server = createServer({ settings: { port, bind: '127.0.0.1', save: '' } });
    await server.listen();
  });

  afterAll(async () => {
    await server?.close();
    if (before === undefined) delete process.env['CINNABAR_NET'];
    else process.env['CINNABAR_NET'] = before;
  });

  describe.each(files)('%s', (file) => {
    const cases = readCases(readFileSync(join(import.meta.dirname, file), 'utf8'));
    test('is not empty', () => expect(cases.length).toBeGreaterThan(0));
    test.each(cases.map((c) => [c.name, c] as const))('%s', async (_, wireCase) => {
      await play(wireCase, port);
    });
  });
});
