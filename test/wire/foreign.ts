/**
 * Client libraries of other languages on what sessions can do, against the built server: `npm run test:foreign`. Debian's
 * packages of them are installed when they are missing, which needs root; TLS comes with certificates made for the run.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from '../support/certificates.ts';
import { TestCluster } from '../support/clusters.ts';
import { freePort } from '../support/ports.ts';
import { Deployment } from '../support/sentinels.ts';
import { startCinnabar } from '../support/server-process.ts';

const PACKAGES = ['libhiredis-dev', 'gcc', 'libc6-dev', 'python3-redis'];
/** Debian's interpreter, which sees Debian's packages. */
const PYTHON = '/usr/bin/python3';
const SOURCES = join(import.meta.dirname, 'foreign');

function install(): void {
  const python = spawnSync(PYTHON, ['-c', 'import redis']).status === 0;
  if (python && existsSync('/usr/include/hiredis/hiredis.h') && spawnSync('cc', ['--version']).status === 0) return;
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...PACKAGES], { stdio: 'inherit' });
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'inherit', timeout: 60_000 });
}

async function overFailover(): Promise<void> {
  const deployment = await Deployment.start({ replicas: 1, sentinels: 3, downAfter: 1000 });
  try {
    const { servers, sentinelPorts } = deployment;
    run(PYTHON, join(SOURCES, 'sentinel.py'), String(servers[0].pid), ...sentinelPorts.map(String));
  } finally {
    await deployment.stop();
  }
}

async function overReshard(): Promise<void> {
  const cluster = await TestCluster.start({ kinds: Array.from({ length: 6 }, () => 'cinnabar' as const), replicas: 1 });
  try {
    execFileSync(PYTHON, [join(SOURCES, 'cluster.py'), ...cluster.ports.map(String)], {
      stdio: 'inherit',
      timeout: 180_000,
    });
  } finally {
    await cluster.stop();
  }
}

async function main(): Promise<void> {
  install();
  const certificates = makeCertificates();
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-foreign-'));
  const tlsPort = await freePort();
  const file = (name: string): string => certificates.path(name);
  const identity = ['--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key')];
  const authority = ['--tls-ca-cert-file', file('ca.crt')];
  const server = await startCinnabar('--tls-port', String(tlsPort), ...identity, ...authority);
  try {
    run('cc', '-Wall', '-o', join(folder, 'sessions'), join(SOURCES, 'sessions.c'), '-lhiredis');
    run(join(folder, 'sessions'), String(server.port));
    run(PYTHON, join(SOURCES, 'sessions.py'), String(server.port), String(tlsPort), certificates.folder);
    await overFailover();
    await overReshard();
  } finally {
    await server.stop();
    certificates.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
