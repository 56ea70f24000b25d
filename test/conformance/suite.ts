/**
 * Brings the official suite of Redis 7.0.15 to this machine: the Tcl interpreter and the tools it calls from Debian's
 * packages, its source from Debian's source package, unpacked under the system's temporary folder. Nothing of it is
 * ever written into the repository.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const SUITE_VERSION = '7.0.15';
const SCRATCH = join(tmpdir(), 'cinnabar-conformance');
/** What the suite calls beside the server, and the Debian package that has it. */
const TOOLS: ReadonlyArray<readonly [program: string, packageName: string]> = [
  ['tclsh', 'tcl'],
  ['redis-cli', 'redis-tools'],
  ['redis-benchmark', 'redis-tools'],
  ['redis-check-aof', 'redis-tools'],
  ['redis-check-rdb', 'redis-tools'],
];

function run(program: string, args: string[], cwd?: string): void {
  const result = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 600_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.status !== 0) {
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`;
    throw new Error(`${program} ${args.join(' ')} failed:\n${output.slice(-4000)}`);
  }
}

function programPath(program: string): string | undefined {
  const found = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function installTools(): void {
  const missing = TOOLS.filter(([program]) => programPath(program) === undefined).map(([, packageName]) => packageName);
  if (missing.length === 0) return;
  run('apt-get', ['update']);
  run('apt-get', ['install', '-y', '--no-install-recommends', ...new Set(missing)]);
}

/**
 * Debian's source archive is asked through a source list of our own, derived from the machine's: the machine's own
 * list stays as it is, and no second run of `apt-get update` can undo what we need.
 */
function aptSourceOptions(folder: string): string[] {
  const parts = join(folder, 'sources');
  mkdirSync(join(folder, 'lists', 'partial'), { recursive: true });
  mkdirSync(parts, { recursive: true });
  const machineParts = '/etc/apt/sources.list.d';
  for (const name of existsSync(machineParts) ? readdirSync(machineParts) : []) {
    const text = readFileSync(join(machineParts, name), 'utf8');
    if (name.endsWith('.sources'))
      writeFileSync(join(parts, name), text.replace(/^Types: deb$/gm, 'Types: deb deb-src'));
    if (name.endsWith('.list')) writeFileSync(join(parts, name), withSourceLines(text));
  }
  const mainList = join(folder, 'sources.list');
  writeFileSync(
    mainList,
    existsSync('/etc/apt/sources.list') ? withSourceLines(readFileSync('/etc/apt/sources.list', 'utf8')) : '',
  );
  return [
    `Dir::Etc::sourcelist=${mainList}`,
    `Dir::Etc::sourceparts=${parts}`,
    `Dir::State::lists=${join(folder, 'lists')}`,
  ].flatMap((option) => ['-o', option]);
}

function withSourceLines(list: string): string {
  return list.replace(/^deb (.*)$/gm, 'deb $1\ndeb-src $1');
}

/** The unpacked suite's folder; fetched on the first call and kept for the next runs. */
export function ensureSuite(): string {
  installTools();
  const suite = join(SCRATCH, `suite-${SUITE_VERSION}`);
  if (existsSync(join(suite, 'runtest'))) return suite;

  console.log(`fetching the suite of Redis ${SUITE_VERSION} into ${suite}`);
  const download = join(SCRATCH, `download-${process.pid}`);
  mkdirSync(download, { recursive: true });
  const options = aptSourceOptions(download);
  run('apt-get', [...options, 'update'], download);
  run('apt-get', [...options, 'source', '--download-only', 'redis'], download);
  const archive = readdirSync(download).find((name) => name === `redis_${SUITE_VERSION}.orig.tar.gz`);
  if (archive === undefined)
    throw new Error(`Debian's source package is not ${SUITE_VERSION}: ${readdirSync(download)}`);

  const unpacked = join(download, 'unpacked');
  mkdirSync(unpacked);
  run('tar', ['-xzf', join(download, archive), '-C', unpacked, '--strip-components=1'], download);
  // Renamed whole, so that a run that was interrupted never leaves half a suite behind.
  if (!existsSync(suite)) renameSync(unpacked, suite);
  rmSync(download, { recursive: true, force: true });
  return suite;
}

/** How the harness starts the server under test. */
export interface ServerUnderTest {
  /** Lines of a shell script that ends in `exec`: the harness's pid must be the server's. */
  serverScript: string;
  sentinelScript: string;
}

/**
 * A shell line that becomes our server, with the arguments that the harness gives. The script's own name is handed on
 * as the process's first argument, as a program that is installed under that name would see it: the process title
 * shows it.
 */
export function ownServer(mainFile: string): ServerUnderTest {
  // A title can't grow beyond the bytes of the original command line: --title reserves room for a long one.
  const node = `exec -a "$0" ${quote(process.execPath)} --title=${'_'.repeat(300)} ${quote(mainFile)}`;
  return { serverScript: `${node} "$@"`, sentinelScript: `${node} --sentinel "$@"` };
}

export function foreignServer(path: string): ServerUnderTest {
  return { serverScript: `exec ${quote(path)} "$@"`, sentinelScript: `exec ${quote(path)} "$@" --sentinel` };
}

/** Which instances of a suite of several servers are Debian's: all of one kind, or every second of both. */
export const REAL_INSTANCES = ['servers', 'sentinels', 'odd'] as const;
export type RealInstances = (typeof REAL_INSTANCES)[number];

/** Ours, but for some instances; their number ends the name of the folder in which their configuration file lies. */
export function mixedServer(ours: ServerUnderTest, real: RealInstances): ServerUnderTest {
  const script = (line: string, kind: RealInstances, program: string): string => {
    const theirs = `exec ${program} "$@"`;
    if (real !== 'odd') return real === kind ? theirs : line;
    return `case "$(dirname "$1")" in *[13579]) ${theirs} ;; esac\n${line}`;
  };
  return {
    serverScript: script(ours.serverScript, 'servers', 'redis-server'),
    sentinelScript: script(ours.sentinelScript, 'sentinels', 'redis-sentinel'),
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A scratch copy of the suite for one unit, with the server under test in the place of the real one. */
export function scratchCopy(suite: string, name: string, server: ServerUnderTest): string {
  const copy = join(SCRATCH, `run-${process.pid}-${name}`);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(join(copy, 'src'), { recursive: true });
  for (const entry of [
    'tests',
    'runtest',
    'runtest-sentinel',
    'runtest-cluster',
    'utils',
    'redis.conf',
    'sentinel.conf',
  ]) {
    cpSync(join(suite, entry), join(copy, entry), { recursive: true, filter: (path) => basename(path) !== 'modules' });
  }
  writeScript(join(copy, 'src', 'redis-server'), server.serverScript);
  writeScript(join(copy, 'src', 'redis-sentinel'), server.sentinelScript);
  for (const [program] of TOOLS) {
    const path = programPath(program);
    if (path !== undefined && program !== 'tclsh') symlinkSync(path, join(copy, 'src', program));
  }
  return copy;
}

function writeScript(path: string, lines: string): void {
  writeFileSync(path, `#!/bin/bash\n${lines}\n`);
  chmodSync(path, 0o755);
}
