/**
 * Before all tests: builds the threads, and fetches redis-server, which many compare with, where it is missing and this user
 * can install it.
 */
import { spawnSync } from 'node:child_process';
import { hasProgram } from './oracle.ts';
import { buildThreads } from './threads.ts';

const APT = ['-qq', '-o', 'Acquire::Retries=0', '-o', 'Acquire::http::Timeout=10'];

function apt(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', [...APT, ...args], { env, stdio: 'ignore', timeout: 180_000 }).status === 0;
}

function fetchRedis(): void {
  if (hasProgram('redis-server') || process.getuid?.() !== 0 || !hasProgram('apt-get')) return;
  process.stdout.write('Tests compare with redis-server; installing it\n');
  if (!apt('update') || !apt('install', '-y', '--no-install-recommends', 'redis-server', 'redis-tools'))
    process.stdout.write('It could not be installed\n');
}

/** Answers what is to be done after all tests. */
export default async function setUp(): Promise<() => void> {
  fetchRedis();
  return buildThreads();
}
