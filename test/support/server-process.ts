/** Starts a server as a process of its own, ours or redis-server, and waits until it takes connections. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { oracle } from './oracle.ts';
import { freePort } from './ports.ts';

/** The built command line program; CINNABAR_MAIN names another one. */
export const MAIN = resolve(import.meta.dirname, process.env['CINNABAR_MAIN'] ?? '../../dist/main.js');

const READY_MILLISECONDS = 15_000;
const STOP_MILLISECONDS = 10_000;

export interface ServerProcess {
  port: number;
  pid: number;
  /** The server's working directory, removed by stop(). */
  folder: string;
  /** All that the server wrote to stdout and stderr so far. */
  output(): string;
  /** Ends the server with SIGTERM, and with SIGKILL if that takes too long. */
  stop(): Promise<void>;
}

/** Starts dist/main.js with these options. */
export function startCinnabar(...options: string[]): Promise<ServerProcess> {
  return start(process.execPath, [MAIN], options);
}

/** Starts the real redis-server with these options. */
export function startRedis(...options: string[]): Promise<ServerProcess> {
  return start(oracle('redis-server'), [], options);
}

/**
 * Starts the real redis-server with this much address space, in KiB: it reserves what a damaged payload claims to hold,
 * tens of gigabytes, and writes to all of them, unless they can't be had.
 */
export function startRedisWithin(kib: number, ...options: string[]): Promise<ServerProcess> {
  const limited = ['-c', `ulimit -v ${kib} && exec "$0" "$@"`, oracle('redis-server')];
  return start('/bin/sh', limited, options);
}

/** Starts a Sentinel, ours or the real one, with these lines in its sentinel.conf. */
export function startSentinel(kind: 'cinnabar' | 'redis', lines: readonly string[]): Promise<ServerProcess> {
  const [program, before] = kind === 'redis' ? [oracle('redis-server'), []] : [process.execPath, [MAIN]];
  return launch(program, 'Sentinel ID is', (folder, port) => {
    const file = join(folder, 'sentinel.conf');
    writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines, ''].join('\n'));
    return [...before, file, '--sentinel'];
  });
}

function start(program: string, before: string[], options: string[]): Promise<ServerProcess> {
  return launch(program, 'Ready to accept connections', (folder, port) => {
    return [...before, '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...options];
  });
}

/** `readyLine` is what the log says of a server that takes connections. */
async function launch(
  program: string,
  readyLine: string,
  argumentsFor: (folder: string, port: number) => string[],
): Promise<ServerProcess> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-test-'));
  const args = argumentsFor(folder, port);
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ended = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', (error) => {
      output += String(error);
      done();
    });
  });
  const ready = new Promise<boolean>((done) => {
    let waiting = true;
    const read = (chunk: Buffer): void => {
      output += chunk.toString('latin1');
      if (!waiting || !output.includes(readyLine)) return;
      waiting = false;
      done(true);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  const stop = async (): Promise<void> => {
    await end(child, ended);
    rmSync(folder, { recursive: true, force: true });
  };
  const started = await Promise.race([ready, ended.then(() => false), pause(READY_MILLISECONDS).then(() => false)]);
  if (!started) {
    await stop();
    throw new Error(`${program} did not start:\n${output.slice(-4000)}`);
  }
  return { port, pid: child.pid!, folder, output: () => output, stop };
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MILLISECONDS);
    await ended;
    clearTimeout(late);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds).unref());
}
