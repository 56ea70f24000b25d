/** What the image makes of the arguments of `docker run`: its entry point, with a program in cinnabar's place. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const DOCKERFILE = readFileSync(resolve(import.meta.dirname, '../../../Dockerfile'), 'utf8');
const OWN = ['--bind', '*', '-::*', '--protected-mode', 'no', '--dir', '/data'];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cinnabar-docker-'));
  writeFileSync(join(folder, 'cinnabar'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
  chmodSync(join(folder, 'cinnabar'), 0o755);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function words(...args: string[]): string[] {
  const line = DOCKERFILE.split('\n').find((text) => text.startsWith('ENTRYPOINT '))!;
  const [program, ...rest] = JSON.parse(line.slice('ENTRYPOINT '.length)) as string[];
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}` };
  return spawnSync(program, [...rest, ...args], { env })
    .stdout.toString()
    .split('\n')
    .slice(0, -1);
}

test.each([
  [[], OWN],
  [
    ['--maxmemory', '1gb', '--save', ''],
    [...OWN, '--maxmemory', '1gb', '--save', ''],
  ],
  [['-'], [...OWN, '-']],
  [['--version'], ['--version']],
  [['-h'], ['-h']],
  [
    ['/data/redis.conf', '--port', '1'],
    ['/data/redis.conf', '--port', '1'],
  ],
  [
    ['check-rdb', '/data/my dump.rdb'],
    ['check-rdb', '/data/my dump.rdb'],
  ],
])('%j', (given, wanted) => {
  expect(words(...given)).toEqual(wanted);
});

test('all that the build reads is let in by .dockerignore', () => {
  const ignored = readFileSync(resolve(import.meta.dirname, '../../../.dockerignore'), 'utf8').split('\n');
  const copied = DOCKERFILE.split('\n').filter((line) => line.startsWith('COPY ') && !line.includes('--from'));
  for (const name of copied.flatMap((line) => line.split(' ').slice(1, -1))) expect(ignored).toContain(`!${name}`);
});
