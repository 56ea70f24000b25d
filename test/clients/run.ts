/**
 * The clients and libraries that people use, each doing its main job against the built server: `npm run test:clients [-- NAME ...]`.
 *
 * Those of npm go into a folder of their own, those of Debian onto the machine (by root, with apt-get), when they are missing;
 * what can't be had is counted. With `--fetch` they are fetched and not played; with `--readme` the README's table is written
 * anew. CLIENTS_PORT names another server, to see that a program asks for the right thing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Pipeline } from '../support/pipeline.ts';
import { startCinnabar } from '../support/server-process.ts';

const FOLDER = import.meta.dirname;
const PROGRAMS = join(FOLDER, 'programs');
/** Has a package.json of its own, with the packages of npm. */
const PACKAGES = join(FOLDER, 'packages');
const README = resolve(FOLDER, '../../README.md');
const MARKS = ['<!-- clients:begin -->', '<!-- clients:end -->'] as const;
/** How long one may take, ms. */
const TIME = 120_000;

interface Client {
  readonly name: string;
  readonly does: string;
  /** The folder of its package of npm. */
  readonly npm?: string;
  /** Its packages of Debian, itself first. */
  readonly debian?: readonly string[];
  /** What is run; the port follows. */
  readonly run: readonly string[];
}

function ofNpm(name: string, does: string, npm = name): Client {
  return { name, does, npm, run: [process.execPath, join(PACKAGES, 'npm.mjs'), name] };
}

function ofDebian(name: string, does: string, debian: readonly string[], ...run: readonly string[]): Client {
  return { name, does, debian: [name, ...debian], run };
}

const COMMANDS = 'commands, pipelines, transactions, scripts, channels';
const JOBS = 'jobs, at once and delayed';
const PYTHON = '/usr/bin/python3';

const CLIENTS: readonly Client[] = [
  ofNpm('ioredis 5', `${COMMANDS}, scans, streams, waiting`, 'ioredis'),
  ofNpm('ioredis 6', `${COMMANDS}, scans, streams, waiting`, 'ioredis-6'),
  ofNpm('iovalkey', `${COMMANDS}, scans, streams, waiting`),
  ofNpm('redis 5', `${COMMANDS}, scans, streams, in RESP2 and RESP3`, 'redis-5'),
  ofNpm('redis 6', `${COMMANDS}, scans, streams, in RESP2 and RESP3`, 'redis'),
  ofNpm('@valkey/valkey-glide', 'commands'),
  ofNpm('bullmq', `${JOBS}, events`),
  ofNpm('bull', JOBS),
  ofNpm('bee-queue', 'jobs, events'),
  ofNpm('redlock 4', 'a lock, taken and refused', 'redlock'),
  ofNpm('redlock 5', 'a lock, taken and refused', 'redlock-5'),
  ofNpm('connect-redis', 'sessions'),
  ofNpm('rate-limiter-flexible', 'a limit that is reached'),
  ofNpm('@socket.io/redis-adapter', 'events from one server to the clients of another'),
  ofNpm('@socket.io/redis-streams-adapter', 'the same over streams'),
  ofNpm('graphql-redis-subscriptions', 'subscriptions by pattern'),
  ofNpm('@keyv/redis', 'values with times to live, namespaces'),
  ofNpm('cache-manager', 'a cache over @keyv/redis'),
  ofNpm('jest', 'cinnabar/jest: a seeded server for the tests of a file, fake timers'),
  ofDebian('python3-redis', `${COMMANDS}, groups of streams, a lock`, [], PYTHON, join(PROGRAMS, 'redis_py.py')),
  ofDebian('python3-rq', 'jobs, results, failures', [], PYTHON, join(PROGRAMS, 'rq_jobs.py')),
  ofDebian('celery', 'tasks, results, a chord', ['python3-redis'], PYTHON, join(PROGRAMS, 'celery_jobs.py')),
  ofDebian(
    'php-redis',
    `${COMMANDS.replace(', channels', '')}, scans, streams`,
    ['php-cli'],
    'php',
    join(PROGRAMS, 'phpredis.php'),
  ),
  ofDebian('ruby-redis', COMMANDS, [], 'ruby', join(PROGRAMS, 'redis_rb.rb')),
  ofDebian('ruby-sidekiq', JOBS, [], 'ruby', join(PROGRAMS, 'sidekiq_jobs.rb')),
  ofDebian('libhiredis-dev', 'commands, a pipeline', ['gcc', 'libc6-dev'], join(PROGRAMS, 'hiredis.c')),
  ofDebian('libredis-perl', 'commands, a transaction, a script, channels', [], 'perl', join(PROGRAMS, 'perl.pl')),
];

type Outcome = 'works' | 'fails' | 'not to be had';

interface Row {
  readonly client: Client;
  readonly version: string;
  readonly outcome: Outcome;
}

// What there is.

/** None of them needs its install scripts: they compile what is only quicker, or ask for money. */
function installNpm(): void {
  if (spawnSync('npm', ['ls', '--depth=0'], { cwd: PACKAGES, stdio: 'ignore' }).status === 0) return;
  const words = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  spawnSync('npm', words, { cwd: PACKAGES, stdio: 'inherit' });
}

function installDebian(clients: readonly Client[]): void {
  const missing = clients.flatMap(({ debian = [] }) => debian).filter((name) => debianVersion(name) === '');
  if (missing.length === 0 || process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env });
  const words = ['install', '-y', '-qq', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends'];
  const install = (...names: string[]): boolean =>
    spawnSync('apt-get', [...words, ...names], { stdio: 'ignore', env }).status === 0;
  // What there is not keeps no other away.
  if (!install(...missing)) for (const name of missing) install(name);
}

/** What dpkg-query is to tell of a package. */
const STATE = '$' + '{db:Status-Status} $' + '{Version}';

function debianVersion(name: string): string {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', STATE, name], {
    encoding: 'utf8',
  });
  const [state, version] = (stdout ?? '').split(' ');
  return status === 0 && state === 'installed' ? version : '';
}

/** '' where it is not there. */
function versionOf({ npm, debian = [] }: Client): string {
  if (npm === undefined) return debian.some((name) => debianVersion(name) === '') ? '' : debianVersion(debian[0]);
  const file = join(PACKAGES, 'node_modules', npm, 'package.json');
  return existsSync(file) ? String(JSON.parse(readFileSync(file, 'utf8')).version).replace(/^v/, '') : '';
}

// What it does.

/** A program of C is compiled first. */
function commandOf({ run }: Client, folder: string): readonly string[] {
  const [first, ...rest] = run;
  if (!first.endsWith('.c')) return [first, ...rest];
  const program = join(folder, 'hiredis');
  execFileSync('cc', ['-Wall', '-o', program, first, '-lhiredis'], { stdio: 'inherit' });
  return [program];
}

async function play(client: Client, port: number, folder: string): Promise<Row> {
  const version = versionOf(client);
  if (version === '') return { client, version: '-', outcome: 'not to be had' };
  const admin = new Pipeline(port);
  await admin.call('FLUSHALL');
  admin.close();
  const [program, ...words] = commandOf(client, folder);
  const { status, signal, stdout, stderr } = spawnSync(program, [...words, String(port)], {
    encoding: 'utf8',
    timeout: TIME,
    cwd: folder,
  });
  if (status === 0) return { client, version, outcome: 'works' };
  console.log(`${client.name} ${version}: left with ${signal ?? status}\n${stdout}${stderr}`);
  return { client, version, outcome: 'fails' };
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ client, version, outcome }) => {
    const from = client.npm === undefined ? 'Debian' : 'npm';
    return `| ${client.name} | ${from} | ${version} | ${client.does} | ${outcome} |`;
  });
  return ['| Client | From | Version | What it does here | |', '|---|---|---|---|---|', ...lines].join('\n');
}

function writeReadme(text: string): void {
  const before = readFileSync(README, 'utf8');
  const [begin, end] = MARKS.map((mark) => before.indexOf(mark));
  writeFileSync(README, `${before.slice(0, begin + MARKS[0].length)}\n\n${text}\n\n${before.slice(end)}`);
}

async function main(words: readonly string[]): Promise<void> {
  const names = words.filter((word) => !word.startsWith('--'));
  const clients = CLIENTS.filter(({ name }) => names.length === 0 || names.includes(name));
  if (clients.length === 0) throw new Error(`none of these: ${CLIENTS.map(({ name }) => name).join(', ')}`);
  installNpm();
  installDebian(clients);
  if (words.includes('--fetch')) return;
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-clients-'));
  const given = process.env['CLIENTS_PORT'];
  const server = given === undefined ? await startCinnabar() : { port: Number(given), stop: async () => {} };
  const rows: Row[] = [];
  try {
    for (const client of clients) {
      const row = await play(client, server.port, folder);
      rows.push(row);
      console.log(`${row.outcome.padEnd(14)} ${client.name} ${row.version}`);
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  if (words.includes('--readme') && names.length === 0) writeReadme(table(rows));
  const count = (outcome: Outcome): number => rows.filter((row) => row.outcome === outcome).length;
  console.log(`${count('works')} passed, ${count('fails')} failed, ${count('not to be had')} skipped`);
  if (count('fails') > 0) process.exitCode = 1;
}

await main(process.argv.slice(2));
