/** The threads of the built program, which it finds by their files beside its own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServerProcess, startCinnabar } from '../support/server-process.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let here: ServerProcess;
let there: ServerProcess;
let client: Redis;

beforeAll(async () => {
  here = await startCinnabar();
  there = await startCinnabar();
  client = new Redis(here.port, '127.0.0.1');
});

afterAll(async () => {
  client?.disconnect();
  await here?.stop();
  await there?.stop();
});

test('a snapshot', async () => {
  await client.set('key', 'value');
  await client.bgsave();
  while (!here.output().includes('Background saving terminated')) await new Promise((done) => setTimeout(done, 10));
  expect(here.output()).toContain('Background saving terminated with success');
  expect(existsSync(join(here.folder, 'dump.rdb'))).toBe(true);
});

test('MIGRATE', async () => {
  await client.set('key', 'value');
  expect(await client.migrate('127.0.0.1', there.port, 'key', 0, 10_000)).toBe('OK');
  expect(await client.exists('key')).toBe(0);
  const target = new Redis(there.port, '127.0.0.1');
  expect(await target.get('key')).toBe('value');
  target.disconnect();
});

test('the build has a file for each', async () => {
  const src = join(ROOT, 'src');
  const started = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => {
      const found = readFileSync(join(src, path), 'utf8').matchAll(/new URL\(`\.\/([\w-]+)\.\$/g);
      return [...found].map(([, name]) => join('dist', dirname(path), `${name}.js`));
    });
  expect(started.length).toBeGreaterThan(0);
  const config: string = join(ROOT, 'rollup.config.js');
  const { default: builds } = await import(config);
  const inputs = builds({}).flatMap((build: { input: Record<string, string> }) => Object.values(build.input));
  expect(inputs.map((path: string) => join(path))).toEqual(expect.arrayContaining(started.map((path) => join(path))));
  for (const path of started) expect(existsSync(join(ROOT, 'dist', basename(path))), path).toBe(true);
});

test('the build has all that the package exports', () => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const files = Object.values(exports).flatMap((named) => (typeof named === 'string' ? named : Object.values(named!)));
  expect(files.length).toBeGreaterThan(8);
  for (const path of files) expect(existsSync(join(ROOT, path)), path).toBe(true);
});
